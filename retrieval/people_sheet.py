"""The groups of a collection as one picture, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from faces.sheet import FAINT, INK, PAPER, font, shortened
from retrieval.finder import Finder
from retrieval.people import Group
from retrieval.sheet import region

_SIDE, _GAP, _MARGIN = 120, 8, 28
_FACES = 8  # of each group


def draw_people(finder: Finder, groups: Sequence[Group], path: Path) -> None:
    """Draw the clearest faces of each group, with its name; raises OSError if it cannot be written."""
    width = 2 * _MARGIN + _FACES * (_SIDE + _GAP)
    page = Image.new("RGB", (width, 2 * _MARGIN + max(1, len(groups)) * (_SIDE + 44)), PAPER)
    draw, bold, plain = ImageDraw.Draw(page), font(17, bold=True), font(14)
    top = _MARGIN
    with finder.collection.snapshot() as snapshot:
        shown = [snapshot.faces(list(group.faces[:_FACES])) for group in groups]
    for group, faces in zip(groups, shown, strict=True):
        label = shortened(group.label, bold, 400)
        draw.text((_MARGIN, top), label, INK, bold)
        beside = f"{len(group.faces):,} faces" if len(group.faces) > 1 else "1 face"
        across = _MARGIN + draw.textlength(label, bold) + 12
        draw.text((across, top + 3), beside, FAINT, plain)
        for place, face in enumerate(faces):
            page.paste(region(face.path, face.box, _SIDE), (_MARGIN + place * (_SIDE + _GAP), top + 26))
        top += _SIDE + 44
    page.save(path)
