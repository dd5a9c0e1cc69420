"""What every picture with faces and words on it is drawn with: letters, enlarged faces, frames, captions."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from faces.types import Pixels

Colour = tuple[int, int, int]
"""RGB, 0..255."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Colour = (246, 245, 242)
INK: Colour = (33, 33, 36)
FAINT: Colour = (116, 114, 110)


@cache
def font(size: int, *, bold: bool = False) -> Font:
    """DejaVu Sans, ``size`` in pixels, which Matplotlib brings and most alphabets need; else Pillow's own."""
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if file.is_file():
            return ImageFont.truetype(file, size)
    return ImageFont.load_default(size)


def enlarge(face: Pixels, side: int, *, smooth: bool = True) -> Image.Image:
    """Show a face, (S, S) grey or (S, S, 3) RGB uint8, with ``side`` pixels, in the same mode."""
    picture = Image.fromarray(np.ascontiguousarray(face))
    kind = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return picture if picture.width == side else picture.resize((side, side), kind)


def paste_framed(
    page: Image.Image, picture: Image.Image, left: int, top: int, colour: Colour, width: int
) -> None:
    """Paste a picture with a frame ``width`` pixels wide around it."""
    page.paste(picture, (left, top))
    box = (left - width, top - width, left + picture.width + width - 1, top + picture.height + width - 1)
    ImageDraw.Draw(page).rectangle(box, None, colour, width)


def shortened(text: str, letters: Font, room: float, *, cut: Literal["middle", "end"] = "middle") -> str:
    """The text, with an ellipsis for what does not fit into ``room`` pixels."""
    keep = len(text)
    while True:
        if keep == len(text):
            shown = text
        elif cut == "end":
            shown = f"{text[:keep].rstrip('…')}…"
        else:
            shown = f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"
        if keep < 2 or letters.getlength(shown) <= room:
            return shown
        keep -= 1
