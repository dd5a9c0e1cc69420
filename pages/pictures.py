"""Pictures as browsers get them: small JPEGs of photographs and of the faces in them."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from faces.photo import read_photo
from faces.types import Box, Pixels

SIZES = {"small": 400, "large": 1600}
"""Pixels: of the shorter side of what stands in a grid, of the longer side of what fills a page."""
FACE_SIDE = 400
"""Pixels of a square that shows a face."""
_AROUND = 2.4  # side of that square, in sides of the face's box
_QUALITY = 84


def photograph(path: Path, size: str) -> bytes:
    """Return a photograph as a JPEG of one of ``SIZES``, or as it is if it is smaller.

    Raises PhotoError if it cannot be read.
    """
    pixels = SIZES[size]
    picture = Image.fromarray(read_photo(path, at_least=pixels).pixels)
    if size == "small":
        scale = pixels / min(picture.size)
        # A panorama is no wider than a page.
        scale = min(scale, SIZES["large"] / max(picture.size))
    else:
        scale = pixels / max(picture.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return jpeg(picture)


def face_of_file(path: Path, box: Box, width: int, height: int) -> bytes:
    """Return the square of a photograph around a face as a JPEG.

    ``box`` is in pixels of the photograph as it was, ``width`` × ``height``.  Raises PhotoError.
    """
    wanted = FACE_SIDE / _side(box, width, height)
    enough = max(1, math.ceil(min(width, height) * min(1.0, wanted)))
    return face_of(read_photo(path, at_least=enough).pixels, box, width)


def face_of(pixels: Pixels, box: Box, width: int | None = None) -> bytes:
    """Return the square around a face of a photograph (H, W, 3) as a JPEG; ``box`` is in pixels of one that
    is ``width`` wide, if that is another width."""
    scale = 1.0 if width is None else pixels.shape[1] / width
    box = Box(*(scale * side for side in box.sides))
    side = _side(box, pixels.shape[1], pixels.shape[0])
    left = _inside((box.left + box.right - side) / 2, side, pixels.shape[1])
    top = _inside((box.top + box.bottom - side) / 2, side, pixels.shape[0])
    shown = max(1, min(FACE_SIDE, round(side)))
    region = (left, top, min(left + side, pixels.shape[1]), min(top + side, pixels.shape[0]))
    part = Image.fromarray(pixels).resize((shown, shown), Image.Resampling.LANCZOS, region, reducing_gap=3.0)
    return jpeg(part)


def strip(drawings: Pixels, side: int) -> bytes:
    """Return drawings (N, P, P) grey or (N, P, P, 3) RGB side by side as one JPEG, ``side`` pixels high."""
    picture = Image.fromarray(np.concatenate(list(drawings), axis=1))
    width = side * len(drawings)
    if picture.height != side:
        picture = picture.resize((width, side), Image.Resampling.LANCZOS)
    return jpeg(picture)


def jpeg(picture: Image.Image) -> bytes:
    """Encode a picture; nothing of the photograph's metadata is in it."""
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def _side(box: Box, width: int, height: int) -> float:
    """Give the side of the square around a face: as much as the photograph has, never less than the face."""
    face = max(box.width, box.height, 2.0)
    return max(1.0, min(_AROUND * face, width, height))


def _inside(start: float, side: float, extent: int) -> float:
    return min(max(0.0, start), max(0.0, extent - side))
