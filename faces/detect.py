"""Which face detectors there are, and what they share: boxes that mean one face, pieces of a photograph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from PIL import Image

from faces.boxes import overlap, shared_area
from faces.errors import DetectorError
from faces.types import Box, DetectedFace, Photo, Pixels

METHODS = ("mmod", "hog+cnn", "hog", "cnn")
"""Detectors that come with the project, the default first."""

RELATIVE = 0
"""The smallest face that is looked for by default: what ``smallest_face`` gives for each photograph."""

SMALLEST, SHARE = 24, 40
"""By default faces are looked for down to 24 pixels and a 40th of the photograph's longer side."""

SAME_FACE = 0.3
_WITHIN = 0.7  # of the smaller box: an eye and a mouth found as a face inside the face
_WHOLE = 2_000_000  # pixels of a level that is looked at in one piece
_TILE = 1408
_SHARED = 256  # pixels that neighbouring tiles share: more than the largest face a tile is asked for


class Detector(Protocol):
    """Finds faces.  ``name`` says with what: crops of different detectors do not compare."""

    @property
    def name(self) -> str: ...

    def detect(self, photo: Photo) -> list[DetectedFace]:
        """Find every usable face, largest first; some may be smaller than the detector was opened for."""


def smallest_face(min_face: int, width: int, height: int) -> float:
    """Return the smallest face, in pixels, that is looked for in a photograph of this size."""
    return min_face if min_face != RELATIVE else max(SMALLEST, max(width, height) / SHARE)


def open_detector(model: Path | str | None = None, *, min_face: int = RELATIVE) -> Detector:
    """Open a detector: one of ``METHODS`` (None: the first), or YuNet if ``model`` is an .onnx file.

    ``min_face`` is the width in pixels of the smallest face looked for (``RELATIVE``: it grows with the
    photograph); a larger one makes large photographs quicker.  Raises DetectorError if there is no such
    detector, or its model is missing or broken.
    """
    if min_face < 0:
        raise DetectorError(
            f"the smallest face must be 1 pixel or more wide, or 0 for its usual share, not {min_face}."
        )
    method = METHODS[0] if model is None else str(model)
    if method == "mmod":
        from faces.mmod_detector import MmodDetector

        return MmodDetector(min_face=min_face)
    if method in METHODS:
        from faces.dlib_detector import DlibDetector

        return DlibDetector(method, min_face=min_face)
    if method.lower().endswith(".onnx"):
        from faces.yunet_detector import YuNetDetector

        return YuNetDetector(Path(method), min_face=min_face)
    raise DetectorError(
        f"there is no detector {method}; choose {', '.join(METHODS)} or the path of YuNet's .onnx file."
    )


def method_named(name: str) -> str | None:
    """Return the method of a detector by its ``name``; None for other detectors."""
    method = name.removeprefix("dlib-")
    return method if method in METHODS else None


def same_face(one: Box, other: Box) -> bool:
    """Tell whether two boxes mean one face: they overlap, or one lies mostly within the other."""
    smaller = min(one.area, other.area)
    return overlap(one, other) >= SAME_FACE or (smaller > 0 and shared_area(one, other) / smaller >= _WITHIN)


class Find(NamedTuple):
    """A place that may show a face, in pixels of the photograph; ``score`` is on its finder's own scale."""

    box: Box
    score: float


class Scored(Protocol):
    """Something found at a place, surer with a higher score."""

    @property
    def box(self) -> Box: ...
    @property
    def score(self) -> float: ...


Found = TypeVar("Found", bound=Scored)


def best_of_each(found: Iterable[Found]) -> list[Found]:
    """Keep of all finds that mean one face the one with the highest score, surest first.

    Equal scores are decided by the box, so that the answer does not depend on the order of ``found``.
    """

    def rank(item: Found) -> tuple[float, ...]:
        return (-item.score, item.box.left, item.box.top, item.box.right, item.box.bottom)

    kept: list[Found] = []
    for item in sorted(found, key=rank):
        if not any(same_face(item.box, other.box) for other in kept):
            kept.append(item)
    return kept


@dataclass(frozen=True, slots=True)
class View:
    """A piece of a photograph: ``pixels`` show it from (``left``, ``top``) on, enlarged ``scale`` times."""

    pixels: Pixels
    scale: float
    left: float
    top: float

    def in_photo(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return a rectangle of this view in photograph coordinates."""
        x, y, factor = self.left, self.top, 1 / self.scale
        return Box(x + left * factor, y + top * factor, x + right * factor, y + bottom * factor)


def cut(image: Image.Image, region: Box, scale: float) -> View:
    """Cut the part of a photograph within ``region`` (clipped to it), enlarged ``scale`` times.

    Bicubic; if it reduces the filter widens, so that nothing aliases.  Less than one pixel of the view is
    lost at its right and lower edge, so that the scale is exact in both directions.
    """
    left, top = max(0, math.floor(region.left)), max(0, math.floor(region.top))
    right = min(image.width, math.ceil(region.right))
    bottom = min(image.height, math.ceil(region.bottom))
    width, height = max(1, int((right - left) * scale)), max(1, int((bottom - top) * scale))
    box = (left, top, min(image.width, left + width / scale), min(image.height, top + height / scale))
    pixels = image.resize((width, height), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return View(np.asarray(pixels), scale, float(left), float(top))


def views(image: Image.Image, scale: float, *, window: int) -> Iterator[View]:
    """Yield views in which a detector with a ``window`` of so many pixels meets every face at least once.

    The finest level is ``scale`` times the photograph; each further one half of it, until one fits into a
    single view, whose pyramid reaches to the largest faces.  Levels that do not fit are cut into tiles, which
    bounds memory; they share more than the largest face which the next level might miss.
    """
    if window * 3 > _SHARED:
        raise ValueError(f"a window of {window} pixels does not fit into what the tiles share")
    while image.width * image.height * scale * scale > _WHOLE:
        step, side = (_TILE - _SHARED) / scale, _TILE / scale
        for row in range(max(1, math.ceil((image.height - _SHARED / scale) / step))):
            for column in range(max(1, math.ceil((image.width - _SHARED / scale) / step))):
                left, top = column * step, row * step
                yield cut(image, Box(left, top, left + side, top + side), scale)
        scale /= 2
    yield cut(image, Box(0, 0, image.width, image.height), scale)
