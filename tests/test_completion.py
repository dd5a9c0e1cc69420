"""Bars over eyes: where they lie, and that a set of them is made once, whole and always alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from training_made import made_faces, write_faces
from typer.testing import Result

import facedata.completion
from facedata.completion import bar_over_eyes, make_completion_set
from facedata.labelled import read_labelled, write_picture
from facedata.labels import LabelRow, write_labels
from facedata.packing import pack_labelled
from facedata.pairs import ordered_pairs
from faces.crop import CropGeometry
from faces.errors import DataError
from faces.types import Pixels

SMALL = CropGeometry(size=8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "faces", made_faces(people=2))


@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from([32, 64]))
def test_the_bar_hides_the_eyes_and_leaves_mouth_and_forehead(seed: int, side: int) -> None:
    face = np.full((side, side), 200, np.uint8)
    barred = bar_over_eyes(face, np.random.default_rng(seed))
    rows, columns = np.mgrid[:side, :side] / side
    eyes = (rows >= 0.25) & (rows < 0.34) & (columns >= 0.15) & (columns < 0.84)
    assert (barred[eyes] == 0).all()
    assert (barred[(rows > 0.5) | (rows < 0.09)] == 200).all()
    assert (face == 200).all()


def test_bars_differ() -> None:
    face = np.full((32, 32), 200, np.uint8)
    assert len({bar_over_eyes(face, np.random.default_rng(seed)).tobytes() for seed in range(20)}) == 20


def test_every_face_is_there_with_and_without_a_bar(source: Path, tmp_path: Path) -> None:
    before = read_labelled(source, cropped=True, geometry=SMALL)
    assert make_completion_set(source, tmp_path / "out") == 2 * len(before)
    after = read_labelled(tmp_path / "out", cropped=True, geometry=SMALL)
    plain, barred = after.select(after.accessories == "none"), after.select(after.accessories == "bar")
    for half in (plain, barred):
        for column in ("persons", "poses", "lights", "splits"):
            assert np.array_equal(getattr(half, column), getattr(before, column))
    assert np.array_equal(plain.crops, before.crops)
    assert (barred.crops != plain.crops).any((1, 2)).all()
    assert len(ordered_pairs(after, "accessory")) == len(after)


def test_the_same_source_and_seed_give_the_same_bars_and_a_zip_does_as_well(
    source: Path, tmp_path: Path
) -> None:
    pack_labelled(source, tmp_path / "faces.zip")
    made = []
    for number, (place, seed) in enumerate([(source, 0), (tmp_path / "faces.zip", 0), (source, 1)]):
        make_completion_set(place, tmp_path / str(number), seed=seed)
        made.append(read_labelled(tmp_path / str(number), cropped=True, geometry=SMALL).crops)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_what_was_made_is_kept_and_what_is_missing_is_made(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    written = 0

    def interrupted(path: Path, pixels: Pixels, **options: int) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise KeyboardInterrupt
        write_picture(path, pixels, **options)

    monkeypatch.setattr(facedata.completion, "write_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_completion_set(source, out)
    assert not (out / "labels.csv").exists()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert times
    count = make_completion_set(source, out)
    assert count == 2 * len(made_faces(people=2))
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    make_completion_set(source, tmp_path / "straight")
    again, straight = (
        read_labelled(one, cropped=True, geometry=SMALL).crops for one in (out, tmp_path / "straight")
    )
    assert np.array_equal(again, straight)


def test_unchanged_pictures_take_no_room(source: Path, tmp_path: Path) -> None:
    make_completion_set(source, tmp_path / "out")
    first = next((tmp_path / "out" / "none").rglob("*.png"))
    assert first.stat().st_nlink == 2


def test_faces_that_wear_something_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((8, 8), 90, np.uint8)).save(folder / f"{name}.png")
    rows = [LabelRow("a.png", "p", accessory="none"), LabelRow("b.png", "p", accessory="hat-1")]
    write_labels(folder / "labels.csv", rows)
    assert make_completion_set(folder, tmp_path / "out") == 2
    write_labels(folder / "labels.csv", rows[1:])
    with pytest.raises(DataError, match="no face without accessory"):
        make_completion_set(folder, tmp_path / "other")


def test_known_troubles_are_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        make_completion_set(tmp_path / "nowhere", tmp_path / "out")
    make_completion_set(source, tmp_path / "out")
    with pytest.raises(DataError, match="other settings"):
        make_completion_set(source, tmp_path / "out", seed=1)
    with pytest.raises(DataError, match="not empty"):
        make_completion_set(source, source)
    first = next(source.rglob("*.png"))
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(first)
    with pytest.raises(DataError, match="9 × 8 pixels"):
        make_completion_set(source, tmp_path / "oblong")
    first.write_bytes(b"no picture")
    with pytest.raises(DataError, match=first.name):
        make_completion_set(source, tmp_path / "broken")


def test_the_command_makes_a_set(source: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "render", "completion", source, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "24 pictures, half of them with a bar" in result.stdout
    assert (tmp_path / "out" / "labels.csv").is_file()
