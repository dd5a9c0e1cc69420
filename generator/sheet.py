"""A face and what was drawn from it, side by side, as one labelled picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from faces.sheet import FAINT, INK, PAPER, enlarge, font
from faces.types import Pixels

_GAP, _MARGIN = 8, 20


def draw_strip(
    source: Pixels,
    rows: Sequence[tuple[str, Pixels]],
    captions: Sequence[str],
    *,
    note: str = "",
    side: int = 160,
) -> Image.Image:
    """Show the source (S, S) uint8, and to its right a column for each of N drawings.

    Each of ``rows`` has a name and drawings (N, S, S) or (N, S, S, 3) uint8; the first is at the top.  The
    ``note`` stands under the source; faces are ``side`` pixels wide.  Raises ValueError if there is not one
    caption for each drawing.
    """
    if any(len(captions) != len(drawings) for _, drawings in rows):
        raise ValueError(f"{len(captions)} captions, but not as many drawings in each row")
    size = max(9, side // 9)
    letters, line = font(size), round(size * 1.5)
    left, top = _MARGIN + side + 3 * _GAP, _MARGIN + line
    width = left + len(captions) * (side + _GAP) - _GAP + _MARGIN
    height = top + len(rows) * (side + line) + _MARGIN
    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    middle = top + (len(rows) - 1) * (side + line) // 2  # level with the middle of the rows
    strip.paste(enlarge(source, side), (_MARGIN, middle))
    draw.text((_MARGIN, middle - line), "source", INK, letters)
    draw.text((_MARGIN, middle + side + size // 6), note, FAINT, letters)
    for row, (name, faces) in enumerate(rows):
        y = top + row * (side + line)
        for number, (face, caption) in enumerate(zip(faces, captions, strict=True)):
            x = left + number * (side + _GAP)
            strip.paste(enlarge(face, side), (x, y))
            if row == 0:
                draw.text((x + side / 2, y - line), caption, INK, letters, anchor="ma")
        draw.text((left, y + side + size // 6), name, FAINT, letters)
    return strip
