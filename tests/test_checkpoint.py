"""Checkpoints: what is saved is loaded, and what is damaged says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generators_made import network_for, pose_config
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from faces.errors import WeightsError
from generator import available
from generator.available import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, shipped_names
from generator.checkpoint import load_checkpoint, load_generator, save_checkpoint, weights_id
from generator.config import from_json, to_json
from generator.deferred import DeferredGenerator
from generator.networks import TwoStage

CONFIG = pose_config(16, 4)


def network(seed: int = 0) -> TwoStage:
    return network_for((16, 4, False), seed)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "turner"
    save_checkpoint(folder, network(), CONFIG)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own to damage."""
    return Path(shutil.copytree(sound, tmp_path / "turner"))


def test_what_is_saved_is_loaded(sound: Path) -> None:
    loaded = load_checkpoint(sound)
    assert loaded.config == CONFIG
    assert not loaded.network.training
    expected = network().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.network.state_dict().items())
    assert sorted(path.name for path in sound.iterdir()) == sorted([CONFIG_FILE, WEIGHTS_FILE, CARD_FILE])


def test_a_generator_comes_with_its_preprocessing(sound: Path) -> None:
    generator = load_generator(sound, device="cpu")
    assert generator.name == "turner"
    assert generator.weights_id == load_checkpoint(sound).weights_id
    assert generator.geometry == CONFIG.geometry
    assert generator.vocabulary == CONFIG.vocabulary
    wish = generator.vocabulary.vectors(np.zeros((1, len(CONFIG.vocabulary.groups)), np.int64))
    assert generator.draw(np.zeros((1, 16, 16), np.uint8), wish).stage2.shape == (1, 16, 16)


def test_the_weights_id_follows_weights_and_preprocessing_and_nothing_else(tmp_path: Path) -> None:
    geometry = replace(CONFIG.geometry, eye_y=0.31)
    first = save_checkpoint(tmp_path / "a", network(), CONFIG)
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert save_checkpoint(tmp_path / "b", network(), replace(CONFIG, metrics={}, preset="x")) == first
    others = [
        save_checkpoint(tmp_path / "c", network(1), CONFIG),
        save_checkpoint(tmp_path / "d", network(), replace(CONFIG, mean=1.0)),
        save_checkpoint(tmp_path / "e", network(), replace(CONFIG, std=2.0)),
        save_checkpoint(tmp_path / "f", network(), replace(CONFIG, geometry=geometry)),
    ]
    assert len({first, *others}) == 5


def test_whole_numbers_and_numpys_numbers_are_kept(tmp_path: Path) -> None:
    config = replace(CONFIG, mean=118, std=np.float64(60.25))
    save_checkpoint(tmp_path, network(), config)
    assert load_checkpoint(tmp_path).config == config


def test_a_network_in_another_type_is_saved_as_float32(tmp_path: Path) -> None:
    import copy

    changed = copy.deepcopy(network()).bfloat16()
    save_checkpoint(tmp_path, changed, CONFIG)
    state = load_checkpoint(tmp_path).network.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert torch.equal(state["stage1.fuse1.weight"], changed.stage1.fuse1.weight.float())


def test_the_model_card_says_what_the_configuration_says(sound: Path) -> None:
    card = (sound / CARD_FILE).read_text(encoding="utf-8")
    said = ("# turner", "-45, -30, -15, 0, +15, +30, +45", "stage2: 123.5", "seed: 7", "16 × 16", "conv6")
    assert all(words in card for words in said)
    assert load_checkpoint(sound).weights_id in card
    assert "$" not in card


@pytest.mark.parametrize("killed_at", range(1, 4))
def test_a_kill_while_saving_leaves_the_old_or_the_new(
    folder: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    old, new = load_checkpoint(folder), replace(CONFIG, mean=99.0)
    calls = 0

    class KilledError(BaseException):
        pass

    def replace_until_killed(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == killed_at:
            raise KilledError
        os.rename(self, target)  # noqa: PTH104 (Path.replace is what is replaced)
        return target

    monkeypatch.setattr(Path, "replace", replace_until_killed)
    with pytest.raises(KilledError):
        save_checkpoint(folder, network(1), new)
    monkeypatch.undo()
    found = load_checkpoint(folder)
    assert found.config == (old.config if killed_at == 1 else new)
    expected = network(0 if killed_at == 1 else 1).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.network.state_dict().items())
    identity = save_checkpoint(folder, network(1), new)  # and the next save mends it
    assert load_checkpoint(folder).weights_id == identity
    assert json.loads((folder / CONFIG_FILE).read_text())["weights_id"] == identity


def rewritten(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of a weights file."""
    path = folder / WEIGHTS_FILE
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    change(tensors)
    save_file(tensors, path)


def resealed(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors and make the configuration's id agree, as a careful forger would."""
    rewritten(folder, change)
    content = json.loads((folder / CONFIG_FILE).read_text())
    content["weights_id"] = weights_id(from_json(content), load_file(folder / WEIGHTS_FILE))
    (folder / CONFIG_FILE).write_text(json.dumps(content))


def test_one_changed_weight_is_noticed(folder: Path) -> None:
    rewritten(folder, lambda tensors: tensors["stage2.conv4.bias"].add_(1e-7))
    with pytest.raises(
        WeightsError, match=r"weights\.safetensors do not belong together.*copy the whole folder"
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda tensors: tensors.pop("stage1.fuse1.bias"), "without stage1.fuse1.bias"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "unknown extra"),
        (
            lambda tensors: tensors.update({"stage2.conv8.bias": torch.zeros(2)}),
            r"stage2.conv8.bias is torch.float32 \(2,\) instead of \(1,\)",
        ),
        (
            lambda tensors: tensors.update({"stage2.conv8.bias": torch.zeros(1, dtype=torch.float64)}),
            "stage2.conv8.bias is torch.float64",
        ),
        (lambda tensors: tensors["stage1.image1.bias"].fill_(float("nan")), "are no numbers"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], object], problem: str
) -> None:
    resealed(folder, change)
    with pytest.raises(WeightsError, match=problem) as caught:
        load_checkpoint(folder)
    assert str(folder / WEIGHTS_FILE) in str(caught.value)
    assert "copy the whole folder again, or train anew" in str(caught.value)


def test_sizes_that_would_fill_the_memory_are_refused_before_any_is_taken(folder: Path) -> None:
    content = json.loads((folder / CONFIG_FILE).read_text())
    content["architecture"] |= {"size": 4096, "maps": 4096, "fused_maps": 4096, "attribute_hidden": 4096}
    content["crop"]["size"] = 4096
    content["weights_id"] = weights_id(from_json(content), load_file(folder / WEIGHTS_FILE))
    (folder / CONFIG_FILE).write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="does not fit"):
        load_checkpoint(folder)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 5000, -1])
def test_a_cut_weights_file_is_noticed(folder: Path, length: int) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"weights\.safetensors cannot be read"):
        load_checkpoint(folder)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_does_not_matter(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("flipped") / "turner"))
    path = folder / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        found = load_checkpoint(folder)
    except WeightsError:
        return
    assert found.weights_id == load_checkpoint(sound).weights_id  # only the copy of the configuration


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '{"format": 1}', "[" * 100_000, '{"format": ' + "9" * 5000 + "}", "\ud800"],
    ids=["empty", "cut", "list", "null", "number", "bare", "deep", "long", "no-unicode"],
)
def test_a_configuration_that_is_none_is_one_plain_error(folder: Path, text: str) -> None:
    (folder / CONFIG_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(
        WeightsError, match=r"config\.json cannot be used .*; copy the folder again"
    ) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_a_newer_format_says_so(folder: Path) -> None:
    content = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(WeightsError, match="format 2 is not known to this version, which reads 1; update"):
        load_checkpoint(folder)


def test_an_edited_configuration_is_refused_not_ignored(folder: Path) -> None:
    content = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**content, "mean": 100.0}))
    with pytest.raises(WeightsError, match=r"config\.json and .* do not belong together"):
        load_checkpoint(folder)


@pytest.mark.parametrize("missing", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_folder_without_a_file_is_no_checkpoint(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(WeightsError, match=f"is no checkpoint, {missing} is missing"):
        load_checkpoint(folder)


def test_weights_are_not_read_before_something_is_drawn(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, loaded = DeferredGenerator(folder), load_generator(folder)
    assert (generator.name, generator.weights_id) == (loaded.name, loaded.weights_id)
    assert (generator.geometry, generator.vocabulary) == (loaded.geometry, loaded.vocabulary)
    assert generator.config.architecture.features_of() == loaded.feature_size
    crops = np.random.default_rng(0).integers(0, 256, (2, 16, 16)).astype(np.uint8)
    np.testing.assert_array_equal(generator.canonicalise(crops).values, loaded.canonicalise(crops).values)
    wishes = loaded.vocabulary.vectors(np.array([[1], [0]]))
    np.testing.assert_array_equal(generator.draw(crops, wishes).stage2, loaded.draw(crops, wishes).stage2)
    program = "import sys, retrieval.loading as l; l.load_engine().layout; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_weights_that_carry_another_configuration_are_read_at_once(folder: Path, tmp_path: Path) -> None:
    newer = save_checkpoint(tmp_path / "newer", network(1), CONFIG)
    # As a kill between both files leaves it.
    shutil.copy(tmp_path / "newer" / WEIGHTS_FILE, folder / WEIGHTS_FILE)
    assert DeferredGenerator(folder).weights_id == newer
    content = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**content, "mean": 100.0, "weights_id": newer}))
    with pytest.raises(WeightsError, match=r"config\.json and .* do not belong together"):
        DeferredGenerator(folder)
    (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(WeightsError, match="is no checkpoint"):
        DeferredGenerator(folder)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([0, -1, 1, 2, 16, 33]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["size", "name", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    inner: list[Any] = []
    if isinstance(content, dict):
        inner = list(content.items())
    elif isinstance(content, list):
        inner = list(enumerate(content))
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@given(st.data())
def test_a_changed_configuration_is_read_as_it_is_or_refused_with_a_reason(data: st.DataObject) -> None:
    content = json.loads(json.dumps(to_json(CONFIG)))
    place = data.draw(st.sampled_from(places(content)[1:]))
    parent = content
    for key in place[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        del parent[place[-1]]
    else:
        parent[place[-1]] = data.draw(json_values)
    try:
        config = from_json(content)
    except ValueError as error:
        assert str(error)
        return
    assert from_json(to_json(config)) == config
    assert config.geometry.size == config.architecture.size
    assert config.vocabulary.size == config.architecture.attribute_size


def test_a_name_means_the_shipped_weights_and_a_wrong_one_lists_them(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sound, tmp_path / "weights" / "turner-16")
    (tmp_path / "weights" / "half-made").mkdir()
    monkeypatch.setattr(available, "SHIPPED", tmp_path / "weights")
    assert shipped_names() == ["turner-16"]
    assert load_generator("turner-16", device="cpu").name == "turner-16"
    with pytest.raises(WeightsError, match=r"no weights 'turner-64'; name a folder .*, or one of: turner-16"):
        load_generator("turner-64")
    with pytest.raises(WeightsError, match="no weights"):
        load_generator(tmp_path / "nowhere")


def test_a_folder_is_found_by_its_path_also_below_the_working_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert load_generator("turner", device="cpu").name == "turner"
    monkeypatch.chdir(folder)
    assert load_generator(".", device="cpu").name == "turner"


def test_no_file_is_written_for_a_network_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="other sizes"):
        save_checkpoint(tmp_path / "new", network(), pose_config(16, 8))
    with pytest.raises(ValueError, match="that JSON cannot"):
        save_checkpoint(tmp_path / "new", network(), replace(CONFIG, data={"when": Path()}))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", shipped_names() or ["none"])
def test_the_weights_that_come_along_load_and_are_small(name: str) -> None:
    if name == "none":
        pytest.skip("no weights come along yet")
    generator = load_generator(name, device="cpu")
    files = list((available.SHIPPED / name).iterdir())
    assert max(path.stat().st_size for path in files) < 10_000_000
    wish = generator.vocabulary.vectors(np.zeros((1, len(generator.vocabulary.groups)), np.int64))
    size = generator.geometry.size
    drawing = generator.draw(np.full((1, size, size), 120, np.uint8), wish)
    assert abs(np.linalg.norm(drawing.features[0]) - 1) < 1e-3
