"""Rows of files, one after the other: JSONL, CSV, TSV, Parquet, TFRecord.

Every reader streams: memory does not grow with the file. JSONL, CSV and TSV may be
compressed (``.gz``, ``.zst``).
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from muse_jobs.errors import InputError

TEXT_FORMATS = (".jsonl", ".csv", ".tsv")
BINARY_FORMATS = (".parquet", ".tfrecord")
COMPRESSIONS = (".gz", ".zst")
NAMES = ", ".join((*TEXT_FORMATS, *BINARY_FORMATS)) + " (texts also as .gz or .zst)"
PARQUET_ROWS = 4096

Row = dict[str, object]


class BadRow(ValueError):
    """A line that is no row; the message says why."""


def expand_paths(paths: Iterable[str | Path]) -> list[Path]:
    """The files behind paths: themselves, a glob's matches, a folder's known files.

    Args:
        paths: files, patterns with ``*``, ``?`` or ``[...]``, folders.

    Returns:
        Files, those of a pattern or folder sorted.

    Raises:
        InputError: a path leads to no file, or to one of another format.
    """
    files: list[Path] = []
    for path in map(str, paths):
        if Path(path).is_dir():
            found = sorted(p for p in Path(path).rglob("*") if format_of(p))
        elif Path(path).is_file():
            found = [Path(path)]
        else:
            found = sorted(map(Path, glob.glob(path, recursive=True)))
        if not found:
            raise InputError(f"{path}: no such file")
        files += found
    for file in files:
        if not format_of(file):
            raise InputError(f"{file}: expected a name that ends in {NAMES}")
    return files


def read_rows(path: Path) -> Iterator[tuple[int, Row | BadRow]]:
    """(line or row number, row) of a file; a line that is no row comes as a BadRow.

    Args:
        path: of a known format.

    Raises:
        InputError: the file cannot be read to its end: another encoding, cut off.
    """
    reader = _READERS[format_of(path)]
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        # A spreadsheet's "Unicode text" is UTF-16, and says so in its first two bytes.
        if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            encoding, hint = "utf-16", "it is UTF-16"
        else:
            encoding, hint = "cp874", "Thai exports are often TIS-620 or Windows-874"
        raise InputError(
            f"{path}: not UTF-8 (byte {error.start} of a block: {error.reason}); "
            f"convert it, {hint}: iconv -f {encoding} -t utf-8 {path.name}"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged or cut off ({error})") from error


def format_of(path: Path) -> str:
    """The format by the file's name, empty if it is not known."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
        return suffixes[-1] if suffixes and suffixes[-1] in TEXT_FORMATS else ""
    known = (*TEXT_FORMATS, *BINARY_FORMATS)
    return suffixes[-1] if suffixes and suffixes[-1] in known else ""


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    options: dict[str, Any] = {"encoding": "utf-8-sig", "newline": ""}
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path, "rt", **options) as file:
            yield file
    elif suffix == ".zst":
        zstandard = import_extra("zstandard", "zstd", path)
        with path.open("rb") as raw:
            blocks = io.BufferedReader(_ZstdBlocks(zstandard, raw))
            try:
                with io.TextIOWrapper(blocks, **options) as file:
                    yield file
            except zstandard.ZstdError as error:
                raise InputError(f"{path}: damaged or cut off ({error})") from error
    else:
        with path.open(**options) as file:
            yield file


class _ZstdBlocks(io.RawIOBase):
    """Zstandard's decompressor as a file. Its own reader ends silently where the file
    was cut off; this one raises EOFError."""

    def __init__(self, zstandard, raw):
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._raw = raw
        self._frame = self._new()
        self._begun = False
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready:
            block = self._raw.read(io.DEFAULT_BUFFER_SIZE)
            if not block:
                if self._begun and not self._frame.eof:
                    raise EOFError("a frame ends early")
                return 0
            while block:  # a file may hold several frames
                if self._frame.eof:
                    self._frame = self._new()
                self._begun = True
                self._ready += self._frame.decompress(block)
                block = self._frame.unused_data if self._frame.eof else b""
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Row | BadRow]]:
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                reason = getattr(error, "msg", type(error).__name__)
                yield number, BadRow(f"is not JSON: {reason}")
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                yield number, BadRow("is not a JSON object")


def _separated_rows(path: Path) -> Iterator[tuple[int, Row | BadRow]]:
    csv.field_size_limit(2**27)  # an overlong text is a bad row, not a bad file
    delimiter = "\t" if format_of(path) == ".tsv" else ","
    with _open_text(path) as lines:
        reader = csv.DictReader(lines, strict=True, delimiter=delimiter)
        try:
            for row in reader:
                if None in row:
                    yield reader.line_num, BadRow("has more cells than columns")
                else:
                    yield reader.line_num, row
        except csv.Error as error:
            raise InputError(
                f"{path}: after line {reader.line_num}: {error}"
            ) from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    parquet = import_extra("pyarrow.parquet", "parquet", path)
    arrow = import_extra("pyarrow", "parquet", path)
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged or cut off ({error})") from error


def _tfrecord_rows(path: Path) -> Iterator[tuple[int, Row | BadRow]]:
    """Rows of tf.train.Example: byte lists are texts, the only one of a list itself."""
    from muse_jobs.commandline import quiet_tensorflow

    with quiet_tensorflow():
        import tensorflow as tf
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    number = 0
    try:
        for number, record in enumerate(records, start=1):
            try:
                yield number, _example_row(tf.train.Example.FromString(record))
            except (ValueError, UnicodeDecodeError) as error:
                yield number, BadRow(f"is no tf.train.Example of texts: {error}")
    except tf.errors.DataLossError as error:
        raise InputError(f"{path}: damaged or cut off after record {number}") from error


def _example_row(example) -> Row:
    row: Row = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value) if kind else []
        if kind == "bytes_list":
            values = [value.decode("utf-8") for value in values]
        if len(values) == 1:
            row[name] = values[0]
        else:
            row[name] = values or None
    return row


def import_extra(module: str, extra: str, path: Path):
    """An optional library, or an InputError that names the extra it comes with."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f'{path}: needs an extra: run `pip install "muse-jobs[{extra}]"`'
        ) from error


_READERS = {
    ".jsonl": _jsonl_rows,
    ".csv": _separated_rows,
    ".tsv": _separated_rows,
    ".parquet": _parquet_rows,
    ".tfrecord": _tfrecord_rows,
}
