"""Crops of a rendered person: a camera's look at the head, from light to a photograph's grey levels.

Exposure, tone curve, background, blur, noise and JPEG are switched off for the paper's protocol and on for
weights that must work on photographs.  Larger pictures, for networks that were trained on larger faces than
ours, show the person, the light and the expression of a crop, from the same place, a little wider and without
what a cheap camera does to it; clean crops are as a studio would have taken them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from facedata.rendered.camera import (
    EYE_TO_NOSE_BASE,
    Camera,
    Light,
    View,
    picture_landmarks,
    rig_lights,
    sample_light,
)
from facedata.rendered.mesh import Array, Material
from facedata.rendered.person import Posed
from faces.crop import CropGeometry, crop_face
from faces.types import Floats, Landmarks, Pixels

RAYS_PER_PIXEL = 2.5  # rays per crop pixel and direction
MARGIN = 1.15  # the frame rendered is so much wider than the crop
STUDIO_WALL = 0.28  # the grey behind clean pictures, always the same: a network cannot guess it

LARGE_SIDE = 176  # pixels: dlib's chips of 150 keep their size
LARGE_WIDER = 1.15  # than the crop: what is cut by five points on a turned head reaches beyond it
LARGE_RAYS_PER_PIXEL = 1.1  # in each direction; more costs more than it shows
LARGE_POINTS = (45, 42, 36, 39, 33)  # of the 68, in the order of dlib's five
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


def sample_tone(rng: np.random.Generator, skin_light: float) -> Tone:
    """Draw an exposure that brings the brighter part of the skin (linear ``skin_light``) to a usual grey."""
    wished = rng.uniform(0.5, 1.12)
    gamma = GAMMA * rng.uniform(0.75, 1.35)
    return Tone(wished ** (1 / gamma) / max(skin_light, 1e-3), gamma, rng.uniform(-0.2, 0.9))


def sample_background(rng: np.random.Generator, side: int) -> Array:
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
    grey: Array, landmarks: Landmarks, rng: np.random.Generator, *, rays_per_pixel: float
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


def misplaced(landmarks: Landmarks, error: float, rng: np.random.Generator) -> Landmarks:
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


@dataclass(frozen=True)
class Shots:
    """Pictures of one person, in any arrangement "...", such as (poses, lights); some only if wished."""

    crops: Pixels  # (..., S, S) uint8
    large: Pixels | None = None  # (..., 176, 176) uint8
    points: Floats | None = None  # (..., 5, 2) float32, on the larger pictures
    clean: Pixels | None = None  # (..., S, S) uint8, crops as they were in a studio

    @staticmethod
    def joined(parts: Sequence[Shots]) -> Shots:
        """Join several arrangements along their second axis."""
        columns = [[getattr(part, each.name) for part in parts] for each in fields(Shots)]
        joined: list[Any] = [None if column[0] is None else np.concatenate(column, 1) for column in columns]
        return Shots(*joined)

    def in_one_row(self) -> Shots:
        """Return the same pictures one after another: (n, S, S), (n, 176, 176), (n, 5, 2) and (n, S, S)."""
        found: list[Any] = [getattr(self, each.name) for each in fields(self)]
        rows: list[Any] = [None if each is None else each.reshape(-1, *each.shape[-2:]) for each in found]
        return Shots(*rows)


def sample_lights(
    rng: np.random.Generator, variety: Variety, count: int, *, numbers: Sequence[int] | None
) -> list[Light]:
    """Draw ``count`` lights: the rig's of these ``numbers``; if None, of the rig and as photographs have."""
    rig = rig_lights(rng.uniform(0.08, 0.14))
    if numbers is not None:
        return [rig[number] for number in numbers]
    lights = []
    for _ in range(count):
        free, follows = rng.random() < variety.free_light, rng.random() < 0.5
        light = sample_light(rng, follows_camera=follows)
        lights.append(light if free else rig[rng.integers(len(rig))])
    return lights


def crop_view(
    posed: Posed,
    geometry: CropGeometry,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    distance: float,
) -> View:
    """Look at a head (degrees, cm, as ``Camera`` has them) so that a little more than its crop is seen."""
    pixels = geometry.size * RAYS_PER_PIXEL
    # The crop's centre lies midway between the eyes and lower.
    eyes = posed.landmarks[[36, 39, 42, 45]].mean(0)
    drop = float(eyes[1] - posed.landmarks[33, 1]) / geometry.nose_distance * (0.5 - geometry.eye_y)
    target = np.asarray(eyes - np.array([0, drop, 0]), np.float32)
    scale = pixels * geometry.nose_distance / EYE_TO_NOSE_BASE
    return View(posed, Camera(yaw, pitch, roll, distance, round(pixels * MARGIN), scale, target))


def larger_view(view: View, geometry: CropGeometry) -> View:
    """Look at the same head in the same way for its larger picture."""
    side = round(LARGE_SIDE * LARGE_RAYS_PER_PIXEL)
    crop_width = EYE_TO_NOSE_BASE / geometry.nose_distance  # cm
    return View(view.posed, replace(view.camera, side=side, scale=side / (LARGE_WIDER * crop_width)))


def larger_picture(
    view: View, grey: Array, variety: Variety, wall: float, rng: np.random.Generator
) -> tuple[Pixels, Floats]:
    """Take the larger picture (176, 176), each pixel the mean over its area, and its points (5, 2)."""
    frame = _frame(view, grey, variety, wall, rng)
    picture = Image.fromarray(frame).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BOX)
    points = view.camera.project(view.landmarks[list(LARGE_POINTS)]) * (LARGE_SIDE / view.camera.side)
    return (np.asarray(picture) * 255 + 0.5).astype(np.uint8), points


def take_crop(
    view: View, grey: Array, geometry: CropGeometry, variety: Variety, wall: float, rng: np.random.Generator
) -> Pixels:
    """Take a picture of the head's ``grey`` (hits,) and crop it, (S, S); ``wall`` is the plain background."""
    frame = _frame(view, grey, variety, wall, rng)
    landmarks = picture_landmarks(view.landmarks, view.camera)
    if variety.camera:
        pixels, landmarks = photograph(frame, landmarks, rng, rays_per_pixel=RAYS_PER_PIXEL)
    else:
        pixels = (frame * 255 + 0.5).astype(np.uint8)
    if variety.crop_error:
        landmarks = misplaced(landmarks, variety.crop_error, rng)
    return crop_face(pixels, landmarks, geometry)


def _frame(view: View, grey: Array, variety: Variety, wall: float, rng: np.random.Generator) -> Array:
    """What a camera sees, (side, side) grey 0..1: the head's ``grey`` (hits,) before a background."""
    side = view.camera.side
    frame = sample_background(rng, side) if variety.camera else np.full((side, side), wall, np.float32)
    frame.reshape(-1)[view.hits.ray] = grey
    return frame


def skin_light(view: View, radiance: Array) -> float:
    """Linear light of the brighter part of the skin, by which a camera sets its exposure."""
    skin = radiance[view.hits.material == Material.SKIN]
    return float(np.percentile(skin, 85)) if len(skin) else 0.5
