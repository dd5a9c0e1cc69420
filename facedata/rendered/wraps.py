"""Cloth that lies over a head: a mask over mouth and nose, and a scarf or hood round the face.

Both are stretched over the head as a sheet is: over its convex hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import ConvexHull

from facedata.rendered.accessories import tube
from facedata.rendered.hair import CENTRE
from facedata.rendered.mesh import (
    Array,
    Caster,
    Material,
    Mesh,
    Values,
    direction,
    grid_triangles,
    join,
    surface,
)

_SIDE = 78.0  # degrees to which a mask reaches on either side, seen from within the mouth
_LINING = 0.35  # cm between the outside of a scarf and the hair in it
_AHEAD = np.array([0.0, -0.2, 1.0]) / np.hypot(0.2, 1.0)  # from the head's centre out of the face


@dataclass(frozen=True)
class Mask:
    """A surgical or cloth mask; lengths in cm."""

    tone: float  # albedo
    low: float  # by which it hangs below the bridge of the nose
    pleats: int
    room: float  # between face and cloth
    strap: float  # thickness of its straps


def mask_mesh(mask: Mask, face: Array, landmarks: Array) -> Mesh:
    """Build a mask on the skin of a face (n, 3) as it is now, with these 68 ``landmarks`` (68, 3)."""
    bridge = float(landmarks[28, 1]) - mask.low
    caster = _hull(face[face[:, 1] < bridge + 0.4][::4])
    centre = np.array([0.0, landmarks[62, 1], 5.0])
    azimuth = np.linspace(-_SIDE, _SIDE, 45)
    aside = np.abs(azimuth)
    cheek, ear = float(landmarks[33, 1]) + 1.3 - 0.5 * mask.low, float(landmarks[[2, 14], 1].mean()) - 0.3
    top = np.interp(aside, [0, 12, 30, _SIDE], [bridge, bridge - 0.3, cheek + 0.4, ear])
    level = direction(np.radians(azimuth), np.zeros(45))
    upper = np.arctan2(
        top - centre[1], _distance(caster, centre + [0, 1, 0] * (top - centre[1])[:, None], level)
    )
    chin = float(np.degrees(np.arctan2(*(landmarks[8] - centre)[1:])))
    lower = np.interp(aside, [0, 35, _SIDE], [chin - 16, chin - 10, -30])
    row = np.linspace(0, 1, 24)[:, None]
    elevation = upper + (np.radians(lower) - upper) * row
    aim = direction(np.broadcast_to(np.radians(azimuth), elevation.shape), elevation)
    folds = np.cos(2 * np.pi * mask.pleats * row) if mask.pleats else np.zeros_like(row)
    inner = np.sin(np.pi * row) ** 0.5
    radius = (
        _distance(caster, np.broadcast_to(centre, aim.shape), aim) + 0.2 + inner * (mask.room + 0.08 * folds)
    )
    vertices = centre + aim * radius[..., None]
    shade = np.broadcast_to(mask.tone * (1 + 0.1 * folds), radius.shape)
    sheet = surface(
        vertices.reshape(-1, 3), grid_triangles(*radius.shape, wrap=False), Material.HAT, shade.ravel()
    )
    straps = []
    for column, side in ((0, 0), (-1, 16)):
        outward = np.sign(landmarks[side, 0])
        behind = landmarks[side] + [0.5 * outward, 1.0, -0.5]
        for corner in (vertices[1, column], vertices[-2, column]):
            middle = (corner + behind) / 2 + [0.3 * outward, 0, 0]
            straps.append(tube(np.stack([corner, middle, behind]), mask.strap, Material.HAT, mask.tone))
    return join([sheet, *straps])


@dataclass(frozen=True)
class Wrap:
    """A scarf or hood round the face; lengths in cm."""

    close: bool  # a scarf under which no hair is seen
    tone: float  # albedo
    trim: float  # albedo of its pattern
    pattern: int  # stripes along it, 0 if it is plain
    brow: float  # of its upper edge above the brows
    inward: float  # share 0..1 of the face's half width that its sides cover
    chin: float  # of its lower edge above the chin
    edge: float  # by which its edge stands off from the head
    stand: float  # and what is farther back
    folds: float  # depth
    seed: int  # of the folds


class FittedWrap:
    """A scarf or hood on the skin of one head (n, 3), as it is now, with 68 ``landmarks`` (68, 3)."""

    def __init__(self, wrap: Wrap, skin: Array, landmarks: Array) -> None:
        self.wrap = wrap
        self._caster = _hull(skin[::8])
        across = np.cross([0.0, 1.0, 0.0], _AHEAD)
        self._axes = np.stack([across, np.cross(_AHEAD, across), _AHEAD])  # right, up and out of the face
        sides = landmarks[1:16].astype(float)
        sides[:, 0] *= 1 - wrap.inward
        sides[:, 1] += wrap.chin * np.exp(-((sides[:, 0] / 3) ** 2))
        brows = landmarks[[19, 24]].mean(0)
        over = brows + [[x, wrap.brow - 0.03 * x * x, -0.05 * x * x] for x in (5.0, 3.0, 0.0, -3.0, -5.0)]
        seen = (np.concatenate([sides, over]) - CENTRE) @ self._axes.T
        around = np.arctan2(seen[:, 1], seen[:, 0])
        apart = np.arctan2(np.hypot(seen[:, 0], seen[:, 1]), seen[:, 2])
        order = np.argsort(around)
        self._around = np.linspace(-np.pi, np.pi, 96, endpoint=False)
        opening = np.interp(self._around, around[order], apart[order], period=2 * np.pi)
        self._opening = gaussian_filter1d(opening, 2.0, mode="wrap")

    def mesh(self) -> Mesh:
        """Build it in head coordinates."""
        wrap, rng = self.wrap, np.random.default_rng(self.wrap.seed)
        row = np.linspace(0, 1, 40)[:, None] ** 1.3
        apart = self._opening + (np.pi - 0.02 - self._opening) * row
        aim = self._aim(self._around, apart)
        relief = gaussian_filter(rng.normal(size=apart.shape), (6, 1.6), mode=("nearest", "wrap"))
        relief = relief / relief.std() * wrap.folds
        radius = self._radius(aim, row) + relief * np.clip(row * 6, 0.2, 1)
        shade = np.full(radius.shape, wrap.tone)
        if wrap.pattern:
            shade[np.cos(wrap.pattern * np.pi * row + relief) > 0.3] = wrap.trim
        shade = shade * np.clip(1 + 0.25 * relief / max(wrap.folds, 0.05), 0.6, 1.4)
        return surface(
            (CENTRE + aim * radius[..., None]).reshape(-1, 3),
            grid_triangles(*radius.shape, wrap=True),
            Material.HAT,
            shade.ravel(),
        )

    def room_for_hair(self, points: Array) -> Array:
        """How far hair may rise (n,), cm, above points (n, 3) of the skin: as far as the cloth."""
        away = points - CENTRE
        distance = np.linalg.norm(away, axis=1)
        aim = away / distance[:, None]
        seen = aim @ self._axes.T
        opening = np.interp(np.arctan2(seen[:, 1], seen[:, 0]), self._around, self._opening, period=2 * np.pi)
        apart = np.arccos(np.clip(seen[:, 2], -1, 1))
        row = np.clip((apart - opening) / (np.pi - opening), 0, 1)
        return np.asarray(self._radius(aim, row) - _LINING - self.wrap.folds - distance, np.float32)

    def _aim(self, around: Values, apart: Values) -> Values:
        """Unit vectors (..., 3) so far (radians) from the middle of the face and around it."""
        level = np.sin(apart)
        local = np.stack([np.cos(around) * level, np.sin(around) * level, np.cos(apart)], -1)
        return np.asarray(local @ self._axes)

    def _radius(self, aim: Values, row: Values) -> Values:
        """Distance (...) of the cloth from CENTRE, ``row`` 0..1 of the way from its edge to the back."""
        wrap = self.wrap
        off = wrap.edge + (wrap.stand - wrap.edge) * np.clip(row * 4, 0, 1)
        return _distance(self._caster, np.broadcast_to(CENTRE, aim.shape), aim) + off


def _hull(points: Array) -> Caster:
    """The convex hull of points (n, 3)."""
    return Caster(surface(points, ConvexHull(points).simplices, Material.SKIN))


def _distance(caster: Caster, middle: Values, outward: Values) -> Values:
    """How far a hull reaches (...) from points within it along unit directions, (..., 3) each."""
    return np.clip(caster.reach(middle, outward), 0, 30)
