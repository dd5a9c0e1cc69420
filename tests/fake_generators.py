"""Generators without a network, for testing the measure itself."""

from __future__ import annotations

import numpy as np

from facedata.labelled import FaceSet, LabelRow, face_set
from faces.crop import CropGeometry
from faces.types import Floats, Ints, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.model import Canonical, Drawing

POSES = ("-45", "-30", "-15", "0", "+15", "+30", "+45")
SIDE = 8
VOCABULARY = Vocabulary((AttributeGroup("pose", POSES),))


def picture(person: int, light: int, pose: int) -> Pixels:
    """An (8, 8) picture that tells its labels to whoever can read: three pixels, and noise of its own."""
    pixels = np.random.default_rng([person, light, pose]).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    pixels[0, :3] = person, light, pose
    return pixels


def readable_faces(people: int = 6, lights: int = 3, split: str = "", *, lit: bool = True) -> FaceSet:
    """Every person in every pose and light, as pictures that ``PerfectGenerator`` reads."""
    labels = [(a, b, c) for a in range(people) for b in range(lights) for c in range(len(POSES))]
    rows = [
        LabelRow(f"{a}/{b}_{c}.png", f"person {a}", POSES[c], f"{b:02}" if lit else "", split=split)
        for a, b, c in labels
    ]
    return face_set("readable", np.stack([picture(*label) for label in labels]), rows)


class PerfectGenerator:
    """Reads who is on a picture and draws exactly the true picture of that person in another pose."""

    name = "perfect"
    weights_id = "0123456789ab"
    geometry = CropGeometry(size=SIDE)
    vocabulary = VOCABULARY

    def draw(self, crops: Pixels, wishes: Floats, /) -> Drawing:
        wished = zip(crops[:, 0, :2].tolist(), wishes.argmax(1).tolist(), strict=True)
        drawn = np.stack([picture(person, light, pose) for (person, light), pose in wished])
        features = drawn.reshape(len(drawn), -1).astype(np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return Drawing(drawn, drawn, features)

    def canonicalise(self, crops: Pixels, /) -> Canonical:
        return self.taken_for(crops, crops[:, 0, 2].astype(np.int64))

    def taken_for(self, crops: Pixels, poses: Ints) -> Canonical:
        """Canonicalise as if these poses (N,) were the closest."""
        made = self.draw(crops, VOCABULARY.vectors(poses[:, None]))
        distances = np.abs(np.arange(len(POSES))[None] - poses[:, None]).astype(np.float32)
        return Canonical(poses[:, None], made.stage2, made.features, distances)


class RandomGenerator(PerfectGenerator):
    """Draws noise that has nothing to do with the face or the wish."""

    name = "random"

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def draw(self, crops: Pixels, wishes: Floats, /) -> Drawing:
        drawn = self._random.integers(0, 256, crops.shape, dtype=np.uint8)
        features = self._random.normal(size=(len(crops), 64)).astype(np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return Drawing(drawn, drawn, features)
