"""What goes into a collection and what comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from faces.crop import CropGeometry
from faces.types import Box, Floats, Landmarks, Pixels


class Status(StrEnum):
    """What became of a photograph."""

    OK = "ok"  # read; its faces, if any, are in the catalogue
    SKIPPED = "skipped"  # could not be read; the reason is in the catalogue
    FORGOTTEN = "forgotten"  # the user had its faces removed; only the path is kept, so that it stays out


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which weights made a collection's features, and all that must be known to go on with them.

    ``weights_id`` identifies architecture, preprocessing and weights; ``source`` is the name or the
    folder they can be loaded from.  ``vocabulary`` maps each attribute group to its values, in order.
    ``dimension`` is the length D of a feature vector.
    """

    weights_id: str
    weights_name: str
    source: str
    vocabulary: Mapping[str, tuple[str, ...]]
    geometry: CropGeometry
    dimension: int


@dataclass(frozen=True, slots=True)
class Features:
    """One face as one encoding sees it.

    ``crop`` (S, S) uint8 grey; ``vector`` (D,) float32, L2-normalised, kept as float16; ``estimates``
    the estimated value of each attribute group; ``canonical_distance`` the pixel distance (root of the
    summed squares, grey levels) between the crop and its canonical drawing.
    """

    crop: Pixels
    vector: Floats
    estimates: Mapping[str, str]
    canonical_distance: float


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face to be stored; boxes and landmarks in the pixels of the upright photograph."""

    box: Box
    landmarks: Landmarks
    score: float
    features: Features


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photograph to be stored in place of whatever the catalogue has under its path.

    ``content`` is the SHA-256 of the file in hex, or None where the file could not be opened at all.
    ``too_small`` counts the faces left out because they are smaller than ``min_face`` pixels.
    """

    path: str
    size: int
    mtime_ns: int
    content: str | None
    status: Status
    reason: str = ""
    width: int = 0
    height: int = 0
    too_small: int = 0
    min_face: int = 0
    faces: tuple[NewFace, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """What the catalogue knows of a photograph's file."""

    id: int
    path: str
    size: int
    mtime_ns: int
    content: str | None
    status: Status
    reason: str = ""
    min_face: int = 0


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face of the catalogue with its photograph."""

    id: int
    photo_id: int
    path: str
    box: Box
    landmarks: Landmarks
    score: float
    crop: Pixels
    estimates: Mapping[str, str]
    canonical_distance: float


@dataclass(frozen=True, slots=True)
class Summary:
    """How much a collection holds."""

    photos: int
    skipped: int
    forgotten: int
    faces: int
    too_small: int
    detector: str
    min_face: int
    created: str
    encoding: Encoding
