"""Sheets of faces of any set: what was drawn, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.theme import LIGHT
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet
from faces.types import Ints


def generated_sheet(faces: FaceSet, which: Ints, studio: Studio, attribute: Attribute) -> Image.Image:
    """Each of the faces ``which`` (indices): as it is, and drawn with every value of the attribute."""
    values = studio.values(attribute)
    words = np.tile(np.array(values, dtype=np.str_), len(which))
    drawing = studio.generator.draw(
        faces.crops[np.repeat(which, len(values))], studio.codes_of(words, attribute)
    )
    drawn = drawing.stage2.reshape(len(which), len(values), *drawing.stage2.shape[1:])
    rows = [
        [
            Cell(faces.crops[index], (Word(str(faces.persons[index])),)),
            *(Cell(face, (Word(value),)) for face, value in zip(line, values, strict=True)),
        ]
        for index, line in zip(which.tolist(), drawn, strict=True)
    ]
    return Sheet(rows).draw(LIGHT)


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
            Cell(
                gallery.crops[hit],
                (Word(f"{gallery.persons[hit]} {gallery.poses[hit]}"),),
                "right" if good else "wrong",
            )
            for hit, good in zip(rankings[number].tolist(), right[number].tolist(), strict=True)
            if hit >= 0
        ]
        query = Cell(gallery.crops[source], (Word(str(gallery.persons[source])),))
        rows.append([query, Cell(drawn[number], (Word(f"wish {wishes[number]}"),)), *hits])
    return Sheet(rows).draw(LIGHT)
