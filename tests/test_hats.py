"""Hats and glasses of the accessory sets: they fit every head, hide the hair and cast shadows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.accessories import HATS, PRESSED, FittedHat, sample_hat, sample_kind
from facedata.rendered.camera import Camera, View, flash_directions, rig_lights
from facedata.rendered.hair import Hair
from facedata.rendered.head_model import load_head_model
from facedata.rendered.locks import sample_natural_hair
from facedata.rendered.mesh import Array, Caster, Hits, Material
from facedata.rendered.person import Head, Person, Shape, pose_person, sample_person
from facedata.rendered.recipes import ACCESSORIES, AccessoryRecipe

ABOVE = 16  # the rig's light above the forehead
BROWS, CHEEKS = (19, 24), (48, 54)  # of the 68 landmarks


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.fixture(scope="module")
def worn(head: Head) -> dict[str, Person]:
    """One person in every accessory."""
    return dict(zip(ACCESSORIES, AccessoryRecipe().people(head, 4), strict=True))


def straight_at(points: Array) -> Callable[[Caster], Hits]:
    """Casts rays at points from in front of the face."""
    away = np.array([0, 0, -1], np.float32)
    return lambda caster: caster.cast(points - 60 * away, np.broadcast_to(away, points.shape).copy())


@pytest.mark.parametrize("kind", HATS)
@pytest.mark.parametrize("style", ["curly", "long", "short", "bald"])
def test_neither_scalp_nor_hair_comes_through_a_hat(
    head: Head, rng: np.random.Generator, kind: str, style: str
) -> None:
    seed = int(rng.integers(2**31))
    bare = AccessoryRecipe(seed=seed).people(head, 0)[0]
    thickness = 3.8 if style == "curly" else 2.2
    assert isinstance(bare.hair, Hair)
    hair = replace(bare.hair, style=style, thickness=thickness, strands=0.2)
    assert (seen_on_crown(replace(bare, hair=hair), head, rng, kind) == Material.HAT).all()


@pytest.mark.parametrize("kind", HATS)
@pytest.mark.parametrize("style", ["afro", "curls", "long", "swept-back", "straight-fringe"])
def test_no_lock_of_natural_hair_comes_through_a_hat(
    head: Head, rng: np.random.Generator, kind: str, style: str
) -> None:
    person = sample_person(rng, head, natural=True)
    while person.hair.style != style:
        person = replace(person, hair=sample_natural_hair(rng))
    assert (seen_on_crown(person, head, rng, kind) == Material.HAT).all()


def seen_on_crown(person: Person, head: Head, rng: np.random.Generator, kind: str) -> NDArray[np.int8]:
    """Put an upright hat on and return the materials (n,) seen from outside, all over it above its band."""
    hat = replace(sample_hat(rng, kind, spread=2.5), tilt=0.0, lean=0.0)
    shape = Shape(person.coefficients, head)
    caster = pose_person(replace(person, hat=hat), head, {}, shape=shape).caster
    mesh = FittedHat(hat, shape.caster, shape.landmarks).mesh()
    # Looks from outside at the middle of every triangle above the band, along its normal.
    middle = mesh.vertices[mesh.triangles].mean(1)
    outwards = mesh.normals[mesh.triangles].mean(1)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    away = middle - np.array([0, 6, 0], np.float32)
    across = (outwards * away).sum(1) / np.linalg.norm(away, axis=1)
    band = float(shape.landmarks[[19, 24], 1].mean()) + hat.lift
    crown = (np.abs(across) > 0.5) & (middle[:, 1] > band + 0.2)
    outwards = (outwards * np.sign(across)[:, None])[crown]
    hits = caster.cast((middle[crown] + 2 * outwards).astype(np.float32), -outwards.astype(np.float32))
    assert crown.mean() > 0.4 and len(hits.ray) == crown.sum()
    return hits.material


@pytest.mark.parametrize("kind", HATS)
def test_no_hat_is_pulled_over_the_eyes(head: Head, rng: np.random.Generator, kind: str) -> None:
    for index in range(4):
        person = replace(AccessoryRecipe().people(head, index)[0], hat=sample_hat(rng, kind))
        posed = pose_person(person, head, {})
        eyes = np.stack([posed.landmarks[36:42].mean(0), posed.landmarks[42:48].mean(0)])
        seen = straight_at(eyes)(posed.caster)
        assert set(seen.material.tolist()) <= {Material.EYE, Material.SKIN}


def test_hair_is_pressed_under_a_hat_and_springs_up_below_it(head: Head, worn: dict[str, Person]) -> None:
    person = worn["hat-1"]
    shape = Shape(person.coefficients, head)
    assert person.hat is not None
    hat = FittedHat(replace(person.hat, lean=0, turn=0, tilt=0), shape.caster, shape.landmarks)
    brow = float(shape.landmarks[[19, 24], 1].mean())
    heights = np.linspace(14, -8, 60)
    side = np.stack([np.full(60, 8.0), heights, np.zeros(60)], 1).astype(np.float32)
    room = hat.room_for_hair(side)
    assert (np.diff(room) >= 0).all()
    assert (room[heights > brow + person.hat.lift] <= PRESSED + 1e-6).all()
    assert room[0] < 0
    assert room[-1] > 5


@pytest.mark.parametrize("accessory", ["hat-1", "hat-2"])
def test_a_brim_shades_the_brow_from_a_lamp_above_and_not_the_chin(
    head: Head, worn: dict[str, Person], accessory: str
) -> None:
    lamp = flash_directions()[ABOVE - 1]
    shares = {}
    for name in ("none", accessory):
        posed = pose_person(worn[name], head, {})
        points = posed.landmarks[[*range(17, 27), *range(6, 11)]] + np.array([0, 0, 0.2], np.float32)
        towards = np.broadcast_to(lamp, points.shape).copy()
        lit = posed.caster.lit(points, towards, towards)
        shares[name] = lit[:10].mean(), lit[10:].mean()
    assert shares["none"][0] > 0.9 and shares["none"][1] > 0.9
    assert shares[accessory][0] < 0.1
    assert shares[accessory][1] == shares["none"][1]


def test_under_room_light_alone_a_brim_darkens_the_brow_too(head: Head, worn: dict[str, Person]) -> None:
    brows = {}
    for name in ("none", "hat-1", "hat-2"):
        posed = pose_person(worn[name], head, {})
        target = posed.landmarks[[36, 39, 42, 45]].mean(0)
        view = View(posed, Camera(0, 0, 0, 180, 40, 2.0, target))
        light = view.radiance(rig_lights(0.1)[0], np.random.default_rng(0))
        skin = view.hits.material == Material.SKIN
        near = np.abs(view.hits.point - posed.landmarks[27]).max(1) < 2
        brows[name] = float(np.median((light / view.albedo)[skin & near]))
    assert max(brows["hat-1"], brows["hat-2"]) < 0.85 * brows["none"]


def test_sunglasses_hide_the_eyes_and_the_others_do_not(head: Head, worn: dict[str, Person]) -> None:
    for name, hidden in (("glasses-1", False), ("glasses-2", False), ("glasses-3", True)):
        posed = pose_person(worn[name], head, {})
        eyes = np.stack([posed.landmarks[36:42].mean(0), posed.landmarks[42:48].mean(0)])
        seen = straight_at(eyes)(posed.caster)
        assert (seen.material == Material.LENS).all() == hidden
        assert Material.FRAME in posed.mesh.material


@pytest.mark.parametrize("kind", HATS)
def test_everyones_hat_is_of_the_same_kind_and_a_little_different(kind: str) -> None:
    one, other = (sample_hat(np.random.default_rng(seed), kind) for seed in (1, 2))
    assert one == sample_hat(np.random.default_rng(1), kind) and one != other
    assert one.kind == other.kind == kind
    alike = {sample_hat(np.random.default_rng(seed), kind, spread=0.0) for seed in range(3)}
    assert len(alike) == 1
    many = [sample_hat(np.random.default_rng(seed), kind, spread=2.5) for seed in range(200)]
    assert min(hat.lift for hat in many) >= 0.5 and min(hat.room for hat in many) >= 0.4
    assert all(0 < hat.tone <= 0.8 and 0 < hat.trim <= 0.8 for hat in many)


@pytest.mark.parametrize("kind", range(3))
def test_everyones_glasses_are_of_the_same_kind_and_a_little_different(kind: int) -> None:
    one, other = (sample_kind(np.random.default_rng(seed), kind) for seed in (1, 2))
    assert one == sample_kind(np.random.default_rng(1), kind) and one != other
    assert one.dark == other.dark == (kind == 2)
    assert len({sample_kind(np.random.default_rng(seed), kind, spread=0.0) for seed in range(3)}) == 1


def test_tilted_glasses_hang_lower_at_the_right_of_the_picture(head: Head, worn: dict[str, Person]) -> None:
    person = worn["glasses-2"]
    assert person.glasses is not None
    lowest = {}
    for tilt in (0.0, 5.0):
        mesh = pose_person(replace(person, glasses=replace(person.glasses, tilt=tilt)), head, {}).mesh
        frame = mesh.vertices[np.unique(mesh.triangles[mesh.material == Material.FRAME])]
        front = frame[frame[:, 2] > 8]
        lowest[tilt] = front[front[:, 0] > 0, 1].min() - front[front[:, 0] < 0, 1].min()
    assert lowest[5.0] < lowest[0.0] - 0.3
