"""Extended Yale B: names, lights, poses and landmarks shared between lights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers_made import LEFT, NOSE, RIGHT, EyesDetector, photo, put
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import yaleb
from facedata.readers.yaleb import EXTENDED, FIRST, Shot, parse_name, plan_yaleb
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.types import Landmarks

LIGHTS = ("A+000E+00", "A-110E-20")
DARK = 10  # grey level of a picture in which no face can be found


def put_shot(root: Path, person: str, pose: int, light: str, level: int = 120) -> Path:
    return put(root / f"yaleB{person}" / f"yaleB{person}_P{pose:02d}{light}.pgm", photo(level))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "ExtendedYaleB"
    for person in ("11", "12", "39"):
        for pose in range(9):
            put_shot(root, person, pose, LIGHTS[0])
            put_shot(root, person, pose, LIGHTS[1], DARK)
            put_shot(root, person, pose, "_Ambient", DARK)
    return root


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> EyesDetector:
    found = EyesDetector()
    monkeypatch.setattr("faces.detect.open_detector", lambda model=None: found)
    return found


def test_people_of_the_sets() -> None:
    assert (len(FIRST), len(EXTENDED)) == (10, 28)  # 10 x 576 and 28 x 576 = 16,128 pictures
    assert "14" not in EXTENDED


def test_dark_pictures_are_cropped_like_the_lit_one(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], detector: EyesDetector
) -> None:
    result = run_cli("data", "import", "yaleb", copy, tmp_path / "set", "--partial")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'set'}: 81 pictures of 3 people.\n"
    assert "the extended set has 28 people; 3 found: 13, 15, 16" in result.stderr
    assert detector.asked == 3 * 9
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert faces.values("pose") == ("0", *(f"p{pose}" for pose in range(1, 9)))
    assert faces.values("light") == (*LIGHTS, "ambient")
    assert set(faces.split("train").persons) == {"11", "12"}
    assert len(ordered_pairs(faces.split("train"), "pose")) == 2 * 3 * 9 * 8
    assert len(ordered_pairs(faces.split("train"), "light")) == 2 * 9 * 3 * 2
    place = faces.files.tolist().index("39/pose8_A-110E-20.png")
    expected = crop_face(photo(DARK), Landmarks(LEFT, RIGHT, NOSE), CropGeometry())
    assert np.array_equal(faces.crops[place], expected)


def test_a_complete_copy_needs_no_permission(
    copy: Path,
    tmp_path: Path,
    run_cli: Callable[..., Result],
    detector: EyesDetector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaleb, "LIGHTS", 2)
    monkeypatch.setattr(yaleb, "EXTENDED", ("11", "12", "39"))
    result = run_cli("data", "import", "yaleb", copy, tmp_path / "set", "--no-large")
    assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_missing_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaleb, "LIGHTS", 2)
    monkeypatch.setattr(yaleb, "EXTENDED", ("11", "12", "13", "39"))
    for path in (copy / "yaleB12").glob("*P07*"):
        path.unlink()
    (copy / "yaleB39" / f"yaleB39_P00{LIGHTS[0]}.pgm").unlink()
    assert plan_yaleb(copy).missing == [
        "the extended set has 4 people; 3 found: 13 is missing",
        "person 12 lacks P07",
        "person 39 has 1 of 2 lights in P00",
    ]


def test_the_cropped_set_has_one_pose_and_bad_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaleb, "LIGHTS", 2)
    for person in (*FIRST, *EXTENDED):
        for light in LIGHTS:
            put_shot(tmp_path, person, 0, light)
    marked = tmp_path / "yaleB20" / f"yaleB20_P00{LIGHTS[1]}.pgm"
    marked.rename(marked.with_name(marked.name + ".bad"))
    plan = plan_yaleb(tmp_path)
    assert len(plan.entries) == 75
    assert plan.missing == []
    assert plan.notes == ["left out because marked .bad by the set's makers: 20 P00 A-110E-20"]


def test_lights_from_the_front_are_looked_at_first(tmp_path: Path) -> None:
    for light in ("A+130E+20", "A-005E+10", "_Ambient", "A+000E-20"):
        put_shot(tmp_path, "11", 3, light)
    (paths,) = plan_yaleb(tmp_path).tried.values()
    assert [path.stem[11:] for path in paths] == ["A-005E+10", "A+000E-20", "A+130E+20", "_Ambient"]


def test_letter_case_damage_and_other_names(
    tmp_path: Path, run_cli: Callable[..., Result], detector: EyesDetector
) -> None:
    put(tmp_path / "src" / "YALEB11_P00A+000E+00.PGM")
    put(tmp_path / "src" / "face.pgm")
    broken = put(tmp_path / "src" / "yaleB11_P00A-005E+10.pgm")
    broken.write_bytes(broken.read_bytes()[:100])
    result = run_cli("data", "import", "yaleb", tmp_path / "src", tmp_path / "set", "--partial")
    assert result.exit_code == 0
    assert result.stdout.endswith(": 1 pictures of 1 people.\n")
    assert "face.pgm" in result.stderr
    assert f"left out: {broken}: damaged" in result.stderr


def test_a_folder_of_other_things_is_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path / "holiday.pgm")
    with pytest.raises(DataError, match="give the folder that holds yaleB11"):
        plan_yaleb(tmp_path)


@given(st.integers(1, 39), st.integers(0, 8), st.integers(-130, 130), st.integers(-40, 90))
def test_names_are_read_as_they_are_written(person: int, pose: int, azimuth: int, elevation: int) -> None:
    light = f"A{azimuth:+04d}E{elevation:+03d}"
    shot = parse_name(f"yaleB{person:02d}_P{pose:02d}{light}")
    assert shot == Shot(f"{person:02d}", pose, azimuth, elevation)
    assert shot.light == light
    ambient = parse_name(f"yaleB{person:02d}_P{pose:02d}_Ambient")
    assert ambient is not None
    assert ambient.light == "ambient"


@given(st.text("yaleB0123_PAE+-Ambient", max_size=24))
def test_any_name_is_a_shot_or_none(stem: str) -> None:
    shot = parse_name(stem)
    assert shot is None or shot.pose >= 0
