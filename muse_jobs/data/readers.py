"""Files of postings: good rows to postings, bad rows to a rejects file."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from muse_jobs.data.formats import BadRow, Row, expand_paths, read_rows
from muse_jobs.data.postings import COLUMNS, BadPosting, JobPosting, parse_posting
from muse_jobs.data.privacy import mask_personal_data
from muse_jobs.errors import InputError
from muse_jobs.files import write_lines


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
        masked: kind of personal data to the number of spans that were masked.
    """

    postings: list[JobPosting]
    rejects: list[Reject]
    masked: Counter = field(default_factory=Counter)


def read_postings(
    paths: Iterable[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    keep_personal_data: bool = False,
    max_rejects: float = 1.0,
    rejects_file: str | Path | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> ReadResult:
    """Reads postings from files, globs and folders.

    Args:
        paths: see `muse_jobs.data.formats.expand_paths`.
        columns: this project's column name to the files' own.
        keep_personal_data: leave personal data in the texts.
        max_rejects: the share of rows that may be bad before it is an error.
        rejects_file: where to write the bad rows as JSONL (file, line, field, reason);
            written only if there are any.
        progress: wraps the walk over the rows, to show how far it is.

    Returns:
        The postings, the rejects and what was masked.

    Raises:
        InputError: a file is missing, of another format or encoding, has none of the
            columns, or not one usable posting is in it; or too many rows are bad.
    """
    result = ReadResult([], [])
    scanned = scan_postings(
        paths,
        columns=columns,
        keep_personal_data=keep_personal_data,
        masked=result.masked,
    )
    try:
        for found in progress(scanned):
            good = isinstance(found, JobPosting)
            (result.postings if good else result.rejects).append(found)
    finally:
        if result.rejects and rejects_file is not None:
            write_lines(
                rejects_file,
                (json.dumps(asdict(r), ensure_ascii=False) for r in result.rejects),
            )
    share = len(result.rejects) / (len(result.rejects) + len(result.postings))
    if share > max_rejects:
        where = f"; see {rejects_file}" if rejects_file is not None else ""
        raise InputError(
            f"{len(result.rejects)} rows were rejected beside {len(result.postings)} "
            f"good ones, more than the share of {max_rejects} that is allowed{where}"
        )
    return result


def scan_postings(
    paths: Iterable[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    keep_personal_data: bool = False,
    masked: Counter | None = None,
) -> Iterator[JobPosting | Reject]:
    """As `read_postings`, one posting or reject after the other.

    Memory does not grow with the data: the ids that were seen are kept in a temporary
    file.

    Args:
        paths: as there.
        columns: as there.
        keep_personal_data: as there.
        masked: gets the counts of masked spans.
    """
    unknown = set(columns or {}) - set(COLUMNS)
    if unknown:
        raise InputError(
            f"--columns: expected names of {', '.join(COLUMNS)}, received "
            f"{', '.join(sorted(unknown))}"
        )
    with closing(_SeenIds()) as seen:
        yield from _scan(expand_paths(paths), columns, keep_personal_data, masked, seen)


def read_translations(
    paths: Iterable[str | Path], *, columns: Mapping[str, str] | None = None
) -> list[JobPosting]:
    """Reads a table of title translations: ``title_th`` and ``title_en``, no id.

    Args:
        paths: as for `read_postings`.
        columns: as there.

    Returns:
        A posting for each row, with the two titles and, if there is one, its ``role``.

    Raises:
        InputError: a row has not both titles: the file and the line.
    """
    found: list[JobPosting] = []
    for path in expand_paths(paths):
        for line, row in read_rows(path):
            try:
                if isinstance(row, BadRow):
                    raise BadPosting("line", str(row))
                row = _renamed(row, columns)
                own = {n: row.get(n) for n in ("title_th", "title_en", "role")}
                posting = parse_posting({**own, "id": f"translation {len(found)}"})
                if len(posting.titles) < 2:
                    raise BadPosting("title_th, title_en", "expected both")
            except BadPosting as bad:
                raise InputError(f"{path}: line {line}: {bad}") from bad
            found.append(posting)
    return found


def _scan(
    paths: Iterable[Path],
    columns: Mapping[str, str] | None,
    keep_personal_data: bool,
    masked: Counter | None,
    seen: _SeenIds,
) -> Iterator[JobPosting | Reject]:
    for path in paths:
        usable, first_reject = 0, None
        for line, row in read_rows(path):
            if not usable and first_reject is None and not isinstance(row, BadRow):
                row_columns = _renamed(row, columns)
                _check_columns(path, row_columns, row)
            found = _posting(path, line, row, columns, seen)
            if isinstance(found, Reject):
                first_reject = first_reject or found
            else:
                usable += 1
                if not keep_personal_data:
                    found = _masked(found, masked)
            yield found
        if not usable:
            reason = (
                f"first reject: line {first_reject.line}, {first_reject.field} "
                f"{first_reject.reason}"
                if first_reject
                else "the file is empty"
            )
            raise InputError(f"{path}: not one usable posting in it; {reason}")


def parse_columns(text: str) -> dict[str, str]:
    """``title_th=job_title,...`` as this project's column name to the file's."""
    pairs = [item.split("=", 1) for item in text.split(",") if item]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise InputError(
            f"--columns: expected {COLUMNS[1]}=YOURS and so on, received {text}"
        )
    return dict(pairs)


def _posting(
    path: Path,
    line: int,
    row: Row | BadRow,
    columns: Mapping[str, str] | None,
    seen: _SeenIds,
) -> JobPosting | Reject:
    try:
        if isinstance(row, BadRow):
            raise BadPosting("line", str(row))
        posting = parse_posting(_renamed(row, columns))
        if not seen.add(posting.id):
            raise BadPosting("id", "was used by an earlier posting")
    except BadPosting as bad:
        return Reject(str(path), line, bad.field, bad.reason)
    return posting


class _SeenIds:
    """A set of ids in SQLite's temporary database: a file beyond its cache of 8 MB."""

    def __init__(self):
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA cache_size = -8192")
        self._database.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, identifier: str) -> bool:
        """Whether the id is new."""
        added = self._database.execute(
            "INSERT OR IGNORE INTO ids VALUES (?)", (identifier,)
        )
        return added.rowcount == 1

    def close(self) -> None:
        """Removes the file."""
        self._database.close()


def _renamed(row: Row, columns: Mapping[str, str] | None) -> Row:
    """The row with the files' column names changed to this project's."""
    if not columns:
        return row
    theirs = {their_name: our_name for our_name, their_name in columns.items()}
    return {theirs.get(name, name): value for name, value in row.items()}


def _masked(posting: JobPosting, counts: Counter | None) -> JobPosting:
    def mask(text):
        return mask_personal_data(text, counts) if isinstance(text, str) else text

    return dataclasses.replace(
        posting,
        title_th=mask(posting.title_th),
        title_en=mask(posting.title_en),
        description=mask(posting.description),
        extra={name: mask(value) for name, value in posting.extra.items()},
    )


def _check_columns(path: Path, row: Row, original: Row) -> None:
    titles = {"title_th", "title_en"} & set(row)
    # A JSON object may leave out what is null: it is another file only without any.
    known = bool(titles) or "id" in row
    if not (known if path.name.split(".")[1] == "jsonl" else titles and "id" in row):
        names = [str(name) for name in original]
        advice = "name yours with --columns title_th=...,title_en=..."
        for separator, called in ((";", "semicolons"), ("\t", "tabs")):
            if len(names) == 1 and separator in names[0]:
                advice = f"{called} stand between the columns: save it with commas"
        raise InputError(
            f"{path}: expected columns {', '.join(COLUMNS)} (at least id and a title), "
            f"received {', '.join(names) or 'none'}; {advice}"
        )
