"""A labelled folder: the common form of all sets of faces.

Pictures and a ``labels.csv`` (see ``facedata.labels``), as a folder or as a .zip of one that is read in
place.  The vocabulary of poses, lights and accessories is whatever words the labels use.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facedata.labels import COLUMNS, LABELS_FILE, LabelRow, clean_name, number_of, parse_labels, write_labels
from facedata.large_pictures import LargeFace, LargePictures, Pictures, read_grey, stored_large
from facedata.sources import FileSource
from faces.chips import five_points
from faces.crop import CropGeometry, crop_face, crop_transform
from faces.errors import DataError, LabelError, PhotoError
from faces.files import replacing
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Floats, Landmarks, Photo, Pixels

if TYPE_CHECKING:
    from faces.detect import Detector

__all__ = ["FaceSet", "LabelRow", "number_of", "read_labelled", "rendered_mini_path", "write_labels"]

Attribute = Literal["pose", "light", "accessory", "tilt", "expression"]
Words = NDArray[np.str_]
LARGE_CROP = 150  # pixels that a crop is wide in a larger picture, if the photograph has as many


ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
"""What can be wished for, and what else pictures may agree or differ in."""
WORDS = ("persons", "poses", "lights", "accessories", "splits", "tilts", "expressions", "scenes", "files")


@dataclass(frozen=True)
class FaceSet:
    """Faces and what is known of them; N faces of S × S pixels, all arrays in one order.

    Words are ``""`` if they are not known.  ``clean`` are the same faces as they had better be drawn
    (``facedata.labels``), a face without a clean version as it is.
    """

    name: str
    crops: NDArray[np.uint8]  # (N, S, S) grey
    persons: Words  # (N,), as all words
    poses: Words
    lights: Words
    accessories: Words
    splits: Words  # train, val, test or ""
    tilts: Words
    expressions: Words
    scenes: Words  # pictures of a person in one scene agree in what is not labelled
    files: Words  # the picture each face came from
    left_out: int = 0  # pictures that were labelled but in which no face was found
    large: LargePictures | None = None  # larger pictures of the same faces
    clean: NDArray[np.uint8] | None = None  # (N, S, S) grey

    def __post_init__(self) -> None:
        if self.crops.dtype != np.uint8 or self.crops.ndim != 3 or self.crops.shape[1] != self.crops.shape[2]:
            raise DataError(f"crops must be (N, S, S) uint8, not {self.crops.shape} {self.crops.dtype}.")
        for name in WORDS:
            words = getattr(self, name)
            if words.dtype.kind != "U" or words.shape != (len(self.crops),):
                raise DataError(f"{name} must be {len(self.crops)} words, not {words.shape} {words.dtype}.")
        if self.large is not None and len(self.large) != len(self.crops):
            raise DataError(f"{len(self.crops)} faces need as many larger pictures, not {len(self.large)}.")
        clean = self.crops if self.clean is None else self.clean
        if clean.shape != self.crops.shape or clean.dtype != self.crops.dtype:
            raise DataError(f"clean must be as crops are, not {clean.shape} {clean.dtype}.")

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
        if name not in ATTRIBUTES:
            raise DataError(f"{name!r} is no attribute; the attributes are {', '.join(ATTRIBUTES)}.")
        found: Words = getattr(self, "accessories" if name == "accessory" else f"{name}s")
        return found

    def values(self, name: Attribute) -> tuple[str, ...]:
        """List the known words of an attribute: numbers by size, then other words by name."""
        words = {*np.unique(self.attribute(name)).tolist()} - {""}
        return tuple(sorted(words, key=lambda word: (number_of(word) is None, number_of(word) or 0.0, word)))

    def select(self, which: NDArray[Any]) -> Self:
        """Choose the faces of a boolean mask (N,) or of an array of indices, in that order."""
        chosen: dict[str, Any] = {name: getattr(self, name)[which] for name in ("crops", *WORDS)}
        chosen["large"] = None if self.large is None else self.large.select(which)
        chosen["clean"] = None if self.clean is None else self.clean[which]
        return replace(self, **chosen)

    def split(self, name: Literal["train", "val", "test"]) -> Self:
        """Choose the faces of one split; none if the labels do not name it."""
        return self.select(self.splits == name)


def face_set(
    name: str,
    crops: NDArray[np.uint8],
    rows: Sequence[LabelRow],
    left_out: int = 0,
    large: LargePictures | None = None,
    clean: NDArray[np.uint8] | None = None,
) -> FaceSet:
    """Make a set from (N, S, S) uint8 crops, their N label rows, their larger pictures and clean versions."""
    columns = zip(WORDS, (*COLUMNS[1:], "file"), strict=True)
    words: dict[str, Any] = {
        many: np.array([getattr(row, one) for row in rows], dtype=np.str_) for many, one in columns
    }
    return FaceSet(name, crops, **words, left_out=left_out, large=large, clean=clean)


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
    """Read a labelled folder, or a .zip of one without unpacking it, in the order of the label file.

    ``cropped`` says that the pictures are ready crops: square, grey or colour, brought to the size of
    ``geometry`` by area if they have another.  Otherwise each goes through ``detector`` (the one of
    faces.detect if None), its largest face is cropped as ``geometry`` says, and pictures without a face are
    left out and counted.  Raises LabelError for a wrong line, a missing or an unreadable picture, DataError
    if there is nothing to read.  Larger pictures are read when they are asked for, clean versions at once.
    """
    geometry = geometry or CropGeometry()
    with FileSource(path, LABELS_FILE) as source:
        labels = source.where(LABELS_FILE)
        if not source.has(LABELS_FILE):
            raise DataError(f"{labels} is missing; a labelled folder has one beside its pictures.")
        rows = parse_labels(source.read(LABELS_FILE), labels)
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
        found: list[Landmarks] = []
        points: list[Floats] = []
        with underway(progress, "reading faces", len(rows), "pictures") as reading:
            for row in rows:
                file = row.file
                try:
                    if detector is None or cropped:
                        crops[len(kept)] = ready_crop(source.read(file), geometry.size)
                        file = clean_name(file)
                        if source.has(file):
                            clean[len(kept)] = ready_crop(source.read(file), geometry.size)
                        kept.append(row)
                    else:
                        photo = _photo(source, file)
                        for face in detector.detect(photo):
                            with suppress(ValueError):  # landmarks that leave no scale: not a face
                                crops[len(kept)] = crop_face(photo.pixels, face.landmarks, geometry)
                                points.append(large_face(photo.pixels, face.landmarks).points)
                                found.append(face.landmarks)
                                kept.append(row)
                                break
                except (PhotoError, DataError) as error:
                    reason = error.reason if isinstance(error, PhotoError) else str(error)
                    raise LabelError(labels, row.line, "file", f"{file!r}: {reason}") from None
                reading.advance()
    if not kept:
        raise DataError(f"{path}: no face was found on any picture; ready crops are read with --cropped.")

    def photographed(number: int) -> Pixels:
        """The larger picture of a face; its photograph is opened again, so that none stays in memory."""
        with FileSource(path, LABELS_FILE) as source:
            return large_face(_photo(source, kept[number].file).pixels, found[number]).pixels

    if found:
        large = LargePictures(load=photographed, points=np.stack(points))
    crops = crops[: len(kept)]
    drawn = crops.copy() if clean else None
    if drawn is not None:
        drawn[list(clean)] = list(clean.values())
    return face_set(path.stem, crops, kept, left_out=len(rows) - len(kept), large=large, clean=drawn)


def ready_crop(content: bytes, size: int | None = None) -> Pixels:
    """Read a square picture as (S, S) uint8 grey, of its own side if ``size`` is None.

    Raises DataError, which says why not but does not name it.
    """
    picture = read_grey(content)
    if picture.width != picture.height:
        raise DataError(f"is {picture.width} × {picture.height} pixels, but a ready crop is square")
    return np.asarray(resized(picture, size or picture.width))


def resized(picture: Image.Image, side: int) -> Image.Image:
    """Bring a square picture to another side: by area if it shrinks, smoothly if it grows."""
    if picture.width == side:
        return picture
    way = Image.Resampling.BOX if picture.width > side else Image.Resampling.BILINEAR
    return picture.resize((side, side), way)


def write_picture(path: Path, pixels: Pixels, **options: Any) -> None:
    """Write pixels to a file in one step, as its suffix says and Pillow's ``options``; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        Image.fromarray(pixels).save(part, path.suffix[1:], **options)


def large_face(pixels: Pixels, landmarks: Landmarks) -> LargeFace:
    """Cut a face from its photograph, (H, W) grey or (H, W, 3) RGB uint8, with what is around it.

    Twice as wide as its crop, as far as the photograph reaches; a face of more than 300 pixels is averaged
    down by a whole factor.  Raises ValueError as ``crop_transform`` does, and for a face beside the picture.
    """
    matrix = crop_transform(landmarks, CropGeometry(size=1))
    side, middle = float(np.hypot(*matrix[:, 0])), matrix @ [0.5, 0.5, 1]
    size = pixels.shape[1::-1]
    low = np.clip(np.floor(middle - side), 0, size).astype(int)
    high = np.clip(np.ceil(middle + side), 0, size).astype(int)
    if (high <= low).any():
        raise ValueError("the face lies beside its picture")
    cut = Image.fromarray(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]])).convert("L")
    factor = max(1, int(side / LARGE_CROP))
    points = (five_points(landmarks) - low) / factor
    return LargeFace(np.asarray(cut.reduce(factor)), points.astype(np.float32))


def _photo(source: FileSource, name: str) -> Photo:
    if source.folder is not None:
        return read_photo(source.where(name))
    with tempfile.TemporaryDirectory() as folder:  # photographs are read from disk, so it is put there
        single = Path(folder, Path(name).name)
        single.write_bytes(source.read(name))
        return read_photo(single)
