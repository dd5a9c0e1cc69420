"""What all readers share: what is to be imported, where the faces are, and what is told of what is missing.

The crop takes its scale from the nose base (``faces.crop``).  Where that is not annotated, it follows from
other points by mean proportions of 2,000 random heads of ICT-FaceKit (coefficients drawn from N(0, 1), cut at
2.5; eyes between their corners 36, 39 and 42, 45, mouth between its corners 48 and 54, nose base 33 of the 68
landmarks; parallel projection).  The numbers behind ± are standard deviations.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from facedata.labels import LabelRow
from faces.crop import CHIN_TO_NOSE_BASE, CropGeometry, crop_transform
from faces.errors import DataError, PhotoError
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Landmarks, Photo, Pixels

if TYPE_CHECKING:
    from faces.detect import Detector

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
# Nose base below the eye line / distance of the eyes in a frontal face: 0.723 ± 0.048.
NOSE_TO_EYES = 0.723
# Mouth below the eye line / nose base below it: 1.511 ± 0.059; hardly changes to 45 degrees of yaw (1.52).
MOUTH_TO_NOSE_BASE = 1.511
CENTRE = 0.5  # annotations name pixels, whose centres lie half a pixel from their corners
_TOLD = 8  # names in one line before "and N more"

Point = tuple[float, float]
Shot = TypeVar("Shot")


class LeftOutError(Exception):
    """A picture cannot be imported; the message is a short plain phrase that says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a set."""

    source: Path
    row: LabelRow  # its line in the new labels; its file there ends in .png
    group: str = ""  # pictures of one group were taken together: the face lies at one place in all of them
    landmarks: Landmarks | None = None  # those that the set annotates
    crop: Pixels | None = None  # (S, S) uint8, a face that the set has cropped


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import will do."""

    entries: Sequence[Entry]
    missing: Sequence[str] = ()  # plain sentences that say what the full set has and this copy lacks
    notes: Sequence[str] = ()  # what else is worth knowing, such as pictures of other names
    darkness: Callable[[str], int] = len  # how badly a light serves to look for a face
    most: int | None = None  # in how many pictures of a group that is worth while

    @property
    def tried(self) -> dict[str, list[Path]]:
        """The pictures of each group in which to look for the face, the best lit first."""
        groups = defaultdict(list)
        for entry in self.entries:
            groups[entry.group].append((self.darkness(entry.row.light), entry.row.light, entry.source))
        return {group: [path for _, _, path in sorted(found)][: self.most] for group, found in groups.items()}

    def require_all(self, name: str) -> None:
        """Raise DataError, which names what is missing, unless nothing is."""
        if self.missing:
            more = len(self.missing) - _TOLD
            told = "; ".join(self.missing[:_TOLD]) + (f"; and {more:,} more" if more > 0 else "")
            raise DataError(
                f"this copy of {name} is not complete: {told}. "
                "Add what is missing, or give --partial to import the rest."
            )


Finder = Callable[[Entry, Photo], Landmarks]
"""Finds the landmarks of an entry on its photograph; raises LeftOutError if there are none."""


def annotated_landmarks(entry: Entry, photo: Photo, reason: str = "it is not annotated") -> Landmarks:
    """Give the landmarks that the set annotates."""
    if entry.landmarks is None:
        raise LeftOutError(reason)
    return entry.landmarks


def files_below(
    folder: Path, *, skip: Callable[[str], bool] = lambda name: False, progress: Progress | None = None
) -> Iterator[Path]:
    """Yield all files below a folder in order of name, hidden ones left out.

    ``skip`` tells of a folder's lower-case name whether to keep out.  Raises DataError if it is unreadable.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give the one that holds the set.")

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be listed ({error.strerror}).") from error

    seen = set()
    with underway(progress, "looking for files", None, "files") as looking:
        for place, below, names in os.walk(folder, onerror=fail, followlinks=True):
            status = Path(place).stat()
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above it would never end
                below.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            below[:] = sorted(name for name in below if name[0] != "." and not skip(name.lower()))
            for name in sorted(names):
                if name[0] != ".":
                    looking.advance()
                    yield Path(place, name)


def find_pictures(
    source: Path,
    parse: Callable[[str], Shot | None],
    what: str,
    example: str,
    give: str,
    *,
    more: str = "",
    wanted: Callable[[Shot], bool] = lambda shot: True,
    needed: Callable[[Shot], bool] = lambda shot: True,
    prefer: Callable[[Path], Any] = lambda path: 0,
    skip: Callable[[str], bool] = lambda name: False,
    progress: Progress | None = None,
) -> tuple[dict[Shot, Path], list[str]]:
    """Find the pictures of a set by their names; returns the first that is preferred of each shot, and notes.

    ``parse`` tells what a name without its ending says, None of other names; ``more`` is another ending.
    ``what`` is the set and ``give`` a folder in the DataError raised if none ``wanted`` is ``needed``.
    """
    shots: dict[Shot, list[Path]] = defaultdict(list)
    others = []
    for path in files_below(source, skip=skip, progress=progress):
        if path.suffix and path.suffix.lower() in {*PICTURE_SUFFIXES, more}:
            shot = parse(path.stem)
            if shot is None:
                others.append(path.name)
            elif wanted(shot):
                shots[shot].append(path)
    if not any(map(needed, shots)):
        raise DataError(f"{source} holds no pictures named as those of {what} ({example}) are; give {give}.")
    notes = [f"left out because of names unlike {example}: {listed(others)}"] if others else []
    return {shot: min(paths, key=prefer) for shot, paths in shots.items()}, notes


def listed(words: Iterable[str]) -> str:
    """Write ``a, b and 3 more``: enough of the words to know what to look for."""
    words = list(words)
    told = ", ".join(words[:_TOLD])
    return f"{told} and {len(words) - _TOLD:,} more" if len(words) > _TOLD else told


def people_missing(found: int, expected: int, where: str, absent: Collection[str] = ()) -> list[str]:
    """Say in one sentence if other than the expected number of people were found, and who is ``absent``."""
    if found == expected:
        return []
    tail = f": {listed(absent)} {'is' if len(absent) == 1 else 'are'} missing" if absent else ""
    return [f"{where} has {expected:,} people; {found:,} found{tail}"]


def in_halves(people: Iterable[str]) -> dict[str, str]:
    """Split a set without a protocol: in order of name the first half trains, the others test."""
    names = sorted(set(people))
    half = (len(names) + 1) // 2
    return {name: "train" if at < half else "test" for at, name in enumerate(names)}


def read_mat(path: Path, *names: str) -> dict[str, Any]:
    """Read the named variables that a MATLAB file has; raises LeftOutError if it cannot be read."""
    from scipy.io import loadmat

    try:
        found: dict[str, Any] = loadmat(str(path), variable_names=names, appendmat=False)
    # A damaged file makes the reader raise nearly anything, and one bad file must never stop an import.
    except Exception as error:
        raise LeftOutError(f"{path.name} is no MATLAB file that can be read ({error})") from None
    return {name: found[name] for name in names if name in found}


def from_eyes(one: Point, other: Point, yaw: float = 0.0) -> Landmarks:
    """Make landmarks from eye centres (scale ± 7 %); ``yaw`` in degrees has shortened their distance."""
    return _landmarks(
        one, other, NOSE_TO_EYES * math.dist(one, other) / max(0.1, math.cos(math.radians(yaw)))
    )


def from_eyes_and_mouth(one: Point, other: Point, mouth: Point) -> Landmarks:
    """Make landmarks from eyes and the middle of the mouth; off by 4 %, more if the mouth is open."""
    return _landmarks(one, other, _depth(one, other, mouth) / MOUTH_TO_NOSE_BASE)


def from_eyes_and_chin(one: Point, other: Point, chin: Point) -> Landmarks:
    """Make landmarks from eye centres and chin, as the paper aligned Multi-PIE (section 4.1)."""
    return _landmarks(one, other, _depth(one, other, chin) / CHIN_TO_NOSE_BASE, chin)


def _landmarks(one: Point, other: Point, depth: float, chin: Point | None = None) -> Landmarks:
    """A face whose nose base lies so far below the line of the eyes."""
    middle, down = _frame(one, other)
    x, y = middle + down * depth
    left, right = sorted((one, other))
    return Landmarks(left, right, (float(x), float(y)), chin)


def _depth(one: Point, other: Point, point: Point) -> float:
    """How far a point lies below the line of the eyes, at right angles to it."""
    middle, down = _frame(one, other)
    return float((np.array(point) - middle) @ down)


def _frame(one: Point, other: Point) -> tuple[Any, Any]:
    """The point between the eyes, and the direction down the face (length 1; 0 if the eyes coincide)."""
    left, right = sorted((one, other))
    across = np.subtract(right, left)
    length = float(np.hypot(*across))
    across = across / length if length > 0 else across
    return np.add(left, right) / 2, np.array([-across[1], across[0]])


def is_face(landmarks: Landmarks) -> bool:
    """Whether a crop fits these landmarks."""
    try:
        crop_transform(landmarks, CropGeometry())
    except ValueError:
        return False
    return True


def detected_landmarks(detector: Detector, tried: Mapping[str, Sequence[Path]]) -> Finder:
    """Look for the largest face, in one picture for each group.

    Pictures of a group show the face at the same place in other light, so that dark ones get the landmarks of
    one of those ``tried``, the best lit first.
    """

    def largest(photo: Photo) -> Landmarks | None:
        found = (face.landmarks for face in detector.detect(photo))
        return next((landmarks for landmarks in found if is_face(landmarks)), None)

    @cache
    def of_group(group: str) -> Landmarks | None:
        for path in tried[group]:
            with suppress(PhotoError):
                landmarks = largest(read_photo(path))
                if landmarks is not None:
                    return landmarks
        return None

    def find(entry: Entry, photo: Photo) -> Landmarks:
        landmarks = of_group(entry.group) if entry.group else largest(photo)
        if landmarks is None:
            raise LeftOutError("no face was found on it" + (" or its companions" if entry.group else ""))
        return landmarks

    return find
