"""Batches for several attributes at once, and pictures altered as photographs are."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_made import made_faces, made_wishes

from facedata.labelled import Attribute
from faces.errors import TrainingError
from generator.training import Augmentation, TrainingData, join_sets, prepare, recipe, varying
from generator.training.augmentation import degrade
from generator.training.batches import BatchesAhead, BatchMaker, BlockSampler
from generator.training.recipes import AUGMENTATIONS

CPU = torch.device("cpu")
SMALL = replace(recipe("default"), batch_size=8, people_per_batch=4, augmentation=None)
ALL: tuple[Attribute, ...] = ("pose", "light", "accessory", "expression")
PHOTOGRAPHS = AUGMENTATIONS["photographs"] or Augmentation()
OFF = Augmentation(
    mirror=False, gain=0, offset=0, gamma=0, degraded=1, shift=0, turn=0, zoom=0, blur=0, noise=0
)
SHARED = ("mirror", "gain", "offset", "gamma", "degraded")
STRENGTHS = [one.name for one in fields(Augmentation) if one.name not in SHARED]


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return prepare(made_wishes(people=12, blocks=2), attribute=ALL, seed=0, held_out=0)


def test_what_varies_is_found_and_its_well_known_words_stand_in_their_usual_order(data: TrainingData) -> None:
    assert varying(made_wishes()) == ALL
    assert [group.values for group in data.vocabulary.groups] == [
        ("-45", "0", "+45"),
        ("even", "left", "right"),
        ("none", "glasses-1", "hat-1"),
        ("neutral", "smile"),
    ]
    with pytest.raises(TrainingError, match="differ in none of pose, light"):
        varying(made_wishes().select(np.arange(1)))


def test_pairs_are_all_of_a_scene_that_differ_in_something(data: TrainingData) -> None:
    faces = data.train.faces
    labels = np.stack([faces.attribute(name) for name in ALL], axis=1)
    expected = [
        (a, b)
        for a in range(40)  # the first two people
        for b in range(40)
        if faces.persons[a] == faces.persons[b]
        and faces.scenes[a] == faces.scenes[b]
        and (labels[a] != labels[b]).any()
    ]
    assert [tuple(pair) for pair in data.train.pairs.tolist()][: len(expected)] == expected
    assert len(data.train.pairs) == 12 * 2 * 10 * 9
    for row in (0, 7, 100):
        wish = dict(zip(ALL, labels[row], strict=True))
        assert np.array_equal(data.train.vectors[row], data.vocabulary.vector(wish))


def test_what_a_set_does_not_tell_is_zeros_and_never_changes_within_a_pair() -> None:
    rig = made_faces(people=3, lights=3)  # lamps have numbers there, and nothing is told of the rest
    data = prepare(join_sets([made_wishes(), rig]), attribute=ALL, seed=0, held_out=0)
    assert [group.values for group in data.vocabulary.groups][1] == ("even", "left", "right")
    train, places = data.train, data.vocabulary.places
    from_rig = np.char.startswith(train.faces.persons, "1/")
    for name, place in places.items():
        told = train.vectors[:, place].sum(1)
        assert np.all(told[~from_rig] == 1) and np.all(told[from_rig] == (name == "pose"))
    source, target = train.pairs[from_rig[train.pairs[:, 0]]].T
    assert len(source) == 3 * 3 * 3 * 2
    assert np.array_equal(train.faces.lights[source], train.faces.lights[target])


def shown(data: TrainingData, rows: np.ndarray) -> list[tuple[str, ...]]:
    """What sources and targets of pairs show, scene and all."""
    faces = data.train.faces
    columns = (faces.scenes, *(faces.attribute(name) for name in ALL))
    return [tuple(str(column[row]) for row in pair for column in columns) for pair in rows]


def test_people_of_a_block_are_changed_alike_in_single_and_in_several_things(data: TrainingData) -> None:
    chosen = replace(SMALL, batch_size=20, people_per_batch=5)
    sampler = BlockSampler(data.train, chosen, 0)
    known = {tuple(pair) for pair in data.train.pairs.tolist()}
    persons, values = data.train.faces.persons, data.train.values
    counts = np.zeros(5, int)
    for step in range(60):
        rows, groups = sampler(step)
        assert {tuple(pair) for pair in rows.tolist()} <= known
        parts = [rows[groups == group] for group in range(5)]
        assert all(shown(data, part) == shown(data, parts[0]) for part in parts)
        assert all(len(set(persons[part.ravel()])) == 1 and len(set(part[:, 1])) == 4 for part in parts)
        assert len(set(persons[rows[:, 0]])) == 5
        np.add.at(counts, (values[parts[0][:, 0]] != values[parts[0][:, 1]]).sum(1), 1)
    assert counts[0] == 0 and counts[1] > 40 and counts[2] > 40  # of 240; pairs of one change are one in ten
    assert np.array_equal(sampler(7)[0], BlockSampler(data.train, chosen, 0)(7)[0])


def test_a_small_block_is_filled_with_others_drawn_as_alike_as_can_be() -> None:
    data = prepare(made_wishes(people=6, blocks=3), attribute=ALL, seed=0, held_out=0)
    sampler = BlockSampler(data.train, replace(SMALL, batch_size=20, people_per_batch=5), 0)
    persons, vectors = data.train.faces.persons, data.train.vectors
    known = {tuple(pair) for pair in data.train.pairs.tolist()}
    alike = lacking = 0
    for step in range(20):
        rows, _ = sampler(step)
        assert {tuple(pair) for pair in rows.tolist()} <= known
        first, mate, *others = np.split(rows, 5)
        assert shown(data, first) == shown(data, mate)
        assert len({persons[part[0, 0]] for part in (first, mate, *others)}) == 5
        for part in others:
            for wanted, got in zip(first[:, 1], part[:, 1], strict=True):
                could = (vectors[persons == persons[got]] == vectors[wanted]).all(1).any()
                alike += could
                lacking += not could
                assert np.array_equal(vectors[wanted], vectors[got]) or not could
    assert alike > 20 and lacking > 20


def test_a_mirrored_pair_is_told_the_mirrored_pose_and_light(data: TrainingData) -> None:
    feeder = BatchMaker(data.train, data, replace(SMALL, augmentation=AUGMENTATIONS["mirror"]), 0, CPU)
    plain = BatchMaker(data.train, data, SMALL, 0, CPU)
    flips = set()
    for step in range(12):
        turned, straight = feeder(step), plain(step)
        if not torch.allclose(turned.target, straight.target, atol=1e-4):
            assert torch.allclose(turned.target, straight.target.flip(-1), atol=1e-4)
            order = torch.tensor([2, 1, 0, 3, 5, 4, 6, 7, 8, 9, 10])
            assert torch.equal(turned.wish, straight.wish[:, order])
            assert torch.equal(turned.own, straight.own[:, order])
            flips.add(True)
        else:
            assert torch.equal(turned.wish, straight.wish)
            flips.add(False)
    assert flips == {True, False}


@pytest.mark.parametrize("kind", [{"any_light": 1.0}, {"any_scene": 1.0}])
def test_positives_may_differ_in_light_or_in_scene_and_come_with_their_own_vector(
    kind: dict[str, Any], data: TrainingData
) -> None:
    faces = data.train.faces
    pictures = (torch.from_numpy(faces.crops).float() - data.mean) / data.std
    feeder = BatchMaker(data.train, data, replace(SMALL, **kind), 0, CPU)
    others = 0
    for step in range(30):
        batch = feeder(step)
        found, wanted = (
            np.array([int((pictures - one).abs().flatten(1).sum(1).argmin()) for one in part[:, 0]])
            for part in (batch.positive, batch.target)
        )
        assert np.array_equal(batch.own.numpy(), data.train.vectors[found])
        assert np.array_equal(batch.wish.numpy(), data.train.vectors[wanted])
        assert np.array_equal(faces.persons[found], faces.persons[wanted])
        compared = [name for name in ALL if name != "light" or "any_scene" in kind]
        labels = np.stack([faces.persons, *(faces.attribute(name) for name in compared)], axis=1)
        assert np.array_equal(labels[found], labels[wanted])
        assert np.array_equal(batch.same.numpy(), (labels[found][:, None] == labels[found][None]).all(2))
        others += int((found != wanted).sum())
    assert others > 10


def test_wishes_may_leave_out_what_does_not_change_and_pictures_what_they_are(data: TrainingData) -> None:
    plain = BatchMaker(data.train, data, SMALL, 0, CPU)
    feeder = BatchMaker(data.train, data, replace(SMALL, attribute_dropout=0.5), 0, CPU)
    pictures = (torch.from_numpy(data.train.faces.crops).float() - data.mean) / data.std
    left_out = np.zeros(2, int)
    for step in range(20):
        batch, told = feeder(step), plain(step)
        assert torch.equal(batch.source, told.source) and torch.equal(batch.positive, told.positive)
        sources = [int((pictures - one).abs().flatten(1).sum(1).argmin()) for one in batch.source[:, 0]]
        shown = torch.from_numpy(data.train.vectors[sources])
        for part in data.vocabulary.places.values():
            kept = (batch.wish[:, part] == told.wish[:, part]).all(1)
            agreed = (shown[:, part] == told.wish[:, part]).all(1)
            assert (kept | agreed & ~batch.wish[:, part].any(1)).all()
            kept_own = (batch.own[:, part] == told.own[:, part]).all(1)
            assert (kept_own | ~batch.own[:, part].any(1)).all()
            left_out += [int((agreed & ~kept).sum()), int((~kept_own).sum())]
    assert left_out[0] > 80 and 250 < left_out[1] < 390  # of 640


def test_sources_may_be_clean_versions(data: TrainingData) -> None:
    faces = data.train.faces
    clean = np.ascontiguousarray(255 - faces.crops)
    cleaned = replace(data, train=replace(data.train, faces=replace(faces, clean=clean)))
    feeder = BatchMaker(cleaned.train, cleaned, replace(SMALL, clean_sources=0.3), 0, CPU)
    pictures, drawn = (
        (torch.from_numpy(part).float() - data.mean) / data.std for part in (faces.crops, clean)
    )

    def off(batch: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
        return torch.stack([(among - one).abs().flatten(1).mean(1).min() for one in batch[:, 0]])

    shares = []
    for step in range(20):
        batch = feeder(step)
        assert off(batch.target, drawn).max() < 1e-4
        for part in (batch.source, batch.positive_shown):
            shown, instead = off(part, pictures) < 1e-4, off(part, drawn) < 1e-4
            assert (shown ^ instead).all()
            shares.append(float(instead.float().mean()))
    assert 0.2 < np.mean(shares) < 0.4


def test_batches_made_ahead_are_the_same(data: TrainingData) -> None:
    make = BatchMaker(data.train, data, SMALL, 0, CPU)
    ahead = BatchesAhead(make)
    for step in (0, 1, 2, 7, 8, 3):
        assert torch.equal(ahead(step).source, make(step).source)
    ahead.close()


def alone(name: str, strength: float) -> Augmentation:
    changes: dict[str, Any] = {name: strength}
    return replace(OFF, **changes)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(STRENGTHS),
    size=st.sampled_from([24, 32, 45]),
    seed=st.integers(0, 2**31),
)
def test_each_change_alone_changes_pictures_within_their_range_by_the_seed_alone(
    name: str, size: int, seed: int
) -> None:
    pictures = torch.rand(24, size, size, generator=torch.Generator().manual_seed(seed)) * 255
    one = alone(name, getattr(PHOTOGRAPHS, name))
    first, again = (degrade(pictures, one, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == pictures.shape and first.min() >= 0 and first.max() <= 255
    changed = (first - pictures).abs().flatten(1).amax(1) > 0.1
    assert changed.sum() >= 4  # each is made to every second picture at least
    still = degrade(pictures, replace(one, degraded=0.0), torch.Generator().manual_seed(seed))
    assert torch.allclose(still, pictures, atol=0.05)


def test_changes_of_nought_change_nothing() -> None:
    pictures = torch.rand(6, 16, 16, generator=torch.Generator().manual_seed(0)) * 255
    assert torch.allclose(degrade(pictures, OFF, torch.Generator().manual_seed(1)), pictures, atol=0.05)


def test_the_stronger_a_change_the_farther_from_the_picture() -> None:
    faces = torch.from_numpy(made_faces(size=32).crops).float()
    for name in STRENGTHS:
        strength = getattr(PHOTOGRAPHS, name)
        weak, strong = (
            degrade(faces, alone(name, part * strength), torch.Generator().manual_seed(3))
            for part in (0.3, 1.0)
        )
        assert (weak - faces).abs().mean() < (strong - faces).abs().mean(), name
