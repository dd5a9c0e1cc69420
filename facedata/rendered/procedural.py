"""Procedural paint, as functions of points: noise, soft steps, distances to lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedata.rendered.mesh import Array


@dataclass(frozen=True)
class Noise:
    """A smooth random function of space with mean 0 and variance about 1: a sum of random plane waves.

    ``waves`` (k, 3), ``phases`` and ``weights`` (k,), float32.
    """

    waves: Array
    phases: Array
    weights: Array

    def __call__(self, points: Array) -> Array:
        """Values (n,) at points (n, 3)."""
        return np.asarray(np.cos(points @ self.waves.T + self.phases) @ self.weights, np.float32)


def noise(rng: np.random.Generator, scale: float, waves: int = 20) -> Noise:
    """Draw noise whose bumps are about ``scale`` cm wide."""
    return Noise(
        waves=(rng.normal(size=(waves, 3)) / scale).astype(np.float32),
        phases=rng.uniform(0, 2 * np.pi, waves).astype(np.float32),
        weights=(rng.normal(size=waves) * np.sqrt(2 / waves)).astype(np.float32),
    )


def soft_step(values: Array, sharpness: float) -> Array:
    """Go from 0 far below zero to 1 far above: the logistic function of sharpness * value."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values * sharpness, -30, 30))), np.float32)


def line_distance(points: Array, line: Array) -> Array:
    """Measure the distance (n,) of points (n, 3) to a polyline (k, 3)."""
    start, step = line[:-1], np.diff(line, axis=0)
    offset = points[:, None] - start
    along = np.clip((offset * step).sum(2) / ((step * step).sum(1) + 1e-9), 0, 1)
    gap = offset - along[:, :, None] * step
    return np.asarray(np.sqrt((gap * gap).sum(2).min(1)), np.float32)


def inside_polygon(points: Array, polygon: Array) -> NDArray[np.bool_]:
    """Tell whether points (n, 2) lie inside a closed polygon (k, 2), by the crossing rule."""
    x, y = points[:, 0, None], points[:, 1, None]
    x1, y1 = polygon[:, 0], polygon[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    straddles = (y1 > y) != (y2 > y)
    crossing = x1 + (y - y1) * (x2 - x1) / np.where(y2 == y1, 1e-9, y2 - y1)
    return np.asarray((straddles & (x < crossing)).sum(1) % 2 == 1)
