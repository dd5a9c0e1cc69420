"""The pictures of one person for `rendered-rotation`: seven poses under each of several lights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from facedata.rendered.camera import Camera, View, picture_landmarks
from facedata.rendered.light import N_LIGHTS, Light, rig_lights, sample_light
from facedata.rendered.mesh import Array, Caster, Material
from facedata.rendered.person import Head, Person, pose_person, sample_expression, sample_person
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

YAWS = (-45, -30, -15, 0, 15, 30, 45)
RAYS_PER_PIXEL = 2.5  # rays per crop pixel and direction
MARGIN = 1.15  # the frame rendered is so much wider than the crop
LIGHTS_PER_EXPRESSION = 4
EYE_TO_NOSE_BASE = 4.65  # cm on the mean head


@dataclass(frozen=True)
class RotationRecipe:
    """What determines the pictures of every person: two equal recipes give equal pictures.

    ``lights`` 20 are the protocol's; with another number, or with free lights, each is drawn at random, the
    same for all poses.
    """

    seed: int = 0
    geometry: CropGeometry = field(default_factory=CropGeometry)
    lights: int = N_LIGHTS
    variety: Variety = field(default_factory=Variety)

    @property
    def protocol(self) -> bool:
        """Whether the lights are the rig's twenty, in order."""
        return self.variety.free_light == 0 and self.lights == N_LIGHTS


def recipe_person(recipe: RotationRecipe, head: Head, index: int) -> Person:
    """Person ``index`` of the set."""
    rng = np.random.default_rng([recipe.seed, index, 0])
    return sample_person(rng, head, glasses_share=recipe.variety.glasses)


def render_rotation(recipe: RotationRecipe, head: Head, index: int) -> Pixels:
    """All crops of person ``index``: (7 poses, lights, S, S) uint8."""
    person = recipe_person(recipe, head, index)
    rng = np.random.default_rng([recipe.seed, index, 1])
    size = recipe.geometry.size
    crops = np.zeros((len(YAWS), recipe.lights, size, size), np.uint8)
    lights = _lights(recipe, rng)
    group = recipe.lights if recipe.variety.expression == 0 else LIGHTS_PER_EXPRESSION
    for first in range(0, recipe.lights, group):
        chosen = list(range(first, min(first + group, recipe.lights)))
        _render_group(
            recipe, head, person, [lights[i] for i in chosen], crops[:, chosen[0] : chosen[-1] + 1], rng
        )
    return crops


def _lights(recipe: RotationRecipe, rng: np.random.Generator) -> list[Light]:
    """The lights of one person."""
    rig = rig_lights(float(rng.uniform(0.08, 0.14)))
    if recipe.protocol:
        return rig
    lights = []
    for _ in range(recipe.lights):
        free, follows = rng.random() < recipe.variety.free_light, rng.random() < 0.5
        light = sample_light(rng, follows_camera=bool(follows))
        lights.append(light if free else rig[rng.integers(len(rig))])
    return lights


def _render_group(
    recipe: RotationRecipe,
    head: Head,
    person: Person,
    lights: list[Light],
    crops: Pixels,
    rng: np.random.Generator,
) -> None:
    """Fill ``crops`` (7, len(lights), S, S): one expression, one mesh, seven cameras."""
    variety, size = recipe.variety, recipe.geometry.size
    expression = sample_expression(rng, variety.expression) if variety.expression else {}
    posed = pose_person(person, head, expression)
    caster = Caster(posed.mesh)
    distance = float(rng.uniform(60, 250)) if variety.camera else 180.0
    wall = float(rng.uniform(0.05, 0.5))
    views: list[View] = []
    front = YAWS.index(0)
    for yaw in YAWS:
        camera = Camera(
            yaw=_turn(yaw, variety, rng),
            pitch=float(rng.normal(0, variety.pitch)),
            roll=float(rng.normal(0, variety.roll)),
            distance=distance,
            side=round(size * RAYS_PER_PIXEL * MARGIN),
            scale=size * RAYS_PER_PIXEL * recipe.geometry.nose_distance / EYE_TO_NOSE_BASE,
            target=_crop_centre(posed.landmarks, recipe.geometry),
        )
        views.append(View(posed, caster, camera))
    for at, light in enumerate(lights):
        shaded = [view.radiance(light, rng) for view in views]
        tone = sample_tone(rng, _skin_light(views[front], shaded[front])) if variety.camera else Tone()
        for pose, (view, radiance) in enumerate(zip(views, shaded, strict=True)):
            crops[pose, at] = _crop(recipe, view, tone(radiance), wall, posed.landmarks, rng)


def _turn(yaw: int, variety: Variety, rng: np.random.Generator) -> float:
    """The yaw of a picture labelled ``yaw``, degrees."""
    turned = yaw + float(rng.normal(0, variety.yaw))
    if abs(yaw) == max(YAWS):
        turned += float(np.sign(yaw) * rng.uniform(0, variety.beyond))
    return turned


def _crop(
    recipe: RotationRecipe, view: View, grey: Array, wall: float, landmarks3: Array, rng: np.random.Generator
) -> Pixels:
    side, variety = view.camera.side, recipe.variety
    frame = sample_background(rng, side) if variety.camera else np.full((side, side), wall, np.float32)
    frame.reshape(-1)[view.hits.ray] = grey
    landmarks = picture_landmarks(landmarks3, view.camera)
    if variety.camera:
        pixels, landmarks = photograph(frame, landmarks, rng, rays_per_pixel=RAYS_PER_PIXEL)
    else:
        pixels = (frame * 255 + 0.5).astype(np.uint8)
    if variety.crop_error:
        landmarks = misplaced(landmarks, variety.crop_error, rng)
    return crop_face(pixels, landmarks, recipe.geometry)


def _crop_centre(landmarks: Array, geometry: CropGeometry) -> Array:
    """The point on the head, midway between the eyes and lower, that lands in the crop's centre."""
    eyes = landmarks[[36, 39, 42, 45]].mean(0)
    drop = float(eyes[1] - landmarks[33, 1]) / geometry.nose_distance * (0.5 - geometry.eye_y)
    return np.asarray(eyes - np.array([0, drop, 0]), np.float32)


def _skin_light(view: View, radiance: Array) -> float:
    """Linear light of the brighter part of the skin, by which a camera sets its exposure."""
    skin = radiance[view.hits.material == Material.SKIN]
    return float(np.percentile(skin, 85)) if len(skin) else 0.5
