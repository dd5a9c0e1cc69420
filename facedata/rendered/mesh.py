"""Triangles with materials, and the ray caster that meets them (Intel Embree through embreex)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float32]
Triangles = NDArray[np.int32]
SHADOW_BIAS = 0.03  # cm; lifts a shadow ray's start off the surface it leaves


class Material(IntEnum):
    """What a triangle is made of."""

    SKIN = 0
    EYE = 1
    TEETH = 2
    MOUTH = 3
    HAIR = 4
    FRAME = 5
    LENS = 6
    CLOTH = 7
    HAT = 8


@dataclass(frozen=True)
class Mesh:
    """A surface of n vertices and m triangles.

    ``vertices`` (n, 3) float32 cm; ``triangles`` (m, 3) int32; ``rest`` (n, 3) float32, where each vertex
    lies on the mean head (paint is defined there, so that it follows the skin); ``shade`` (n,) float32, a
    painted factor; ``material`` (m,) int8; ``normals`` (n, 3) float32 unit.
    """

    vertices: Array
    triangles: Triangles
    rest: Array
    shade: Array
    material: NDArray[np.int8]
    normals: Array


def surface(
    vertices: NDArray[np.floating],
    triangles: Triangles,
    material: Material,
    *,
    rest: Array | None = None,
    shade: Array | None = None,
) -> Mesh:
    """Make a mesh of one material with smooth normals."""
    count = len(vertices)
    return Mesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles.astype(np.int32),
        rest=(vertices if rest is None else rest).astype(np.float32),
        shade=np.ones(count, np.float32) if shade is None else shade.astype(np.float32),
        material=np.full(len(triangles), material, np.int8),
        normals=smooth_normals(vertices, triangles),
    )


def join(meshes: list[Mesh]) -> Mesh:
    """Make one mesh of several."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        triangles=np.concatenate(
            [mesh.triangles + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)]
        ),
        rest=np.concatenate([mesh.rest for mesh in meshes]),
        shade=np.concatenate([mesh.shade for mesh in meshes]),
        material=np.concatenate([mesh.material for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
    )


def smooth_normals(vertices: NDArray[np.floating], triangles: Triangles) -> Array:
    """Return unit vertex normals (n, 3): the area-weighted mean of the adjoining triangles' normals."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    count, corners = len(triangles), triangles.ravel()
    adjacency = sparse.csr_matrix(
        (np.ones(3 * count, np.float32), (corners, np.repeat(np.arange(count), 3))), (len(vertices), count)
    )
    normals = adjacency @ face_normals
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9), np.float32)


def grid_triangles(rows: int, columns: int, *, wrap: bool) -> Triangles:
    """Return triangles of a rows x columns grid, row by row; ``wrap`` joins last column to first."""
    row, column = np.mgrid[0 : rows - 1, 0 : columns if wrap else columns - 1]
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = a + columns, b + columns
    return np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


@dataclass(frozen=True)
class Hits:
    """Where n of the cast rays met the mesh.

    ``ray`` (n,) int64 index of each ray; ``point``, ``normal`` (facing the ray), ``rest`` (n, 3) float32;
    ``shade`` (n,) float32; ``material`` (n,) int8.
    """

    ray: NDArray[np.int64]
    point: Array
    normal: Array
    rest: Array
    shade: Array
    material: NDArray[np.int8]


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
        normal = (mesh.normals[corners] * weights).sum(1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        away = (normal * directions[ray]).sum(1) > 0
        normal[away] *= -1  # thin sheets such as hair are lit on the side that is seen
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

    def lit(self, points: Array, normals: Array, directions: Array) -> NDArray[np.bool_]:
        """Whether each point (n, 3) sees the light in its direction (n, 3): (n,) bool."""
        starts = points + normals * SHADOW_BIAS + directions * SHADOW_BIAS
        return np.asarray(self._scene.run(starts, directions, None, query="OCCLUDED") < 0)
