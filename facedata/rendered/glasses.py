"""Spectacles as geometry: rims, bridge and temples of bent wire, and lenses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facedata.rendered.mesh import Array, Material, Mesh, grid_triangles, join, surface


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses; cm.  ``square`` is the superellipse's exponent (2 round, 5 square);
    ``dark`` tells sunglasses, whose lenses are opaque; ``tilt`` degrees that the picture's right side hangs
    lower."""

    width: float
    height: float
    square: float
    wire: float
    drop: float
    tone: float
    dark: bool
    tilt: float = 0.0


def sample_glasses(rng: np.random.Generator, *, dark: bool) -> Glasses:
    """Draw a random pair."""
    return Glasses(
        width=float(rng.uniform(4.6, 6.0)),
        height=float(rng.uniform(3.2, 5.0) if not dark else rng.uniform(3.8, 5.4)),
        square=float(rng.uniform(2.0, 4.5)),
        wire=float(rng.uniform(0.07, 0.3)),
        drop=float(rng.uniform(-0.1, 0.6)),
        tone=float(np.exp(rng.uniform(np.log(0.01), np.log(0.4)))),
        dark=dark,
    )


# Round wire; thick and square; dark: width, height, square, wire, drop and tone of each.
_KINDS = (
    (5.0, 4.7, 2.0, 0.11, 0.25, 0.05),
    (5.6, 3.9, 4.5, 0.27, 0.2, 0.015),
    (6.2, 4.9, 2.7, 0.15, 0.3, 0.02),
)


def sample_kind(rng: np.random.Generator, kind: int, *, spread: float = 1.0) -> Glasses:
    """Draw glasses of kind 0 (round wire), 1 (thick and square) or 2 (dark), worn by somebody; ``spread``
    multiplies how much one pair differs from another."""

    def around(middle: float, deviation: float) -> float:
        return float(middle + spread * deviation * np.clip(rng.normal(), -2, 2))

    width, height, square, wire, drop, tone = _KINDS[kind]
    return Glasses(
        width=around(width, 0.12),
        height=around(height, 0.12),
        square=max(around(square, 0.12), 1.8),
        wire=float(wire * np.exp(around(0.0, 0.06))),
        drop=around(drop, 0.12),
        tone=float(np.clip(tone * np.exp(around(0.0, 0.2)), 0.005, 0.5)),
        dark=kind == 2,
        tilt=around(0.0, 0.8),
    )


def glasses_mesh(glasses: Glasses, landmarks: Array) -> Mesh:
    """Build the glasses on a face with these 68 landmarks (68, 3)."""
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    front = float(landmarks[36:48, 2].max()) + 1.3
    level = float((left[1] + right[1]) / 2) - glasses.drop
    spread = max(float(right[0] - left[0]) / 2, glasses.width / 2 + 0.7)
    parts = []
    rims = []
    for side in (-1.0, 1.0):
        angle = np.linspace(0, 2 * np.pi, 41)
        power = 2 / glasses.square
        x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * glasses.width / 2 + side * spread
        y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * glasses.height / 2 + level
        z = front - 0.035 * x**2 + 0.06 * (y - level)
        rim = np.stack([x, y, z], 1).astype(np.float32)
        rims.append(rim)
        parts.append(_wire(rim, glasses.wire))
        ear = landmarks[0 if side < 0 else 16]
        hinge = rim[np.argmax(side * rim[:, 0] + 0.3 * rim[:, 1])]
        temple = np.array(
            [hinge, [ear[0] + side * 0.5, level + 0.4, ear[2] + 3], [ear[0] + side * 0.4, level, ear[2] - 3]]
        )
        parts.append(_wire(temple.astype(np.float32), glasses.wire))
        if glasses.dark:
            parts.append(_lens(rim))
    inner = [rims[0][np.argmax(rims[0][:, 0])], rims[1][np.argmin(rims[1][:, 0])]]
    middle = (inner[0] + inner[1]) / 2 + np.array([0, 0.35, 0.15])
    parts.append(_wire(np.stack([inner[0], middle, inner[1]]).astype(np.float32), glasses.wire))
    return _tilted(join(parts), glasses.tilt, level)


def _tilted(mesh: Mesh, degrees: float, level: float) -> Mesh:
    """The mesh turned clockwise about an axis out of the face at height ``level``, cm."""
    if degrees == 0:
        return mesh
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    pivot = np.array([0, level, 0])
    vertices = ((mesh.vertices - pivot) @ turn + pivot).astype(np.float32)
    return replace(mesh, vertices=vertices, normals=(mesh.normals @ turn).astype(np.float32))


def _wire(line: Array, radius: float, sides: int = 6) -> Mesh:
    """A tube along a polyline (k, 3)."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(tangent[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(tangent, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = first[:, None] * np.cos(turn)[:, None] + second[:, None] * np.sin(turn)[:, None]
    vertices = (line[:, None] + radius * ring).reshape(-1, 3)
    return surface(vertices.astype(np.float32), grid_triangles(len(line), sides, wrap=True), Material.FRAME)


def _lens(rim: Array) -> Mesh:
    """A fan that fills a closed rim (k, 3)."""
    centre = rim[:-1].mean(0, keepdims=True)
    count = len(rim) - 1
    order = np.arange(count)
    triangles = np.stack([np.full(count, count), order, (order + 1) % count], 1)
    return surface(np.concatenate([rim[:-1], centre]), triangles.astype(np.int32), Material.LENS)
