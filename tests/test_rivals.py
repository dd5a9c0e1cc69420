"""Fitting rivals, and the folder that keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, readable_faces
from PIL import Image
from safetensors.numpy import load_file, save_file
from typer.testing import Result

from baselines.rivals import (
    MODELS,
    SHIPPED,
    Rivals,
    fit_rivals,
    load_rivals,
    people_to_learn_from,
    save_rivals,
    split_people,
)
from baselines.searcher import ImageFeatures
from evaluation.ours import CanonicalFeatures
from evaluation.studio import Studio
from facedata.labelled import read_labelled, rendered_mini_path
from facedata.labels import LABELS_FILE, LabelRow, write_labels
from facedata.large_pictures import LargeFace, LargePictures, Pictures
from faces.errors import DataError, RowUnavailable, WeightsError
from faces.progress import Progress
from index.search import Vectors


class LargeOnly:
    name = "large-only"
    needs_large = True

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        raise RowUnavailable("the set has no larger pictures")


class Blank:
    """Features that tell nothing."""

    name = "blank"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        return np.random.default_rng(len(pictures)).normal(size=(len(pictures), 4)).astype(np.float32)


class Told:
    """Features that hold the pose as the faces tell it."""

    name = "told"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        return np.eye(len(POSES), dtype=np.float32)[pictures.crops[:, 0, 2]]


@cache
def fitted(seed: int = 0) -> Rivals:
    learners, validation = split_people(readable_faces(people=8, lights=2), held_out=2, seed=seed)
    return fit_rivals(
        learners,
        validation,
        attribute="pose",
        features=(Blank(), LargeOnly(), Told()),
        weights=("perfect", "0123456789ab"),
        seed=seed,
    )


def test_the_best_candidate_on_unseen_people_is_kept() -> None:
    rivals = fitted()
    assert rivals.feature == "told"
    assert rivals.candidates[0].accuracy == 100
    assert rivals.classifier.model == rivals.candidates[0].model == MODELS[0]
    assert len(rivals.candidates) == 2 * len(MODELS)
    accuracies = [candidate.accuracy for candidate in rivals.candidates]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < 50


def test_features_that_cannot_be_had_are_left_out_and_named() -> None:
    rivals = fitted()
    assert set(rivals.means) == {"blank", "told"}
    assert rivals.data["left_out"] == {"large-only": "the set has no larger pictures"}
    learners, validation = split_people(readable_faces(people=3, lights=1), held_out=1)
    with pytest.raises(DataError, match="no feature is left"):
        fit_rivals(learners, validation, attribute="pose", features=(LargeOnly(),))


def test_features_that_cannot_be_judged_still_have_means() -> None:
    class LargeLearners(Told):
        name = "large-learners"

        def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
            if len(pictures) < 40:
                raise RowUnavailable("the set has no larger pictures")
            return super().__call__(pictures, progress)

    learners, validation = split_people(readable_faces(people=8, lights=2), held_out=2)
    rivals = fit_rivals(learners, validation, attribute="pose", features=(Blank(), LargeLearners()))
    assert rivals.feature == "blank"
    assert set(rivals.means) == {"blank", "large-learners"}
    assert set(rivals.data["left_out"]) == {"large-learners"}  # type: ignore[call-overload]


def test_features_of_larger_pictures_learn_from_the_faces_that_have_one() -> None:
    class Counted(Told):
        needs_large = True

        def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
            pictures.required_large()
            return super().__call__(pictures, progress)

    faces = readable_faces(people=4, lights=1)
    face = LargeFace(np.zeros((9, 9), np.uint8), np.zeros((5, 2), np.float32))
    large = LargePictures.held([None if person == "person 0" else face for person in faces.persons])
    learners, validation = split_people(replace(faces, large=large), held_out=1, seed=1)
    assert "person 0" in learners.persons
    rivals = fit_rivals(learners, validation, attribute="pose", features=(Counted(),))
    assert rivals.candidates[0].accuracy == 100
    assert rivals.data["learned_from"] == {"told": 14}


def test_means_and_data_are_of_the_people_learned_from() -> None:
    learners, _ = split_people(readable_faces(people=8, lights=2), held_out=2)
    rivals = fitted()
    vectors = Told()(learners.pictures)
    assert np.allclose(rivals.means["told"].means_[0], vectors[learners.poses == "+15"].mean(axis=0))
    assert rivals.means["told"].values_[0] == "+15"
    assert (rivals.data["people"], rivals.data["faces"]) == (6, 84)
    validation = rivals.data["validation"]
    assert isinstance(validation, dict)
    assert (validation["people"], validation["faces"]) == (2, 28)
    assert validation["sha256"] != rivals.data["sha256"]


def test_nobody_to_choose_by_is_an_error() -> None:
    faces = readable_faces(people=3, lights=1)
    others = replace(faces, poses=np.full(len(faces), "up"))
    with pytest.raises(DataError, match="show no pose"):
        fit_rivals(faces, others, attribute="pose", features=(Told(),))


def test_weights_are_kept_only_where_their_features_were_looked_at() -> None:
    assert fitted().weights == ("", "")
    learners, validation = split_people(readable_faces(people=4, lights=1), held_out=1)
    features = (CanonicalFeatures(studio=Studio(PerfectGenerator())),)
    weights = ("perfect", "0123456789ab")
    rivals = fit_rivals(learners, validation, attribute="pose", features=features, weights=weights)
    assert rivals.weights == weights


def test_people_are_held_out_whole_and_test_people_left_aside() -> None:
    faces = readable_faces(people=9, lights=1)
    number = np.array([int(person.split()[1]) for person in faces.persons])
    faces = replace(faces, splits=np.where(number < 6, "train", "test"))
    learners, validation = split_people(people_to_learn_from(faces), held_out=2, seed=1)
    seen, unseen = set(learners.persons.tolist()), set(validation.persons.tolist())
    assert (len(seen), len(unseen)) == (4, 2)
    assert not seen & unseen
    assert {"person 6", "person 7", "person 8"}.isdisjoint(seen | unseen)
    assert unseen != set(split_people(people_to_learn_from(faces), held_out=2, seed=2)[1].persons.tolist())
    for held_out in (0, 9):
        with pytest.raises(DataError, match="from 1 to 8"):
            split_people(faces, held_out=held_out)


def test_unknown_values_are_no_values() -> None:
    faces = readable_faces(people=4, lights=1)
    faces = replace(faces, poses=np.where(faces.poses == "0", "", faces.poses))
    learners, validation = split_people(faces, held_out=1)
    rivals = fit_rivals(learners, validation, attribute="pose", features=(Told(),))
    assert set(rivals.classifier.values_) == set(POSES) - {"0"}


def test_a_folder_gives_back_what_was_kept(tmp_path: Path) -> None:
    rivals = fitted()
    identity = save_rivals(tmp_path / "deep" / "kept", rivals)
    found = load_rivals(tmp_path / "deep" / "kept")
    vectors = Told()(readable_faces(people=5).pictures)
    assert found.classifier.values_ == rivals.classifier.values_
    assert np.array_equal(found.classifier.scores(vectors), rivals.classifier.scores(vectors))
    assert np.array_equal(found.classifier.predict(vectors), rivals.classifier.predict(vectors))
    assert set(found.means) == set(rivals.means)
    for name, means in rivals.means.items():
        assert found.means[name].values_ == means.values_
        assert np.array_equal(found.means[name].means_, means.means_)
    assert (found.attribute, found.feature, found.weights) == ("pose", "told", ("", ""))
    assert found.data == rivals.data
    assert len(found.candidates) == len(rivals.candidates)
    assert found.rivals_id == identity


def test_equal_rivals_have_equal_folders(tmp_path: Path) -> None:
    first, again = (save_rivals(tmp_path / name, fitted.__wrapped__()) for name in ("first", "again"))
    assert first == again
    for file in ("config.json", "rivals.safetensors"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    assert save_rivals(tmp_path / "other", fitted(seed=1)) != first


def change(key: str, value: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        content[key] = value
        (folder / "config.json").write_text(json.dumps(content))

    return damage


def drop_tensor(folder: Path) -> None:
    arrays = load_file(folder / "rivals.safetensors")
    del arrays["means.told"]
    save_file(arrays, folder / "rivals.safetensors")


def break_numbers(folder: Path) -> None:
    arrays = load_file(folder / "rivals.safetensors")
    save_file({**arrays, "classifier.intercepts": np.full(7, np.nan)}, folder / "rivals.safetensors")


def change_numbers(folder: Path) -> None:
    arrays = load_file(folder / "rivals.safetensors")
    save_file({**arrays, "classifier.intercepts": np.zeros(7)}, folder / "rivals.safetensors")


def cut_file(folder: Path) -> None:
    path = folder / "rivals.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (change("format", 2), "format 2"),
        (change("values", ["0"]), "coefficients"),
        (change("means", []), "cannot be used"),
        (change("model", "oracle"), "oracle"),
        (change("feature", "blank"), "differ in length"),
        (change("components", 3), "do not belong together"),
        (drop_tensor, "means.told"),
        (break_numbers, "no numbers"),
        (change_numbers, "do not belong together"),
        (cut_file, "cannot be used"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be used"),
        (lambda folder: (folder / "config.json").write_text("[]"), "cannot be used"),
        (lambda folder: (folder / "config.json").unlink(), "cannot be used"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    save_rivals(tmp_path, fitted())
    damage(tmp_path)
    with pytest.raises(WeightsError, match="train-rivals") as caught:
        load_rivals(tmp_path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_there_is_not_is_told() -> None:
    with pytest.raises(WeightsError, match="no fitted rivals 'rivals-magic'"):
        load_rivals("rivals-magic")


@pytest.mark.parametrize(
    ("name", "attribute", "values"),
    [
        ("rivals-rotation", "pose", POSES),
        (
            "rivals-accessories",
            "accessory",
            ("none", "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3"),
        ),
    ],
)
def test_the_rivals_that_come_along_are_small_and_know_their_values(
    name: str, attribute: str, values: tuple[str, ...]
) -> None:
    rivals = load_rivals(name)
    assert rivals.attribute == attribute
    assert set(rivals.classifier.values_) == set(values)
    assert all(set(means.values_) == set(values) for means in rivals.means.values())
    assert rivals.candidates[0].accuracy > 90
    assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) < 2_000_000


def test_the_pose_of_unseen_people_is_told_better_than_the_papers_classifier_did() -> None:
    faces = read_labelled(rendered_mini_path(), cropped=True)
    classifier = load_rivals("rivals-rotation").classifier
    assert classifier.accuracy(ImageFeatures()(faces.pictures), faces.poses) > 95


def small_set(folder: Path, people: int = 3) -> None:
    """A labelled folder of noise in which the pose is a bright column."""
    rows = []
    for person in range(people):
        for number, pose in enumerate(POSES):
            pixels = np.random.default_rng([person, number]).integers(0, 90, (32, 32), np.uint8)
            pixels[:, 4 * number : 4 * number + 4] = 220
            row = LabelRow(f"{person}_{number}.png", str(person), pose, split="train")
            Image.fromarray(pixels).save(folder / row.file)
            rows.append(row)
    write_labels(folder / LABELS_FILE, rows)


def test_the_command_fits_and_tells_what_it_tried(tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    (tmp_path / "set").mkdir()
    small_set(tmp_path / "set")
    ran = run_cli(
        "train-rivals", tmp_path / "set", "--cropped", "--held-out", "1", "--out", tmp_path / "kept"
    )
    assert ran.exit_code == 0, ran.output
    assert "logistic" in ran.stdout
    rivals = load_rivals(tmp_path / "kept")
    assert rivals.candidates[0].accuracy == 100
    assert rivals.weights[0] == "rotation-32-protocol"
    assert set(rivals.means) == {"image", "features"}
    assert rivals.means["features"].means_.shape == (7, 16384)
