"""Retrieval sets: queries, a pool in two languages and the truth; and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from muse_jobs.metrics import (
    NOT_COUNTED,
    blind_lbkl,
    mean_of_defined,
    one_language_lbkl,
    query_average_precision,
    query_lbkl,
    query_max_at_r,
    query_ndcg_at_k,
    query_r_precision,
    query_rank_correlation,
    query_recall_at_k,
    query_reciprocal_rank,
    query_tlr_at_k,
)

Encode = Callable[[Sequence[str]], np.ndarray]
K = 10
DEPTH = 50  # results a query that are kept for pictures
LANGUAGES = ("th", "en")
# What every LBKL here is computed with; reports print it.
LBKL_SETTINGS = {"k": K, "epsilon": 0.01, "direction": "P||Q"}
SCORES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures, and the per-query values behind those that have an interval.

    Attributes:
        figures: name to value.
        per_query: name to (queries,) values, NaN where not defined.
        clusters: (queries,) the job of each query, for the bootstrap.
        top: (queries, depth) the best entries of the combined pool, the query's own
            among them; None where nothing is retrieved.
    """

    figures: dict[str, float]
    per_query: dict[str, np.ndarray] = field(default_factory=dict)
    clusters: Sequence[str] = ()
    top: Any = None


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Queries in two languages, a combined pool, and what each query should find.

    Attributes:
        queries: the texts.
        query_languages: of each query: th, en, mixed or und.
        entries: the pool.
        entry_languages: of each entry.
        relevant: for each query the entries that it should find, without its own.
        own: for each query its own entry of the pool, -1 if it is none.
        clusters: for each query what the bootstrap draws: a job, a paragraph.
        translations: pairs of queries that say the same in both languages.
    """

    queries: tuple[str, ...]
    query_languages: tuple[str, ...]
    entries: tuple[str, ...]
    entry_languages: tuple[str, ...]
    relevant: tuple[tuple[int, ...], ...]
    own: tuple[int, ...]
    clusters: tuple[str, ...]
    translations: tuple[tuple[int, int], ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that are encoded, each once."""
        return tuple(dict.fromkeys((*self.queries, *self.entries)))


def evaluate_retrieval(
    encode: Encode, data: RetrievalSet, *, own_language: float = 0.0
) -> Evaluation:
    """Retrieval in separate pools and in the combined one, with its language bias.

    Args:
        encode: texts to unit vectors.
        data: the set.
        own_language: added to the score of the combined pool's entries in the query's
            own language: where that language is asked for; below 0 it works against it.

    Returns:
        ``recall_at_10_th_en`` (Thai queries, English entries), ``.._en_th``,
        ``.._th_th``, ``.._en_en``; in the combined pool ``recall_at_10_combined``,
        ``mrr``, ``map``, ``ndcg_at_10``, ``r_precision``, ``tlr_at_10``, ``max_at_r``
        and, where queries have translations, ``mrc``; ``lbkl``, ``lbkl_blind``,
        ``lbkl_ceiling`` and ``lbkl_excess`` (LBKL - blind). All but the references per
        query too. A figure that is defined for no query is NaN.
    """
    place = {text: number for number, text in enumerate(data.texts)}
    vectors = np.asarray(encode(data.texts), np.float32)
    queries = vectors[[place[text] for text in data.queries]]
    entries = vectors[[place[text] for text in data.entries]]
    per_query = _separate_pools(queries, entries, data)
    ours, theirs = (
        np.array(languages)[:, np.newaxis] == LANGUAGES
        for languages in (data.query_languages, data.entry_languages)
    )
    combined, top = _combined_pool(
        np.hstack([queries, own_language * ours.astype(np.float32)]),
        np.hstack([entries, theirs.astype(np.float32)]),
        data,
    )
    per_query |= combined
    if data.translations:
        per_query["mrc"] = _translated_queries(queries, entries, data)
    figures = {name: mean_of_defined(values) for name, values in per_query.items()}
    figures["lbkl_blind"], figures["lbkl_ceiling"] = lbkl_references(data)
    figures["lbkl_excess"] = figures["lbkl"] - figures["lbkl_blind"]
    return Evaluation(figures, per_query, data.clusters, top)


def _separate_pools(
    queries: np.ndarray, entries: np.ndarray, data: RetrievalSet
) -> dict[str, np.ndarray]:
    """Recall@10 of queries of one language in the entries of one language."""
    query_languages = np.array(data.query_languages)
    entry_languages = np.array(data.entry_languages)
    found = {}
    for asked, given in (("th", "en"), ("en", "th"), ("th", "th"), ("en", "en")):
        rows = np.flatnonzero(query_languages == asked)
        columns = np.flatnonzero(entry_languages == given)
        column_of = {entry: column for column, entry in enumerate(columns)}
        values = np.full(len(queries), np.nan)
        for part, ranked in _rankings(queries, entries[columns], rows):
            relevant = [
                [column_of[e] for e in data.relevant[row] if e in column_of]
                for row in part
            ]
            own = [column_of.get(data.own[row], -1) for row in part]
            results = _without(ranked, own)
            values[part] = query_recall_at_k(results, relevant, k=K)
        found[f"recall_at_{K}_{asked}_{given}"] = values
    return found


def _combined_pool(
    queries: np.ndarray, entries: np.ndarray, data: RetrievalSet
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Figures of the combined pool per query, and the best entries of each query."""
    languages = list(data.entry_languages)
    passed_over = int(np.isin(languages, NOT_COUNTED).sum())
    depth = min(len(entries), DEPTH + 1 + passed_over)
    top = np.empty((len(queries), depth), np.int64)
    names = (
        f"recall_at_{K}_combined",
        "mrr",
        "map",
        f"ndcg_at_{K}",
        "r_precision",
        f"tlr_at_{K}",
        "max_at_r",
        "lbkl",
    )
    found = {name: np.full(len(queries), np.nan) for name in names}
    for part, ranked in _rankings(queries, entries, np.arange(len(queries))):
        relevant = [data.relevant[row] for row in part]
        own = [data.own[row] for row in part]
        asked = [data.query_languages[row] for row in part]
        top[part] = ranked[:, :depth]
        results = _without(ranked, own)
        values = (
            query_recall_at_k(results, relevant, k=K),
            query_reciprocal_rank(results, relevant),
            query_average_precision(results, relevant),
            query_ndcg_at_k(results, relevant, k=K),
            query_r_precision(results, relevant),
            query_tlr_at_k(results, relevant, languages, asked, k=K),
            query_max_at_r(results, relevant),
            query_lbkl(top[part], relevant, languages, own=own, **LBKL_SETTINGS),
        )
        for name, own_values in zip(names, values, strict=True):
            found[name][part] = own_values
    return found, top


def _translated_queries(
    queries: np.ndarray, entries: np.ndarray, data: RetrievalSet
) -> np.ndarray:
    """Rank correlation of a query and its translation, at both of them."""
    values = np.full(len(queries), np.nan)
    pairs = np.array(data.translations)
    step = max(1, SCORES_AT_ONCE // len(entries))
    for start in range(0, len(pairs), step):
        one, other = pairs[start : start + step].T
        correlation = query_rank_correlation(
            queries[one] @ entries.T, queries[other] @ entries.T
        )
        values[one] = values[other] = correlation
    return values


def _rankings(
    queries: np.ndarray, entries: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, ranked entries) in chunks; of equal scores the first entry is first."""
    if not len(entries):
        return
    step = max(1, SCORES_AT_ONCE // len(entries))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield part, np.argsort(-(queries[part] @ entries.T), axis=1, kind="stable")


def _without(ranked: np.ndarray, own: Sequence[int]) -> list[np.ndarray]:
    """Each ranking without the query's own entry."""
    return [row[row != entry] for row, entry in zip(ranked, own, strict=True)]


@cache
def lbkl_references(data: RetrievalSet, *, k: int = K) -> tuple[float, float]:
    """LBKL of blind rankings and of one language first: constants of a set."""
    truth = {
        "relevant": data.relevant,
        "languages": np.array(data.entry_languages),
        "own": data.own,
        **LBKL_SETTINGS,
        "k": k,
    }
    asked = [
        language if language in data.entry_languages else NOT_COUNTED[-1]
        for language in data.query_languages
    ]
    return blind_lbkl(**truth), one_language_lbkl(**truth, query_languages=asked)
