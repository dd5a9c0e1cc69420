"""What else is seen at a head and is no accessory one asks for: collars, scarves, hands, earrings, ..."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facedata.rendered.accessories import tube
from facedata.rendered.mesh import Array, Material, Mesh, Values, direction, grid_triangles, join, surface

EXTRAS = ("collar", "scarf", "hand", "microphone", "headphones", "earrings")
_CHEEK = (2, 31)  # landmarks between which skin is plain
_NECK = np.array([0.0, 0.0, -1.0])  # a point of the neck's axis, which is upright


@dataclass(frozen=True)
class Extra:
    """One thing; ``side`` is -1 for the picture's left and 1 for its right."""

    kind: str  # one of EXTRAS
    side: int
    tone: float  # albedo
    size: float  # 0..1, from small to large
    turn: float  # -1..1, how it is held


def extra_mesh(extra: Extra, landmarks: Array, mean_landmarks: Array) -> Mesh:
    """Build it at a face with these 68 ``landmarks`` (68, 3); a hand is as the cheek of the mean head."""
    chin, mouth = landmarks[8], landmarks[62]
    side, size, tone = extra.side, extra.size, extra.tone
    if extra.kind == "collar":
        return _band(tone, top=-7.5 + 3.5 * size, dip=4.0 + 2 * extra.turn, out=1.2 + 1.5 * size, bulge=0.0)
    if extra.kind == "scarf":
        return _band(tone, top=float(chin[1]) - 1.5 + 2.0 * size, dip=0.5, out=1.5 + size, bulge=1.2)
    if extra.kind == "hand":
        fist = np.array([side * (1.5 + 2.0 * extra.turn), chin[1] - 0.8 - size, chin[2] + 0.2])
        rows = [(side * (1.6 * finger - 2.4), 0.4 * (finger in (1, 2)), 0.5) for finger in range(4)]
        parts = [_ball(fist + row, (0.85, 1.5, 1.1)) for row in np.array(rows)]
        palm = _ball(fist + np.array([0, -2.5, -0.3]), (3.4, 2.6, 1.6))
        mesh = join([*parts, palm])
        plain = mean_landmarks[list(_CHEEK)].mean(0)
        return replace(mesh, rest=(plain + 0.15 * (mesh.vertices - fist)).astype(np.float32))
    if extra.kind == "microphone":
        top = mouth + np.array([side * (0.5 + 2.5 * abs(extra.turn)), -2.5 - 1.5 * size, 4.5])
        grip = top + np.array([side * 3.0, -9.0, 3.0])
        radius = 1.7 + 0.6 * size
        ball = _ball(top, (radius, radius, radius), Material.HAT, 0.6 * tone)
        return join([ball, tube(np.stack([top, grip]), 1.2, Material.HAT, tone)])
    if extra.kind == "headphones":
        ear = landmarks[[0, 16]].mean(0) + np.array([0, 1.0, -3.5])
        angle, width = np.linspace(0, np.pi, 25), float(landmarks[16, 0]) + 2.2
        arc = np.stack([width * np.cos(angle), 13.0 * np.sin(angle), np.zeros(25)], 1)
        radii = (1.5, 3.2 + size, 2.6 + size)
        cups = [_ball(ear + end, radii, Material.HAT, tone) for end in arc[[0, -1]]]
        return join([*cups, tube(ear + arc, 0.7 + 0.5 * size, Material.HAT, tone)])
    rings = []
    radius = 0.5 + 1.4 * size
    for outward, lobe in zip((-1.0, 1.0), landmarks[[1, 15]], strict=True):
        hole = lobe + np.array([0.55 * outward, -1.5, -2.4])
        if extra.turn < 0:  # a drop
            middle = hole + np.array([0.2 * outward, -radius, 0.4])
            rings.append(_ball(middle, (0.5, radius, 0.5), Material.HAT, tone))
        else:
            angle = np.linspace(0, 2 * np.pi, 25)
            ring = np.stack([0.5 * np.sin(angle), radius * (np.cos(angle) - 1), radius * np.sin(angle)], 1)
            rings.append(tube(hole + ring, 0.15 + 0.1 * size, Material.HAT, tone))
    return join(rings)


def _ball(
    middle: Values,
    radii: tuple[float, float, float],
    material: Material = Material.SKIN,
    tone: float = 1.0,
) -> Mesh:
    """An ellipsoid."""
    azimuth, elevation = np.meshgrid(
        np.linspace(-np.pi, np.pi, 16, endpoint=False), np.linspace(-1.57, 1.57, 9)
    )
    vertices = middle + direction(azimuth, elevation).reshape(-1, 3) * np.asarray(radii)
    shade = np.full(len(vertices), tone, np.float32)
    return surface(vertices, grid_triangles(9, 16, wrap=True), material, shade)


def _band(tone: float, top: float, dip: float, out: float, bulge: float) -> Mesh:
    """Cloth round the neck up to the height ``top``, ``dip`` cm lower in front, ``out`` cm wide of it."""
    angle, rise = np.meshgrid(
        np.linspace(-np.pi, np.pi, 64, endpoint=False), np.linspace(0, 1, 12), indexing="xy"
    )
    height = -16.0 + (top + 16.0 - dip * np.exp(-((angle / 0.7) ** 2))) * rise
    far = out * (0.7 + 0.6 * rise) + bulge * np.sin(np.pi * rise) ** 0.5
    wide = 1 + 0.7 * np.clip((-11.0 - height) / 5, 0, 1)  # as the shoulders
    place = _NECK + np.stack([wide * (6.2 + far) * np.sin(angle), height, (6.8 + far) * np.cos(angle)], -1)
    shade = np.full(height.size, tone) * (
        1 + 0.15 * np.sin(9 * np.pi * rise.ravel() + 3 * np.sin(angle.ravel()))
    )
    return surface(place.reshape(-1, 3), grid_triangles(*height.shape, wrap=True), Material.HAT, shade)
