"""Clothes for the people of the album: a shirt that is cut to each bust."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter

from facedata.rendered.mesh import Array, Caster, Material, Mesh, grid_triangles, join, part, surface
from facedata.rendered.person import Posed

AXIS_Z = -2.4  # cm; the middle of neck and chest
COLUMNS, ROWS = 120, 64
LOWEST = -45.0  # cm; below every picture
OUTSIDE = 60.0
NECK = 7.4  # cm; radius of a shirt round the neck
CLEARANCE = 0.28  # cm between skin and cloth

#        y      half width  half depth of shoulders and chest, cm
_CHEST = np.array([
    (-9.0, 1.0, 1.0), (-12.8, 5.8, 5.6), (-14.0, 8.6, 6.6), (-15.2, 13.2, 7.6), (-16.6, 17.0, 8.5),
    (-18.6, 19.6, 9.3), (-22.0, 21.2, 10.2), (-28.0, 21.6, 11.2), (-46.0, 21.0, 11.8),
], np.float32)  # fmt: skip


@dataclass(frozen=True)
class Shirt:
    """A shirt; lengths in cm, colours linear RGB."""

    colour: tuple[float, float, float]
    second: tuple[float, float, float] = (0.8, 0.8, 0.8)  # of stripes
    pattern: str = "plain"  # or stripes, knit
    top: float = -12.2  # height of its edge at the nape
    drop: float = 2.2  # how far the front lies lower
    vee: float = 0.0  # how far a V is cut below that
    rim: float = 0.22  # thickness of the border


def dressed(posed: Posed, shirt: Shirt, twist: float) -> Posed:
    """The same head with a shirt on, the shoulders turned ``twist`` degrees against the head."""
    body = posed.mesh
    low = (body.rest[:, 1] < -8.6)[body.triangles].all(1)
    bust = Caster(part(body, (body.material == Material.SKIN) & low))  # the skin of neck and bust
    turn = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)  # 0 is the front
    edge = _edge(bust, shirt, turn)
    # The skin that the shirt hides is left out.
    azimuth = np.arctan2(body.vertices[:, 0], body.vertices[:, 2] - AXIS_Z)
    limit = np.interp(azimuth, turn, edge, period=2 * np.pi) - 0.4
    hidden = (body.vertices[:, 1] < limit)[body.triangles].all(1) & (body.material == Material.SKIN)
    mesh = join([part(body, ~hidden), _cloth(bust, shirt, turn, edge)])
    return replace(posed, mesh=_twisted(mesh, twist))


def _edge(bust: Caster, shirt: Shirt, turn: Array) -> Array:
    """Height of the shirt's upper edge in each direction: it lies round the neck, not on bare shoulders."""
    front = (1 + np.cos(turn)) / 2
    wished = shirt.top - shirt.drop * front - shirt.vee * np.clip(1 - np.abs(turn) / 0.75, 0, 1) ** 1.2
    heights = np.linspace(-9, -19, 60)
    radius = _bust_radius(bust, np.broadcast_to(heights[:, None], (60, COLUMNS)), turn)
    opening = NECK + 4.5 * front**4
    beyond = radius > opening
    reached = np.where(beyond.any(0), heights[np.argmax(beyond, axis=0)], heights[-1])
    return np.asarray(gaussian_filter1d(np.maximum(wished, reached), 1.5, mode="wrap"))


def _cloth(bust: Caster, shirt: Shirt, turn: Array, edge: Array) -> Mesh:
    along = np.linspace(0, 1, ROWS) ** 1.7
    y = edge[None] + (LOWEST - edge[None]) * along[:, None]
    skin = maximum_filter(_bust_radius(bust, y, turn), (3, 3), mode=("nearest", "wrap"))
    wide = np.interp(y, _CHEST[::-1, 0], _CHEST[::-1, 1])
    deep = np.interp(y, _CHEST[::-1, 0], _CHEST[::-1, 2])
    chest = 1 / np.sqrt((np.sin(turn) / wide) ** 2 + (np.cos(turn) / deep) ** 2)
    radius = np.maximum(skin + CLEARANCE, chest)
    radius = gaussian_filter(radius, (1.2, 1.5), mode=("nearest", "wrap"))
    # Below its edge the cloth never comes back to the neck.
    radius = np.maximum.accumulate(radius, axis=0)
    below = edge[None] - y
    radius += shirt.rim * np.exp(-(((below - 0.45) / 0.4) ** 2))
    # The border is rolled inwards, so that nobody looks between cloth and neck.
    radius = np.concatenate([radius[:1] - 1.2, radius[:1] - 0.15, radius])
    y = np.concatenate([y[:1] - 0.3, y[:1], y])
    points = np.stack([radius * np.sin(turn), y, radius * np.cos(turn) + AXIS_Z], -1)
    vertices = points.reshape(-1, 3).astype(np.float32)
    return surface(vertices, grid_triangles(ROWS + 2, COLUMNS, wrap=True), Material.CLOTH)


def _bust_radius(bust: Caster, y: Array, turn: Array) -> Array:
    """How far the skin of neck and bust reaches from the axis, 0 if there is none: as ``y``."""
    outward = np.stack([np.sin(turn), np.zeros_like(turn), np.cos(turn)], -1)
    outward = np.broadcast_to(outward, (*y.shape, 3)).reshape(-1, 3)
    starts = outward * OUTSIDE + np.array([0, 0, AXIS_Z])
    starts[:, 1] = y.ravel()
    gap = bust.distance(starts.astype(np.float32), -outward.astype(np.float32))
    return np.where(np.isfinite(gap) & (gap < OUTSIDE), OUTSIDE - gap, 0).reshape(y.shape)


def _twisted(mesh: Mesh, degrees: float) -> Mesh:
    """Turn what is skin or cloth and below the chin about the vertical, more the lower it lies."""
    moves = np.zeros(len(mesh.vertices), bool)
    moves[mesh.triangles[np.isin(mesh.material, (Material.SKIN, Material.CLOTH))]] = True
    share = np.clip((-9.0 - mesh.vertices[:, 1]) / 7.0, 0, 1)
    share = share * share * (3 - 2 * share) * moves
    angle = np.radians(degrees) * share
    cos, sin = np.cos(angle), np.sin(angle)

    def turned(points: Array, centre: float) -> Array:
        x, y, z = points[:, 0], points[:, 1], points[:, 2] - centre
        return np.stack([cos * x + sin * z, y, cos * z - sin * x + centre], 1).astype(np.float32)

    return replace(mesh, vertices=turned(mesh.vertices, AXIS_Z), normals=turned(mesh.normals, 0.0))
