"""A pinhole camera before a head, and what it sees of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facedata.rendered.light import Light
from facedata.rendered.mesh import Array, Caster, Hits, Material
from facedata.rendered.person import Posed
from facedata.rendered.skin import eye_albedo, skin_albedo
from faces.types import Landmarks

EYE_TO_NOSE_BASE = 4.65  # cm on the mean head
# Directions of a dome that stand for the room when its light is blocked.
_DOME = 12


@dataclass(frozen=True)
class Camera:
    """Where the camera is relative to the head.

    ``yaw`` degrees, positive when the nose points to the right of the picture; ``pitch`` degrees, positive
    when it points up; ``roll`` degrees clockwise; ``distance`` cm from ``target``; the picture is ``side``
    pixels square, ``scale`` pixels per cm at ``target``, and shows ``target`` (3,) (head coordinates, cm) in
    its centre.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    side: int
    scale: float
    target: Array

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

    def rays(self) -> tuple[Array, Array]:
        """Return origins and unit directions, each (side * side, 3) float32, one per pixel in row order."""
        axes = self.axes()
        at = (np.arange(self.side) + 0.5 - self.side / 2) / self.scale
        right, down = np.meshgrid(at, at)
        aim = np.stack([right.ravel(), -down.ravel(), np.full(right.size, -self.distance)], 1)
        aim /= np.linalg.norm(aim, axis=1, keepdims=True)
        origin = self.target + axes[2] * self.distance
        directions = (aim @ axes).astype(np.float32)
        return np.broadcast_to(origin.astype(np.float32), directions.shape).copy(), directions


def picture_landmarks(landmarks68: Array, camera: Camera) -> Landmarks:
    """Give what a detector would for 68 points (68, 3): eye centres from their corners, and nose base."""
    marks = camera.project(landmarks68)
    eyes = sorted([tuple((marks[36] + marks[39]) / 2), tuple((marks[42] + marks[45]) / 2)])
    left, right = ((float(x), float(y)) for x, y in eyes)
    return Landmarks(left, right, (float(marks[33, 0]), float(marks[33, 1])))


class View:
    """One camera's look at one posed head, from which any number of lights can be shaded."""

    def __init__(self, posed: Posed, caster: Caster, camera: Camera) -> None:
        self.camera = camera
        self.landmarks = posed.landmarks
        self._posed, self._caster = posed, caster
        origins, directions = camera.rays()
        self.hits: Hits = caster.cast(origins, directions)
        self._towards_eye = -directions[self.hits.ray]
        self.albedo, self._gloss, self._power = _surface(posed, self.hits)
        self._openness: Array | None = None

    def again(self, camera: Camera) -> View:
        """Look at the same head with another camera."""
        return View(self._posed, self._caster, camera)

    def radiance(self, light: Light, rng: np.random.Generator) -> Array:
        """Return the linear light (hits,) at the camera; white paper facing a lamp of weight 1 gives 1."""
        hits = self.hits
        total = self.albedo * light.ambient * self._room()
        directions = light.directions @ self.camera.axes() if light.follows_camera else light.directions
        for direction, weight in zip(directions, light.weights, strict=True):
            jitter = rng.normal(size=hits.point.shape).astype(np.float32) * light.softness
            towards = direction + jitter
            towards /= np.linalg.norm(towards, axis=1, keepdims=True)
            cosine = (hits.normal * towards).sum(1)
            facing = np.flatnonzero(cosine > 0)
            lit = self._caster.lit(hits.point[facing], hits.normal[facing], towards[facing])
            seen = facing[lit]
            half = towards[seen] + self._towards_eye[seen]
            half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
            shine = np.clip((hits.normal[seen] * half).sum(1), 0, 1) ** self._power[seen]
            # Blinn-Phong; highlights fade where the lamp grazes the surface.
            total[seen] += weight * cosine[seen] * (self.albedo[seen] + self._gloss[seen] * shine)
        return np.asarray(total, np.float32)

    def _room(self) -> Array:
        """How much of the room each point sees (hits,), 0..1, brighter from above."""
        if self._openness is None:
            rng = np.random.default_rng(0)
            dome = rng.normal(size=(_DOME, 3))
            dome[:, 1] = np.abs(dome[:, 1]) * np.where(np.arange(_DOME) % 4 == 0, -1, 1)
            dome /= np.linalg.norm(dome, axis=1, keepdims=True)
            total = np.zeros(len(self.hits.ray), np.float32)
            for direction in dome.astype(np.float32):
                cosine = self.hits.normal @ direction
                facing = np.flatnonzero(cosine > 0)
                towards = np.broadcast_to(direction, (len(facing), 3)).copy()
                lit = self._caster.lit(self.hits.point[facing], self.hits.normal[facing], towards)
                total[facing[lit]] += cosine[facing[lit]]
            self._openness = np.asarray(0.15 + 0.85 * np.clip(total * 4 / _DOME, 0, 1.2), np.float32)
        return self._openness


def _surface(posed: Posed, hits: Hits) -> tuple[Array, Array, Array]:
    """Albedo, strength of gloss and its exponent at each hit, each (n,)."""
    skin, person = posed.person.skin, posed.person
    count = len(hits.ray)
    albedo = np.full(count, 0.3, np.float32)
    gloss = np.zeros(count, np.float32)
    power = np.full(count, 10.0, np.float32)
    for material in np.unique(hits.material):
        at = hits.material == material
        if material == Material.SKIN:
            albedo[at] = skin_albedo(skin, posed.head.face, hits.rest[at])
            gloss[at], power[at] = skin.gloss, skin.gloss_power
        elif material == Material.EYE:
            albedo[at] = eye_albedo(skin, hits.rest[at], posed.head.eye_centres)
            gloss[at], power[at] = 0.9, 90.0
        elif material == Material.TEETH:
            albedo[at], gloss[at], power[at] = 0.55, 0.2, 30.0
        elif material == Material.MOUTH:
            albedo[at] = 0.12
        elif material == Material.HAIR:
            albedo[at] = skin.hair_tone * hits.shade[at]
            gloss[at] = (0.05 + 0.15 * skin.hair_tone) * hits.shade[at]
        elif material == Material.FRAME and person.glasses is not None:
            albedo[at], gloss[at], power[at] = person.glasses.tone, 0.3, 25.0
        elif material == Material.LENS:
            albedo[at], gloss[at], power[at] = 0.02, 0.5, 60.0
        elif material == Material.CLOTH:
            albedo[at] = person.cloth
        elif material == Material.HAT:
            albedo[at], gloss[at] = hits.shade[at], 0.02
    return albedo, gloss, power
