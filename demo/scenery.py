"""Places where the album was taken: an out-of-focus background and the light that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import paintings
from colour import Lamp, Lighting
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from facedata.rendered.mesh import Array

Rng = np.random.Generator


@dataclass(frozen=True)
class Place:
    """A place: how its background is painted, its light, and the radius of its blur as a share of the height.

    ``sparkle`` is how much brighter than white its lights are, ``exposure`` how bright people look there.
    """

    paint: Callable[[ImageDraw.ImageDraw, int, int, Rng], None]
    lighting: Lighting
    blur: float
    sparkle: float = 1.0
    exposure: float = 1.0


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


NO_PEOPLE = {
    "sunset": Place(paintings.sunset, Lighting((), (0, 0, 0), (0, 0, 0)), 0.004, 0.3),
    "fruit": Place(paintings.fruit, Lighting((), (0, 0, 0), (0, 0, 0)), 0.005, 0.0),
}

PLACES: dict[str, Place] = {
    "window": Place(
        paintings.window,
        Lighting((Lamp(-58, 18, (2.3, 2.4, 2.55), 0.24),), (0.52, 0.5, 0.47), (0.3, 0.26, 0.22)),
        0.022,
        0.12,
    ),
    "garden": Place(
        paintings.garden,
        Lighting(
            (Lamp(48, 44, (2.0, 1.8, 1.45), 0.06), Lamp(-150, 35, (2.4, 2.1, 1.6), 0.08)),
            (0.85, 0.95, 1.1),
            (0.30, 0.36, 0.18),
        ),
        0.03,
        1.6,
    ),
    "studio": Place(
        paintings.studio,
        Lighting(
            (
                Lamp(34, 30, (2.3, 2.25, 2.2), 0.16),
                Lamp(-42, 5, (0.6, 0.62, 0.66), 0.2),
                Lamp(-145, 30, (1.6, 1.65, 1.8), 0.1),
            ),
            (0.28, 0.28, 0.3),
            (0.14, 0.14, 0.14),
        ),
        0.02,
    ),
    "evening": Place(
        paintings.evening,
        Lighting(
            (
                Lamp(-30, 12, (2.1, 1.35, 0.75), 0.2),
                Lamp(62, 20, (0.5, 0.45, 0.5), 0.2),
                Lamp(140, 25, (1.7, 1.0, 0.5), 0.1),
            ),
            (0.24, 0.24, 0.34),
            (0.22, 0.14, 0.09),
        ),
        0.03,
        3.0,
        0.85,
    ),
    "seaside": Place(
        paintings.seaside,
        Lighting((Lamp(-24, 52, (2.0, 1.85, 1.6), 0.05),), (0.95, 1.1, 1.35), (0.75, 0.66, 0.5)),
        0.014,
        0.2,
        1.08,
    ),
    "library": Place(
        paintings.library,
        Lighting(
            (Lamp(26, 50, (1.9, 1.55, 1.1), 0.2), Lamp(-70, 10, (0.7, 0.72, 0.8), 0.25)),
            (0.5, 0.42, 0.32),
            (0.3, 0.22, 0.15),
        ),
        0.012,
    ),
    "street": Place(
        paintings.street,
        Lighting((Lamp(10, 60, (0.9, 0.92, 0.96), 0.4),), (1.27, 1.27, 1.27), (0.5, 0.47, 0.43)),
        0.018,
        0.5,
    ),
    "kitchen": Place(
        paintings.kitchen,
        Lighting(
            (Lamp(64, 22, (2.1, 2.1, 2.1), 0.25), Lamp(-20, 60, (0.9, 0.72, 0.5), 0.15)),
            (0.5, 0.48, 0.44),
            (0.36, 0.32, 0.27),
        ),
        0.014,
    ),
}
