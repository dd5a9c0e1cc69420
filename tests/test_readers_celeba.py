"""CelebA: its four lists, attributes as accessories, splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers_made import photo, put
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import celeba
from facedata.readers.celeba import attribute_word, parse_table, plan_celeba
from facedata.readers.common import from_eyes_and_mouth
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.photo import read_photo

ATTRIBUTES = ("Eyeglasses", "Male", "Wearing_Hat")
# Person, split and attributes of each picture.
PICTURES = (
    (2880, 0, (-1, 1, -1)),
    (2880, 0, (1, 1, -1)),
    (2880, 0, (-1, 1, 1)),
    (2880, 0, (1, 1, 1)),
    (17, 1, (-1, -1, -1)),
    (5, 2, (-1, -1, -1)),
    (5, 2, (1, -1, -1)),
)
MARKED = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
MARKS = (22, 20, 42, 20, 32, 30, 26, 42, 38, 42)


def stem(number: int) -> str:
    return f"{number + 1:06d}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "CelebA"
    rows = range(len(PICTURES))
    for number in rows:
        put(root / "Img" / "img_align_celeba" / f"{stem(number)}.jpg", photo(100 + number))
    lists = {
        "Anno/identity_CelebA.txt": [f"{stem(n)}.jpg {PICTURES[n][0]}" for n in rows],
        "Anno/list_attr_celeba.txt": [
            str(len(PICTURES)),
            " ".join(ATTRIBUTES) + " ",
            *(f"{stem(n)}.jpg  {'  '.join(map(str, PICTURES[n][2]))}" for n in rows),
        ],
        "Anno/list_landmarks_align_celeba.txt": [
            str(len(PICTURES)),
            " ".join(f"{at}_{axis}" for at in MARKED for axis in "xy"),
            *(f"{stem(n)}.jpg {'  '.join(map(str, MARKS))}" for n in rows),
        ],
        "Eval/list_eval_partition.txt": [f"{stem(n)}.jpg {PICTURES[n][1]}" for n in rows],
    }
    for name, lines in lists.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("\r\n".join(lines) + "\r\n")
    return root


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full set is as small as the copy."""
    monkeypatch.setattr(celeba, "PICTURES", len(PICTURES))
    monkeypatch.setattr(celeba, "PEOPLE", 3)


@pytest.mark.usefixtures("few")
def test_attributes_become_accessories(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "import", "celeba", copy, tmp_path / "set")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'set'}: 6 pictures of 3 people.\n"
    assert result.stderr == "anotheryou: left out because of more than one of eyeglasses, hat: 1\n"
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert faces.values("accessory") == ("eyeglasses", "hat", "none")
    assert set(faces.split("train").persons) == {"02880"}
    assert (len(faces.split("val")), len(faces.split("test"))) == (1, 2)
    assert len(ordered_pairs(faces.split("train"), "accessory")) == 3 * 2
    assert len(ordered_pairs(faces.split("test"), "accessory")) == 2
    place = faces.files.tolist().index("00005/000007.png")
    marks = from_eyes_and_mouth((22.5, 20.5), (42.5, 20.5), (32.5, 42.5))
    pixels = read_photo(copy / "Img" / "img_align_celeba" / "000007.jpg").pixels
    assert np.array_equal(faces.crops[place], crop_face(pixels, marks, CropGeometry()))


@pytest.mark.usefixtures("few")
def test_other_attributes_on_request(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    arguments = ("data", "import", "celeba", copy, tmp_path / "set", "--no-large", "--attribute")
    refused = run_cli(*arguments, "Eyeglases")
    assert refused.exit_code == 1
    assert "no attribute 'Eyeglases'; its attributes are Eyeglasses" in refused.stderr
    assert run_cli(*arguments, "male").exit_code == 0
    assert read_labelled(tmp_path / "set", cropped=True).values("accessory") == ("male", "none")


def test_an_incomplete_copy_is_refused(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    (copy / "Img" / "img_align_celeba" / "000003.jpg").unlink()
    result = run_cli("data", "import", "celeba", copy, tmp_path / "set")
    assert result.exit_code == 1
    assert "CelebA has 202,599 pictures; 6 found, 7 listed; without 000003" in result.stderr
    assert "CelebA has 10,177 people; 3 found" in result.stderr


@pytest.mark.parametrize("name", ["identity_CelebA", "list_attr_celeba", "list_eval_partition"])
def test_a_missing_or_empty_list_is_named(copy: Path, name: str) -> None:
    (path,) = copy.rglob(f"{name}.txt")
    path.write_text("7\n")
    with pytest.raises(DataError, match=rf"{name}\.txt lists no pictures"):
        plan_celeba(copy)
    path.unlink()
    with pytest.raises(DataError, match=rf"holds no {name}\.txt"):
        plan_celeba(copy)


@pytest.mark.usefixtures("few")
def test_damage_is_told(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    marks = copy / "Anno" / "list_landmarks_align_celeba.txt"
    marks.write_text("\n".join(line for line in marks.read_text().splitlines() if "000006" not in line))
    broken = copy / "Img" / "img_align_celeba" / "000001.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    result = run_cli("data", "import", "celeba", copy, tmp_path / "set")
    assert result.exit_code == 0
    assert "left out because not in all lists: 1" in result.stderr
    assert f"left out: {broken}: damaged" in result.stderr


def test_people_in_two_splits_are_told(copy: Path) -> None:
    splits = copy / "Eval" / "list_eval_partition.txt"
    splits.write_text(splits.read_text().replace("000007.jpg 2", "000007.jpg 0"))
    assert any("two splits" in note for note in plan_celeba(copy).notes)


def test_pictures_must_be_there(copy: Path) -> None:
    for path in copy.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="unpack them too"):
        plan_celeba(copy)


def test_lists_with_commas_and_capitals_are_read(copy: Path) -> None:
    for path in list(copy.rglob("list_*.txt")):
        lines = [",".join(line.split()) for line in path.read_text().splitlines()]
        if lines[0].isdigit():
            lines = ["image_id," + lines[1], *lines[2:]]
        path.with_name(path.stem.upper() + ".CSV").write_text("\n".join(lines))
        path.unlink()
    plan = plan_celeba(copy)
    assert [entry.row.accessory for entry in plan.entries] == [
        "none", "eyeglasses", "hat", "none", "none", "eyeglasses",
    ]  # fmt: skip


def test_a_wrong_line_is_named() -> None:
    with pytest.raises(DataError, match=r"list, line 3: '000002\.jpg x' is no picture"):
        parse_table("2\n000001.jpg 1\n000002.jpg x\n", Path("list"))


def test_words_for_attributes() -> None:
    assert [attribute_word(name) for name in (*ATTRIBUTES, "5_o_Clock_Shadow")] == [
        "eyeglasses", "male", "hat", "5-o-clock-shadow",
    ]  # fmt: skip


names = st.text("abc0123", min_size=1, max_size=6)


@given(
    st.dictionaries(names, st.lists(st.integers(-300, 300), min_size=1, max_size=4), max_size=5),
    st.booleans(),
)
def test_tables_are_read_as_they_are_written(rows: dict[str, list[int]], commas: bool) -> None:
    between = "," if commas else "  "
    lines = [between.join(map(str, (f"{name}.jpg", *numbers))) for name, numbers in rows.items()]
    assert parse_table("\n".join(lines), Path("list")).rows == rows


@given(st.text("ab.jpg 01-,\n", max_size=60))
def test_any_text_is_a_table_or_one_clear_error(text: str) -> None:
    try:
        table = parse_table(text, Path("list"))
    except DataError:
        return
    assert all(isinstance(number, int) for row in table.rows.values() for number in row)
