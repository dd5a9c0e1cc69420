"""Labelled folders packed into one .zip: the same faces, and the same bytes every time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import Result

from facedata.labelled import LabelRow, read_labelled, write_labels
from facedata.packing import pack_labelled, parse_people
from faces.crop import CropGeometry
from faces.errors import DataError, LabelError

GEOMETRY = CropGeometry(size=4)


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Five people with two pictures each, one of them without a number."""
    folder = tmp_path / "set"
    rows = []
    for person in ("0003", "0004", "12", "0013", "ann"):
        (folder / person).mkdir(parents=True)
        for pose in ("-30", "+30"):
            name = f"{person}/pose{pose}.png"
            Image.fromarray(rng.integers(0, 256, (4, 4), np.uint8)).save(folder / name)
            rows.append(LabelRow(name, person, pose, "01", split="test"))
    write_labels(folder / "labels.csv", rows)
    return folder


@pytest.mark.parametrize(
    ("text", "people"),
    [("7", [7]), ("100-103", [100, 101, 102, 103]), ("5, 1-3,2-4", [1, 2, 3, 4, 5]), ("0003", [3])],
)
def test_people_are_named_by_numbers_and_ranges(text: str, people: list[int]) -> None:
    assert parse_people(text) == people


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-3", "1,,2", "1-2-3", "0-999999999", "٣"])
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="names no people"):
        parse_people(text)


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=20))
def test_any_numbers_can_be_written_one_by_one(numbers: set[int]) -> None:
    assert parse_people(",".join(map(str, numbers))) == sorted(numbers)


def test_the_archive_reads_as_the_folder_does(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "all.zip"
    assert pack_labelled(folder, out) == 10
    packed = read_labelled(out, cropped=True, geometry=GEOMETRY)
    plain = read_labelled(folder, cropped=True, geometry=GEOMETRY)
    assert np.array_equal(packed.crops, plain.crops)
    assert packed.files.tolist() == plain.files.tolist()
    assert packed.poses.tolist() == plain.poses.tolist()


def test_chosen_people_go_in_with_their_labels(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.zip"
    assert pack_labelled(folder, out, people=[4, 12]) == 4
    faces = read_labelled(out, cropped=True, geometry=GEOMETRY)
    assert faces.persons.tolist() == ["0004", "0004", "12", "12"]
    assert set(faces.splits.tolist()) == {"test"}


def test_equal_folders_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    pack_labelled(folder, one)
    for path in folder.rglob("*.png"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o600)
    pack_labelled(folder, other)
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist()[0] == "labels.csv"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_failure_leaves_the_old_archive_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.zip"
    out.write_bytes(b"old")
    (folder / "ann" / "pose+30.png").unlink()
    with pytest.raises(DataError, match=r"pose\+30\.png cannot be packed: No such file"):
        pack_labelled(folder, out)
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set.zip"]


def test_what_cannot_be_packed_is_told(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.zip"
    with pytest.raises(DataError, match="nobody with the number 5"):
        pack_labelled(folder, out, people=[3, 5])
    with pytest.raises(DataError, match=r"does not end in \.zip"):
        pack_labelled(folder, tmp_path / "set.tar")
    with pytest.raises(DataError, match=r"labels\.csv is missing"):
        pack_labelled(tmp_path, out)
    (folder / "labels.csv").write_text("file,person\n")
    with pytest.raises(DataError, match="lists no pictures to pack"):
        pack_labelled(folder, out)
    (folder / "labels.csv").write_text("file,person\n../x.png,ann\n")
    with pytest.raises(LabelError, match="leaves the folder"):
        pack_labelled(folder, out)
    assert not out.exists()


def test_the_command_packs_and_says_what(
    folder: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    out = tmp_path / "some.zip"
    result = run_cli("data", "pack", folder, "--people", "3-4", "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 4 pictures, 0.0 MB.\n"
    assert run_cli("data", "pack", folder, "--people", "x", "--out", out, "--force").exit_code == 1
    packed = out.read_bytes()
    refused = run_cli("data", "pack", folder, "--out", out)
    assert (refused.exit_code, out.read_bytes()) == (1, packed)
    assert "exists already; name another file, or give --force to replace it" in refused.stderr
    assert run_cli("data", "pack", folder, "--out", out, "--force").exit_code == 0
    assert out.read_bytes() != packed
