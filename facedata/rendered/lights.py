"""Light that a word asks for: soft or hard, from a side of the picture, with the rest of the room."""

from __future__ import annotations

import numpy as np

from facedata.rendered.camera import Light
from facedata.rendered.mesh import Rng, direction

_SMALL, _LARGE = 0.03, 0.12  # softness of the sun or a bare lamp, and of a lamp with a shade
_WINDOW = 15.0  # degrees from the middle of a window or a bright wall to where its other light comes from

Angles = list[tuple[float, float]]
"""Azimuth and elevation of each lamp, degrees."""


_USUAL: dict[str, tuple[Angles, list[float], float]] = {
    "even": ([(-30.0, 15.0), (30.0, 15.0)], [0.6, 0.6], 0.25),
    "left": ([(-65.0, 10.0)], [1.0], 0.12),
    "right": ([(65.0, 10.0)], [1.0], 0.12),
    "above": ([(0.0, 65.0)], [1.0], 0.12),
    "below": ([(0.0, -42.0)], [1.0], 0.12),
    "dim": ([(0.0, 30.0)], [0.12], 0.5),
}  # lamps, their weights and the light from everywhere


def usual_light(word: str) -> Light:
    """Give the light that ``named_light`` means on average; raises KeyError likewise."""
    angles, weights, ambient = _USUAL[word]
    return _lit(angles, weights, ambient, 0.1)


def named_light(rng: Rng, word: str) -> Light:
    """Draw a light that a word means: even, left, right, above, below or dim, as seen in the picture.

    Raises KeyError for other words.
    """
    softness = float(np.exp(rng.uniform(np.log(_SMALL), np.log(_LARGE))))
    angles: Angles
    weights, ambient = [1.0], rng.uniform(0.05, 0.18)
    if word == "even":
        kind = rng.integers(3)
        if kind == 0:  # a flash on the camera, whose shadows hide behind the face
            angles = [(rng.normal(0, 6), rng.uniform(0, 15))]
            ambient = rng.uniform(0.1, 0.4)
        elif kind == 1:  # a bright room or an overcast sky
            angles, softness = [(rng.normal(0, 20), rng.uniform(5, 45))], 0.3
            weights, ambient = [rng.uniform(0.1, 0.5)], rng.uniform(0.5, 0.9)
        else:  # two lamps, on either side
            apart, high = rng.uniform(20, 50), rng.uniform(0, 25)
            angles, weights = [(-apart, high), (apart, high)], [0.6, 0.6 * rng.uniform(0.8, 1.2)]
            ambient = rng.uniform(0.1, 0.4)
        angles, weights = _backlit(rng, angles, weights)
    elif word in ("left", "right"):
        side = -1 if word == "left" else 1
        angles, weights = _window(rng, side * rng.uniform(40, 90), rng.uniform(-10, 30))
        if rng.random() < 0.4:  # a weaker lamp or a bright wall fills the shadow
            angles.append((-side * rng.uniform(0, 60), rng.uniform(-10, 30)))
            weights.append(rng.uniform(0.05, 0.2))
    elif word == "above":
        angles, weights = _window(rng, rng.normal(0, 15), rng.uniform(50, 80))
    elif word == "below":
        angles, weights = _window(rng, rng.normal(0, 20), rng.uniform(-60, -25))
    elif word == "dim":
        angles, softness = [(rng.uniform(-60, 60), rng.uniform(0, 60))], 0.3
        weights, ambient = [rng.uniform(0.0, 0.25)], rng.uniform(0.35, 0.7)
        angles, weights = _backlit(rng, angles, weights)
    else:
        raise KeyError(word)
    return _lit(angles, weights, ambient, softness)


def _lit(angles: Angles, weights: list[float], ambient: float, softness: float) -> Light:
    azimuth, elevation = np.radians(angles).T
    return Light(
        direction(azimuth, elevation).astype(np.float32),
        np.array(weights, np.float32),
        float(ambient),
        softness,
        follows_camera=True,
    )


def _window(rng: Rng, azimuth: float, elevation: float) -> tuple[Angles, list[float]]:
    """Light from one lamp, or half of the time from a window, which is three; their weights sum to 1."""
    if rng.random() < 0.5:
        return [(azimuth, elevation)], [1.0]
    turns = np.radians(rng.uniform(0, 120) + np.array([0, 120, 240]))
    around = _WINDOW * np.stack([np.cos(turns), np.sin(turns)], 1) + (azimuth, elevation)
    return [(float(across), float(up)) for across, up in around], [1 / 3] * 3


def _backlit(rng: Rng, angles: Angles, weights: list[float]) -> tuple[Angles, list[float]]:
    """Sometimes add the sun or a window behind the head, which only draws its outline."""
    if rng.random() > 0.25:
        return angles, weights
    behind = (float(rng.choice([-1, 1]) * rng.uniform(120, 160)), float(rng.uniform(10, 50)))
    return [*angles, behind], [*weights, float(rng.uniform(0.3, 1.0))]
