"""What all readers share: looking for files, landmarks, and writing a labelled folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from readers_made import CHIN, LEFT, NOSE, RIGHT, EyesDetector, photo, put

from facedata.labelled import read_labelled
from facedata.labels import LabelRow
from facedata.readers.common import (
    MOUTH_TO_NOSE_BASE,
    NOSE_TO_EYES,
    Entry,
    LeftOutError,
    Plan,
    annotated_landmarks,
    detected_landmarks,
    files_below,
    from_eyes,
    from_eyes_and_chin,
    from_eyes_and_mouth,
    in_halves,
    listed,
)
from facedata.readers.writing import Face, face_cutter, import_faces
from facedata.rendered.head_model import load_head_model
from faces.chips import five_points
from faces.crop import CropGeometry, crop_face, crop_transform
from faces.errors import DataError
from faces.types import Landmarks

SETTINGS: dict[str, object] = {"kind": "made", "size": 16}
KNOWN = Landmarks(LEFT, RIGHT, NOSE)


def entries_of(paths: list[Path], landmarks: Landmarks | None = KNOWN) -> list[Entry]:
    return [
        Entry(path, LabelRow(f"{path.stem}/a.png", person=path.stem, pose="0"), landmarks=landmarks)
        for path in paths
    ]


def cutter(large: bool = False) -> Callable[[Entry], Face]:
    return face_cutter(annotated_landmarks, size=16, large=large)


def test_files_are_found_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a/3.png", ".git/4.png", "b/.5.png", "Skip/6.png"):
        put(tmp_path / name)
    found = files_below(tmp_path, skip=lambda name: name == "skip")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/3.png", "b/1.png", "b/2.png"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "set" / "a" / "1.png")
    put(tmp_path / "elsewhere" / "2.png")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [path.name for path in files_below(tmp_path / "set")] == ["1.png", "2.png"]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        list(files_below(tmp_path / "nowhere"))


def test_long_lists_are_cut() -> None:
    assert listed("abc") == "a, b, c"
    assert listed(map(str, range(100))) == "0, 1, 2, 3, 4, 5, 6, 7 and 92 more"


@given(st.sets(st.text("abc", min_size=1, max_size=4), min_size=1))
def test_halves_cover_everybody_and_train_gets_the_odd_one(people: set[str]) -> None:
    split = in_halves(people)
    train = [name for name, word in split.items() if word == "train"]
    assert set(split) == people
    assert len(train) == math.ceil(len(people) / 2)
    assert all(a < b for a in train for b in people - set(train))


def test_proportions_are_those_of_the_head_model(head_model_path: Path, rng: np.random.Generator) -> None:
    model = load_head_model(head_model_path)
    coefficients = np.clip(rng.normal(size=(1000, 100)), -2.5, 2.5)
    modes = model.identity_modes[:, model.landmarks68].astype(float)
    marks = model.vertices[model.landmarks68] + np.tensordot(coefficients, modes, 1)
    seen = marks[..., :2] * [1, -1]
    eyes = [(seen[:, a] + seen[:, b]) / 2 for a, b in ((36, 39), (42, 45))]
    apart = np.linalg.norm(eyes[1] - eyes[0], axis=1)
    line = (eyes[0][:, 1] + eyes[1][:, 1]) / 2
    nose = seen[:, 33, 1] - line
    mouth = (seen[:, 48, 1] + seen[:, 54, 1]) / 2 - line
    assert (nose / apart).mean() == pytest.approx(NOSE_TO_EYES, abs=0.01)
    assert (mouth / nose).mean() == pytest.approx(MOUTH_TO_NOSE_BASE, abs=0.01)


places = st.floats(-200, 200)


@given(places, places, st.floats(5, 100), st.floats(-math.pi / 3, math.pi / 3), st.booleans())
def test_eyes_alone_give_the_scale_of_a_frontal_face(
    x: float, y: float, apart: float, turn: float, swapped: bool
) -> None:
    one, other = (x, y), (x + apart * math.cos(turn), y + apart * math.sin(turn))
    found = from_eyes(other, one) if swapped else from_eyes(one, other)
    assert (found.left_eye, found.right_eye) == (one, other)
    matrix = crop_transform(found, CropGeometry(size=32))
    pixel = math.hypot(matrix[0, 0], matrix[1, 0])
    assert pixel * 32 * 0.25 == pytest.approx(NOSE_TO_EYES * apart, rel=1e-6)


def test_a_turned_head_is_not_taken_for_a_small_one() -> None:
    frontal = from_eyes((0, 0), (20, 0))
    turned = from_eyes((0, 0), (20 * math.cos(math.radians(45)), 0), yaw=-45)
    assert turned.nose_base[1] == pytest.approx(frontal.nose_base[1])


def test_mouth_and_chin_give_the_scale_at_right_angles_to_the_eyes() -> None:
    mouth = from_eyes_and_mouth((0, 0), (0, 20), (-30.22, 14))  # a head on its side
    assert mouth.nose_base == pytest.approx((-20, 10))
    chin = from_eyes_and_chin(RIGHT, LEFT, CHIN)
    assert chin.chin == CHIN
    plain = crop_transform(Landmarks(chin.left_eye, chin.right_eye, chin.nose_base), CropGeometry())
    assert crop_transform(chin, CropGeometry()) == pytest.approx(plain)


def test_five_points_stand_in_the_order_of_the_larger_pictures() -> None:
    points = five_points(KNOWN)
    assert points[:, 0].tolist() == pytest.approx([46.06, 37.94, 17.94, 26.06, 32.0], abs=0.01)
    assert points[:, 1].tolist() == pytest.approx([20, 20, 20, 20, 34.5])


def test_made_up_eye_corners_are_those_of_the_face_that_dlib_aligns_to() -> None:
    # From dlib's get_face_chip_details: x and y of the corners of both eyes on its mean face.
    mean = np.array(
        [(0.85957, 0.21350), (0.64606, 0.22897), (0.12058, 0.21373), (0.33409, 0.22906), (0.49012, 0.62780)]
    )
    right, left = mean[:2].mean(0), mean[2:4].mean(0)
    points = five_points(Landmarks(tuple(left), tuple(right), tuple(mean[4])))
    np.testing.assert_allclose(points, mean, atol=0.01)


def test_a_dark_picture_takes_the_landmarks_of_a_lit_one(tmp_path: Path) -> None:
    dark, broken, lit = (tmp_path / f"{name}.png" for name in ("dark", "broken", "lit"))
    put(dark, photo(10))
    put(lit)
    broken.write_bytes(b"no picture")
    entries = [Entry(path, LabelRow(f"{path.stem}.png", "ann"), group="ann") for path in (dark, lit)]
    detector = EyesDetector()
    cut = face_cutter(detected_landmarks(detector, {"ann": [broken, dark, lit]}), size=16, large=False)
    crops = [cut(entry)[0] for entry in entries]
    assert detector.asked == 2
    assert np.array_equal(crops[0], crop_face(photo(10), KNOWN, CropGeometry(size=16)))
    alone = Entry(dark, LabelRow("x.png", "ann"))
    with pytest.raises(LeftOutError, match="no face"):
        cut(alone)


def test_an_import_reads_as_a_labelled_folder(tmp_path: Path) -> None:
    entries = entries_of([put(tmp_path / "src" / f"{name}.png") for name in ("ann", "bob")])
    done = import_faces(Plan(entries), tmp_path / "set", cutter(), SETTINGS)
    assert (done.pictures, done.people, done.left_out) == (2, 2, [])
    faces = read_labelled(tmp_path / "set", cropped=True, geometry=CropGeometry(size=16))
    assert faces.persons.tolist() == ["ann", "bob"]
    assert np.array_equal(faces.crops[0], crop_face(photo(), KNOWN, CropGeometry(size=16)))
    assert faces.large is None
    assert not list((tmp_path / "set").rglob("*.part"))


def test_larger_pictures_show_the_same_face_and_are_never_enlarged(tmp_path: Path) -> None:
    big = np.kron(photo(), np.ones((10, 10), np.uint8))
    grown = Landmarks(*(tuple(10 * n for n in point) for point in (LEFT, RIGHT, NOSE)))  # type: ignore[arg-type]
    entries = entries_of([put(tmp_path / "src" / "ann.png")])
    entries += entries_of([put(tmp_path / "src" / "bob.png", big)], grown)
    import_faces(Plan(entries), tmp_path / "set", cutter(large=True), SETTINGS)
    large = read_labelled(tmp_path / "set", cropped=True, geometry=CropGeometry(size=16)).large
    assert large is not None
    small, full = large.read(0), large.read(1)
    assert small.pixels.shape == (72, 72)  # 14.5 pixels from eyes to nose base are a fifth of the side
    assert full.pixels.shape == (192, 192)
    assert small.points.mean(axis=0)[0] == pytest.approx(36, abs=0.1)
    assert full.points[4].tolist() == pytest.approx([96, 192 * 0.54], abs=0.1)
    eyes = full.points[:4].reshape(2, 2, 2).mean(axis=1).astype(int)
    assert (full.pixels[eyes[:, 1], eyes[:, 0]] > 240).all()


def test_an_interrupted_import_goes_on_where_it_stopped(tmp_path: Path) -> None:
    entries = entries_of([put(tmp_path / "src" / f"{name}.png") for name in ("ann", "bob", "cid")])
    cut, out = cutter(large=True), tmp_path / "set"
    asked: list[str] = []

    def stopping(entry: Entry) -> Face:
        if asked:
            raise KeyboardInterrupt
        asked.append(entry.row.person)
        return cut(entry)

    with pytest.raises(KeyboardInterrupt):
        import_faces(Plan(entries), out, stopping, SETTINGS)
    assert not (out / "labels.csv").exists()

    def counting(entry: Entry) -> Face:
        asked.append(entry.row.person)
        return cut(entry)

    assert import_faces(Plan(entries), out, counting, SETTINGS).pictures == 3
    assert asked == ["ann", "bob", "cid"]
    assert import_faces(Plan(entries), out, counting, SETTINGS).pictures == 3
    assert len(asked) == 3
    large = read_labelled(out, cropped=True).large
    assert large is not None
    assert large.present.all()


def test_bad_pictures_are_named_and_stop_nothing(tmp_path: Path) -> None:
    paths = [put(tmp_path / "src" / f"{name}.png") for name in ("ann", "bob", "cid", "dan", "eve")]
    paths[1].write_bytes(b"no picture")
    paths[2].write_bytes(b"")
    entries = entries_of(paths[:3]) + entries_of(paths[3:4], None)
    entries += entries_of(paths[4:], Landmarks(LEFT, LEFT, NOSE))
    done = import_faces(Plan(entries), tmp_path / "set", cutter(), SETTINGS)
    assert done.pictures == 1
    reasons = {path.stem: reason for path, reason in done.left_out}
    assert reasons["cid"] == "file is empty"
    assert "not a picture" in reasons["bob"]
    assert reasons["dan"] == "it is not annotated"
    assert "no face" in reasons["eve"]
    with (tmp_path / "set" / "left-out.csv").open(newline="") as file:
        assert [line[0] for line in csv.reader(file)] == ["picture", *map(str, paths[1:])]


def test_a_set_without_any_usable_picture_is_an_error(tmp_path: Path) -> None:
    entries = entries_of([put(tmp_path / "src" / "ann.png")], None)
    with pytest.raises(DataError, match=r"ann\.png: it is not annotated"):
        import_faces(Plan(entries), tmp_path / "set", cutter(), SETTINGS)
    with pytest.raises(DataError, match=r"none of the pictures could be used\.$"):
        import_faces(Plan([]), tmp_path / "set", cutter(), SETTINGS)
    assert not (tmp_path / "set" / "labels.csv").exists()


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    entries = entries_of([put(tmp_path / "src" / "ann.png")])
    with pytest.raises(DataError, match="is not empty and holds no imported set"):
        import_faces(Plan(entries), tmp_path / "src", cutter(), SETTINGS)
    with pytest.raises(DataError, match="is a file"):
        import_faces(Plan(entries), tmp_path / "src" / "ann.png", cutter(), SETTINGS)
    import_faces(Plan(entries), tmp_path / "set", cutter(), SETTINGS)
    with pytest.raises(DataError, match="other settings"):
        import_faces(Plan(entries), tmp_path / "set", cutter(), {"kind": "other"})


def test_what_is_missing_is_told_in_one_sentence() -> None:
    Plan([]).require_all("the set")
    with pytest.raises(
        DataError, match=r"the set is not complete: a is missing; b is missing\. Add .* --partial"
    ):
        Plan([], missing=["a is missing", "b is missing"]).require_all("the set")
    with pytest.raises(DataError, match="; and 12 more"):
        Plan([], missing=["x"] * 20).require_all("the set")


def test_crops_keep_their_size(tmp_path: Path) -> None:
    entries = entries_of([put(tmp_path / "src" / "ann.png")])
    import_faces(Plan(entries), tmp_path / "set", cutter(), SETTINGS)
    with Image.open(tmp_path / "set" / "ann" / "a.png") as picture:
        assert (picture.size, picture.mode) == ((16, 16), "L")
