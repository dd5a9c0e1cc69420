import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, picture
from identity_in_drawings import nearest_is_right
from through_time import WISHES, drawn_row

from evaluation.figures.sheet import Cell, Word
from faces.chips import five_points, yaw_of
from faces.crop import CropGeometry, crop_transform
from faces.types import Landmarks
from generator.projection import Projection
from retrieval.calibration import Calibration
from retrieval.composing import drawn_landmarks
from retrieval.engine import Engine
from retrieval.parts import Encoding

STRAIGHT = Landmarks((100.0, 200.0), (160.0, 200.0), (130.0, 240.0))


@pytest.mark.parametrize("yaw", [-45, -15, 0, 30])
@pytest.mark.parametrize("size", [32, 64])
def test_landmarks_of_a_drawing_show_its_yaw_and_lie_where_crops_have_them(yaw: int, size: int) -> None:
    geometry = CropGeometry(size=size)
    found = drawn_landmarks(STRAIGHT, geometry, (0, yaw))
    assert yaw_of(five_points(found)) == pytest.approx(yaw)
    assert crop_transform(found, geometry) == pytest.approx(np.eye(2, 3))
    if yaw == 0:  # as in the crop of the photograph
        matrix = crop_transform(STRAIGHT, geometry)
        assert matrix[:, :2] @ found.left_eye + matrix[:, 2] == pytest.approx(STRAIGHT.left_eye)
        assert matrix[:, :2] @ found.right_eye + matrix[:, 2] == pytest.approx(STRAIGHT.right_eye)


def test_a_drawing_is_right_if_another_photograph_of_the_person_is_nearest() -> None:
    gallery = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    persons = np.array(["ann", "ann", "bob", "bob"])
    asked = np.array([[1, 0, 0], [0.5, 0.9, 0], [0, 0.2, 0.9]], np.float32)
    # The photograph that was drawn is no answer: else the first and the second would find themselves.
    right = nearest_is_right(asked, np.array([0, 1, 2]), gallery, persons)
    assert right.tolist() == [True, False, True]


def test_a_sheet_shows_what_the_weights_can_draw_and_leaves_the_rest_empty() -> None:
    projection = Projection(np.zeros(64, np.float32), np.eye(4, 64, dtype=np.float16))
    engine = Engine([Encoding(PerfectGenerator(), projection, "perfect")], None, Calibration())
    crops = np.stack([picture(person, 0, POSES.index("0")) for person in range(len(WISHES))])
    name, *cells = drawn_row(engine, "perfect", crops, np.zeros((len(crops), 5, 2)))
    assert isinstance(name, Word)
    for person, (cell, (attribute, value)) in enumerate(zip(cells, WISHES, strict=True)):
        if attribute == "pose":
            assert isinstance(cell, Cell)
            assert np.array_equal(cell.face, picture(person, 0, POSES.index(value)))
        else:
            assert isinstance(cell, Word)
