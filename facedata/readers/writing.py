"""Writes what a reader has planned as a labelled folder of ready crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from facedata.labelled import resized, write_picture
from facedata.labels import LABELS_FILE, csv_text, write_labels
from facedata.large_pictures import LARGE_FILE, LargeFace, format_large, large_name
from facedata.readers.common import Entry, Finder, LeftOutError, Plan
from faces.chips import five_points
from faces.claims import claimed
from faces.crop import CropGeometry, crop_face, crop_transform
from faces.errors import DataError, PhotoError
from faces.files import write_atomically
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Floats, Landmarks, Photo, Pixels

LEFT_OUT_FILE = "left-out.csv"
LARGE = CropGeometry(size=192, eye_y=0.34, nose_distance=0.20)
"""Larger pictures show 1.25 times as much as a crop, about the same centre, as those of rendered faces do."""
_POINTS = "points"  # the text within a crop's PNG that keeps the five points of its larger picture

Face = tuple[Pixels, LargeFace | None]
"""What is kept of a picture: its crop (S, S) uint8 grey and, if there is one, its larger picture."""


class Imported(NamedTuple):
    """What an import came to: pictures in the set, and those left out with the reason of each."""

    pictures: int
    people: int
    left_out: Sequence[tuple[Path, str]]


def face_cutter(
    find: Finder, *, size: int, large: bool, opened: Callable[[Path], Photo] = read_photo
) -> Callable[[Entry], Face]:
    """Make a function that reads a photograph and cuts its face out as a network's crops are cut.

    ``size`` is the side of crops, also of the set's own; ``large`` asks for larger pictures as well, which
    are never enlarged.  The function raises LeftOutError, or PhotoError if the picture cannot be read.
    """
    geometry = CropGeometry(size=size)

    def cut(entry: Entry) -> Face:
        if entry.crop is not None:
            return np.asarray(resized(Image.fromarray(entry.crop), size)), None
        photo = opened(entry.source)
        landmarks = find(entry, photo)
        try:
            crop = crop_face(photo.pixels, landmarks, geometry)
            return crop, _larger(photo, landmarks) if large else None
        except ValueError as error:
            raise LeftOutError(f"its landmarks make no face ({error})") from None

    return cut


def import_faces(
    plan: Plan,
    out: Path,
    cut: Callable[[Entry], Face],
    settings: Mapping[str, object],
    *,
    progress: Progress | None = None,
) -> Imported:
    """Write the faces of a plan to the labelled folder ``out``.

    A picture that cannot be used is named in ``left-out.csv`` and left out.  What an earlier, interrupted
    call with the same ``settings`` (JSON values) finished is kept; ``labels.csv`` is written last.  Raises
    DataError if ``out`` holds something else or cannot be written, or no picture could be used.
    """
    left_out: list[tuple[Path, str]] = []
    rows = []
    points: dict[str, Floats] = {}
    try:
        with claimed(out, settings, what="imported set"):
            with underway(progress, "importing", len(plan.entries), "pictures") as importing:
                for entry in plan.entries:
                    file = entry.row.file
                    try:
                        if not (out / file).is_file():
                            _write(*cut(entry), file, out)
                    except (PhotoError, LeftOutError) as error:
                        reason = error.reason if isinstance(error, PhotoError) else str(error)
                        left_out.append((entry.source, reason))
                    else:
                        rows.append(entry.row)
                        with Image.open(out / file) as picture:
                            words = str(picture.info.get(_POINTS, "")).split()
                        if words:
                            points[file] = np.array(words, np.float32).reshape(-1, 2)
                    importing.advance()
            if not rows:
                first = "; the first: {}: {}".format(*left_out[0]) if left_out else ""
                raise DataError(f"none of the pictures could be used{first}.")
            if points:
                write_atomically(out / LARGE_FILE, format_large(points))
            listing = csv_text([("picture", "reason"), *left_out]).encode("utf-8", "backslashreplace")
            write_atomically(out / LEFT_OUT_FILE, listing)
            write_labels(out / LABELS_FILE, rows)
    except OSError as error:
        raise DataError(f"{error.filename or out} cannot be used: {error.strerror or error}.") from error
    return Imported(len(rows), len({row.person for row in rows}), left_out)


def _larger(photo: Photo, landmarks: Landmarks) -> LargeFace:
    """The larger picture of a face, at most one of its pixels for each of the photograph's."""
    whole = crop_transform(landmarks, CropGeometry(1, LARGE.eye_y, LARGE.nose_distance))
    side = min(LARGE.size, max(1, int(np.hypot(whole[0, 0], whole[1, 0]))))  # photograph's pixels across
    geometry = CropGeometry(side, LARGE.eye_y, LARGE.nose_distance)
    matrix = crop_transform(landmarks, geometry)
    within = np.linalg.solve(matrix[:, :2], (five_points(landmarks) - matrix[:, 2]).T).T
    return LargeFace(crop_face(photo.pixels, landmarks, geometry), within.astype(np.float32))


def _write(crop: Pixels, large: LargeFace | None, file: str, out: Path) -> None:
    """Write both pictures, the crop last: if it is there, both are."""
    text = PngInfo()
    if large is not None:
        write_picture(out / large_name(file), large.pixels, quality=90, method=4)
        text.add_text(_POINTS, " ".join(f"{value:.2f}" for value in large.points.ravel().tolist()))
    write_picture(out / file, crop, compress_level=6, pnginfo=text)
