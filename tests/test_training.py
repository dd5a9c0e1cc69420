"""A training as a whole: it learns, goes on after kills, and keeps to its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from training_made import POSES, made_faces, made_wishes, with_mirrored_people, write_faces
from typer.testing import Result

from faces.errors import TrainingError
from generator.architecture import Architecture
from generator.checkpoint import load_checkpoint
from generator.networks import TwoStage
from generator.training import Budget, Entry, Options, Recipe, TrainingData, prepare, recipe, train, varying
from generator.training.recipes import AUGMENTATIONS
from generator.training.state import (
    HISTORY_FILE,
    STATE_FILE,
    append_entry,
    claimed,
    read_counters,
    read_history,
    rewind_history,
)

EXACT = Options(precision="float32", threads=1)
SMALL = replace(recipe("default"), batch_size=8, people_per_batch=4)
STILL = replace(SMALL, learning_rate=1e-12, ema_decay=0.0, weight_decay=0.0)
TINY = Budget(pairs=8 * 8)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return prepare(made_faces(people=5), attribute="pose", seed=0, held_out=1)


def small(name: str) -> Recipe:
    return SMALL if name == "default" else replace(recipe("paper"), batch_size=8, learning_rate=1e-4)


class StopAfter:
    """Says stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def test_training_begins_as_the_weights_it_starts_from(data: TrainingData, tmp_path: Path) -> None:
    train(data, SMALL, out=tmp_path / "first", budget=TINY, options=EXACT)
    first = load_checkpoint(tmp_path / "first")
    train(data, STILL, out=tmp_path / "second", budget=Budget(pairs=8), start=first, options=EXACT)
    second = load_checkpoint(tmp_path / "second")
    for name, value in first.network.state_dict().items():
        torch.testing.assert_close(second.network.state_dict()[name], value)
    with pytest.raises(TrainingError, match="another training"):
        train(data, STILL, out=tmp_path / "second", budget=Budget(pairs=8), options=EXACT)


def test_values_that_the_first_weights_know_keep_their_part_and_new_ones_begin_as_large(
    data: TrainingData, tmp_path: Path
) -> None:
    train(data, SMALL, out=tmp_path / "first", budget=Budget(pairs=8), options=EXACT)
    first = load_checkpoint(tmp_path / "first")
    many = prepare(made_wishes(), attribute=("pose", "accessory"), seed=0, held_out=1)
    train(many, STILL, out=tmp_path / "second", budget=Budget(pairs=8), start=first, options=EXACT)
    second = load_checkpoint(tmp_path / "second")
    pictures = torch.rand(3, 1, 8, 8)
    fused = second.network.stage1.fuse1.weight
    assert fused.shape[1] == 64 + 2 * 7  # seven maps for each attribute
    with torch.no_grad():
        fused[:, 64 + 7 :] = 0  # without the further maps
        drawn = first.network(pictures, torch.eye(3))
        again = second.network(pictures, torch.eye(6)[:3])
    for one, other in zip(drawn, again, strict=True):
        torch.testing.assert_close(one, other)
    stage1 = second.network.stage1
    assert stage1.attribute1.out_features == 6  # both layers are stored as one
    columns = stage1.attribute2.weight @ stage1.attribute1.weight
    assert columns[:, 3:].std().item() == pytest.approx(columns[:, :3].std().item(), rel=0.15)
    fewer = prepare(made_faces(people=5), attribute="pose", seed=0, to=["+45", "0"], held_out=1)
    train(fewer, STILL, out=tmp_path / "third", budget=Budget(pairs=8), start=first, options=EXACT)
    with torch.no_grad():
        turned = load_checkpoint(tmp_path / "third").network(pictures[:2], torch.eye(2))
        expected = first.network(pictures[:2], torch.eye(3)[[2, 1]])
    torch.testing.assert_close(turned, expected)


def test_weights_for_another_attribute_give_all_but_what_encodes_it(
    data: TrainingData, tmp_path: Path
) -> None:
    train(data, SMALL, out=tmp_path / "first", budget=Budget(pairs=8), options=EXACT)
    first = load_checkpoint(tmp_path / "first")
    other = prepare(made_wishes(), attribute=("accessory", "expression"), seed=0, held_out=1)
    train(other, STILL, out=tmp_path / "second", budget=Budget(pairs=8), start=first, options=EXACT)
    second = load_checkpoint(tmp_path / "second").network.state_dict()
    for name, value in first.network.state_dict().items():
        if name.startswith("stage1.attribute"):
            assert (
                second[name].shape != value.shape or not torch.allclose(second[name], value) or "bias" in name
            )
        else:
            torch.testing.assert_close(
                second[name][:, : value.shape[1]] if value.ndim > 1 else second[name], value
            )


def test_training_starts_from_no_weights_of_other_sizes(data: TrainingData, tmp_path: Path) -> None:
    train(data, SMALL, out=tmp_path / "first", budget=Budget(pairs=8), options=EXACT)
    larger = prepare(made_faces(people=5, size=10), attribute="pose", seed=0, held_out=1)
    with pytest.raises(TrainingError, match="other sizes"):
        train(larger, SMALL, out=tmp_path / "second", budget=TINY, start=load_checkpoint(tmp_path / "first"))


@torch.no_grad()
def stage_errors(network: TwoStage, data: TrainingData) -> list[float]:
    """Squared grey levels of both stages over all the pairs of the people who validate."""
    held = data.validation
    assert held is not None
    rows = held.pairs
    pictures = (torch.from_numpy(held.faces.crops).float() - data.mean)[:, None] / data.std
    wish = torch.from_numpy(held.vectors[rows[:, 1]])
    drawn = network(pictures[rows[:, 0]], wish)[:2]
    return [float(((one - pictures[rows[:, 1]]) ** 2).mean()) * data.std**2 for one in drawn]


@pytest.mark.parametrize("name", ["default", "paper"])
def test_errors_fall_and_the_checkpoint_is_the_trained_network(
    name: str, data: TrainingData, tmp_path: Path
) -> None:
    entries: list[Entry] = []
    lengthy = Budget(pairs=8 * 30)
    assert train(
        data, small(name), out=tmp_path / "o", budget=lengthy, options=replace(EXACT, report=entries.append)
    )
    last = entries[-1]
    assert last.fraction == 1 and last.pairs == 240 and last.step == 30
    torch.manual_seed(0)
    untrained = stage_errors(TwoStage(Architecture(size=8, attribute_size=3)), data)
    assert last.validation["stage1"] < 0.8 * untrained[0]
    assert last.validation["stage2"] < 0.8 * untrained[1]
    loaded = load_checkpoint(tmp_path / "o")
    assert loaded.config.preset == name and loaded.config.geometry.size == 8
    assert (loaded.config.mean, loaded.config.std) == (data.mean, data.std)
    assert loaded.config.vocabulary.groups[0].values == POSES
    assert loaded.config.metrics["pairs_seen"] == 240
    assert loaded.config.data["seed"] == 0 and loaded.config.data["people"] == 4
    errors = loaded.config.metrics["unseen_people_stage2"]
    assert errors == pytest.approx(last.validation["stage2"], abs=1e-3)
    assert [entry.step for entry in read_history(tmp_path / "o")] == [entry.step for entry in entries]
    with Image.open(tmp_path / "o" / "curves.png") as picture:
        assert picture.width > 400


def test_many_attributes_are_trained_at_once_and_each_is_examined(tmp_path: Path) -> None:
    data = prepare(made_wishes(people=9), attribute=varying(made_wishes()), seed=0, held_out=2)
    entries: list[Entry] = []
    settings = replace(SMALL, any_scene=0.3, augmentation=AUGMENTATIONS["mirror"])
    options = replace(EXACT, report=entries.append)
    train(data, settings, out=tmp_path / "o", budget=Budget(pairs=8 * 40), options=options)
    last = entries[-1].validation
    untrained = stage_errors(TwoStage(Architecture(size=8, attribute_size=11)), data)
    assert last["stage2"] < 0.8 * untrained[1]
    drawn = stage_errors(load_checkpoint(tmp_path / "o").network, data)
    assert [last["stage1"], last["stage2"]] == pytest.approx(drawn, rel=1e-3)
    names = list(varying(made_wishes()))
    shares = [last[f"{name}_accuracy"] for name in names]
    assert last["value_accuracy"] == pytest.approx(np.mean(shares)) and 0 <= min(shares) <= max(shares) <= 1
    assert 0 <= last["recall1_exact"] <= last["recall1"] <= 1
    known = load_checkpoint(tmp_path / "o").config.vocabulary
    assert [group.name for group in known.groups] == names
    assert [len(group.values) for group in known.groups] == [3, 3, 3, 2]


def test_validation_measures_what_the_checkpoint_draws(data: TrainingData, tmp_path: Path) -> None:
    entries: list[Entry] = []
    train(data, SMALL, out=tmp_path / "o", budget=TINY, options=replace(EXACT, report=entries.append))
    drawn = stage_errors(load_checkpoint(tmp_path / "o").network, data)
    found = [entries[-1].validation[name] for name in ("stage1", "stage2")]
    assert found == pytest.approx(drawn, rel=1e-3)
    assert 0 <= entries[-1].validation["recall1_exact"] <= entries[-1].validation["recall1"] <= 1


@pytest.mark.parametrize("name", ["default", "paper"])
@pytest.mark.parametrize("steps", [1, 3, 6])
def test_interrupted_and_resumed_equals_uninterrupted(
    name: str, steps: int, data: TrainingData, tmp_path: Path
) -> None:
    straight, parted = tmp_path / "straight", tmp_path / "parted"
    assert train(data, small(name), out=straight, budget=TINY, options=EXACT)
    assert not train(
        data, small(name), out=parted, budget=TINY, options=replace(EXACT, stop=StopAfter(steps))
    )
    halfway = read_counters(parted)
    assert halfway is not None and halfway.step == steps
    load_checkpoint(parted)  # usable at once
    assert train(data, small(name), out=parted, budget=TINY, options=EXACT)
    ours, theirs = read_counters(parted), read_counters(straight)
    assert ours is not None and theirs is not None
    assert (ours.step, ours.pairs, ours.phase) == (theirs.step, theirs.pairs, theirs.phase)
    expected = load_file(straight / STATE_FILE)
    found = load_file(parted / STATE_FILE)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_a_finished_training_is_left_as_it_is(data: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "o"
    train(data, SMALL, out=out, budget=TINY, options=EXACT)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".png"}
    assert train(data, SMALL, out=out, budget=TINY, options=EXACT)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".png"} == before


def test_a_checkpoint_that_a_kill_kept_from_being_written_is_made_up_for(
    data: TrainingData, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    train(data, SMALL, out=out, budget=TINY, options=EXACT)
    expected = (out / "weights.safetensors").read_bytes()
    (out / "weights.safetensors").unlink()
    train(data, SMALL, out=out, budget=TINY, options=EXACT)
    assert (out / "weights.safetensors").read_bytes() == expected


def test_another_training_in_the_folder_is_refused_naming_what_differs(
    data: TrainingData, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    train(data, SMALL, out=out, budget=TINY, options=replace(EXACT, stop=StopAfter(1)))
    state = (out / STATE_FILE).read_bytes()
    with pytest.raises(TrainingError, match=r"recipe\.learning_rate: 0\.001 there, 0\.002 here"):
        train(data, replace(SMALL, learning_rate=2e-3), out=out, budget=TINY, options=EXACT)
    with pytest.raises(TrainingError, match="seed"):
        train(data, SMALL, out=out, budget=TINY, seed=1, options=EXACT)
    others = prepare(made_faces(people=5, seed=8), attribute="pose", seed=0, held_out=1)
    with pytest.raises(TrainingError, match=r"data\.sha256"):
        train(others, SMALL, out=out, budget=TINY, options=EXACT)
    assert (out / STATE_FILE).read_bytes() == state


def test_a_training_of_an_earlier_version_is_left_alone(data: TrainingData, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text('{"recipe": {"rate": 0.001}}')
    with pytest.raises(TrainingError, match="other settings"):
        train(data, SMALL, out=tmp_path, budget=TINY, options=EXACT)
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]


def test_a_folder_of_other_things_is_not_written_into(data: TrainingData, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(TrainingError, match="not empty"):
        train(data, SMALL, out=tmp_path, budget=TINY, options=EXACT)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    with (
        claimed(tmp_path / "o", {"seed": 1}),
        pytest.raises(TrainingError, match=f"Process {os.getpid()} is writing"),
        claimed(tmp_path / "o", {"seed": 1}),
    ):
        pass
    with claimed(tmp_path / "o", {"seed": 1}):
        pass


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_state_is_named(content: bytes, data: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "o"
    train(data, SMALL, out=out, budget=TINY, options=replace(EXACT, stop=StopAfter(1)))
    (out / STATE_FILE).write_bytes(content)
    with pytest.raises(TrainingError, match=r"state\.safetensors cannot be gone on from"):
        train(data, SMALL, out=out, budget=TINY, options=EXACT)


def test_a_diverging_training_ends_with_a_plain_error(data: TrainingData, tmp_path: Path) -> None:
    wild = replace(recipe("paper"), batch_size=8, learning_rate=5.0)
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        train(data, wild, out=tmp_path / "o", budget=Budget(pairs=800), options=EXACT)


def test_a_training_to_one_value_in_absolute_errors_is_whole_and_says_so(tmp_path: Path) -> None:
    data = prepare(made_faces(people=5), attribute="pose", seed=0, to=["0"], held_out=1)
    entries: list[Entry] = []
    settings = replace(recipe("completion"), batch_size=8, people_per_batch=4)
    train(data, settings, out=tmp_path / "o", budget=TINY, options=replace(EXACT, report=entries.append))
    last = entries[-1]
    assert last.error == "absolute" and read_history(tmp_path / "o")[-1].error == "absolute"
    loaded = load_checkpoint(tmp_path / "o")
    assert loaded.config.vocabulary.groups[0].values == ("0",)
    assert loaded.config.metrics["error"] == "mean absolute error per pixel, grey levels (0-255)"
    held = data.validation
    assert held is not None
    rows = held.pairs
    pictures = (torch.from_numpy(held.faces.crops).float() - data.mean)[:, None] / data.std
    with torch.no_grad():
        drawn = loaded.network(pictures[rows[:, 0]], torch.ones(len(rows), 1))[:2]
    errors = [float((one - pictures[rows[:, 1]]).abs().mean()) * data.std for one in drawn]
    assert [last.validation["stage1"], last.validation["stage2"]] == pytest.approx(errors, rel=1e-3)
    assert "value_accuracy" not in last.validation and 0 <= last.validation["recall1_exact"] <= 1


def test_histories_of_before_errors_had_kinds_are_read(tmp_path: Path) -> None:
    entry = Entry(1, 8, 1.0, 0.1, "both", 0.1, 5.0, {}, {})
    append_entry(tmp_path, entry)
    path = tmp_path / HISTORY_FILE
    path.write_text(path.read_text().replace(', "error": "squared"', ""))
    assert read_history(tmp_path) == [entry]


def test_history_forgets_what_will_be_lived_through_again(tmp_path: Path) -> None:
    entries = [Entry(step, 8 * step, 1.0, 0.1, "both", 0.1, 5.0, {}, {}) for step in (1, 2, 3)]
    for entry in entries:
        append_entry(tmp_path, entry)
    with (tmp_path / HISTORY_FILE).open("a") as handle:
        handle.write('{"step": 4, "pa')  # a kill while writing
    rewind_history(tmp_path, 2)
    assert read_history(tmp_path) == entries[:2]


def command(faces: Path, out: Path) -> list[str]:
    options = "--cropped --size 8 --batch-size 8 --people-per-batch 4 --pairs 320 --held-out 1"
    exact = "--precision float32 --threads 1"
    return ["train", str(faces), *options.split(), *exact.split(), "--out", str(out)]


@pytest.mark.slow
def test_killed_command_goes_on_and_ends_as_if_undisturbed(
    tmp_path: Path, run_cli: Callable[..., Result], rng: np.random.Generator
) -> None:
    faces, out = write_faces(tmp_path / "faces", made_faces(people=5)), tmp_path / "out"
    arguments = [sys.executable, "-m", "cli.main", *command(faces, out), "--save-every", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    reached = []
    for _ in range(3):
        with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env=environment) as process:
            before = read_counters(out)
            earlier = before.step if before else 0
            while process.poll() is None:  # until it has got on by a few steps
                found = read_counters(out) if out.exists() else None
                if found and found.step >= earlier + 3:
                    time.sleep(float(rng.uniform(0, 0.1)))
                    break
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        found = read_counters(out)
        assert found is not None
        reached.append(found.step)
        load_checkpoint(out)
    assert 0 < reached[0] < reached[1] < reached[2] < 40
    finishing = run_cli(*command(faces, out))
    assert finishing.exit_code == 0, finishing.stderr
    undisturbed = run_cli(*command(faces, tmp_path / "other"))
    assert undisturbed.exit_code == 0, undisturbed.stderr
    last = read_history(out)[-1]
    assert (last.step, last.pairs, last.fraction) == (40, 320, 1.0)
    expected = load_checkpoint(tmp_path / "other").network.state_dict()
    for name, value in load_checkpoint(out).network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4, msg=name)


def test_command_says_who_learns_and_how_it_went(tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    faces = write_faces(tmp_path / "faces", made_faces(people=5))
    arguments = [word if word != "320" else "16" for word in command(faces, tmp_path / "out")]
    result = run_cli(*arguments)
    assert result.exit_code == 0, result.stderr
    assert "4 people, 24 faces, 48 pairs; validated on 1 others" in result.stderr
    assert "100 %, 16 pairs" in result.stderr and "unseen people: squared error" in result.stderr
    assert f"trained: {tmp_path / 'out'}" in result.stdout
    assert "preset small, since a batch of 4 people is soon told apart" in result.stderr
    assert "half of the pictures are mirrored\n" in result.stderr
    assert json.loads((tmp_path / "out" / "config.json").read_text())["preset"] == "small"


def test_command_says_what_it_trains_of_cameras_and_keeps_to_a_preset(
    tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    both = with_mirrored_people(made_faces(people=5))
    cameras = {"-45": "c05", "0": "c27", "+45": "c29"}
    named = replace(both, poses=np.array([cameras[pose] for pose in both.poses]))
    faces, out = write_faces(tmp_path / "faces", named), tmp_path / "out"
    short = [word if word != "320" else "8" for word in command(faces, out)]
    result = run_cli(*short, "--attribute", "pose", "--preset", "default")
    assert result.exit_code == 0, result.stderr
    assert "pose: c05, c27, c29" in result.stderr and "preset small" not in result.stderr
    assert "mirrored, which swaps c05 and c29" in result.stderr
    assert json.loads((out / "config.json").read_text())["preset"] == "default"
    half = write_faces(tmp_path / "half", named.select(named.poses != "c05"))
    short = [word if word != "320" else "8" for word in command(half, tmp_path / "other")]
    assert "no picture is mirrored" in run_cli(*short).stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--preset", "papr"], "paper, default, small, completion"),
        (["--pairs", "8", "--minutes", "1"], "--pairs or --minutes"),
        (["--minutes", "0"], "--pairs or --minutes"),
        (["--people", "7"], "0-99"),
        (["--people", "90-99"], "counted from 0"),
        (["--attribute", "pose", "--attribute", "hat"], "pose, light, accessory, tilt"),
        (["--attribute", "accessory"], "accessory"),
        (["--attribute", "pose", "--attribute", "light", "--to", "0"], "leave out --to"),
        (["--to", "none"], "the faces show: -45, 0, +45"),
        (["--batch-size", "7"], "multiple"),
        (["--precision", "half"], "bfloat16"),
        (["--held-out", "5"], "held out"),
    ],
)
def test_a_wrong_option_is_one_plain_line(
    options: list[str], words: str, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    faces = write_faces(tmp_path / "faces", made_faces(people=5))
    common = ["train", faces, "--cropped", "--size", "8", "--out", tmp_path / "out"]
    result = run_cli(*common, *options)
    assert result.exit_code != 0 and words in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out" / STATE_FILE).exists()
