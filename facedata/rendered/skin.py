"""How a face is painted: skin, lips, brows, eyes, beard, moles, lines.

Paint is a function of a point on the *mean* head, so it follows the skin of every person and
expression and is as sharp as the picture is large.  Albedo is linear, 0..1, grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedata.rendered.mesh import Array
from facedata.rendered.procedural import Noise, inside_polygon, line_distance, noise, soft_step

BEARDS = ("none", "stubble", "full", "goatee", "moustache")


@dataclass(frozen=True)
class Skin:
    """The paint of one person; lengths in cm on the mean head, strengths 0..1."""

    tone: float
    gloss: float
    gloss_power: float
    hair_tone: float
    blotches: tuple[tuple[float, Noise], ...]
    lip: float
    brow_strength: float
    brow_width: float
    brow_lift: float
    brow_tilt: float
    brow_hairs: Noise
    beard: str
    beard_strength: float
    beard_top: float
    beard_hairs: Noise
    eye_shadow: float
    lash: float
    iris: float
    sclera: float
    cheek: float
    lines: float
    freckles: float
    freckle_noise: Noise
    moles: tuple[tuple[float, float, float, float, float], ...]  # x, y, z, radius, strength
    under_eye: float


def sample_skin(rng: np.random.Generator, face_points: Array) -> Skin:
    """Draw a person's paint; moles lie on some of ``face_points`` (n, 3)."""
    tone = float(np.exp(rng.uniform(np.log(0.16), np.log(0.72))))
    fair = tone > 0.4
    hair_tone = float(rng.choice([0.02, 0.04, 0.08, 0.16, 0.3, 0.5], p=[0.3, 0.25, 0.15, 0.12, 0.1, 0.08]))
    hair_tone = min(hair_tone * rng.uniform(0.7, 1.4), 0.6)
    if not fair:
        hair_tone = min(hair_tone, 0.05) if rng.random() < 0.85 else float(rng.uniform(0.2, 0.45))
    woman = rng.random() < 0.5
    beard = "none" if woman else str(rng.choice(BEARDS, p=[0.4, 0.26, 0.16, 0.1, 0.08]))
    make_up = rng.random() < 0.5 if woman else False
    moles = []
    for _ in range(int(rng.integers(0, 5))):
        x, y, z = face_points[rng.integers(len(face_points))]
        moles.append(
            (float(x), float(y), float(z), float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.3, 0.8)))
        )
    return Skin(
        tone=tone,
        gloss=float(rng.uniform(0.02, 0.22)),
        gloss_power=float(np.exp(rng.uniform(np.log(8), np.log(45)))),
        hair_tone=hair_tone,
        blotches=(
            (float(rng.uniform(0.02, 0.07)), noise(rng, 3.0)),
            (float(rng.uniform(0.01, 0.05)), noise(rng, 1.0)),
            (float(rng.uniform(0.01, 0.06)), noise(rng, 0.25)),
        ),
        lip=_skip_after(rng, rng.uniform(0.3, 0.7) if make_up else rng.uniform(0.6, 1.0)),
        brow_strength=float(rng.uniform(0.3, 1.0)),
        brow_width=float(rng.uniform(0.22, 0.6) * (0.75 if woman else 1.1)),
        brow_lift=float(rng.uniform(-0.2, 0.5)),
        brow_tilt=float(rng.uniform(-0.22, 0.22)),
        brow_hairs=noise(rng, 0.12),
        beard=beard,
        beard_strength=float(rng.uniform(0.15, 0.5) if beard == "stubble" else rng.uniform(0.6, 0.98)),
        beard_top=float(rng.uniform(-0.6, 1.8)),
        beard_hairs=noise(rng, 0.15),
        eye_shadow=float(rng.uniform(0.1, 0.5) if make_up else rng.uniform(0, 0.15)),
        lash=float(rng.uniform(0.6, 0.95) if make_up else rng.uniform(0.25, 0.7)),
        iris=float(rng.uniform(0.02, 0.06) if not fair else np.exp(rng.uniform(np.log(0.02), np.log(0.3)))),
        sclera=float(rng.uniform(0.4, 0.7)),
        cheek=float(rng.uniform(-0.06, 0.16)),
        lines=float(max(0.0, rng.uniform(-0.3, 0.5))),
        freckles=float(max(0.0, rng.uniform(-0.6, 0.3))),
        freckle_noise=noise(rng, 0.14),
        moles=tuple(moles),
        under_eye=_skip_after(rng, rng.uniform(0, 0.25)),
    )


def _skip_after(rng: np.random.Generator, value: float) -> float:
    """``value``, with the next random number left unused.

    Two numbers of the stream were given away once; drawing without these gaps would turn every
    later choice, and with it every known person, into another.
    """
    rng.random()
    return float(value)


@dataclass(frozen=True)
class FaceMap:
    """Where things are on the mean head: ``landmarks`` (68, 3) float32."""

    landmarks: Array

    @property
    def lips(self) -> Array:
        """The outline of the lips (12, 3)."""
        return self.landmarks[48:60]

    @property
    def mouth(self) -> Array:
        """The middle of the mouth (3,)."""
        return np.asarray(self.landmarks[48:60].mean(0), np.float32)


def skin_albedo(skin: Skin, face: FaceMap, points: Array) -> Array:
    """Return the albedo (n,) of skin at points (n, 3) of the mean head."""
    marks = face.landmarks
    albedo = np.full(len(points), skin.tone, np.float32)
    for strength, blotch in skin.blotches:
        albedo *= 1 + strength * blotch(points)
    front = points[:, 2] > 0
    y = points[:, 1]
    if skin.freckles > 0:
        spots = soft_step(skin.freckle_noise(points) - 1.2, 6) * np.exp(-(((y - 0.5) / 2.5) ** 2))
        albedo *= 1 - skin.freckles * spots * front
    for side in (-1.0, 1.0):
        centre = np.array([side * 4.6, 0.2, 9.5], np.float32)
        albedo *= 1 - skin.cheek * np.exp(-((points - centre) ** 2).sum(1) / 4.5)
    albedo *= _shadows_of_age(skin, face, points)
    lips = inside_polygon(points[:, :2], face.lips[:, :2]) & (points[:, 2] > 6)
    # The line where the lips meet is dark in every light.
    seam = line_distance(points[lips], marks[[48, 60, 61, 62, 63, 64, 54]])
    albedo[lips] *= skin.lip * (1 - 0.5 * np.exp(-((seam / 0.12) ** 2)))
    albedo = _add_brows(skin, marks, points, albedo)
    albedo = _add_beard(skin, face, points, albedo, lips)
    for eye in (marks[36:42], marks[42:48]):
        rim = np.concatenate([eye, eye[:1]])
        near = np.abs(points - eye.mean(0)).max(1) < 3
        gap = line_distance(points[near], rim)
        upper = 0.55 + 0.45 * soft_step(points[near, 1] - eye[:, 1].mean(), 8)
        albedo[near] *= 1 - skin.lash * upper * np.exp(-((gap / 0.16) ** 2))
        lid = np.exp(-(((points[near] - eye.mean(0) - [0, 0.6, 0]) / [1.8, 0.6, 2.5]) ** 2).sum(1))
        albedo[near] *= 1 - skin.eye_shadow * lid
    for x0, y0, z0, radius, strength in skin.moles:
        gap2 = ((points - np.array([x0, y0, z0], np.float32)) ** 2).sum(1)
        albedo *= 1 - strength * np.exp(-gap2 / radius**2)
    return np.clip(albedo, 0.01, 0.95)


def _shadows_of_age(skin: Skin, face: FaceMap, points: Array) -> Array:
    """Factors for rings under the eyes, folds beside the mouth and lines on the forehead."""
    marks = face.landmarks
    factor = np.ones(len(points), np.float32)
    for eye, wing, corner in ((36, 31, 48), (42, 35, 54)):
        ring = marks[eye : eye + 6].mean(0) + np.array([0, -1.0, 0], np.float32)
        factor *= 1 - skin.under_eye * np.exp(-(((points - ring) / [1.5, 0.6, 3]) ** 2).sum(1))
        outward = np.array([0.8 * np.sign(marks[corner, 0]), 0.3, 0], np.float32)
        fold = np.stack([marks[wing] + outward, marks[corner] + outward])
        factor *= 1 - 0.6 * skin.lines * np.exp(-((line_distance(points, fold) / 0.2) ** 2))
    rows = np.cos((points[:, 1] - 8) * 2 * np.pi / 1.1) ** 8
    forehead = np.exp(-(((points[:, 1] - 8) / 1.2) ** 2)) * np.exp(-((points[:, 0] / 3.5) ** 2))
    return np.asarray(factor * (1 - 0.3 * skin.lines * rows * forehead * (points[:, 2] > 5)), np.float32)


def _add_brows(skin: Skin, marks: Array, points: Array, albedo: Array) -> Array:
    for brow in (marks[17:22], marks[22:27]):
        line = brow + np.array([0, skin.brow_lift, 0], np.float32)
        line[:, 1] += skin.brow_tilt * (np.abs(line[:, 0]) - 3) * 0.5
        near = np.flatnonzero(np.abs(points - line.mean(0)).max(1) < 4)
        gap = line_distance(points[near], line)
        hairs = 0.85 + 0.25 * skin.brow_hairs(points[near])
        cover = np.clip(skin.brow_strength * np.exp(-((gap / skin.brow_width) ** 2)) * hairs, 0, 1)
        albedo[near] = albedo[near] * (1 - cover) + min(skin.hair_tone, skin.tone * 0.8) * cover
    return albedo


def _add_beard(skin: Skin, face: FaceMap, points: Array, albedo: Array, lips: NDArray[np.bool_]) -> Array:
    if skin.beard == "none":
        return albedo
    x, y, z = points.T
    mouth = face.mouth
    if skin.beard == "moustache":
        line = face.landmarks[48:55] + np.array([0, 0.55, 0], np.float32)
        cover = np.exp(-((line_distance(points, line) / 0.5) ** 2))
    else:
        # The upper edge runs from the moustache down and out, then up to the ear.
        edge = mouth[1] + skin.beard_top + 0.03 * (np.abs(x) - 4) ** 2
        cover = soft_step(edge - y, 3) * soft_step(z + 1.5, 1.5) * soft_step(y - (mouth[1] - 6.5), 1.5)
        line = face.landmarks[48:55] + np.array([0, 0.6, 0], np.float32)
        cover = np.maximum(cover, np.exp(-((line_distance(points, line) / 0.55) ** 2)))
        if skin.beard == "goatee":
            cover = cover * np.exp(-((x / 2.6) ** 4))
    cover = np.clip(cover * skin.beard_strength * (0.85 + 0.25 * skin.beard_hairs(points)), 0, 1)
    cover = np.where(lips, 0.1 * cover, cover)
    return np.asarray(albedo * (1 - cover) + min(skin.hair_tone, skin.tone * 0.8) * cover, np.float32)


def eye_albedo(skin: Skin, points: Array, centres: Array) -> Array:
    """Return the albedo (n,) of eyeballs at rest points (n, 3); ``centres`` (2, 3) of left and right ball."""
    centre = centres[(points[:, 0] > 0).astype(int)]
    direction = points - centre
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
    off_axis = np.degrees(np.arccos(np.clip(direction[:, 2], -1, 1)))
    albedo = np.where(off_axis < 28, skin.iris, skin.sclera)
    return np.asarray(np.where(off_axis < 11, 0.01, albedo), np.float32)
