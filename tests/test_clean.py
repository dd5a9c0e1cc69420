"""Clean versions of rendered photographs: what a network that is shown the photograph is asked to draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.labelled import read_labelled
from facedata.packing import pack_labelled
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import STUDIO_WALL, AccessoryRecipe, RotationRecipe
from faces.crop import CropGeometry
from faces.errors import DataError, LabelError

SMALL = CropGeometry(size=16)


@pytest.fixture(scope="module")
def head(head_model_path: Path) -> Head:
    return Head(load_head_model(head_model_path))


def test_photographs_have_clean_versions_before_a_plain_wall_and_the_protocols_pictures_none(
    head: Head,
) -> None:
    assert RotationRecipe(geometry=SMALL, lights=2).render(head, 3).clean is None
    full = VARIETIES["full"]
    for shots in (
        RotationRecipe(geometry=SMALL, lights=2, variety=full).render(head, 3),
        AccessoryRecipe(geometry=SMALL, lights=2, variety=full).render(head, 3),
    ):
        assert shots.clean is not None
        assert shots.clean.shape == shots.crops.shape
        wall = round(255 * STUDIO_WALL)
        walls = (shots.clean == wall).mean((2, 3))
        assert walls.mean() > 0.04 > (shots.crops == wall).mean()
        for clean, crop in zip(shots.clean[:, :, 4:14, 4:12], shots.crops[:, :, 4:14, 4:12], strict=True):
            assert np.corrcoef(clean.ravel(), crop.ravel())[0, 1] > 0.3  # the same face in the same light


def test_clean_versions_do_not_move_with_what_is_not_labelled(head: Head) -> None:
    """Variety may turn, lift and misplace the photograph; its clean version shows the labelled pose."""
    still = replace(VARIETIES["full"], yaw=0.0, beyond=0.0, pitch=0.0, roll=0.0, crop_error=0.0)
    recipe = RotationRecipe(geometry=SMALL, lights=1, variety=replace(still, expression=0.0, free_light=0.0))
    moved = replace(recipe, variety=replace(recipe.variety, roll=9.0, crop_error=0.05))
    one, other = recipe.render(head, 3), moved.render(head, 3)
    assert one.clean is not None
    assert other.clean is not None
    # The exposure varies with the draws before it, the outline does not.
    wall = round(255 * STUDIO_WALL)
    assert np.mean((one.clean == wall) == (other.clean == wall)) > 0.97


def test_a_set_keeps_them_on_disk_and_in_its_zip(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    folder = tmp_path / "set"
    given = ["data", "render", "rotation", "--head-model", str(head_model_path), "--out", str(folder)]
    more = ["--size", "16", "--lights", "1", "--workers", "1", "--people", "2", "--variety", "full"]
    assert run_cli(*given, *more).exit_code == 0
    faces = read_labelled(folder, cropped=True, geometry=SMALL)
    assert len(faces) == 14
    assert faces.clean is not None
    assert not np.array_equal(faces.clean, faces.crops)
    chosen = faces.select(np.array([3, 1]))
    assert chosen.clean is not None
    assert np.array_equal(chosen.clean, faces.clean[[3, 1]])

    pack_labelled(folder, tmp_path / "set.zip", people=[1])
    packed = read_labelled(tmp_path / "set.zip", cropped=True, geometry=SMALL)
    assert packed.clean is not None
    assert np.array_equal(packed.clean, faces.clean[faces.persons == "0001"])

    # A face whose clean version is gone is drawn as it is; one that cannot be read is named.
    (folder / "0000/clean/pose0_light00.png").unlink()
    again = read_labelled(folder, cropped=True, geometry=SMALL)
    assert again.clean is not None
    lacking = again.files == "0000/pose0_light00.png"
    assert np.array_equal(again.clean[lacking], again.crops[lacking])
    assert np.array_equal(again.clean[~lacking], faces.clean[~lacking])
    (folder / "0000/clean/pose0_light00.png").write_bytes(b"no picture")
    with pytest.raises(LabelError, match=r"clean/pose0_light00\.png.*cannot be read"):
        read_labelled(folder, cropped=True, geometry=SMALL)


def test_clean_versions_must_be_as_many_and_as_large_as_the_crops(head: Head) -> None:
    shots = RotationRecipe(geometry=SMALL, lights=1).render(head, 3).in_one_row()
    from facedata.labelled import face_set

    rows = RotationRecipe(lights=1).rows("0003")
    with pytest.raises(DataError, match="clean must be as crops are"):
        face_set("set", shots.crops, rows, clean=shots.crops[1:])
