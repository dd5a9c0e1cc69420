"""`rendered-accessories`: what the set counts, promises and shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.labelled import LabelRow, face_set, read_labelled, rendered_mini_path
from facedata.pairs import ordered_pairs
from facedata.rendered.camera import N_LIGHTS, flash_directions
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import (
    ACCESSORIES,
    CHOSEN_LIGHTS,
    STUDIO_WALL,
    AccessoryRecipe,
    RotationRecipe,
)
from facedata.rendered.sets import label_rows
from faces.crop import CropGeometry
from faces.errors import DataError
from faces.types import Pixels

SMALL = CropGeometry(size=16)
MINI = rendered_mini_path().with_name("rendered-accessories-mini.zip")
FIVE = [0, 4, 10, 16, 19]
MEANS = [91.28, 82.97, 90.05, 96.2, 89.43, 86.74, 83.45]


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.fixture(scope="module")
def pictures(head: Head) -> Pixels:
    """Person 0 of the protocol's set: (7, 5, 32, 32)."""
    return AccessoryRecipe().render(head, 0).crops


# What the protocol counts


def protocol_rows(lights: int = 5) -> list[LabelRow]:
    return list(label_rows(AccessoryRecipe(lights=lights), range(438), 350))


@pytest.mark.parametrize("lights", [1, 5, 20])
def test_the_protocols_set_has_438_people_with_7_accessories_under_each_light(lights: int) -> None:
    rows = protocol_rows(lights)
    assert len(rows) == len({row.file for row in rows}) == 438 * 7 * lights
    assert {row.accessory for row in rows} == set(ACCESSORIES)
    assert {row.pose for row in rows} == {"0"}
    assert len({row.light for row in rows}) == lights
    people = {split: {row.person for row in rows if row.split == split} for split in ("train", "test")}
    assert (len(people["train"]), len(people["test"])) == (350, 88)
    assert not people["train"] & people["test"]


def test_training_pairs_are_all_ordered_pairs_of_accessories_in_the_same_light() -> None:
    rows = protocol_rows()
    faces = face_set("accessories", np.zeros((len(rows), 1, 1), np.uint8), rows).split("train")
    assert len(ordered_pairs(faces, "accessory")) == 350 * 5 * 7 * 6


def test_lights_are_the_rigs_spread_over_it_and_called_by_its_numbers() -> None:
    assert AccessoryRecipe().numbers == FIVE
    assert AccessoryRecipe(lights=N_LIGHTS).numbers == list(range(N_LIGHTS))
    assert sorted(CHOSEN_LIGHTS) == list(range(N_LIGHTS))
    left, right, above = (flash_directions()[number - 1] for number in (4, 10, 16))
    assert left[0] < -0.5 and right[0] > 0.5 and above[1] > 0.5
    varied = AccessoryRecipe(lights=3, variety=VARIETIES["full"])
    assert varied.numbers == [0, 1, 2], "free lights have no place in the rig"


@pytest.mark.parametrize("lights", [0, 21, -1])
def test_the_rig_has_no_other_lights(lights: int) -> None:
    with pytest.raises(DataError, match="choose 1 to 20"):
        AccessoryRecipe(lights=lights)


def test_the_small_set_that_comes_along_holds_24_test_people() -> None:
    faces = read_labelled(MINI, cropped=True)
    assert (len(faces), faces.size, faces.left_out) == (24 * 7 * 5, 32, 0)
    assert set(faces.values("accessory")) == set(ACCESSORIES)
    assert faces.values("light") == tuple(f"{light:02d}" for light in FIVE)
    assert sorted(set(faces.persons.tolist())) == [f"{number:04d}" for number in range(350, 374)]
    assert set(faces.splits.tolist()) == {"test"}
    assert faces.large is not None and len(faces.large) == len(faces)
    assert MINI.stat().st_size < 5_000_000


# People and pictures


def test_the_protocols_pictures_are_those_of_every_earlier_version(pictures: Pixels) -> None:
    """Sets are known by recipe and seed, so a change of these pictures is a change of every set."""
    assert pictures.shape == (7, 5, 32, 32) and pictures.dtype == np.uint8
    # Rounding may differ from machine to machine.
    assert pictures.mean((1, 2, 3)) == pytest.approx(MEANS, abs=0.05)


@pytest.mark.parametrize("variety", ["none", "full"])
def test_a_recipe_and_a_number_determine_the_pictures(head: Head, variety: str) -> None:
    recipe = AccessoryRecipe(seed=3, geometry=SMALL, lights=1, variety=VARIETIES[variety])
    twin = AccessoryRecipe(seed=3, geometry=SMALL, lights=1, variety=replace(VARIETIES[variety]))
    first = recipe.render(head, 5).crops
    assert np.array_equal(first, twin.render(head, 5).crops)
    for other in (replace(recipe, seed=4), replace(recipe, variety=VARIETIES["none"], lights=2)):
        assert np.abs(first.astype(int) - other.render(head, 5).crops[:, :1]).mean() > 2


def test_a_person_stays_the_same_in_every_accessory_and_wears_one_at_a_time(head: Head) -> None:
    for variety in VARIETIES.values():
        people = AccessoryRecipe(variety=variety).people(head, 2)
        assert len({id(person.coefficients) for person in people}) == 1
        assert len({(person.skin.tone, person.hair) for person in people}) == 1
        worn = [(person.hat is not None, person.glasses is not None) for person in people]
        assert worn == [(False, False), *[(True, False)] * 3, *[(False, True)] * 3]


def test_heads_of_photographs_turn_and_keep_their_turn_while_accessories_change(head: Head) -> None:
    """What is drawn in a photograph's place shows one turn of the head, whatever the person wears."""
    still = replace(VARIETIES["full"], expression=0.0)
    recipe = AccessoryRecipe(geometry=SMALL, lights=2, variety=still)
    assert {row.pose for row in recipe.rows("0000")} == {""}, "nobody labelled how these heads are turned"
    frontal = replace(recipe, variety=replace(still, turned=0.0))
    assert {row.pose for row in frontal.rows("0000")} == {"0"}
    glasses = range(ACCESSORIES.index("glasses-1"), len(ACCESSORIES))
    wall, differ = round(255 * STUDIO_WALL), []
    for index in range(4):
        turned, straight = (one.render(head, index).clean for one in (recipe, frontal))
        assert turned is not None and straight is not None
        walls = turned == wall
        assert all(np.mean(walls[0] == walls[worn]) > 0.9 for worn in glasses)
        differ.append(float(np.mean(walls[0] != (straight[0] == wall))))
    assert max(differ) > 0.1 > min(differ), "some are turned far, some little"


def test_people_are_others_than_those_of_a_rotation_set(head: Head) -> None:
    """What is trained on one set may be tested on the other."""
    here = AccessoryRecipe().people(head, 0)[0].coefficients
    for index in range(5):
        there = RotationRecipe().people(head, index)[0].coefficients
        assert np.abs(here - there).max() > 0.5


def test_no_picture_is_empty_flat_or_twice_there(pictures: Pixels) -> None:
    flat = pictures.reshape(-1, 32 * 32)
    assert (flat.std(1) > 8).all()
    assert len({hashlib.sha256(one.tobytes()).hexdigest() for one in flat}) == len(flat)


def test_hats_change_the_top_of_a_face_glasses_its_eyes_and_nothing_its_chin(pictures: Pixels) -> None:
    grey = pictures.astype(float)
    change = np.abs(grey[1:] - grey[:1]).mean(1)  # (6, 32, 32)
    top, eyes, chin = (
        change[:, rows, 6:26].mean((1, 2)) for rows in (slice(0, 4), slice(7, 13), slice(22, 30))
    )
    assert (top[:3] > 1.5 * chin[:3]).all()
    assert (eyes[3:] > 1.5 * chin[3:]).all()
    assert (eyes[3:] > top[3:]).all()


def test_sunglasses_make_eyes_dark_and_a_brim_under_a_lamp_above_the_whole_brow(pictures: Pixels) -> None:
    eyes = pictures[:, :, 9:12, 8:24].astype(float).mean((2, 3))
    bare, dark = ACCESSORIES.index("none"), ACCESSORIES.index("glasses-3")
    assert (eyes[dark] < 0.85 * eyes[bare]).all()
    above, nothing = FIVE.index(16), FIVE.index(0)
    for hat in ("hat-1", "hat-2"):
        shaded = eyes[ACCESSORIES.index(hat)] / eyes[bare]
        assert shaded[above] < 0.7
        assert shaded[above] < shaded[nothing]


# A set on disk


def test_a_set_is_a_labelled_folder_that_is_finished_after_an_interruption(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result], head: Head
) -> None:
    out = tmp_path / "accessories"
    given = ["data", "render", "accessories", "--head-model", head_model_path, "--out", out]
    given += ["--size", "16", "--lights", "2", "--people", "2", "--first", "349", "--workers", "1"]
    result = run_cli(*given)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 28 pictures of 2 people.\n"
    faces = read_labelled(out, cropped=True, geometry=SMALL)
    assert len(faces) == 2 * 7 * 2
    assert set(faces.values("accessory")) == set(ACCESSORIES)
    assert (faces.values("pose"), faces.values("light")) == (("0",), ("00", "19"))
    assert dict(zip(faces.persons.tolist(), faces.splits.tolist(), strict=True)) == {
        "0349": "train",
        "0350": "test",
    }
    crops = AccessoryRecipe(geometry=SMALL, lights=2).render(head, 350).in_one_row().crops
    assert np.array_equal(faces.crops[14:], crops)

    before = {path.name: path.read_bytes() for path in (out / "0350").iterdir()}
    labels = (out / "labels.csv").read_bytes()
    (out / "0350").rename(out / "0350.abc.part")
    (out / "labels.csv").unlink()
    assert run_cli(*given).exit_code == 0
    assert {path.name: path.read_bytes() for path in (out / "0350").iterdir()} == before
    assert (out / "labels.csv").read_bytes() == labels
    assert not list(out.glob("*.part"))

    refused = run_cli("data", "render", "rotation", "--head-model", head_model_path, "--out", out)
    assert refused.exit_code == 1
    assert "begun with other settings" in refused.stderr
