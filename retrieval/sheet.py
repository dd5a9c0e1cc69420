"""The contact sheet: what was asked, what was drawn, what was found, as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from faces.errors import PhotoError
from faces.photo import read_photo
from faces.types import Box, Pixels
from retrieval.finder import Answer, Hit

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]

_PAPER: Colour = (246, 245, 242)
_CARD: Colour = (255, 255, 255)
_EDGE: Colour = (222, 219, 212)
_INK: Colour = (33, 33, 36)
_FAINT: Colour = (116, 114, 110)
_ACCENT: Colour = (196, 84, 40)
_EMPTY: Colour = (232, 230, 225)

_SIDE = 208  # of the photograph's region on a card
_SMALL = 64  # of a crop
_PAD = 12
_GAP = 16
_MARGIN = 36
_HEAD = 232  # of the pictures in the upper part
_COLUMNS = 5
_TEXT = 98  # height of crop and lines below a card's photograph
_AROUND = 2.3  # side of the region, in sides of the face's box


def draw_sheet(answer: Answer, path: Path | str, *, columns: int = _COLUMNS) -> None:
    """Draw an answer and save it, in the format that the file's name asks for.

    Above, the query: region of its photograph, crop, and the drawing; below, the hits with rank, distance and
    estimated attributes.  Photographs that are gone meanwhile leave an empty region.  Raises OSError where
    the picture cannot be written, ValueError for an unknown suffix.
    """
    _sheet(answer, max(1, columns)).save(path)


def _sheet(answer: Answer, columns: int) -> Image.Image:
    hits = answer.hits
    used = max(4, min(columns, len(hits)))
    rows = -(-len(hits) // used)
    card = (_SIDE + 2 * _PAD, _SIDE + 2 * _PAD + _TEXT)
    width = 2 * _MARGIN + used * card[0] + (used - 1) * _GAP
    top = _MARGIN + 40 + _HEAD + 44 + 36
    height = top + rows * card[1] + max(0, rows - 1) * _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    _draw_head(sheet, answer)
    for place, hit in enumerate(hits):
        left = _MARGIN + place % used * (card[0] + _GAP)
        _draw_card(sheet, hit, left, top + place // used * (card[1] + _GAP), card)
    return sheet


def _draw_head(sheet: Image.Image, answer: Answer) -> None:
    """The title and the three pictures of the query."""
    draw, query, drawing = ImageDraw.Draw(sheet), answer.query, answer.drawing
    wish = _words(drawing.wish)
    title = f"This person, but {wish}" if wish else "This person, as they are"
    draw.text((_MARGIN, _MARGIN - 6), title, _INK, _font(26, bold=True))
    top, left = _MARGIN + 44, _MARGIN
    captions = (
        (_region(query.path, query.box, _HEAD), "query", _name(query.path)),
        (_enlarged(query.crop, _HEAD), "its face", f"estimated: {_words(query.estimates)}"),
        (_enlarged(drawing.image, _HEAD), "drawn", wish or "as it is"),
    )
    for number, (picture, what, detail) in enumerate(captions):
        if number == 2:
            _arrow(draw, left + 8, top + _HEAD // 2)
            left += 52
        _paste(sheet, picture, left, top, _ACCENT if number == 2 else _EDGE, 3 if number == 2 else 1)
        bold, plain = _font(15, bold=True), _font(15)
        draw.text((left, top + _HEAD + 10), what, _ACCENT if number == 2 else _INK, bold)
        offset = draw.textlength(f"{what}  ", bold)
        room = _HEAD - int(offset)
        draw.text((left + offset, top + _HEAD + 10), _short(draw, detail, plain, room), _FAINT, plain)
        left += _HEAD + _GAP
    line = top + _HEAD + 50
    draw.line((_MARGIN, line, sheet.width - _MARGIN, line), _EDGE, 1)


def _draw_card(sheet: Image.Image, hit: Hit, left: int, top: int, size: tuple[int, int]) -> None:
    """One hit: region of the photograph with its rank, below it the crop, distance, attributes, name."""
    draw = ImageDraw.Draw(sheet)
    right, bottom = left + size[0], top + size[1]
    draw.rounded_rectangle((left, top, right, bottom), 10, _CARD, _EDGE)
    inner = left + _PAD
    sheet.paste(_region(hit.path, hit.box, _SIDE), (inner, top + _PAD))
    below = top + _PAD + _SIDE + 8
    _paste(sheet, _enlarged(hit.crop, _SMALL), inner + _SIDE - _SMALL, below, _EDGE, 1)
    bold, plain, small = _font(19, bold=True), _font(15), _font(13)
    badge = int(draw.textlength(str(hit.rank), bold)) + 20
    draw.rounded_rectangle((inner + 6, top + _PAD + 6, inner + 6 + badge, top + _PAD + 36), 15, _ACCENT)
    draw.text((inner + 6 + badge / 2, top + _PAD + 21), str(hit.rank), _CARD, bold, anchor="mm")
    draw.text((inner, below + 8), f"{hit.distance:.3f}", _INK, bold)
    room, words = _SIDE - _SMALL - 8, _words(hit.estimates)
    if draw.textlength(words, plain) > room:  # the values tell more than the names of the attributes
        words = ", ".join(hit.estimates.values())
    draw.text((inner, below + 36), _short(draw, words, plain, room), _FAINT, plain)
    draw.text((inner, below + _SMALL + 8), _short(draw, _name(hit.path), small, _SIDE), _FAINT, small)


def _region(path: str, box: Box, side: int) -> Image.Image:
    """The square of a photograph around a face, (side, side) RGB; what lies outside it stays empty."""
    square = Image.new("RGB", (side, side), _EMPTY)
    try:
        picture = Image.fromarray(read_photo(Path(path)).pixels)
    except PhotoError:
        draw = ImageDraw.Draw(square)
        draw.multiline_text(
            (side / 2, side / 2), "photograph\nnot there", _FAINT, _font(15), anchor="mm", align="center"
        )
        return square
    face = max(box.width, box.height, 2)
    # As much as the photograph has around the face, moved inside it; only a face cut off leaves a rim.
    half = max(face, min(face * _AROUND, picture.width, picture.height)) / 2
    x = _inside((box.left + box.right) / 2, half, picture.width)
    y = _inside((box.top + box.bottom) / 2, half, picture.height)
    low = (max(0.0, x - half), max(0.0, y - half))
    high = (min(float(picture.width), x + half), min(float(picture.height), y + half))
    scale = side / (2 * half)
    size = (max(1, round((high[0] - low[0]) * scale)), max(1, round((high[1] - low[1]) * scale)))
    part = picture.resize(size, Image.Resampling.LANCZOS, (*low, *high), reducing_gap=3.0)
    square.paste(part, (round((low[0] - x + half) * scale), round((low[1] - y + half) * scale)))
    return square


def _inside(middle: float, half: float, extent: int) -> float:
    return extent / 2 if 2 * half >= extent else min(max(middle, half), extent - half)


def _enlarged(crop: Pixels, side: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(crop))
    return picture.resize((side, side), Image.Resampling.BICUBIC).convert("RGB")


def _paste(sheet: Image.Image, picture: Image.Image, left: int, top: int, edge: Colour, width: int) -> None:
    sheet.paste(picture, (left, top))
    box = (left - width, top - width, left + picture.width + width - 1, top + picture.height + width - 1)
    ImageDraw.Draw(sheet).rectangle(box, None, edge, width)


def _arrow(draw: ImageDraw.ImageDraw, left: int, middle: int) -> None:
    draw.line((left - 8, middle, left + 20, middle), _ACCENT, 3)
    draw.polygon(((left + 30, middle), (left + 18, middle - 7), (left + 18, middle + 7)), _ACCENT)


def _words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _name(path: str) -> str:
    """A file's name as it can be drawn."""
    return "".join(sign if sign.isprintable() else "?" for sign in Path(path).name)


def _short(draw: ImageDraw.ImageDraw, text: str, font: Font, room: int) -> str:
    """The text, its middle left out where it is longer than ``room`` pixels."""
    if draw.textlength(text, font) <= room:
        return text
    keep = len(text) - 1
    while keep > 2 and draw.textlength(_without_middle(text, keep), font) > room:
        keep -= 1
    return _without_middle(text, keep)


def _without_middle(text: str, keep: int) -> str:
    return f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"


@cache
def _font(size: int, *, bold: bool = False) -> Font:
    """DejaVu Sans, which Matplotlib carries and which knows most alphabets; else Pillow's own."""
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if file.is_file():
            return ImageFont.truetype(file, size)
    return ImageFont.load_default(size)
