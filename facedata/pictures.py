"""What can be seen of faces: their crops, and larger pictures of the same faces where there are some.

Our networks look at crops of 32 or 64 pixels.  Networks that others trained on larger faces get a larger
picture of each face, never an enlarged crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from faces.errors import DataError, RowUnavailable
from faces.types import Floats, Ints, Pixels

POINTS = 5


@dataclass(frozen=True, slots=True)
class LargeFace:
    """A larger picture of one face.

    ``pixels`` (H, W) uint8 grey; ``points`` (5, 2) float32 (x, y) in picture coordinates, in the order of
    dlib's five-point model: outer and inner corner of the eye on the right of the picture, outer and inner
    corner of the eye on its left, nose base.
    """

    pixels: Pixels
    points: Floats


class LargePictures:
    """Larger pictures of N faces, each read when it is asked for.

    ``load`` gives the (H, W) uint8 grey pixels of a picture by its number; ``points`` (M, 5, 2) float32 has
    the points of all M pictures (see ``LargeFace``), NaN where a face has no larger picture; ``which`` (N,)
    int64 are the numbers of the chosen ones, all in order where None.
    """

    def __init__(self, *, load: Callable[[int], Pixels], points: Floats, which: Ints | None = None) -> None:
        if points.dtype != np.float32 or points.ndim != 3 or points.shape[1:] != (POINTS, 2):
            raise DataError(f"points must be (N, {POINTS}, 2) float32, not {points.shape} {points.dtype}.")
        self._load = load
        self._points = points
        self._which = np.arange(len(points)) if which is None else which

    @classmethod
    def held(cls, faces: Sequence[LargeFace | None]) -> Self:
        """Pictures that are in memory already; None for a face without."""
        points = np.full((len(faces), POINTS, 2), np.nan, np.float32)
        for at, face in enumerate(faces):
            if face is not None:
                points[at] = face.points
        pixels = [None if face is None else face.pixels for face in faces]

        def load(number: int) -> Pixels:
            found = pixels[number]
            if found is None:
                raise DataError(f"face {number} has no larger picture.")
            return found

        return cls(load=load, points=points)

    def __len__(self) -> int:
        return len(self._which)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N,) bool: which faces have a larger picture."""
        return np.asarray(np.isfinite(self._points[self._which]).all(axis=(1, 2)))

    def select(self, which: NDArray[Any]) -> LargePictures:
        """Those of a boolean mask (N,) or of an array of indices, in that order; nothing is read."""
        return LargePictures(load=self._load, points=self._points, which=self._which[which])

    def read(self, index: int) -> LargeFace:
        """The larger picture of face ``index``, 0 .. N - 1.

        Raises RowUnavailable where it has none, DataError where it cannot be read.
        """
        number = int(self._which[index])
        points = self._points[number]
        if not np.isfinite(points).all():
            raise RowUnavailable("not all faces have larger pictures")
        return LargeFace(self._load(number), points)


@dataclass(frozen=True)
class Pictures:
    """N faces to look at: ``crops`` (N, S, S) uint8 grey, and ``large``, or None where there are no larger
    pictures."""

    crops: NDArray[np.uint8]
    large: LargePictures | None = None

    def __post_init__(self) -> None:
        if self.crops.dtype != np.uint8 or self.crops.ndim != 3:
            raise DataError(f"crops must be (N, S, S) uint8, not {self.crops.shape} {self.crops.dtype}.")
        if self.large is not None and len(self.large) != len(self.crops):
            raise DataError(f"{len(self.crops)} crops need as many larger pictures, not {len(self.large)}.")

    def __len__(self) -> int:
        return len(self.crops)

    def select(self, which: NDArray[Any]) -> Pictures:
        """Those of a boolean mask (N,) or of an array of indices, in that order."""
        return Pictures(self.crops[which], None if self.large is None else self.large.select(which))

    def required_large(self) -> LargePictures:
        """The larger pictures of all faces; raises RowUnavailable where some are missing."""
        if self.large is None:
            raise RowUnavailable("the set has no larger pictures")
        missing = int((~self.large.present).sum())
        if missing:
            raise RowUnavailable(f"{missing:,} of {len(self):,} faces have no larger picture")
        return self.large
