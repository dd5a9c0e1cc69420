"""The contact sheet: what was asked, what was drawn, what was found, as one picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from faces.errors import PhotoError
from faces.sheet import FAINT, INK, PAPER, Colour, enlarge, font, paste_framed, shortened
from faces.types import Box
from generator.attributes import everyday
from retrieval.answers import SHOWS, Answer, Hit
from retrieval.estimates import worth_saying
from retrieval.query import Picture, read_picture

_CARD: Colour = (255, 255, 255)
_EDGE: Colour = (222, 219, 212)
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
_LINE = 44  # height of the line above improbable hits
_AROUND = 2.3  # side of the region, in sides of the face's box


def draw_sheet(answer: Answer, path: Path | str, *, columns: int = _COLUMNS) -> None:
    """Draw an answer and save it, in the format that the file's name asks for.

    Above, the query: region of its photograph, crop, and the drawing; below, the hits with rank, probability
    and what they seem to show, those that are probably right above a line.  Photographs that are gone leave
    an empty region.  Raises OSError if the picture cannot be written, ValueError for an unknown suffix.
    """
    sheet_of(answer, columns=columns).save(path)


def sheet_of(answer: Answer, *, columns: int = _COLUMNS) -> Image.Image:
    """Draw an answer as an RGB picture; see ``draw_sheet``."""
    groups = [answer.hits[: answer.probable], answer.hits[answer.probable :]]
    used = max(4, min(max(1, columns), len(answer.hits)))
    card = (_SIDE + 2 * _PAD, _SIDE + 2 * _PAD + _TEXT)
    width = 2 * _MARGIN + used * card[0] + (used - 1) * _GAP
    rows = [-(-len(hits) // used) for hits in groups]
    top = _MARGIN + 40 + _HEAD + 44 + 36
    lined = bool(groups[1])
    height = top + sum(rows) * (card[1] + _GAP) + lined * _LINE + _MARGIN - _GAP
    page = Image.new("RGB", (width, height), PAPER)
    _draw_head(page, answer)
    for hits, count in zip(groups, rows, strict=True):
        if hits is groups[1] and lined:
            _draw_line(page, top, answer.doubt or "less likely than not")
            top += _LINE
        for place, hit in enumerate(hits):
            left = _MARGIN + place % used * (card[0] + _GAP)
            _draw_card(page, hit, left, top + place // used * (card[1] + _GAP), card)
        top += count * (card[1] + _GAP)
    return page


def _draw_head(page: Image.Image, answer: Answer) -> None:
    """Draw the title and the three pictures of the query."""
    draw, query = ImageDraw.Draw(page), answer.query
    words = {name: f"{name} {everyday(value)}" for name, value in answer.wish.items()}
    words |= {f"not {everyday(value)}": f"not {everyday(value)}" for value in answer.unwished}
    wish, drawn = ", ".join(words.values()), ", ".join(words[name] for name in words if name in answer.drawn)
    title = f"This person, but {wish}" if wish else "This person, as they are"
    draw.text((_MARGIN, _MARGIN - 6), title, INK, font(26, bold=True))
    top, left = _MARGIN + 44, _MARGIN
    around = region(query.picture, query.box, _HEAD)
    captions = (
        (around, "query", _name(query.path)),
        (enlarge(query.crop, _HEAD).convert("RGB"), "its face", f"seems {worth_saying(query.estimates)}"),
        (enlarge(answer.portrait, _HEAD).convert("RGB"), "drawn", drawn or "as it is"),
    )
    bold, plain = font(15, bold=True), font(15)
    for number, (picture, what, detail) in enumerate(captions):
        if number == 2:  # an arrow from the face to the drawing
            middle = top + _HEAD // 2
            draw.line((left, middle, left + 28, middle), _ACCENT, 3)
            draw.polygon(((left + 38, middle), (left + 26, middle - 7), (left + 26, middle + 7)), _ACCENT)
            left += 52
        paste_framed(page, picture, left, top, _ACCENT if number == 2 else _EDGE, 3 if number == 2 else 1)
        draw.text((left, top + _HEAD + 10), what, _ACCENT if number == 2 else INK, bold)
        offset = draw.textlength(f"{what}  ", bold)
        text = shortened(detail, plain, _HEAD - int(offset))
        draw.text((left + offset, top + _HEAD + 10), text, FAINT, plain)
        left += _HEAD + _GAP
    line = top + _HEAD + 50
    draw.line((_MARGIN, line, page.width - _MARGIN, line), _EDGE, 1)


def _draw_line(page: Image.Image, top: int, text: str) -> None:
    """Draw the line below which hits are probably wrong."""
    draw = ImageDraw.Draw(page)
    letters = font(15, bold=True)
    middle, reach = top + _LINE // 2 - 4, draw.textlength(text, letters)
    draw.text((_MARGIN, middle), text, _ACCENT, letters, anchor="lm")
    draw.line((_MARGIN + reach + 16, middle, page.width - _MARGIN, middle), _ACCENT, 2)


def _draw_card(page: Image.Image, hit: Hit, left: int, top: int, size: tuple[int, int]) -> None:
    """Draw one hit: region of the photograph with its rank, below it crop, probability, attributes, name."""
    draw = ImageDraw.Draw(page)
    right, bottom = left + size[0], top + size[1]
    draw.rounded_rectangle((left, top, right, bottom), 10, _CARD, _EDGE)
    inner = left + _PAD
    page.paste(region(hit.path, hit.box, _SIDE), (inner, top + _PAD))
    below = top + _PAD + _SIDE + 8
    small = enlarge(hit.crop, _SMALL).convert("RGB")
    paste_framed(page, small, inner + _SIDE - _SMALL, below, _EDGE, 1)
    bold, plain, tiny = font(19, bold=True), font(15), font(13)
    badge = int(draw.textlength(str(hit.rank), bold)) + 20
    colour = _ACCENT if hit.probability >= SHOWS else FAINT
    draw.rounded_rectangle((inner + 6, top + _PAD + 6, inner + 6 + badge, top + _PAD + 36), 15, colour)
    draw.text((inner + 6 + badge / 2, top + _PAD + 21), str(hit.rank), _CARD, bold, anchor="mm")
    draw.text((inner, below + 8), percent(hit.probability), INK, bold)
    words = worth_saying(hit.estimates)
    draw.text((inner, below + 36), shortened(words, plain, _SIDE - _SMALL - 8), FAINT, plain)
    draw.text((inner, below + _SMALL + 8), shortened(_name(hit.path), tiny, _SIDE), FAINT, tiny)


def percent(probability: float) -> str:
    """Write a probability as people read it: ``97 %``, never 0 or 100."""
    if probability < 0.01:
        return "< 1 %"
    return "> 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def region(photo: Picture, box: Box, side: int) -> Image.Image:
    """Cut the square of a photograph around a face, (side, side) RGB; what lies outside it stays empty."""
    square = Image.new("RGB", (side, side), _EMPTY)
    try:
        picture = Image.fromarray(read_picture(photo).pixels)
    except PhotoError:
        draw = ImageDraw.Draw(square)
        text = "photograph\nnot there"
        draw.multiline_text((side / 2, side / 2), text, FAINT, font(15), anchor="mm", align="center")
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


def _name(path: str) -> str:
    """Give a file's name as it can be drawn."""
    return "".join(sign if sign.isprintable() else "?" for sign in Path(path).name)
