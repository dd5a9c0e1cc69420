"""Triangles with materials, and the ray caster that meets them (Intel Embree through embreex)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from scipy import sparse

Rng = np.random.Generator
Array = NDArray[np.float32]
Values = NDArray[np.floating]
Triangles = NDArray[np.int32]
FAR = 40.0  # cm; outside every head
SHADOW_BIAS = 0.03  # cm; lifts a shadow ray's start off the surface it leaves

Material = IntEnum("Material", "SKIN EYE TEETH MOUTH HAIR FRAME LENS CLOTH HAT", start=0)
"""What a triangle is made of."""


@dataclass(frozen=True)
class Mesh:
    """A surface of n vertices and m triangles."""

    vertices: Array  # (n, 3) float32 cm
    triangles: Triangles  # (m, 3) int32
    rest: Array  # (n, 3) float32 cm, places on the mean head: there paint is defined, to follow the skin
    shade: Array  # (n,) float32, a painted factor
    material: NDArray[np.int8]  # (m,)
    normals: Array  # (n, 3) float32 unit


def surface(vertices: Values, triangles: Triangles, material: Material, shade: Values | None = None) -> Mesh:
    """Make a mesh of one material with smooth normals."""
    return Mesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles.astype(np.int32),
        rest=vertices.astype(np.float32),
        shade=np.ones(len(vertices), np.float32) if shade is None else shade.astype(np.float32),
        material=np.full(len(triangles), material, np.int8),
        normals=smooth_normals(vertices, triangles),
    )


def join(meshes: list[Mesh]) -> Mesh:
    """Make one mesh of several."""
    joined = {each.name: [getattr(mesh, each.name) for mesh in meshes] for each in fields(Mesh)}
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    joined["triangles"] = [
        mesh.triangles + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)
    ]
    return Mesh(**{name: np.concatenate(parts) for name, parts in joined.items()})


def part(mesh: Mesh, which: NDArray[np.bool_]) -> Mesh:
    """Keep those triangles of a mesh, (m,) bool."""
    return replace(mesh, triangles=mesh.triangles[which], material=mesh.material[which])


def smooth_normals(vertices: Values, triangles: Triangles) -> Array:
    """Return unit vertex normals (n, 3): the area-weighted mean of the adjoining triangles' normals."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    count, corners = len(triangles), triangles.ravel()
    adjacency = sparse.csr_matrix(
        (np.ones(3 * count, np.float32), (corners, np.repeat(np.arange(count), 3))), (len(vertices), count)
    )
    return np.asarray(unit(np.asarray(adjacency @ face_normals)), np.float32)


def unit(vectors: Values) -> Array:
    """Bring vectors (n, 3) to length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def direction(azimuth: Values, elevation: Values) -> Values:
    """Return unit vectors (..., 3) at these angles (...), radians: 0, 0 is z, and azimuth turns z to x."""
    level = np.cos(elevation)
    return np.stack([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level], -1)


def grid_triangles(rows: int, columns: int, *, wrap: bool) -> Triangles:
    """Return triangles of a rows x columns grid, row by row; ``wrap`` joins last column to first."""
    row, column = np.mgrid[0 : rows - 1, 0 : columns if wrap else columns - 1]
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


@dataclass(frozen=True)
class Hits:
    """Where n of the cast rays met the mesh; normals face the ray."""

    ray: NDArray[np.int64]  # (n,) index of each ray
    point: Array  # (n, 3) float32
    normal: Array  # (n, 3) float32
    rest: Array  # (n, 3) float32
    shade: Array  # (n,) float32
    material: NDArray[np.int8]  # (n,)


class Caster:
    """Casts rays at one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._scene = EmbreeScene()
        self._held = TriangleMesh(self._scene, mesh.vertices, mesh.triangles)

    def cast(self, origins: Array, directions: Array) -> Hits:
        """Find the first surface along each ray; ``origins`` and unit ``directions`` are (r, 3) float32."""
        mesh = self._mesh
        found = self._scene.run(origins, directions, None, query="INTERSECT", output=True)
        ray = np.flatnonzero(found["primID"] >= 0)
        triangle = found["primID"][ray]
        corners = mesh.triangles[triangle]
        u, v = found["u"][ray], found["v"][ray]
        weights = np.stack([1 - u - v, u, v], axis=1)[:, :, None]
        normal = unit((mesh.normals[corners] * weights).sum(1))
        normal[(normal * directions[ray]).sum(1) > 0] *= -1  # thin sheets are lit on the side that is seen
        return Hits(
            ray=ray,
            point=origins[ray] + directions[ray] * found["tfar"][ray, None],
            normal=normal.astype(np.float32),
            rest=(mesh.rest[corners] * weights).sum(1).astype(np.float32),
            shade=(mesh.shade[corners] * weights[:, :, 0]).sum(1).astype(np.float32),
            material=mesh.material[triangle],
        )

    def distance(self, origins: Array, directions: Array) -> Array:
        """Measure how far each ray goes to the first surface, cm, infinite if there is none: (r,) float32."""
        found = self._scene.run(origins, directions, None, query="INTERSECT", output=True)
        return np.where(found["primID"] >= 0, found["tfar"], np.inf).astype(np.float32)

    def reach(self, middle: Values, outward: Values, far: float = FAR) -> Array:
        """Measure how far the mesh reaches from points along unit directions, (..., 3) each.

        It is looked at from ``far`` outside.  Returns (...) float32 cm, minus infinity if nothing is there.
        """
        starts = (middle + outward * far).astype(np.float32)
        aims = np.broadcast_to(-outward, starts.shape).astype(np.float32)
        return (far - self.distance(starts.reshape(-1, 3), aims.reshape(-1, 3))).reshape(starts.shape[:-1])

    def lit(self, points: Array, normals: Array, directions: Array) -> NDArray[np.bool_]:
        """Whether each point (n, 3) sees the light in its direction (n, 3): (n,) bool."""
        starts = points + normals * SHADOW_BIAS + directions * SHADOW_BIAS
        return np.asarray(self._scene.run(starts, directions, None, query="OCCLUDED") < 0)
