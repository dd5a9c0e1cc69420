"""Multi-PIE: names, cameras, annotations, splits and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers_made import CHIN, LEFT, NOSE, RIGHT, EyesDetector, photo, put
from scipy.io import savemat
from typer.testing import Result

from facedata.labelled import read_labelled
from facedata.pairs import ordered_pairs
from facedata.readers import multipie
from facedata.readers.common import LeftOutError
from facedata.readers.multipie import CAMERAS, Shot, from_68, parse_name, parse_pos, plan_multipie
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.types import Landmarks

SEVEN = {name: yaw for name, yaw in CAMERAS.items() if abs(yaw) <= 45}
LIGHTS = ("00", "07", "19")
PEOPLE = ("001", "099", "101", "250")


def name_of(person: str, camera: str, light: str, session: str = "01", recording: str = "01") -> str:
    return f"{person}_{session}_{recording}_{camera.replace('_', '')}_{light}"


def put_shot(root: Path, person: str, camera: str, light: str, suffix: str = ".png") -> Path:
    folder = root / "session01" / "multiview" / person / "01" / camera
    return put(folder / (name_of(person, camera, light) + suffix), photo(100 + int(light)))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of four people under three lights, with much beside what the paper uses."""
    root = tmp_path / "Multi-PIE" / "data"
    for person in PEOPLE:
        for camera in SEVEN:
            for light in LIGHTS:
                put_shot(root, person, camera, light)
    put_shot(root, "001", "24_0", "07")
    put_shot(root, "001", "19_1", "07")
    folder = root / "session01" / "multiview" / "001" / "02" / "05_1"
    put(folder / (name_of("001", "05_1", "07", recording="02") + ".png"))
    put(root / "session02" / "multiview" / "001" / "01" / "05_1" / "001_02_01_051_07.png")
    put(root / "session01" / "highres" / "001" / "001_01_01.png")
    return root


def pos(points: list[tuple[float, float]]) -> str:
    return f"{len(points)}\n" + "".join(f"{x} {y}\n" for x, y in points)


def half_pixel_less(point: tuple[float, float]) -> tuple[float, float]:
    return point[0] - 0.5, point[1] - 0.5


def eight() -> str:
    """A .pos file of a half turned face: the person's right eye is the left one of the picture."""
    points = [(0.0, 0.0)] * 8
    points[0], points[1], points[7] = map(half_pixel_less, (LEFT, RIGHT, CHIN))
    return pos(points)


def sixteen() -> str:
    points = [(0.0, 0.0)] * 16
    points[0], points[1], points[11] = map(half_pixel_less, (LEFT, RIGHT, CHIN))
    return pos(points)


def annotate(root: Path, folder: Path, light: str = "07") -> None:
    """A .pos file for one light of each person and camera."""
    for path in sorted(root.rglob(f"*_{light}.png")):
        target = folder / path.relative_to(root).with_suffix(".pos")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(sixteen() if "_051_" in path.name else eight())


def test_cameras_stand_15_degrees_apart() -> None:
    assert sorted(CAMERAS.values()) == list(range(-90, 91, 15))
    # 05_1 is in front; the person's right side, which is on the left of the picture, is seen by 04_1.
    assert (CAMERAS["05_1"], CAMERAS["04_1"], CAMERAS["13_0"]) == (0, 30, -30)
    assert sorted(SEVEN.values()) == [-45, -30, -15, 0, 15, 30, 45]


digits = st.integers(0, 99).map(lambda number: f"{number:02d}")


@given(st.integers(0, 999), digits, digits, digits, st.integers(0, 9), digits)
def test_names_are_read_as_they_are_written(
    person: int, session: str, recording: str, camera: str, place: int, light: str
) -> None:
    shot = Shot(f"{person:03d}", session, recording, f"{camera}_{place}", light)
    assert parse_name(f"{person:03d}_{session}_{recording}_{camera}{place}_{light}") == shot


@given(st.text("0123456789_ab", max_size=20))
def test_any_name_is_a_shot_or_none(stem: str) -> None:
    shot = parse_name(stem)
    assert shot is None or name_of(shot.person, shot.camera, shot.light, shot.session, shot.recording) == stem


def test_a_copy_becomes_the_papers_set(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    annotate(copy, tmp_path / "marks")
    result = run_cli(
        "data", "import", "multipie", copy, tmp_path / "set", "--annotations", tmp_path / "marks", "--partial"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'set'}: 84 pictures of 4 people.\n"
    assert "session 1 has 249 people; 4 found: 002, 003" in result.stderr
    assert "person 001 has 21 of 140 pictures, without 080_01, 080_02" in result.stderr
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert faces.values("pose") == ("-45", "-30", "-15", "0", "+15", "+30", "+45")
    assert faces.values("light") == LIGHTS
    assert set(faces.split("train").persons) == {"001", "099"}
    assert set(faces.split("test").persons) == {"101", "250"}
    # In full: 100 x 20 x 7 x 6 = 84,000 pairs to train on, and 149 x 7 x 20 = 20,860 faces to search.
    assert len(ordered_pairs(faces.split("train"), "pose")) == 2 * 3 * 7 * 6
    assert len(faces.split("test")) == 2 * 7 * 3
    chin = Landmarks(LEFT, RIGHT, NOSE, CHIN)
    place = faces.files.tolist().index("101/pose+30_light19.png")
    assert np.array_equal(faces.crops[place], crop_face(photo(119), chin, CropGeometry()))
    assert faces.large is not None
    assert faces.large.present.all()


def test_an_incomplete_copy_is_refused_with_what_is_missing(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faces.detect.open_detector", lambda model=None: EyesDetector())
    monkeypatch.setattr(multipie, "PEOPLE", 5)
    result = run_cli("data", "import", "multipie", copy, tmp_path / "set")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "anotheryou: this copy of Multi-PIE is not complete: session 1 has 5 people; 4 found: 002, 003, 004, "
    )
    assert "--partial" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_a_complete_copy_needs_no_permission(
    tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small: three people of whom two train, two lights; one of four numbers was never given."""
    for name, value in (("PEOPLE", 3), ("TRAIN", 2), ("HIGHEST", 4), ("LIGHTS", 2)):
        monkeypatch.setattr(multipie, name, value)
    detector = EyesDetector()
    monkeypatch.setattr("faces.detect.open_detector", lambda model=None: detector)
    for person in ("001", "003", "004"):
        for camera in SEVEN:
            for light in ("00", "01"):
                put_shot(tmp_path / "src", person, camera, light)
    result = run_cli("data", "import", "multipie", tmp_path / "src", tmp_path / "set", "--no-large")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert detector.asked == 3 * 7  # one picture of those taken together
    faces = read_labelled(tmp_path / "set", cropped=True)
    assert set(faces.split("train").persons) == {"001", "003"}
    assert faces.large is None


def test_missing_people_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PEOPLE", 3), ("HIGHEST", 4), ("LIGHTS", 1)):
        monkeypatch.setattr(multipie, name, value)
    for camera in SEVEN:
        for person in ("001", "004"):
            if (person, camera) != ("004", "19_0"):
                put_shot(tmp_path, person, camera, "00")
    assert plan_multipie(tmp_path).missing == [
        "session 1 has 3 people; 2 found: 002, 003 are missing (one number up to 4 was never given)",
        "person 004 has 6 of 7 pictures, without 190_00",
    ]


def test_letter_case_other_endings_and_other_names(tmp_path: Path) -> None:
    put(tmp_path / "SESSION01" / "MultiView" / "001" / "01" / "05_1" / "001_01_01_051_07.PNG")
    put(tmp_path / "SESSION01" / "MultiView" / "001" / "01" / "05_1" / "001_01_01_051_08.bmp")
    put(tmp_path / "SESSION01" / "MultiView" / "001" / "01" / "05_1" / "copy of 001_01_01_051_08.png")
    (tmp_path / "readme.txt").write_text("not a picture")
    plan = plan_multipie(tmp_path)
    assert [entry.row.file for entry in plan.entries] == [
        "001/pose0_light07.png",
        "001/pose0_light08.png",
    ]
    assert plan.notes == [
        "left out because of names unlike 001_01_01_051_07.png: copy of 001_01_01_051_08.png"
    ]


def test_a_folder_of_other_things_is_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path / "holiday.png")
    with pytest.raises(DataError, match="give the folder that holds session01"):
        plan_multipie(tmp_path)


def test_frontal_flashes_are_looked_at_first(copy: Path) -> None:
    groups = plan_multipie(copy).tried
    assert [path.stem[-2:] for path in groups["101 05_1"]] == ["07", "00", "19"]


def test_annotations_of_eyes_and_chin() -> None:
    for text in (eight(), sixteen()):
        found = parse_pos(text, 0)
        assert (found.left_eye, found.right_eye, found.chin) == (LEFT, RIGHT, CHIN)
    eyes = [(10.0, 10.0), (30.0, 10.0)]
    alone = parse_pos(pos(eyes), 0)
    assert alone.chin is None
    assert parse_pos(pos(eyes), 45).nose_base[1] > alone.nose_base[1]


@pytest.mark.parametrize(
    "text", ["", "x", "8\n1 2\n", "8\n" + "1 x\n" * 8, "6\n" + "1 2\n" * 6, "8\n" + "nan 1\n" * 8]
)
def test_annotations_that_do_not_serve_are_left_out(text: str) -> None:
    with pytest.raises(LeftOutError):
        parse_pos(text, 0)


@given(st.text("0123456789.- \nnaif", max_size=60))
def test_any_annotation_gives_landmarks_or_is_left_out(text: str) -> None:
    try:
        found = parse_pos(text, 0)
    except LeftOutError:
        return
    assert found.left_eye <= found.right_eye


def sixty_eight() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    points = np.zeros((68, 2))
    for at, (x, y), shift in ((36, LEFT, -3), (39, LEFT, 3), (42, RIGHT, -3), (45, RIGHT, 3)):
        points[at] = (x + 0.5 + shift, y + 0.5)
    points[33], points[8] = np.add(NOSE, 0.5), np.add(CHIN, 0.5)
    return points


def test_labels_of_68_points_count_from_one() -> None:
    for points in (sixty_eight(), sixty_eight()[:66]):
        assert from_68(points) == Landmarks(LEFT, RIGHT, NOSE, CHIN)
    for wrong in (np.zeros((39, 2)), None, np.full((68, 2), np.nan), np.array(["a"])):
        with pytest.raises(LeftOutError):
            from_68(wrong)


def test_matlab_labels_and_gaps_in_them(copy: Path, tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    labels = tmp_path / "MPie_Labels" / "labels" / "051"
    labels.mkdir(parents=True)
    savemat(labels / "001_01_01_051_05_lm.mat", {"pts": sixty_eight()})
    (labels / "099_01_01_051_05_lm.mat").write_bytes(b"MATLAB 5.0 MAT-file, but no more")
    result = run_cli(
        "data",
        "import",
        "multipie",
        copy,
        tmp_path / "set",
        "--annotations",
        tmp_path / "MPie_Labels",
        "--partial",
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith(": 3 pictures of 1 people.\n")
    assert "it is not annotated" in result.stderr
    assert "81 pictures are left out in all" in result.stderr
    listing = (tmp_path / "set" / "left-out.csv").read_text()
    assert "099_01_01_051_05_lm.mat is no MATLAB file" in listing


def test_a_folder_without_annotations_is_an_error(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    (tmp_path / "empty").mkdir()
    result = run_cli(
        "data", "import", "multipie", copy, tmp_path / "set", "--annotations", tmp_path / "empty", "--partial"
    )
    assert result.exit_code == 1
    assert "holds no annotations" in result.stderr


def test_a_set_is_not_written_into_its_source(
    copy: Path, tmp_path: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faces.detect.open_detector", lambda model=None: EyesDetector())
    result = run_cli("data", "import", "multipie", copy, copy / "set", "--partial")
    assert result.exit_code == 2
    assert "choose a folder outside" in result.stderr
    assert not (copy / "set").exists()
