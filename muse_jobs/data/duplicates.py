"""Postings that are there twice, word for word or nearly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import title_key
from muse_jobs.errors import InputError

NEAR_DUPLICATE = 0.9  # Jaccard of shingles
SHINGLE = 8  # characters: Thai has no spaces to cut words at
PERMUTATIONS = 128
# 16 bands of 8 rows: a pair at 0.9 is missed about once in 8,000 times.
BANDS = 16
# Of texts that share a band each is compared with so many that follow it.
WINDOW = 16
# Candidates whose signatures agree less are not looked at: at 0.9 four standard errors.
LIKELY = 0.8
BATCH = 1024

DUPLICATES = ("keep", "exact", "near")

Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Postings without the duplicates that were to go.

    Attributes:
        postings: those that stay, in their order.
        exact: how many exact duplicates went.
        near_gone: how many near duplicates went.
        near: (earlier, later) ids of those near duplicates that stay.
    """

    postings: list[JobPosting]
    exact: int = 0
    near_gone: int = 0
    near: list[tuple[str, str]] = field(default_factory=list)


def collapse(
    postings: Sequence[JobPosting],
    which: str,
    *,
    find_near: bool = False,
    progress: Progress = iter,
) -> Collapsed:
    """Collapses duplicates into their first, and finds the near ones that are left.

    Args:
        postings: any.
        which: ``keep`` all, or collapse ``exact`` ones, or ``near`` ones too.
        find_near: look for near duplicates even if they stay, for a split. Postings
            that name a role are left out then: it decides their side.
        progress: see `near_postings`.
    """
    exact, near_gone, near = 0, 0, []
    if which != "keep":
        postings, exact = collapse_exact(postings)
    if which == "near":
        near = near_postings(postings, progress=progress)
        postings, near_gone = collapse_near(postings, near)
        left = {posting.id for posting in postings}
        near = [pair for pair in near if left.issuperset(pair)]
    elif find_near:
        described = [p for p in postings if p.description and p.role is None]
        near = near_postings(described, progress=progress) if described else []
    return Collapsed(list(postings), exact, near_gone, near)


def collapse_exact(postings: Sequence[JobPosting]) -> tuple[list[JobPosting], int]:
    """The first of the postings whose titles and description have the same keys.

    Args:
        postings: any; their order is kept.

    Returns:
        The postings that stay, and how many went.
    """
    seen: set[bytes] = set()
    kept = []
    for posting in postings:
        texts = (posting.title_th or "", posting.title_en or "", posting.description)
        key = _digest("\0".join(map(title_key, texts)))
        if key not in seen:
            seen.add(key)
            kept.append(posting)
    return kept, len(postings) - len(kept)


def collapse_near(
    postings: Sequence[JobPosting], near: Iterable[tuple[str, str]]
) -> tuple[list[JobPosting], int]:
    """The first of the postings whose titles are the same and descriptions near.

    Args:
        postings: any; their order is kept.
        near: of `near_postings`.

    Returns:
        The postings that stay, and how many went.
    """
    by_id = {posting.id: posting for posting in postings}
    gone: set[str] = set()
    for first, second in near:
        one, other = by_id[first], by_id[second]
        same = {title_key(t) for t in one.titles} == {
            title_key(t) for t in other.titles
        }
        if same and first not in gone:
            gone.add(second)
    return [posting for posting in postings if posting.id not in gone], len(gone)


def near_postings(
    postings: Sequence[JobPosting], *, progress: Progress = iter
) -> list[tuple[str, str]]:
    """The ids of postings whose descriptions are near duplicates.

    Args:
        postings: any.
        progress: wraps the walk over the descriptions, to show how far it is.

    Returns:
        (earlier, later) ids; see `near_duplicates`.

    Raises:
        InputError: the extra is not installed.
    """
    found = near_duplicates([p.description for p in postings], progress=progress)
    return [(postings[i].id, postings[j].id) for i, j in found]


def near_duplicates(texts: Sequence[str], *, progress: Progress = iter) -> np.ndarray:
    """Pairs of texts whose shingles have a Jaccard similarity of `NEAR_DUPLICATE`.

    Candidates are texts that agree in a band of their MinHash signatures (rensa); each
    is checked exactly. Texts without a letter are left out. Texts with one key are
    paired with the first of them alone, and of more than `WINDOW` texts in a band each
    with the next ones alone, so that boilerplate does not make a pair of everything.

    Args:
        texts: any. Memory: 0.6 KB a text.
        progress: wraps the walk over the texts.

    Returns:
        (pairs, 2) places, earlier and later; sorted by the later one.

    Raises:
        InputError: the extra is not installed.
    """
    first_of: dict[bytes, int] = {}
    equal, places = [], []
    signatures = _Signatures()
    for place, text in enumerate(progress(texts)):
        if not any(character.isalpha() for character in text):
            continue
        key = title_key(text)
        first = first_of.setdefault(_digest(key), place)
        if first < place:
            equal.append((first, place))
        else:
            places.append(place)
            signatures.add(_shingles_of_key(key))
    place_of = np.array(places, np.int64)
    rows = _likely_pairs(signatures.matrix())
    near = [
        (place_of[i], place_of[j])
        for i, j in rows
        if jaccard(shingles(texts[place_of[i]]), shingles(texts[place_of[j]]))
        >= NEAR_DUPLICATE
    ]
    pairs = np.array(equal + near, np.int64).reshape(-1, 2)
    return pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]


def shingles(text: str) -> np.ndarray:
    """Hashes of all runs of `SHINGLE` characters of the text's key.

    Args:
        text: any; a short one is one run.

    Returns:
        (distinct,) uint64, sorted.
    """
    return _shingles_of_key(title_key(text))


def _shingles_of_key(key: str) -> np.ndarray:
    codes = np.frombuffer(key.encode("utf-32-le"), np.uint32).astype(np.uint64)
    if not codes.size:
        return codes
    width = min(SHINGLE, codes.size)
    hashes = np.zeros(codes.size - width + 1, np.uint64)
    for offset in range(width):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += codes[offset : offset + len(hashes)]
    hashes ^= hashes >> np.uint64(32)
    return np.unique(hashes)


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """The share of two sets' members that both have; sets are sorted arrays."""
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


class _Signatures:
    """MinHash signatures, made by rensa in batches."""

    def __init__(self):
        try:
            from rensa import RMinHash
        except ImportError as error:
            raise InputError(
                "near duplicates of descriptions are looked for with an extra: run "
                '`pip install "muse-jobs[dedup]"`'
            ) from error
        self._digest = RMinHash.digest_matrix_from_flat_token_hashes
        self._waiting: list[np.ndarray] = []
        self._done = [np.empty((0, PERMUTATIONS), np.uint32)]

    def add(self, hashes: np.ndarray) -> None:
        self._waiting.append(hashes)
        if len(self._waiting) == BATCH:
            self._work()

    def matrix(self) -> np.ndarray:
        """(texts, PERMUTATIONS) uint32; the batches are given up."""
        if self._waiting:
            self._work()
        result = np.empty((sum(map(len, self._done)), PERMUTATIONS), np.uint32)
        start = len(result)
        while self._done:
            part = self._done.pop()
            result[start - len(part) : start] = part
            start -= len(part)
        return result

    def _work(self) -> None:
        ends = np.cumsum([0, *map(len, self._waiting)]).astype(np.uint64)
        made = self._digest(np.concatenate(self._waiting), ends, PERMUTATIONS, 1)
        self._done.append(np.array(made.to_rows(), np.uint32))
        self._waiting = []


def _likely_pairs(signatures: np.ndarray) -> np.ndarray:
    """(pairs, 2) rows, earlier first, that share a band and agree in most places."""
    count = len(signatures)
    codes = np.empty(0, np.int64)
    bands = signatures.reshape(count, BANDS, -1)
    for band in range(BANDS):
        keys = np.zeros(count, np.uint64)
        for column in bands[:, band].T:
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + column
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        found = [codes]
        for offset in range(1, min(WINDOW + 1, count)):
            same = np.flatnonzero(keys[offset:] == keys[:-offset])
            if not same.size:
                break
            found.append(order[same] * count + order[same + offset])
        codes = np.unique(np.concatenate(found))
    pairs = np.stack(np.divmod(codes, max(count, 1)), axis=1)
    agree = [
        (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1) >= LIKELY
        for part in np.array_split(pairs, len(pairs) // BATCH + 1)
    ]
    return pairs[np.concatenate(agree)]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
