"""Sheets of faces: lines of enlarged faces with a frame and a few words each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evaluation.figures.theme import Theme, Tone, letters

# Sheets are shown at half their size in pixels, so that they are sharp on fine screens.
FACE = 128
"""Side of a face on a sheet in pixels, at least."""
_GAP, _FRAME, _TEXT, _LINE, _SPACE = 8, 5, 20, 26, 28


@dataclass(frozen=True)
class Word:
    """A line of words under a face, or over a column."""

    text: str
    tone: Tone = "ink"


@dataclass(frozen=True)
class Cell:
    """A face (S, S) uint8 grey, the words under it, and what its frame says of it.

    A right answer has a tick in its corner and a wrong one a cross, so that colour is not all that tells
    them apart.
    """

    face: NDArray[np.uint8]
    words: tuple[Word, ...] = ()
    frame: Tone = "plain"


@dataclass(frozen=True)
class Sheet:
    """Lines of cells; a word alone takes the place of a face, None leaves it empty, and a line of nothing is
    a gap.

    ``heads`` stand over the columns.  ``side`` is how large faces are at least, and each is enlarged by a
    whole number, so that every pixel stays a square.  ``gaps`` are columns with free space before them.
    """

    rows: Sequence[Sequence[Cell | Word | None]]
    heads: Sequence[str] = ()
    side: int = FACE
    gaps: frozenset[int] = frozenset()

    def draw(self, theme: Theme) -> Image.Image:
        """The sheet as an RGB picture."""
        cells = [cell for row in self.rows for cell in row if isinstance(cell, Cell)]
        zoom = max(1, -(-self.side // max((cell.face.shape[0] for cell in cells), default=self.side)))
        face = max((cell.face.shape[0] * zoom for cell in cells), default=self.side)
        columns = max([1, len(self.heads), *(len(row) for row in self.rows)])
        step = face + 2 * _GAP
        lefts = [
            column * step + _SPACE * sum(gap <= column for gap in self.gaps) for column in range(columns)
        ]
        top = _LINE + _GAP if self.heads else 0
        heights = [_height(row, step) for row in self.rows]
        page = Image.new("RGB", (lefts[-1] + step, top + max(1, sum(heights))), theme.paper)
        pen = ImageDraw.Draw(page)
        for left, head in zip(lefts, self.heads, strict=False):
            _write(pen, Word(head), left, _GAP, step, theme)
        for row, height in zip(self.rows, heights, strict=True):
            for left, cell in zip(lefts, row, strict=False):
                if isinstance(cell, Cell):
                    _paste(page, pen, cell, left, top, zoom, theme)
                elif cell is not None:
                    _write(pen, cell, left, top + (step - _LINE) // 2, step, theme)
            top += height
        return page


def _height(row: Sequence[Cell | Word | None], step: int) -> int:
    if not row:
        return _SPACE
    lines = max((len(cell.words) for cell in row if isinstance(cell, Cell)), default=0)
    return step + (lines * _LINE + _GAP if lines else 0)


def _paste(
    page: Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, left: int, top: int, zoom: int, theme: Theme
) -> None:
    x, y, side = left + _GAP, top + _GAP, cell.face.shape[0] * zoom
    around = _FRAME if cell.frame != "plain" else 2
    box = (x - around, y - around, x + side + around - 1, y + side + around - 1)
    pen.rectangle(box, fill=theme.of(cell.frame))
    enlarged = Image.fromarray(np.ascontiguousarray(cell.face)).resize((side, side), Image.Resampling.NEAREST)
    page.paste(enlarged.convert("RGB"), (x, y))
    if cell.frame in ("right", "part", "wrong"):
        _judge(pen, cell.frame, x + side - 14, y + 14, theme)
    for number, word in enumerate(cell.words):
        _write(pen, word, left, y + side + _GAP + number * _LINE, side + 2 * _GAP, theme)


def _judge(pen: ImageDraw.ImageDraw, frame: Tone, x: int, y: int, theme: Theme) -> None:
    """A disc with a tick, a stroke (partly right) or a cross in it, its centre at (x, y)."""
    pen.ellipse((x - 15, y - 15, x + 15, y + 15), fill=theme.of(frame))
    sign: list[list[tuple[int, int]]] = {
        "right": [[(-7, 0), (-2, 6), (8, -6)]],
        "part": [[(-7, 0), (7, 0)]],
        "wrong": [[(-6, -6), (6, 6)], [(-6, 6), (6, -6)]],
    }[frame]
    for stroke in sign:
        pen.line([(x + dx, y + dy) for dx, dy in stroke], fill=theme.paper, width=4, joint="curve")


def _write(pen: ImageDraw.ImageDraw, word: Word, left: int, y: int, width: int, theme: Theme) -> None:
    """A word in the middle of ``width`` pixels, cut where it is longer."""
    font, text = letters(_TEXT), word.text
    while len(text) > 1 and pen.textlength(text, font) > width - 4:
        text = text[:-2].rstrip("…") + "…"
    pen.text((left + width / 2, y), text, theme.of(word.tone), font, anchor="ma")
