"""Two-step retrieval: keep the faces that have the wished values, then search them with the picture as it is.

The rival of the paper's tables (Ghodrati et al. 2015, 4.1.2).  Beside it, or with it, feature arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from baselines.rivals import ValueMeans
from baselines.searcher import Features, QueryBatch
from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Ints
from index.search import Vectors, nearest

Tell = Callable[[Pictures], Words]  # what each of N faces is believed to show: (N,) words
# What the first step believes that each gallery face shows of some attributes, (N,) words as ``joined``.
Label = Callable[[FaceSet, Sequence[Attribute]], Words]


@dataclass(kw_only=True, eq=False)
class TwoStep:
    """Filter by ``label``, in the whole gallery if there is none, then rank by ``features``.

    Learned by ``fit``: ``gallery_`` and its ``features_`` (N, D).
    """

    name: str
    label: Label | None
    features: Features
    progress: Progress | None = None

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = gallery
        self.features_ = self.features(gallery.pictures, self.progress)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, best first, -1 if fewer than k faces passed the filter."""
        gallery, wanted = self.features_, self.wanted(queries)
        if self.label is None:
            return nearest(gallery, wanted, k, progress=self.progress)
        labels = self.label(self.gallery_, tuple(queries.wishes))
        if labels.shape != (len(self.gallery_),):
            raise DataError(f"the first step labelled {labels.shape} of {len(self.gallery_)} faces.")
        return rank_within(
            labels, queries.joined, k, lambda kept, asked: nearest(gallery[kept], wanted[asked], k)
        )

    def wanted(self, queries: QueryBatch) -> Vectors:
        """Return what to look for, (Q, D): the features of the queries as they are."""
        return self.features(queries.pictures, self.progress)


@dataclass(kw_only=True, eq=False)
class Arithmetic(TwoStep):
    """Rows ``arithmetic-…``: the query minus the mean of its value, plus the mean of the wished one.

    What is known of words ("king − man + woman", Mikolov, Yih and Zweig 2013, *Linguistic regularities in
    continuous space word representations*).  Nobody but ``tell`` says what value a query shows.
    """

    means: ValueMeans
    tell: Tell
    label: Label | None = None

    def wanted(self, queries: QueryBatch) -> Vectors:
        """Return the features of the queries, moved to the wished values, (Q, D)."""
        return self.means.moved(super().wanted(queries), self.tell(queries.pictures), queries.targets)


def rank_within(
    labels: Words | Ints, targets: Words | Ints, k: int, search: Callable[[Ints, Ints], Ints]
) -> Ints:
    """Find the gallery faces (Q, k) int64 that ``search`` ranks among those labelled with a query's target.

    ``labels`` (N,) and ``targets`` (Q,) are words or codes.  ``search`` gets the indices of the n > 0 faces
    and of the q queries of one value, and returns their ranking (q, k) by places 0 .. n - 1, -1 if none
    is left.
    """
    ranking = np.full((len(targets), k), -1, np.int64)
    for value in np.unique(targets):
        asked, kept = np.flatnonzero(targets == value), np.flatnonzero(labels == value)
        if len(kept):
            found = search(kept, asked)
            ranking[asked] = np.where(found >= 0, kept[found], -1)
    return ranking
