"""Recall@K, as the paper's tables use it.

    recall@K = 100 · (queries with at least one right answer among their first K) / queries

in percent (Ghodrati et al. 2015, section 4.1.2: the percentage of queries for which a correct face is among
the top K).  In information retrieval the same number is called success@K or hit rate; it is not the share
of all right answers that was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faces.errors import DataError
from faces.types import Ints

KS = (1, 5, 20)


def right_answers(rankings: Ints, query_key: Ints, gallery_key: Ints) -> NDArray[np.bool_]:
    """Which answers are right: (Q, K) bool.

    ``rankings`` (Q, K) int64 holds gallery indices, best first, -1 for no answer, which is never right.  An
    answer is right where its ``gallery_key`` (N,) equals the ``query_key`` (Q,) of its query; keys number
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
    """(Q,) int64 ranks of the first right answer, from 1; 0 where none of the K is right.

    ``right`` is (Q, K) bool, best answer first.
    """
    if right.shape[1] == 0:
        return np.zeros(len(right), np.int64)
    return np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0).astype(np.int64)


def recall_at(first: Ints, ks: Sequence[int] = KS) -> dict[int, float]:
    """Recall@K in percent for each K from the (Q,) ranks of ``first_right``; NaN where there are no
    queries."""
    return {k: float(100 * np.mean((first > 0) & (first <= k))) if len(first) else float("nan") for k in ks}
