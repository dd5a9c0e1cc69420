"""Crops of one person, rendered: views under the same lights, taken by the same camera.

With them, if wished, larger pictures for networks that were trained on larger faces than ours: each shows the
person, the light and the expression of its crop, from the same place, a little wider and without what a cheap
camera does to it.  And, for crops that are as photographs are, clean ones as a studio would have taken them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Self

import numpy as np
from PIL import Image

from facedata.rendered.camera import EYE_TO_NOSE_BASE, Camera, View, picture_landmarks
from facedata.rendered.light import Light, rig_lights, sample_light
from facedata.rendered.mesh import Array, Caster, Material
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

    ``crops`` (..., S, S) uint8; if larger pictures were wished, ``large`` (..., 176, 176) uint8 and their
    ``points`` (..., 5, 2) float32, in picture coordinates, in the order of
    ``facedata.large_pictures.LargeFace``; if crops are as photographs are, ``clean`` (..., S, S) uint8, as
    they were in a studio.
    """

    crops: Pixels
    large: Pixels | None = None
    points: Floats | None = None
    clean: Pixels | None = None

    @classmethod
    def joined(cls, parts: Sequence[Self], axis: int) -> Self:
        """Join several arrangements along an axis."""

        def along(pieces: list[Any]) -> Any:
            return None if pieces[0] is None else np.concatenate(pieces, axis)

        return cls(*(along([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def in_one_row(self) -> Shots:
        """Return the same pictures one after another: (n, S, S), (n, 176, 176), (n, 5, 2) and (n, S, S)."""
        return Shots(*(_in_row(getattr(self, field.name)) for field in fields(self)))


def sample_lights(
    rng: np.random.Generator, variety: Variety, count: int, *, numbers: Sequence[int] | None
) -> list[Light]:
    """Draw the ``count`` lights of one person.

    They are the rig's of these ``numbers``; if None, each is drawn at random from the rig and from those that
    photographs have.
    """
    rig = rig_lights(float(rng.uniform(0.08, 0.14)))
    if numbers is not None:
        return [rig[number] for number in numbers]
    lights = []
    for _ in range(count):
        free, follows = rng.random() < variety.free_light, rng.random() < 0.5
        light = sample_light(rng, follows_camera=bool(follows))
        lights.append(light if free else rig[rng.integers(len(rig))])
    return lights


def sample_distance(rng: np.random.Generator, variety: Variety) -> float:
    """Draw how far the camera stands from the head, cm."""
    return float(rng.uniform(60, 250)) if variety.camera else 180.0


def crop_view(
    posed: Posed,
    caster: Caster,
    geometry: CropGeometry,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    distance: float,
) -> View:
    """Look at a head (degrees, cm, as ``Camera`` has them) so that a little more than its crop is seen."""
    camera = Camera(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        distance=distance,
        side=round(geometry.size * RAYS_PER_PIXEL * MARGIN),
        scale=geometry.size * RAYS_PER_PIXEL * geometry.nose_distance / EYE_TO_NOSE_BASE,
        target=_crop_centre(posed.landmarks, geometry),
    )
    return View(posed, caster, camera)


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
    crops = np.zeros((*shape, size, size), np.uint8)
    pictures = np.zeros((*shape, LARGE_SIDE, LARGE_SIDE), np.uint8)
    points = np.zeros((*shape, 5, 2), np.float32)
    larger = [_larger_view(view, geometry) for view in views] if large else []
    clean = np.zeros((*shape, size, size), np.uint8)
    noise, grain = rng.spawn(2)  # leaves the numbers of ``rng`` as they are
    for at, light in enumerate(lights):
        shaded = [view.radiance(light, rng) for view in views]
        tone = sample_tone(rng, _skin_light(views[metered], shaded[metered])) if variety.camera else Tone()
        for number, (view, radiance) in enumerate(zip(views, shaded, strict=True)):
            crops[number, at] = _crop(view, tone(radiance), geometry, variety, wall, rng)
        for number, view in enumerate(larger):
            frame = _frame(view, tone(view.radiance(light, noise)), variety, wall, noise)
            pictures[number, at] = _larger_picture(frame)
            points[number, at] = _larger_points(view.landmarks, view.camera)
        for number, view in enumerate(studio):
            clean[number, at] = _crop(
                view, tone(view.radiance(light, grain)), geometry, Variety(), STUDIO_WALL, grain
            )
    return Shots(
        crops,
        pictures if large else None,
        points if large else None,
        clean if studio else None,
    )


def _larger_view(view: View, geometry: CropGeometry) -> View:
    """The same look at the same head for its larger picture."""
    side = round(LARGE_SIDE * LARGE_RAYS_PER_PIXEL)
    crop_width = EYE_TO_NOSE_BASE / geometry.nose_distance  # cm
    return view.again(replace(view.camera, side=side, scale=side / (LARGE_WIDER * crop_width)))


def _larger_picture(grey: Array) -> Pixels:
    """(176, 176) uint8 from the rays' grey 0..1 (side, side), each pixel the mean over its area."""
    picture = Image.fromarray(grey).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BOX)
    return np.asarray(np.asarray(picture) * 255 + 0.5, np.uint8)


def _larger_points(landmarks68: Array, camera: Camera) -> Floats:
    """The five points (5, 2) float32 on a larger picture, from the 68 (68, 3) of the head."""
    points = camera.project(landmarks68[list(LARGE_POINTS)]) * (LARGE_SIDE / camera.side)
    return np.asarray(points, np.float32)


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


def _crop_centre(landmarks: Array, geometry: CropGeometry) -> Array:
    """The point on the head, midway between the eyes and lower, that lands in the crop's centre."""
    eyes = landmarks[[36, 39, 42, 45]].mean(0)
    drop = float(eyes[1] - landmarks[33, 1]) / geometry.nose_distance * (0.5 - geometry.eye_y)
    return np.asarray(eyes - np.array([0, drop, 0]), np.float32)


def _skin_light(view: View, radiance: Array) -> float:
    """Linear light of the brighter part of the skin, by which a camera sets its exposure."""
    skin = radiance[view.hits.material == Material.SKIN]
    return float(np.percentile(skin, 85)) if len(skin) else 0.5


def _in_row(pictures: Any) -> Any:
    return None if pictures is None else pictures.reshape(-1, *pictures.shape[-2:])
