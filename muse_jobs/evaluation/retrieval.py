"""Exact nearest neighbours by cosine, in chunks of queries and of the pool."""

from __future__ import annotations

import numpy as np

# 32 MB of scores: less slows the matrix product down, more is only memory.
QUERY_CHUNK = 2048
POOL_CHUNK = 4096


def top_k(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The k entries of the pool that are nearest to each query, best first.

    Of entries with equal scores the one that comes first in the pool is ranked first.
    Scores are those of a float32 product: with few queries, copies of one vector can
    differ in the last bit.

    Memory beside the inputs and the result is that of one chunk of scores and what is
    made of it: about 0.2 GB, or 0.8 GB where all entries tie.

    Args:
        queries: (queries, dim) unit vectors, float32.
        pool: (pool, dim) unit vectors, float32.
        k: how many; all of the pool if that is fewer.

    Returns:
        (queries, min(k, pool)) pool indices.
    """
    k = min(k, len(pool))
    result = np.empty((len(queries), k), np.int64)
    if k == 0:
        return result
    for start in range(0, len(queries), QUERY_CHUNK):
        end = start + QUERY_CHUNK
        result[start:end] = _nearest(queries[start:end], pool, k)
    return result


def _nearest(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """`top_k` for one chunk of queries.

    A chunk of the pool is held against the k-th best score that each query has so far:
    after the first chunk few entries pass, and only those are sorted.
    """
    width = max(POOL_CHUNK, k)  # the first chunk fills every query's list
    rows = entries = np.empty(0, np.int64)
    scores = np.empty(0, np.float32)
    for offset in range(0, len(pool), width):
        chunk = queries @ pool[offset : offset + width].T
        if offset == 0:
            kth = -np.partition(-chunk, k - 1, axis=1)[:, [k - 1]]
            # All that tie with the k-th pass, and NaN, so that no list stays short.
            passed = ~(chunk < kth)
        else:
            # What ties with the k-th comes later in the pool than it, and loses.
            passed = chunk > scores.reshape(-1, k)[:, [k - 1]]
        places = np.flatnonzero(passed)
        found, columns = np.divmod(places, chunk.shape[1])
        rows = np.concatenate([rows, found])
        entries = np.concatenate([entries, columns + offset])
        scores = np.concatenate([scores, chunk.ravel()[places]])
        # By query, then best first. The sort is stable: of equal scores the entry that
        # comes first in the pool stays first.
        order = np.lexsort((-scores, rows))
        rank = np.arange(len(rows)) - np.searchsorted(rows[order], rows[order])
        order = order[rank < k]
        rows, entries, scores = rows[order], entries[order], scores[order]
    return entries.reshape(-1, k)
