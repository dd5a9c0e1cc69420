"""One photograph: people before a background, seen through a camera with a lens, a sensor and JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cast import Role, make_person
from clothes import dressed
from colour import LUMINANCE, shade
from scenery import Place, background
from strands import with_strands

from facedata.rendered.camera import Camera, View
from facedata.rendered.mesh import Array, Caster, Material
from facedata.rendered.person import Head, Posed, pose_person
from faces.types import Pixels

RAYS = 2  # per pixel and direction; averaged in linear light, so that edges are smooth
STRANDS = 16000

EXPRESSIONS: dict[str, dict[str, float]] = {
    "calm": {"mouthSmile_L": 0.12, "mouthSmile_R": 0.12},
    "smile": {
        "mouthSmile_L": 0.65,
        "mouthSmile_R": 0.65,
        "cheekRaiser_L": 0.4,
        "cheekRaiser_R": 0.4,
        "eyeSquint_L": 0.25,
        "eyeSquint_R": 0.25,
    },
    "laugh": {
        "mouthSmile_L": 0.8,
        "mouthSmile_R": 0.8,
        "jawOpen": 0.2,
        "mouthUpperUp_L": 0.35,
        "mouthUpperUp_R": 0.35,
        "cheekRaiser_L": 0.5,
        "cheekRaiser_R": 0.5,
        "eyeSquint_L": 0.3,
        "eyeSquint_R": 0.3,
    },
    "serious": {"browDown_L": 0.45, "browDown_R": 0.45, "mouthPress_L": 0.3, "mouthPress_R": 0.3},
    "surprised": {
        "jawOpen": 0.15,
        "browOuterUp_L": 0.6,
        "browOuterUp_R": 0.6,
        "browInnerUp_L": 0.4,
        "browInnerUp_R": 0.4,
        "eyeWide_L": 0.4,
        "eyeWide_R": 0.4,
    },
}


@dataclass(frozen=True)
class Sitter:
    """A person in a photograph.

    ``yaw`` degrees; ``x`` and ``y`` where the middle of the head lies, shares of width and height; ``scale``
    pixels per cm there.
    """

    role: Role
    yaw: float
    expression: str
    x: float
    y: float
    scale: float


def take(
    head: Head, sitters: list[Sitter], place: Place, width: int, height: int, rng: np.random.Generator
) -> Pixels:
    """A photograph (height, width, 3) RGB; later sitters stand before earlier ones."""
    scene = background(place, width, height, rng)
    scene = scene.repeat(RAYS, 0).repeat(RAYS, 1)
    for sitter in sitters:
        _place_sitter(scene, head, sitter, place, rng)
    light = scene.reshape(height, RAYS, width, RAYS, 3).mean((1, 3))
    return _develop(light, rng)


def _place_sitter(scene: Array, head: Head, sitter: Sitter, place: Place, rng: np.random.Generator) -> None:
    posed, roots = _posed(head, sitter, rng)
    caster = Caster(posed.mesh)
    reach = max(max(sitter.x, 1 - sitter.x) * scene.shape[1], max(sitter.y, 1 - sitter.y) * scene.shape[0])
    side = 2 * round(min(reach, 30 * sitter.scale * RAYS))
    camera = Camera(
        yaw=sitter.yaw,
        pitch=float(rng.normal(0, 3)),
        roll=float(rng.normal(0, 2.5)),
        distance=130.0,
        side=side,
        scale=sitter.scale * RAYS,
        target=np.array([0, 0, 0], np.float32),
    )
    view = View(posed, caster, camera)
    radiance = shade(view, caster, posed, sitter.role.palette, roots, place.lighting, rng)
    radiance *= _exposure(view, radiance, sitter.role.tone) * place.exposure
    row, column = np.divmod(view.hits.ray, side)
    row = row + round(sitter.y * scene.shape[0]) - side // 2
    column = column + round(sitter.x * scene.shape[1]) - side // 2
    inside = (row >= 0) & (row < scene.shape[0]) & (column >= 0) & (column < scene.shape[1])
    scene[row[inside], column[inside]] = radiance[inside]


def _posed(head: Head, sitter: Sitter, rng: np.random.Generator) -> tuple[Posed, Array]:
    role = sitter.role
    posed = pose_person(make_person(role, head), head, _expression(sitter, rng))
    posed, roots = with_strands(posed, np.random.default_rng(role.seed), count=STRANDS, back=role.back)
    # People turn their heads more than their shoulders.
    return dressed(posed, role.palette.shirt, twist=-0.45 * sitter.yaw + float(rng.normal(0, 4))), roots


def _expression(sitter: Sitter, rng: np.random.Generator) -> dict[str, float]:
    amount = float(rng.uniform(0.8, 1.1))
    weights = {name: value * amount for name, value in EXPRESSIONS[sitter.expression].items()}
    for lid in ("eyeBlink_L", "eyeBlink_R"):
        weights[lid] = float(rng.uniform(0.14, 0.26))
    # Eyes lead the way back to the camera; the subject's left is the picture's right.
    glance = float(np.clip(-sitter.yaw / 60 + rng.normal(0, 0.1), -0.6, 0.6))
    for eye, inward in (("L", -1.0), ("R", 1.0)):
        weights["eyeLookIn_" + eye] = max(0.0, glance * inward)
        weights["eyeLookOut_" + eye] = max(0.0, -glance * inward)
    return weights


def _exposure(view: View, radiance: Array, tone: float) -> float:
    """The gain that makes a face as bright as a camera would."""
    face = (view.hits.material == Material.SKIN) & (view.hits.rest[:, 2] > 4) & (view.hits.rest[:, 1] > -7)
    bright = float(np.percentile(radiance[face] @ LUMINANCE, 75)) if face.any() else 0.4
    return (0.13 + 0.62 * tone) / max(bright, 1e-3)


def _develop(light: Array, rng: np.random.Generator) -> Pixels:
    """White balance, a tone curve with a soft shoulder, vignette and noise."""
    height, width = light.shape[:2]
    warmth = float(rng.normal(0, 0.025))
    light = light * np.array([1 + warmth, 1.0, 1 - 1.3 * warmth]) * float(np.exp(rng.normal(0, 0.06)))
    y, x = np.mgrid[0:height, 0:width]
    off = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    light = light * (1 - 0.16 * off**2)[:, :, None]
    knee = 0.72
    over = np.maximum(light - knee, 0)
    light = np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    grey = light ** (1 / 2.2)
    grey = grey + 0.12 * (grey * grey * (3 - 2 * grey) - grey)
    grain = rng.normal(0, 0.009, (height, width, 1)) + rng.normal(0, 0.004, light.shape)
    return np.clip((grey + grain) * 255 + 0.5, 0, 255).astype(np.uint8)
