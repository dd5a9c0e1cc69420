"""Photographs whose faces a stand-in detector finds at once, and a stand-in for the engine's models.

The pixel at the top left of a photograph tells how many faces it has (red), what to do to the detector
(green) and whether the last face is small (blue).  The faces stand side by side.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import retrieval.loading
from faces.crop import CropGeometry
from faces.errors import DetectorError, WeightsError
from faces.types import Box, DetectedFace, Floats, Landmarks, Photo, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.model import Canonical, Drawing
from generator.projection import Projection
from retrieval.calibration import Calibration, IdentityCalibration
from retrieval.engine import Engine
from retrieval.identity import Identity, unit_length
from retrieval.parts import Encoding

POSES = ("-45", "0", "+45")
WORN = ("none", "hat-1", "glasses-3")
POSE = Vocabulary((AttributeGroup("pose", POSES),))
ACCESSORY = Vocabulary((AttributeGroup("accessory", WORN),))
BOTH = Vocabulary((*POSE.groups, *ACCESSORY.groups))
SIDE = 8
FACE = 32  # pixels
FINE, CRASH, RAISE, BREAK = range(4)
OTHER = "ffffffffffff"
"""Weights whose features differ from those of the usual ones."""
CALIBRATION = Calibration(
    identities={
        "cafe": IdentityCalibration(40.0, 0.6, 40.0, 0.8),
        "beef": IdentityCalibration(40.0, 0.6, 40.0, 0.8),
    },
    appearance={"pose": 1.0, "accessory": 1.0},
    alone=10.0,
    temperatures={"pose": 0.3, "accessory": 0.3},
    deviations={"pose": 12.0},
    odds=(1.0, 2.0),
    odds_alone=(1.0, -6.0),
)
_TURNS = np.array([[2, -2], [3, 0], [2, 2]], np.float32)


def save_photo(path: Path, seed: int, *, faces: int = 1, trouble: int = FINE, small: bool = False) -> Path:
    """A photograph with faces of strangers; the same seed and faces give the same pixels."""
    pixels = np.random.default_rng([seed, faces]).integers(0, 256, (FACE, FACE * max(faces, 1), 3), np.uint8)
    pixels = pixels.repeat(2, 0).repeat(2, 1)[:FACE, : FACE * max(faces, 1)].copy()
    pixels[0, 0] = faces, trouble, small
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=0)
    return path


def save_person(path: Path, person: int, pose: str = "0", worn: str = "none", *, seed: int = 0) -> Path:
    """A photograph of one person: the right quarter tells who it is, a bright spot pose and accessory."""
    pixels = np.random.default_rng([person, 1, seed]).integers(0, 60, (FACE, FACE, 3), np.uint8)
    row, column = 8 * WORN.index(worn), 8 * POSES.index(pose)
    pixels[row : row + 8, column : column + 8] += 180
    own = np.random.default_rng([person, 2]).integers(0, 256, (4, 1, 3), np.uint8)
    pixels[:, 24:] = own.repeat(8, 0).repeat(8, 1)
    pixels[0, 0] = 1, FINE, 0
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


def unused_detector() -> FakeDetector:
    raise AssertionError("nothing should be detected")


@dataclass(frozen=True)
class FakeEncoder:
    """Sees the pose in the brightest third of the columns, the accessory in that of the rows.

    Its features are a face's pixels and what it shows; those of other ``weights_id`` are others.
    """

    weights_id: str = "0123456789ab"
    name: str = "fake"
    side: int = SIDE
    vocabulary: Vocabulary = POSE

    @property
    def geometry(self) -> CropGeometry:
        return CropGeometry(size=self.side)

    @property
    def feature_size(self) -> int:
        return self.side**2 + 2

    def draw(self, crops: Pixels, wishes: Floats, /) -> Drawing:
        """The picture's first pixels tell which value of each attribute was drawn most."""
        flat = crops.reshape(len(crops), -1).astype(np.float32) / 255
        # From a table: a sine of an array may differ in its last bit with the array's length.
        features = np.concatenate([flat, wishes @ np.resize(_TURNS, (self.vocabulary.size, 2))], axis=1)
        features[:, 0] += 3 * self.weights_id.startswith("f")
        drawn = 255 - crops
        for column, place in enumerate(self.vocabulary.places.values()):
            drawn[:, 0, column] = wishes[:, place].argmax(1)
        return Drawing(drawn, drawn, unit_length(features))

    def canonicalise(self, crops: Pixels, /) -> Canonical:
        third = self.side // 4
        inner = crops[:, : 3 * third, : 3 * third].astype(np.int64).reshape(len(crops), 3, third, 3, third)
        seen = {"pose": inner.sum((1, 2, 4)).argmax(1), "accessory": inner.sum((2, 3, 4)).argmax(1)}
        values = np.stack([seen[group.name] for group in self.vocabulary.groups], axis=1)
        made = self.draw(crops, self.vocabulary.vectors(values))
        apart = [
            np.abs(np.arange(len(group.values)) - seen[group.name][:, None])
            for group in self.vocabulary.groups
        ]
        distances = np.concatenate(apart, axis=1).astype(np.float32)
        return Canonical(values, made.stage2, made.features, distances)


def cut_fake_chip(pixels: Pixels, landmarks: Landmarks) -> Pixels:
    """(4, 4, 3): the right quarter of a face."""
    (left, top), (right, _) = landmarks.left_eye, landmarks.right_eye
    size = (right - left) / 0.4
    corner = left + 0.45 * size, top - 0.3 * size
    box = (corner[0], corner[1], corner[0] + size / 4, corner[1] + size)
    rgb = Image.fromarray(pixels).convert("RGB")
    inside = (max(box[0], 0), max(box[1], 0), min(box[2], rgb.width), min(box[3], rgb.height))
    return np.asarray(rgb.resize((4, 4), Image.Resampling.BOX, inside))


@dataclass(frozen=True)
class FakeIdentity:
    """Tells people apart by the colours of their right quarter."""

    name: str = "fake identity"
    digest: str = "cafe"
    dimension: int = 48
    cut = staticmethod(cut_fake_chip)

    def describe(self, chips: Pixels) -> Floats:
        return unit_length(chips.reshape(len(chips), -1).astype(np.float32) - 127.5)


@dataclass(frozen=True)
class ForbiddenIdentity(FakeIdentity):
    """Must not be asked."""

    def describe(self, chips: Pixels) -> Floats:
        raise AssertionError("nobody should be described")


@dataclass(frozen=True)
class FakeClassifier:
    """Tells what a face shows by as many of its pixels as there are values."""

    vocabulary: Vocabulary
    size: int = 32
    digest: str = "c" * 12

    def __call__(self, crops: Pixels, /) -> Floats:
        flat, size = crops.reshape(len(crops), -1), self.vocabulary.size
        greys = flat[:, :: flat.shape[1] // size][:, :size]
        logits = greys.astype(np.float64) / 40
        parts = [logits[:, place] for place in self.vocabulary.places.values()]
        return np.concatenate(
            [part - np.log(np.exp(part).sum(1, keepdims=True)) for part in parts], axis=1
        ).astype(np.float32)


def fake_encoding(encoder: FakeEncoder) -> Encoding:
    size = encoder.feature_size
    return Encoding(
        encoder, Projection(np.zeros(size, np.float32), np.eye(size, dtype=np.float16)), encoder.name
    )


def fake_engine(
    weights_id: str = "0123456789ab",
    name: str = "fake",
    side: int = SIDE,
    *,
    vocabularies: tuple[Vocabulary, ...] = (POSE,),
    identity: Identity | None = FakeIdentity(),
) -> Engine:
    """An engine with one encoder for each vocabulary."""
    encoders = [FakeEncoder(weights_id, name, side, vocabulary) for vocabulary in vocabularies]
    return Engine([fake_encoding(encoder) for encoder in encoders], identity, CALIBRATION)


def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let weights and identity models be opened by name without loading anything.

    The weights ``other`` are others, ``accessories-32`` know accessories; the identity ``other.onnx`` is
    another.
    """

    def load(name: str | Path) -> Encoding:
        if str(name) not in ("rotation-32", "accessories-32", "other"):
            raise WeightsError(f"there are no weights {name!r}")
        weights_id = OTHER if name == "other" else "0123456789ab"
        vocabulary = ACCESSORY if name == "accessories-32" else POSE
        return fake_encoding(FakeEncoder(weights_id, str(name), vocabulary=vocabulary))

    def identity(name: str | Path | None = None, *, scaled: bool = True) -> Identity | None:
        if name in ("none", "other.onnx"):
            return None if name == "none" else FakeIdentity("other.onnx", "beef")
        return FakeIdentity()

    monkeypatch.setattr(retrieval.loading, "load_encoding", load)
    monkeypatch.setattr(retrieval.loading, "open_identity", identity)
    monkeypatch.setattr(retrieval.loading, "read_calibration", lambda path=None: CALIBRATION)
