"""What the people of the album have on: a shirt that is cut to each bust, and single strands of hair over its
shell, so that outlines and hairlines are not cut with scissors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter

from facedata.rendered.hair import CENTRE, Hair
from facedata.rendered.mesh import Array, Caster, Material, Mesh, grid_triangles, join, part, surface, unit
from facedata.rendered.person import Posed

AXIS_Z = -2.4  # cm; the middle of neck and chest
COLUMNS, ROWS = 120, 64
LOWEST = -45.0  # cm; below every picture
OUTSIDE = 60.0  # cm; beyond all shoulders
NECK = 7.4  # cm; radius of a shirt round the neck
CLEARANCE = 0.28  # cm between skin and cloth

#        y      half width  half depth of shoulders and chest, cm
_CHEST = np.array([
    (-9.0, 1.0, 1.0), (-12.8, 5.8, 5.6), (-14.0, 8.6, 6.6), (-15.2, 13.2, 7.6), (-16.6, 17.0, 8.5),
    (-18.6, 19.6, 9.3), (-22.0, 21.2, 10.2), (-28.0, 21.6, 11.2), (-46.0, 21.0, 11.8),
], np.float32)  # fmt: skip
STEPS = 5
#                 length cm, strays: how much a strand leaves the common direction, lift off the shell
_HABITS = {
    "ring": (0.7, 0.35, 0.02), "cropped": (0.6, 0.4, 0.06), "short": (1.9, 0.2, 0.04),
    "bowl": (3.0, 0.08, 0.03), "bob": (4.0, 0.07, 0.02), "long": (5.0, 0.07, 0.02),
    "tied": (2.5, 0.1, 0.03), "curly": (2.2, 1.2, 0.25),
}  # fmt: skip


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
    axis = np.stack([np.zeros_like(y), y, np.full_like(y, AXIS_Z)], -1)
    return np.maximum(bust.reach(axis, outward, OUTSIDE), 0)


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


def with_strands(posed: Posed, rng: np.random.Generator, *, count: int, back: bool) -> tuple[Posed, Array]:
    """The same head with strands, combed ``back`` or not, and points (n, 3) where hair leaves the skin."""
    mesh = posed.mesh
    shell = _visible_shell(mesh)
    if len(shell) == 0:
        return posed, np.zeros((0, 3), np.float32)
    strands = _strands(mesh, shell, posed.person.hair, rng, count, back)
    return replace(posed, mesh=join([mesh, strands])), mesh.vertices[np.unique(shell)]


def _visible_shell(mesh: Mesh) -> NDArray[np.int32]:
    """The triangles (k, 3) of hair that lie outside the skin."""
    shell = mesh.triangles[mesh.material == Material.HAIR]
    caster = Caster(part(mesh, mesh.material == Material.SKIN))
    used = np.unique(shell)
    offset = mesh.vertices[used] - CENTRE
    radius = np.linalg.norm(offset, axis=1, keepdims=True)
    outward = (offset / np.maximum(radius, 1e-6)).astype(np.float32)
    outside = np.zeros(len(mesh.vertices), bool)
    outside[used] = radius[:, 0] > caster.reach(CENTRE, outward) + 0.03
    return shell[outside[shell].all(1)]


def _strands(
    mesh: Mesh, shell: NDArray[np.int32], hair: Hair, rng: np.random.Generator, count: int, back: bool
) -> Mesh:
    length, stray, lift = _HABITS[hair.style]
    a, b, c = (mesh.vertices[shell[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(shell), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    fold = u + v > 1
    u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
    corners = shell[chosen]
    root = a[chosen] * (1 - u - v) + b[chosen] * u + c[chosen] * v
    first, second, third = (mesh.normals[corners[:, i]] for i in range(3))
    normal = unit(first * (1 - u - v) + second * u + third * v)
    normal *= np.sign((normal * (root - CENTRE)).sum(1, keepdims=True))
    way = unit(_flow(hair, root, back) + rng.normal(0, stray, root.shape))
    way = unit(way - normal * (way * normal).sum(1, keepdims=True) + normal * lift)
    step = length * rng.uniform(0.5, 1.15, (count, 1)) / (STEPS - 1)
    point = root + normal * rng.uniform(-0.05, 0.06 + lift * 0.4, (count, 1))
    half = rng.uniform(0.02, 0.05, (count, 1))
    tilt = rng.normal(0, 0.35, (count, 1))
    left, right, facing = [], [], []
    for i in range(STEPS):
        side = unit(np.cross(way, normal))
        width = half * (1 - 0.85 * i / (STEPS - 1))
        left.append(point - side * width)
        right.append(point + side * width)
        facing.append(unit(normal + tilt * side))
        point = point + way * step
        outward = unit(point - CENTRE)
        way = way - outward * (way * outward).sum(1, keepdims=True) * (0.9 if hair.style != "curly" else 0.4)
        if hair.style == "curly":
            way = way + rng.normal(0, 0.9, way.shape)
        elif hair.style in ("bob", "long"):
            way = way + np.array([0, -0.15, 0])
        way = unit(way)
    vertices = np.stack([np.stack(left, 1), np.stack(right, 1)], 2).reshape(-1, 3).astype(np.float32)
    normals = np.repeat(np.stack(facing, 1), 2, axis=1).reshape(-1, 3).astype(np.float32)
    ribbon = grid_triangles(STEPS, 2, wrap=False)
    triangles = (ribbon[None] + (np.arange(count) * STEPS * 2)[:, None, None]).reshape(-1, 3)
    shade = np.repeat(np.exp(rng.normal(0, 0.28, count)), STEPS * 2)
    return Mesh(
        vertices=vertices,
        triangles=triangles.astype(np.int32),
        rest=vertices,
        shade=np.clip(shade, 0.45, 1.9).astype(np.float32),
        material=np.full(len(triangles), Material.HAIR, np.int8),
        normals=normals,
    )


def _flow(hair: Hair, root: Array, back: bool) -> Array:
    """The direction (n, 3) in which hair is combed at each root."""
    x, y, z = root.T
    if hair.style in ("bob", "long", "bowl"):
        away = np.sign(x - 3 * hair.parting) if hair.style != "bowl" else np.zeros_like(x)
        return np.stack([away * np.clip((y - 6) / 8, 0, 1), np.full_like(x, -1.0), 0.05 * z], 1)
    if hair.style == "tied":
        return np.array([0, 6, -11]) - root
    crown = root - np.array([1.5 * hair.parting, 13.5, -4.0])
    if back:
        top = np.clip((y - 8) / 3, 0, 1)[:, None]
        swept = np.stack([0.6 * hair.parting + 0.05 * x, np.full_like(x, 0.2), np.full_like(x, -1.0)], 1)
        return unit(crown) * (1 - top) + swept * top
    return crown + np.array([3.0 * hair.parting, 0, 0]) * np.clip((y - 8) / 3, 0, 1)[:, None]
