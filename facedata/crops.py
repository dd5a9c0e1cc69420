"""One picture of a labelled folder, made into a crop."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facedata.sources import FileSource, FolderSource
from faces.crop import CropGeometry, crop_face
from faces.types import Pixels

if TYPE_CHECKING:
    from faces.detect import Detector

_MAX_CROP_SIDE = 4096  # a ready crop is small; anything larger is a photograph or an attack on memory


class UnfitError(Exception):
    """A picture does not do as a ready crop; the message says why.  Becomes a LabelError with file and
    line."""


def ready_crop(content: bytes, size: int) -> Pixels:
    """(S, S) uint8 grey from the bytes of a square picture, averaged over the area of each pixel where it
    shrinks.

    Raises UnfitError.
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
            if width != size:
                shrinks = width > size
                grey = grey.resize(
                    (size, size), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
                )
            return np.asarray(grey)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnfitError(f"is not a readable picture ({error})") from None


def detected_crop(source: FileSource, name: str, detector: Detector, geometry: CropGeometry) -> Pixels | None:
    """The (S, S) uint8 crop of the largest face of a photograph, or None where no usable face was found.

    Raises PhotoError, and whatever reading the source raises.
    """
    from faces.photo import read_photo

    if isinstance(source, FolderSource):
        photo = read_photo(source.where(name))
    else:  # photographs are read from disk, so one at a time is put there
        with tempfile.TemporaryDirectory() as folder:
            single = Path(folder, Path(name).name)
            single.write_bytes(source.read(name))
            photo = read_photo(single)
    for face in detector.detect(photo):
        try:
            return crop_face(photo.pixels, face.landmarks, geometry)
        except ValueError:  # landmarks that leave no scale: not a face
            continue
    return None
