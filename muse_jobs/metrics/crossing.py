"""What a ranking loses between languages: three companions of LBKL.

LBKL looks at languages alone; TLR@k and Max@R look at what is relevant, rank
correlation at the whole ranking. Cut lists, k and queries without relevant entries are
as in `ranking`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muse_jobs.errors import InputError
from muse_jobs.metrics.ranking import (
    Ranked,
    Relevant,
    mean_of_defined,
    per_query,
    query_recall_at_k,
)

# Languages of texts that belong to neither side: `muse_jobs.data.text.language_of`.
NOT_COUNTED = ("mixed", "und")


def query_tlr_at_k(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    query_languages: Sequence[str],
    *,
    k: int,
) -> np.ndarray:
    """Recall at k of the relevant entries that are not in the query's language.

    Entries of every language take part in the ranking: k of the query's own language
    before all others leave it at 0.

    Args:
        ranked: ranked pool indices of each query.
        relevant: relevant pool indices of each query.
        languages: (pool,) language of each entry; ``mixed`` and ``und`` are looked for
            by no query.
        query_languages: (queries,) language of each query.
        k: list length.

    Returns:
        (queries,) in 0 .. 1; NaN for a query whose language is ``mixed`` or ``und``,
        or without relevant entries in another language, as in a pool of one language.
    """
    foreign = [
        []
        if asked in NOT_COUNTED
        else [e for e in wanted if languages[e] not in (asked, *NOT_COUNTED)]
        for wanted, asked in zip(relevant, query_languages, strict=True)
    ]
    return query_recall_at_k(ranked, foreign, k=k)


def tlr_at_k(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    query_languages: Sequence[str],
    *,
    k: int,
) -> float:
    """Mean `query_tlr_at_k`."""
    return mean_of_defined(
        query_tlr_at_k(ranked, relevant, languages, query_languages, k=k)
    )


def query_max_at_r(ranked: Ranked, relevant: Relevant) -> np.ndarray:
    """How early a query's last relevant entry stands, on a scale of logarithms.

    ``100 (log2 D - log2 M) / (log2 D - log2 R)`` of D ranked entries, R of them
    relevant, the last of these at rank M (Max@R, normalised, of arXiv 2604.05684).

    Args:
        ranked: full ranking of each query: D is the list's length. Of a cut list that
            happens to hold all relevant entries the value is too low.
        relevant: relevant pool indices of each query.

    Returns:
        (queries,) from 0, a relevant entry is the last of all, to 100, all relevant
        entries come first; NaN for a query without relevant entries, or to which all D
        are relevant.

    Raises:
        InputError: a list lacks a relevant entry.
    """

    def rank_of_last(ranks: np.ndarray, wanted: int) -> int:
        if len(ranks) < wanted:
            raise InputError(
                f"expected full rankings, received one with {len(ranks)} of {wanted} "
                "relevant entries: rank the whole pool, without cutting"
            )
        return ranks[-1]

    last = per_query(ranked, relevant, rank_of_last)
    wanted = np.array([len(set(entries)) for entries in relevant], float)
    size = np.array([len(list_) for list_ in ranked], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * np.log2(size / last) / np.log2(size / wanted)


def max_at_r(ranked: Ranked, relevant: Relevant) -> float:
    """Mean `query_max_at_r`."""
    return mean_of_defined(query_max_at_r(ranked, relevant))


def query_rank_correlation(scores: np.ndarray, translated: np.ndarray) -> np.ndarray:
    """Spearman correlation of the rankings that a query and its translation give.

    Args:
        scores: (pairs, pool) the entries' scores for each query. Entries with equal
            scores share the mean of their ranks.
        translated: (pairs, pool) the same for each query's translation.

    Returns:
        (pairs,) in -1 .. 1; NaN where all scores of a row are equal, as those of one
        entry are.

    Raises:
        InputError: the two have different shapes.
    """
    if np.shape(scores) != np.shape(translated):
        raise InputError(
            f"expected scores of one shape, received {np.shape(scores)} and "
            f"{np.shape(translated)}: score the same pool for as many translations"
        )
    values = []
    for row, other in zip(scores, translated, strict=True):
        first, second = _centred_ranks(row), _centred_ranks(other)
        size = np.sqrt((first @ first) * (second @ second))
        values.append(first @ second / size if size else np.nan)
    return np.array(values, float)


def mean_rank_correlation(scores: np.ndarray, translated: np.ndarray) -> float:
    """Mean `query_rank_correlation` (MRC of arXiv 2509.06195, for two languages)."""
    return mean_of_defined(query_rank_correlation(scores, translated))


def _centred_ranks(scores: np.ndarray) -> np.ndarray:
    """(pool,) ranks with a mean of 0; equal scores have one rank."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks - (len(ranks) + 1) / 2
