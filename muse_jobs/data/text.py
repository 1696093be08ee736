"""Text keys and the language of a text. Keys are for comparing, never for encoding."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0xFEFF, 0x00AD])
_THAI_DIGITS = {0x0E50 + digit: str(digit) for digit in range(10)}
_FOLD = {**_INVISIBLE, **_THAI_DIGITS, 0x00A0: " "}
# nikhahit, tone marks or none, sara aa -> the tone mark, sara am
_SPLIT_SARA_AM = re.compile("\u0e4d([\u0e48-\u0e4b]*)\u0e32")
# sara am and the tone marks typed after it, one of each in what people write
_SARA_AM_RUN = re.compile("\u0e33[\u0e33\u0e48-\u0e4b]+")

THAI_SHARE, ENGLISH_SHARE = 0.9, 0.1


def normalize(text: str) -> str:
    """One spelling for what reads the same.

    Composes sara am, repairs a doubled sara e, removes invisible characters, folds Thai
    digits and compatibility forms (full width and the like), joins white space.
    """
    text = text.translate(_FOLD)
    # NFKC would split sara am in two, and only it folds full-width forms: split, then
    # compose again.
    text = unicodedata.normalize("NFKC", text).translate(_FOLD)
    text = _SPLIT_SARA_AM.sub("\\1\u0e33", text)
    text = _SARA_AM_RUN.sub(_tones_first, text)
    text = text.replace("\u0e40\u0e40", "\u0e41")
    return " ".join(text.split())


def _tones_first(run: re.Match) -> str:
    return "".join(sorted(run.group(), key="\u0e33".__eq__))


def title_key(title: str) -> str:
    """The key under which two titles count as the same: normalised, case folded."""
    return normalize(title).casefold()


def language_of(text: str) -> str:
    """``th``, ``en``, ``mixed`` or ``und``, by the share of Thai among the letters.

    Base letters only: marks, digits, punctuation and the baht sign do not count. ``th``
    from 0.9, ``en`` up to 0.1, ``und`` without Thai or Latin letters. Latin counts as
    English: the corpora hold these two languages.
    """
    thai = latin = 0
    for character in text:
        if "\u0e01" <= character <= "\u0e2e":
            thai += 1
        elif character.isalpha() and "LATIN" in unicodedata.name(character, ""):
            latin += 1
    if not thai + latin:
        return "und"
    share = thai / (thai + latin)
    if share >= THAI_SHARE:
        return "th"
    return "en" if share <= ENGLISH_SHARE else "mixed"
