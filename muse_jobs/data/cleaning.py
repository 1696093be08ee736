"""What is mended, and what is found, in postings as a warehouse gives them."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import language_of, title_key
from muse_jobs.errors import InputError

NEAR_DUPLICATE = 0.9  # Jaccard of shingles
SHINGLE = 8  # characters: Thai has no spaces to cut words at
PERMUTATIONS = 128
# 16 bands of 8 rows: a pair at 0.9 is missed about once in 8,000 times.
BANDS = 16


def unify_fields(postings: Sequence[JobPosting]) -> tuple[list[JobPosting], int]:
    """One spelling for each job field: that of most postings, of equals the smallest.

    Args:
        postings: any.

    Returns:
        The postings, and in how many of them a field was respelled.
    """
    spellings: dict[str, Counter] = defaultdict(Counter)
    for posting in postings:
        for name in posting.fields:
            spellings[title_key(name)][name] += 1
    chosen = {
        key: min(counts, key=lambda name: (-counts[name], name))
        for key, counts in spellings.items()
    }
    unified, changed = [], 0
    for posting in postings:
        fields = tuple(sorted({chosen[title_key(name)] for name in posting.fields}))
        changed += fields != posting.fields
        unified.append(
            dataclasses.replace(posting, fields=fields)
            if fields != posting.fields
            else posting
        )
    return unified, changed


def title_languages(postings: Sequence[JobPosting]) -> dict[str, Counter]:
    """For each title column, how many of its titles are in which language.

    A Thai title in ``title_en`` or an English one in ``title_th`` is a fault of the
    export; ``mixed`` is usual in Thai titles.

    Args:
        postings: any.

    Returns:
        Column to language (th, en, mixed, und) to count.
    """
    found: dict[str, Counter] = {"title_th": Counter(), "title_en": Counter()}
    for posting in postings:
        for column, counts in found.items():
            title = getattr(posting, column)
            if title:
                counts[language_of(title)] += 1
    return found


def collapse_exact(postings: Sequence[JobPosting]) -> tuple[list[JobPosting], int]:
    """The first of the postings whose titles and description have the same keys.

    Args:
        postings: any; their order is kept.

    Returns:
        The postings that stay, and how many went.
    """
    kept = {}
    for posting in postings:
        titles = (posting.title_th, posting.title_en, posting.description)
        kept.setdefault(tuple(title_key(text or "") for text in titles), posting)
    return list(kept.values()), len(postings) - len(kept)


def collapse_near(postings: Sequence[JobPosting]) -> tuple[list[JobPosting], int]:
    """The first of the postings whose titles are the same and descriptions near.

    Near is a Jaccard similarity of `NEAR_DUPLICATE` at least between the sets of
    shingles.

    Args:
        postings: any; their order is kept.

    Returns:
        The postings that stay, and how many went.
    """
    gone: set[int] = set()
    for first, second in near_duplicates([p.description for p in postings]):
        one, other = postings[first], postings[second]
        same = {title_key(t) for t in one.titles} == {
            title_key(t) for t in other.titles
        }
        if same and first not in gone:
            gone.add(second)
    kept = [posting for row, posting in enumerate(postings) if row not in gone]
    return kept, len(gone)


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of texts whose shingles have a Jaccard similarity of `NEAR_DUPLICATE`.

    Candidates come from MinHash with banding (rensa); each is checked exactly. Texts
    without a letter are left out.

    Args:
        texts: any.

    Yields:
        (earlier, later) places, sorted by the later one.

    Raises:
        InputError: the extra is not installed.
    """
    try:
        from rensa import RMinHash, RMinHashLSH
    except ImportError as error:
        raise InputError(
            'near duplicates need an extra: run `pip install "muse-jobs[dedup]"`'
        ) from error
    index = RMinHashLSH(
        threshold=NEAR_DUPLICATE, num_perm=PERMUTATIONS, num_bands=BANDS
    )
    for place, text in enumerate(texts):
        own = shingles(text)
        if not own:
            continue
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(sorted(own))
        for earlier in sorted(index.query(sketch)):
            if jaccard(own, shingles(texts[earlier])) >= NEAR_DUPLICATE:
                yield earlier, place
        index.insert(place, sketch)


def shingles(text: str) -> set[str]:
    """All runs of `SHINGLE` characters of the text's key; of a short text, itself."""
    key = title_key(text)
    return {key[i : i + SHINGLE] for i in range(max(1, len(key) - SHINGLE + 1))} - {""}


def jaccard(first: set[str], second: set[str]) -> float:
    """The share of two sets' members that both have."""
    return len(first & second) / len(first | second)
