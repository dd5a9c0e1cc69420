"""Feature arithmetic: a vector of a face, minus the mean of its value, plus the mean of the wished one.

What is known of words ("king − man + woman", Mikolov, Yih and Zweig 2013, *Linguistic regularities in
continuous space word representations*).  Nobody tells the searcher what a query shows: a classifier does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from baselines.features import Features, normalised
from baselines.searcher import QueryBatch
from baselines.two_step import Label, TwoStep
from facedata.labelled import Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Floats, Ints
from index.search import Vectors

_ROWS = 1024  # vectors moved at a time: 64 MB of 16,384 numbers each

Tell = Callable[[Pictures], Words]  # what each of N faces is believed to show: (N,) words


class ValueMeans:
    """The mean vector of each value of an attribute.

    Learned by ``fit``: ``values_``, the V words in order of name, and ``means_`` (V, D) float32.
    """

    values_: tuple[str, ...]
    means_: Floats

    def learned(self, values: tuple[str, ...], means: Floats) -> Self:
        """Take what was kept of what was learned."""
        self.values_, self.means_ = values, means
        return self

    def fit(self, vectors: Vectors, words: Words) -> Self:
        """Learn from (N, D) vectors and their (N,) words."""
        if vectors.ndim != 2 or words.shape != (len(vectors),):
            raise DataError(f"{vectors.shape} vectors need a word each, not {words.shape}.")
        values = tuple(str(word) for word in np.unique(words))
        means = [vectors[words == value].mean(axis=0, dtype=np.float64) for value in values]
        return self.learned(values, np.array(means, dtype=np.float32))

    def moved(self, vectors: Vectors, own: Words, wished: Words) -> Vectors:
        """Return (N, D) vectors − mean of (N,) ``own`` + mean of (N,) ``wished`` words, brought to length 1.

        They keep their dtype.  Raises DataError for a word without a mean and for vectors that do not fit.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.means_.shape[1]:
            raise DataError(f"means of {self.means_.shape[1]} numbers do not fit vectors {vectors.shape}.")
        after, before = self._places(wished), self._places(own)
        found = np.empty_like(vectors)
        for start in range(0, len(vectors), _ROWS):
            part = slice(start, start + _ROWS)
            change = self.means_[after[part]] - self.means_[before[part]]
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


class Arithmetic(TwoStep):
    """Rows ``arithmetic-…``: queries, moved from what ``tell`` says they show, and their nearest faces."""

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
        super().__init__(name=name, label=label, features=features, progress=progress)
        self.means = means
        self.tell = tell

    def wanted(self, queries: QueryBatch) -> Vectors:
        """Return the features of the queries, moved to the wished values, (Q, D)."""
        return self.means.moved(super().wanted(queries), self.tell(queries.pictures), queries.targets)
