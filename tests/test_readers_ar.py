"""The AR face database: numbers of pictures, raw files, sessions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers_made import EyesDetector, photo, put
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import ar
from facedata.readers.ar import Shot, open_ar, parse_name, plan_ar
from faces.errors import DataError, PhotoError

PEOPLE = ("m-001", "m-076", "w-001")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("faces.detect.open_detector", lambda model=None: EyesDetector())
    for person in PEOPLE:
        for number in range(1, 27):
            put(tmp_path / "AR" / f"{person}-{number}.bmp", photo(100 + number))
    return tmp_path / "AR"


def test_numbers_stand_for_light_and_what_is_worn() -> None:
    told = {number: Shot("m-001", number) for number in range(1, 27)}
    assert [told[n].accessory for n in range(1, 14)] == [
        "none", "smile", "anger", "scream", "none", "none", "none", "sunglasses", "sunglasses", "sunglasses",
        "scarf", "scarf", "scarf",
    ]  # fmt: skip
    assert [told[n].light for n in range(1, 14)] == [
        "front-1", "front-1", "front-1", "front-1", "left-1", "right-1", "both-1", "front-1", "left-1",
        "right-1", "front-1", "left-1", "right-1",
    ]  # fmt: skip
    for number in range(1, 14):
        assert told[number + 13].accessory == told[number].accessory
        assert told[number + 13].light == told[number].light.replace("1", "2")


def test_sunglasses_and_scarves(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ar, "PEOPLE", (3,))
    result = run_cli("data", "import", "ar", copy, tmp_path / "set")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'set'}: 60 pictures of 3 people.\n"
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert faces.values("accessory") == ("none", "scarf", "sunglasses")
    assert set(faces.split("train").persons) == {"m-001", "m-076"}
    # Each of three lights in two sessions has all three values, both lights at once only none.
    assert len(ordered_pairs(faces.split("train"), "accessory")) == 2 * 2 * 3 * 3 * 2


def test_expressions_on_request(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "import", "ar", copy, tmp_path / "set", "--expressions", "--partial")
    assert result.exit_code == 0
    assert "copies of the set have 100, 126, 136 people; 3 found" in result.stderr
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert faces.values("accessory") == ("anger", "none", "scarf", "scream", "smile", "sunglasses")


def test_a_copy_of_few_people_is_refused(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "import", "ar", copy, tmp_path / "set")
    assert result.exit_code == 1
    assert "--partial" in result.stderr


def test_gaps_in_a_session_are_told(copy: Path) -> None:
    (copy / "m-001-4.bmp").unlink()
    for number in range(14, 27):  # someone who did not come again
        (copy / f"w-001-{number}.bmp").unlink()
    assert plan_ar(copy).notes == ["not there: m-001-4"]


def test_pictures_without_a_face_are_named(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    put(copy / "m-001-11.bmp", photo(10))
    result = run_cli("data", "import", "ar", copy, tmp_path / "set", "--partial", "--no-large")
    assert result.exit_code == 0
    assert f"left out: {copy / 'm-001-11.bmp'}: no face was found on it" in result.stderr


def test_raw_files_have_one_plane_a_colour(tmp_path: Path) -> None:
    colours = np.zeros((576, 768, 3), np.uint8)
    colours[10, 20] = (1, 2, 3)
    path = tmp_path / "M-01-07.RAW"
    path.write_bytes(colours.transpose(2, 0, 1).tobytes())
    assert np.array_equal(open_ar(path).pixels, colours)
    path.write_bytes(b"short")
    with pytest.raises(PhotoError, match="has 5 bytes"):
        open_ar(path)
    with pytest.raises(PhotoError, match="cannot be read"):
        open_ar(tmp_path / "M-01-08.raw")


def test_old_names_mean_the_same_people(tmp_path: Path) -> None:
    put(tmp_path / "w-001-02.png")
    (tmp_path / "F-01-05.raw").write_bytes(b"")
    (tmp_path / "notes.raw").write_bytes(b"")
    plan = plan_ar(tmp_path, expressions=True)
    assert [entry.row.file for entry in plan.entries] == ["w-001/02.png", "w-001/05.png"]
    assert "notes.raw" in plan.notes[0]


def test_a_folder_of_other_things_is_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path / "m-001-27.bmp")
    with pytest.raises(DataError, match="give the folder"):
        plan_ar(tmp_path)


@given(st.sampled_from("mwMW"), st.integers(0, 136), st.integers(1, 26))
def test_names_are_read_as_they_are_written(sex: str, person: int, number: int) -> None:
    assert parse_name(f"{sex}-{person:03d}-{number}") == Shot(f"{sex.lower()}-{person:03d}", number)
    assert parse_name(f"{sex}-{person:03d}-{number:02d}") == Shot(f"{sex.lower()}-{person:03d}", number)


@given(st.text("mwfF-0123456789", max_size=10))
def test_any_name_is_a_shot_or_none(stem: str) -> None:
    shot = parse_name(stem)
    assert shot is None or 1 <= shot.number <= 26
