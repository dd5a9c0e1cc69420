"""Colours and letters of every picture, once for light pages and once for dark ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
from PIL import ImageFont

Colour = tuple[int, int, int]
Tone = Literal["ink", "faint", "right", "part", "wrong", "plain"]


@dataclass(frozen=True)
class Theme:
    """RGB colours: ``paper`` behind everything, ``ink`` and ``faint`` for words, ``plain`` for frames and
    lines; ``right``, ``part`` and ``wrong`` judge an answer; ``lines`` are the colours of a chart's curves.
    """

    name: str
    paper: Colour
    ink: Colour
    faint: Colour
    plain: Colour
    right: Colour
    part: Colour
    wrong: Colour
    lines: tuple[Colour, ...]

    def of(self, tone: Tone) -> Colour:
        """The colour of a tone."""
        colour: Colour = getattr(self, tone)
        return colour


# The curves are Okabe and Ito's colours, told apart by people who see red and green alike; the yellow is
# left out, being too pale for a line on paper.
LIGHT = Theme(
    name="light",
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
    name="dark",
    paper=(27, 29, 34),
    ink=(236, 236, 240),
    faint=(164, 166, 176),
    plain=(70, 73, 82),
    right=(74, 190, 108),
    part=(230, 176, 70),
    wrong=(255, 118, 106),
    lines=((98, 182, 235), (242, 142, 60), (60, 196, 156), (224, 142, 190), (164, 166, 176)),
)
THEMES = (LIGHT, DARK)


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has every sign that labels need, ``size`` pixels high."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )
