"""The types that everybody shares: boxes, landmarks, faces, photographs.

Picture coordinates: pixels, x to the right, y down, the corner of the top left pixel at (0, 0),
so that its centre is at (0.5, 0.5).  "Left" and "right" are sides of the picture, not of the person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W) grey or (H, W, 3) RGB, uint8, 0..255."""

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a photograph, pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def sides(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Where a face is, in picture coordinates (x, y).

    ``left_eye`` and ``right_eye`` are the eye centres as seen in the picture (left_eye has the smaller x
    in an upright face), each the mean of its two corners.  ``nose_base`` is the point where the
    nose meets the upper lip.  ``chin`` is given if it was annotated.
    """

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose_base: tuple[float, float]
    chin: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face found in a photograph; a higher ``score`` is a surer detection (detector's own scale)."""

    box: Box
    landmarks: Landmarks
    score: float


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photograph: ``pixels`` (H, W, 3) uint8 RGB, upright (EXIF orientation applied)."""

    pixels: Pixels

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])
