"""Expressions and lights that words ask for: they show what they say, each draw in its own way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.camera import Camera, Light, View
from facedata.rendered.head_model import load_head_model
from facedata.rendered.lights import named_light
from facedata.rendered.mesh import Array, Material
from facedata.rendered.person import Head, named_expression, pose_person, sample_person

EXPRESSIONS = ("neutral", "smile", "laugh", "eyes-closed", "surprised")
LIGHTS = ("even", "left", "right", "above", "below", "dim")
DRAWS = 12


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.fixture(scope="module")
def faces(head: Head) -> dict[str, Array]:
    """Landmarks of one person's face in several draws of each expression, (DRAWS, 68, 3) each."""
    person = sample_person(np.random.default_rng(0), head)
    return {
        word: np.stack([pose_person(person, head, weights).landmarks for weights in drawn(word)])
        for word in EXPRESSIONS
    }


def drawn(word: str) -> list[dict[str, float]]:
    return [named_expression(np.random.default_rng([7, index]), word) for index in range(DRAWS)]


@pytest.mark.parametrize("word", EXPRESSIONS)
def test_an_expression_is_settled_by_its_seed_and_within_the_models_range(head: Head, word: str) -> None:
    first, *others = drawn(word)
    assert first == drawn(word)[0] and first not in others
    for weights in (first, *others):
        assert set(weights) <= {*head.model.expression_names}
        assert all(0 <= weight <= 1.3 for weight in weights.values())


def test_no_eye_looks_through_shut_lids(head: Head) -> None:
    for index in range(8):
        rng = np.random.default_rng([8, index])
        posed = pose_person(sample_person(rng, head), head, named_expression(rng, "eyes-closed"))
        middle = posed.landmarks[[36, 39, 42, 45]].mean(0)
        view = View(posed, Camera(0, 0, 0, 180, 60, 6.0, middle))
        assert (view.hits.material == Material.EYE).mean() < 0.008  # open: 0.06


def test_only_closed_eyes_are_closed_and_only_surprise_widens_them(faces: dict[str, Array]) -> None:
    open_by = {word: (marks[:, [37, 43], 1] - marks[:, [41, 47], 1]).mean(1) for word, marks in faces.items()}
    closed = open_by.pop("eyes-closed").max()
    assert closed < 0.35 * min(values.min() for values in open_by.values())
    assert open_by["surprised"].min() > max(open_by[word].mean() for word in ("neutral", "smile", "laugh"))


def test_a_laugh_opens_the_mouth_and_a_smile_hardly(faces: dict[str, Array]) -> None:
    gap = {word: marks[:, 62, 1] - marks[:, 66, 1] for word, marks in faces.items()}
    assert gap["smile"].max() < gap["laugh"].min()
    assert gap["laugh"].min() > 0.5 and gap["surprised"].min() > 0.5


def test_corners_of_the_mouth_go_up_and_out_in_smiles_and_laughs(faces: dict[str, Array]) -> None:
    wide = {word: marks[:, 54, 0] - marks[:, 48, 0] for word, marks in faces.items()}
    assert wide["smile"].min() > wide["neutral"].max()
    assert wide["laugh"].min() > wide["surprised"].max()


def test_surprise_raises_the_brows(faces: dict[str, Array]) -> None:
    brows = {word: marks[:, [19, 24], 1].mean(1) for word, marks in faces.items()}
    assert brows["surprised"].min() > max(brows[word].max() for word in ("neutral", "smile", "laugh"))


def test_unknown_words_have_no_expression_and_no_light() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(KeyError):
        named_expression(rng, "smirk")
    with pytest.raises(KeyError):
        named_light(rng, "purple")


@pytest.mark.parametrize("word", LIGHTS)
def test_a_light_is_settled_by_its_seed_and_stays_with_the_camera(word: str) -> None:
    one, same, other = (named_light(np.random.default_rng(seed), word) for seed in (1, 1, 2))
    assert same_light(one, same) and not same_light(one, other)
    np.testing.assert_allclose(np.linalg.norm(one.directions, axis=1), 1, atol=1e-5)
    assert one.follows_camera and one.ambient > 0


def same_light(one: Light, other: Light) -> bool:
    return np.array_equal(one.directions, other.directions) and one.ambient == other.ambient


@pytest.mark.parametrize("yaw", [0, 40])
def test_light_falls_from_the_side_of_the_picture_that_the_word_names(head: Head, yaw: int) -> None:
    """The paint is divided out, so that nothing but the light makes a difference."""
    posed = pose_person(sample_person(np.random.default_rng(3), head), head, {})
    middle = posed.landmarks[[36, 39, 42, 45]].mean(0)
    view = View(posed, Camera(yaw, 0, 0, 180, 48, 3.0, middle))
    skin = view.hits.material == Material.SKIN
    normals = view.hits.normal[skin] @ view.camera.axes().T
    sides = {"left": -normals[:, 0], "right": normals[:, 0], "above": normals[:, 1], "below": -normals[:, 1]}
    contrast = {}
    for word in LIGHTS:
        for seed in range(6):
            rng = np.random.default_rng(seed)
            shaded = (view.radiance(named_light(rng, word), rng) / view.albedo)[skin]
            if word in sides:
                towards, away = sides[word] > 0.4, sides[word] < -0.4
                assert shaded[towards].mean() > 1.5 * shaded[away].mean(), (word, seed)
            contrast[word, seed] = float(shaded.std() / shaded.mean())
    level = {word: np.mean([contrast[word, seed] for seed in range(6)]) for word in LIGHTS}
    assert max(level["even"], level["dim"]) < min(level[word] for word in sides)
