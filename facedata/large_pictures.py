"""Larger pictures of faces, beside their crops: in memory, and as files of a labelled folder.

Networks that others trained on larger faces than ours get a larger picture of each face, never an enlarged
crop.  In a labelled folder that of ``0100/a.png`` is ``large/0100/a.webp``.  ``large.csv`` has the columns
``file`` (as in ``labels.csv``) and ``x0,y0`` ... ``x4,y4``, the five points of ``LargeFace``.  Pictures
without a line have no larger version.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facedata.labels import LABELS_FILE, LabelRow, csv_lines, csv_text, number_of
from facedata.sources import FileSource
from faces.errors import DataError, LabelError, RowUnavailable
from faces.types import Floats, Pixels

POINTS = 5
LARGE_FOLDER, LARGE_FILE = "large", "large.csv"
_NONE = np.full((POINTS, 2), np.nan, np.float32)
COLUMNS = ("file", *(f"{axis}{point}" for point in range(POINTS) for axis in "xy"))
MAX_SIDE = 4096  # pixels; anything larger is a photograph or an attack on memory


@dataclass(frozen=True, slots=True)
class LargeFace:
    """A larger picture of one face.

    Its points are in the order of dlib's five-point model: outer and inner corner of the eye on the right of
    the picture, outer and inner corner of the eye on its left, nose base.
    """

    pixels: Pixels  # (H, W) uint8 grey
    points: Floats  # (5, 2) float32 (x, y), picture coordinates


@dataclass(frozen=True, eq=False)
class LargePictures:
    """Larger pictures of N faces, each read when it is asked for."""

    load: Callable[[int], Pixels]  # gives the (H, W) uint8 grey pixels of the picture of one face
    points: Floats  # (N, 5, 2) float32: those of each face in it (see ``LargeFace``), NaN if it has none

    def __post_init__(self) -> None:
        points = self.points
        if points.dtype != np.float32 or points.ndim != 3 or points.shape[1:] != (POINTS, 2):
            raise DataError(f"points must be (N, {POINTS}, 2) float32, not {points.shape} {points.dtype}.")

    @classmethod
    def held(cls, faces: Sequence[LargeFace | None]) -> Self:
        """Hold pictures that are in memory already; None for a face without."""
        pixels = {at: face.pixels for at, face in enumerate(faces) if face is not None}
        points = np.array([_NONE if face is None else face.points for face in faces], np.float32)
        return cls(load=pixels.__getitem__, points=points.reshape(-1, POINTS, 2))

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(N,) bool: which faces have a larger picture."""
        return np.asarray(np.isfinite(self.points).all(axis=(1, 2)))

    def select(self, which: NDArray[Any]) -> LargePictures:
        """Choose those of a boolean mask (N,) or of an array of indices, in that order; nothing is read."""
        rows = np.arange(len(self))[which].tolist()
        return LargePictures(lambda index: self.load(rows[index]), self.points[which])

    def read(self, index: int) -> LargeFace:
        """Read the larger picture of face ``index``; raises RowUnavailable if there is none, or DataError."""
        if not self.present[index]:
            raise RowUnavailable("not all faces have larger pictures")
        return LargeFace(self.load(index), self.points[index])


@dataclass(frozen=True)
class Pictures:
    """N faces to look at."""

    crops: NDArray[np.uint8]  # (N, S, S) grey
    large: LargePictures | None = None

    def __post_init__(self) -> None:
        if self.crops.dtype != np.uint8 or self.crops.ndim != 3:
            raise DataError(f"crops must be (N, S, S) uint8, not {self.crops.shape} {self.crops.dtype}.")
        if self.large is not None and len(self.large) != len(self.crops):
            raise DataError(f"{len(self.crops)} crops need as many larger pictures, not {len(self.large)}.")

    def __len__(self) -> int:
        return len(self.crops)

    def select(self, which: NDArray[Any]) -> Pictures:
        """Choose those of a boolean mask (N,) or of an array of indices, in that order."""
        return Pictures(self.crops[which], None if self.large is None else self.large.select(which))

    def required_large(self) -> LargePictures:
        """Return the larger pictures of all faces; raises RowUnavailable if some are missing."""
        if self.large is None:
            raise RowUnavailable("the set has no larger pictures")
        missing = int((~self.large.present).sum())
        if missing:
            raise RowUnavailable(f"{missing:,} of {len(self):,} faces have no larger picture")
        return self.large


def large_name(file: str) -> str:
    """Return where the larger version of the picture ``file`` lies inside the folder."""
    return f"{LARGE_FOLDER}/{PurePosixPath(file).with_suffix('.webp')}"


def stored_large(source: FileSource, path: Path, rows: Sequence[LabelRow]) -> LargePictures | None:
    """Offer the larger pictures of the labelled ``rows``, None if the set keeps none.

    ``path``, which ``source`` has open, is opened anew when the first picture is read.  Raises LabelError for
    a wrong line of ``large.csv`` and for a picture that is not there.
    """
    if not source.has(LARGE_FILE):
        return None
    listed = source.where(LARGE_FILE)
    known = parse_large(source.read(LARGE_FILE), listed)
    points = np.full((len(rows), POINTS, 2), np.nan, np.float32)
    names = [large_name(row.file) for row in rows]
    for at, row in enumerate(rows):
        if row.file in known:
            line, points[at] = known[row.file]
            if not source.has(names[at]):
                raise LabelError(listed, line, "file", f"there is no picture {names[at]!r}")
    opened = cache(lambda: FileSource(path, LABELS_FILE))  # a .zip stays open from the first picture on

    def load(number: int) -> Pixels:
        content = opened().read(names[number])
        try:
            return np.asarray(read_grey(content))
        except DataError as error:
            raise DataError(f"{opened().where(names[number])} {error}.") from None

    return LargePictures(load=load, points=points)


def read_grey(content: bytes) -> Image.Image:
    """Read a picture of a face as grey levels; raises DataError, which says why not but does not name it."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if max(picture.size) > MAX_SIDE:
                raise DataError(f"is too large, {picture.width} × {picture.height} pixels")
            if not picture.mode.startswith("I"):
                return picture.convert("L")
            deep = np.asarray(picture).astype(np.int64) >> 8  # 16 bits per pixel
            return Image.fromarray(deep.clip(0, 255).astype(np.uint8))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot be read ({error})") from None


def parse_large(content: bytes, path: Path) -> dict[str, tuple[int, Floats]]:
    """Parse a ``large.csv`` to line number and points (5, 2) float32 by picture; raises LabelError."""
    found: dict[str, tuple[int, Floats]] = {}
    for line, (file, *words) in csv_lines(content, path):
        if line == 1:
            if (file, *words) != COLUMNS:
                raise LabelError(path, 1, "file", f"the first line must be {','.join(COLUMNS)}")
            continue
        if len(words) != 2 * POINTS or not file:
            raise LabelError(path, line, "file", f"a line has {len(COLUMNS)} filled fields")
        numbers = [number_of(word) for word in words]
        if None in numbers:
            wrong = numbers.index(None)
            raise LabelError(path, line, COLUMNS[1 + wrong], f"{words[wrong]!r} is no number")
        found[file] = (line, np.array(numbers, np.float32).reshape(POINTS, 2))
    return found


def format_large(points: Mapping[str, Floats]) -> bytes:
    """Return the bytes of a ``large.csv`` with these points (5, 2) by picture, to a hundredth of a pixel."""
    rows = [[file, *(f"{value:.2f}" for value in five.ravel().tolist())] for file, five in points.items()]
    return csv_text([COLUMNS, *rows]).encode()
