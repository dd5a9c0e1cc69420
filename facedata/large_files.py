"""Larger pictures of a labelled folder: ``large/`` and ``large.csv`` beside its ``labels.csv``.

The larger picture of ``0100/a.png`` is ``large/0100/a.webp``.  ``large.csv`` has the columns ``file`` (as
in ``labels.csv``) and ``x0,y0`` ... ``x4,y4``, the five points of ``facedata.pictures.LargeFace``.  Pictures
without a line have no larger version.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from facedata.labels import LABELS_FILE, LabelRow
from facedata.pictures import POINTS, LargePictures
from facedata.sources import FileSource
from faces.errors import DataError, LabelError
from faces.types import Floats, Pixels

LARGE_FOLDER = "large"
LARGE_FILE = "large.csv"
COLUMNS = ("file", *(f"{axis}{point}" for point in range(POINTS) for axis in "xy"))
_MAX_SIDE = 4096  # pixels; anything larger is a photograph or an attack on memory


def large_name(file: str) -> str:
    """Where the larger version of the picture ``file`` lies inside the folder."""
    return f"{LARGE_FOLDER}/{PurePosixPath(file).with_suffix('.webp')}"


def stored_large(source: FileSource, path: Path, rows: Sequence[LabelRow]) -> LargePictures | None:
    """The larger pictures of the labelled ``rows``, None where the set keeps none.

    ``source`` is open and only used now; ``path`` is the folder or .zip, opened anew when the first picture
    is read.  Raises LabelError for a wrong line of ``large.csv`` and for a picture that is not there.
    """
    if not source.has(LARGE_FILE):
        return None
    listed = source.where(LARGE_FILE)
    try:
        known = parse_large(source.read(LARGE_FILE), listed)
    except OSError as error:
        raise DataError(f"{listed} cannot be read ({error.strerror}).") from None
    points = np.full((len(rows), POINTS, 2), np.nan, np.float32)
    for at, row in enumerate(rows):
        if row.file in known:
            line, points[at] = known[row.file]
            if not source.has(large_name(row.file)):
                raise LabelError(listed, line, "file", f"there is no picture {large_name(row.file)!r}")
    return LargePictures(load=_Stored(path, [large_name(row.file) for row in rows]), points=points)


def parse_large(content: bytes, path: Path) -> dict[str, tuple[int, Floats]]:
    """Line number and points (5, 2) float32 by picture from the bytes of a ``large.csv``.

    ``path`` is its name for error messages.  Raises LabelError, which names file, line and column.
    """
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        found: dict[str, tuple[int, Floats]] = {}
        for words in lines:
            if lines.line_num == 1:
                if tuple(words) != COLUMNS:
                    raise LabelError(path, 1, "file", f"the first line must be {','.join(COLUMNS)}")
                continue
            if len(words) != len(COLUMNS) or not words[0]:
                raise LabelError(path, lines.line_num, "file", f"a line has {len(COLUMNS)} filled fields")
            found[words[0]] = (lines.line_num, _numbers(words, path, lines.line_num))
    except UnicodeDecodeError:
        raise LabelError(path, 1, "file", "the text is not UTF-8; save the file as UTF-8") from None
    except csv.Error as error:
        raise LabelError(path, 1, "file", f"is not comma separated text ({error})") from None
    return found


def format_large(points: Mapping[str, Floats]) -> bytes:
    """What a ``large.csv`` with these points (5, 2) by picture holds, to a hundredth of a pixel."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for file, five in points.items():
        writer.writerow([file, *(f"{value:.2f}" for value in five.ravel().tolist())])
    return text.getvalue().encode()


def _numbers(words: Sequence[str], path: Path, line: int) -> Floats:
    values = []
    for column, word in zip(COLUMNS[1:], words[1:], strict=True):
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise LabelError(path, line, column, f"{word!r} is no number")
        values.append(value)
    return np.array(values, np.float32).reshape(POINTS, 2)


class _Stored:
    """Reads larger pictures of a folder or .zip by number; a .zip stays open from the first on."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self._path, self._names = path, names
        self._source: FileSource | None = None

    def __call__(self, number: int) -> Pixels:
        if self._source is None:
            self._source = FileSource(self._path, LABELS_FILE)
        name = self._names[number]
        try:
            with Image.open(io.BytesIO(self._source.read(name))) as picture:
                if max(picture.size) > _MAX_SIDE:
                    raise DataError(f"{self._source.where(name)} is too large; render the set again.")
                return np.asarray(picture.convert("L"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{self._source.where(name)} cannot be read ({error}).") from None
