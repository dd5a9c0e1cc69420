"""Lights, a pinhole camera before a head, and what it sees of the head in their light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facedata.rendered.accessories import pane_paint
from facedata.rendered.mesh import Array, Hits, Material, Rng, Values, direction, unit
from facedata.rendered.person import GUMS, Posed
from facedata.rendered.skin import eye_albedo, skin_albedo
from faces.types import Landmarks

N_FLASHES = 18
N_LIGHTS = N_FLASHES + 2  # no flash; each flash alone; all flashes
EYE_TO_NOSE_BASE = 4.65  # cm on the mean head
DOME = 12  # directions of a dome that stand for the room when its light is blocked


@dataclass(frozen=True)
class Light:
    """One lighting: room light plus weighted directional lamps."""

    directions: Array  # (k, 3) unit, from the head
    weights: Array  # (k,) brightness of each lamp
    ambient: float  # brightness of the room
    softness: float  # radius of the lamps as the sine of half their angle
    follows_camera: bool = False  # directions have z towards the camera rather than out of the face


def flash_directions() -> Array:
    """Return unit directions (18, 3) from the head to the flashes of the rig, in head coordinates.

    In the manner of Multi-PIE's (Gross et al. 2010, *Multi-PIE*): thirteen little above head height every
    15 degrees from the picture's left (-90) to its right (+90), then five higher up.
    """
    azimuth = np.radians([*np.linspace(-90, 90, 13), -60.0, -30.0, 0.0, 30.0, 60.0])
    return direction(azimuth, np.radians([12.0] * 13 + [48.0] * 5)).astype(np.float32)


def rig_lights(ambient: float) -> list[Light]:
    """Return the protocol's 20 lights: no flash, each of 18 alone, all; ``ambient`` is the room's share."""
    directions = flash_directions()
    none = Light(directions[:0], np.zeros(0, np.float32), 3.2 * ambient, 0.0)
    single = [Light(directions[i : i + 1], np.ones(1, np.float32), ambient, 0.03) for i in range(N_FLASHES)]
    every = Light(directions, np.full(N_FLASHES, 1.9 / N_FLASHES, np.float32), ambient, 0.03)
    return [none, *single, every]


def sample_lights(rng: Rng, free: float, count: int, numbers: Sequence[int] | None) -> list[Light]:
    """Draw lights: the rig's of these ``numbers``; if None, a share ``free`` is not of the rig.

    These are as photographs have: a key lamp or window, sometimes a fill, and room light.
    """
    rig = rig_lights(rng.uniform(0.08, 0.14))
    if numbers is not None:
        return [rig[number] for number in numbers]
    lights = []
    for _ in range(count):
        freed, follows = rng.random() < free, rng.random() < 0.5
        lamps = int(rng.integers(1, 4))
        azimuth = np.radians(rng.normal(0, 45, lamps).clip(-110, 110))
        elevation = np.radians(rng.uniform(-10, 65, lamps))
        weights = rng.uniform(0.2, 1.0, lamps) * np.array([1.0, 0.5, 0.4])[:lamps]
        light = Light(
            direction(azimuth, elevation).astype(np.float32),
            weights.astype(np.float32),
            float(np.exp(rng.uniform(np.log(0.06), np.log(0.5)))),
            float(rng.choice([0.03, 0.1, 0.25])),
            follows,
        )
        lights.append(light if freed else rig[rng.integers(len(rig))])
    return lights


@dataclass(frozen=True)
class Camera:
    """Where the camera is relative to the head; its picture is square, with ``target`` in the centre."""

    yaw: float  # degrees, positive when the nose points to the right of the picture
    pitch: float  # degrees, positive when it points up
    roll: float  # degrees clockwise
    distance: float  # cm from target
    side: int  # pixels
    scale: float  # pixels per cm at target
    target: Array  # (3,) head coordinates, cm

    def axes(self) -> Array:
        """Return rows (3, 3): the camera's right, up and backward (to the camera) in head coordinates."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return np.asarray(about_z @ about_x @ about_y, np.float32)

    def project(self, points: Array) -> Array:
        """Return picture coordinates (n, 2), pixels, of points (n, 3) in head coordinates."""
        seen = (points - self.target) @ self.axes().T
        factor = self.scale * self.distance / (self.distance - seen[:, 2])
        return np.stack([self.side / 2 + seen[:, 0] * factor, self.side / 2 - seen[:, 1] * factor], 1)

    def landmarks(self, landmarks68: Array) -> Landmarks:
        """Give what a detector would for 68 points (68, 3): eye centres from their corners, and nose base."""
        marks = self.project(landmarks68)
        points = ((marks[36] + marks[39]) / 2, (marks[42] + marks[45]) / 2, marks[33])
        one, other, nose = ((float(x), float(y)) for x, y in points)
        left, right = sorted((one, other))
        return Landmarks(left, right, nose)

    def rays(self) -> tuple[Array, Array]:
        """Return origins and unit directions, each (side * side, 3) float32, one per pixel in row order."""
        axes = self.axes()
        at = (np.arange(self.side) + 0.5 - self.side / 2) / self.scale
        right, down = np.meshgrid(at, at)
        aim = np.stack([right.ravel(), -down.ravel(), np.full(right.size, -self.distance)], 1)
        origin = self.target + axes[2] * self.distance
        directions = (unit(aim) @ axes).astype(np.float32)
        return np.broadcast_to(origin.astype(np.float32), directions.shape).copy(), directions


class View:
    """One camera's look at one posed head, from which any number of lights can be shaded.

    The room's light comes from ``dome`` directions.
    """

    def __init__(self, posed: Posed, camera: Camera, dome: int = DOME) -> None:
        self.posed, self.camera, self.landmarks, self._dome = posed, camera, posed.landmarks, dome
        origins, directions = camera.rays()
        self.hits: Hits = posed.caster.cast(origins, directions)
        self._towards_eye = -directions[self.hits.ray]
        self._panes = self._seen_through(origins, directions)
        self.albedo, self._gloss, self._power = _surface(posed, self.hits)

    def radiance(self, light: Light, rng: Rng, samples: int = 0) -> Array:
        """Return the linear light (hits,) at the camera; white paper facing a lamp of weight 1 gives 1.

        Each hit sees one random spot of each lamp, which is sandy; all see the same ``samples`` if there are.
        """
        hits = self.hits
        total = self.albedo * light.ambient * self._openness
        directions = light.directions @ self.camera.axes() if light.follows_camera else light.directions
        for lamp, weight in zip(directions, light.weights, strict=True):
            spots: list[Values] = [rng.normal(size=hits.point.shape)] if not samples else []
            spots += [np.broadcast_to(spot, hits.point.shape) for spot in rng.normal(size=(samples, 3))]
            for spot in spots:
                towards = unit(lamp + spot.astype(np.float32) * light.softness)
                seen, cosine, halfway = self.glint(hits.normal, towards)
                shine = self._gloss[seen] * halfway ** self._power[seen]
                # Blinn-Phong; highlights fade where the lamp grazes the surface.
                total[seen] += weight / len(spots) * cosine * (self.albedo[seen] + shine)
        if self._panes is not None:
            behind, through, bright = self._panes
            total[behind] = total[behind] * through + bright * (light.ambient + 0.5 * light.weights.sum())
        return np.asarray(total, np.float32)

    def _seen_through(
        self, origins: Array, directions: Array
    ) -> tuple[NDArray[np.intp], Array, Array] | None:
        """The hits (k,) that lie behind a lens, what share passes it and what it adds (k,); None without."""
        glasses, caster = self.posed.person.glasses, self.posed.pane_caster
        pane = None if glasses is None else glasses.pane
        if pane is None or caster is None:
            return None
        hits = self.hits
        aims, starts = directions[hits.ray], origins[hits.ray]
        found = caster.cast(starts, aims)
        depth = ((hits.point - starts) * aims).sum(1)[found.ray]
        nearer = ((found.point - starts[found.ray]) * aims[found.ray]).sum(1) < depth
        through, bright = pane_paint(pane, found.rest[nearer])
        return found.ray[nearer], through, bright

    def glint(self, normal: Array, towards: Array) -> tuple[NDArray[np.intp], Array, Array]:
        """Tell which hits (k,) see the lamps that lie in their directions ``towards`` (hits, 3).

        Also returns the cosines (k,) of ``normal`` (hits, 3) with the light, and halfway from it to the eye.
        """
        cosine = (normal * towards).sum(1)
        seen = self._lit(np.flatnonzero(cosine > 0), towards)
        half = unit(towards[seen] + self._towards_eye[seen])
        return seen, cosine[seen], np.clip((normal[seen] * half).sum(1), 0, 1)

    def _lit(self, facing: NDArray[np.intp], towards: Array) -> NDArray[np.intp]:
        """Those of the hits ``facing`` from which nothing hides the light in their directions (hits, 3)."""
        hits = self.hits
        return facing[self.posed.caster.lit(hits.point[facing], hits.normal[facing], towards[facing])]

    @cached_property
    def _openness(self) -> Array:
        """How much of the room each point sees (hits,), 0..1, brighter from above."""
        rng = np.random.default_rng(0)
        dome = rng.normal(size=(self._dome, 3))
        dome[:, 1] = np.abs(dome[:, 1]) * np.where(np.arange(self._dome) % 4 == 0, -1, 1)
        total = np.zeros(len(self.hits.ray), np.float32)
        for way in unit(dome).astype(np.float32):
            cosine = self.hits.normal @ way
            facing = np.flatnonzero(cosine > 0)
            seen = self._lit(facing, np.broadcast_to(way, self.hits.normal.shape))
            total[seen] += cosine[seen]
        return np.asarray(0.15 + 0.85 * np.clip(total * 4 / self._dome, 0, 1.2), np.float32)


def _surface(posed: Posed, hits: Hits) -> Array:
    """Albedo, strength of gloss and its exponent at each hit, (3, n)."""
    skin, person = posed.person.skin, posed.person
    at = [hits.material == material for material in Material]
    rest, shade = hits.rest, hits.shade
    hair = shade[at[Material.HAIR]]
    paints = (  # in the order of Material
        (skin_albedo(skin, posed.head.landmarks, rest[at[Material.SKIN]]), skin.gloss, skin.gloss_power),
        (eye_albedo(skin, rest[at[Material.EYE]], posed.head.eye_centres), 0.9, 90.0),
        (np.where(shade[at[Material.TEETH]] < GUMS, skin.gums, skin.teeth), 0.2, 30.0),
        (skin.mouth, 0.0, 10.0),
        (skin.hair_tone * hair, (0.05 + 0.15 * skin.hair_tone) * hair, 10.0),
        (person.glasses.tone if person.glasses else 0.3, 0.3, 25.0),  # frame
        (0.02, 0.5, 60.0),  # lens
        (0.3, 0.0, 10.0),  # cloth
        (shade[at[Material.HAT]], 0.02, 10.0),
    )
    surface = np.empty((3, len(hits.ray)), np.float32)
    for where, paint in zip(at, paints, strict=True):
        for values, value in zip(surface, paint, strict=True):
            values[where] = value
    return surface
