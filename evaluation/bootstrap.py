"""95 % intervals by resampling people.

The queries of one person are not independent: whoever is hard to tell apart is hard in every pose.  So
people are drawn, not queries (a cluster bootstrap): from P people P are drawn with replacement, all that was
measured on them goes in as often as they were drawn, and the interval lies between the 2.5 % and the 97.5 %
quantile of the mean over 1,000 draws (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993,
chapter 13; for clusters A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", 1997,
section 3.8).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evaluation.results import Interval
from faces.errors import DataError
from faces.types import Ints

DRAWS = 1000
LEVEL = 95.0  # percent
_SEED = 20150101


def mean_interval(values: NDArray[np.generic], clusters: NDArray[np.generic]) -> Interval | None:
    """The 95 % interval of the mean of ``values`` (M,), where ``clusters`` (M,) names the person of each.

    The same people and the same number of values give the same draws, so that rows asked the same queries can
    be compared.  None for fewer than two people, of whom nothing can be told.  Raises DataError for arrays
    that do not fit.
    """
    if values.ndim != 1 or values.shape != clusters.shape:
        raise DataError(f"{values.shape} values need as many names, not {clusters.shape}.")
    people, person = np.unique(clusters, return_inverse=True)
    if len(people) < 2:
        return None
    sums = np.bincount(person, weights=values.astype(np.float64), minlength=len(people))
    counts = np.bincount(person, minlength=len(people)).astype(np.float64)
    drawn = np.random.default_rng(_SEED).multinomial(
        len(people), np.full(len(people), 1 / len(people)), size=DRAWS
    )
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def recall_intervals(
    first: Ints, clusters: NDArray[np.generic], ks: Iterable[int]
) -> dict[int, Interval | None]:
    """The 95 % interval, in percent, of recall@K for each K.

    ``first`` (Q,) are the ranks of ``evaluation.recall.first_right`` and ``clusters`` (Q,) the query people.
    """
    return {k: mean_interval(100.0 * ((first > 0) & (first <= k)), clusters) for k in ks}
