"""Files of postings: good rows to postings, bad rows to a rejects file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from muse_jobs.data.postings import COLUMNS, BadPosting, JobPosting, parse_posting
from muse_jobs.errors import InputError
from muse_jobs.files import write_lines

FORMATS = (".jsonl", ".csv")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is no posting. It holds no text of the row: that may be personal."""

    file: str
    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What reading gave.

    Attributes:
        postings: in the order of files and lines.
        rejects: the rows that are none.
    """

    postings: list[JobPosting]
    rejects: list[Reject]


def read_postings(
    paths: Iterable[str | Path], *, rejects_file: str | Path | None = None
) -> ReadResult:
    """Reads postings from ``.jsonl`` and ``.csv`` files, UTF-8 with a header for CSV.

    Args:
        paths: the files.
        rejects_file: where to write the bad rows as JSONL (file, line, field, reason);
            written only if there are any.

    Returns:
        The postings and the rejects.

    Raises:
        InputError: a file is missing, of another format, not UTF-8, has none of the
            title columns, or not one usable posting is in it.
    """
    postings: list[JobPosting] = []
    rejects: list[Reject] = []
    seen: set[str] = set()
    for path in map(Path, paths):
        before = len(postings)
        for line, row in _rows(path):
            try:
                if isinstance(row, BadPosting):
                    raise row
                posting = parse_posting(row)
                if posting.id in seen:
                    raise BadPosting("id", "was used by an earlier posting")
            except BadPosting as bad:
                rejects.append(Reject(str(path), line, bad.field, bad.reason))
                continue
            seen.add(posting.id)
            postings.append(posting)
        if rejects and rejects_file is not None:
            write_lines(
                rejects_file,
                (json.dumps(asdict(r), ensure_ascii=False) for r in rejects),
            )
        if len(postings) == before:
            bad = [reject for reject in rejects if reject.file == str(path)]
            reason = (
                f"first reject: line {bad[0].line}, {bad[0].field} {bad[0].reason}"
                if bad
                else "the file is empty"
            )
            raise InputError(f"{path}: not one usable posting in it; {reason}")
    return ReadResult(postings, rejects)


def _rows(path: Path) -> Iterator[tuple[int, object]]:
    """(line number, row) of a file; a line that is no row comes as a BadPosting."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix not in FORMATS:
        raise InputError(
            f"{path}: expected a name that ends in {' or '.join(FORMATS)}, "
            f"received {path.suffix or 'none'}"
        )
    reader = _jsonl_rows if path.suffix == ".jsonl" else _csv_rows
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from reader(path, file)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 (byte {error.start} of a block: {error.reason}); "
            "convert it, Thai exports are often TIS-620 or Windows-874: "
            f"iconv -f cp874 -t utf-8 {path.name}"
        ) from error


def _jsonl_rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    known = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = getattr(error, "msg", "nested too deeply")
            yield number, BadPosting("line", f"is not JSON: {reason}")
            continue
        if not isinstance(row, dict):
            yield number, BadPosting("line", "is not a JSON object")
            continue
        if not known:
            _check_columns(path, row)
            known = True
        yield number, row


def _csv_rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(lines, restkey="", strict=True)
    try:
        if reader.fieldnames is None:
            return
        _check_columns(path, reader.fieldnames)
        for row in reader:
            if "" in row:
                yield reader.line_num, BadPosting("line", "has more cells than columns")
            else:
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path}: after line {reader.line_num}: {error}") from error


def _check_columns(path: Path, columns: Sequence[str] | Iterable[str]) -> None:
    columns = list(columns)
    if "id" not in columns or not {"title_th", "title_en"} & set(columns):
        raise InputError(
            f"{path}: expected columns {', '.join(COLUMNS)} (at least id and a "
            f"title), received {', '.join(map(str, columns)) or 'none'}"
        )
