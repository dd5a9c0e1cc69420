"""Single strands over the shell of hair, so that outlines and hairlines are not cut with scissors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facedata.rendered.hair import CENTRE, Hair
from facedata.rendered.mesh import Array, Caster, Material, Mesh, Triangles, grid_triangles, join, part, unit
from facedata.rendered.person import Posed

STEPS = 5
FAR = 40.0  # cm; outside every head
#                 length cm, strays: how much a strand leaves the common direction, lift off the shell
_HABITS = {
    "ring": (0.7, 0.35, 0.02),
    "cropped": (0.6, 0.4, 0.06),
    "short": (1.9, 0.2, 0.04),
    "bowl": (3.0, 0.08, 0.03),
    "bob": (4.0, 0.07, 0.02),
    "long": (5.0, 0.07, 0.02),
    "tied": (2.5, 0.1, 0.03),
    "curly": (2.2, 1.2, 0.25),
}


def with_strands(posed: Posed, rng: np.random.Generator, *, count: int, back: bool) -> tuple[Posed, Array]:
    """The same head with strands, combed ``back`` or not, and points (n, 3) where hair leaves the skin."""
    mesh = posed.mesh
    shell = _visible_shell(mesh)
    if len(shell) == 0:
        return posed, np.zeros((0, 3), np.float32)
    strands = _strands(mesh, shell, posed.person.hair, rng, count, back)
    return replace(posed, mesh=join([mesh, strands])), mesh.vertices[np.unique(shell)]


def _visible_shell(mesh: Mesh) -> Triangles:
    """The triangles (k, 3) of hair that lie outside the skin."""
    shell = mesh.triangles[mesh.material == Material.HAIR]
    caster = Caster(part(mesh, mesh.material == Material.SKIN))
    used = np.unique(shell)
    offset = mesh.vertices[used] - CENTRE
    radius = np.linalg.norm(offset, axis=1, keepdims=True)
    outward = (offset / np.maximum(radius, 1e-6)).astype(np.float32)
    gap = caster.distance((CENTRE + outward * FAR).astype(np.float32), -outward)
    outside = np.zeros(len(mesh.vertices), bool)
    outside[used] = radius[:, 0] > FAR - gap + 0.03
    return shell[outside[shell].all(1)]


def _strands(
    mesh: Mesh, shell: Triangles, hair: Hair, rng: np.random.Generator, count: int, back: bool
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
