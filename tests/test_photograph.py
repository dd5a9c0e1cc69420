"""Paint, backgrounds, cameras' answers and misplaced landmarks, without any head."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.photograph import (
    Tone,
    misplaced,
    photograph,
    sample_background,
    sample_tone,
    scaled,
)
from facedata.rendered.skin import inside_polygon, line_distance, noise, soft_step
from faces.crop import CropGeometry, crop_transform
from faces.types import Landmarks

SEEDS = st.integers(0, 2**32 - 1)
LANDMARKS = Landmarks((30.0, 28.0), (62.0, 28.0), (46.0, 51.0))


@given(seed=SEEDS, side=st.integers(16, 60))
def test_a_background_is_grey_between_black_and_white(seed: int, side: int) -> None:
    ground = sample_background(np.random.default_rng(seed), side)
    assert ground.shape == (side, side) and ground.dtype == np.float32
    assert ground.min() >= 0 and ground.max() <= 1


@given(
    gain=st.floats(0.01, 20), gamma=st.floats(0.3, 0.7), s_curve=st.floats(-0.2, 0.9), light=st.floats(0, 5)
)
def test_more_light_is_never_darker(gain: float, gamma: float, s_curve: float, light: float) -> None:
    tone = Tone(gain, gamma, s_curve)
    grey = tone(np.linspace(0, light, 50).astype(np.float32))
    assert grey[0] == 0
    assert (np.diff(grey) >= -1e-6).all()
    assert grey.max() <= 1 + 1e-6


@given(seed=SEEDS, light=st.floats(0, 10))
def test_the_exposure_brings_skin_of_any_brightness_to_a_usual_grey(seed: int, light: float) -> None:
    tone = sample_tone(np.random.default_rng(seed), light)
    grey = float(tone(np.array([max(light, 1e-3)], np.float32))[0])
    assert 0.4 < grey <= 1 + 1e-6


@given(seed=SEEDS, side=st.integers(40, 100))
def test_a_photograph_shows_the_same_place_at_its_own_size(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] + 0.5
    centre = np.array([0.4, 0.6]) * side
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (0.1 * side) ** 2).astype(np.float32)
    marks = Landmarks(
        (float(centre[0]), float(centre[1])), (side * 0.8, side * 0.6), (side * 0.5, side * 0.9)
    )
    pixels, moved = photograph(spot, marks, rng, rays_per_pixel=2.5)
    assert pixels.dtype == np.uint8
    assert 16 <= len(pixels) <= side
    light = np.where(pixels > 128, pixels, 0).astype(float)
    y, x = np.mgrid[0 : len(pixels), 0 : len(pixels)] + 0.5
    found = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
    assert np.abs(found - moved.left_eye).max() < 0.04 * len(pixels)


@given(seed=SEEDS, factor=st.floats(0.1, 10))
def test_scaled_landmarks_crop_the_same_place(seed: int, factor: float) -> None:
    geometry = CropGeometry()
    before = crop_transform(LANDMARKS, geometry)
    after = crop_transform(scaled(LANDMARKS, factor), geometry)
    assert np.allclose(after, before * factor)


@given(seed=SEEDS)
def test_misplaced_landmarks_stay_a_face(seed: int) -> None:
    moved = misplaced(LANDMARKS, 0.02, np.random.default_rng(seed))
    shape, before = crop_transform(moved, CropGeometry()), crop_transform(LANDMARKS, CropGeometry())
    zoom = np.hypot(*shape[:, 0]) / np.hypot(*before[:, 0])
    assert 0.6 < zoom < 1.6
    # Moved as one: the angles between the points are those of before.
    points = np.array([moved.left_eye, moved.right_eye, moved.nose_base])
    first, second = points[1] - points[0], points[2] - points[0]
    old = np.array([LANDMARKS.left_eye, LANDMARKS.right_eye, LANDMARKS.nose_base])
    angle = np.arctan2(*second) - np.arctan2(*first)
    old_angle = np.arctan2(*(old[2] - old[0])) - np.arctan2(*(old[1] - old[0]))
    assert abs((angle - old_angle + np.pi) % (2 * np.pi) - np.pi) < 1e-6


def test_the_crop_error_is_a_shift_of_its_share_of_the_side() -> None:
    rng = np.random.default_rng(1)
    middle = (np.array(LANDMARKS.left_eye) + LANDMARKS.right_eye) / 2
    shifts = []
    for _ in range(2000):
        moved = misplaced(LANDMARKS, 0.01, rng)
        shifts.append((np.array(moved.left_eye) + moved.right_eye) / 2 - middle)
    side = 4 * (LANDMARKS.nose_base[1] - middle[1])
    assert np.allclose(np.std(shifts, axis=0), 0.01 * side, rtol=0.1)
    assert misplaced(LANDMARKS, 0.0, rng).nose_base == pytest.approx(LANDMARKS.nose_base)


# Paint


def test_noise_has_mean_0_and_variance_about_1(rng: np.random.Generator) -> None:
    points = rng.uniform(-20, 20, (4000, 3)).astype(np.float32)
    values = np.array([noise(rng, 1.0)(points) for _ in range(30)])
    assert abs(values.mean()) < 0.05
    assert 0.7 < values.var() < 1.4


def test_noise_is_as_smooth_as_its_scale(rng: np.random.Generator) -> None:
    points = rng.uniform(-5, 5, (500, 3)).astype(np.float32)
    rough, smooth = noise(rng, 0.1), noise(rng, 10.0)
    step = np.array([0.2, 0, 0], np.float32)
    assert np.abs(smooth(points + step) - smooth(points)).max() < 0.2
    assert np.abs(rough(points + step) - rough(points)).mean() > 0.5


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), sharpness=st.floats(0.1, 20))
def test_a_soft_step_rises_from_0_to_1(values: list[float], sharpness: float) -> None:
    steps = soft_step(np.sort(np.array(values, np.float32)), sharpness)
    assert (np.diff(steps) >= 0).all()
    assert ((steps >= 0) & (steps <= 1)).all()
    assert soft_step(np.zeros(1, np.float32), sharpness)[0] == 0.5


@given(seed=SEEDS)
def test_the_distance_to_a_line_is_that_to_its_nearest_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = rng.normal(0, 3, (4, 3)).astype(np.float32)
    points = rng.normal(0, 4, (10, 3)).astype(np.float32)
    share = np.linspace(0, 1, 400)[:, None]
    dense = np.concatenate([a + share * (b - a) for a, b in pairwise(line)])
    wanted = np.linalg.norm(points[:, None] - dense, axis=2).min(1)
    assert np.allclose(line_distance(points, line), wanted, atol=0.05)


@given(seed=SEEDS, corners=st.integers(3, 9))
def test_inside_a_convex_polygon_is_on_the_inner_side_of_every_edge(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    polygon = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = rng.uniform(-1.2, 1.2, (200, 2))
    edge = np.roll(polygon, -1, axis=0) - polygon
    offset = points[:, None] - polygon
    side = edge[:, 0] * offset[:, :, 1] - edge[:, 1] * offset[:, :, 0]
    clear = np.abs(side).min(1) > 1e-3
    found = inside_polygon(points.astype(np.float32), polygon.astype(np.float32))
    assert np.array_equal(found[clear], (side > 0).all(1)[clear])
