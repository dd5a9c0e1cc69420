"""What every rival looks like to the measure: a query in, ranked gallery entries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Attribute, FaceSet, Words
from faces.errors import DataError
from faces.types import Ints


@dataclass(frozen=True)
class QueryBatch:
    """Q questions "this person, but with this value of the attribute".

    ``crops`` is (Q, S, S) uint8 grey, ``targets`` (Q,) the wished words.  Nothing else is known of
    a query: not who it is, and not what its own value is.
    """

    attribute: Attribute
    crops: NDArray[np.uint8]
    targets: Words

    def __post_init__(self) -> None:
        if self.crops.dtype != np.uint8 or self.crops.ndim != 3:
            raise DataError(
                f"query crops must be (Q, S, S) uint8, not {self.crops.shape} {self.crops.dtype}."
            )
        if self.targets.shape != (len(self.crops),):
            raise DataError(f"{len(self.crops)} queries need as many targets, not {self.targets.shape}.")

    def __len__(self) -> int:
        return len(self.crops)


class Searcher(Protocol):
    """A way to search; ``name`` is its row in the tables.

    A searcher may read the labels of the gallery only if its name says ``true``.
    """

    @property
    def name(self) -> str: ...

    def fit(self, gallery: FaceSet) -> Self:
        """Learn the gallery of N faces."""

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """(Q, k) int64 indices into the gallery, best first, -1 where a searcher has no more answers."""
