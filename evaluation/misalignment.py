"""Query crops that are moved: the paper's future work ("misaligned input faces").

The queries' crops are shifted, scaled or turned by growing amounts, each in a direction of its own that is
drawn once, so that a query only goes further on its way.  The gallery stays as it is: an index of good crops,
asked with a bad one.  The crop itself is warped, as most sets have nothing else; beyond its edge the nearest
pixels are repeated (``faces.crop`` does so at the edge of a photograph).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faces.types import Pixels

Doubles = NDArray[np.float64]
Motion = Literal["shift", "scale", "turn"]

AMOUNTS: dict[Motion, tuple[float, ...]] = {
    "shift": (5.0, 10.0, 15.0, 20.0),
    "scale": (5.0, 10.0, 15.0, 20.0),
    "turn": (5.0, 10.0, 15.0, 20.0),
}
UNITS: dict[Motion, str] = {
    "shift": "percent of the crop's side",
    "scale": "percent larger or smaller",
    "turn": "degrees",
}
COUNT = 1000
"""Queries that are moved."""


def moved(crops: Pixels, motion: Motion, amount: float, *, seed: int) -> Pixels:
    """Return crops (N, S, S) uint8 misaligned by ``amount`` (in ``UNITS``), rounded once.

    Each is shifted in a direction of its own, or made larger or smaller, or turned to either side, about its
    middle; the directions depend on ``seed`` and N only.
    """
    random = np.random.default_rng(seed)
    angles = random.uniform(0, 2 * np.pi, len(crops))
    signs = random.choice([-1.0, 1.0], len(crops))
    made = np.empty_like(crops)
    for number, crop in enumerate(crops):
        matrix = _matrix(motion, amount, angles[number], signs[number], crop.shape[0])
        made[number] = _warped(crop, matrix)
    return made


def _matrix(motion: Motion, amount: float, angle: float, sign: float, side: int) -> Doubles:
    """The place in a crop that each place of the moved crop comes from: (2, 3), in pixels."""
    linear, offset = np.eye(2), np.zeros(2)
    if motion == "shift":
        offset = amount / 100 * side * np.array([np.cos(angle), np.sin(angle)])
    elif motion == "scale":
        linear = linear * (1 + amount / 100) ** sign
    else:
        turn = np.deg2rad(amount) * sign
        linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.full(2, side / 2)
    return np.concatenate([linear, (middle - linear @ middle + offset)[:, None]], axis=1)


def _warped(crop: Pixels, matrix: Doubles) -> Pixels:
    """One (S, S) crop seen through ``matrix``, bilinear, edge pixels repeated."""
    side = crop.shape[0]
    around = side // 2 + 1  # farther than any amount reaches
    padded = Image.fromarray(np.pad(crop, around, mode="edge")).convert("F")
    local = matrix.copy()
    local[:, 2] += around
    seen = padded.transform(
        (side, side),
        Image.Transform.AFFINE,
        tuple(float(value) for value in local.ravel()),
        Image.Resampling.BILINEAR,
    )
    levels: Pixels = np.rint(np.clip(np.asarray(seen), 0, 255)).astype(np.uint8)
    return levels
