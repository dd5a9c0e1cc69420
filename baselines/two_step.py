"""Two-step retrieval: keep the faces that have the wished value, then search them with the picture as it is.

The rival of the paper's tables (Ghodrati et al. 2015, 4.1.2).  The first step keeps exactly the gallery
faces that a labeller says have the target value; the second ranks them by the Euclidean distance of
L2-normalised features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from baselines.features import Features
from baselines.searcher import QueryBatch
from facedata.labelled import Attribute, FaceSet, Words
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Ints
from index.search import Vectors, nearest

Label = Callable[[FaceSet], Words]
"""What the first step believes the value of each gallery face to be: (N,) words."""


class TwoStep:
    """Filter by ``label``, then rank by ``features``; ``name`` is the row in the tables.

    Learned by ``fit``: ``features_`` (N, D) and ``labels_`` (N,) of the gallery.
    """

    def __init__(
        self, *, name: str, label: Label, features: Features, progress: Progress | None = None
    ) -> None:
        self.name = name
        self.label = label
        self.features = features
        self.progress = progress

    def fit(self, gallery: FaceSet) -> Self:
        self.labels_ = self.label(gallery)
        self.features_ = self.features(gallery.pictures, self.progress)
        if self.labels_.shape != (len(gallery),):
            raise DataError(f"the first step labelled {self.labels_.shape} of {len(gallery)} faces.")
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, best first, -1 if fewer than k faces passed the filter."""
        wanted = self.features(queries.pictures, self.progress)
        return nearest_within(self.features_, self.labels_, wanted, queries.targets, k)


def nearest_within(gallery: Vectors, labels: Words, wanted: Vectors, targets: Words, k: int) -> Ints:
    """Find the gallery faces (Q, k) int64 nearest to each query among those labelled with its target.

    ``gallery`` (N, D) has ``labels`` (N,), ``wanted`` (Q, D) has ``targets`` (Q,); -1 if no face is left.
    """
    return rank_within(labels, targets, k, lambda kept, asked: nearest(gallery[kept], wanted[asked], k))


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


def true_label(attribute: Attribute) -> Label:
    """Make a first step that is never wrong: it reads the labels, and shows the ceiling of the method."""

    def label(gallery: FaceSet) -> Words:
        return gallery.attribute(attribute)

    return label
