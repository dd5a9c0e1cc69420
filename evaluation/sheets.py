"""Sheets of faces: what was drawn, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet
from faces.types import Ints

_ZOOM_TO = 96  # side of a face on the sheet, pixels, at least
_GAP = 6
_TEXT = 16
_PAPER, _INK = (255, 255, 255), (30, 30, 30)
RIGHT, WRONG, PLAIN = (40, 150, 70), (205, 70, 60), (200, 200, 200)


@dataclass(frozen=True)
class Cell:
    """A face on a sheet: (S, S) uint8 grey, the words under it and the RGB colour of its frame."""

    face: NDArray[np.uint8]
    words: str = ""
    frame: tuple[int, int, int] = PLAIN


def sheet(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """An RGB picture with one line of faces for each row, enlarged so that their pixels can be seen."""
    side = max((cell.face.shape[0] for row in rows for cell in row), default=1)
    zoomed = side * max(1, -(-_ZOOM_TO // side))
    step_x, step_y = zoomed + 2 * _GAP, zoomed + 2 * _GAP + _TEXT
    columns = max((len(row) for row in rows), default=0)
    page = Image.new("RGB", (step_x * max(1, columns), step_y * max(1, len(rows))), _PAPER)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(12)
    for down, row in enumerate(rows):
        for across, cell in enumerate(row):
            x, y = across * step_x + _GAP, down * step_y + _GAP
            face = Image.fromarray(cell.face).resize((zoomed, zoomed), Image.Resampling.BICUBIC)
            pen.rectangle((x - 3, y - 3, x + zoomed + 2, y + zoomed + 2), fill=cell.frame)
            page.paste(face.convert("RGB"), (x, y))
            pen.text((x, y + zoomed + 3), cell.words, fill=_INK, font=font)
    return page


def generated_sheet(faces: FaceSet, which: Ints, studio: Studio, attribute: Attribute) -> Image.Image:
    """Each of the faces ``which`` (indices): as it is, and drawn with every value of the attribute."""
    values = studio.values(attribute)
    words = np.tile(np.array(values, dtype=np.str_), len(which))
    drawing = studio.generator.draw(
        faces.crops[np.repeat(which, len(values))], studio.codes_of(words, attribute)
    )
    drawn = drawing.stage2.reshape(len(which), len(values), *drawing.stage2.shape[1:])
    return sheet(
        [
            [
                Cell(faces.crops[index], str(faces.persons[index])),
                *(Cell(face, value) for face, value in zip(line, values, strict=True)),
            ]
            for index, line in zip(which.tolist(), drawn, strict=True)
        ]
    )


def retrieval_sheet(
    gallery: FaceSet,
    sources: Ints,
    drawn: NDArray[np.uint8],
    wishes: Sequence[str],
    rankings: Ints,
    right: NDArray[np.bool_],
) -> Image.Image:
    """A line for each query: face, drawing, then what was found, right answers framed green, wrong ones red.

    ``sources`` (Q,) indices of the query faces, ``drawn`` (Q, S, S) uint8, ``wishes`` Q words, ``rankings``
    (Q, K) int64 with -1 for no answer, ``right`` (Q, K) bool.
    """
    rows = []
    for number, source in enumerate(sources.tolist()):
        hits = [
            Cell(gallery.crops[hit], f"{gallery.persons[hit]} {gallery.poses[hit]}", RIGHT if good else WRONG)
            for hit, good in zip(rankings[number].tolist(), right[number].tolist(), strict=True)
            if hit >= 0
        ]
        query = Cell(gallery.crops[source], str(gallery.persons[source]))
        rows.append([query, Cell(drawn[number], f"wish {wishes[number]}"), *hits])
    return sheet(rows)
