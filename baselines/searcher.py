"""What every rival looks like to the measure: faces described by vectors, a query in, ranked faces out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Floats, Ints
from index.search import Vectors
from retrieval.identity import unit_length


def normalised(vectors: NDArray[np.generic]) -> Floats:
    """Return (N, ...) numbers as (N, D) float32 rows of length 1; a row of zeros stays as it is."""
    return unit_length(vectors.reshape(len(vectors), -1).astype(np.float32))


class Features(Protocol):
    """A way to describe faces, whose ``name`` is in the names of rows; some need the larger pictures."""

    name: str
    needs_large: bool

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """Return (N, D) float16 or float32, each row of length 1.

        Raises RowUnavailable if larger pictures or weights are missing.
        """


class ImageFeatures:
    """The crop itself, as S · S numbers."""

    name = "image"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """Return (N, S · S) float32; takes too little time to tell of."""
        return normalised(pictures.crops)


@dataclass(frozen=True)
class QueryBatch:
    """Q questions "this person, but with this value of the attribute".

    ``pictures`` are the Q query faces, ``targets`` (Q,) the wished words.  Nothing else is known of
    a query: not who it is, and not what its own value is.
    """

    attribute: Attribute
    pictures: Pictures
    targets: Words

    def __post_init__(self) -> None:
        if self.targets.shape != (len(self.pictures),):
            raise DataError(f"{len(self.pictures)} queries need as many targets, not {self.targets.shape}.")

    @property
    def crops(self) -> NDArray[np.uint8]:
        """(Q, S, S) uint8 grey, the query faces as our networks see them."""
        return self.pictures.crops

    def __len__(self) -> int:
        return len(self.pictures)


class Searcher(Protocol):
    """A way to search, named as its row; only an oracle, with ``true`` in the name, may read labels."""

    name: str

    def fit(self, gallery: FaceSet) -> Self:
        """Learn the gallery of N faces."""

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 indices into the gallery, best first, -1 if a searcher has no more answers."""
