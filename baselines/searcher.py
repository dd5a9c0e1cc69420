"""What every rival looks like to the measure: faces described by vectors, a query in, ranked faces out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def joined(columns: Sequence[Words]) -> Words:
    """Join the words (N,) of several attributes face by face, so that equal ones show equal values."""
    first, *others = columns
    for words in others:
        first = np.char.add(np.char.add(first, "\n"), words)  # no label holds a line break
    return first


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
    """Q questions "this person, but with these values of these attributes".

    ``pictures`` are the Q query faces, ``wishes`` the wished words (Q,) by attribute.  Nothing else is known
    of a query: not who it is, and not what its own values are.
    """

    pictures: Pictures
    wishes: Mapping[Attribute, Words]

    def __post_init__(self) -> None:
        for words in self.wishes.values():
            if words.shape != (len(self.pictures),):
                raise DataError(f"{len(self.pictures)} queries need as many targets, not {words.shape}.")

    @property
    def attribute(self) -> Attribute:
        """What is wished for; raises DataError if that is not one attribute."""
        if len(self.wishes) != 1:
            raise DataError(f"one wish is asked at a time here, not {len(self.wishes)}.")
        (attribute,) = self.wishes
        return attribute

    @property
    def targets(self) -> Words:
        """The wished words (Q,) of the one attribute; raises DataError if there are several."""
        return self.wishes[self.attribute]

    @property
    def joined(self) -> Words:
        """The wished words (Q,) of all attributes, as ``joined`` joins them."""
        return joined([*self.wishes.values()])

    def wish(self, query: int) -> dict[str, str]:
        """What one of the queries wishes for, such as ``{"pose": "+30", "accessory": "none"}``."""
        return {name: str(words[query]) for name, words in self.wishes.items()}

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
