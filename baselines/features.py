"""What faces are compared by: a picture of a face in, a vector of length 1 out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facedata.large_pictures import Pictures
from faces.progress import Progress
from faces.types import Floats
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
