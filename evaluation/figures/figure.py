"""What a figure is: a picture with the words that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image

from evaluation.figures.theme import Theme

Part = Literal["drawing", "retrieval", "robustness", "failures"]
"""The part of the report that a figure belongs to."""


class Picture(Protocol):
    """Something that can be drawn for a light and for a dark page."""

    def draw(self, theme: Theme) -> Image.Image: ...


@dataclass(frozen=True)
class Figure:
    """A picture for the report.

    ``name`` is the start of its file names; ``alt`` says what is seen to whoever cannot see it; ``caption``
    what it shows, with numbers.
    """

    name: str
    part: Part
    title: str
    caption: str
    alt: str
    picture: Picture
