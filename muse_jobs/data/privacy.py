"""Personal data in postings: found and masked.

Phone numbers in Thai forms, e-mail addresses, LINE ids, Thai national ids with a valid
check digit, and web addresses. Names of persons are not found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_THAI_DIGITS = {0x0E50 + digit: str(digit) for digit in range(10)}
_HANDLE = r"@?[A-Za-z0-9][\w.-]{2,}"

# In this order: what an earlier one takes a later one no longer sees.
_PATTERNS = {
    "url": re.compile(
        r"(?:https?://|www\.)[^\s<>\"'ก-๛]+"
        r"|\b(?:line\.me|lin\.ee|facebook\.com|fb\.com|instagram\.com)/[^\s<>\"'ก-๛]+",
        re.IGNORECASE,
    ),
    "email": re.compile(
        r"[A-Za-z0-9][\w.+-]*\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
        re.ASCII,
    ),
    "national_id": re.compile(r"(?<!\d)\d(?:[ -]?\d){12}(?!\d)"),
    # 9 or 10 digits from 0, or 66 and 8 or 9; separators in any place that people use.
    "phone": re.compile(
        r"(?<![\d.,])(?:\+\s?66|0066|\(\+?66\))[ .-]?(?:\(0\))?"
        r"\d(?:[ .-]?\d){7,8}(?!\d)"
        r"|(?<![\d.,])(?:\(0\d{1,2}\)|0)(?:[ .-]{0,2}\d){7,9}(?!\d)"
    ),
    "line_id": re.compile(
        rf"(?:\bline|ไลน์|ไลน)\s*(?:official|oa|account)?\s*"
        rf"(?:(?:id|ไอดี)\s*[:=.]?\s*{_HANDLE}|[:=]\s*{_HANDLE}|@[A-Za-z0-9][\w.-]+)"
        r"|(?<![A-Za-z])id\s?[:=]\s?@?[A-Za-z0-9-]*[\d_.][\w.-]+"
        r"|(?<![\w.])@[A-Za-z0-9][\w.-]{2,}",
        re.IGNORECASE | re.ASCII,
    ),
}
# Every pattern needs one of these, and most titles have none.
_SUSPECT = re.compile(r"[\d@/:=]|www\.|ไลน|line", re.IGNORECASE)
# 08.30-17.30 and the like: a time of day, not the beginning of a number.
_TIME = re.compile(r"\d{1,2}[.:]\d{2}(?!\d)\s?(?:-|–|น|to\b|ถึง)")


@dataclass(frozen=True, slots=True)
class PersonalData:
    """A span of a text.

    Attributes:
        kind: url, email, national_id, phone or line_id.
        start: first character.
        end: the character after the last.
    """

    kind: str
    start: int
    end: int


def find_personal_data(text: str) -> list[PersonalData]:
    """The spans of personal data in a text, from left to right."""
    if not _SUSPECT.search(text):
        return []
    found: list[PersonalData] = []
    # One character for one: places in the folded text are places in the text.
    folded = text.translate(_THAI_DIGITS)
    for kind, pattern in _PATTERNS.items():
        for start, end in _matches(kind, pattern, folded):
            found.append(PersonalData(kind, start, end))
            folded = folded[:start] + "\0" * (end - start) + folded[end:]
    return sorted(found, key=lambda span: span.start)


def mask_personal_data(text: str, counts: Counter | None = None) -> str:
    """The text with ``[phone]``, ``[email]`` and so on in the place of personal data.

    Args:
        text: any.
        counts: gets the number of spans of each kind added.
    """
    pieces, place = [], 0
    for span in find_personal_data(text):
        pieces += [text[place : span.start], f"[{span.kind}]"]
        place = span.end
        if counts is not None:
            counts[span.kind] += 1
    return "".join([*pieces, text[place:]])


def _matches(kind: str, pattern: re.Pattern, text: str) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if kind == "national_id" and not _has_check_digit(digits):
            continue
        if kind == "phone" and (
            _TIME.match(match.group()) or (digits[0] == "0" and len(digits) < 9)
        ):
            continue
        yield match.span()


def _has_check_digit(digits: str) -> bool:
    """The thirteenth digit of a Thai national id is a checksum of the first twelve."""
    total = sum(
        int(digit) * weight
        for digit, weight in zip(digits, range(13, 1, -1), strict=False)
    )
    return int(digits[12]) == (11 - total % 11) % 10
