"""Retrieval, classification and language-bias metrics: pure NumPy on ranked lists.

Every function takes ``ranked``, for each query the pool's entries from best to worst,
as indices, and ``relevant``, for each query the indices of the entries that it should
find. Ranked lists may be cut, and may differ in length. A ``query_...`` function gives
one value a query, NaN where it is not defined; the plain one is their mean over the
queries where it is. Ties are the ranking's business: a list is taken in the order that
it has.

Definitions of LBKL: ours, see `lbkl`. The paper (arXiv 2502.03220) reports the measure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

NOT_COUNTED = ("mixed", "und")

Ranked = Sequence[Sequence[int]] | np.ndarray
Relevant = Sequence[Collection[int]]
Direction = Literal["P||Q", "Q||P"]


def query_recall_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> np.ndarray:
    """The share of a query's relevant entries that stand among its first k.

    Args:
        ranked: ranked pool indices of each query.
        relevant: relevant pool indices of each query.
        k: list length; beyond the list's end it counts as the list's length.

    Returns:
        (queries,) in 0 .. 1; NaN for a query without relevant entries.
    """
    return np.array(
        [
            len(set(_top(list_, k)) & set(wanted)) / len(set(wanted))
            if len(wanted)
            else np.nan
            for list_, wanted in zip(ranked, relevant, strict=True)
        ],
        float,
    )


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
    return np.array(
        [
            float(bool(set(_top(list_, k)) & set(wanted))) if len(wanted) else np.nan
            for list_, wanted in zip(ranked, relevant, strict=True)
        ],
        float,
    )


def accuracy_at_k(ranked: Ranked, relevant: Relevant, *, k: int) -> float:
    """Mean `query_accuracy_at_k`."""
    return mean_of_defined(query_accuracy_at_k(ranked, relevant, k=k))


def language_shares(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    *,
    own: Sequence[int] | None = None,
    k: int = 10,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """What share of each language a query should see, and what share it sees.

    Args:
        ranked: ranked pool indices of each query, more than k of them where ``own`` or
            entries of no counted language may be among the first.
        relevant: relevant pool indices of each query.
        languages: (pool,) language of each entry; ``mixed`` and ``und`` are passed
            over.
        own: (queries,) the query's own entry of the pool, -1 if it is none. It counts
            as relevant and is no result.
        k: results that count; a shorter list counts as long as it is.

    Returns:
        (queries, languages) shares P among the relevant, the same Q among the first k,
        and the languages' names. Rows of NaN: a query of a language that is not
        counted, without relevant entries, or without results.
    """
    names = sorted(set(languages) - set(NOT_COUNTED))
    column = {name: number for number, name in enumerate(names)}
    code = np.array([column.get(language, -1) for language in languages], int)
    own = [-1] * len(ranked) if own is None else own
    wanted_shares, found_shares = [], []
    for list_, wanted, entry in zip(ranked, relevant, own, strict=True):
        without_truth = not len(wanted)
        wanted = set(wanted) | ({entry} if entry >= 0 else set())
        found = np.asarray(list_, int)
        found = found[(found != entry) & (code[found] >= 0)][:k]
        p = _shares(code[sorted(wanted)], len(names))
        q = _shares(code[found], len(names))
        if without_truth or (entry >= 0 and code[entry] < 0):
            p = np.full_like(p, np.nan)
        wanted_shares.append(p)
        found_shares.append(q)
    shape = (len(wanted_shares), len(names))
    p = np.reshape(wanted_shares, shape)
    q = np.reshape(found_shares, shape)
    undefined = np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1) | (not names)
    p[undefined] = np.nan
    q[undefined] = np.nan
    return p, q, names


def query_lbkl(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    *,
    own: Sequence[int] | None = None,
    k: int = 10,
    epsilon: float = 0.01,
    direction: Direction = "P||Q",
) -> np.ndarray:
    """`lbkl` of each query, (queries,), NaN where the shares are not defined."""
    p, q, _ = language_shares(ranked, relevant, languages, own=own, k=k)
    return _divergence(p, q, epsilon, direction)


def lbkl(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    *,
    own: Sequence[int] | None = None,
    k: int = 10,
    epsilon: float = 0.01,
    direction: Direction = "P||Q",
    aggregate: Literal["query", "pooled"] = "query",
) -> float:
    """Language bias: how far the languages of the results are from those of the truth.

    For each query, P is the share of each language among its relevant entries, the
    query itself counted where it is an entry, and Q the share among its first k
    results, the query itself left out. Q is smoothed by ``epsilon`` a language. LBKL is
    the mean of ``KL(P || Q)`` in nats. 0 is no bias. Beside it belong the value of a
    ranking that knows nothing (`blind_lbkl`) and of one that lists one language first
    (`one_language_lbkl`).

    Args:
        ranked: as in `language_shares`.
        relevant: as in `language_shares`.
        languages: as in `language_shares`.
        own: as in `language_shares`.
        k: results that count.
        epsilon: added to each language's share before it is normalised again.
        direction: ``P||Q`` or ``Q||P``. Against an even P the latter cannot pass ln 2.
        aggregate: ``query``, the mean of the queries' values; ``pooled``, the value of
            the mean shares of the queries of one language (by their largest P where
            they have no entry of their own), averaged over those languages by their
            queries.

    Returns:
        The value in nats, NaN if it is defined for no query.
    """
    p, q, names = language_shares(ranked, relevant, languages, own=own, k=k)
    if aggregate == "query":
        return mean_of_defined(_divergence(p, q, epsilon, direction))
    defined = ~np.isnan(p).any(axis=1)
    entries = np.full(len(p), -1) if own is None else np.asarray(own)
    asked = np.array(
        [
            names.index(languages[entry]) if entry >= 0 else int(np.argmax(row))
            for entry, row in zip(entries[defined], p[defined], strict=True)
        ],
        int,
    )
    values, counts = [], []
    for language in np.unique(asked):
        rows = np.flatnonzero(defined)[asked == language]
        mean_p = p[rows].mean(axis=0, keepdims=True)
        mean_q = q[rows].mean(axis=0, keepdims=True)
        values.append(_divergence(mean_p, mean_q, epsilon, direction)[0])
        counts.append(len(rows))
    return float(np.average(values, weights=counts)) if values else float("nan")


def blind_lbkl(
    relevant: Relevant,
    languages: Sequence[str],
    *,
    own: Sequence[int] | None = None,
    k: int = 10,
    epsilon: float = 0.01,
    direction: Direction = "P||Q",
    repeats: int = 20,
    seed: int = 0,
) -> float:
    """LBKL of rankings that know neither language nor meaning: counting noise alone.

    Args:
        relevant: as in `lbkl`.
        languages: as in `lbkl`.
        own: as in `lbkl`.
        k: as in `lbkl`.
        epsilon: as in `lbkl`.
        direction: as in `lbkl`.
        repeats: random rankings of the pool for each query.
        seed: of the rankings.

    Returns:
        The mean over the repeats.
    """
    rng = np.random.default_rng(seed)
    counted = np.flatnonzero(~np.isin(languages, NOT_COUNTED))
    depth = min(k + 1, len(counted))  # one more: the query itself may be among them
    values = []
    for _ in range(repeats):
        ranked = [rng.choice(counted, depth, replace=False) for _ in relevant]
        values.append(
            lbkl(
                ranked,
                relevant,
                languages,
                own=own,
                k=k,
                epsilon=epsilon,
                direction=direction,
            )
        )
    return float(np.mean(values))


def one_language_lbkl(
    relevant: Relevant,
    languages: Sequence[str],
    query_languages: Sequence[str],
    *,
    own: Sequence[int] | None = None,
    k: int = 10,
    epsilon: float = 0.01,
    direction: Direction = "P||Q",
) -> float:
    """LBKL of a ranking that lists the query's own language first: the ceiling.

    Args:
        relevant: as in `lbkl`.
        languages: as in `lbkl`.
        query_languages: (queries,) language of each query.
        own: as in `lbkl`.
        k: as in `lbkl`.
        epsilon: as in `lbkl`.
        direction: as in `lbkl`.

    Returns:
        The value in nats.
    """
    languages = np.asarray(languages)
    counted = np.flatnonzero(~np.isin(languages, NOT_COUNTED))
    first = {
        name: counted[np.argsort(languages[counted] != name, kind="stable")][: k + 1]
        for name in set(query_languages)
    }
    return lbkl(
        [first[name] for name in query_languages],
        relevant,
        languages,
        own=own,
        k=k,
        epsilon=epsilon,
        direction=direction,
    )


def language_histogram(
    ranked: Ranked,
    relevant: Relevant,
    languages: Sequence[str],
    *,
    language: str = "th",
    own: Sequence[int] | None = None,
    k: int = 10,
) -> tuple[np.ndarray, np.ndarray]:
    """How many queries see which share of a language (the paper's histograms).

    Args:
        ranked: as in `language_shares`.
        relevant: as in `language_shares`.
        languages: as in `language_shares`.
        language: the one whose share is counted.
        own: as in `language_shares`.
        k: as in `language_shares`.

    Returns:
        (k + 1,) queries, and (k + 1,) the shares 0, 1 / k ... 1 that they see; where
        fewer than k results count, the nearest of these.
    """
    _, found, names = language_shares(ranked, relevant, languages, own=own, k=k)
    if language not in names:
        raise ValueError(
            f"expected a language of the pool ({', '.join(names)}), received {language}"
        )
    share = found[:, names.index(language)]
    nearest = np.rint(share[~np.isnan(share)] * k).astype(int)
    return np.bincount(nearest, minlength=k + 1), np.arange(k + 1) / k


def _top(list_: Sequence[int], k: int) -> list[int]:
    if k < 1:
        raise ValueError(f"expected k of 1 or more, received {k}")
    return [int(entry) for entry in list_[:k]]


def mean_of_defined(values: np.ndarray) -> float:
    """The mean of the values that are no NaN; NaN without one."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _shares(codes: np.ndarray, languages: int) -> np.ndarray:
    counts = np.bincount(codes[codes >= 0], minlength=languages)
    total = counts.sum()
    return counts / total if total else np.full(languages, np.nan)


def _divergence(
    p: np.ndarray, q: np.ndarray, epsilon: float, direction: Direction
) -> np.ndarray:
    """KL in nats, row by row; the second distribution is smoothed."""
    if direction not in ("P||Q", "Q||P"):
        raise ValueError(f"expected direction P||Q or Q||P, received {direction}")
    first, second = (p, q) if direction == "P||Q" else (q, p)
    second = (second + epsilon) / (1 + epsilon * second.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(first > 0, first * np.log(first / second), 0.0)
    undefined = np.isnan(first).any(axis=1) | (first.shape[1] == 0)
    return np.where(undefined, np.nan, terms.sum(axis=1))
