"""Exact nearest neighbours by cosine, in chunks of queries and of the pool."""

from __future__ import annotations

import numpy as np

QUERY_CHUNK = 1024
POOL_CHUNK = 16_384


def top_k(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The k entries of the pool that are nearest to each query, best first.

    Memory is that of one chunk of scores (64 MB) beside the inputs and the result. Of
    entries with equal scores the one that comes first in the pool is ranked first.

    Args:
        queries: (queries, dim) unit vectors, float32.
        pool: (pool, dim) unit vectors, float32.
        k: how many; all of the pool if that is fewer.

    Returns:
        (queries, min(k, pool)) pool indices.
    """
    k = min(k, len(pool))
    result = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), QUERY_CHUNK):
        chunk = queries[start : start + QUERY_CHUNK]
        best_scores = np.empty((len(chunk), 0), np.float32)
        best = np.empty((len(chunk), 0), np.int64)
        for offset in range(0, len(pool), POOL_CHUNK):
            scores = chunk @ pool[offset : offset + POOL_CHUNK].T
            places = _best_places(scores, k)
            found = np.take_along_axis(scores, places, axis=1)
            # Earlier entries stand to the left, so that a stable sort keeps the tie
            # rule.
            best_scores = np.concatenate([best_scores, found], axis=1)
            best = np.concatenate([best, places + offset], axis=1)
            order = np.argsort(-best_scores, axis=1, kind="stable")[:, :k]
            best_scores = np.take_along_axis(best_scores, order, axis=1)
            best = np.take_along_axis(best, order, axis=1)
        result[start : start + QUERY_CHUNK] = best
    return result


def _best_places(scores: np.ndarray, k: int) -> np.ndarray:
    """(queries, min(k, width)) places of the best scores, of equal ones the first."""
    if k >= scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    places = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    threshold = np.take_along_axis(scores, places[:, k - 1 :], axis=1)
    # argpartition picks any of the entries that tie at the threshold.
    for row in np.flatnonzero((scores >= threshold).sum(axis=1) > k):
        places[row] = np.argsort(-scores[row], kind="stable")[:k]
    places.sort(axis=1)
    order = np.argsort(
        -np.take_along_axis(scores, places, axis=1), axis=1, kind="stable"
    )
    return np.take_along_axis(places, order, axis=1)
