"""What people wear on photographs: it covers what it should, reflects, and hides the hair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.rendered.camera import Camera, View, rig_lights
from facedata.rendered.extras import EXTRAS, Extra
from facedata.rendered.head_model import load_head_model
from facedata.rendered.mesh import Array, Material
from facedata.rendered.person import Head, Person, Posed, pose_person, sample_person
from facedata.rendered.wardrobe import dress

WORN = ("glasses-1", "glasses-2", "glasses-3", "hat-1", "hat-2", "hat-3", "head-scarf", "mask")
DRAWS = 6


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


def somebody(head: Head, seed: int) -> Person:
    return sample_person(np.random.default_rng([11, seed]), head, natural=True)


def dressed(head: Head, accessory: str, seed: int) -> Person:
    """Somebody with an accessory and nothing else."""
    person = dress(np.random.default_rng([12, seed]), somebody(head, seed), accessory)
    return replace(person, extras=())


def first_met(posed: Posed, points: Array, outward: tuple[float, float, float]) -> list[int]:
    """What is seen first of each point (n, 3) from far outside."""
    away = np.array(outward, np.float32)
    origins = (points + 40 * away).astype(np.float32)
    hits = posed.caster.cast(origins, np.broadcast_to(-away, points.shape).copy())
    return [int(each) for each in hits.material]


def eyes(posed: Posed) -> Array:
    return np.stack([posed.landmarks[36:42].mean(0), posed.landmarks[42:48].mean(0)])


def worn(person: Person) -> tuple[object, ...]:
    return person.glasses, person.hat, person.mask, person.wrap, person.extras


def test_a_seed_settles_what_is_worn_and_another_makes_it_different(head: Head) -> None:
    person = somebody(head, 0)
    for accessory in WORN:
        one, same, other = (dress(np.random.default_rng(seed), person, accessory) for seed in (1, 1, 2))
        assert worn(one) == worn(same) != worn(other)


def test_who_wears_nothing_takes_everything_off(head: Head) -> None:
    person = somebody(head, 0)
    for accessory in WORN:
        person = dress(np.random.default_rng(0), person, accessory)
        assert sum(each is not None for each in worn(person)[:4]) == 1
    bare = dress(np.random.default_rng(0), person, "none")
    assert worn(bare)[:4] == (None, None, None, None)
    with pytest.raises(KeyError):
        dress(np.random.default_rng(0), person, "crown")


def test_round_and_square_spectacles_are_told_apart_by_their_shape(head: Head) -> None:
    def frames(accessory: str) -> list[tuple[float, float]]:
        person = somebody(head, 0)
        drawn = [dress(np.random.default_rng(seed), person, accessory).glasses for seed in range(99)]
        return [(one.square, one.height / one.width) for one in drawn if one is not None]

    round_ones, square_ones = np.array(frames("glasses-1")), np.array(frames("glasses-2"))
    assert round_ones[:, 0].max() + 1 < square_ones[:, 0].min()
    assert round_ones[:, 1].min() > square_ones[:, 1].max() + 0.05


@pytest.mark.parametrize("accessory", ["glasses-1", "glasses-2", "glasses-3"])
def test_glasses_lie_before_the_eyes_and_leave_the_rest_of_the_face_free(head: Head, accessory: str) -> None:
    for seed in range(DRAWS):
        person = dressed(head, accessory, seed)
        posed = pose_person(person, head, {})
        lens = set(first_met(posed, eyes(posed), (0, 0, 1)))
        assert person.glasses and person.glasses.pane and posed.pane_caster
        assert (Material.LENS in lens) == person.glasses.dark
        assert accessory != "glasses-3" or person.glasses.dark or person.glasses.pane.through < 0.3
        mouth = posed.landmarks[[48, 51, 54, 57, 8]]
        assert set(first_met(posed, mouth, (0, 0, 1))) == {Material.SKIN}
        before = eyes(posed) + np.array([0, 0, 20], np.float32)
        panes = posed.pane_caster.cast(before, np.array([[0, 0, -1]] * 2, np.float32))
        assert len(panes.ray) == 2


def radiance(person: Person, head: Head) -> tuple[Array, NDArray[np.bool_]]:
    """Light of a frontal view, and which hits are not glasses."""
    posed = pose_person(person, head, {})
    view = View(posed, Camera(0, 0, 0, 180, 48, 3.0, eyes(posed).mean(0)))
    bare = ~np.isin(view.hits.material, [Material.FRAME, Material.LENS])
    return view.radiance(rig_lights(0.1)[7], np.random.default_rng(0)), bare


def test_a_lens_dims_what_is_behind_it_and_adds_what_it_reflects(head: Head) -> None:
    person = dressed(head, "glasses-2", 1)
    glasses = person.glasses
    assert glasses and glasses.pane
    clear = replace(glasses.pane, through=1.0, below=1.0, veil=0.0, mirror=0.0, gleam=0.0)

    def behind(**changed: float) -> Array:
        pane = replace(clear, **changed)
        light, bare = radiance(replace(person, glasses=replace(glasses, pane=pane)), head)
        return light[bare]

    plain = behind()
    half = behind(through=0.5, below=0.5)
    dimmed = half < plain * 0.75
    assert 0.03 < dimmed.mean() < 0.3
    np.testing.assert_allclose(half[dimmed], 0.5 * plain[dimmed], rtol=1e-5)
    np.testing.assert_array_equal(half[~dimmed], plain[~dimmed])
    gleam = behind(gleam=1.0, x=0.0, y=0.0, width=0.4, height=0.4, slant=0.0) - plain
    assert gleam.min() >= 0 and gleam[dimmed].max() > 0.5 * np.median(plain)
    assert 0.01 < (gleam > 0.1 * gleam.max()).mean() < 0.8 * dimmed.mean()


@pytest.mark.parametrize("accessory", ["hat-1", "hat-2", "hat-3"])
def test_hats_cover_the_forehead_and_no_eye(head: Head, accessory: str) -> None:
    for seed in range(DRAWS):
        posed = pose_person(dressed(head, accessory, seed), head, {})
        forehead = posed.landmarks[[20, 23]].mean(0, keepdims=True) + np.array([0, 3.5, 0])
        assert first_met(posed, forehead, (0, 0, 1)) == [Material.HAT]
        from_below = (0.0, -np.sin(0.4), np.cos(0.4))  # a low peak hides them from above only
        assert Material.HAT not in first_met(posed, eyes(posed), from_below)


def test_a_mask_covers_mouth_and_chin_and_no_eye(head: Head) -> None:
    for seed in range(DRAWS):
        for weights in ({}, {"jawOpen": 0.6, "mouthSmile_L": 0.8, "mouthSmile_R": 0.8}):
            posed = pose_person(dressed(head, "mask", seed), head, weights)
            covered = posed.landmarks[[*range(48, 68), 7, 8, 9]]
            assert set(first_met(posed, covered, (0, 0, 1))) == {Material.HAT}
            assert Material.HAT not in first_met(posed, posed.landmarks[36:48], (0, 0, 1))


def test_a_scarf_goes_round_the_face_over_the_ears_and_hides_the_hair(head: Head) -> None:
    for seed in range(DRAWS):
        person = dressed(head, "head-scarf", seed)
        posed = pose_person(person, head, {})
        face = posed.landmarks[[*range(36, 48), *range(48, 60), 27, 30, 33]]
        assert Material.HAT not in first_met(posed, face, (0, 0, 1))
        for side, ear in ((-1.0, posed.landmarks[0]), (1.0, posed.landmarks[16])):
            behind = (ear - np.array([0, 0, 4]))[None]
            assert first_met(posed, behind, (side, 0, 0)) == [Material.HAT]
        top = np.array([[0, 12, -2]], np.float32)
        assert first_met(posed, top, (0, 1, 0)) == [Material.HAT]
        assert person.wrap is not None
        assert not person.wrap.close or Material.HAIR not in posed.mesh.material


def test_no_hair_comes_through_a_hood(head: Head) -> None:
    loose = [dressed(head, "head-scarf", seed) for seed in range(30)]
    loose = [person for person in loose if person.wrap is not None and not person.wrap.close][:4]
    assert len(loose) == 4
    for person in loose:
        posed = pose_person(person, head, {})
        triangles = posed.mesh.triangles[posed.mesh.material == Material.HAT]
        middle = posed.mesh.vertices[triangles].mean(1)
        upper = middle[(middle[:, 1] > 3) & (middle[:, 2] < 0)]
        away = upper - np.array([0, 4.5, -0.5], np.float32)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        hits = posed.caster.cast(upper + 5 * away, -away)
        assert len(upper) > 100
        assert (hits.material == Material.HAT).mean() > 0.99


@pytest.mark.parametrize("kind", EXTRAS)
def test_what_nobody_asks_for_leaves_eyes_nose_and_forehead_free(head: Head, kind: str) -> None:
    bare = sample_person(np.random.default_rng(2), head)
    plain = pose_person(bare, head, {})
    for size in (0.0, 1.0):
        extra = Extra(kind, side=1, tone=0.2, size=size, turn=2 * size - 1)
        posed = pose_person(replace(bare, extras=(extra,)), head, {})
        assert len(posed.mesh.vertices) > len(plain.mesh.vertices)
        face = posed.landmarks[[*range(17, 48)]]
        assert set(first_met(posed, face, (0, 0, 1))) <= {Material.SKIN, Material.EYE}
        lower = {Material.HAT, Material.SKIN} if kind != "hand" else {Material.SKIN}
        assert set(first_met(posed, posed.landmarks[4:13], (0, 0, 1))) <= lower


def test_extras_are_seldom_and_never_with_a_scarf_or_mask(head: Head) -> None:
    person = somebody(head, 0)
    for accessory in ("none", *WORN):
        with_extras = [
            bool(dress(np.random.default_rng(seed), person, accessory).extras) for seed in range(200)
        ]
        if accessory in ("head-scarf", "mask"):
            assert not any(with_extras)
        else:
            assert 0.04 < np.mean(with_extras) < 0.25
