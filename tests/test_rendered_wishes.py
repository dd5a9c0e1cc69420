"""Pictures that differ in everything one can wish for: what a programme promises, and what pictures show."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.labelled import read_labelled
from facedata.labels import ACCESSORIES, EXPRESSIONS, LIGHTS
from facedata.pairs import ordered_pairs
from facedata.rendered.head_model import load_head_model
from facedata.rendered.lights import usual_light
from facedata.rendered.person import Head, sample_person, usual_expression
from facedata.rendered.photograph import Variety
from facedata.rendered.recipes import Shots
from facedata.rendered.sets import render_set
from facedata.rendered.wardrobe import dress_alike
from facedata.rendered.wishes import PROGRAMMES, VALUES, WishesRecipe
from faces.crop import CropGeometry


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.fixture(scope="module")
def shots(head: Head) -> Shots:
    return WishesRecipe(scenes=1).render(head, 3)


def differences(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in VALUES if one[name] != other[name]}


def test_every_attribute_changes_alone_somewhere_and_several_at_once_elsewhere() -> None:
    recipe = WishesRecipe()
    alone: Counter[str] = Counter()
    most = 0
    for index in range(PROGRAMMES):
        programme = recipe.programme(index)
        for one in programme:
            for other in programme:
                changed = differences(one, other)
                most = max(most, len(changed))
                if len(changed) == 1:
                    alone.update(changed)
    assert set(alone) == set(VALUES)
    assert most == len(VALUES)


def test_every_value_is_shown() -> None:
    recipe = WishesRecipe()
    shown = [values for index in range(PROGRAMMES) for values in recipe.programme(index)]
    for name, words in VALUES.items():
        assert {values[name] for values in shown} == set(words)


def test_people_of_one_programme_show_the_same_and_others_something_else() -> None:
    recipe = WishesRecipe()
    assert recipe.programme(2) == recipe.programme(2 + PROGRAMMES)
    assert recipe.programme(2) != recipe.programme(3)
    assert recipe.programme(2) != WishesRecipe(seed=1).programme(2)


def test_a_person_is_the_same_whenever_rendered(head: Head, shots: Shots) -> None:
    again = WishesRecipe(scenes=1).render(head, 3, large=True)
    assert np.array_equal(again.crops, shots.crops)
    assert shots.clean is not None and again.clean is not None
    assert np.array_equal(again.clean, shots.clean)
    assert again.large is not None and again.points is not None
    assert again.large.shape == (12, 176, 176) and again.points.shape == (12, 5, 2)
    assert (again.points > 0).all() and (again.points < 176).all()


def test_more_scenes_leave_the_first_as_it_is(head: Head, shots: Shots) -> None:
    both = WishesRecipe(scenes=2).render(head, 3).crops
    assert both.shape == (24, 32, 32)
    assert np.array_equal(both[:12], shots.crops)


def test_clean_versions_stand_before_one_wall(shots: Shots) -> None:
    assert shots.clean is not None
    corners = shots.clean[:, 0, [0, -1]].astype(int)
    wall = Counter(corners.ravel().tolist()).most_common(1)[0]
    assert wall[1] > len(shots.clean) / 2


def test_clean_versions_show_the_same_accessories_light_and_face_whoever_it_is(head: Head) -> None:
    one, other = (sample_person(np.random.default_rng(seed), head, natural=True) for seed in (1, 2))
    worn = "glasses", "hat", "mask", "wrap", "extras"
    looks = []
    for word in ACCESSORIES:
        alike = [[getattr(dress_alike(person, word), name) for name in worn] for person in (one, other)]
        assert alike[0] == alike[1]
        looks.append(str(alike[0]))
    assert len(set(looks)) == len(ACCESSORIES)
    assert dress_alike(one, "mask").hair == one.hair
    with pytest.raises(KeyError):
        dress_alike(one, "crown")
    lamps = {word: usual_light(word).directions.mean(0) for word in LIGHTS}  # x to the right, y up
    assert lamps["left"][0] < -0.5 < 0.5 < lamps["right"][0]
    assert lamps["below"][1] < -0.5 < 0.5 < lamps["above"][1]
    faces = [usual_expression(word) for word in EXPRESSIONS]
    assert all(one != another for one, another in combinations(faces, 2))


def test_without_variety_pictures_are_taken_in_a_studio_and_have_no_clean_versions(
    head: Head, shots: Shots
) -> None:
    plain = WishesRecipe(geometry=CropGeometry(size=32), scenes=1, variety=Variety()).render(head, 3)
    assert plain.clean is None and plain.crops.shape == shots.crops.shape
    # The wall behind them has one tone.
    tones = [np.bincount(crops.ravel(), minlength=256).max() for crops in (plain.crops, shots.crops)]
    assert tones[0] > 3 * tones[1]


def test_a_set_is_labelled_and_its_pairs_stay_within_a_scene(head_model_path: Path, tmp_path: Path) -> None:
    recipe = WishesRecipe(geometry=CropGeometry(size=16), scenes=2)
    out = tmp_path / "wishes"
    assert render_set(out, recipe, head_model_path, people=2, train=1, workers=1) == 48
    faces = read_labelled(out, cropped=True, geometry=recipe.geometry)
    assert len(faces) == 48 and faces.clean is not None
    assert set(faces.splits.tolist()) == {"train", "test"}
    assert set(faces.scenes.tolist()) == {"0", "1"}
    pairs = ordered_pairs(faces, "pose")
    assert len(pairs)
    assert (faces.persons[pairs[:, 0]] == faces.persons[pairs[:, 1]]).all()
    assert (faces.scenes[pairs[:, 0]] == faces.scenes[pairs[:, 1]]).all()
