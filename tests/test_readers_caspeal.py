"""CAS-PEAL-R1: names, eyes, the accessory subset and its split."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from readers_made import LEFT, RIGHT, photo, put
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import caspeal
from facedata.readers.caspeal import ACCESSORIES, parse_name, plan_caspeal, read_eyes
from facedata.readers.common import from_eyes
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError

PEOPLE = ("000001", "000007", "000270", "000900", "001040")


def name_of(
    person: str, accessory: int = 0, light: str = "EU+00", pose: str = "M+00", rest: str = "EN"
) -> str:
    return f"FY_{person}_I{light}_P{pose}_{rest}_A{accessory}_D0_T0_BB_M0_R1_S0"


def put_shot(root: Path, folder: str, name: str, level: int = 120) -> None:
    """A picture and its line of eyes."""
    put(root / "FRONTAL" / folder / f"{name}.tif", photo(level))
    with (root / "FRONTAL" / folder / "FaceFP_2.txt").open("a") as file:
        numbers = (round(n - 0.5) for n in (*LEFT, *RIGHT))
        file.write(f"{name}\t {' '.join(map(str, numbers))}\r\n")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Five people with all accessories, one without any, and pictures of other subsets."""
    root = tmp_path / "CAS-PEAL-R1"
    for person in PEOPLE:
        put_shot(root, "Normal", name_of(person))
        for accessory in range(1, 7):
            put_shot(root, "Accessory", name_of(person, accessory), 100 + accessory)
    put_shot(root, "Normal", name_of("000300"))
    put_shot(root, "Lighting", name_of("000001", light="FM+45"))
    put_shot(root, "Expression", name_of("000001", rest="EL"))
    put_shot(root, "Background", name_of("000001").replace("_BB_", "_BR_"))
    put_shot(root, "Aging", name_of("000001").replace("_T0_", "_T2_"))
    put(root / "POSE" / "000001" / f"{name_of('000001', pose='M+22')}.tif")
    return root


def test_the_accessory_subset_in_small(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "import", "caspeal", copy, tmp_path / "set", "--partial")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'set'}: 35 pictures of 5 people.\n"
    assert result.stderr == "anotheryou: missing: the accessory subset has 438 people; 5 found\n"
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert set(faces.values("accessory")) == set(ACCESSORIES)
    assert faces.values("pose") == ("0",)
    assert set(faces.split("train").persons) == set(PEOPLE[:4])  # 350 of 438 are four of five
    assert set(faces.split("test").persons) == {PEOPLE[4]}
    assert len(ordered_pairs(faces.split("train"), "accessory")) == 4 * 7 * 6
    place = faces.files.tolist().index("000007/glasses-1.png")
    left, right = ((round(x - 0.5) + 0.5, round(y - 0.5) + 0.5) for x, y in (LEFT, RIGHT))
    eyes = from_eyes(left, right)
    assert np.array_equal(faces.crops[place], crop_face(photo(104), eyes, CropGeometry()))


def test_the_full_set_needs_no_permission(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run_cli("data", "import", "caspeal", copy, tmp_path / "set")
    assert refused.exit_code == 1
    assert "438 people; 5 found" in refused.stderr
    monkeypatch.setattr(caspeal, "PEOPLE", 5)
    monkeypatch.setattr(caspeal, "TRAIN", 2)
    result = run_cli("data", "import", "caspeal", copy, tmp_path / "set")
    assert (result.exit_code, result.stderr) == (0, "")
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert set(faces.split("train").persons) == set(PEOPLE[:2])


def test_gaps_are_named(copy: Path) -> None:
    (copy / "FRONTAL" / "Normal" / f"{name_of('000270')}.tif").unlink()
    for path in (copy / "FRONTAL" / "Accessory").glob("*_A5_*"):
        path.unlink()
    plan = plan_caspeal(copy)
    assert plan.missing[1:] == [
        "there is no picture without accessory (A0) of 000270",
        "nobody wears glasses-2",
    ]


def test_a_picture_without_eyes_or_damaged_is_left_out(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    put(copy / "FRONTAL" / "Accessory" / f"{name_of('000500', 1)}.tif")
    (copy / "FRONTAL" / "Accessory" / f"{name_of('000001', 2)}.tif").write_bytes(b"II*\0 broken")
    result = run_cli("data", "import", "caspeal", copy, tmp_path / "set", "--partial", "--no-large")
    assert result.exit_code == 0
    assert result.stdout.endswith(": 34 pictures of 5 people.\n")
    assert f"{name_of('000500', 1)}.tif: its eyes are not in FaceFP_2.txt" in result.stderr
    assert f"{name_of('000001', 2)}.tif: " in result.stderr


def test_letter_case_and_other_names(tmp_path: Path) -> None:
    folder = tmp_path / "frontal" / "ACCESSORY"
    put(folder / f"{name_of('000001', 3).lower()}.TIF")
    put(folder / "hat.tif")
    (folder / "facefp_2.TXT").write_text(f"{name_of('000001', 3)}.tif 10 20 30 20\nheader line\n\n")
    plan = plan_caspeal(tmp_path)
    assert [entry.row.file for entry in plan.entries] == ["000001/hat-3.png"]
    assert "hat.tif" in plan.notes[0]
    assert plan.entries[0].landmarks is not None
    assert plan.entries[0].landmarks.left_eye == (10.5, 20.5)


def test_folders_without_the_set_are_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path / f"{name_of('000001')}.tif")
    with pytest.raises(DataError, match="give the folder with FRONTAL"):
        plan_caspeal(tmp_path)
    put(tmp_path / f"{name_of('000001', 1)}.tif")
    with pytest.raises(DataError, match="holds no FaceFP_2"):
        plan_caspeal(tmp_path)


def test_the_documented_name_is_understood() -> None:
    shot = parse_name("FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M_R1_S0")
    assert shot is not None
    assert (shot.person, shot.light, shot.pose, shot.accessory) == ("000001", "EU+00", "M+00", 0)
    assert shot.is_plain
    odd = parse_name("MY_000064_IFM-45_PD+67_EL_A0_D1_T2_BB_M0_D1_S0")  # one file has a D for the R
    assert odd is not None
    assert not odd.is_plain


@given(
    st.sampled_from(["MY", "FO", "MM"]),
    st.integers(0, 999_999),
    st.sampled_from(["EU+00", "FM+45", "LD-90"]),
    st.sampled_from(["M+00", "U-22"]),
    st.integers(0, 9),
)
def test_names_are_read_as_they_are_written(
    kind: str, person: int, light: str, pose: str, accessory: int
) -> None:
    shot = parse_name(f"{kind}_{person:06d}_I{light}_P{pose}_EN_A{accessory}_D0_T0_BB_M0_R1_S0")
    assert shot is not None
    assert (int(shot.person), shot.light, shot.pose, shot.accessory) == (person, light, pose, accessory)


@given(st.text("FMY_0123456789IEU+-PMNADTBRS", max_size=60))
def test_any_name_is_a_shot_or_none(stem: str) -> None:
    shot = parse_name(stem)
    assert shot is None or len(shot.person) == 6


@given(st.binary(max_size=80) | st.text("ab 0123456789.-\t\n", max_size=80).map(str.encode))
def test_any_list_of_eyes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("eyes") / "FaceFP_2.txt"
    path.write_bytes(content)
    assert all(name == name.upper() for name in read_eyes(path))


@pytest.mark.slow
def test_a_killed_import_loses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "CAS-PEAL-R1"
    for number in range(12):
        for accessory in range(7):
            put_shot(root, "Accessory", name_of(f"{number:06d}", accessory), 100 + accessory)
    command = [sys.executable, "-m", "cli.main", "data", "import", "caspeal", str(root), "--partial"]
    killed = subprocess.Popen([*command, str(tmp_path / "set")], cwd=REPOSITORY)
    for _ in range(6000):
        if (tmp_path / "set" / "000001").exists() or killed.poll() is not None:
            break
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "set" / "labels.csv").exists()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.png")}
    assert done
    for name in ("set", "whole"):
        subprocess.run([*command, str(tmp_path / name)], cwd=REPOSITORY, check=True)
    assert all(path.stat().st_mtime_ns == made for path, made in done.items())
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            assert (tmp_path / "set" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
