"""How well rankings find what they should.

A query without relevant entries has no value and does not count in a mean. What a cut
list does not hold counts as not found. A k beyond the list's end counts as the list's
length, and an entry that stands twice in a list counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from muse_jobs.errors import InputError

Ranked = Sequence[Sequence[int]] | np.ndarray
Relevant = Sequence[Collection[int]]


def query_recall_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> np.ndarray:
    """The share of a query's relevant entries that stand among its first k.

    Args:
        ranked: ranked pool indices of each query.
        relevant: relevant pool indices of each query.
        k: list length; beyond the list's end it counts as the list's length.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """
    return per_query(ranked, relevant, lambda ranks, wanted: len(ranks) / wanted, k)


def recall_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> float:
    """Mean `query_recall_at_k`. With more than k relevant entries it cannot reach 1."""
    return mean_of_defined(query_recall_at_k(ranked, relevant, k=k))


def query_accuracy_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> np.ndarray:
    """1 where one relevant entry at least stands among the first k, else 0.

    Args:
        ranked: ranked pool indices of each query (for classification: ranked classes).
        relevant: relevant pool indices of each query (its true classes).
        k: list length.

    Returns:
        (queries,); NaN for a query without relevant entries.
    """
    return per_query(ranked, relevant, lambda ranks, _: float(len(ranks) > 0), k)


def accuracy_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> float:
    """Mean `query_accuracy_at_k`."""
    return mean_of_defined(query_accuracy_at_k(ranked, relevant, k=k))


def query_reciprocal_rank(ranked: Ranked, relevant: Relevant) -> np.ndarray:
    """1 / rank of a query's first relevant entry, 0 if the list has none.

    Args:
        ranked: ranked pool indices of each query; cut at 10 it is the MRR@10.
        relevant: relevant pool indices of each query.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """
    return per_query(
        ranked, relevant, lambda ranks, _: 1 / ranks[0] if len(ranks) else 0.0
    )


def mrr(ranked: Ranked, relevant: Relevant) -> float:
    """Mean `query_reciprocal_rank`."""
    return mean_of_defined(query_reciprocal_rank(ranked, relevant))


def query_average_precision(ranked: Ranked, relevant: Relevant) -> np.ndarray:
    """The mean, over a query's relevant entries, of the precision at their ranks.

    Args:
        ranked: ranked pool indices of each query. The precision at an entry that a cut
            list does not hold is 0, as trec_eval has it.
        relevant: relevant pool indices of each query.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """
    return per_query(
        ranked,
        relevant,
        lambda ranks, wanted: (np.arange(1, len(ranks) + 1) / ranks).sum() / wanted,
    )


def mean_average_precision(ranked: Ranked, relevant: Relevant) -> float:
    """Mean `query_average_precision` (MAP)."""
    return mean_of_defined(query_average_precision(ranked, relevant))


def query_ndcg_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> np.ndarray:
    """Discounted gain of the first k, as a share of the best that is possible.

    A relevant entry at rank r gains 1 / log2(1 + r), any other nothing. The best list
    has relevant entries alone among its first k, or all of them first.

    Args:
        ranked: ranked pool indices of each query.
        relevant: relevant pool indices of each query.
        k: list length.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """

    def gain(ranks: np.ndarray) -> float:
        return (1 / np.log2(1 + ranks)).sum()

    return per_query(
        ranked,
        relevant,
        lambda ranks, wanted: gain(ranks) / gain(np.arange(1, min(wanted, k) + 1)),
        k,
    )


def ndcg_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> float:
    """Mean `query_ndcg_at_k`."""
    return mean_of_defined(query_ndcg_at_k(ranked, relevant, k=k))


def query_r_precision(ranked: Ranked, relevant: Relevant) -> np.ndarray:
    """Recall among as many first entries as a query has relevant ones.

    Args:
        ranked: ranked pool indices of each query.
        relevant: relevant pool indices of each query.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """
    return per_query(
        ranked, relevant, lambda ranks, wanted: (ranks <= wanted).sum() / wanted
    )


def r_precision(ranked: Ranked, relevant: Relevant) -> float:
    """Mean `query_r_precision`."""
    return mean_of_defined(query_r_precision(ranked, relevant))


def mean_of_defined(values: np.ndarray) -> float:
    """The mean of the values that are no NaN; NaN without one."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def per_query(
    ranked: Ranked,
    relevant: Relevant,
    score: Callable[[np.ndarray, int], float],
    k: int | None = None,
) -> np.ndarray:
    """``score`` of each query's ranks of relevant entries, and how many it has in all.

    The ranks are those of the first k, ascending from 1. Without relevant entries the
    value is NaN.
    """
    if k is not None and k < 1:
        raise InputError(f"expected k of 1 or more, received {k}")
    values = []
    for list_, wanted in zip(ranked, relevant, strict=True):
        wanted = set(wanted)
        once = dict.fromkeys(np.asarray(list_[:k]).tolist())
        ranks = [rank for rank, entry in enumerate(once, 1) if entry in wanted]
        values.append(score(np.array(ranks, int), len(wanted)) if wanted else np.nan)
    return np.array(values, float)
