"""How a face is painted: skin, lips, brows, eyes, beard, moles, lines.

Paint is a function of a point on the *mean* head, so it follows the skin of every person and
expression and is as sharp as the picture is large.  Albedo is linear, 0..1, grey.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facedata.rendered.mesh import Array, Rng, direction

BEARDS = ("none", "stubble", "full", "goatee", "moustache")
NATURAL_BEARDS = (*BEARDS[1:], "circle", "chin-strap")  # rings round the mouth, and bands along the jaw
_BEARD_SHARES = (0.36, 0.2, 0.1, 0.12, 0.14, 0.08)
LIPS = slice(48, 60)  # their outline among the 68 landmarks


@dataclass(frozen=True)
class Noise:
    """A smooth random function of space with mean 0 and variance about 1: a sum of k random plane waves."""

    waves: Array  # (k, 3) float32
    phases: Array  # (k,) float32
    weights: Array  # (k,) float32

    def __call__(self, points: Array) -> Array:
        """Values (n,) at points (n, 3)."""
        return np.asarray(np.cos(points @ self.waves.T + self.phases) @ self.weights, np.float32)


def noise(rng: Rng, scale: float, waves: int = 20) -> Noise:
    """Draw noise whose bumps are about ``scale`` cm wide."""
    return Noise(
        waves=(rng.normal(size=(waves, 3)) / scale).astype(np.float32),
        phases=rng.uniform(0, 2 * np.pi, waves).astype(np.float32),
        weights=(rng.normal(size=waves) * np.sqrt(2 / waves)).astype(np.float32),
    )


def soft_step(values: Array, sharpness: float) -> Array:
    """Go from 0 far below zero to 1 far above: the logistic function of sharpness * value."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values * sharpness, -30, 30))), np.float32)


def line_distance(points: Array, line: Array) -> Array:
    """Measure the distance (n,) of points (n, 3) to a polyline (k, 3)."""
    start, step = line[:-1], np.diff(line, axis=0)
    offset = points[:, None] - start
    along = np.clip((offset * step).sum(2) / ((step * step).sum(1) + 1e-9), 0, 1)
    gap = offset - along[:, :, None] * step
    return np.asarray(np.sqrt((gap * gap).sum(2).min(1)), np.float32)


def inside_polygon(points: Array, polygon: Array) -> NDArray[np.bool_]:
    """Tell whether points (n, 2) lie inside a closed polygon (k, 2), by the crossing rule."""
    x, y = points[:, 0, None], points[:, 1, None]
    x1, y1 = polygon[:, 0], polygon[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    straddles = (y1 > y) != (y2 > y)
    crossing = x1 + (y - y1) * (x2 - x1) / np.where(y2 == y1, 1e-9, y2 - y1)
    return np.asarray((straddles & (x < crossing)).sum(1) % 2 == 1)


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
    # What natural people differ in; others have it as it stands here.
    lash_width: float = 0.16
    fold_width: float = 0.2
    brow_shade: float = 0.8  # the lightest brows and beards, in proportion to the skin
    lid_crease: float = 0.0
    nostril: float = 0.0
    crow_feet: float = 0.0
    double_chin: float = 0.0
    cloth: float = 0.0  # albedo of a shirt; none if 0
    neckline: float = 0.0  # how far, cm, the shirt begins below the chin
    cut: float = 0.0  # how much lower in the middle
    cloth_folds: Noise | None = None
    highlight: tuple[float, float] | None = None  # where the eyes shine: degrees to the right and up
    teeth: float = 0.55  # albedo, as the next two
    gums: float = 0.55
    mouth: float = 0.12


def sample_skin(rng: Rng, face_points: Array) -> Skin:
    """Draw a person's paint; moles lie on some of ``face_points`` (n, 3)."""
    uniform = rng.uniform
    tone = float(np.exp(uniform(np.log(0.16), np.log(0.72))))
    fair = tone > 0.4
    hair_tone = float(rng.choice([0.02, 0.04, 0.08, 0.16, 0.3, 0.5], p=[0.3, 0.25, 0.15, 0.12, 0.1, 0.08]))
    hair_tone = min(hair_tone * uniform(0.7, 1.4), 0.6)
    if not fair:
        hair_tone = min(hair_tone, 0.05) if rng.random() < 0.85 else uniform(0.2, 0.45)
    woman = rng.random() < 0.5
    beard = "none" if woman else str(rng.choice(BEARDS, p=[0.4, 0.26, 0.16, 0.1, 0.08]))
    make_up = rng.random() < 0.5 if woman else False
    moles = []
    for _ in range(int(rng.integers(0, 5))):
        x, y, z = face_points[rng.integers(len(face_points))].tolist()
        moles.append((x, y, z, uniform(0.1, 0.3), uniform(0.3, 0.8)))
    # Two numbers are drawn here and there, though one is used: otherwise every known person would change.
    return Skin(
        tone=tone,
        gloss=uniform(0.02, 0.22),
        gloss_power=float(np.exp(uniform(np.log(8), np.log(45)))),
        hair_tone=hair_tone,
        blotches=tuple(
            (uniform(low, high), noise(rng, scale))
            for low, high, scale in ((0.02, 0.07, 3.0), (0.01, 0.05, 1.0), (0.01, 0.06, 0.25))
        ),
        lip=float(uniform(0.3, 0.7, 2)[0] if make_up else uniform(0.6, 1.0, 2)[0]),
        brow_strength=uniform(0.3, 1.0),
        brow_width=uniform(0.22, 0.6) * (0.75 if woman else 1.1),
        brow_lift=uniform(-0.2, 0.5),
        brow_tilt=uniform(-0.22, 0.22),
        brow_hairs=noise(rng, 0.12),
        beard=beard,
        beard_strength=uniform(0.15, 0.5) if beard == "stubble" else uniform(0.6, 0.98),
        beard_top=uniform(-0.6, 1.8),
        beard_hairs=noise(rng, 0.15),
        eye_shadow=uniform(0.1, 0.5) if make_up else uniform(0, 0.15),
        lash=uniform(0.6, 0.95) if make_up else uniform(0.25, 0.7),
        iris=float(np.exp(uniform(np.log(0.02), np.log(0.3)))) if fair else uniform(0.02, 0.06),
        sclera=uniform(0.4, 0.7),
        cheek=uniform(-0.06, 0.16),
        lines=max(0.0, uniform(-0.3, 0.5)),
        freckles=max(0.0, uniform(-0.6, 0.3)),
        freckle_noise=noise(rng, 0.14),
        moles=tuple(moles),
        under_eye=float(uniform(0, 0.25, 2)[0]),
    )


def natural_skin(rng: Rng, skin: Skin) -> Skin:
    """Paint somebody as photographs show people: smoother skin, darker brows, bright eyes, age."""
    uniform = rng.uniform
    darkest, lightest = np.log(0.16), np.log(0.72)  # what ``sample_skin`` draws
    share = (np.log(skin.tone) - darkest) / (lightest - darkest)
    beard = skin.beard if skin.beard == "none" else str(rng.choice(NATURAL_BEARDS, p=_BEARD_SHARES))
    age = max(0.0, uniform(-0.8, 1.0))
    return replace(
        skin,
        tone=float(np.exp(np.log(0.1) + share * (np.log(0.75) - np.log(0.1)))),
        gloss=uniform(0.02, 0.16),
        blotches=tuple(
            (uniform(low, high), noise(rng, scale))
            for low, high, scale in ((0.02, 0.07, 3.0), (0.01, 0.05, 1.0), (0.0, 0.03, 0.5))
        ),
        lip=skin.lip if skin.lip < 0.6 else uniform(0.5, 0.9),
        brow_strength=uniform(0.6, 1.0),
        brow_width=uniform(0.22, 0.55),
        brow_shade=uniform(0.25, 0.6),
        brow_hairs=noise(rng, 0.3),
        beard=beard,
        beard_strength=uniform(0.15, 0.5) if beard == "stubble" else uniform(0.55, 0.95),
        beard_hairs=noise(rng, 0.35),
        eye_shadow=max(skin.eye_shadow, uniform(0.05, 0.3)),
        lash=uniform(0.5, 0.95),
        lash_width=uniform(0.16, 0.26),
        lid_crease=uniform(0.1, 0.5),
        sclera=uniform(0.5, 0.8),
        highlight=(uniform(-14, 14), uniform(4, 16)),
        teeth=uniform(0.6, 0.85),
        gums=0.22,
        mouth=0.04,
        nostril=uniform(0.3, 0.8),
        cheek=uniform(-0.08, 0.18),
        lines=age,
        fold_width=uniform(0.2, 0.4),
        crow_feet=age * uniform(0.2, 0.6),
        under_eye=max(uniform(-0.1, 0.25), age * uniform(0.1, 0.4)),
        double_chin=max(0.0, uniform(-0.5, 0.5)),
        freckles=max(0.0, uniform(-1.2, 0.3)),
        cloth=0.0 if rng.random() < 0.1 else float(np.exp(uniform(np.log(0.02), np.log(0.8)))),
        neckline=uniform(1.5, 5.0),
        cut=max(0.0, uniform(-6.0, 6.0)),
        cloth_folds=noise(rng, 1.2),
    )


def skin_albedo(skin: Skin, marks: Array, points: Array) -> Array:
    """Return the albedo (n,) of skin at points (n, 3) of the mean head with landmarks ``marks`` (68, 3)."""
    albedo = np.full(len(points), skin.tone, np.float32)
    for strength, blotch in skin.blotches:
        albedo *= 1 + strength * blotch(points)
    y, front = points[:, 1], points[:, 2] > 0
    if skin.freckles > 0:
        spots = soft_step(skin.freckle_noise(points) - 1.2, 6) * np.exp(-(((y - 0.5) / 2.5) ** 2))
        albedo *= 1 - skin.freckles * spots * front
    for side in (-1.0, 1.0):
        centre = np.array([side * 4.6, 0.2, 9.5], np.float32)
        albedo *= 1 - skin.cheek * np.exp(-((points - centre) ** 2).sum(1) / 4.5)
    albedo *= _shadows_of_age(skin, marks, points)
    lips = inside_polygon(points[:, :2], marks[LIPS, :2]) & (points[:, 2] > 6)
    # The line where the lips meet is dark in every light.
    seam = line_distance(points[lips], marks[[48, 60, 61, 62, 63, 64, 54]])
    albedo[lips] *= skin.lip * (1 - 0.5 * np.exp(-((seam / 0.12) ** 2)))
    _add_brows(skin, marks, points, albedo)
    albedo = _with_beard(skin, marks, points, albedo, lips)
    for eye in (marks[36:42], marks[42:48]):
        rim = np.concatenate([eye, eye[:1]])
        near = np.abs(points - eye.mean(0)).max(1) < 3
        gap = line_distance(points[near], rim)
        upper = 0.55 + 0.45 * soft_step(points[near, 1] - eye[:, 1].mean(), 8)
        albedo[near] *= 1 - skin.lash * upper * np.exp(-((gap / skin.lash_width) ** 2))
        lid = np.exp(-(((points[near] - eye.mean(0) - [0, 0.6, 0]) / [1.8, 0.6, 2.5]) ** 2).sum(1))
        albedo[near] *= 1 - skin.eye_shadow * lid
        if skin.lid_crease > 0:
            crease = eye[:4] + np.array([0, 0.45, 0], np.float32)
            albedo[near] *= 1 - skin.lid_crease * np.exp(-((line_distance(points[near], crease) / 0.15) ** 2))
    for x0, y0, z0, radius, strength in skin.moles:
        gap2 = ((points - np.array([x0, y0, z0], np.float32)) ** 2).sum(1)
        albedo *= 1 - strength * np.exp(-gap2 / radius**2)
    if skin.cloth_folds is not None and skin.cloth > 0:
        edge = marks[8, 1] - skin.neckline - skin.cut * np.exp(-((points[:, 0] / 3) ** 2)) * front
        shirt = soft_step(edge - y, 6) * (points[:, 2] < 7)  # not the chin, which lies farther to the front
        albedo += (skin.cloth * (1 + 0.15 * skin.cloth_folds(points)) - albedo) * shirt
    return np.clip(albedo, 0.01, 0.95)


def _shadows_of_age(skin: Skin, marks: Array, points: Array) -> Array:
    """Factors for rings under the eyes, folds beside the mouth and lines on the forehead."""
    factor = np.ones(len(points), np.float32)
    for eye, wing, corner, outer, nostril in ((36, 31, 48, 36, 32), (42, 35, 54, 45, 34)):
        ring = marks[eye : eye + 6].mean(0) + np.array([0, -1.0, 0], np.float32)
        factor *= 1 - skin.under_eye * np.exp(-(((points - ring) / [1.5, 0.6, 3]) ** 2).sum(1))
        outward = np.array([0.8 * np.sign(marks[corner, 0]), 0.3, 0], np.float32)
        fold = np.stack([marks[wing] + outward, marks[corner] + outward])
        factor *= 1 - 0.6 * skin.lines * np.exp(-((line_distance(points, fold) / skin.fold_width) ** 2))
        if skin.crow_feet > 0:
            side, x, y = np.sign(marks[corner, 0]), *(points[:, :2] - marks[outer, :2]).T
            x = x * side
            fan = np.cos(np.arctan2(y, np.maximum(x, 0.05)) * 9) ** 2 * (x > 0.2)
            factor *= 1 - skin.crow_feet * fan * np.exp(-(((np.hypot(x, y) - 1.2) / 0.8) ** 2))
        if skin.nostril > 0:
            hole = marks[nostril] + np.array([0, 0.1, 0], np.float32)
            factor *= 1 - skin.nostril * np.exp(-((points - hole) ** 2).sum(1) / 0.1)
    if skin.double_chin > 0:
        under = marks[5:12] + np.array([0, -1.6, -1.0], np.float32)
        factor *= 1 - skin.double_chin * np.exp(-((line_distance(points, under) / 0.5) ** 2))
    rows = np.cos((points[:, 1] - 8) * 2 * np.pi / 1.1) ** 8
    forehead = np.exp(-(((points[:, 1] - 8) / 1.2) ** 2)) * np.exp(-((points[:, 0] / 3.5) ** 2))
    return np.asarray(factor * (1 - 0.3 * skin.lines * rows * forehead * (points[:, 2] > 5)), np.float32)


def _add_brows(skin: Skin, marks: Array, points: Array, albedo: Array) -> None:
    for brow in (marks[17:22], marks[22:27]):
        line = brow + np.array([0, skin.brow_lift, 0], np.float32)
        line[:, 1] += skin.brow_tilt * (np.abs(line[:, 0]) - 3) * 0.5
        near = np.flatnonzero(np.abs(points - line.mean(0)).max(1) < 4)
        gap = line_distance(points[near], line)
        hairs = 0.85 + 0.25 * skin.brow_hairs(points[near])
        cover = np.clip(skin.brow_strength * np.exp(-((gap / skin.brow_width) ** 2)) * hairs, 0, 1)
        albedo[near] = albedo[near] * (1 - cover) + min(skin.hair_tone, skin.tone * skin.brow_shade) * cover


def _with_beard(skin: Skin, marks: Array, points: Array, albedo: Array, lips: NDArray[np.bool_]) -> Array:
    if skin.beard == "none":
        return albedo

    def moustache(above: float, width: float) -> Array:
        line = marks[48:55] + np.array([0, above, 0], np.float32)
        return np.asarray(np.exp(-((line_distance(points, line) / width) ** 2)))

    x, y, z = points.T
    mouth = marks[LIPS].mean(0)[1]
    if skin.beard == "moustache":
        cover = moustache(0.55, 0.5)
    else:
        # The upper edge runs from the moustache down and out, then up to the ear.
        edge = mouth + skin.beard_top + 0.03 * (np.abs(x) - 4) ** 2
        cover = soft_step(edge - y, 3) * soft_step(z + 1.5, 1.5) * soft_step(y - (mouth - 6.5), 1.5)
        cover = np.maximum(cover, moustache(0.6, 0.55))
        if skin.beard == "goatee":
            cover = cover * np.exp(-((x / 2.6) ** 4))
        elif skin.beard == "circle":
            ring = np.hypot(x / 2.9, (y - mouth + 0.9) / 2.9)
            cover = cover * np.exp(-(np.maximum(np.abs(ring - 0.8) - 0.15, 0) ** 2) / 0.05)
        elif skin.beard == "chin-strap":
            cover = cover * np.exp(-((line_distance(points, marks[1:16]) / 1.0) ** 4))
    cover = np.clip(cover * skin.beard_strength * (0.85 + 0.25 * skin.beard_hairs(points)), 0, 1)
    cover = np.where(lips, 0.1 * cover, cover)
    return np.asarray(
        albedo * (1 - cover) + min(skin.hair_tone, skin.tone * skin.brow_shade) * cover, np.float32
    )


def off_axis(points: Array, centres: Array) -> tuple[Array, Array]:
    """Directions (n, 3) from the eyeballs' centres (2, 3), left and right, and degrees (n,) off the front."""
    away = points - centres[(points[:, 0] > 0).astype(int)]
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return away, np.degrees(np.arccos(np.clip(away[:, 2], -1, 1)))


def eye_albedo(skin: Skin, points: Array, centres: Array) -> Array:
    """Return the albedo (n,) of eyeballs at rest points (n, 3); ``centres`` as ``off_axis`` has them."""
    away, degrees = off_axis(points, centres)
    albedo = np.where(degrees < 28, skin.iris, skin.sclera)
    albedo = np.where(degrees < 11, 0.01, albedo)
    if skin.highlight is not None:
        lamp = direction(*np.radians(skin.highlight))
        albedo = np.where(away @ lamp > np.cos(np.radians(6)), 2.0, albedo)
    return np.asarray(albedo, np.float32)
