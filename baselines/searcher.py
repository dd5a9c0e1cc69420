"""What every rival looks like to the measure: a query in, ranked gallery entries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import DataError
from faces.types import Ints


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
