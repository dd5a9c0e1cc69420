"""The crop is a similarity transform, sampled exactly: what holds for pictures holds for their crops."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faces.crop import CHIN_TO_NOSE_BASE, CropGeometry, crop_face, crop_transform
from faces.types import Landmarks, Pixels

Point = tuple[float, float]
FACE = Landmarks(left_eye=(80.0, 90.0), right_eye=(120.0, 90.0), nose_base=(101.0, 115.0))

places = st.floats(40, 160)
angles = st.floats(-math.pi, math.pi)
sizes = st.sampled_from([16, 32, 64])
geometries = st.builds(
    CropGeometry, size=sizes, eye_y=st.floats(0.2, 0.4), nose_distance=st.floats(0.15, 0.4)
)


def scene(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth picture without end: grey levels 45..205 at any place."""
    levels: NDArray[np.float64] = (
        125 + 40 * np.sin(x / 9 + 0.3) * np.cos(y / 11) + 40 * np.cos(x / 17 - y / 13)
    )
    return levels


def drawn(matrix: NDArray[np.float64], width: int, height: int) -> Pixels:
    """The scene seen through a (2, 3) transform from picture to scene coordinates."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    return np.rint(scene(u, v)).astype(np.uint8)


def similarity(angle: float, scale: float, shift: Point) -> NDArray[np.float64]:
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2])[:, None]], axis=1)


def moved(landmarks: Landmarks, matrix: NDArray[np.float64]) -> Landmarks:
    def at(point: Point) -> Point:
        x, y = (matrix[:, :2] @ np.array(point) + matrix[:, 2]).tolist()
        return x, y

    chin = None if landmarks.chin is None else at(landmarks.chin)
    return Landmarks(at(landmarks.left_eye), at(landmarks.right_eye), at(landmarks.nose_base), chin)


UPRIGHT = np.array([[1.0, 0, 0], [0, 1, 0]])


@given(geometry=geometries, angle=angles, scale=st.floats(0.3, 5), x=places, y=places)
def test_eyes_and_nose_land_where_the_geometry_says(
    geometry: CropGeometry, angle: float, scale: float, x: float, y: float
) -> None:
    landmarks = moved(FACE, similarity(angle, scale, (x, y)))
    into_crop = moved(landmarks, inverse(crop_transform(landmarks, geometry)))
    (left_x, left_y), (right_x, right_y) = into_crop.left_eye, into_crop.right_eye
    size = geometry.size
    assert left_y == pytest.approx(geometry.eye_y * size) == right_y
    assert (left_x + right_x) / 2 == pytest.approx(size / 2)
    assert left_x < right_x
    assert into_crop.nose_base[1] - left_y == pytest.approx(geometry.nose_distance * size)


@given(angle=angles, scale=st.floats(0.8, 4), x=places, y=places)
def test_a_picture_turned_scaled_and_shifted_with_its_landmarks_gives_the_same_crop(
    angle: float, scale: float, x: float, y: float
) -> None:
    # The other picture is large enough to hold the whole crop, its face near the middle.
    there = similarity(angle, scale, (0, 0))
    centre = np.array(moved(FACE, there).nose_base)
    there[:, 2] = np.array([300 + x, 300 + y]) - centre
    plain = crop_face(drawn(UPRIGHT, 200, 200), FACE, CropGeometry())
    other = crop_face(drawn(inverse(there), 800, 800), moved(FACE, there), CropGeometry())
    difference = np.abs(plain.astype(int) - other)
    assert difference.max() <= 4 and difference.mean() < 1.2


def test_the_eye_distance_does_not_change_the_scale() -> None:
    narrow = Landmarks((95.0, 90.0), (105.0, 90.0), (104.0, 115.0))
    np.testing.assert_allclose(crop_transform(narrow, CropGeometry()), crop_transform(FACE, CropGeometry()))


@given(angle=angles)
def test_chin_and_nose_agree_on_the_mean_head(angle: float) -> None:
    with_chin = Landmarks(FACE.left_eye, FACE.right_eye, (100.0, 99.0), (100.0, 90 + 25 * CHIN_TO_NOSE_BASE))
    turn = similarity(angle, 1.3, (7, -5))
    np.testing.assert_allclose(
        crop_transform(moved(with_chin, turn), CropGeometry()),
        crop_transform(moved(FACE, turn), CropGeometry()),
    )


@given(level=st.integers(0, 255), angle=angles, scale=st.floats(0.1, 8))
def test_a_constant_picture_stays_constant(level: int, angle: float, scale: float) -> None:
    landmarks = moved(FACE, similarity(angle, scale, (20, 20)))
    middle = np.array(landmarks.nose_base)
    landmarks = moved(landmarks, np.concatenate([np.eye(2), (100 - middle)[:, None]], axis=1))
    assert (crop_face(np.full((200, 200), level, np.uint8), landmarks, CropGeometry()) == level).all()


@given(across=st.floats(-1.2, 1.2), down=st.floats(-1.2, 1.2), angle=angles, scale=st.floats(0.2, 1.0))
def test_a_linear_ramp_is_sampled_at_pixel_centres(
    across: float, down: float, angle: float, scale: float
) -> None:
    y, x = np.mgrid[0:64, 0:64] + 0.5
    levels = np.rint(128 + across * (x - 32) + down * (y - 32))
    turn = similarity(angle, scale * 0.3, (0, 0))
    turn[:, 2] = np.array([32, 32]) - moved(FACE, turn).nose_base
    landmarks = moved(FACE, turn)
    matrix = crop_transform(landmarks, CropGeometry(16))
    v, u = np.mgrid[0:16, 0:16] + 0.5
    picture_x = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2]
    picture_y = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2]
    inside = (np.abs(picture_x - 32) < 31) & (np.abs(picture_y - 32) < 31)
    expected = 128 + across * (picture_x - 32) + down * (picture_y - 32)
    crop = crop_face(levels.astype(np.uint8), landmarks, CropGeometry(16))
    # Rounding the ramp and rounding the crop: half a level each.
    assert np.abs(crop - expected)[inside].max(initial=0) <= 1.001


def test_a_crop_on_the_pixel_grid_is_the_picture_itself() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (200, 200), np.uint8)
    geometry = CropGeometry(size=100, eye_y=0.3, nose_distance=0.25)  # one picture pixel per crop pixel
    np.testing.assert_array_equal(crop_face(pixels, FACE, geometry), pixels[60:160, 50:150])


def test_values_are_rounded_and_not_cut_off() -> None:
    pixels = np.tile(np.array([100, 101], np.uint8), (200, 100))
    half = Landmarks((80.75, 90.0), (120.75, 90.0), (101.0, 115.0))  # a quarter on the way to the next pixel
    crop = crop_face(pixels, half, CropGeometry(size=100))
    assert set(np.unique(crop).tolist()) == {100, 101}


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    pixels = np.repeat(np.linspace(10, 240, 60).round().astype(np.uint8)[:, None], 50, axis=1)
    above = Landmarks((20.0, 5.0), (30.0, 5.0), (25.0, 25.0))
    crop = crop_face(pixels, above, CropGeometry(size=80))
    assert (crop[:18] == 10).all()
    assert (np.diff(crop.astype(int), axis=0) >= 0).all()
    beside = crop_face(
        np.ascontiguousarray(pixels.T), Landmarks((5, 20), (5.5, 20), (5, 40)), CropGeometry(80)
    )
    assert (beside[:, 0] == 10).all() and beside[:, -1].min() > 10


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_fine_checkerboard_becomes_grey_at_a_tenth(angle: float) -> None:
    y, x = np.mgrid[0:700, 0:700]
    board = (((x + y) % 2) * 255).astype(np.uint8)
    turn = similarity(angle, 3.2, (0, 0))  # 80 picture pixels from eyes to nose, 8 in the crop
    turn[:, 2] = 350 - np.array(moved(FACE, turn).nose_base)
    crop = crop_face(board, moved(FACE, turn), CropGeometry(32))
    assert np.abs(crop.astype(int) - 127.5).max() < 12


def test_colour_gives_the_crop_of_its_grey_version() -> None:
    grey = drawn(UPRIGHT, 200, 200)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(
        crop_face(colour, FACE, CropGeometry()), crop_face(grey, FACE, CropGeometry())
    )


@pytest.mark.parametrize("size", [8, 32, 64, 65])
def test_a_crop_has_the_size_that_was_asked_for(size: int) -> None:
    crop = crop_face(drawn(UPRIGHT, 200, 200), FACE, CropGeometry(size))
    assert crop.shape == (size, size) and crop.dtype == np.uint8


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        (Landmarks((80, 90), (80, 90), (90, 115)), "one spot"),
        (Landmarks((80, 90), (120, 90), (100, 90)), "below the eyes"),
        (Landmarks((80, 90), (120, 90), (100, 60)), "below the eyes"),
        (Landmarks((80, 90), (120, 90), (100, math.nan)), "nowhere"),
        (Landmarks((80, 90), (math.inf, 90), (100, 110)), "nowhere"),
        (Landmarks((-1e308, 90), (1e308, 90), (100, 110)), "nowhere"),
        (Landmarks((80, 90), (120, 90), (100, 110), (100, math.nan)), "nowhere"),
        (Landmarks((80, 90), (120, 90), (100, 9e6)), "far larger"),
        (Landmarks((8000, 9000), (8040, 9000), (8020, 9025)), "beside"),
        (Landmarks((-400, 90), (-360, 90), (-380, 115)), "beside"),
    ],
)
def test_landmarks_that_are_no_face_are_refused(landmarks: Landmarks, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        crop_face(np.zeros((200, 200), np.uint8), landmarks, CropGeometry())


coordinates = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-500, 700)


@given(
    points=st.tuples(*[st.tuples(coordinates, coordinates)] * 3),
    chin=st.none() | st.tuples(coordinates, coordinates),
)
def test_any_landmarks_give_a_crop_or_a_value_error(points: tuple[Point, ...], chin: Point | None) -> None:
    pixels = np.zeros((30, 40, 3), np.uint8)
    try:
        crop = crop_face(pixels, Landmarks(points[0], points[1], points[2], chin), CropGeometry(8))
    except ValueError:
        return
    assert crop.shape == (8, 8)


def test_a_huge_face_costs_bounded_memory_and_looks_the_same() -> None:
    tile = drawn(UPRIGHT, 200, 200)
    picture = np.ascontiguousarray(np.kron(tile, np.ones((15, 15), np.uint8)))  # 3000 x 3000
    landmarks = moved(FACE, similarity(0, 15, (0, 0)))
    close = Landmarks((1200, 1350), (1800, 1350), (1515, 1350 + 1100))  # its crop is 4400 pixels wide
    tracemalloc.start()
    crop_face(picture, close, CropGeometry())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    small = Landmarks((80, 90), (120, 90), (101, 90 + 1100 / 15))
    for large, little in ((landmarks, FACE), (close, small)):
        one, other = crop_face(picture, large, CropGeometry()), crop_face(tile, little, CropGeometry())
        assert np.abs(one.astype(int) - other).mean() < 2
