"""CMU PIE crops in MATLAB files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import savemat
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import pie
from facedata.readers.pie import camera_of, plan_pie, read_crops
from faces.crop import CropGeometry
from faces.errors import DataError

CAMERAS = ("05", "07", "09", "27", "29")


def faces_of(people: list[int], camera: str, side: int = 8) -> NDArray[np.uint8]:
    """(N, side, side): the number of the person everywhere, the camera's in the first row."""
    crops = np.zeros((len(people), side, side), np.uint8)
    crops += np.array(people, np.uint8)[:, None, None]
    crops[:, 0] = int(camera) + 100
    return crops


def save(path: Path, crops: NDArray[np.generic], people: list[int]) -> None:
    rows = crops.transpose(0, 2, 1).reshape(len(crops), -1)  # MATLAB counts down the columns
    savemat(path, {"fea": rows, "gnd": np.array(people, float)[:, None]})


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Two crops of each of 68 people from each camera."""
    folder = tmp_path / "PIE"
    folder.mkdir()
    people = sorted([*range(1, 69)] * 2)
    for camera in CAMERAS:
        save(folder / f"Pose{camera}_64x64.mat", faces_of(people, camera), people)
    return folder


def test_five_poses_of_68_people(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pie, "COUNTS", dict.fromkeys(CAMERAS, 136))
    result = run_cli("data", "import", "pie", copy, tmp_path / "set", "--size", 16)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'set'}: 680 pictures of 68 people.\n"
    faces = read_labelled(tmp_path / "set", cropped=True, geometry=CropGeometry(size=16))
    assert faces.values("pose") == ("0", "c05", "c07", "c09", "c29")
    assert len(set(faces.split("train").persons)) == len(set(faces.split("test").persons)) == 34
    assert len(ordered_pairs(faces.split("train"), "pose")) == 34 * 20 * 4  # 5 poses of 2, 20 of one way
    front = faces.select((faces.poses == "0") & (faces.persons == "68"))
    assert (front.crops[0, 0] == 127).all()  # rows, not columns
    assert (front.crops[0, 4:] == 68).all()


def test_incomplete_copies_are_refused(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    (copy / "Pose09_64x64.mat").unlink()
    people = [1, 2, 3]
    save(copy / "Pose29_64x64.mat", faces_of(people, "29"), people)
    result = run_cli("data", "import", "pie", copy, tmp_path / "set")
    assert result.exit_code == 1
    assert "there is no file for Pose09" in result.stderr
    assert "Pose29 has 1,632 pictures; 3 found" in result.stderr
    assert run_cli("data", "import", "pie", copy, tmp_path / "set", "--partial").exit_code == 0


def test_missing_people_are_named(tmp_path: Path) -> None:
    people = [number for number in range(1, 69) if number not in (5, 33)]
    save(tmp_path / "PIE_pose27.mat", faces_of(people, "27"), people)
    assert "05, 33 are missing" in plan_pie(tmp_path).missing[0]


def test_one_file_for_all_has_no_poses(tmp_path: Path) -> None:
    save(tmp_path / "PIE_32x32.mat", faces_of([1, 2], "27"), [1, 2])
    plan = plan_pie(tmp_path)
    assert [entry.row.pose for entry in plan.entries] == ["", ""]
    assert "does not tell the poses" in plan.notes[0]
    assert any("11,554 pictures; 2 found" in sentence for sentence in plan.missing)


def test_the_same_pose_twice_is_taken_once(tmp_path: Path) -> None:
    for name in ("Pose27_32x32", "Pose27_64x64"):
        save(tmp_path / f"{name}.mat", faces_of([1], "27"), [1])
    assert len(plan_pie(tmp_path).entries) == 1


def test_rows_columns_and_shares_are_understood(tmp_path: Path) -> None:
    crops = faces_of([1, 2, 3], "27")
    crops[0, 2, 5] = 255
    save(tmp_path / "a.mat", crops, [1, 2, 3])
    save(tmp_path / "b.mat", crops / 255, [1, 2, 3])
    rows = crops.transpose(0, 2, 1).reshape(3, -1)
    savemat(tmp_path / "c.mat", {"fea": rows.T, "gnd": np.array([[1, 2, 3]])})
    for name in "abc":
        read, people = read_crops(tmp_path / f"{name}.mat")
        assert np.array_equal(read, crops)
        assert people.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        {"fea": np.zeros((2, 64))},
        {"fea": np.zeros((2, 63)), "gnd": [1, 2]},
        {"fea": np.zeros((2, 64)), "gnd": [1, 2, 3]},
        {"fea": np.zeros((2, 64)), "gnd": [0, 69]},
        {"fea": np.full((2, 64), np.nan), "gnd": [1, 2]},
        {"fea": np.zeros((0, 64)), "gnd": np.zeros((0, 1))},
        {"fea": "words", "gnd": [1]},
        {"fea": {"a": 1}, "gnd": [1]},
    ],
)
def test_other_tables_are_one_clear_error(tmp_path: Path, content: dict[str, object]) -> None:
    savemat(tmp_path / "Pose05.mat", content)
    with pytest.raises(DataError, match=r"Pose05\.mat"):
        read_crops(tmp_path / "Pose05.mat")


@given(
    st.binary(max_size=400) | st.binary(max_size=100).map(lambda end: b"MATLAB 5.0 MAT-file".ljust(124) + end)
)
def test_any_bytes_are_one_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("pie") / "Pose05.mat"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_crops(path)


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Pose05_64x64"):
        plan_pie(tmp_path)


@given(
    st.sampled_from(CAMERAS),
    st.sampled_from(["Pose{}_64x64", "PIE_pose{}", "PIE{}", "pose_{}", "POSE{}_32x32_files"]),
)
def test_cameras_are_told_from_names(camera: str, pattern: str) -> None:
    assert camera_of(pattern.format(camera)) == camera
    assert camera_of("PIE_32x32") == ""
