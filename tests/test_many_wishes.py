from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, picture, readable_faces

from evaluation.benchmark import StepProgress
from evaluation.context import Context
from evaluation.protocol import criteria, draw_wishes
from evaluation.results import Journal
from evaluation.studio import Studio
from evaluation.wishes import TWO, measure_wishes, wishes_of, wishes_table
from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError
from faces.progress import NoProgress
from faces.types import Floats, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.model import Canonical, Drawing

LIGHTS = ("00", "01", "02")
BOTH: dict[Attribute, tuple[str, ...]] = {"pose": POSES, "light": LIGHTS}


class PerfectLights(PerfectGenerator):
    """Draws the true picture of a person in another pose, another light, or both."""

    vocabulary = Vocabulary((AttributeGroup("pose", POSES), AttributeGroup("light", LIGHTS)))

    def draw(self, crops: Pixels, wishes: Floats, /) -> Drawing:
        places = self.vocabulary.places
        poses, lights = (wishes[:, places[name]].argmax(1).tolist() for name in ("pose", "light"))
        labels = zip(crops[:, 0, 0].tolist(), lights, poses, strict=True)
        drawn = np.stack([picture(*label) for label in labels])
        features = drawn.reshape(len(drawn), -1).astype(np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return Drawing(drawn, drawn, features)

    def canonicalise(self, crops: Pixels, /) -> Canonical:
        values = crops[:, 0, 2:0:-1].astype(np.int64)  # pose and light
        vectors = self.vocabulary.vectors(values)
        made = self.draw(crops, vectors)
        return Canonical(values, made.stage2, made.features, 1 - vectors)


def test_a_wish_is_what_another_picture_of_the_person_shows() -> None:
    faces = readable_faces(people=4)
    queries = draw_wishes(faces, BOTH, count=10_000)
    for name, words in queries.wishes.items():
        assert np.all(faces.attribute(name)[queries.faces] != words)
    (kind,) = criteria(faces, queries)
    assert kind.meaning == "right person and pose and light"
    right = (faces.persons == faces.persons[queries.faces][:, None]) & kind.asked[:, None]
    for name, words in queries.wishes.items():
        right &= faces.attribute(name) == words[:, None]
    assert np.array_equal(kind.query_key[:, None] == kind.gallery_key, right)
    assert right.any(axis=1).all()
    assert not right[np.arange(len(queries)), queries.faces].any()
    # Every face of 4 people in 7 poses and 3 lights: 6 other poses in 2 other lights.
    asked = set(
        zip(queries.faces.tolist(), *(words.tolist() for words in queries.wishes.values()), strict=True)
    )
    assert len(asked) == len(queries) == 4 * 21 * 12


def test_only_values_that_are_known_are_asked_with_and_for() -> None:
    faces = readable_faces(people=3)
    faces = replace(faces, lights=np.where(faces.lights == "02", "", faces.lights))
    queries = draw_wishes(faces, {"pose": POSES[:3], "light": LIGHTS}, count=10_000)
    assert set(queries.wishes["pose"].tolist()) == set(faces.poses[queries.faces].tolist()) == set(POSES[:3])
    assert set(queries.wishes["light"].tolist()) == {"00", "01"}
    assert np.all(faces.lights[queries.faces] != "")


def test_the_same_seed_draws_the_same_wishes() -> None:
    faces = readable_faces()
    first, again, other = (draw_wishes(faces, BOTH, count=40, seed=seed) for seed in (1, 1, 2))
    assert len(first) == 40
    assert np.array_equal(first.faces, again.faces)
    assert all(np.array_equal(first.wishes[name], again.wishes[name]) for name in BOTH)
    assert not np.array_equal(first.faces, other.faces)


def test_faces_that_differ_in_one_alone_cannot_be_asked_for_two() -> None:
    faces = readable_faces(lights=1)
    with pytest.raises(DataError, match="two pictures that differ in pose and light"):
        draw_wishes(faces, BOTH)
    assert len(draw_wishes(faces, {"pose": POSES}, count=5)) == 5
    with pytest.raises(DataError, match="1 or more"):
        draw_wishes(faces, {"pose": POSES}, count=0)


def test_each_wish_is_asked_alone_and_with_every_other() -> None:
    faces, context = readable_faces(), Context(studio=Studio(PerfectLights()), attribute="pose")
    asked = wishes_of(faces, context, count=30, seed=0)
    assert {name: tuple(queries.wishes) for name, queries in asked.items()} == {
        "pose": ("pose",),
        "light": ("light",),
        "pose and light": ("pose", "light"),
    }
    assert [len(queries) for queries in asked.values()] == [30, 30, 30]


def measured(faces: FaceSet, folder: Path, rows: list[str]) -> Journal:
    context = Context(studio=Studio(PerfectLights()), attribute="pose")
    journal = Journal(folder)
    measure_wishes(faces, context, journal, StepProgress(NoProgress()), rows=rows, count=60, seed=0)
    return journal


def test_a_perfect_generator_fulfils_two_wishes_at_once(tmp_path: Path) -> None:
    faces, rows = readable_faces(), ["ours-features", "two-step-features-canonical"]
    journal = measured(faces, tmp_path, rows)
    columns, lines = wishes_table(journal.results.of("readable-wishes"))
    assert columns == ("wish", *rows)
    assert [line[0] for line in lines] == ["pose", "light", TWO, "pose and light"]
    assert [line[1] for line in lines] == ["100.0 / 100.0 / 100.0"] * 4
    # The first step of the rival is right too, its second compares pictures of noise: 6 people are left.
    two_step = journal.results.find("recall of wishes", method=rows[1], k="pose and light@20")
    assert [value.value for value in two_step] == [100.0]
    (first,) = journal.results.find("recall of wishes", method=rows[1], k="pose and light@1")
    assert first.value < 60


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    faces, rows = readable_faces(people=3), ["ours-features"]
    before = measured(faces, tmp_path, rows).results.records
    written = (tmp_path / "results.jsonl").read_bytes()
    assert measured(faces, tmp_path, rows).results.records == before
    assert (tmp_path / "results.jsonl").read_bytes() == written


def test_a_row_that_knows_one_wish_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row 'cpi' for all wishes"):
        measured(readable_faces(), tmp_path, ["cpi"])
