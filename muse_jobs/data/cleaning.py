"""What is mended, and what is found, in postings as a warehouse gives them."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import language_of, title_key


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
