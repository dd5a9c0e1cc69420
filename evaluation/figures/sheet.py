"""Pictures for light and for dark pages: their colours, and sheets of faces with words under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from faces.sheet import Colour, enlarge, font, paste_framed, shortened

Tone = Literal["ink", "faint", "right", "part", "wrong", "plain"]


@dataclass(frozen=True)
class Theme:
    """RGB colours: ``paper`` behind everything, ``ink`` and ``faint`` for words, ``plain`` for frames and
    lines; ``right``, ``part`` and ``wrong`` judge an answer; ``lines`` are the colours of a chart's curves.
    """

    paper: Colour
    ink: Colour
    faint: Colour
    plain: Colour
    right: Colour
    part: Colour
    wrong: Colour
    lines: tuple[Colour, ...]


# The curves are Okabe and Ito's colours, told apart by people who see red and green alike; the yellow is
# left out, being too pale for a line on paper.
LIGHT = Theme(
    paper=(255, 255, 255),
    ink=(28, 29, 33),
    faint=(98, 100, 108),
    plain=(208, 208, 212),
    right=(28, 124, 56),
    part=(180, 116, 10),
    wrong=(200, 62, 52),
    lines=((0, 114, 178), (213, 94, 0), (0, 140, 104), (176, 92, 142), (98, 100, 108)),
)
DARK = Theme(
    paper=(27, 29, 34),
    ink=(236, 236, 240),
    faint=(164, 166, 176),
    plain=(70, 73, 82),
    right=(74, 190, 108),
    part=(230, 176, 70),
    wrong=(255, 118, 106),
    lines=((98, 182, 235), (242, 142, 60), (60, 196, 156), (224, 142, 190), (164, 166, 176)),
)

# Sheets are shown at half their size in pixels, so that they are sharp on fine screens.
FACE = 128
"""Side of a face on a sheet in pixels, at least."""
_GAP, _FRAME, _TEXT, _LINE, _SPACE = 8, 5, 20, 26, 28

# The strokes of a tick, a bar (right but for the light) and a cross.
_SIGNS: dict[str, list[list[tuple[int, int]]]] = {
    "right": [[(-7, 0), (-2, 6), (8, -6)]],
    "part": [[(-7, 0), (7, 0)]],
    "wrong": [[(-6, -6), (6, 6)], [(-6, 6), (6, -6)]],
}


@dataclass(frozen=True)
class Word:
    """A line of words under a face, or over a column."""

    text: str
    tone: Tone = "ink"


@dataclass(frozen=True)
class Cell:
    """A face (S, S) uint8 grey, the words under it, and what its frame says of it.

    A right answer has a tick in its corner and a wrong one a cross, for whoever does not see colours.
    """

    face: NDArray[np.uint8]
    words: tuple[Word, ...] = ()
    frame: Tone = "plain"

    @property
    def lines(self) -> list[Word]:
        return [word for word in self.words if word.text]


Row = Sequence[Cell | Word | None]


@dataclass(frozen=True)
class Sheet:
    """Lines of cells: faces, a word or nothing in the place of one; a line of nothing is a gap.

    ``heads`` stand over the columns, ``gaps`` are columns with free space before them.  Faces are at least
    ``side`` pixels large, each enlarged by a whole number, so that every pixel stays a square.
    """

    rows: Sequence[Row]
    heads: Sequence[str] = ()
    side: int = FACE
    gaps: frozenset[int] = frozenset()

    def draw(self, theme: Theme) -> Image.Image:
        """Draw the sheet as an RGB picture."""
        cells = [cell for row in self.rows for cell in row if isinstance(cell, Cell)]
        largest = max((cell.face.shape[0] for cell in cells), default=self.side)
        zoom = max(1, -(-self.side // largest))
        step = largest * zoom + 2 * _GAP
        columns = max([1, len(self.heads), *(len(row) for row in self.rows)])
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


def _height(row: Row, step: int) -> int:
    if not row:
        return _SPACE
    lines = max((len(cell.lines) for cell in row if isinstance(cell, Cell)), default=0)
    return step + (lines * _LINE + _GAP if lines else 0)


def _paste(
    page: Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, left: int, top: int, zoom: int, theme: Theme
) -> None:
    x, y, side = left + _GAP, top + _GAP, cell.face.shape[0] * zoom
    picture = enlarge(cell.face, side, smooth=False).convert("RGB")
    paste_framed(page, picture, x, y, getattr(theme, cell.frame), _FRAME if cell.frame != "plain" else 2)
    if cell.frame in _SIGNS:
        x_mark, y_mark = x + side - 14, y + 14
        pen.ellipse((x_mark - 15, y_mark - 15, x_mark + 15, y_mark + 15), fill=getattr(theme, cell.frame))
        for stroke in _SIGNS[cell.frame]:
            places = [(x_mark + dx, y_mark + dy) for dx, dy in stroke]
            pen.line(places, fill=theme.paper, width=4, joint="curve")
    for number, word in enumerate(cell.lines):
        _write(pen, word, left, y + side + _GAP + number * _LINE, side + 2 * _GAP, theme)


def _write(pen: ImageDraw.ImageDraw, word: Word, left: int, y: int, width: int, theme: Theme) -> None:
    """Write a word in the middle of ``width`` pixels, cut if it is longer."""
    letters = font(_TEXT)
    text = shortened(word.text, letters, width - 4, cut="end")
    pen.text((left + width / 2, y), text, getattr(theme, word.tone), letters, anchor="ma")
