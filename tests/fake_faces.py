"""Photographs whose faces a stand-in detector finds at once, and a stand-in for the weights.

The pixel at the top left of a photograph tells how many faces it has (red), what to do to the detector
(green) and whether the last face is small (blue).  The faces stand side by side.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faces.crop import CropGeometry
from faces.errors import DetectorError, WishError
from faces.types import Box, DetectedFace, Floats, Ints, Landmarks, Photo, Pixels

POSES = ("-45", "0", "+45")
SIDE = 8
DIMENSION = SIDE * SIDE + 2
FACE = 32  # pixels
TURNS = np.array([[2, -2], [3, 0], [2, 2]], np.float32)
FINE, CRASH, RAISE, BREAK = range(4)


def save_photo(path: Path, seed: int, *, faces: int = 1, trouble: int = FINE, small: bool = False) -> Path:
    """A photograph with faces; the same seed and faces give the same pixels."""
    pixels = np.random.default_rng([seed, faces]).integers(0, 256, (FACE, FACE * max(faces, 1), 3), np.uint8)
    pixels = pixels.repeat(2, 0).repeat(2, 1)[:FACE, : FACE * max(faces, 1)].copy()
    pixels[0, 0] = faces, trouble, small
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=0)
    return path


@dataclass(frozen=True)
class FakeDetector:
    """Reads the first pixel; crashes, raises or breaks where it says so."""

    name: str = "fake detector"

    def detect(self, photo: Photo) -> list[DetectedFace]:
        faces, trouble, small = (int(value) for value in photo.pixels[0, 0])
        if trouble == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if trouble == RAISE:
            raise ZeroDivisionError("odd picture")
        if trouble == BREAK:
            raise DetectorError("the detector's model is damaged")
        sizes = [10 if small and number == faces - 1 else FACE for number in range(faces)]
        return [_face(number * FACE, size) for number, size in enumerate(sizes)]


def _face(left: float, size: float) -> DetectedFace:
    marks = Landmarks(
        (left + 0.3 * size, 0.3 * size), (left + 0.7 * size, 0.3 * size), (left + 0.5 * size, 0.55 * size)
    )
    return DetectedFace(Box(left, 0, left + size, size), marks, float(size))


def open_fake_detector() -> FakeDetector:
    return FakeDetector()


def open_no_detector() -> FakeDetector:
    raise DetectorError("the detector's model is missing")


@dataclass(frozen=True)
class FakeGroup:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FakeVocabulary:
    """Three poses."""

    groups: tuple[FakeGroup, ...] = (FakeGroup("pose", POSES),)

    def codes(self, wish: Mapping[str, str], /) -> Ints:
        for name, value in wish.items():
            if name != "pose" or value not in POSES:
                raise WishError(f"There is no {name} {value!r}; choose one of: {', '.join(POSES)}.")
        return np.array([POSES.index(wish["pose"])] if wish else range(3), np.int64)

    def label(self, code: int, /) -> dict[str, str]:
        return {"pose": POSES[code]}


@dataclass(frozen=True)
class FakeFaces:
    """Stands for drawings and for canonical faces."""

    codes: Ints
    images: Pixels
    features: Floats
    distances: Floats

    @property
    def stage1(self) -> Pixels:
        return self.images

    @property
    def stage2(self) -> Pixels:
        return self.images


@dataclass(frozen=True)
class FakeEncoder:
    """A face's pose is decided by its brightest third; its features are its pixels and its pose."""

    weights_id: str = "0123456789ab"
    name: str = "fake"
    side: int = SIDE
    vocabulary: FakeVocabulary = FakeVocabulary()

    @property
    def geometry(self) -> CropGeometry:
        return CropGeometry(size=self.side)

    def draw(self, crops: Pixels, codes: Ints, /) -> FakeFaces:
        flat = crops.reshape(len(crops), -1).astype(np.float32) / 255
        # From a table: a sine of an array may differ in its last bit with the array's length.
        features = np.concatenate([flat, TURNS[codes]], axis=1)
        features *= 1 + len(self.weights_id.strip("f"))  # other weights, other features
        features[:, 0] += self.weights_id.startswith("f")
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        distances = np.abs(np.arange(3)[None] - codes[:, None]).astype(np.float32)
        return FakeFaces(codes, 255 - crops, features, distances)

    def canonicalise(self, crops: Pixels, /) -> FakeFaces:
        thirds = crops.astype(np.int64).sum(1).reshape(len(crops), -1)[:, : 3 * (self.side // 3)]
        return self.draw(crops, thirds.reshape(len(crops), 3, -1).sum(2).argmax(1))
