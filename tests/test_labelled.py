import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from facedata import sources
from facedata.labelled import LabelRow, face_set, read_labelled, write_labels
from facedata.labels import parse_labels
from faces.crop import CropGeometry
from faces.errors import DataError, LabelError
from faces.types import Box, DetectedFace, Landmarks, Photo

SMALL = CropGeometry(size=4)


def png(pixels: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def grey(level: int, side: int = 4) -> bytes:
    return png(np.full((side, side), level, np.uint8))


def folder_with(folder: Path, labels: str | bytes, **pictures: bytes) -> Path:
    """A labelled folder; a picture's keyword is its name without .png."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_bytes(labels.encode() if isinstance(labels, str) else labels)
    for name, content in pictures.items():
        (folder / f"{name}.png").write_bytes(content)
    return folder


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


LABELS = "file,person,pose,light,accessory,split\na.png,ann,-30,01,hat-1,train\nb.png,bob,0,,,test\n"


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    return folder_with(tmp_path / "set", LABELS, a=grey(10), b=grey(20))


def test_a_folder_is_read_in_the_order_of_its_labels(small_set: Path) -> None:
    faces = read_labelled(small_set, cropped=True, geometry=SMALL)
    assert faces.name == "set"
    assert faces.crops.shape == (2, 4, 4)
    assert faces.crops[:, 0, 0].tolist() == [10, 20]
    assert faces.persons.tolist() == ["ann", "bob"]
    assert faces.poses.tolist() == ["-30", "0"]
    assert faces.lights.tolist() == ["01", ""]
    assert faces.accessories.tolist() == ["hat-1", ""]
    assert faces.split("test").files.tolist() == ["b.png"]
    assert faces.left_out == 0


@pytest.mark.parametrize("inside", ["", "set/", "deep/er/"])
def test_a_zip_reads_like_the_folder_in_it(small_set: Path, inside: str) -> None:
    plain = read_labelled(small_set, cropped=True, geometry=SMALL)
    packed = read_labelled(zipped(small_set, inside), cropped=True, geometry=SMALL)
    assert packed.name == plain.name
    assert np.array_equal(packed.crops, plain.crops)
    assert np.array_equal(packed.persons, plain.persons)


def test_columns_may_come_in_any_order_and_be_missing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "set", "Person , pose,file\nann,+30,a.png\n\n , ,\n", a=grey(1))
    faces = read_labelled(folder, cropped=True, geometry=SMALL)
    assert (faces.persons[0], faces.poses[0], faces.lights[0], faces.splits[0]) == ("ann", "+30", "", "")


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    labels = b"\xef\xbb\xbffile,person\r\nsub\\a.png,\xc3\x85sa\r\n"
    folder = folder_with(tmp_path / "set", labels)
    (folder / "sub").mkdir()
    (folder / "sub" / "a.png").write_bytes(grey(1))
    faces = read_labelled(folder, cropped=True, geometry=SMALL)
    assert (faces.files[0], faces.persons[0]) == ("sub/a.png", "Åsa")


@pytest.mark.parametrize(
    ("labels", "line", "column", "says"),
    [
        ("file,person,colour\na.png,ann,red\n", 1, "colour", "file, person, pose, light, accessory, split"),
        ("file,pose\na.png,0\n", 1, "person", "missing"),
        ("file,person,file\n", 1, "file", "twice"),
        ("", 1, "file", "empty"),
        ("file,person\na.png,\n", 2, "person", "empty"),
        ("file,person\n\n,ann\n", 3, "file", "empty"),
        ("file,person,split\na.png,ann,Test\n", 2, "split", "train, val, test"),
        ("file,person\na.png,ann,0\n", 2, "person", "3 fields"),
        ("file,person\na.png,ann\n./a.png,bob\n", 3, "file", "already on line 2"),
        ("file,person\na.png,ann\nc.png,ann\n", 3, "file", "no picture"),
        ("file,person\n../a.png,ann\n", 2, "file", "leaves the folder"),
        ("file,person\nx/../../a.png,ann\n", 2, "file", "leaves the folder"),
        ("file,person\n..\\a.png,ann\n", 2, "file", "leaves the folder"),
        ("file,person\n/a.png,ann\n", 2, "file", "leaves the folder"),
        ("file,person\nC:\\a.png,ann\n", 2, "file", "leaves the folder"),
        ("file,person\nb.png,ann\n", 2, "file", "cannot be read"),
        ("file,person\nwide.png,ann\n", 2, "file", "square"),
        (b"file,person\na.png,ann\nb.png,\xff\n", 3, "file", "UTF-8"),
        ('file,person\na.png,"ann\n', 2, "file", "comma separated"),
    ],
)
def test_a_wrong_line_is_named_with_its_column(
    tmp_path: Path, labels: str | bytes, line: int, column: str, says: str
) -> None:
    wide = png(np.zeros((4, 6), np.uint8))
    folder = folder_with(tmp_path / "set", labels, a=grey(1), b=b"no picture at all", wide=wide)
    with pytest.raises(LabelError, match="line") as caught:
        read_labelled(folder, cropped=True, geometry=SMALL)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.reason


def test_a_picture_cut_short_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    folder = folder_with(tmp_path / "set", "file,person\na.png,ann\n", a=png(noise)[:-900])
    with pytest.raises(LabelError, match=r"line 2, column 'file': 'a\.png': cannot be read"):
        read_labelled(folder, cropped=True, geometry=SMALL)


def test_what_cannot_be_read_at_all_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "faces.txt").write_text("")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 but no more")
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("a.png", grey(1))
    for name in ("nowhere", "empty", "faces.txt", "broken.zip", "bare.zip"):
        with pytest.raises(DataError, match=name):
            read_labelled(tmp_path / name, cropped=True)


def test_labels_without_pictures_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        read_labelled(folder_with(tmp_path / "set", "file,person\n"), cropped=True)


def test_crops_of_another_size_are_brought_to_size_by_area(tmp_path: Path) -> None:
    pixels = np.kron(np.arange(16).reshape(4, 4) * 10, np.ones((2, 2))).astype(np.uint8)
    pixels[0, 0] += 8  # one of four pixels under the first: the mean rises by 2
    folder = folder_with(tmp_path / "set", "file,person\na.png,ann\n", a=png(pixels))
    crop = read_labelled(folder, cropped=True, geometry=SMALL).crops[0]
    assert crop.tolist() == (np.arange(16).reshape(4, 4) * 10 + np.eye(4, dtype=int) * [2, 0, 0, 0]).tolist()


def test_colour_and_deep_pictures_become_grey(tmp_path: Path) -> None:
    colour = np.full((4, 4, 3), 77, np.uint8)
    deep = np.full((4, 4), 200 * 256 + 13, np.uint16)
    folder = folder_with(tmp_path / "set", "file,person\na.png,ann\nb.png,ann\n", a=png(colour), b=png(deep))
    assert read_labelled(folder, cropped=True, geometry=SMALL).crops[:, 0, 0].tolist() == [77, 200]


class LevelDetector:
    """Finds two faces on bright pictures, none on dark ones; the first has no usable landmarks."""

    name = "level"

    def detect(self, photo: Photo) -> list[DetectedFace]:
        if photo.pixels.mean() < 100:
            return []
        box = Box(0, 0, 40, 40)
        unusable = Landmarks((10, 10), (10, 10), (10, 20))
        usable = Landmarks((10, 10), (30, 10), (20, 20))
        return [DetectedFace(box, unusable, 2.0), DetectedFace(box, usable, 1.0)]


@pytest.mark.parametrize("packed", [False, True])
def test_photographs_go_through_detection_and_those_without_a_face_are_counted(
    tmp_path: Path, packed: bool
) -> None:
    labels = "file,person\ndark.png,ann\nbright.png,bob\n"
    folder = folder_with(tmp_path / "set", labels, dark=grey(50, 40), bright=grey(180, 40))
    path = zipped(folder) if packed else folder
    faces = read_labelled(path, cropped=False, geometry=SMALL, detector=LevelDetector())
    assert faces.persons.tolist() == ["bob"]
    assert faces.crops[0, 0, 0] == 180
    assert faces.left_out == 1
    large = faces.pictures.required_large().read(0)
    assert (large.pixels == 180).all()
    assert large.pixels.shape == (40, 40)
    outer_corners_and_nose = np.array([[34.06, 10.0], [5.94, 10.0], [20.0, 20.0]])
    assert np.allclose(large.points[[0, 2, 4]], outer_corners_and_nose, atol=0.01)


def test_a_set_without_any_face_is_an_error(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "set", "file,person\ndark.png,ann\n", dark=grey(5))
    with pytest.raises(DataError, match="no face"):
        read_labelled(folder, cropped=False, geometry=SMALL, detector=LevelDetector())


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.csv", "file,person\na.png,ann\n")
        archive.writestr("a.png", bytes(8 * 2**20))
    with pytest.raises(DataError, match=r"bomb.zip: a.png unpacks"):
        read_labelled(path, cropped=True)


def test_a_zip_that_is_too_large_in_all_is_refused(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 50)
    with pytest.raises(DataError, match="unpack it"):
        read_labelled(zipped(small_set), cropped=True)


def test_a_zip_that_lies_about_a_size_does_not_fill_the_memory(
    small_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(small_set)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.start_dir
    for _ in range(3):  # write a size of 1 into every entry of the directory
        content[at + 24 : at + 28] = struct.pack("<I", 1)
        name, extra, comment = struct.unpack("<3H", content[at + 28 : at + 34])
        at += 46 + name + extra + comment
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_labelled(path, cropped=True, geometry=SMALL)


def test_values_are_ordered_by_number_and_then_by_name() -> None:
    words = ["frown", "+15", "", "-45", "0", "+5", "smile", "-5", "nan", "0"]
    faces = face_set(
        "made", np.zeros((len(words), 2, 2), np.uint8), [LabelRow("a", "b", word) for word in words]
    )
    assert faces.values("pose") == ("-45", "-5", "0", "+5", "+15", "frown", "nan", "smile")


def test_arrays_that_do_not_fit_together_make_no_set() -> None:
    with pytest.raises(DataError, match="crops"):
        face_set("made", np.zeros((1, 2, 3), np.uint8), [LabelRow("a", "b")])
    with pytest.raises(DataError, match="persons"):
        face_set("made", np.zeros((2, 2, 2), np.uint8), [LabelRow("a", "b")])


def test_an_unknown_attribute_is_refused() -> None:
    faces = face_set("made", np.zeros((1, 2, 2), np.uint8), [LabelRow("a", "b")])
    with pytest.raises(DataError, match="pose, light, accessory, tilt, expression"):
        faces.attribute("hat")  # type: ignore[arg-type]


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8).map(str.strip)
names = st.text(st.sampled_from("abÅ ,\"'.-_é漢"), min_size=1, max_size=8).map(
    lambda name: f"x/{name.strip()}.png"
)


@given(
    st.lists(
        st.tuples(names, words.filter(bool), words, words, words), max_size=6, unique_by=lambda row: row[0]
    )
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, labels: list[tuple[str, str, str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    rows = [LabelRow(*label, split="val") for label in labels]
    write_labels(path, rows)
    read = parse_labels(path.read_bytes(), path)
    assert [(r.file, r.person, r.pose, r.light, r.accessory, r.split) for r in read] == [
        (r.file, r.person, r.pose, r.light, r.accessory, r.split) for r in rows
    ]


@given(st.binary(max_size=200) | st.text(st.sampled_from('file,person\n\r"ab'), max_size=60).map(str.encode))
def test_any_bytes_give_rows_or_a_label_error(content: bytes) -> None:
    path = Path("labels.csv")
    try:
        rows = parse_labels(content, path)
    except LabelError as error:
        assert error.line >= 1
    else:
        assert all(row.file and row.person for row in rows)


def test_rows_that_could_not_be_read_back_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_labels(path, [LabelRow("a.png", "ann")])
    before = path.read_bytes()
    with pytest.raises(LabelError):
        write_labels(path, [LabelRow("../a.png", "ann")])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["labels.csv"]
