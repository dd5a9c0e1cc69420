from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, picture
from PIL import Image

from evaluation.benchmark import StepProgress, run_experiment
from evaluation.cmu_faces import (
    SUNGLASSES,
    WISHES,
    experiment_on,
    find_faces,
    found_table,
    one_of_each,
    parse_name,
    queries_for,
)
from evaluation.context import Context
from evaluation.results import Journal
from evaluation.studio import Studio
from faces.crop import CropGeometry
from faces.errors import DataError
from faces.progress import NoProgress
from faces.types import Box, DetectedFace, Landmarks, Photo

SHOWN = {"straight": "0", "left": "+45", "right": "-45"}
SEEING = CropGeometry(size=8, eye_y=0.25, nose_distance=0.25)


class WholePicture:
    """Takes every picture for a face that fills it, but for those whose last pixel is black."""

    name = "whole"

    def detect(self, photo: Photo) -> list[DetectedFace]:
        if photo.pixels[-1, -1, 0] == 0:
            return []
        landmarks = Landmarks((2, 2), (6, 2), (4, 4))  # with SEEING this is the picture as it is
        return [DetectedFace(Box(0, 0, 8, 8), landmarks, 1.0)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three people, three directions, two emotions, with and without sunglasses.

    The left faces of eve without sunglasses cannot be found.
    """
    for number, person in enumerate(("ann", "bob", "eve")):
        for direction, pose in SHOWN.items():
            for emotion in ("happy", "neutral"):
                for eyes in ("open", "sunglasses"):
                    pixels = picture(number, 0, POSES.index(pose))
                    hidden = (person, direction, eyes) == ("eve", "left", "open")
                    pixels[-1, -1] = 0 if hidden else 200
                    Image.fromarray(pixels).save(tmp_path / f"{person}_{direction}_{emotion}_{eyes}.pgm")
    return tmp_path


def test_a_file_name_tells_person_direction_and_sunglasses() -> None:
    row = parse_name(Path("an2i_left_angry_sunglasses.pgm"))
    assert (row.person, row.pose, row.accessory) == ("an2i", "+45", SUNGLASSES)
    assert parse_name(Path("x_right_sad_open.pgm")).pose == "-45"


@pytest.mark.parametrize("name", ["ann.pgm", "ann_down_happy_open.pgm", "ann_left_happy_open_2.pgm"])
def test_another_file_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=name):
        parse_name(Path(name))


def test_every_real_file_name_is_understood(photos_path: Path) -> None:
    rows = [parse_name(path) for path in (photos_path / "cmu_faces").glob("*.pgm")]
    assert len(rows) == 624
    assert len({row.person for row in rows}) == 20


def test_found_faces_are_counted_by_direction(photos: Path) -> None:
    found = find_faces(photos, WholePicture(), SEEING)
    assert len(found.faces) == 34
    assert found.faces.left_out == 2
    assert found_table(found)[1] == [
        ("straight", "6 of 6", "6 of 6", "12 of 12"),
        ("left", "4 of 6", "6 of 6", "10 of 12"),
        ("right", "6 of 6", "6 of 6", "12 of 12"),
        ("up", "0 of 0", "0 of 0", "0 of 0"),
        ("all", "16 of 18", "18 of 18", "34 of 36"),
    ]


def test_a_query_is_a_straight_face_that_does_not_show_what_is_wished(photos: Path) -> None:
    faces = find_faces(photos, WholePicture(), SEEING).faces
    asked = {wish.name: queries_for(faces, wish) for wish in WISHES}
    assert {name: len(queries) for name, queries in asked.items()} == {
        "turned": 3 * 2 * 2,
        "sunglasses": 3 * 2,
        "open": 3 * 2,
    }
    for queries in asked.values():
        assert set(faces.poses[queries.faces].tolist()) == {"0"}
        assert not np.any(faces.attribute(queries.attribute)[queries.faces] == queries.targets)
    assert set(asked["turned"].targets.tolist()) == {"-45", "+45"}
    assert set(asked["sunglasses"].targets.tolist()) == {SUNGLASSES}
    assert set(faces.accessories[asked["turned"].faces].tolist()) == {"none"}


def test_the_right_answer_is_the_right_person_as_wished(photos: Path) -> None:
    faces = find_faces(photos, WholePicture(), SEEING).faces
    for wish in WISHES:
        experiment = experiment_on(faces, wish, Studio(PerfectGenerator()))
        (kind,) = experiment.criteria
        queries = experiment.queries
        right = (faces.persons == faces.persons[queries.faces][:, None]) & (
            faces.attribute(wish.attribute) == queries.targets[:, None]
        )
        assert np.array_equal(kind.query_key[:, None] == kind.gallery_key, right)


def test_a_perfect_generator_finds_every_person_from_either_side(photos: Path, tmp_path: Path) -> None:
    found = find_faces(photos, WholePicture(), SEEING)
    context = Context(studio=Studio(PerfectGenerator()), attribute="pose")
    experiment = experiment_on(found.faces, WISHES[0], context.studio)
    journal = Journal(tmp_path / "out")
    rows = ["ours-features", "two-step-image-true-pose"]
    run_experiment(experiment, context, journal, StepProgress(NoProgress()), rows=rows, parts={"tables"})
    results = journal.results
    assert results.methods() == rows
    ours, oracle = (results.recall(row, 1) for row in rows)
    assert [value.value for value in ours.values()] == [100.0, 100.0, 100.0]
    assert (ours[1].set, ours[1].n, results.sets[0].gallery) == ("cmu-faces-turned", 12, 34)
    assert oracle[20].value == 100.0


def test_each_person_is_shown_once_and_neutral(photos: Path) -> None:
    faces = find_faces(photos, WholePicture(), SEEING).faces
    chosen = one_of_each(faces)
    assert [str(file) for file in faces.files[chosen]] == [
        f"{person}_straight_neutral_open.pgm" for person in ("ann", "bob", "eve")
    ]


def test_a_folder_without_such_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.pgm"):
        find_faces(tmp_path, WholePicture(), SEEING)
