"""``python -m muse_jobs.embed``: files of postings or texts to vectors."""

from __future__ import annotations

import argparse
import glob
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import muse_jobs
from muse_jobs.commandline import quiet_tensorflow, run_command, track
from muse_jobs.data.formats import expand_paths, import_extra
from muse_jobs.data.privacy import mask_personal_data
from muse_jobs.data.readers import Reject, parse_columns, scan_postings
from muse_jobs.encoder.embedding import EmbeddingWork
from muse_jobs.errors import InputError
from muse_jobs.files import check_writable, sha256_of

DESCRIPTION = """\
Writes the vectors of postings' titles or descriptions, or of texts, by any encoder, and
beside them the ids. Each distinct text is encoded once; memory does not grow with the
files. A run that was stopped goes on when the same command is given again."""

COLUMNS = ("title", "title_th", "title_en", "description")
TEXTS = ".txt"

Rows = Iterator[tuple[str | None, str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.embed", description=DESCRIPTION
    )
    parser.add_argument(
        "paths",
        nargs="+",
        help="postings: files, patterns or folders; or .txt files, a text a line, "
        "whose ids are the numbers of their lines",
    )
    parser.add_argument(
        "--encoder",
        default="auto",
        help="auto, tfhub, packaged, a URL, kaggle:HANDLE, a SavedModel or "
        "sentence-transformers folder, package.module:function [auto]",
    )
    parser.add_argument(
        "--column",
        choices=COLUMNS,
        default="title",
        help="of a posting; title is the Thai title, else the English one [title]",
    )
    parser.add_argument(
        "--columns", default="", help="your column names: title_th=YOURS,..."
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="NAME.npy, with the ids in NAME.ids.jsonl, a JSON string a line; or "
        "NAME.parquet with the columns id and vector",
    )
    parser.add_argument(
        "--keep-personal-data",
        action="store_true",
        help="do not mask phone numbers, e-mail addresses, LINE ids and the like",
    )
    arguments = parser.parse_args(argv)
    output = Path(arguments.output)
    if output.suffix not in _WRITERS:
        raise InputError(
            f"--output: expected a name that ends in {' or '.join(_WRITERS)}, received "
            f"{output}"
        )
    if output.suffix == ".parquet":  # asked for before the long work
        import_extra("pyarrow.parquet", "parquet", output)
    files, rows = _open(arguments)
    if any(output.exists() and output.samefile(file) for file in files):
        raise InputError(f"--output: {output} is an input; choose another name")
    check_writable(output.parent)
    folder = output.with_name(output.name + ".work")
    try:
        with EmbeddingWork(folder, _inputs(arguments, files)) as work:
            _embed(work, rows, arguments)
    except KeyboardInterrupt:
        if folder.exists():
            print("\nstopped; the same command goes on from there", file=sys.stderr)
        raise
    return 0


def _open(arguments) -> tuple[list[Path], Rows]:
    """The files, and their rows as `EmbeddingWork.fill` takes them."""
    texts = [Path(path).suffix.lower() == TEXTS for path in arguments.paths]
    if not any(texts):
        files = expand_paths(arguments.paths)
        columns = parse_columns(arguments.columns)
        return files, _posting_rows(files, columns, arguments.column)
    if not all(texts):
        raise InputError(f"expected files of postings or {TEXTS} files, received both")
    if arguments.columns or arguments.column != COLUMNS[0]:
        raise InputError(f"--column and --columns are for postings, not {TEXTS} files")
    files = []
    for path in arguments.paths:
        found = [path] if Path(path).is_file() else sorted(glob.glob(path))
        if not found:
            raise InputError(f"{path}: no such file")
        files += map(Path, found)
    return files, _text_rows(files)


def _inputs(arguments, files: Sequence[Path]) -> dict[str, str]:
    """What decides on the rows."""
    return {
        "muse-jobs": muse_jobs.__version__,
        "--column": arguments.column,
        "--columns": arguments.columns,
        "--keep-personal-data": str(arguments.keep_personal_data),
        **{f"file {n}": sha256_of(file) for n, file in enumerate(files, start=1)},
    }


def _posting_rows(files: Sequence[Path], columns: dict[str, str], column: str) -> Rows:
    # Only the text that is encoded is masked, by `fill`, and that once.
    for found in scan_postings(files, columns=columns, keep_personal_data=True):
        if isinstance(found, Reject):
            yield None, "rejected"
            continue
        text = found.titles[0] if column == "title" else getattr(found, column)
        yield (found.id, text) if text else (None, f"without {column}")


def _text_rows(files: Sequence[Path]) -> Rows:
    number = 0
    for path in files:
        try:
            with path.open(encoding="utf-8-sig") as lines:
                for line in lines:
                    number += 1
                    text = line.strip()
                    yield (str(number), text) if text else (None, "empty")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: not UTF-8 (after line {number}: {error.reason}); convert it, "
                f"for example: iconv -f cp874 -t utf-8 {path.name}"
            ) from error


def _embed(work: EmbeddingWork, rows: Rows, arguments) -> None:
    if not work.filled:
        mask = str if arguments.keep_personal_data else mask_personal_data
        work.fill(track(rows, "read"), prepare=mask)
    if work.done:
        print(f"continued: {work.done} of {work.texts} texts are done")
    skipped = ", ".join(f"{count} {why}" for why, count in work.skipped.items())
    if not work.rows:
        raise InputError(
            f"expected a text to encode, received none ({skipped or 'no line'}); look "
            "at --column"
        )
    with quiet_tensorflow():
        from muse_jobs.encoder.adapters import open_encoder

        encoder = open_encoder(arguments.encoder)
    print(f"encoder: {encoder.source}")
    left = work.texts - work.done
    work.encode(encoder, progress=lambda texts: track(texts, "embed", total=left))
    output = Path(arguments.output)
    written = _WRITERS[output.suffix](work, output)
    print(
        f"rows: {work.rows} with {work.texts} distinct texts; left out: "
        f"{skipped or 'none'}\nvectors: {written}, {work.dim} numbers each"
    )
    work.remove()


def _write_npy(work: EmbeddingWork, output: Path) -> str:
    import numpy as np

    ids_path = output.with_suffix(".ids.jsonl")
    # In the work folder first: what a killed run leaves goes with it.
    whole, whole_ids = work.folder / output.name, work.folder / ids_path.name
    with whole.open("wb") as file, whole_ids.open("w", encoding="utf-8") as ids_file:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
            "fortran_order": False,
            "shape": (work.rows, work.dim),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for ids, vectors in track(work.vectors(), "write"):
            file.write(vectors)
            ids_file.writelines(json.dumps(i, ensure_ascii=False) + "\n" for i in ids)
    whole_ids.replace(ids_path)
    whole.replace(output)
    return f"{output}, ids: {ids_path}"


def _write_parquet(work: EmbeddingWork, output: Path) -> str:
    import pyarrow as arrow
    from pyarrow import parquet

    vector = arrow.list_(arrow.float32(), work.dim)
    schema = arrow.schema([("id", arrow.string()), ("vector", vector)])
    whole = work.folder / output.name
    # Vectors neither repeat nor shrink.
    options = {"use_dictionary": False, "compression": {"id": "zstd", "vector": "none"}}
    with parquet.ParquetWriter(whole, schema, **options) as writer:
        for ids, vectors in track(work.vectors(), "write"):
            values = arrow.array(vectors.ravel())
            column = arrow.FixedSizeListArray.from_arrays(values, work.dim)
            writer.write_batch(arrow.record_batch([ids, column], schema=schema))
    whole.replace(output)
    return str(output)


_WRITERS = {".npy": _write_npy, ".parquet": _write_parquet}


if __name__ == "__main__":
    run_command(main)
