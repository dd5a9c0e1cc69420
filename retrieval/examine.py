"""From a photograph's file to its faces, cropped; whatever is wrong with a file ends here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faces.chips import Cut, five_points
from faces.crop import CropGeometry, crop_face
from faces.detect import RELATIVE, Detector, open_detector, smallest_face
from faces.errors import DetectorError, PhotoError
from faces.photo import read_photo
from faces.taken import read_taken
from faces.types import DetectedFace, Floats, Pixels
from index import NewPhoto, Status
from retrieval.scan import Found

if TYPE_CHECKING:
    from retrieval.engine import Engine

DetectorFactory = Callable[[], Detector]
"""Opens a detector; a module's function or a ``functools.partial`` of one, so that workers can call it."""


def detector_factory(
    detector: DetectorFactory | str | Path | None, min_face: int = RELATIVE
) -> DetectorFactory:
    """Give what opens the detector that is meant: the caller's function, or a name for ``open_detector``."""
    if detector is None or isinstance(detector, str | Path):
        return partial(open_detector, detector, min_face=min_face)
    return detector


@dataclass(frozen=True, slots=True)
class Examined:
    """A photograph that was read, or could not be, and its faces."""

    photo: NewPhoto
    faces: tuple[tuple[DetectedFace, Pixels, Pixels | None], ...] = ()
    """With crop (S, S) uint8 grey and chip (C, C, 3) uint8 RGB, None without an identity model."""
    vectors: Floats | None = None
    """(F, D) of the faces; None before ``described``."""


def content_of(path: str | Path) -> str:
    """Give the SHA-256 of a file in hex; raises OSError if it cannot be read."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_if_readable(path: str) -> str | None:
    """Give ``content_of`` a file, or None if it cannot be read."""
    try:
        return content_of(path)
    except OSError:
        return None


def skipped(found: Found, content: str | None, reason: str) -> Examined:
    """Give what becomes of a photograph that cannot be used."""
    return Examined(NewPhoto(found.path, found.size, found.mtime_ns, content, Status.SKIPPED, reason))


def examine(
    found: Found, detector: Detector, geometry: CropGeometry, min_face: int, cut: Cut | None
) -> Examined:
    """Read one photograph and crop its faces of at least ``min_face`` pixels (the box's shorter side).

    ``RELATIVE``: of what ``smallest_face`` says.  Whatever is wrong with the file becomes a reason;
    DetectorError is raised if the detector is at fault.
    """
    try:
        content = content_of(found.path)
    except OSError as error:
        return skipped(found, None, (error.strerror or str(error)).lower())
    try:
        photo = read_photo(Path(found.path))
        faces = detector.detect(photo)
        smallest = smallest_face(min_face, photo.width, photo.height)
        large = [face for face in faces if min(face.box.width, face.box.height) >= smallest]
        cropped = []
        for face in large:
            try:
                crop = crop_face(photo.pixels, face.landmarks, geometry)
                cropped.append((face, crop, None if cut is None else cut(photo.pixels, face.landmarks)))
            except ValueError:  # a false find, with landmarks on one line
                continue
    except PhotoError as error:
        return skipped(found, content, error.reason)
    except DetectorError:
        raise
    except MemoryError:
        return skipped(found, content, "it does not fit into memory")
    except Exception as error:  # one odd photograph must not end a run over thousands
        return skipped(found, content, f"looking for faces failed ({type(error).__name__}: {error})")
    counts = (photo.width, photo.height, len(faces) - len(large))
    read = NewPhoto(found.path, found.size, found.mtime_ns, content, Status.OK, "", *counts)
    taken = read_taken(found.path)
    return Examined(replace(read, taken=taken.time, camera=taken.camera), tuple(cropped))


def described(examined: Sequence[Examined], engine: Engine) -> list[Examined]:
    """Make the vectors of all faces, at once; the chips have served and are dropped."""
    faces = [face for item in examined for face in item.faces]
    if not faces:
        return list(examined)
    descriptors = engine.describe([chip for _, _, chip in faces if chip is not None])
    points = np.stack([five_points(face.landmarks) for face, _, _ in faces])
    vectors = engine.embed(np.stack([crop for _, crop, _ in faces]), descriptors, points)
    ends = np.cumsum([len(item.faces) for item in examined])[:-1]
    return [
        replace(item, faces=tuple((face, crop, None) for face, crop, _ in item.faces), vectors=own)
        for item, own in zip(examined, np.split(vectors, ends), strict=True)
    ]
