"""How sure a mean over queries is: the bootstrap over clusters of queries."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


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
    queries: queries of one job are no independent evidence.

    Args:
        values: (queries,); NaN is left out. For two systems on the same queries: the
            differences, which makes it the paired bootstrap.
        clusters: (queries,) the cluster of each query.
        resamples: bootstrap draws.
        seed: of the draws.

    Returns:
        The estimate; NaN without a value.
    """
    defined = ~np.isnan(values)
    if not defined.any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    _, number = np.unique(
        np.asarray(clusters, object)[defined].astype(str), return_inverse=True
    )
    sums = np.bincount(number, weights=values[defined])
    counts = np.bincount(number)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for resample in range(resamples):
        drawn = rng.integers(len(sums), size=len(sums))
        means[resample] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(values[defined].mean()), float(low), float(high))
