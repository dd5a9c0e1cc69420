from dataclasses import replace

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, readable_faces

from evaluation.protocol import best_studios, criteria, draw_queries, faces_to_test, in_words_of
from evaluation.recall import right_answers
from evaluation.studio import Studio
from facedata.labelled import FaceSet, LabelRow, face_set
from faces.errors import DataError
from faces.types import Ints
from generator.attributes import AttributeGroup, Vocabulary


def all_answers(faces: FaceSet, count: int) -> Ints:
    """For every query the whole gallery."""
    return np.tile(np.arange(len(faces)), (count, 1))


def test_a_query_never_asks_for_the_value_the_face_has() -> None:
    faces = readable_faces()
    queries = draw_queries(faces, "pose", POSES, count=400, seed=1)
    assert len(queries) == 400
    assert np.all(faces.poses[queries.faces] != queries.targets)
    assert set(queries.targets.tolist()) == set(POSES)


def test_no_question_is_asked_twice_and_all_are_asked_where_there_are_few() -> None:
    faces = readable_faces(people=2, lights=1)
    queries = draw_queries(faces, "pose", POSES, count=10_000)
    asked = set(zip(queries.faces.tolist(), queries.targets.tolist(), strict=True))
    assert len(queries) == len(asked) == 14 * 6


def test_the_same_seed_draws_the_same_queries() -> None:
    faces = readable_faces()
    first, again, other = (draw_queries(faces, "pose", POSES, count=50, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.faces, again.faces)
    assert np.array_equal(first.targets, again.targets)
    assert not np.array_equal(first.faces, other.faces)


def test_faces_of_unknown_value_ask_nothing() -> None:
    faces = readable_faces(people=3, lights=1)
    unknown = np.arange(len(faces)) % 2 == 0
    faces = replace(faces, poses=np.where(unknown, "", faces.poses))
    queries = draw_queries(faces, "pose", POSES, count=10_000)
    assert not unknown[queries.faces].any()


def test_criteria_are_those_of_the_plain_definition() -> None:
    faces = readable_faces(people=3, lights=2)
    queries = draw_queries(faces, "pose", POSES, count=60, seed=2)
    first, second = criteria(faces, queries)
    everyone = all_answers(faces, len(queries))
    person_and_pose = (faces.persons[everyone] == faces.persons[queries.faces][:, None]) & (
        faces.poses[everyone] == queries.targets[:, None]
    )
    light = faces.lights[everyone] == faces.lights[queries.faces][:, None]
    assert np.array_equal(right_answers(everyone, first.query_key, first.gallery_key), person_and_pose)
    assert np.array_equal(
        right_answers(everyone, second.query_key, second.gallery_key), person_and_pose & light
    )
    assert (first.number, second.number) == (1, 2)


def test_the_query_face_is_never_a_right_answer() -> None:
    faces = readable_faces()
    queries = draw_queries(faces, "pose", POSES, count=300)
    for kind in criteria(faces, queries):
        itself = queries.faces[:, None]
        assert not right_answers(itself, kind.query_key, kind.gallery_key).any()


def test_queries_without_a_right_answer_are_left_out_of_each_criterion_by_itself() -> None:
    rows = [
        LabelRow("1", "ann", "0", "a"),
        LabelRow("2", "ann", "+15", "b"),
        LabelRow("3", "bob", "0", "a"),
        LabelRow("4", "bob", "+15", "a"),
        LabelRow("5", "eve", "0", "a"),
    ]
    faces = face_set("made", np.zeros((5, 8, 8), np.uint8), rows)
    queries = draw_queries(faces, "pose", ("0", "+15"), count=100)
    first, second = criteria(faces, queries)
    asked = {name: set(queries.faces[kind.asked].tolist()) for name, kind in (("1", first), ("2", second))}
    assert asked == {"1": {0, 1, 2, 3}, "2": {2, 3}}


def test_without_lights_there_is_no_second_criterion() -> None:
    faces = readable_faces(lit=False)
    queries = draw_queries(faces, "pose", POSES, count=20)
    assert [kind.number for kind in criteria(faces, queries)] == [1]


def test_an_unknown_light_is_no_light_to_agree_on() -> None:
    faces = readable_faces(people=2, lights=2)
    faces = replace(faces, lights=np.where(faces.lights == "00", "", faces.lights))
    queries = draw_queries(faces, "pose", POSES, count=500)
    second = criteria(faces, queries)[1]
    assert np.array_equal(second.asked, faces.lights[queries.faces] != "")


def test_the_test_people_are_measured_or_all_where_there_are_none() -> None:
    faces = readable_faces(people=2, lights=1)
    assert len(faces_to_test(faces)) == len(faces)
    splits = np.where(faces.persons == "person 1", "test", "train")
    assert set(faces_to_test(replace(faces, splits=splits)).persons.tolist()) == {"person 1"}


def test_labels_are_read_as_the_numbers_they_stand_for() -> None:
    rows = [
        LabelRow(str(number), "ann", word)
        for number, word in enumerate(["30", "+30", "-45.0", "10", "", "up"])
    ]
    faces = in_words_of(face_set("made", np.zeros((6, 8, 8), np.uint8), rows), "pose", POSES)
    assert faces.poses.tolist() == ["+30", "+30", "-45", "10", "", "up"]


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_query_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="1 or more"):
        draw_queries(readable_faces(), "pose", POSES, count=count)


def test_faces_that_could_not_be_wished_otherwise_are_an_error() -> None:
    with pytest.raises(DataError, match="wished otherwise"):
        draw_queries(readable_faces(), "accessory", ("none", "hat"))


class Bars(PerfectGenerator):
    """Takes bars off eyes, and knows nothing else."""

    vocabulary = Vocabulary((AttributeGroup("accessory", ("none",)),))


def barred_faces() -> FaceSet:
    """Faces in all poses, every other with a bar."""
    faces = readable_faces(people=2, lights=2)
    words = np.where(np.arange(len(faces)) % 2, "bar", "none")
    return replace(faces, accessories=words)


def test_bars_are_there_to_be_taken_off_though_the_poses_differ() -> None:
    studios = {"turning": Studio(PerfectGenerator()), "bars": Studio(Bars())}
    assert best_studios(barred_faces(), studios) == ("accessory", ["bars"])
    assert best_studios(barred_faces(), studios, "pose") == ("pose", ["turning"])
    assert best_studios(readable_faces(), studios) == ("pose", ["turning"])


def test_bars_without_weights_for_them_are_one_clear_error() -> None:
    with pytest.raises(DataError, match="can change the accessory"):
        best_studios(barred_faces(), {"turning": Studio(PerfectGenerator())})
