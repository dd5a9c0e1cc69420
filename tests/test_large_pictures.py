"""Larger pictures of faces: in memory, beside a labelled folder, and in a .zip."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facedata.labelled import LabelRow, large_face, read_labelled, rendered_mini_path, write_labels
from facedata.large_pictures import (
    COLUMNS,
    LargeFace,
    LargePictures,
    Pictures,
    format_large,
    large_name,
    parse_large,
)
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError, LabelError, RowUnavailable
from faces.landmarks import landmarks_of
from faces.types import Floats, Landmarks, Pixels

GEOMETRY = CropGeometry(size=4)
FILES = ("ann/a.png", "ann/b.png", "bob/a.png", "bob/b.png")
HEADER = ",".join(COLUMNS)


def face(level: int, side: int = 40) -> LargeFace:
    """A plain picture with points that tell its level."""
    points = np.arange(10, dtype=np.float32).reshape(5, 2) + level
    return LargeFace(np.full((side, side), level, np.uint8), points)


def held(*levels: int) -> LargePictures:
    return LargePictures.held([face(level) if level else None for level in levels])


def level(large: LargePictures, index: int) -> tuple[int, float]:
    found = large.read(index)
    return int(found.pixels[0, 0]), float(found.points[0, 0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four crops, the first three with larger pictures."""
    folder = tmp_path / "set"
    points: dict[str, Floats] = {}
    for at, file in enumerate(FILES):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), at, np.uint8)).save(folder / file)
        if at < 3:
            large = face(10 * at + 10)
            points[file] = large.points
            (folder / large_name(file)).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(large.pixels).save(folder / large_name(file), lossless=True)
    write_labels(folder / "labels.csv", [LabelRow(file, file.partition("/")[0]) for file in FILES])
    (folder / "large.csv").write_bytes(format_large(points))
    return folder


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_a_labelled_set_brings_its_larger_pictures_along(folder: Path, packed: bool) -> None:
    faces = read_labelled(zipped(folder, "in/") if packed else folder, cropped=True, geometry=GEOMETRY)
    assert faces.large is not None
    assert faces.large.present.tolist() == [True, True, True, False]
    assert level(faces.large, 1) == (20, 20.0)
    assert faces.large.read(2).points.dtype == np.float32
    chosen = faces.select(np.array([2, 0]))
    assert chosen.large is not None
    assert [level(chosen.large, index)[0] for index in (0, 1)] == [30, 10]
    assert chosen.pictures.required_large() is chosen.large
    with pytest.raises(RowUnavailable, match="1 of 4 faces have no larger picture"):
        faces.pictures.required_large()


def test_a_set_without_larger_pictures_says_so(folder: Path) -> None:
    (folder / "large.csv").unlink()
    faces = read_labelled(folder, cropped=True, geometry=GEOMETRY)
    assert faces.large is None
    with pytest.raises(RowUnavailable) as caught:
        faces.pictures.required_large()
    assert caught.value.reason == "the set has no larger pictures"
    assert str(caught.value) == "The row cannot be computed: the set has no larger pictures."


@pytest.mark.parametrize(
    ("content", "line", "column", "says"),
    [
        ("file,x0\n", 1, "file", "the first line must be"),
        (f"{HEADER}\nann/a.png,1,2,3\n", 2, "file", "11 filled fields"),
        (f"{HEADER}\nann/a.png,1,2,3,4,5,nan,7,8,9,10\n", 2, "y2", "'nan' is no number"),
        (f"{HEADER}\nann/a.png,1,2,3,x,5,6,7,8,9,10\n", 2, "y1", "'x' is no number"),
        (f"{HEADER}\nbob/b.png,1,2,3,4,5,6,7,8,9,10\n", 2, "file", "no picture 'large/bob/b.webp'"),
        ("\xff", 1, "file", "not UTF-8"),
        (f'{HEADER}\n"ann', 2, "file", "comma separated"),
    ],
)
def test_a_wrong_line_of_points_is_named(
    folder: Path, content: str, line: int, column: str, says: str
) -> None:
    (folder / "large.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(LabelError, match=says) as caught:
        read_labelled(folder, cropped=True, geometry=GEOMETRY)
    assert (caught.value.path.name, caught.value.line, caught.value.column) == ("large.csv", line, column)


def test_a_damaged_picture_is_told_when_it_is_read(folder: Path) -> None:
    (folder / large_name(FILES[0])).write_bytes(b"RIFF")
    Image.new("L", (4097, 1)).save(folder / large_name(FILES[1]))
    large = read_labelled(folder, cropped=True, geometry=GEOMETRY).large
    assert large is not None
    with pytest.raises(DataError, match=r"a\.webp cannot be read"):
        large.read(0)
    with pytest.raises(DataError, match=r"b\.webp is too large"):
        large.read(1)
    assert level(large, 2)[0] == 30


@given(
    st.dictionaries(
        st.text("abc/é,", min_size=1),
        st.lists(st.integers(-(10**5), 10**6), min_size=10, max_size=10),
        max_size=8,
    )
)
def test_points_are_kept_to_a_hundredth(values: dict[str, list[int]]) -> None:
    points = {name: np.array(ten, np.float32).reshape(5, 2) / np.float32(100) for name, ten in values.items()}
    read = parse_large(format_large(points), Path("large.csv"))
    assert list(read) == list(points)
    for number, name in enumerate(points):
        assert read[name][0] == number + 2
        assert np.allclose(read[name][1], points[name], atol=0.006)


def test_pictures_in_memory_are_chosen_without_copies() -> None:
    large = held(5, 0, 7)
    assert (len(large), large.present.tolist()) == (3, [True, False, True])
    chosen = large.select(np.array([False, True, True])).select(np.array([1, 0, 1]))
    assert [chosen.present[0], chosen.present[1], len(chosen)] == [True, False, 3]
    assert level(chosen, 2) == (7, 7.0)
    assert chosen.read(0).pixels is large.read(2).pixels
    with pytest.raises(RowUnavailable):
        chosen.read(1)


def test_what_does_not_fit_is_refused() -> None:
    crops = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(DataError, match="2 crops need as many larger pictures, not 1"):
        Pictures(crops, held(1))
    with pytest.raises(DataError, match="uint8"):
        Pictures(crops.astype(np.float32))
    with pytest.raises(DataError, match="points must be"):
        LargePictures(load=lambda number: crops[number], points=np.zeros((2, 4, 2), np.float32))


def test_a_face_set_refuses_larger_pictures_of_others(folder: Path) -> None:
    faces = read_labelled(folder, cropped=True, geometry=GEOMETRY)
    with pytest.raises(DataError, match="4 faces need as many larger pictures, not 1"):
        replace(faces, large=held(1))


def smooth_picture(height: int, width: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    wave = np.sin(x / 9.0) + np.cos(y / 7.0) + np.sin((x + y) / 23.0)
    return np.asarray((wave + 3) * 40, np.uint8)


@pytest.mark.parametrize("eyes", [30, 200])
def test_a_face_cut_from_its_photograph_crops_to_the_same(eyes: int) -> None:
    pixels = smooth_picture(10 * eyes, 8 * eyes)
    at = np.array([3.4 * eyes, 5.2 * eyes])
    left, right, nose = ((at + eyes * np.array(offset)).tolist() for offset in ((0, 0), (1, 0.2), (0.4, 0.8)))
    marks = Landmarks(tuple(left), tuple(right), tuple(nose))
    large = large_face(pixels, marks)
    assert max(large.pixels.shape) <= 604
    again = landmarks_of(large.points.astype(np.float64))
    assert again is not None
    one = crop_face(pixels, marks, CropGeometry()).astype(int)
    other = crop_face(large.pixels, again, CropGeometry()).astype(int)
    assert np.abs(one - other).mean() < 1.5
    if eyes == 30:  # no face is enlarged
        x, y = np.rint(large.points[4] - nose).astype(int)
        height, width = large.pixels.shape
        assert np.array_equal(large.pixels, pixels[-y : height - y, -x : width - x])


def test_a_face_at_the_edge_is_cut_as_far_as_the_photograph_reaches() -> None:
    colour = np.repeat(smooth_picture(60, 50)[:, :, None], 3, axis=2)
    large = large_face(colour, Landmarks((4, 5), (16, 5), (10, 15)))
    assert large.pixels.shape == (53, 50)
    assert np.allclose(large.points[4], [10, 15])
    with pytest.raises(ValueError, match="beside"):
        large_face(colour, Landmarks((-104, 5), (-96, 5), (-100, 15)))


def test_the_small_set_that_comes_along_has_a_larger_picture_of_every_face() -> None:
    large = read_labelled(rendered_mini_path(), cropped=True).pictures.required_large()
    assert len(large) == 3360
    face = large.read(1000)
    assert face.pixels.shape == (176, 176)
    assert face.pixels.std() > 5
    assert (face.points > 0.15 * 176).all()
    assert (face.points < 0.85 * 176).all()
