"""What goes into a collection and what comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from faces.crop import CropGeometry
from faces.types import Box, Floats, Halves, Landmarks, Pixels


class Status(StrEnum):
    """What became of a photograph."""

    OK = "ok"  # read; its faces, if any, are in the catalogue
    SKIPPED = "skipped"  # could not be read; the reason is in the catalogue
    FORGOTTEN = "forgotten"  # the user had its faces removed; only the path is kept, so that it stays out


@dataclass(frozen=True, slots=True)
class Layout:
    """What the numbers of a collection's vectors mean, and all that must be known to go on with them."""

    digest: str  # identifies it
    description: Mapping[str, Any]  # JSON values that only the engine reads, but for ``importance``
    geometry: CropGeometry  # how the crops were cut
    dimension: int  # D, the length of a vector

    @property
    def importance(self) -> Floats:
        """(D,) float32: how large the numbers of queries are in each place, root mean square.

        The description has it as [numbers, size] for one part of a vector after the other; collections of
        before have not, and all are alike.
        """
        parts = self.description.get("importance", [[self.dimension, 1.0]])
        return np.concatenate([np.full(int(count), size, np.float32) for count, size in parts])


def local_time(time_ns: int) -> datetime:
    """Give a file's time, in nanoseconds since 1970, as this machine's clock shows it."""
    try:
        return datetime.fromtimestamp(time_ns // 10**9).astimezone()
    except (ValueError, OverflowError, OSError):  # beyond the years that there are
        return datetime.fromtimestamp(0).astimezone()


@dataclass(frozen=True, slots=True)
class NewCollection:
    """What a new collection is made with: the detector's name and the smallest face.

    That is in pixels, here and wherever a ``min_face`` is kept; 0: a share of each photograph.
    """

    layout: Layout
    detector: str
    min_face: int
    exclude: tuple[str, ...] = ()  # patterns of what is left out


@dataclass(frozen=True, slots=True)
class FaceVector:
    """A face as one layout has it: ``crop`` (S, S) uint8 grey; ``vector`` (D,) float32, kept as float16."""

    crop: Pixels
    vector: Floats


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face to be stored; boxes and landmarks in the pixels of the upright photograph."""

    box: Box
    landmarks: Landmarks
    score: float
    stored: FaceVector


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photograph to be stored in place of whatever the catalogue has under its path."""

    path: str
    size: int
    mtime_ns: int
    content: str | None  # SHA-256 of the file in hex; None if it could not be opened at all
    status: Status
    reason: str = ""
    width: int = 0
    height: int = 0
    too_small: int = 0  # faces left out because they are smaller than ``min_face`` pixels
    min_face: int = 0
    faces: tuple[NewFace, ...] = ()
    taken: str | None = None  # in the camera's time, ISO 8601; "": it did not say; None: not looked at yet
    camera: str = ""

    @property
    def date(self) -> datetime:
        """When it was taken, in the camera's time; if that is not known when the file was last changed, in
        this machine's."""
        return datetime.fromisoformat(self.taken) if self.taken else local_time(self.mtime_ns)

    @property
    def date_ns(self) -> int:
        """The same in nanoseconds since 1970."""
        return int(self.date.timestamp()) * 10**9 if self.taken else self.mtime_ns

    @property
    def dated_by(self) -> str:
        """What ``date`` goes by: "exif" or "file"."""
        return "exif" if self.taken else "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPhoto(NewPhoto):
    """A photograph that the catalogue has, without its faces."""

    id: int


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face of the catalogue with its photograph."""

    id: int
    photo_id: int
    path: str
    date: datetime  # of the photograph, with ``dated_by`` and ``camera`` as in ``NewPhoto``
    dated_by: str
    camera: str
    number: int  # of the photograph's faces, from 1, the largest first
    count: int  # of these
    box: Box
    landmarks: Landmarks
    score: float
    crop: Pixels
    vector: Halves  # (D,)


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
    exclude: tuple[str, ...]
    created: str
    layout: Layout
