"""How far rendered faces are from photographs, on made-up numbers."""

from __future__ import annotations

import numpy as np

from evaluation.realism import middle, side_by_side, told_apart


def test_a_difference_of_kind_is_told_on_new_people_and_one_of_people_is_not() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat([f"p{number}" for number in range(100)], 3)
    own = np.repeat(rng.normal(size=(2, 100, 10)), 3, axis=1).astype(np.float32)  # of each person
    real, rendered = own + 0.1 * rng.normal(size=own.shape).astype(np.float32)
    alike = told_apart(real, rendered, people, people)
    # With people in training and test alike, this would be told perfectly.
    assert 0.2 < alike.area < 0.8 and 25 < alike.accuracy < 75
    rendered[:, 0] += 8
    different = told_apart(real, rendered, people, people)
    assert different.area > 0.95 and different.accuracy > 90


def test_the_sheet_shows_photographs_left_and_rendered_faces_right() -> None:
    black, grey = np.zeros((7, 32, 32), np.uint8), np.full((7, 32, 32), 100, np.uint8)
    sheet = np.asarray(side_by_side(black, grey, columns=3, zoom=1))
    left, right = np.array_split(sheet, 2, axis=1)
    assert sheet.shape == (3 * 33, 2 * 3 * 33 + 6)
    assert set(np.unique(left)) == {0, 255} and set(np.unique(right)) == {100, 255}


def test_the_middle_of_the_face_is_the_same_at_any_size() -> None:
    assert middle(np.zeros((2, 32, 32), np.uint8)).shape == (2, 19, 16)
    assert middle(np.zeros((2, 64, 64), np.uint8)).shape == (2, 38, 32)
