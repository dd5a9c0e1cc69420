"""The parts of a training: recipes, pairs in batches, changed pictures, losses, schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from training_made import made_faces, with_mirrored_people

from facedata.labelled import Attribute, FaceSet
from faces.errors import TrainingError
from generator.architecture import Architecture
from generator.devices import autocast, pick_precision
from generator.networks import TwoStage
from generator.training import Augmentation, Budget, adjusted, join_sets, prepare, recipe, restrict_people
from generator.training.augmentation import degrade, mirror, shared_changes
from generator.training.batches import (
    BatchMaker,
    EpochSampler,
    MatchedSampler,
    PersonSampler,
    alike_but_light,
)
from generator.training.data import TrainingData, mirrored_places
from generator.training.recipes import check_recipe
from generator.training.trainer import ema_decay_at, learning_rate_at, update_ema
from generator.training.two_stage import GradientMaker, contrastive, drawing_phases, grey_levels, row_errors

CPU = torch.device("cpu")


SMALL = replace(recipe("default"), batch_size=8, people_per_batch=4, augmentation=None)


def test_paper_preset_is_the_papers_recipe() -> None:
    paper = recipe("paper")
    assert (paper.batch_size, paper.optimiser, paper.momentum, paper.learning_rate) == (32, "sgd", 0.95, 1e-5)
    assert (
        paper.summed_error and not paper.joint and paper.augmentation is None and not paper.contrastive_weight
    )


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="paper, default"):
        recipe("papr")


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 0},
        {"batch_size": 10, "people_per_batch": 4},
        {"optimiser": "adam"},
        {"joint": False},
        {"learning_rate": 0.0},
        {"error": "cubed"},
    ],
)
def test_contradictory_recipe_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingError):
        check_recipe(replace(recipe("default"), **changes))  # type: ignore[arg-type]


def test_adjusted_changes_only_what_is_given() -> None:
    default = recipe("default")
    assert adjusted(default) == default
    given: dict[str, Any] = {
        "batch_size": 32,
        "people_per_batch": 8,
        "learning_rate": 0.1,
        "contrastive_weight": 0.2,
        "any_light": 0.5,
    }
    changed = adjusted(default, **given, augment="none")
    assert changed == replace(default, **given, augmentation=None)
    with pytest.raises(TrainingError, match="none, mirror, full"):
        adjusted(default, augment="half")


@pytest.mark.parametrize(
    "budget", [Budget(), Budget(pairs=1, minutes=1.0), Budget(pairs=0), Budget(minutes=-1)]
)
def test_budget_needs_exactly_one_positive_length(budget: Budget) -> None:
    with pytest.raises(TrainingError, match="--pairs or --minutes"):
        budget.check()


def test_budget_is_counted_in_its_own_unit() -> None:
    assert Budget(pairs=200).fraction(50, 1e9) == 0.25
    assert Budget(minutes=2).fraction(10**9, 30.0) == 0.25


def test_an_epoch_shows_every_pair_once() -> None:
    faces = prepare(made_faces(), attribute="pose", seed=0, held_out=0).train
    batches = EpochSampler(faces, replace(SMALL, batch_size=7), 3)
    seen = np.concatenate([batches(step)[0] for step in range(len(faces.pairs))])  # seven epochs
    for epoch in np.split(seen, 7):
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, faces.pairs))


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    faces = prepare(made_faces(), attribute="pose", seed=0, held_out=0).train
    settings = replace(SMALL, batch_size=6, people_per_batch=3)
    for make in (EpochSampler, PersonSampler, MatchedSampler):
        straight, late = make(faces, settings, 1), make(faces, settings, 1)
        expected = [straight(step)[0] for step in range(9)]
        assert np.array_equal(late(8)[0], expected[8])
        assert not np.array_equal(make(faces, settings, 2)(8)[0], expected[8])


def test_person_batches_hold_several_different_pairs_of_few_people() -> None:
    data = prepare(made_faces(people=6), attribute="pose", seed=0, held_out=0)
    rows, groups = PersonSampler(data.train, replace(SMALL, batch_size=12, people_per_batch=3), 0)(0)
    persons = data.train.faces.persons
    assert np.array_equal(persons[rows[:, 0]], persons[rows[:, 1]])
    for group in range(3):
        mine = rows[groups == group]
        assert len(set(persons[mine[:, 0]])) == 1 and len({tuple(row) for row in mine}) == 4
    assert len(set(persons[rows[:, 0]])) == 3


def matched(data: TrainingData, *, batch: int, people: int) -> MatchedSampler:
    return MatchedSampler(data.train, replace(SMALL, batch_size=batch, people_per_batch=people), 0)


def test_matched_batches_draw_all_people_with_the_same_values_in_the_same_lights() -> None:
    data = prepare(made_faces(people=6, lights=4), attribute="pose", seed=0, held_out=0)
    faces = data.train.faces
    grids = set()
    for step in range(12):
        rows, groups = matched(data, batch=12, people=3)(step)
        target = rows[:, 1]
        cells = [tuple(zip(faces.poses[one], faces.lights[one], strict=True)) for one in np.split(target, 3)]
        assert cells[0] == cells[1] == cells[2]
        assert len(set(cells[0])) == 4 and len({pose for pose, _ in cells[0]}) == 2
        assert len({light for _, light in cells[0]}) == 2
        assert np.array_equal(faces.persons[rows[:, 0]], faces.persons[target])
        assert len(set(faces.persons[target])) == 3 and np.array_equal(groups, np.repeat(range(3), 4))
        grids.add(frozenset(cells[0]))
    assert len(grids) > 4


def test_who_lacks_a_light_is_drawn_with_the_value_in_another() -> None:
    many, few = made_faces(people=2, lights=4), made_faces(people=2, lights=1, seed=1)
    data = prepare(join_sets([many, few]), attribute="pose", seed=0, held_out=0)
    faces, missing = data.train.faces, 0
    for step in range(20):
        target = matched(data, batch=16, people=4)(step)[0][:, 1].reshape(4, 4)
        for one in target[1:]:
            shared = np.isin(faces.poses[target[0]], faces.poses[one])
            assert shared.all()
            missing += int((faces.lights[target[0]] != faces.lights[one]).sum())
    assert missing > 20


@pytest.mark.parametrize("each", [1, 2, 3, 5, 8])
def test_matched_batches_have_as_many_pairs_as_asked(each: int) -> None:
    for lights in (1, 3):
        for to in (None, ["0"]):
            data = prepare(made_faces(people=3, lights=lights), attribute="pose", to=to, seed=0, held_out=0)
            rows, groups = matched(data, batch=2 * each, people=2)(5)
            assert rows.shape == (2 * each, 2) and groups.shape == (2 * each,)
            known = {tuple(pair) for pair in data.train.pairs.tolist()}
            assert {tuple(pair) for pair in rows.tolist()} <= known


def test_matched_batches_are_mirrored_all_or_none() -> None:
    data = prepare(made_faces(people=6), attribute="pose", seed=0, held_out=0)
    only_mirror = Augmentation(gain=0, offset=0, gamma=0, degraded=0)
    settings = replace(SMALL, people_per_batch=4, matched=True, augmentation=only_mirror)
    feeder, plain = (
        BatchMaker(data.train, data, one, 0, CPU) for one in (settings, replace(settings, augmentation=None))
    )
    flipped = {
        torch.allclose(feeder(step).target, plain(step).target.flip(-1), atol=1e-4) for step in range(12)
    }
    straight = {torch.allclose(feeder(step).target, plain(step).target, atol=1e-4) for step in range(12)}
    assert flipped == straight == {True, False}


def test_what_words_do_not_tell_of_a_mirror_is_found_in_the_mean_pictures() -> None:
    both = with_mirrored_people(made_faces(people=3))
    cameras = {"-45": "c05", "0": "c27", "+45": "c29"}
    named = replace(both, poses=np.array([cameras[pose] for pose in both.poses]))

    def places(faces: FaceSet, *attributes: Attribute) -> list[int] | None:
        data = prepare(faces, attribute=attributes, seed=0, held_out=0)
        found = mirrored_places(data.train, data.vocabulary)
        return None if found is None else found.tolist()

    assert places(both, "pose") == places(named, "pose") == [2, 1, 0]
    assert places(named, "pose", "light") == [2, 1, 0, 4, 3]
    assert places(named.select(named.poses != "c05"), "pose") is None


def test_mirroring_swaps_left_and_right_of_the_chosen() -> None:
    pictures = torch.arange(8.0).view(2, 2, 2)
    mirrored = mirror(pictures, torch.tensor([True, False]))
    assert mirrored[0].tolist() == [[1, 0], [3, 2]] and torch.equal(mirrored[1], pictures[1])


def test_a_mirrored_pair_is_told_the_mirrored_pose() -> None:
    data = prepare(made_faces(), attribute="pose", seed=0, held_out=0)
    only_mirror = Augmentation(gain=0, offset=0, gamma=0, degraded=0)
    feeder = BatchMaker(data.train, data, replace(SMALL, augmentation=only_mirror), 0, CPU)
    plain = BatchMaker(data.train, data, SMALL, 0, CPU)
    flipped = kept = 0
    for step in range(6):
        changed, straight = feeder(step), plain(step)
        for row in range(8):
            if torch.allclose(changed.target[row], straight.target[row], atol=1e-4):
                assert torch.equal(changed.wish[row], straight.wish[row])
                kept += 1
            else:
                assert torch.allclose(changed.target[row], straight.target[row].flip(-1), atol=1e-4)
                assert torch.allclose(changed.source[row], straight.source[row].flip(-1), atol=1e-4)
                assert torch.equal(changed.wish[row], straight.wish[row].flip(-1))
                flipped += 1
    assert flipped and kept


def test_shared_changes_are_the_same_within_a_pair_and_a_group() -> None:
    pictures = torch.full((4, 3, 3), 100.0)
    first, second = shared_changes(
        [pictures, pictures.clone()],
        torch.tensor([0, 0, 1, 1]),
        Augmentation(),
        torch.Generator().manual_seed(1),
    )
    assert torch.equal(first, second) and torch.equal(first[0], first[1]) and torch.equal(first[2], first[3])
    assert not torch.equal(first[0], first[2]) and not torch.equal(first, pictures)


def test_degradation_of_nought_changes_nothing_and_of_one_everything() -> None:
    pictures = torch.rand(6, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
    rng = torch.Generator().manual_seed(1)
    untouched = degrade(pictures, Augmentation(degraded=0.0), rng)
    assert torch.allclose(untouched, pictures, atol=0.05)
    changed = degrade(pictures, Augmentation(degraded=1.0), rng)
    assert all(not torch.allclose(changed[row], pictures[row], atol=0.5) for row in range(6))
    assert changed.min() >= 0 and changed.max() <= 255


def test_the_target_stays_clean_while_what_is_shown_is_degraded() -> None:
    data = prepare(made_faces(), attribute="pose", seed=0, held_out=0)
    settings = Augmentation(mirror=False, gain=0, offset=0, gamma=0, degraded=1.0)
    changed = BatchMaker(data.train, data, replace(SMALL, augmentation=settings), 0, CPU)(0)
    plain = BatchMaker(data.train, data, SMALL, 0, CPU)(0)
    assert torch.allclose(changed.target, plain.target, atol=1e-4)
    assert not torch.allclose(changed.source, plain.source, atol=0.05)
    assert not torch.allclose(changed.positive_shown, plain.target, atol=0.05)


def test_rows_with_the_very_same_target_are_marked() -> None:
    data = prepare(made_faces(people=1, lights=1), attribute="pose", seed=0, held_out=0)
    batch = BatchMaker(data.train, data, replace(SMALL, batch_size=6, people_per_batch=1), 0, CPU)(0)
    for row in range(6):
        for other in range(6):
            alike = torch.equal(batch.target[row], batch.target[other])
            assert bool(batch.same[row, other]) == alike
    assert int(batch.same.sum()) == 12  # three targets, each of two sources


def test_any_light_takes_positives_from_other_lights_and_spares_them_as_negatives() -> None:
    data = prepare(made_faces(people=2, lights=4), attribute="pose", seed=0, held_out=0)
    faces = data.train.faces
    settings = replace(SMALL, batch_size=8, people_per_batch=2, any_light=1.0)
    feeder = BatchMaker(data.train, data, settings, 0, CPU)
    pictures = (torch.from_numpy(faces.crops).float() - data.mean) / data.std
    other_lights = 0
    for step in range(4):
        batch = feeder(step)
        shown = [_row_of(picture, pictures) for picture in batch.positive[:, 0]]
        wanted = [_row_of(picture, pictures) for picture in batch.target[:, 0]]
        assert np.array_equal(faces.persons[shown], faces.persons[wanted])
        assert np.array_equal(faces.poses[shown], faces.poses[wanted])
        other_lights += int((faces.lights[shown] != faces.lights[wanted]).sum())
        label = np.char.add(faces.persons[wanted], faces.poses[wanted])
        assert np.array_equal(batch.same.numpy(), label[:, None] == label[None, :])
    assert other_lights > 10


def test_pairs_that_keep_their_light_have_the_other_lights_as_negatives() -> None:
    data = prepare(made_faces(people=2, lights=2), attribute="pose", seed=0, held_out=0)
    faces = data.train.faces
    pictures = (torch.from_numpy(faces.crops).float() - data.mean) / data.std
    feeder = BatchMaker(
        data.train, data, replace(SMALL, batch_size=8, people_per_batch=2, any_light=0.5), 0, CPU
    )
    spared = negatives = 0
    for step in range(16):
        batch = feeder(step)
        found = np.array([_row_of(picture, pictures) for picture in batch.positive[:, 0]])
        wanted = np.array([_row_of(picture, pictures) for picture in batch.target[:, 0]])
        label = np.char.add(faces.persons[found], faces.poses[found])
        alike = label[:, None] == label[None, :]
        for row, same in enumerate(batch.same.numpy()):
            keeps_light = np.array_equal(same, found == wanted[row])
            assert keeps_light or np.array_equal(same, alike[row])
            others = alike[row] & (found != wanted[row])
            spared += int((others & same).sum())
            negatives += int((others & ~same).sum())
            if found[row] != wanted[row]:
                assert np.array_equal(same, alike[row])
    assert spared > 10
    assert negatives > 10


def test_what_is_drawn_is_the_clean_version_and_what_is_shown_is_not() -> None:
    plain = made_faces()
    data = prepare(replace(plain, clean=255 - plain.crops), attribute="pose", seed=0, held_out=0)
    settings = replace(SMALL, any_light=0.5, augmentation=Augmentation(gain=0, offset=0, gamma=0, degraded=0))
    batch = BatchMaker(data.train, data, settings, 0, CPU)(0)

    def levels(part: torch.Tensor) -> torch.Tensor:
        return part * data.std + data.mean

    # What is drawn with its own value stays as it is: that is what canonicalisation knows a value by.
    assert torch.allclose(levels(batch.positive), levels(batch.positive_shown), atol=0.05)
    without = prepare(plain, attribute="pose", seed=0, held_out=0)
    usual = BatchMaker(without.train, without, settings, 0, CPU)(0)
    assert torch.equal(batch.source, usual.source)
    assert torch.allclose(levels(batch.target), 255 - levels(usual.target), atol=0.05)
    assert data.description["sha256"] != without.description["sha256"]
    joined = join_sets([replace(plain, clean=255 - plain.crops), plain])
    assert joined.clean is not None
    assert np.array_equal(joined.clean, np.concatenate([255 - plain.crops, plain.crops]))


def _row_of(picture: torch.Tensor, pictures: torch.Tensor) -> int:
    return int((pictures - picture).abs().flatten(1).sum(1).argmin())


def test_contrast_finds_the_own_positive_and_leaves_out_the_same_target() -> None:
    features = torch.eye(3)
    same = torch.eye(3, dtype=torch.bool)
    loss, right = contrastive(features, features, same, 0.1)
    assert loss.item() == pytest.approx(np.log(1 + 2 * np.exp(-10)), rel=1e-2) and right.item() == 1
    twins = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    marked = same.clone()
    marked[0, 1] = marked[1, 0] = True
    assert contrastive(twins, twins, same, 0.1)[0].item() > 0.4  # each twin takes the other for itself
    assert contrastive(twins, twins, marked, 0.1)[0].item() < 1e-3


def test_row_errors_are_means_over_pixels() -> None:
    drawn = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert row_errors(drawn, torch.zeros(2, 1, 2, 2)).tolist() == [1.0, 9.0]


@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_in_parts_are_those_of_the_whole_batch(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generator.training.two_stage._PART", 3)
    data = prepare(made_faces(), attribute="pose", seed=0, held_out=0)
    settings = replace(
        recipe("default"), batch_size=8, people_per_batch=4, reconstruction_weight=0.5, contrastive_weight=0.3
    )
    torch.manual_seed(0)
    network = TwoStage(Architecture(size=8, attribute_size=3))
    phase = drawing_phases(network, settings)[0]
    batch = BatchMaker(data.train, data, settings, 0, CPU)(0)
    maker = GradientMaker(settings, threads=threads, device=CPU, dtype=torch.float32)
    loss, measures = maker(phase, batch)
    maker.close()
    parted = [parameter.grad.clone() for parameter in phase.parameters if parameter.grad is not None]
    network.zero_grad()
    first, second, queries = network(batch.source, batch.wish)
    again1, again2, positives = network(batch.positive_shown, batch.wish)
    whole = sum(
        ((drawn - batch.target) ** 2).mean() * weight
        for drawn, weight in ((first, 1), (second, 1), (again1, 0.5), (again2, 0.5))
    )
    whole = whole + 0.3 * contrastive(queries, positives, batch.same, settings.temperature)[0]
    whole.backward()
    assert loss == pytest.approx(whole.item(), rel=1e-4)
    assert measures["stage2"] == pytest.approx(((second - batch.target) ** 2).mean().item(), rel=1e-4)
    for got, parameter in zip(parted, network.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(got, parameter.grad, rtol=1e-3, atol=1e-4)


def test_paper_trains_one_stage_at_a_time_on_the_summed_error() -> None:
    data = prepare(made_faces(), attribute="pose", seed=0, held_out=0)
    settings = replace(recipe("paper"), batch_size=4)
    network = TwoStage(Architecture(size=8, attribute_size=3))
    first, second = drawing_phases(network, settings)
    batch = BatchMaker(data.train, data, settings, 0, CPU)(0)
    maker = GradientMaker(settings, threads=1, device=CPU, dtype=torch.float32)
    loss, measures = maker(first, batch)
    assert loss == pytest.approx(64 * measures["stage1"], rel=1e-5) and "stage2" not in measures
    assert all(parameter.grad is None for parameter in network.stage2.parameters())
    network.zero_grad(set_to_none=True)
    maker(second, batch)
    maker.close()
    assert all(parameter.grad is None for parameter in network.stage1.parameters())
    assert all(parameter.grad is not None for parameter in network.stage2.parameters())


def test_the_rate_warms_up_and_falls_to_nearly_nothing() -> None:
    default = recipe("default")
    rates = [learning_rate_at(default, share) for share in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(default.learning_rate) and 2 <= peak <= 4
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01 * default.learning_rate


def test_the_papers_rate_stays_once_it_is_warm() -> None:
    paper = recipe("paper")
    assert 0 < learning_rate_at(paper, 0.0) < learning_rate_at(paper, 0.5 * paper.warmup) < 1e-5
    assert learning_rate_at(paper, paper.warmup) == learning_rate_at(paper, 1.0) == 1e-5


def test_the_average_of_weights_follows_the_network() -> None:
    average, network = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for module, value in ((average, 0.0), (network, 1.0)):
        torch.nn.init.constant_(module.weight, value)
        torch.nn.init.constant_(module.bias, value)
    update_ema(average, network, 0.75)
    assert average.weight.item() == pytest.approx(0.25)
    default = recipe("default")
    assert ema_decay_at(default, 0) == pytest.approx(0.1)
    assert ema_decay_at(default, 10**6) == default.ema_decay


def test_precision_is_what_was_asked_for() -> None:
    assert pick_precision("float32", CPU) == torch.float32
    with pytest.raises(TrainingError, match="auto, float32, bfloat16"):
        pick_precision("half", CPU)
    layer = torch.nn.Linear(2, 2)
    with autocast(CPU, torch.bfloat16):
        assert layer(torch.ones(1, 2)).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert layer(torch.ones(1, 2)).dtype == torch.float32


def test_test_people_are_never_seen_and_val_people_validate() -> None:
    faces = made_faces(people=5)
    splits = np.where(faces.persons == "04", "test", np.where(faces.persons == "03", "val", "train"))
    data = prepare(replace(faces, splits=splits), attribute="pose", seed=0)
    assert set(data.train.faces.persons) == {"00", "01", "02"}
    assert data.validation is not None and set(data.validation.faces.persons) == {"03"}
    assert data.mean == pytest.approx(data.train.faces.crops.mean())
    assert data.std == pytest.approx(data.train.faces.crops.std())


def test_people_are_held_out_by_seed_where_nobody_is_named() -> None:
    faces = made_faces(people=6)
    data = prepare(faces, attribute="pose", seed=1, held_out=2)
    assert data.validation is not None
    held = set(data.validation.faces.persons)
    assert len(held) == 2 and not held & set(data.train.faces.persons)
    again = prepare(faces, attribute="pose", seed=1, held_out=2).validation
    assert again is not None and set(again.faces.persons) == held
    assert prepare(faces, attribute="pose", seed=1, held_out=0).validation is None
    with pytest.raises(TrainingError, match="held out"):
        prepare(faces, attribute="pose", seed=1, held_out=6)


def test_other_faces_can_validate_so_that_everybody_trains() -> None:
    data = prepare(made_faces(), attribute="pose", seed=0, validation=made_faces(people=2, seed=9))
    assert data.train.people == 4 and data.validation is not None and data.validation.people == 2
    with pytest.raises(TrainingError, match="8 pixels"):
        prepare(made_faces(), attribute="pose", seed=0, validation=made_faces(size=10))


def test_an_attribute_that_never_changes_cannot_be_learnt() -> None:
    with pytest.raises(TrainingError, match="accessory"):
        prepare(made_faces(), attribute="accessory", seed=0)


def test_joined_sets_keep_their_people_apart() -> None:
    joined = join_sets([made_faces(people=2), made_faces(people=3, seed=1)])
    assert len(set(joined.persons)) == 5 and len(joined) == 5 * 6
    with pytest.raises(TrainingError, match="one size"):
        join_sets([made_faces(), made_faces(size=10)])
    with pytest.raises(TrainingError, match="no faces"):
        join_sets([])


def test_people_can_be_restricted_by_number() -> None:
    assert set(restrict_people(made_faces(people=5), 1, 2).persons) == {"01", "02"}
    with pytest.raises(TrainingError, match="counted from 0"):
        restrict_people(made_faces(people=2), 5, 9)


def test_faces_can_be_changed_to_chosen_values_only() -> None:
    faces = made_faces(people=5)
    data = prepare(faces, attribute="pose", seed=0, to=["0"], held_out=1)
    assert data.vocabulary.groups[0].values == ("0",)
    train = data.train
    values = train.values[:, 0]
    assert set(values[train.faces.poses == "0"]) == {0} and set(values[train.faces.poses != "0"]) == {-1}
    sources, targets = train.faces.poses[train.pairs].T
    assert set(targets) == {"0"} and set(sources) == {"-45", "+45"}
    assert len(train.pairs) == 4 * 2 * 2
    assert prepare(faces, attribute="pose", seed=0, to=["+45", "0"]).vocabulary.groups[0].values == (
        "+45",
        "0",
    )
    for wrong in ([], ["90"], ["0", "0"]):
        with pytest.raises(TrainingError, match=r"the faces show: -45, 0, \+45"):
            prepare(faces, attribute="pose", seed=0, to=wrong)


def test_pictures_that_are_only_changed_from_are_no_alternatives_of_others() -> None:
    prepared = prepare(made_faces(people=3), attribute="pose", seed=0, to=["+45"], held_out=0)
    data, alike = prepared.train, alike_but_light(prepared.train, prepared.vocabulary).number
    for person in ("00", "01", "02"):
        mine = data.faces.persons == person
        wanted = mine & (data.values[:, 0] == 0)
        shared = set(alike[wanted])
        assert len(shared) == 1 and not shared & set(alike[~wanted])


def test_the_absolute_error_is_trained_on_where_the_recipe_says_so() -> None:
    drawn = torch.tensor([1.0, -3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert row_errors(drawn, torch.zeros(2, 1, 2, 2), "absolute").tolist() == [1.0, 3.0]
    assert (grey_levels(50.0, "squared"), grey_levels(50.0, "absolute")) == (2500.0, 50.0)
    settings = replace(
        recipe("completion"),
        batch_size=4,
        people_per_batch=2,
        contrastive_weight=0.0,
        reconstruction_weight=0.0,
    )
    assert settings.error == "absolute" and recipe("default").error == recipe("paper").error == "squared"
    data = prepare(made_faces(), attribute="pose", seed=0, to=["0"], held_out=0)
    network = TwoStage(Architecture(size=8, attribute_size=1))
    phase = drawing_phases(network, settings)[0]
    batch = BatchMaker(data.train, data, settings, 0, CPU)(0)
    maker = GradientMaker(settings, threads=1, device=CPU, dtype=torch.float32)
    loss, measures = maker(phase, batch)
    maker.close()
    with torch.no_grad():
        pictures = network(batch.source, batch.wish)[:2]
    expected = [float((picture - batch.target).abs().mean()) for picture in pictures]
    assert [measures["stage1"], measures["stage2"]] == pytest.approx(expected, rel=1e-4)
    assert loss == pytest.approx(sum(expected), rel=1e-4)
