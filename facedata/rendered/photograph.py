"""From light to a photograph's grey levels: exposure, tone curve, background, blur, noise, JPEG.

It is switched off for the paper's protocol and on for weights that must work on real photographs.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from facedata.rendered.mesh import Array, Rng
from faces.types import Landmarks, Pixels

GAMMA = 1 / 2.2


@dataclass(frozen=True)
class Variety:
    """How much pictures differ beyond person, pose and light; standard deviations unless said otherwise."""

    yaw: float = 0.0  # degrees
    beyond: float = 0.0  # largest extra turn of the outermost poses: people who look aside turn beyond 45
    turned: float = 0.0  # yaw kept while accessories change, cut at twice that, in place of a labelled pose
    pitch: float = 0.0  # degrees
    roll: float = 0.0  # degrees
    expression: float = 0.0  # chance of one
    low_hair: float = 0.0  # share of people whose hair reaches into the crop
    glasses: float = 0.0  # share of people who wear them
    free_light: float = 0.0  # share of lights that are not of the rig
    crop_error: float = 0.0  # of the landmarks, relative to a crop's side
    camera: bool = False  # whether distance, exposure, tone curve, background, blur, noise and JPEG vary


VARIETIES = {
    "none": Variety(),
    "full": Variety(
        yaw=4.0, beyond=22.0, turned=22.0, pitch=6.0, roll=3.0, expression=0.6, low_hair=0.85,
        glasses=0.2, free_light=0.65, crop_error=0.013, camera=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Tone:
    """A camera's answer to light: grey = curve((gain * light) ** gamma), curve a blend towards an S."""

    gain: float = 1.0
    gamma: float = GAMMA
    s_curve: float = 0.0

    def __call__(self, light: Array) -> Array:
        """Grey 0..1 of linear light >= 0, same shape."""
        grey = np.clip(light * self.gain, 0, 1) ** self.gamma
        return np.asarray(grey + self.s_curve * (grey * grey * (3 - 2 * grey) - grey), np.float32)


def sample_tone(rng: Rng, skin_light: float) -> Tone:
    """Draw an exposure that brings the brighter part of the skin (linear ``skin_light``) to a usual grey."""
    wished = rng.uniform(0.5, 1.12)
    gamma = GAMMA * rng.uniform(0.75, 1.35)
    return Tone(wished ** (1 / gamma) / max(skin_light, 1e-3), gamma, rng.uniform(-0.2, 0.9))


def sample_background(rng: Rng, side: int) -> Array:
    """Draw a background (side, side) of grey 0..1: plain, shaded, blurred shapes or clutter."""
    level = rng.uniform(0, 1)
    kind = rng.integers(4)
    ground = np.full((side, side), level, np.float32)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    if kind >= 1:
        angle = rng.uniform(0, 2 * np.pi)
        ground += rng.normal(0, 0.25) * (np.cos(angle) * x + np.sin(angle) * y)
    if kind >= 2:
        for _ in range(int(rng.integers(1, 9))):
            (cx, cy), (w, h) = rng.uniform(-0.6, 0.5, 2), rng.uniform(0.05, 0.6, 2)
            ground[(x > cx) & (x < cx + w) & (y > cy) & (y < cy + h)] = rng.uniform(0, 1)
    if kind == 3:
        ground += gaussian_filter(rng.normal(size=ground.shape), side / 40) * rng.uniform(0, 3)
    return np.clip(gaussian_filter(ground, rng.uniform(0.3, 0.08 * side)), 0, 1).astype(np.float32)


def photograph(
    grey: Array, landmarks: Landmarks, rng: Rng, *, rays_per_pixel: float
) -> tuple[Pixels, Landmarks]:
    """Take a picture of an ideal image through a random lens, sensor and JPEG encoder.

    ``grey`` (side, side) 0..1 has ``rays_per_pixel`` samples per pixel of the wanted crop.  The picture is as
    large or smaller.
    """
    grey = np.asarray(gaussian_filter(grey, abs(rng.normal(0, 0.22)) * rays_per_pixel), np.float32)
    # A face in a photograph may be smaller or larger than the crop.
    shrink = float(np.exp(rng.uniform(np.log(0.4), np.log(rays_per_pixel * 0.9))))
    if shrink > 1:
        side = max(16, round(len(grey) / shrink))
        shrink = len(grey) / side
        small = Image.fromarray(grey).resize((side, side), Image.Resampling.BOX)
        grey, landmarks = np.asarray(small, np.float32), scaled(landmarks, 1 / shrink)
    noise = rng.normal(size=grey.shape).astype(np.float32) * abs(rng.normal(0, 0.012)) * (0.4 + np.sqrt(grey))
    pixels = np.clip((grey + noise) * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        memory = io.BytesIO()
        Image.fromarray(pixels).save(memory, "JPEG", quality=int(rng.integers(45, 96)))
        pixels = np.asarray(Image.open(memory))
    return pixels, landmarks


def scaled(landmarks: Landmarks, factor: float) -> Landmarks:
    """Return the landmarks of a picture enlarged by ``factor``."""
    return _landmarks(_points(landmarks) * factor)


def misplaced(landmarks: Landmarks, error: float, rng: Rng) -> Landmarks:
    """Shift, turn and scale landmarks as a detector does; ``error`` is relative to a crop's side."""
    points = _points(landmarks)
    middle = (points[0] + points[1]) / 2
    unit = float(np.hypot(*(points[2] - middle))) * 4  # about the side of a crop
    angle, zoom = rng.normal(0, 2.5 * error), np.exp(rng.normal(0, 4 * error))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom
    return _landmarks((points - middle) @ turn.T + middle + rng.normal(0, error * unit, 2))


def _points(landmarks: Landmarks) -> NDArray[np.float64]:
    return np.array([landmarks.left_eye, landmarks.right_eye, landmarks.nose_base])


def _landmarks(points: NDArray[np.float64]) -> Landmarks:
    return Landmarks(*((float(x), float(y)) for x, y in points))
