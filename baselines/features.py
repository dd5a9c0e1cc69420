"""What faces are compared by: a picture of a face in, a vector of length 1 out."""

from __future__ import annotations

from typing import Protocol

from baselines.exact import Vectors, normalised
from facedata.large_pictures import Pictures
from faces.progress import Progress


class Features(Protocol):
    """A way to describe faces.

    ``name`` is its word in the names of rows; ``needs_large`` tells whether it looks at the larger pictures.
    """

    @property
    def name(self) -> str: ...

    @property
    def needs_large(self) -> bool: ...

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """(N, D) float16 or float32, each row of length 1.

        Raises RowUnavailable if larger pictures or weights are missing.
        """


class ImageFeatures:
    """The crop itself, as S · S numbers."""

    name = "image"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """(N, S · S) float32; takes too little time to tell of."""
        return normalised(pictures.crops)
