"""Language bias: the languages that a query sees against those that it should see.

Definitions of LBKL: ours, see `lbkl`. The paper (arXiv 2502.03220) reports the measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from muse_jobs.errors import InputError
from muse_jobs.metrics.crossing import NOT_COUNTED
from muse_jobs.metrics.ranking import Ranked, Relevant, mean_of_defined

Direction = Literal["P||Q", "Q||P"]


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
    code, names = _codes(languages)
    places = _own(own, len(ranked))
    p = _truth(relevant, code, places, len(names))
    q = np.full((len(ranked), len(names)), np.nan)
    for row, list_, entry in zip(q, ranked, places, strict=True):
        found = np.asarray(list_, int)
        row[:] = _shares(
            code[found[(found != entry) & (code[found] >= 0)][:k]], len(names)
        )
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
    defined = ~np.isnan(p).any(axis=1) & bool(names)
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
        The mean over the repeats, the same for every order of the pool.
    """
    code, names = _codes(languages)
    if not names:
        return float("nan")
    rng = np.random.default_rng(seed)
    places = _own(own, len(relevant))
    p = _truth(relevant, code, places, len(names))
    q = np.full((repeats, *p.shape), np.nan)
    left_out = np.where(places >= 0, code[places], -1)
    # Of a random ranking only the languages count, and those of its first k are a draw
    # without replacement from the pool's: no ranking has to be made.
    for language in np.unique(left_out):
        others = np.bincount(code[code >= 0], minlength=len(names))
        if language >= 0:
            others[language] -= 1
        results = min(k, others.sum())
        rows = np.flatnonzero(left_out == language)
        if results:
            shape = (repeats, len(rows))
            seen = rng.multivariate_hypergeometric(others, results, shape)
            q[:, rows] = seen / results
    p = np.tile(p, (repeats, 1))
    q = q.reshape(p.shape)
    return mean_of_defined(_divergence(p, q, epsilon, direction))


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
    of_entries = np.asarray(languages)
    counted = np.flatnonzero(~np.isin(of_entries, NOT_COUNTED))
    first = {
        name: counted[np.argsort(of_entries[counted] != name, kind="stable")][: k + 1]
        for name in set(query_languages)
    }
    return lbkl(
        [first[name].tolist() for name in query_languages],
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
        raise InputError(
            f"expected a language of the pool ({', '.join(names)}), received {language}"
        )
    share = found[:, names.index(language)]
    nearest = np.rint(share[~np.isnan(share)] * k).astype(int)
    return np.bincount(nearest, minlength=k + 1), np.arange(k + 1) / k


def _codes(languages: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(pool,) place of each entry's language among the names, -1 if not counted."""
    names = sorted(set(languages) - set(NOT_COUNTED))
    column = {name: number for number, name in enumerate(names)}
    return np.array([column.get(name, -1) for name in languages], int), names


def _own(own: Sequence[int] | None, queries: int) -> np.ndarray:
    return np.full(queries, -1) if own is None else np.asarray(own, int)


def _truth(
    relevant: Relevant, code: np.ndarray, own: np.ndarray, languages: int
) -> np.ndarray:
    """(queries, languages) share of each among the relevant and the query's own."""
    shares = np.full((len(relevant), languages), np.nan)
    for row, wanted, entry in zip(shares, relevant, own, strict=True):
        if len(wanted) and (entry < 0 or code[entry] >= 0):
            group = set(wanted) | ({entry} if entry >= 0 else set())
            row[:] = _shares(code[sorted(group)], languages)
    return shares


def _shares(codes: np.ndarray, languages: int) -> np.ndarray:
    counts = np.bincount(codes[codes >= 0], minlength=languages)
    total = counts.sum()
    return counts / total if total else np.full(languages, np.nan)


def _divergence(
    p: np.ndarray, q: np.ndarray, epsilon: float, direction: Direction
) -> np.ndarray:
    """KL in nats, row by row; the second distribution is smoothed."""
    if direction not in ("P||Q", "Q||P"):
        raise InputError(f"expected direction P||Q or Q||P, received {direction}")
    first, second = (p, q) if direction == "P||Q" else (q, p)
    second = (second + epsilon) / (1 + epsilon * second.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(first > 0, first * np.log(first / second), 0.0)
    undefined = np.isnan(first).any(axis=1) | (first.shape[1] == 0)
    return np.where(undefined, np.nan, terms.sum(axis=1))
