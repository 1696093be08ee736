"""A job posting and what makes one usable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_TITLE_CHARACTERS = 500
MAX_DESCRIPTION_CHARACTERS = 100_000
# What exports write where there is no title.
PLACEHOLDERS = {"n/a", "na", "nan", "none", "null", "ไม่มี", "ไม่ระบุ"}
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class BadPosting(ValueError):
    """A row that is no posting: which field, and why."""

    def __init__(self, field_name: str, reason: str):
        super().__init__(f"{field_name}: {reason}")
        self.field = field_name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class JobPosting:
    """One posting of a recruitment platform.

    Attributes:
        id: the platform's own id, unique in the data.
        title_th: Thai title, or None.
        title_en: English title, or None; one of the two is there.
        description: free text in any language; may be empty.
        fields: job fields, sorted.
        role: names the job where the data knows it (a role id, an ISCO unit): postings
            of one role are the same job, and a split keeps them on one side.
        categories: the set that IoU compares; the fields unless the data has finer ones
            (for ISCO-coded data, a code's ancestors and itself).
        extra: whatever else the platform has; kept, not used.
    """

    id: str
    title_th: str | None = None
    title_en: str | None = None
    description: str = ""
    fields: tuple[str, ...] = ()
    role: str | None = None
    categories: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles that are there, Thai first."""
        return tuple(t for t in (self.title_th, self.title_en) if t)

    @property
    def iou_set(self) -> tuple[str, ...]:
        """What IoU compares: the categories, else the fields."""
        return self.categories or self.fields


COLUMNS = (
    "id",
    "title_th",
    "title_en",
    "description",
    "fields",
    "role",
    "categories",
)
SET_COLUMNS = ("fields", "categories")
SET_SEPARATOR = "|"


def parse_posting(row: Mapping[str, object]) -> JobPosting:
    """Makes a posting of a row.

    Args:
        row: column name to value. ``fields`` and ``categories`` are lists, or strings
            with ``|`` between the members. Columns that are not `COLUMNS` go to
            ``extra``.

    Raises:
        BadPosting: the row cannot be used.
    """
    titles = {name: _text(row, name, MAX_TITLE_CHARACTERS) for name in COLUMNS[1:3]}
    # A dash, an invisible character or "N/A" is no title: it would link all that have
    # it.
    titles = {
        name: text
        if any(c.isalpha() for c in text) and text.casefold() not in PLACEHOLDERS
        else ""
        for name, text in titles.items()
    }
    if not any(titles.values()):
        raise BadPosting("title_th", "is no title, nor is title_en")
    return JobPosting(
        id=_identifier(row),
        title_th=titles["title_th"] or None,
        title_en=titles["title_en"] or None,
        description=_text(row, "description", MAX_DESCRIPTION_CHARACTERS),
        fields=_members(row, "fields"),
        role=_text(row, "role", MAX_TITLE_CHARACTERS) or None,
        categories=_members(row, "categories"),
        extra={str(name): value for name, value in row.items() if name not in COLUMNS},
    )


def field_labels(postings: Sequence[JobPosting]) -> list[str]:
    """The job fields that occur in the postings, sorted."""
    return sorted({name for posting in postings for name in posting.fields})


def _identifier(row: Mapping[str, object]) -> str:
    value = row.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    identifier = _text(row, "id", MAX_TITLE_CHARACTERS)
    if not identifier:
        raise BadPosting("id", "is missing")
    return identifier


def _text(row: Mapping[str, object], name: str, limit: int) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadPosting(name, f"expected text, received {type(value).__name__}")
    if "\0" in value:
        raise BadPosting(name, "holds a NUL character")
    if LONE_SURROGATE.search(value):
        raise BadPosting(name, "holds half a character (a lone surrogate)")
    value = value.strip()
    if len(value) > limit:
        raise BadPosting(name, f"{len(value)} characters, at most {limit} are taken")
    return value


def _members(row: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(SET_SEPARATOR)
    if not isinstance(value, list | tuple) or not all(
        isinstance(member, str) for member in value
    ):
        raise BadPosting(name, "expected a list of texts, or texts with | between them")
    return tuple(sorted({member.strip() for member in value if member.strip()}))
