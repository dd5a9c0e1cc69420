"""Crops of one person, rendered: views under the same lights, taken by the same camera.

With them, if wished, larger pictures for networks that were trained on larger faces than ours: each shows the
person, the light and the expression of its crop, from the same place, a little wider and without what a cheap
camera does to it.  And, for crops that are as photographs are, clean ones as a studio would have taken them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from PIL import Image

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
from facedata.rendered.photograph import (
    Tone,
    Variety,
    misplaced,
    photograph,
    sample_background,
    sample_tone,
)
from faces.crop import CropGeometry, crop_face
from faces.types import Floats, Pixels

RAYS_PER_PIXEL = 2.5  # rays per crop pixel and direction
MARGIN = 1.15  # the frame rendered is so much wider than the crop
STUDIO_WALL = 0.28  # the grey behind clean pictures, always the same: a network cannot guess it

LARGE_SIDE = 176  # pixels: dlib's chips of 150 keep their size
LARGE_WIDER = 1.15  # than the crop: what is cut by five points on a turned head reaches beyond it
LARGE_RAYS_PER_PIXEL = 1.1  # in each direction; more costs more than it shows
LARGE_POINTS = (45, 42, 36, 39, 33)  # of the 68, in the order of dlib's five


class Stream(IntEnum):
    """Streams of random numbers of one person of a set; a new one gets a number of its own, above 0.

    NumPy pads a seed with zeros, so [seed, person] and [seed, person, 0] are the same stream.
    """

    ROTATION_PERSON = 0
    ROTATION_PICTURES = 1
    ACCESSORY_PERSON = 2
    ACCESSORIES = 3
    ACCESSORY_PICTURES = 4

    def of(self, seed: int, person: int) -> np.random.Generator:
        """Open the numbers of person ``person`` in the set with this seed."""
        return np.random.default_rng([seed, person, self.value])


@dataclass(frozen=True)
class Shots:
    """Pictures of one person, in any arrangement "...", such as (poses, lights).

    Larger and clean pictures are there if they were wished; ``points`` are those of
    ``facedata.large_pictures.LargeFace``, in picture coordinates.
    """

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
    """Draw the ``count`` lights of one person.

    They are the rig's of these ``numbers``; if None, each is drawn at random from the rig and from those that
    photographs have.
    """
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


def render_views(
    views: Sequence[View],
    lights: Sequence[Light],
    geometry: CropGeometry,
    variety: Variety,
    *,
    metered: int,
    wall: float,
    rng: np.random.Generator,
    large: bool = False,
    studio: Sequence[View] = (),
) -> Shots:
    """Render all views under all lights, (len(views), len(lights)) pictures, larger ones too if ``large``.

    One exposure serves all views under a light; it is set by the skin in view ``metered``.  ``wall`` is the
    grey 0..1 of the background if backgrounds do not vary.  ``studio`` has for each view how a studio's
    camera would have looked; with it there are clean pictures too.  The crops are the same with and without
    larger and clean pictures.
    """
    shape, size = (len(views), len(lights)), geometry.size
    crops, clean = np.zeros((2, *shape, size, size), np.uint8)
    pictures = np.zeros((*shape, LARGE_SIDE, LARGE_SIDE), np.uint8)
    points = np.zeros((*shape, 5, 2), np.float32)
    larger = [_larger_view(view, geometry) for view in views] if large else []
    noise, grain = rng.spawn(2)  # leaves the numbers of ``rng`` as they are
    for at, light in enumerate(lights):
        shaded = [view.radiance(light, rng) for view in views]
        tone = sample_tone(rng, _skin_light(views[metered], shaded[metered])) if variety.camera else Tone()
        for number, (view, radiance) in enumerate(zip(views, shaded, strict=True)):
            crops[number, at] = _crop(view, tone(radiance), geometry, variety, wall, rng)
        for number, view in enumerate(larger):
            frame = _frame(view, tone(view.radiance(light, noise)), variety, wall, noise)
            # Each pixel is the mean over its area.
            picture = Image.fromarray(frame).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BOX)
            pictures[number, at] = np.asarray(picture) * 255 + 0.5
            marks = view.camera.project(view.landmarks[list(LARGE_POINTS)])
            points[number, at] = marks * (LARGE_SIDE / view.camera.side)
        for number, view in enumerate(studio):
            grey = tone(view.radiance(light, grain))
            clean[number, at] = _crop(view, grey, geometry, Variety(), STUDIO_WALL, grain)
    return Shots(crops, pictures if large else None, points if large else None, clean if studio else None)


def _larger_view(view: View, geometry: CropGeometry) -> View:
    """The same look at the same head for its larger picture."""
    side = round(LARGE_SIDE * LARGE_RAYS_PER_PIXEL)
    crop_width = EYE_TO_NOSE_BASE / geometry.nose_distance  # cm
    return View(view.posed, replace(view.camera, side=side, scale=side / (LARGE_WIDER * crop_width)))


def _crop(
    view: View, grey: Array, geometry: CropGeometry, variety: Variety, wall: float, rng: np.random.Generator
) -> Pixels:
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


def _skin_light(view: View, radiance: Array) -> float:
    """Linear light of the brighter part of the skin, by which a camera sets its exposure."""
    skin = radiance[view.hits.material == Material.SKIN]
    return float(np.percentile(skin, 85)) if len(skin) else 0.5
