"""The enlarged and reduced pieces of a photograph that a detector with a fixed window looks at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from faces.types import Box, Pixels

_WHOLE = 2_000_000  # pixels of a level that is looked at in one piece
_TILE = 1408
_SHARED = 256  # pixels that neighbouring tiles share: more than the largest face a tile is asked for


@dataclass(frozen=True, slots=True)
class View:
    """A piece of a photograph: ``pixels`` show it from (``left``, ``top``) on, enlarged ``scale`` times."""

    pixels: Pixels
    scale: float
    left: float
    top: float

    def in_photo(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return a rectangle of this view in photograph coordinates."""
        x, y, factor = self.left, self.top, 1 / self.scale
        return Box(x + left * factor, y + top * factor, x + right * factor, y + bottom * factor)


def cut(image: Image.Image, region: Box, scale: float) -> View:
    """Cut the part of a photograph within ``region`` (clipped to it), enlarged ``scale`` times.

    Bicubic; if it reduces the filter widens, so that nothing aliases.  Less than one pixel of the view is
    lost at its right and lower edge, so that the scale is exact in both directions.
    """
    left, top = max(0, math.floor(region.left)), max(0, math.floor(region.top))
    right = min(image.width, math.ceil(region.right))
    bottom = min(image.height, math.ceil(region.bottom))
    width, height = max(1, int((right - left) * scale)), max(1, int((bottom - top) * scale))
    box = (left, top, min(image.width, left + width / scale), min(image.height, top + height / scale))
    pixels = image.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return View(np.asarray(pixels), scale, float(left), float(top))


def views(image: Image.Image, scale: float, *, window: int) -> Iterator[View]:
    """Yield views in which a detector with a ``window`` of so many pixels meets every face at least once.

    The finest level is ``scale`` times the photograph; each further one half of it, until one fits into a
    single view, whose pyramid reaches to the largest faces.  Levels that do not fit are cut into
    tiles that share more than the largest face which the next level might miss, so that memory does not grow
    with the photograph.
    """
    if window * 3 > _SHARED:
        raise ValueError(f"a window of {window} pixels does not fit into what the tiles share")
    while image.width * image.height * scale * scale > _WHOLE:
        step, side = (_TILE - _SHARED) / scale, _TILE / scale
        for row in range(max(1, math.ceil((image.height - _SHARED / scale) / step))):
            for column in range(max(1, math.ceil((image.width - _SHARED / scale) / step))):
                left, top = column * step, row * step
                yield cut(image, Box(left, top, left + side, top + side), scale)
        scale /= 2
    yield cut(image, Box(0, 0, image.width, image.height), scale)
