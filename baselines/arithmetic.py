"""Feature arithmetic: a vector of a face, minus the mean of its value, plus the mean of the wished one.

What is known of words ("king − man + woman", Mikolov, Yih and Zweig 2013, *Linguistic regularities in
continuous space word representations*) and is a cheap way to edit with any descriptor today.  Nobody tells
the searcher what a query shows: a classifier does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from baselines.features import Features, normalised
from baselines.searcher import QueryBatch
from baselines.two_step import Label, nearest_within
from facedata.labelled import FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Floats, Ints
from index.search import Vectors, nearest

# Vectors moved at a time: 1,024 of 16,384 numbers are 64 MB.
_ROWS = 1024

Tell = Callable[[Pictures], Words]
"""What each of N faces is believed to show: (N,) words."""


class ValueMeans:
    """The mean vector of each value of an attribute.

    Learned by ``fit``: ``values_``, the V words in order of name, and ``means_`` (V, D) float32.
    """

    values_: tuple[str, ...]
    means_: Floats

    @classmethod
    def learned(cls, values: tuple[str, ...], means: Floats) -> Self:
        """Make them from what was kept."""
        made = cls()
        made.values_, made.means_ = values, means
        return made

    def fit(self, vectors: Vectors, words: Words) -> Self:
        """Learn from (N, D) vectors and their (N,) words."""
        if vectors.ndim != 2 or words.shape != (len(vectors),):
            raise DataError(f"{vectors.shape} vectors need a word each, not {words.shape}.")
        self.values_ = tuple(str(word) for word in np.unique(words))
        means = [vectors[words == value].mean(axis=0, dtype=np.float64) for value in self.values_]
        self.means_ = np.array(means, dtype=np.float32)
        return self

    def moved(self, vectors: Vectors, own: Words, wished: Words) -> Vectors:
        """Return (N, D) vectors − mean of (N,) ``own`` + mean of (N,) ``wished`` words, brought to length 1.

        They keep their dtype.  Raises DataError for a word without a mean and for vectors that do not fit.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.means_.shape[1]:
            raise DataError(f"means of {self.means_.shape[1]} numbers do not fit vectors {vectors.shape}.")
        step = self._places(wished), self._places(own)
        found = np.empty_like(vectors)
        for start in range(0, len(vectors), _ROWS):
            part = slice(start, start + _ROWS)
            change = self.means_[step[0][part]] - self.means_[step[1][part]]
            found[part] = normalised(vectors[part].astype(np.float32) + change)
        return found

    def _places(self, words: Words) -> Ints:
        known = {value: place for place, value in enumerate(self.values_)}
        missing = sorted(set(words.tolist()) - set(known))
        if missing:
            raise DataError(
                f"no face to learn from shows {missing[0]!r}, so it has no mean; known are "
                f"{', '.join(self.values_)}."
            )
        return np.array([known[word] for word in words.tolist()], np.int64)


class Arithmetic:
    """Rows ``arithmetic-…``: moved query vectors, and their nearest neighbours.

    ``tell`` says what a query shows.  With ``label``, the first step of two-step retrieval, they are looked
    for among the faces that it believes to have the wished value, otherwise in the whole gallery, and then
    the query's own picture mostly comes first.  Learned by ``fit``: ``gallery_`` (N, D), and with ``label``
    ``labels_`` (N,).
    """

    def __init__(
        self,
        *,
        name: str,
        features: Features,
        means: ValueMeans,
        tell: Tell,
        label: Label | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.name = name
        self.features = features
        self.means = means
        self.tell = tell
        self.label = label
        self.progress = progress

    def fit(self, gallery: FaceSet) -> Self:
        self.labels_ = None if self.label is None else self.label(gallery)
        self.gallery_ = self.features(gallery.pictures, self.progress)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first, -1 if fewer than k faces passed the filter."""
        vectors = self.features(queries.pictures, self.progress)
        wanted = self.means.moved(vectors, self.tell(queries.pictures), queries.targets)
        if self.labels_ is not None:
            return nearest_within(self.gallery_, self.labels_, wanted, queries.targets, k)
        return nearest(self.gallery_, wanted, k, progress=self.progress)
