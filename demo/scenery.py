"""Places where the album was taken: a painted background, out of focus, and the light that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from colour import Lamp, Lighting
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from facedata.rendered.mesh import Array, Rng

Ink = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """A place where people are photographed."""

    paint: Callable[[ImageDraw.ImageDraw, int, int, Rng], None]  # its background
    lighting: Lighting
    blur: float  # its radius as a share of the height
    sparkle: float = 1.0  # how much brighter than white its lights are
    exposure: float = 1.0  # how bright people look there


def background(place: Place, width: int, height: int, rng: Rng) -> Array:
    """Linear RGB (height, width, 3) of a place through a wide-open lens."""
    margin = round(0.15 * height)
    image = Image.new("RGB", (width + 2 * margin, height + 2 * margin))
    place.paint(ImageDraw.Draw(image), image.width, image.height, rng)
    light = (np.asarray(image, np.float32) / 255) ** 2.2
    # What is brightest was brighter than the picture could hold: it makes the discs of the lens.
    peak = light.max(2, keepdims=True)
    light = light * (1 + place.sparkle * 3 * np.clip((peak - 0.75) / 0.25, 0, 1) ** 2)
    radius = max(1.5, place.blur * height)
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    disc /= disc.sum()
    padded = np.pad(light, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    blurred = fftconvolve(padded, disc[:, :, None], mode="valid", axes=(0, 1))
    blurred = gaussian_filter(blurred, (0.8, 0.8, 0))
    return np.asarray(np.clip(blurred[margin : margin + height, margin : margin + width], 0, 4), np.float32)


def _shade(ink: Ink, rng: Rng, spread: float = 12) -> Ink:
    return _ink(np.clip([value + rng.normal(0, spread) for value in ink], 0, 255))


def _ink(values: NDArray[np.floating] | NDArray[np.integer]) -> Ink:
    r, g, b = (int(value) for value in values)
    return r, g, b


def _fall(draw: ImageDraw.ImageDraw, w: int, top: int, bottom: int, first: Ink, last: Ink) -> None:
    """A vertical gradient between two rows."""
    for row in range(top, bottom):
        t = (row - top) / max(1, bottom - top - 1)
        ink = tuple(round(a + (b - a) * t) for a, b in zip(first, last, strict=True))
        draw.line([(0, row), (w, row)], fill=ink)


def _spot(draw: ImageDraw.ImageDraw, x: float, y: float, r: float, ink: Ink) -> None:
    draw.ellipse([x - r, y - r, x + r, y + r], fill=ink)


def window(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, h, (205, 196, 180), (178, 164, 146))
    x0 = w * rng.uniform(0.08, 0.2)
    x1, y0, y1 = x0 + 0.34 * w, 0.08 * h, 0.66 * h
    draw.rectangle([x0 - 8, y0 - 8, x1 + 8, y1 + 8], fill=(238, 234, 226))
    draw.rectangle([x0, y0, x1, y1], fill=(214, 232, 248))
    for _ in range(26):
        x, y = rng.uniform(x0, x1), rng.uniform(y0 + 0.5 * (y1 - y0), y1)
        _spot(draw, x, y, 0.03 * w, _shade((120, 160, 96), rng, 20))
    draw.rectangle([x0 - 12, y1 - 2, x1 + 12, y1 + 0.3 * h], fill=(186, 172, 154))
    draw.line([((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)], fill=(236, 232, 224), width=8)
    draw.line([(x0, y0 + 0.4 * (y1 - y0)), (x1, y0 + 0.4 * (y1 - y0))], fill=(236, 232, 224), width=7)
    draw.polygon([(x1, 0), (x1 + 0.16 * w, 0), (x1 + 0.13 * w, h), (x1 + 0.05 * w, h)], fill=(196, 112, 84))
    draw.rectangle([0.72 * w, 0.2 * h, 0.9 * w, 0.44 * h], fill=(66, 58, 52))
    draw.rectangle([0.74 * w, 0.22 * h, 0.88 * w, 0.42 * h], fill=(96, 138, 150))
    draw.rectangle([0.6 * w, 0.78 * h, w, h], fill=(104, 82, 66))


def garden(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, int(0.45 * h), (196, 222, 240), (222, 232, 214))
    _fall(draw, w, int(0.45 * h), h, (112, 150, 70), (70, 104, 46))
    for depth in range(3):
        for _ in range(60):
            y = h * rng.uniform(0.12 + 0.1 * depth, 0.7)
            green = ((118, 152, 84), (80, 122, 56), (48, 86, 42))[depth]
            _spot(draw, w * rng.uniform(0, 1), y, h * rng.uniform(0.02, 0.07), _shade(green, rng, 16))
    x = w * rng.choice([0.14, 0.84])
    draw.polygon([(x - 16, h), (x - 9, 0), (x + 10, 0), (x + 20, h)], fill=(84, 66, 50))
    for _ in range(34):
        x, y, r = w * rng.uniform(0, 1), h * rng.uniform(0.02, 0.62), h * rng.uniform(0.003, 0.009)
        _spot(draw, x, y, r, (255, 252, 214))
    for _ in range(24):
        flower = [(232, 96, 110), (250, 210, 90), (236, 150, 190)][rng.integers(3)]
        _spot(draw, w * rng.uniform(0, 1), h * rng.uniform(0.6, 0.95), h * rng.uniform(0.01, 0.02), flower)


def studio(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    base = np.array([(96, 108, 122), (128, 118, 108), (88, 104, 96)][rng.integers(3)])
    _fall(draw, w, 0, h, _ink(base - 26), _ink(base - 40))
    for step in range(60, 0, -1):
        x, y = step / 75, step / 85
        box = [w * (0.5 - x), h * (0.42 - y), w * (0.5 + x), h * (0.42 + y)]
        draw.ellipse(box, fill=_ink(base - 36 + (60 - step) * 1.35))


def evening(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, h, (30, 30, 52), (52, 34, 30))
    for _ in range(9):
        x, y = w * rng.uniform(0, 1), h * rng.uniform(0.2, 0.9)
        draw.rectangle([x, y, x + w * rng.uniform(0.05, 0.2), h], fill=_shade((46, 38, 44), rng, 10))
    inks = [(255, 190, 96), (255, 224, 160), (255, 132, 80), (150, 190, 255)]
    for _ in range(42):
        ink = inks[rng.choice(4, p=[0.45, 0.3, 0.15, 0.1])]
        _spot(draw, w * rng.uniform(0, 1), h * rng.normal(0.42, 0.2), h * rng.uniform(0.004, 0.009), ink)


def seaside(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    horizon = int(h * rng.uniform(0.46, 0.54))
    _fall(draw, w, 0, horizon, (112, 168, 222), (212, 230, 240))
    _fall(draw, w, horizon, int(0.76 * h), (62, 126, 150), (118, 184, 188))
    _fall(draw, w, int(0.76 * h), h, (232, 214, 178), (214, 190, 150))
    for _ in range(6):
        x, y = w * rng.uniform(0, 1), horizon * rng.uniform(0.2, 0.8)
        draw.ellipse([x, y, x + 0.3 * w, y + 0.05 * h], fill=(240, 244, 248))
    hills = [(0, horizon), (0, horizon - 0.09 * h), (0.3 * w, horizon - 0.03 * h), (0.42 * w, horizon)]
    draw.polygon(hills, fill=(104, 128, 132))
    for _ in range(30):
        y = rng.uniform(horizon, 0.76 * h)
        x = w * rng.uniform(0, 1)
        draw.line([(x, y), (x + 0.12 * w, y)], fill=(206, 232, 232), width=2)


def library(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    draw.rectangle([0, 0, w, h], fill=(58, 38, 26))
    shelf = h * 0.235
    inks: list[Ink] = [
        (132, 44, 36), (38, 70, 84), (196, 168, 116), (60, 84, 52), (96, 62, 40), (206, 196, 174),
        (40, 40, 56),
    ]  # fmt: skip
    for row in range(6):
        bottom = (row + 1) * shelf - 6
        x = -6.0
        while x < w:
            thick = rng.uniform(0.018, 0.05) * w
            if rng.random() < 0.9:
                book = [x, bottom - shelf * rng.uniform(0.6, 0.86), x + thick - 1.5, bottom]
                draw.rectangle(book, fill=_shade(inks[rng.integers(7)], rng))
            x += thick
        draw.rectangle([0, bottom, w, bottom + 7], fill=(122, 82, 52))
    _spot(draw, 0.86 * w, 0.3 * h, 0.05 * h, (255, 226, 168))


def street(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, h, (214, 220, 226), (196, 198, 200))
    walls = [(170, 140, 120), (150, 152, 156), (188, 174, 150), (124, 92, 82)]
    x = -0.05 * w
    while x < w:
        wide, top = rng.uniform(0.16, 0.34) * w, h * rng.uniform(0.0, 0.35)
        wall = _shade(walls[rng.integers(4)], rng)
        draw.rectangle([x, top, x + wide, 0.82 * h], fill=wall)
        for column in np.arange(x + 0.03 * w, x + wide - 0.04 * w, 0.075 * w):
            for row in np.arange(top + 0.05 * h, 0.66 * h, 0.12 * h):
                pane = (96, 110, 124) if rng.random() < 0.8 else (255, 236, 190)
                draw.rectangle([column, row, column + 0.035 * w, row + 0.07 * h], fill=pane)
        x += wide
    draw.rectangle([0, 0.8 * h, w, h], fill=(128, 128, 130))
    for _ in range(3):
        car = _shade([(160, 40, 40), (60, 84, 130), (220, 220, 220)][rng.integers(3)], rng)
        x = w * rng.uniform(-0.1, 0.9)
        draw.rounded_rectangle([x, 0.72 * h, x + 0.24 * w, 0.84 * h], radius=10, fill=car)


def kitchen(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, h, (222, 224, 214), (202, 200, 188))
    for x in np.arange(0, w, 0.06 * w):
        draw.line([(x, 0.28 * h), (x, 0.66 * h)], fill=(188, 196, 190), width=2)
    draw.rectangle([0, 0, w, 0.22 * h], fill=(88, 124, 122))
    for x in np.arange(0.05 * w, w, 0.24 * w):
        draw.rectangle([x, 0.01 * h, x + 0.21 * w, 0.2 * h], fill=(100, 138, 136))
    draw.rectangle([0, 0.4 * h, w, 0.425 * h], fill=(150, 104, 66))
    jars = [(214, 120, 60), (236, 216, 160), (120, 150, 70), (190, 60, 56), (240, 238, 230)]
    for _ in range(11):
        x, tall = w * rng.uniform(0, 0.95), h * rng.uniform(0.05, 0.1)
        jar = jars[rng.integers(5)]
        draw.rectangle([x, 0.4 * h - tall, x + 0.05 * w, 0.4 * h], fill=_shade(jar, rng))
    draw.rectangle([0, 0.66 * h, w, 0.7 * h], fill=(164, 118, 78))
    draw.rectangle([0, 0.7 * h, w, h], fill=(80, 112, 112))
    _spot(draw, w * rng.choice([0.12, 0.88]), 0.27 * h, 0.045 * h, (255, 240, 206))


def sunset(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    horizon = int(0.6 * h)
    _fall(draw, w, 0, horizon, (66, 78, 130), (252, 176, 104))
    _fall(draw, w, horizon, h, (214, 138, 96), (40, 52, 84))
    _spot(draw, 0.64 * w, horizon - 0.07 * h, 0.05 * h, (255, 244, 206))
    hills = [(0, horizon), (0, 0.5 * h), (0.2 * w, 0.43 * h), (0.36 * w, 0.53 * h), (0.5 * w, horizon)]
    draw.polygon(hills, fill=(78, 64, 88))
    for row in range(40):
        y = horizon + (h - horizon) * row / 40
        x = 0.64 * w + rng.normal(0, 0.02 * w + 0.001 * row * w)
        draw.line([(x - 0.03 * w, y), (x + 0.03 * w, y)], fill=(255, 206, 140), width=2)


def fruit(draw: ImageDraw.ImageDraw, w: int, h: int, rng: Rng) -> None:
    _fall(draw, w, 0, int(0.6 * h), (92, 104, 110), (128, 134, 132))
    _fall(draw, w, int(0.6 * h), h, (150, 104, 66), (108, 70, 42))
    draw.ellipse([0.16 * w, 0.7 * h, 0.88 * w, 0.8 * h], fill=(84, 54, 34))
    inks: list[Ink] = [(206, 56, 44), (236, 158, 48), (150, 176, 60), (200, 84, 40), (228, 196, 72)]
    places = [(0.38, 0.55, 0.1), (0.52, 0.5, 0.11), (0.65, 0.56, 0.095), (0.46, 0.6, 0.1), (0.58, 0.6, 0.1)]
    for (x, y, r), kind in zip(places, (0, 1, 2, 4, 3), strict=True):
        ink = np.array(_shade(inks[kind], rng))
        for step in range(40):
            t = step / 39
            colour = np.clip(ink * (0.45 + 0.75 * t), 0, 255)
            _spot(draw, (x - 0.03 * t) * w, (y - 0.03 * t) * h, r * h * (1 - 0.92 * t), _ink(colour))
    draw.chord([0.24 * w, 0.38 * h, 0.8 * w, 0.78 * h], 0, 180, fill=(66, 98, 138))
    draw.line([(0.24 * w, 0.58 * h), (0.8 * w, 0.58 * h)], fill=(120, 152, 188), width=5)


NO_PEOPLE = {
    "sunset": Place(sunset, Lighting((), (0, 0, 0), (0, 0, 0)), 0.004, 0.3),
    "fruit": Place(fruit, Lighting((), (0, 0, 0), (0, 0, 0)), 0.005, 0.0),
}

PLACES: dict[str, Place] = {
    "window": Place(window, Lighting(
        (Lamp(-58, 18, (2.3, 2.4, 2.55), 0.24),), (0.52, 0.5, 0.47), (0.3, 0.26, 0.22),
    ), 0.022, 0.12),
    "garden": Place(garden, Lighting(
        (Lamp(48, 44, (2.0, 1.8, 1.45), 0.06), Lamp(-150, 35, (2.4, 2.1, 1.6), 0.08)),
        (0.85, 0.95, 1.1), (0.30, 0.36, 0.18),
    ), 0.03, 1.6),
    "studio": Place(studio, Lighting(
        (Lamp(34, 30, (2.3, 2.25, 2.2), 0.16), Lamp(-42, 5, (0.6, 0.62, 0.66), 0.2),
         Lamp(-145, 30, (1.6, 1.65, 1.8), 0.1)), (0.28, 0.28, 0.3), (0.14, 0.14, 0.14),
    ), 0.02),
    "evening": Place(evening, Lighting(
        (Lamp(-30, 12, (2.1, 1.35, 0.75), 0.2), Lamp(62, 20, (0.5, 0.45, 0.5), 0.2),
         Lamp(140, 25, (1.7, 1.0, 0.5), 0.1)), (0.24, 0.24, 0.34), (0.22, 0.14, 0.09),
    ), 0.03, 3.0, 0.85),
    "seaside": Place(seaside, Lighting(
        (Lamp(-24, 52, (2.0, 1.85, 1.6), 0.05),), (0.95, 1.1, 1.35), (0.75, 0.66, 0.5),
    ), 0.014, 0.2, 1.08),
    "library": Place(library, Lighting(
        (Lamp(26, 50, (1.9, 1.55, 1.1), 0.2), Lamp(-70, 10, (0.7, 0.72, 0.8), 0.25)),
        (0.5, 0.42, 0.32), (0.3, 0.22, 0.15),
    ), 0.012),
    "street": Place(street, Lighting(
        (Lamp(10, 60, (0.9, 0.92, 0.96), 0.4),), (1.27, 1.27, 1.27), (0.5, 0.47, 0.43),
    ), 0.018, 0.5),
    "kitchen": Place(kitchen, Lighting(
        (Lamp(64, 22, (2.1, 2.1, 2.1), 0.25), Lamp(-20, 60, (0.9, 0.72, 0.5), 0.15)),
        (0.5, 0.48, 0.44), (0.36, 0.32, 0.27),
    ), 0.014),
}  # fmt: skip
