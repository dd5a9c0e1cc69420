"""Landmarks of imported faces, from what a set has annotated or from a detector.

The crop takes its scale from the nose base (``faces.crop``).  Where that is not annotated, it follows from
other points by mean proportions of 2,000 random heads of ICT-FaceKit (coefficients drawn from N(0, 1), cut at
2.5; eyes between their corners 36, 39 and 42, 45, mouth between its corners 48 and 54, nose base 33 of the 68
landmarks; parallel projection).  The numbers behind ± are standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facedata.readers.common import Entry, LeftOutError
from faces.crop import CHIN_TO_NOSE_BASE, CropGeometry, crop_transform
from faces.errors import PhotoError
from faces.photo import read_photo
from faces.types import Landmarks, Photo

if TYPE_CHECKING:
    from faces.detect import Detector

# Nose base below the eye line / distance of the eyes in a frontal face: 0.723 ± 0.048.
NOSE_TO_EYES = 0.723
# Mouth below the eye line / nose base below it: 1.511 ± 0.059; hardly changes to 45 degrees of yaw (1.52).
MOUTH_TO_NOSE_BASE = 1.511

Point = tuple[float, float]


def from_eyes(one: Point, other: Point, yaw: float = 0.0) -> Landmarks:
    """Make landmarks from eye centres alone; ``yaw`` in degrees shortens the distance between the eyes.

    The scale is off by 7 % (one standard deviation), as people's proportions differ.
    """
    left, right = sorted((one, other))
    return Landmarks(left, right, _below(left, right, NOSE_TO_EYES * math.dist(left, right) / _cosine(yaw)))


def from_eyes_and_mouth(one: Point, other: Point, mouth: Point) -> Landmarks:
    """Make landmarks from eyes and the middle of the mouth; off by 4 %, more if the mouth is open."""
    return _scaled(one, other, mouth, MOUTH_TO_NOSE_BASE)


def from_eyes_and_chin(one: Point, other: Point, chin: Point) -> Landmarks:
    """Make landmarks from eye centres and chin, as the paper aligned Multi-PIE (section 4.1)."""
    found = _scaled(one, other, chin, CHIN_TO_NOSE_BASE)
    return Landmarks(found.left_eye, found.right_eye, found.nose_base, chin)


class AnnotatedLandmarks:
    """Landmarks that were read beforehand, by the file they are written to."""

    def __init__(self, known: Mapping[str, Landmarks], what: str = "it is not annotated") -> None:
        self._known, self._what = known, what

    def __call__(self, entry: Entry, photo: Photo) -> Landmarks:
        """Look the landmarks up.  Raises LeftOutError if there are none."""
        found = self._known.get(entry.row.file)
        if found is None:
            raise LeftOutError(self._what)
        return found


class DetectedLandmarks:
    """Looks for the largest face, in one picture for each group.

    Pictures of a group show the face at the same place in other light.  They are tried in the order of
    ``groups``, the best lit first, so that dark ones get the landmarks of a light one.
    """

    def __init__(self, detector: Detector, groups: Mapping[str, Sequence[Path]]) -> None:
        self._detector, self._groups = detector, groups
        self._found: dict[str, Landmarks | None] = {}

    def __call__(self, entry: Entry, photo: Photo) -> Landmarks:
        """Find the landmarks.  Raises LeftOutError if no face is found."""
        if not entry.group:
            found = self._largest(photo)
        else:
            if entry.group not in self._found:
                self._found[entry.group] = self._of_group(entry.group)
            found = self._found[entry.group]
        if found is None:
            raise LeftOutError("no face was found on it" + (" or its companions" if entry.group else ""))
        return found

    def _of_group(self, group: str) -> Landmarks | None:
        for path in self._groups[group]:
            try:
                found = self._largest(read_photo(path))
            except PhotoError:
                continue
            if found is not None:
                return found
        return None

    def _largest(self, photo: Photo) -> Landmarks | None:
        for face in self._detector.detect(photo):
            if is_face(face.landmarks):
                return face.landmarks
        return None


def is_face(landmarks: Landmarks) -> bool:
    """Whether a crop fits these landmarks."""
    try:
        crop_transform(landmarks, CropGeometry())
    except ValueError:
        return False
    return True


def _scaled(one: Point, other: Point, below: Point, ratio: float) -> Landmarks:
    left, right = sorted((one, other))
    return Landmarks(left, right, _below(left, right, _depth(left, right, below) / ratio))


def _depth(left: Point, right: Point, point: Point) -> float:
    """How far a point lies below the line of the eyes, at right angles to it."""
    middle, down = _frame(left, right)
    return float((np.array(point) - middle) @ down)


def _below(left: Point, right: Point, depth: float) -> Point:
    middle, down = _frame(left, right)
    x, y = middle + down * depth
    return float(x), float(y)


def _frame(left: Point, right: Point) -> tuple[Any, Any]:
    """The point between the eyes, and the direction down the face (length 1; 0 if the eyes coincide)."""
    across = np.subtract(right, left)
    length = float(np.hypot(*across))
    across = across / length if length > 0 else across
    return np.add(left, right) / 2, np.array([-across[1], across[0]])


def _cosine(yaw: float) -> float:
    return max(0.1, math.cos(math.radians(yaw)))
