"""Annotations of Multi-PIE: eyes and chin by El Shafey et al., and the labels that come with the set.

``.pos`` files (L. El Shafey, C. McCool, R. Wallace, S. Marcel, "A Scalable Formulation of Probabilistic
Linear Discriminant Analysis", 2013; the paper's annotations; http://www.idiap.ch/resource/biometric) repeat
the set's folders and names.  Their format is known from https://github.com/walkoncross/bob.db.multipie
(bob/db/multipie/query.py): the first line is a number of points, then a line "x y" for each; 16 points for
frontal faces, 8 for half turned ones, 6 for profiles, 2 if only the eyes could be seen.

``SSS_SS_RR_CCC_LL_lm.mat`` (folder MPie_Labels, by Gross et al.) have a variable ``pts`` of 68 points (66
without the inner corners of the mouth) in the usual order of 68, or of 39 in profiles.  There are 6,152, so
not for all people and poses.  That they count pixels from 1 is our assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facedata.readers.common import Entry, LeftOutError, files_below, read_mat
from facedata.readers.landmarks import from_eyes, from_eyes_and_chin, is_face
from facedata.readers.multipie import Shot, is_wanted, keeps_out, parse_name
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Landmarks, Photo

_CHIN = {8: 7, 16: 11}  # place of the chin among so many points
_CENTRE = 0.5  # numbers name pixels; a pixel's centre lies half a pixel from its corner
_MARK = "_lm"

Key = tuple[str, str, str]  # person, recording, camera: pictures taken together


def parse_pos(text: str, yaw: float) -> Landmarks:
    """Parse the landmarks of a ``.pos`` file; raises LeftOutError if it has none for a crop."""
    words = text.split()
    try:
        count = int(words[0])
        points = np.array(words[1 : 1 + 2 * count], float).reshape(count, 2) + _CENTRE
    except (ValueError, IndexError):
        raise LeftOutError("its annotation is no list of points") from None
    if count not in (2, *_CHIN) or not np.isfinite(points).all():
        raise LeftOutError(f"its annotation has {count} points, which are no pair of eyes and a chin")
    one, other = (float(points[0, 0]), float(points[0, 1])), (float(points[1, 0]), float(points[1, 1]))
    if count == 2:
        return from_eyes(one, other, yaw)
    chin = points[_CHIN[count]]
    return from_eyes_and_chin(one, other, (float(chin[0]), float(chin[1])))


def from_68(points: Any) -> Landmarks:
    """Make landmarks from (68, 2) or (66, 2) points, counted from 1; raises LeftOutError if they are not."""
    try:
        marks = np.asarray(points, float) - _CENTRE
    except (TypeError, ValueError):
        raise LeftOutError("its annotation is no list of points") from None
    if marks.shape not in ((68, 2), (66, 2)) or not np.isfinite(marks).all():
        raise LeftOutError("its annotation does not have 68 points")
    eyes = [(marks[a] + marks[b]) / 2 for a, b in ((36, 39), (42, 45))]
    left, right = sorted((float(x), float(y)) for x, y in eyes)
    nose, chin = marks[33], marks[8]
    return Landmarks(left, right, (float(nose[0]), float(nose[1])), (float(chin[0]), float(chin[1])))


class MultiPieMarks:
    """Landmarks from a folder of annotations.

    A picture without a file of its own takes that of another light: 20 pictures are taken within 0.7 seconds.
    """

    def __init__(self, folder: Path, *, progress: Progress | None = None) -> None:
        self._files: dict[Key, dict[str, Path]] = {}
        for path in files_below(folder, skip=keeps_out, progress=progress):
            shot = _annotated(path)
            if shot is not None and is_wanted(shot):
                files = self._files.setdefault(_key(shot), {})
                if path.suffix.lower() == ".pos" or shot.light not in files:  # .pos are there for everybody
                    files[shot.light] = path
        if not self._files:
            raise DataError(
                f"{folder} holds no annotations such as 001_01_01_051_07.pos or 001_01_01_051_07_lm.mat; "
                "give their folder, or leave --annotations out to look for the faces."
            )

    def __call__(self, entry: Entry, photo: Photo) -> Landmarks:
        """Read the landmarks.  Raises LeftOutError if nothing usable is annotated."""
        shot = parse_name(entry.source.stem)
        files = {} if shot is None else self._files.get(_key(shot), {})
        if shot is None or not files:
            raise LeftOutError("it is not annotated")
        reason = LeftOutError("its annotation makes no face")
        for path in _nearest_first(files, int(shot.light)):
            try:
                found = _read(path, float(shot.yaw or 0))
            except LeftOutError as error:
                reason = error
                continue
            if is_face(found):
                return found
        raise reason


def _annotated(path: Path) -> Shot | None:
    """The shot that an annotation file belongs to."""
    suffix, stem = path.suffix.lower(), path.stem.lower()
    if suffix == ".pos":
        return parse_name(stem)
    return parse_name(stem.removesuffix(_MARK)) if suffix == ".mat" and stem.endswith(_MARK) else None


def _key(shot: Shot) -> Key:
    return shot.person, shot.recording, shot.camera


def _nearest_first(files: Mapping[str, Path], light: int) -> list[Path]:
    return [files[name] for name in sorted(files, key=lambda name: (abs(int(name) - light), name))]


def _read(path: Path, yaw: float) -> Landmarks:
    if path.suffix.lower() == ".pos":
        try:
            return parse_pos(path.read_text(encoding="latin-1"), yaw)
        except OSError as error:
            raise LeftOutError(f"its annotation cannot be read ({error.strerror})") from None
    return from_68(read_mat(path, "pts").get("pts"))
