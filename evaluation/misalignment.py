"""Query crops that are moved: the paper's future work ("misaligned input faces").

The queries' crops are shifted, scaled or turned by growing amounts, each in a direction of its own that is
drawn once, so that a query only goes further on its way.  The gallery stays as it is: an index of good crops,
asked with a bad one.  The crop itself is warped, as most sets have nothing else; beyond its edge the nearest
pixels are repeated (``faces.crop`` does so at the edge of a photograph).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from faces.types import Pixels

Motion = Literal["shift", "scale", "turn"]

UNITS: dict[Motion, str] = {
    "shift": "percent of the crop's side",
    "scale": "percent larger or smaller",
    "turn": "degrees",
}
AMOUNTS = dict.fromkeys(UNITS, (5.0, 10.0, 15.0, 20.0))
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
    side = crops.shape[1]
    around = side // 2 + 1  # farther than any amount reaches
    middle = np.full(2, side / 2)
    made = np.empty_like(crops)
    for number, (crop, angle, sign) in enumerate(zip(crops, angles, signs, strict=True)):
        # The place in the crop that each place of the moved crop comes from, in pixels.
        linear, offset = np.eye(2), np.zeros(2)
        if motion == "shift":
            offset = amount / 100 * side * np.array([np.cos(angle), np.sin(angle)])
        elif motion == "scale":
            linear = linear * (1 + amount / 100) ** sign
        else:
            turn = np.deg2rad(amount) * sign
            linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.column_stack([linear, middle - linear @ middle + offset + around])
        padded = Image.fromarray(np.pad(crop, around, mode="edge")).convert("F")
        seen = padded.transform(
            (side, side), Image.Transform.AFFINE, matrix.ravel().tolist(), Image.Resampling.BILINEAR
        )
        made[number] = np.rint(np.clip(np.asarray(seen), 0, 255))
    return made
