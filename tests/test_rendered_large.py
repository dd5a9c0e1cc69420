"""Larger pictures of rendered faces: of the same person in the same light, beside the crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.labelled import read_labelled
from facedata.large_pictures import LARGE_FILE
from facedata.packing import pack_labelled
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import LARGE_SIDE, YAWS, RotationRecipe
from faces.crop import CropGeometry, crop_face
from faces.landmarks import landmarks_of

SMALL = CropGeometry(size=16)


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


@pytest.mark.parametrize("variety", ["none", "full"])
def test_crops_are_the_same_with_and_without_larger_pictures(head: Head, variety: str) -> None:
    recipe = RotationRecipe(geometry=SMALL, lights=2, variety=VARIETIES[variety])
    shots = recipe.render(head, 3, large=True)
    assert np.array_equal(shots.crops, recipe.render(head, 3).crops)
    assert shots.large is not None
    assert shots.large.shape == (len(YAWS), 2, LARGE_SIDE, LARGE_SIDE)


def test_a_larger_picture_shows_what_the_crop_shows(head: Head) -> None:
    shots = RotationRecipe(lights=2).render(head, 7, large=True).in_one_row()
    assert shots.large is not None
    assert shots.points is not None
    for crop, large, points in zip(shots.crops, shots.large, shots.points, strict=True):
        landmarks = landmarks_of(points.astype(np.float64))
        assert landmarks is not None
        again = crop_face(large, landmarks, CropGeometry())
        assert np.abs(again.astype(int) - crop).mean() < 4
        outer_right, inner_right, outer_left, inner_left, nose = points
        assert outer_left[0] < inner_left[0] < inner_right[0] < outer_right[0]
        assert nose[1] > points[:4, 1].max()
        assert (points > 0.15 * LARGE_SIDE).all()
        assert (points < 0.85 * LARGE_SIDE).all()


def arguments(head_model: Path, out: Path, *more: str) -> list[str]:
    given = ["data", "render", "rotation", "--head-model", str(head_model), "--out", str(out)]
    return [*given, "--size", "16", "--lights", "1", "--workers", "1", "--first", "99", *more]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_set_is_completed_with_larger_pictures_at_any_time(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    later, at_once = tmp_path / "later", tmp_path / "at-once"
    assert run_cli(*arguments(head_model_path, later, "--people", "2")).exit_code == 0
    crops = contents(later)
    assert read_labelled(later, cropped=True, geometry=SMALL).large is None

    # One person first, as after an interruption; the crops stay as they are.
    assert run_cli(*arguments(head_model_path, later, "--people", "1", "--large")).exit_code == 0
    faces = read_labelled(later, cropped=True, geometry=SMALL)
    assert faces.large is not None
    assert (faces.persons[faces.large.present] == "0099").all()
    assert faces.large.present.sum() == 7
    before = (later / "large" / "0099" / "pose0_light00.webp").stat().st_mtime_ns
    assert run_cli(*arguments(head_model_path, later, "--people", "2", "--large")).exit_code == 0
    assert (later / "large" / "0099" / "pose0_light00.webp").stat().st_mtime_ns == before
    assert {file: content for file, content in contents(later).items() if file in crops} == crops

    assert run_cli(*arguments(head_model_path, at_once, "--people", "2", "--large")).exit_code == 0
    assert contents(at_once) == contents(later)

    # Without --large nothing is lost.
    assert run_cli(*arguments(head_model_path, later, "--people", "2")).exit_code == 0
    assert contents(at_once) == contents(later)

    # The .zip has them as well.
    packed = tmp_path / "some.zip"
    assert pack_labelled(later, packed, people=[100]) == 7
    large = read_labelled(packed, cropped=True, geometry=SMALL).pictures.required_large()
    plain = read_labelled(later, cropped=True, geometry=SMALL).split("test").pictures.required_large()
    for index in range(7):
        one, other = large.read(index), plain.read(index)
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.points, other.points)
        assert one.pixels.shape == (LARGE_SIDE, LARGE_SIDE)


def test_what_an_interruption_left_of_larger_pictures_is_made_again(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    given = arguments(head_model_path, tmp_path / "set", "--people", "1", "--large")
    assert run_cli(*given).exit_code == 0
    before = contents(tmp_path / "set")
    (tmp_path / "set" / "large" / "0099").rename(tmp_path / "set" / "0099.abc.part")
    (tmp_path / "set" / LARGE_FILE).unlink()
    assert run_cli(*given).exit_code == 0
    assert contents(tmp_path / "set") == before
