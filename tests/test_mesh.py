"""Triangles, their normals, and the ray caster against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.mesh import (
    Caster,
    Material,
    Mesh,
    grid_triangles,
    join,
    smooth_normals,
    surface,
)

Exact = NDArray[np.float64]


def triangles_in_space(rng: np.random.Generator, count: int) -> Mesh:
    """Loose triangles of about two centimetres, all in one box of ten."""
    centres = rng.uniform(-5, 5, (count, 1, 3))
    corners = (centres + rng.normal(0, 1.2, (count, 3, 3))).reshape(-1, 3).astype(np.float32)
    return surface(corners, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), Material.SKIN)


def sphere(radius: float, rows: int = 40, columns: int = 60) -> Mesh:
    theta, phi = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, rows), np.linspace(0, 2 * np.pi, columns, endpoint=False)
    )
    theta, phi = theta.T, phi.T
    points = np.stack([np.sin(phi) * np.cos(theta), np.sin(theta), np.cos(phi) * np.cos(theta)], -1)
    vertices = (radius * points.reshape(-1, 3)).astype(np.float32)
    return surface(vertices, grid_triangles(rows, columns, wrap=True)[:, ::-1], Material.HAIR)


def rays(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    origins = rng.normal(size=(count, 3))
    origins *= 20 / np.linalg.norm(origins, axis=1, keepdims=True)
    aims = rng.uniform(-5, 5, (count, 3)) - origins
    aims /= np.linalg.norm(aims, axis=1, keepdims=True)
    return origins.astype(np.float32), aims.astype(np.float32)


def nearest_by_hand(mesh: Mesh, origins: NDArray[np.float32], aims: NDArray[np.float32]) -> Exact:
    """Distance to the first triangle along each ray (Moeller and Trumbore 1997), infinite where none."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]].astype(np.float64) for i in range(3))
    distances = np.full(len(origins), np.inf)
    for number, (origin, aim) in enumerate(
        zip(origins.astype(np.float64), aims.astype(np.float64), strict=True)
    ):
        across = np.cross(aim, c - a)
        determinant = ((b - a) * across).sum(1)
        from_a = origin - a
        u = (from_a * across).sum(1) / determinant
        turned = np.cross(from_a, b - a)
        v = (turned * aim).sum(1) / determinant
        along = (turned * (c - a)).sum(1) / determinant
        met = (u >= 0) & (v >= 0) & (u + v <= 1) & (along > 0)
        distances[number] = along[met].min() if met.any() else np.inf
    return distances


def test_the_caster_finds_what_plain_arithmetic_finds(rng: np.random.Generator) -> None:
    mesh = triangles_in_space(rng, 60)
    origins, aims = rays(rng, 400)
    wanted = nearest_by_hand(mesh, origins, aims)
    found = Caster(mesh).distance(origins, aims)
    assert 40 < np.isfinite(wanted).sum() < 380
    # A ray through an edge may go either way in single precision.
    agree = np.isclose(found, wanted, atol=1e-3)
    assert agree.mean() > 0.99
    hits = Caster(mesh).cast(origins, aims)
    assert np.array_equal(hits.ray, np.flatnonzero(np.isfinite(found)))
    assert np.allclose(hits.point, origins[hits.ray] + aims[hits.ray] * found[hits.ray, None], atol=1e-4)
    assert np.allclose(hits.rest, hits.point, atol=1e-3)  # the paint's place, interpolated by corner weights


def test_normals_have_length_one_and_face_the_ray(rng: np.random.Generator) -> None:
    mesh = triangles_in_space(rng, 60)
    origins, aims = rays(rng, 400)
    hits = Caster(mesh).cast(origins, aims)
    assert np.allclose(np.linalg.norm(hits.normal, axis=1), 1, atol=1e-5)
    assert ((hits.normal * aims[hits.ray]).sum(1) <= 1e-6).all()


def test_a_point_is_lit_exactly_where_nothing_stands_before_the_lamp(rng: np.random.Generator) -> None:
    ball = Caster(sphere(2.0))
    points = rng.uniform(-6, 6, (500, 3)).astype(np.float32)
    points = points[np.abs(np.linalg.norm(points, axis=1) - 2) > 0.3]
    points = points[np.linalg.norm(points, axis=1) > 2]
    lamp = np.array([0, 0, 1], np.float32)
    towards = np.broadcast_to(lamp, points.shape).copy()
    lit = ball.lit(points, towards, towards)
    apart = np.hypot(points[:, 0], points[:, 1])
    shadowed = (apart < 2) & (points[:, 2] < 0)
    sure = np.abs(apart - 2) > 0.1
    assert shadowed[sure].any()
    assert np.array_equal(lit[sure], ~shadowed[sure])


def test_the_normals_of_a_sphere_point_away_from_its_middle() -> None:
    ball = sphere(3.0)
    inner = np.abs(ball.vertices[:, 1]) < 2.5
    assert np.allclose(ball.normals[inner], ball.vertices[inner] / 3, atol=0.02)


def test_a_vertex_of_no_triangle_has_no_normal_rather_than_a_nan() -> None:
    vertices = np.eye(4, 3, dtype=np.float32)
    normals = smooth_normals(vertices, np.array([[0, 1, 2]], np.int32))
    assert np.allclose(normals[:3], 1 / np.sqrt(3))
    assert (normals[3] == 0).all()


@pytest.mark.parametrize(("wrap", "count"), [(False, 2 * 2 * 4), (True, 2 * 2 * 5)])
def test_a_grid_is_covered_once(wrap: bool, count: int) -> None:
    triangles = grid_triangles(3, 5, wrap=wrap)
    assert triangles.shape == (count, 3)
    assert len({tuple(sorted(triangle)) for triangle in triangles.tolist()}) == count
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    assert np.unique(edges, axis=0, return_counts=True)[1].max() == 2


def test_joined_meshes_are_hit_as_each_alone(rng: np.random.Generator) -> None:
    near, far = sphere(2.0), triangles_in_space(rng, 40)
    origins, aims = rays(rng, 200)
    both = Caster(join([near, far])).distance(origins, aims)
    alone = np.minimum(Caster(near).distance(origins, aims), Caster(far).distance(origins, aims))
    assert np.allclose(both, alone, atol=1e-4)
    hits = Caster(join([near, far])).cast(origins, aims)
    assert set(hits.material.tolist()) == {Material.SKIN, Material.HAIR}
