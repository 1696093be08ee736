"""Postings to files, in the formats that can be read."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from muse_jobs.data.formats import NAMES, PARQUET_ROWS, format_of, import_extra
from muse_jobs.data.postings import COLUMNS, SET_COLUMNS, SET_SEPARATOR, JobPosting
from muse_jobs.errors import InputError
from muse_jobs.files import replacing


def write_postings(path: str | Path, postings: Iterable[JobPosting]) -> int:
    """Writes postings to one file, in the format of its name; whole or not at all.

    JSONL and Parquet keep ``extra`` (Parquet as JSON text); CSV, TSV and TFRecord have
    the columns alone.

    Args:
        path: of a known format.
        postings: any number; they are written as they come.

    Returns:
        How many.
    """
    path = Path(path)
    if not format_of(path):
        raise InputError(f"{path}: expected a name that ends in {NAMES}")
    with replacing(path) as beside:
        return _WRITERS[format_of(path)](beside, postings)


def as_row(posting: JobPosting) -> dict[str, Any]:
    """The posting as plain values, ``extra`` beside its columns."""
    row = {name: getattr(posting, name) for name in COLUMNS}
    row |= {name: list(row[name]) for name in SET_COLUMNS}
    return {**row, **posting.extra}


@contextmanager
def _open_text(path: Path):
    suffix = path.suffix.lower()
    options: dict[str, Any] = {"encoding": "utf-8", "newline": ""}
    if suffix == ".gz":
        with gzip.open(path, "wt", **options) as file:
            yield file
    elif suffix == ".zst":
        zstandard = import_extra("zstandard", "zstd", path)
        with zstandard.open(path, "wt", **options) as file:
            yield file
    else:
        with path.open("w", **options) as file:
            yield file


def _write_jsonl(path: Path, postings: Iterable[JobPosting]) -> int:
    count = 0
    with _open_text(path) as file:
        for posting in postings:
            count += 1
            file.write(json.dumps(as_row(posting), ensure_ascii=False) + "\n")
    return count


def _write_separated(path: Path, postings: Iterable[JobPosting]) -> int:
    count = 0
    delimiter = "\t" if format_of(path) == ".tsv" else ","
    with _open_text(path) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(COLUMNS)
        for posting in postings:
            count += 1
            row = as_row(posting)
            row |= {name: SET_SEPARATOR.join(row[name]) for name in SET_COLUMNS}
            writer.writerow([row[name] for name in COLUMNS])
    return count


def _write_parquet(path: Path, postings: Iterable[JobPosting]) -> int:
    arrow = import_extra("pyarrow", "parquet", path)
    parquet = import_extra("pyarrow.parquet", "parquet", path)
    text, texts = arrow.string(), arrow.list_(arrow.string())
    schema = arrow.schema(
        [(name, texts if name in SET_COLUMNS else text) for name in COLUMNS]
        + [("extra", text)]
    )
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for block in _blocks(postings, PARQUET_ROWS):
            rows = []
            for posting in block:
                row = {name: getattr(posting, name) for name in COLUMNS}
                extra = json.dumps(dict(posting.extra), ensure_ascii=False)
                rows.append({**row, "extra": extra})
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            count += len(block)
    return count


def _write_tfrecord(path: Path, postings: Iterable[JobPosting]) -> int:
    from muse_jobs.commandline import quiet_tensorflow

    with quiet_tensorflow():
        import tensorflow as tf
    count = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for posting in postings:
            count += 1
            feature = {}
            for name in COLUMNS:
                value = getattr(posting, name)
                values = value if name in SET_COLUMNS else (value,)
                data = [text.encode() for text in values if text]
                feature[name] = tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=data)
                )
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString(deterministic=True))
    return count


def _blocks(postings: Iterable[JobPosting], size: int) -> Iterator[list[JobPosting]]:
    iterator = iter(postings)
    while block := list(islice(iterator, size)):
        yield block


_WRITERS = {
    ".jsonl": _write_jsonl,
    ".csv": _write_separated,
    ".tsv": _write_separated,
    ".parquet": _write_parquet,
    ".tfrecord": _write_tfrecord,
}
