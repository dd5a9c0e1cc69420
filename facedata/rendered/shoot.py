"""A shoot: views of one person under the same lights, taken by the same camera, and their crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facedata.rendered.camera import EYE_TO_NOSE_BASE, Camera, View, picture_landmarks
from facedata.rendered.larger import SIDE, Shots, larger_picture, larger_points, larger_view
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
from faces.types import Pixels

RAYS_PER_PIXEL = 2.5  # rays per crop pixel and direction
MARGIN = 1.15  # the frame rendered is so much wider than the crop
STUDIO_WALL = 0.28  # the grey behind clean pictures, always the same: a network cannot guess it


def shoot_lights(
    rng: np.random.Generator, variety: Variety, count: int, *, numbers: Sequence[int] | None
) -> list[Light]:
    """The ``count`` lights of one person: the rig's of these ``numbers``, or, where None, each drawn at
    random from the rig and from those that photographs have."""
    rig = rig_lights(float(rng.uniform(0.08, 0.14)))
    if numbers is not None:
        return [rig[number] for number in numbers]
    lights = []
    for _ in range(count):
        free, follows = rng.random() < variety.free_light, rng.random() < 0.5
        light = sample_light(rng, follows_camera=bool(follows))
        lights.append(light if free else rig[rng.integers(len(rig))])
    return lights


def shoot_distance(rng: np.random.Generator, variety: Variety) -> float:
    """How far the camera stands from the head, cm."""
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
    """The view of a head (degrees, cm, as ``Camera`` has them) that shows a little more than its crop."""
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


def shoot(
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
    """The pictures (len(views), len(lights)) of all views under all lights, larger ones too if ``large``.

    One exposure serves all views under a light; it is set by the skin in view ``metered``.  ``wall`` is the
    grey 0..1 of the background where backgrounds do not vary.  ``studio`` has for each view how a studio's
    camera would have looked; with it there are clean pictures too.  The crops are the same with and without
    larger and clean pictures.
    """
    shape, size = (len(views), len(lights)), geometry.size
    crops = np.zeros((*shape, size, size), np.uint8)
    pictures = np.zeros((*shape, SIDE, SIDE), np.uint8)
    points = np.zeros((*shape, 5, 2), np.float32)
    larger = [larger_view(view, geometry) for view in views] if large else []
    clean = np.zeros((*shape, size, size), np.uint8)
    noise, grain = rng.spawn(2)  # leaves the numbers of ``rng`` as they are
    for at, light in enumerate(lights):
        shaded = [view.radiance(light, rng) for view in views]
        tone = sample_tone(rng, _skin_light(views[metered], shaded[metered])) if variety.camera else Tone()
        for number, (view, radiance) in enumerate(zip(views, shaded, strict=True)):
            crops[number, at] = _crop(view, tone(radiance), geometry, variety, wall, rng)
        for number, view in enumerate(larger):
            frame = _frame(view, tone(view.radiance(light, noise)), variety, wall, noise)
            pictures[number, at] = larger_picture(frame)
            points[number, at] = larger_points(view.landmarks, view.camera)
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
