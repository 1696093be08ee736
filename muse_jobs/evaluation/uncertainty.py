"""How sure a mean over queries is: bootstrap and permutation test over clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
PERMUTATIONS = 5000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def clear_of_zero(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def bootstrap(
    values: np.ndarray,
    clusters: Sequence[Hashable],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """The mean of per-query values with a percentile interval.

    Clusters (roles, ISCO units) are drawn with replacement, and each brings all of its
    queries: queries of one job are no independent evidence. Where a system was trained
    with several seeds, these are drawn too.

    Args:
        values: (queries,) or (seeds, queries); NaN is left out, and is at the same
            queries for all seeds. For two systems on the same queries: the
            differences, which makes it the paired bootstrap.
        clusters: (queries,) the cluster of each query.
        resamples: bootstrap draws.
        seed: of the draws.

    Returns:
        The estimate; NaN without a value.
    """
    if np.isnan(values).all():
        return Estimate(float("nan"), float("nan"), float("nan"))
    by_seed = [_by_cluster(row, clusters) for row in np.atleast_2d(values)]
    sums = np.array([sums for sums, _ in by_seed])
    counts = by_seed[0][1]
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for resample in range(resamples):
        drawn = rng.integers(len(counts), size=len(counts))
        of_seeds = sums[:, drawn].sum(axis=1)
        if len(sums) > 1:
            of_seeds = of_seeds[rng.integers(len(sums), size=len(sums))]
        means[resample] = of_seeds.mean() / counts[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(np.nanmean(values)), float(low), float(high))


def permutation_p_value(
    differences: np.ndarray,
    clusters: Sequence[Hashable],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> float:
    """How often chance alone makes two systems differ as much: a paired test.

    If the systems were equal, the sign of a cluster's differences would be a coin's
    (Fisher's randomisation test). Two-sided; the observed signs count as one draw.

    Args:
        differences: (queries,) one system minus the other; NaN is left out.
        clusters: (queries,) the cluster of each query; its signs change together.
        permutations: draws.
        seed: of the draws.

    Returns:
        p in 0 .. 1; NaN without a value.
    """
    if np.isnan(differences).all():
        return float("nan")
    sums, _ = _by_cluster(differences, clusters)
    rng = np.random.default_rng(seed)
    observed = abs(sums.sum())
    signs = rng.integers(2, size=(permutations, len(sums)), dtype=np.int8)
    drawn = np.abs(2 * (signs @ sums) - sums.sum())
    # Rounding must not tell equal sums apart.
    as_large = (drawn >= observed - 1e-9 * max(1.0, observed)).sum()
    return float((1 + as_large) / (1 + permutations))


def _by_cluster(
    values: np.ndarray, clusters: Sequence[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the defined values of each cluster."""
    defined = ~np.isnan(values)
    names = np.asarray(clusters, object)[defined].astype(str)
    _, number = np.unique(names, return_inverse=True)
    return np.bincount(number, weights=values[defined]), np.bincount(number)
