"""The appearance flow: what it moves, its file, its training, and the pictures that are made with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from generators_made import network_for, pose_config
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from training_made import made_faces, write_faces
from typer.testing import Result

from anotheryou import Finder, edit, index_folders, search
from facedata.labelled import FaceSet, read_labelled, rendered_mini_path
from faces.crop import CropGeometry, crop_colours, crop_face
from faces.errors import TrainingError, WeightsError
from faces.types import Floats, Landmarks, Pixels
from generator.appearance_flow import AppearanceFlow, FlowNetwork, coloured, load_flow, move
from generator.available import FLOW_FILE, weights_folder
from generator.checkpoint import load_generator, save_checkpoint
from generator.model import Generator
from generator.training import Budget, Options, prepare
from generator.training.appearance_flow import train_flow
from retrieval.detail import DEFAULT_FLOW

SURE = 40.0  # log-odds


def flow_made(size: int = 32) -> AppearanceFlow:
    torch.manual_seed(0)
    network = FlowNetwork()
    torch.nn.init.normal_(network.out.weight, std=0.05)
    return AppearanceFlow(network.eval().requires_grad_(False), 118.0, 60.0, size, ("abc",))


@pytest.fixture(scope="module")
def turner(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    folder = tmp_path_factory.mktemp("weights") / "turner"
    save_checkpoint(folder, network_for((32, 8, False)), pose_config(32, 8))
    return load_generator(folder)


def test_at_first_it_moves_nothing_and_is_undecided() -> None:
    x = torch.randn(2, 1, 32, 32)
    flow, surely = FlowNetwork()(x, x)
    assert flow.shape == (2, 2, 32, 32) and surely.shape == (2, 1, 32, 32)
    assert not flow.any() and not surely.any()


@settings(max_examples=30, deadline=None)
@given(right=st.integers(-8, 8), down=st.integers(-8, 8))
def test_a_flow_takes_each_place_from_where_it_says(right: int, down: int) -> None:
    wide = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(right * 17 + down))
    flow = torch.tensor([right / 64, down / 64])[None, :, None, None].expand(1, 2, 32, 32)
    surely = torch.full((1, 1, 32, 32), SURE)
    moved, share = move(wide, flow, surely)
    rows, columns = (np.arange(64) + step for step in (down, right))
    expected = wide[:, :, rows.clip(0, 63)][:, :, :, columns.clip(0, 63)]
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=0)
    assert share.shape == (1, 1, 64, 64) and share.min() > 0.999


def test_what_is_drawn_has_the_colours_of_what_lies_around() -> None:
    beneath, drawings = 255 * torch.rand(2, 3, 128, 128), 255 * torch.rand(2, 1, 128, 128)
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    found = coloured(drawings, beneath)
    torch.testing.assert_close((found * luma).sum(1, keepdim=True), drawings, atol=1e-2, rtol=0)
    grey = beneath[:, :1].expand(2, 3, 128, 128)
    torch.testing.assert_close(coloured(drawings, grey), drawings.expand(2, 3, 128, 128), atol=1e-2, rtol=0)
    red = torch.tensor([200.0, 100.0, 100.0])[:, None, None].expand(1, 3, 128, 128).clone()
    red[:, :, 60:64, 60:64] = torch.tensor([0.0, 255.0, 0.0])[:, None, None]  # an eye
    dark = coloured(torch.full((1, 1, 128, 128), 60.0), red)[0]
    assert (dark[0] > 1.2 * dark[1]).all()


def test_it_comes_back_from_its_file_and_a_damaged_one_is_refused(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    made = flow_made()
    made.save(tmp_path)
    wide = rng.integers(0, 256, (18, 64, 64, 3), dtype=np.uint8)
    crops, drawings = rng.integers(0, 256, (2, 18, 32, 32), dtype=np.uint8)
    found = load_flow(tmp_path)(wide, crops, drawings)
    assert found.shape == wide.shape and found.dtype == np.uint8
    assert np.array_equal(found, made(wide, crops, drawings))
    assert load_flow(tmp_path).learned == ("abc",)
    one = made(wide[5:6], crops[5:6], drawings[5:6])[0]
    assert np.abs(one.astype(int) - found[5]).max() <= 1
    with pytest.raises(ValueError, match="do not fit"):
        made(wide, crops[:, :16], drawings)
    path = tmp_path / FLOW_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="changed or is damaged"):
        load_flow(tmp_path)
    path.write_bytes(whole[:1000])
    with pytest.raises(WeightsError, match="copy the whole folder again"):
        load_flow(tmp_path)
    with pytest.raises(WeightsError, match=rf"no appearance flow 'nonsense'.*train-flow.*{DEFAULT_FLOW}"):
        load_flow("nonsense")


def test_a_flow_is_no_weights(tmp_path: Path) -> None:
    flow_made().save(tmp_path)
    for named in (tmp_path, DEFAULT_FLOW):
        with pytest.raises(WeightsError, match="draws nothing; give it with --flow"):
            weights_folder(named)


def test_a_face_is_cropped_in_colour_as_it_is_in_grey(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (90, 120), dtype=np.uint8)
    pixels = np.stack([grey, 255 - grey, grey // 2], axis=2)
    landmarks, geometry = Landmarks((40, 40), (70, 44), (54, 60)), CropGeometry(size=64)
    found = crop_colours(pixels, landmarks, geometry)
    assert found.shape == (64, 64, 3) and found.dtype == np.uint8
    assert np.array_equal(found[:, :, 0], crop_face(grey, landmarks, geometry))
    assert np.abs(found[:, :, 0].astype(int) + found[:, :, 1] - 255).max() <= 1


def learned(
    folder: Path, faces: FaceSet, turner: Generator, budget: Budget, *, stop: bool = False
) -> dict[str, torch.Tensor]:
    data = prepare(faces, attribute="pose", seed=0)
    options = Options(precision="float32", threads=1, stop=lambda: stop)
    train_flow(data, [turner], out=folder, budget=budget, options=options)
    found = load_flow(folder)
    assert (found.size, found.learned) == (32, (turner.weights_id,))
    return found.network.state_dict()


def test_it_learns_and_goes_on_where_it_was_stopped(turner: Generator, tmp_path: Path) -> None:
    faces, budget = made_faces(people=6, lights=2, size=64), Budget(pairs=64 * 4)
    whole = learned(tmp_path / "whole", faces, turner, budget)
    for _ in range(2):
        learned(tmp_path / "parts", faces, turner, budget, stop=True)
    parts = learned(tmp_path / "parts", faces, turner, budget)
    assert all(torch.allclose(parts[name], value, atol=1e-5) for name, value in whole.items())
    assert any(value.any() for name, value in whole.items() if name.startswith("out"))


def test_faces_that_cannot_teach_it_are_refused(turner: Generator, tmp_path: Path) -> None:
    budget = Budget(pairs=64)
    with pytest.raises(TrainingError, match="needs faces of 64 pixels to learn from; use --size"):
        learned(tmp_path / "small", made_faces(people=6, size=32), turner, budget)
    faces = made_faces(people=6, size=64)
    strange = replace(faces, poses=np.char.replace(faces.poses, "45", "75"))
    strange = strange.select(strange.poses != "0")
    with pytest.raises(TrainingError, match="can draw none of the changes"):
        learned(tmp_path / "strange", strange, turner, budget)


@pytest.fixture
def crop(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "crop.png"
    Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)).save(path)
    return path


def test_edit_gives_the_drawing_with_the_photographs_own_detail(
    turner: Generator, crop: Path, tmp_path: Path
) -> None:
    flow = flow_made()
    flow.save(tmp_path)
    made = edit(crop, {"pose": "all"}, weights=turner.folder, flow=tmp_path, cropped=True)
    wide = np.asarray(Image.open(crop))
    assert np.array_equal(made.face, wide)
    expected = flow(np.repeat(wide[None], 7, 0), np.repeat(made.crop[None], 7, 0), made.stage2)
    assert made.detailed is not None and np.array_equal(made.detailed, expected)
    assert np.array_equal(made.image, expected[0])
    plain = edit(crop, {"pose": "all"}, weights=turner.folder, flow="none", cropped=True)
    assert plain.detailed is None and np.array_equal(plain.image, made.stage2[0])


def test_without_a_name_a_flow_that_does_not_know_the_weights_is_left_out(
    turner: Generator, crop: Path, tmp_path: Path
) -> None:
    assert edit(crop, {"pose": 30}, weights=turner.folder, cropped=True).detailed is None
    assert edit(crop, {"pose": 30}, weights="rotation-32", cropped=True).detailed is not None
    assert edit(crop, {"accessory": "none"}, weights="completion-32", cropped=True).detailed is None
    save_checkpoint(tmp_path / "small", network_for((16, 8, False)), pose_config(16, 8))
    assert edit(crop, {"pose": 30}, weights=tmp_path / "small", cropped=True).detailed is None
    with pytest.raises(WeightsError, match="for drawings of 32 pixels, and small draws 16"):
        edit(crop, {"pose": 30}, weights=tmp_path / "small", flow=DEFAULT_FLOW, cropped=True)


def test_of_two_wishes_the_second_is_drawn_from_the_first_with_its_detail(crop: Path) -> None:
    both = edit(crop, {"pose": 30, "accessory": "sunglasses"}, cropped=True)
    first = edit(crop, {"pose": 30}, cropped=True)
    assert both.detailed is not None and first.detailed is not None
    again = edit(Image.fromarray(first.detailed[0]), {"accessory": "sunglasses"}, cropped=True)
    assert np.abs(both.stage2.astype(int) - again.stage2).mean() < 2


def test_an_answers_portrait_has_the_photographs_detail_as_long_as_it_is_there(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for photo in sorted(Path("demo/album").glob("amara*.jpg"))[:3]:
        shutil.copy(photo, photos)
    index_folders([photos], collection=tmp_path / "collection")
    asked = sorted(photos.iterdir())[0]
    answer = search(asked, wish={"pose": 30}, collection=tmp_path / "collection")
    assert answer.drawing.shape == (32, 32) and answer.portrait.shape == (128, 128, 3)
    assert answer.portrait.std((0, 1)).min() > 5
    small = np.asarray(Image.fromarray(answer.portrait).convert("L").reduce(4)).astype(int)
    turned, before = (np.abs(small - other).mean() for other in (answer.drawing, answer.query.crop))
    assert turned < np.abs(answer.query.crop - answer.drawing.astype(int)).mean() and before > 3
    with Finder(tmp_path / "collection") as finder:
        (gone, *_) = finder.prepare(asked)
        asked.unlink()
        assert answer.portrait.ndim == 3  # what has been read stays
        again = finder.search(gone, wish={"pose": 30})
        assert gone.colours is None
        assert np.array_equal(again.portrait, again.drawing)


def test_the_flow_that_comes_along_leaves_a_face_that_stays_as_it_is_sharp() -> None:
    """A face drawn as it is keeps its detail; the drawing alone does not."""
    faces = read_labelled(rendered_mini_path(), cropped=True)
    crops = faces.crops[faces.poses == "0"][:24]
    generator, flow = load_generator("rotation-32"), load_flow(DEFAULT_FLOW)
    wish = generator.vocabulary.vector({"pose": "0"})
    drawn = generator.draw(crops, np.repeat(wish[None], len(crops), 0)).stage2
    wide = np.repeat(crops[..., None], 3, axis=3)
    detailed = flow(wide, crops, drawn)[..., 0]

    def error(pictures: Pixels) -> Floats:
        return np.asarray(np.abs(pictures.astype(np.float32) - crops).mean((1, 2)))

    assert np.median(error(detailed)) < 0.7 * np.median(error(drawn))


def test_it_is_trained_from_the_shell(
    run_cli: Callable[..., Result], turner: Generator, tmp_path: Path
) -> None:
    write_faces(tmp_path / "set", made_faces(people=6, size=64))
    out = tmp_path / "flow"
    options = ("--cropped", "--pairs", "64", "--weights", turner.folder, "--threads", "1", "--out", out)
    result = run_cli("train-flow", tmp_path / "set", *options)
    assert result.exit_code == 0, result.stderr
    assert "trained" in result.stdout and load_flow(out).size == 32
