"""A labelled folder: the common form of all sets of faces.

Pictures and a ``labels.csv`` (see ``facedata.labels``), as a folder or as a .zip of one that is read in
place.  The vocabulary of poses, lights and accessories is whatever words the labels use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from facedata.crops import FoundFace, UnfitError, find_face, photographed, ready_crop
from facedata.labels import LABELS_FILE, LabelRow, clean_name, parse_labels, write_labels
from facedata.large_pictures import LargePictures, Pictures, stored_large
from facedata.sources import FileSource
from faces.crop import CropGeometry
from faces.errors import DataError, LabelError, PhotoError
from faces.progress import Progress, underway
from faces.types import Pixels

if TYPE_CHECKING:
    from faces.detect import Detector

__all__ = ["FaceSet", "LabelRow", "number_of", "read_labelled", "rendered_mini_path", "write_labels"]

Attribute = Literal["pose", "light", "accessory"]
Words = NDArray[np.str_]


@dataclass(frozen=True)
class FaceSet:
    """Faces and what is known of them; N faces of S × S pixels, all arrays in one order.

    ``crops`` is (N, S, S) uint8 grey; every other array (N,) of words, ``""`` for unknown;
    ``splits`` holds train, val, test or ``""``; ``files`` the picture each face came from.
    ``left_out`` counts pictures that were labelled but in which no face was found.  ``large`` has larger
    pictures of the same faces if there are some; ``clean`` (N, S, S) uint8 the same faces as they had
    better be drawn (``facedata.labels``), a face without a clean version as it is.
    """

    name: str
    crops: NDArray[np.uint8]
    persons: Words
    poses: Words
    lights: Words
    accessories: Words
    splits: Words
    files: Words
    left_out: int = 0
    large: LargePictures | None = None
    clean: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.crops.dtype != np.uint8 or self.crops.ndim != 3 or self.crops.shape[1] != self.crops.shape[2]:
            raise DataError(f"crops must be (N, S, S) uint8, not {self.crops.shape} {self.crops.dtype}.")
        for name in ("persons", "poses", "lights", "accessories", "splits", "files"):
            words = getattr(self, name)
            if words.dtype.kind != "U" or words.shape != (len(self.crops),):
                raise DataError(f"{name} must be {len(self.crops)} words, not {words.shape} {words.dtype}.")
        if self.large is not None and len(self.large) != len(self.crops):
            raise DataError(f"{len(self.crops)} faces need as many larger pictures, not {len(self.large)}.")
        if self.clean is not None and (
            self.clean.shape != self.crops.shape or self.clean.dtype != self.crops.dtype
        ):
            raise DataError(f"clean must be as crops are, not {self.clean.shape} {self.clean.dtype}.")

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return int(self.crops.shape[1])

    @property
    def pictures(self) -> Pictures:
        """What can be seen of the faces, without what is known of them."""
        return Pictures(self.crops, self.large)

    def attribute(self, name: Attribute) -> Words:
        """Return the (N,) words of an attribute; raises DataError if there is no such attribute."""
        if name not in ("pose", "light", "accessory"):
            raise DataError(f"{name!r} is no attribute; the attributes are pose, light and accessory.")
        found: Words = {"pose": self.poses, "light": self.lights, "accessory": self.accessories}[name]
        return found

    def values(self, name: Attribute) -> tuple[str, ...]:
        """List the known words of an attribute: numbers by size, then other words by name."""
        words = {str(word) for word in np.unique(self.attribute(name))} - {""}
        return tuple(sorted(words, key=_by_number_then_name))

    def select(self, which: NDArray[Any]) -> Self:
        """Choose the faces of a boolean mask (N,) or of an array of indices, in that order."""
        return type(self)(
            name=self.name,
            crops=self.crops[which],
            persons=self.persons[which],
            poses=self.poses[which],
            lights=self.lights[which],
            accessories=self.accessories[which],
            splits=self.splits[which],
            files=self.files[which],
            left_out=self.left_out,
            large=None if self.large is None else self.large.select(which),
            clean=None if self.clean is None else self.clean[which],
        )

    def split(self, name: Literal["train", "val", "test"]) -> Self:
        """Choose the faces of one split; none if the labels do not name it."""
        return self.select(self.splits == name)


def number_of(word: str) -> float | None:
    """Return the number a word such as ``+30`` stands for, or None."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def face_set(
    name: str,
    crops: NDArray[np.uint8],
    rows: Sequence[LabelRow],
    left_out: int = 0,
    large: LargePictures | None = None,
    clean: NDArray[np.uint8] | None = None,
) -> FaceSet:
    """Make a set from (N, S, S) uint8 crops, their N label rows, their larger pictures and clean versions."""

    def words(column: str) -> Words:
        return np.array([getattr(row, column) for row in rows], dtype=np.str_)

    return FaceSet(
        name=name,
        crops=crops,
        persons=words("person"),
        poses=words("pose"),
        lights=words("light"),
        accessories=words("accessory"),
        splits=words("split"),
        files=words("file"),
        left_out=left_out,
        large=large,
        clean=clean,
    )


def rendered_mini_path() -> Path:
    """Return where the small rendered set is that comes along, a .zip; raises DataError if it is missing."""
    path = Path(__file__).parent / "mini" / "rendered-mini.zip"
    if not path.is_file():
        raise DataError(f"{path} is missing; install anotheryou again.")
    return path


def read_labelled(
    path: Path,
    *,
    cropped: bool,
    geometry: CropGeometry | None = None,
    detector: Detector | None = None,
    progress: Progress | None = None,
) -> FaceSet:
    """Read a labelled folder, or a .zip of one without unpacking it.

    ``cropped`` says that the pictures are ready crops: square, grey or colour, brought to the size of
    ``geometry`` by area if they have another.  Otherwise each goes through ``detector`` (the one of
    faces.detect if None), its largest face is cropped as ``geometry`` says, and pictures without a face
    are left out and counted.  Faces stand in the order of the label file.

    Raises LabelError for a wrong line, a missing or an unreadable picture, DataError if there is nothing
    to read.  Larger pictures, those kept beside ready crops (``facedata.large_pictures``) or cut from
    photographs, are read when they are asked for; clean versions of ready crops are read at once.
    """
    geometry = geometry or CropGeometry()
    with FileSource(path, LABELS_FILE) as source:
        labels = source.where(LABELS_FILE)
        rows = parse_labels(_read_labels(source), labels)
        if not rows:
            raise DataError(f"{labels} lists no pictures; add a line for each.")
        for row in rows:
            if not source.has(row.file):
                raise LabelError(labels, row.line, "file", f"there is no picture {row.file!r}")
        if not cropped and detector is None:
            from faces.detect import open_detector

            detector = open_detector()
        large = stored_large(source, path, rows) if cropped else None
        crops = np.empty((len(rows), geometry.size, geometry.size), np.uint8)
        clean: dict[int, Pixels] = {}
        kept: list[LabelRow] = []
        found: list[FoundFace] = []
        with underway(progress, "reading faces", len(rows), "pictures") as reading:
            for row in rows:
                file = row.file
                try:
                    if detector is None or cropped:
                        crop: Pixels | None = ready_crop(source.read(row.file), geometry.size)
                        file = clean_name(row.file)
                        if source.has(file):
                            clean[len(kept)] = ready_crop(source.read(file), geometry.size)
                    else:
                        face = find_face(source, row.file, detector, geometry)
                        found += [face] if face else []
                        crop = face.crop if face else None
                except (UnfitError, PhotoError, DataError, OSError) as error:
                    reason = error.reason if isinstance(error, PhotoError) else str(error)
                    raise LabelError(labels, row.line, "file", f"{file!r}: {reason}") from None
                if crop is not None:
                    crops[len(kept)] = crop
                    kept.append(row)
                reading.advance()
    if not kept:
        raise DataError(f"{path}: no face was found on any picture; ready crops are read with --cropped.")
    if found:
        large = photographed(path, [row.file for row in kept], found)
    crops = crops[: len(kept)]
    drawn = crops.copy() if clean else None
    if drawn is not None:
        drawn[list(clean)] = list(clean.values())
    return face_set(path.stem, crops, kept, left_out=len(rows) - len(kept), large=large, clean=drawn)


def _by_number_then_name(word: str) -> tuple[bool, float, str]:
    number = number_of(word)
    return (number is None, 0.0 if number is None else number, word)


def _read_labels(source: FileSource) -> bytes:
    labels = source.where(LABELS_FILE)
    if not source.has(LABELS_FILE):
        raise DataError(f"{labels} is missing; a labelled folder has one beside its pictures.")
    try:
        return source.read(LABELS_FILE)
    except OSError as error:
        raise DataError(f"{labels} cannot be read ({error.strerror}).") from None
