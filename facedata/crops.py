"""One picture of a labelled folder, made into a crop; and photographs into larger pictures of their faces."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facedata.labels import LABELS_FILE
from facedata.large_pictures import LargeFace, LargePictures
from facedata.sources import FileSource
from faces.chips import five_points
from faces.crop import CropGeometry, crop_face, crop_transform
from faces.types import Floats, Landmarks, Photo, Pixels

if TYPE_CHECKING:
    from faces.detect import Detector

_LARGE_CROP = 150  # pixels that a crop is wide in a larger picture, if the photograph has as many
_MAX_CROP_SIDE = 4096  # a ready crop is small; anything larger is a photograph or an attack on memory


class UnfitError(Exception):
    """A picture does not do as a ready crop; the message says why.  Becomes a LabelError with file and
    line."""


def ready_crop(content: bytes, size: int) -> Pixels:
    """Read a square picture as (S, S) uint8 grey, averaged over the area of each pixel if it shrinks.

    Raises UnfitError if it does not do.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if width != height:
                raise UnfitError(f"is {width} x {height} pixels, but a ready crop is square")
            if width > _MAX_CROP_SIDE:
                raise UnfitError(f"is {width} pixels wide, too large for a ready crop")
            if picture.mode.startswith("I"):  # 16 bits per pixel
                deep = np.asarray(picture).astype(np.int64) >> 8
                grey = Image.fromarray(deep.clip(0, 255).astype(np.uint8))
            else:
                grey = picture.convert("L")
            return np.asarray(resized(grey, size))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnfitError(f"is not a readable picture ({error})") from None


def resized(picture: Image.Image, side: int) -> Image.Image:
    """Bring a square picture to another side: by area if it shrinks, smoothly if it grows."""
    if picture.width == side:
        return picture
    way = Image.Resampling.BOX if picture.width > side else Image.Resampling.BILINEAR
    return picture.resize((side, side), way)


@dataclass(frozen=True)
class FoundFace:
    """A face on a photograph: crop (S, S) uint8, where it is, and the five points of its larger picture."""

    crop: Pixels
    landmarks: Landmarks
    points: Floats


def find_face(source: FileSource, name: str, detector: Detector, geometry: CropGeometry) -> FoundFace | None:
    """Find the largest face of a photograph; None if no usable face was found.

    Raises PhotoError, and whatever reading the source raises.
    """
    photo = _photo(source, name)
    for face in detector.detect(photo):
        try:
            crop = crop_face(photo.pixels, face.landmarks, geometry)
            return FoundFace(crop, face.landmarks, large_face(photo.pixels, face.landmarks).points)
        except ValueError:  # landmarks that leave no scale: not a face
            continue
    return None


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
    factor = max(1, int(side / _LARGE_CROP))
    points = (five_points(landmarks) - low) / factor
    return LargeFace(np.asarray(cut.reduce(factor)), points.astype(np.float32))


def photographed(path: Path, names: Sequence[str], faces: Sequence[FoundFace]) -> LargePictures:
    """Offer larger pictures of the faces found on the photographs ``names`` of a labelled folder or .zip.

    A photograph is opened again when its face is asked for, so that none of them stays in memory.
    """
    landmarks = [face.landmarks for face in faces]
    points = np.stack([face.points for face in faces])

    def load(number: int) -> Pixels:
        with FileSource(path, LABELS_FILE) as source:
            return large_face(_photo(source, names[number]).pixels, landmarks[number]).pixels

    return LargePictures(load=load, points=points)


def _photo(source: FileSource, name: str) -> Photo:
    from faces.photo import read_photo

    if source.folder is not None:
        return read_photo(source.where(name))
    with tempfile.TemporaryDirectory() as folder:  # photographs are read from disk, so it is put there
        single = Path(folder, Path(name).name)
        single.write_bytes(source.read(name))
        return read_photo(single)
