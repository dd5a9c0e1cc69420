"""Recall@K as the paper's tables use it, and 95 % intervals.

    recall@K = 100 · (queries with at least one right answer among their first K) / queries

in percent (Ghodrati et al. 2015, section 4.1.2); elsewhere it is called success@K or hit rate, and is not the
share of all right answers that was found.

Intervals come from resampling people: the queries of one person are not independent, as whoever is hard to
tell apart is hard in every pose.  So people are drawn, not queries (a cluster bootstrap): from P people P
are drawn with replacement, all that was measured on them goes in as often as they were drawn, and the
interval lies between the 2.5 % and the 97.5 % quantile of the mean over 1,000 draws (B. Efron, R.
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; for clusters A. C. Davison, D. V. Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.results import Interval
from faces.errors import DataError
from faces.types import Ints

KS = (1, 5, 20)
DRAWS = 1000
_SEED = 20150101


def right_answers(rankings: Ints, query_key: Ints, gallery_key: Ints) -> NDArray[np.bool_]:
    """Tell which answers are right: (Q, K) bool.

    ``rankings`` (Q, K) int64 holds gallery indices, best first, -1 for no answer, which is never right.  An
    answer is right if its ``gallery_key`` (N,) equals the ``query_key`` (Q,) of its query; keys number
    whatever a criterion asks to agree (see ``evaluation.protocol``), and a negative query key matches
    nothing. Raises DataError for arrays that do not fit and for one gallery face twice in a ranking.
    """
    if rankings.ndim != 2 or rankings.shape[0] != len(query_key) or rankings.dtype != np.int64:
        raise DataError(
            f"{len(query_key)} queries need (Q, K) int64 rankings, not {rankings.shape} {rankings.dtype}."
        )
    if rankings.size and (rankings.min() < -1 or rankings.max() >= len(gallery_key)):
        raise DataError(f"rankings name faces outside the gallery of {len(gallery_key)}.")
    ordered = np.sort(rankings, axis=1)
    if np.any((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)):
        raise DataError("a ranking names one gallery face twice.")
    keys = np.append(gallery_key, -1)[rankings]  # index -1 is the appended one
    return np.asarray((rankings >= 0) & (query_key[:, None] >= 0) & (keys == query_key[:, None]))


def first_right(right: NDArray[np.bool_]) -> Ints:
    """Return (Q,) int64 ranks of the first right answer of (Q, K) bool, from 1; 0 if none is right."""
    if right.shape[1] == 0:
        return np.zeros(len(right), np.int64)
    return np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0).astype(np.int64)


def recall_at(first: Ints, ks: Sequence[int] = KS) -> dict[int, float]:
    """Compute recall@K in percent for each K from the (Q,) ranks of ``first_right``; NaN without queries."""
    return {k: float(100 * np.mean((first > 0) & (first <= k))) if len(first) else float("nan") for k in ks}


def mean_interval(values: NDArray[np.generic], clusters: NDArray[np.generic]) -> Interval | None:
    """Compute the 95 % interval of the mean of ``values`` (M,); ``clusters`` (M,) names the person of each.

    The same number of people gives the same draws, so that rows asked the same queries can be compared.  None
    for fewer than two people, of whom nothing can be said.  Raises DataError for arrays that do not fit.
    """
    if values.ndim != 1 or values.shape != clusters.shape:
        raise DataError(f"{values.shape} values need as many names, not {clusters.shape}.")
    people, person = np.unique(clusters, return_inverse=True)
    if len(people) < 2:
        return None
    sums, counts = np.bincount(person, values.astype(np.float64)), np.bincount(person)
    equally = np.full(len(people), 1 / len(people))
    drawn = np.random.default_rng(_SEED).multinomial(len(people), equally, size=DRAWS)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
