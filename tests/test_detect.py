"""Faces are found at every size and place, once each, with landmarks that make steady crops."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from faces.boxes import overlap
from faces.crop import CropGeometry, crop_face, crop_transform
from faces.detect import (
    METHODS,
    RELATIVE,
    Detector,
    View,
    best_of_each,
    cut,
    open_detector,
    same_face,
    smallest_face,
    views,
)
from faces.dlib_detector import model_file
from faces.errors import DetectorError
from faces.landmarks import FivePoints, landmarks_of
from faces.mmod import MmodNetwork, answers, find_faces, load_mmod_network
from faces.photo import read_photo
from faces.proposals import load_proposal_network, propose
from faces.types import Box, DetectedFace, Photo, Pixels

Point = tuple[float, float]

ALBUM = Path(__file__).parent.parent / "demo" / "album"
EYES, NOSE_BASE = 0.10, 0.18  # of the drawn face's width: above and below its middle
GROUND = 60


def drawn_face(width: int) -> Pixels:
    """A face like a child's drawing, (2.4 width)² grey, its middle in the middle: nobody's."""
    side = int(2.4 * width)
    y, x = (np.mgrid[0:side, 0:side] + 0.5 - side / 2) / width

    def spot(at_x: float, at_y: float, across: float, down: float) -> NDArray[np.float64]:
        levels: NDArray[np.float64] = np.exp(-(((x - at_x) / across) ** 2) - ((y - at_y) / down) ** 2)
        return levels

    def edge(distance: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
        levels: NDArray[np.float64] = 1 / (1 + np.exp(np.clip(distance * sharpness, -50, 50)))
        return levels

    levels = GROUND + 130 * edge((x / 0.5) ** 2 + ((y + 0.02) / 0.68) ** 2 - 1, 14)
    hair = edge(y + 0.38 + 0.5 * x * x, 25) * edge((x / 0.56) ** 2 + ((y + 0.05) / 0.74) ** 2 - 1, 14)
    levels = levels * (1 - hair) + 35 * hair
    for side_of in (-1, 1):
        levels -= 70 * spot(side_of * 0.2, -0.22, 0.13, 0.028)  # brow
        levels -= 45 * spot(side_of * 0.2, -EYES - 0.01, 0.12, 0.07) + 70 * spot(
            side_of * 0.2, -EYES, 0.045, 0.035
        )
        levels += 35 * (
            spot(side_of * 0.2 + 0.07, -EYES, 0.025, 0.02) + spot(side_of * 0.2 - 0.07, -EYES, 0.025, 0.02)
        )
        levels -= 40 * spot(side_of * 0.055, 0.155, 0.03, 0.02) + 20 * spot(side_of * 0.09, 0.1, 0.03, 0.06)
        levels += 12 * spot(side_of * 0.25, 0.1, 0.12, 0.12)
    levels += 25 * spot(0, 0.03, 0.045, 0.15) - 25 * spot(0, NOSE_BASE, 0.12, 0.03)
    levels -= 75 * spot(0, 0.33, 0.17, 0.022) + 30 * spot(0, 0.36, 0.13, 0.06) + 25 * spot(0, 0.45, 0.1, 0.03)
    return np.clip(levels, 0, 255).astype(np.uint8)


def photo_with(width: int, height: int, *faces: tuple[int, int, int]) -> Photo:
    """A photograph with drawn faces: (middle x, middle y, width) each."""
    pixels = np.full((height, width), GROUND, np.uint8)
    for x, y, face_width in faces:
        face = drawn_face(face_width)
        top, left = y - len(face) // 2, x - len(face) // 2
        pixels[top : top + len(face), left : left + len(face)] = face
    return Photo(np.repeat(pixels[:, :, None], 3, axis=2))


def middle(face: DetectedFace) -> Point:
    return (face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2


@cache
def opened(method: str) -> Detector:
    """A detector, opened once for all tests since loading the models takes a moment."""
    return open_detector(method)


@cache
def five_points() -> FivePoints:
    return FivePoints(model_file("shape_predictor_5_face_landmarks.dat"))


@pytest.fixture
def hog() -> Detector:
    return opened("hog")


@pytest.fixture
def default() -> Detector:
    return opened(METHODS[0])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_a_face_and_names_itself(method: str) -> None:
    detector = open_detector(method, min_face=50)
    found = detector.detect(photo_with(240, 200, (130, 100, 60)))
    assert detector.name == f"dlib-{method}"
    assert len(found) == 1
    assert middle(found[0]) == pytest.approx((130, 104), abs=12)
    assert 40 < found[0].box.width < 80
    assert found[0].score > 0.3


@pytest.mark.parametrize("width", [40, 47, 56, 66, 80, 200, 500])
def test_faces_of_every_size_are_found_once(hog: Detector, width: int) -> None:
    side = max(400, int(width * 2.5))
    found = hog.detect(photo_with(side, side, (side // 2, side // 2, width)))
    assert len(found) == 1
    assert found[0].box.width == pytest.approx(width, rel=0.35)


def test_small_faces_are_found_anywhere_in_a_large_photograph(hog: Detector) -> None:
    places = [60, 560, 671, 775, 1250, 1940]
    found = hog.detect(photo_with(2000, 800, *((x, 610, 40) for x in places)))
    assert sorted(middle(face) for face in found) == [pytest.approx((x, 612), abs=12) for x in places]


def test_small_and_large_faces_of_one_photograph_come_largest_first(hog: Detector) -> None:
    places = [(150, 150, 60), (1500, 350, 250), (850, 100, 42), (600, 350, 120)]
    found = hog.detect(photo_with(1900, 700, *places))
    expected = [(x, y) for x, y, _ in sorted(places, key=lambda place: -place[2])]
    assert len(found) == 4
    for face, (x, y) in zip(found, expected, strict=True):
        assert middle(face) == pytest.approx((x, y), abs=0.2 * face.box.width)
    assert [face.box.width for face in found] == sorted((face.box.width for face in found), reverse=True)


def test_a_large_smallest_face_leaves_small_faces_out(hog: Detector) -> None:
    coarse = open_detector("hog", min_face=150)
    photo = photo_with(900, 600, (150, 150, 45), (550, 320, 220))
    assert len(hog.detect(photo)) == 2
    assert [face.box.width > 150 for face in coarse.detect(photo)] == [True]


@pytest.mark.parametrize("width", [40, 90, 400])
def test_landmarks_lie_on_the_eyes_and_under_the_nose(hog: Detector, width: int) -> None:
    side = int(width * 2.6)
    [face] = hog.detect(photo_with(side, side, (side // 2, side // 2, width)))
    x = y = side // 2 - int(2.4 * width) // 2 + 1.2 * width
    near = 0.05 * width
    assert face.landmarks.left_eye == pytest.approx((x - 0.2 * width, y - EYES * width), abs=near)
    assert face.landmarks.right_eye == pytest.approx((x + 0.2 * width, y - EYES * width), abs=near)
    assert face.landmarks.nose_base == pytest.approx((x, y + NOSE_BASE * width), abs=near)
    assert face.landmarks.chin is None


def test_a_mirrored_photograph_has_mirrored_landmarks(hog: Detector) -> None:
    photo = photo_with(300, 300, (140, 150, 80))
    [face] = hog.detect(photo)
    [other] = hog.detect(Photo(np.ascontiguousarray(photo.pixels[:, ::-1])))
    assert 300 - other.landmarks.left_eye[0] == pytest.approx(face.landmarks.right_eye[0], abs=1)
    assert other.landmarks.nose_base[1] == pytest.approx(face.landmarks.nose_base[1], abs=1)


def corners_of_crop(face: Photo, box: Box) -> NDArray[np.float64]:
    """Where the corners of a 32-pixel crop lie in the photograph, (4, 2)."""
    landmarks = five_points().find(Image.fromarray(face.pixels).convert("L"), box)
    assert landmarks is not None
    matrix = crop_transform(landmarks, CropGeometry(32))
    corners = np.array([[0, 0], [32, 0], [0, 32], [32, 32]], float)
    return np.asarray(corners @ matrix[:, :2].T + matrix[:, 2], np.float64)


def test_the_crop_hardly_depends_on_the_exact_box() -> None:
    photo = photo_with(120, 120, (60, 60, 44))
    at = [
        corners_of_crop(photo, Box(38 + x, 42 + y, 82 + x + grown, 86 + y + grown))
        for x, y, grown in [(0, 0, 0), (2, 0, 0), (-2, 1, 0), (0, 2, 2), (1, -2, -2), (-1, -1, 3)]
    ]
    assert np.std(at, axis=0).max() < 0.8  # picture pixels, of which the crop shows some 48


@cache
def network() -> MmodNetwork:
    return load_mmod_network(model_file("mmod_human_face_detector.dat"))


@pytest.mark.parametrize("name", ["amara_pose0_kitchen", "chloe_pose+45_seaside", "daichi-and-mei_kitchen"])
def test_the_network_in_torch_finds_what_it_finds_in_dlib(name: str) -> None:
    photo = read_photo(ALBUM / f"{name}.jpg")
    seen = dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))(photo.pixels, 0)
    [found] = find_faces(network(), photo.pixels[None], threshold=0.0)
    assert len(found) == len(seen) > 0
    for one in seen:
        box = Box(one.rect.left(), one.rect.top(), one.rect.right() + 1, one.rect.bottom() + 1)
        nearest = max(found, key=lambda find: overlap(find.box, box))
        # Answers come at every eighth pixel of a level, which dlib places elsewhere from the second level on,
        # and we set the box between them.
        assert overlap(nearest.box, box) > 0.6
        assert nearest.score == pytest.approx(one.confidence, abs=0.1)


def test_on_the_finest_level_both_place_a_face_alike(photos_path: Path) -> None:
    photo = read_photo(photos_path / "cmu_faces" / "boland_straight_neutral_open.pgm")
    pixels = np.asarray(Image.fromarray(photo.pixels).resize((photo.width * 2, photo.height * 2)))
    [one] = dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))(pixels, 0)
    [every] = answers(network(), pixels[None], threshold=0.0)
    find = max(every, key=lambda find: find.score)
    corners = (one.rect.left(), one.rect.top(), one.rect.right() + 1, one.rect.bottom() + 1)
    assert find.box.sides == pytest.approx(corners, abs=1)
    assert find.score == pytest.approx(one.confidence, abs=0.02)


def test_the_landmarks_hardly_depend_on_where_and_how_large_the_face_lies(default: Detector) -> None:
    photo = Image.open(ALBUM / "chloe_pose+45_seaside.jpg")
    seen = []
    for scale, shift in [(1, 0), (1.07, 0), (0.94, 0), (1, 3), (1.03, 2)]:
        picture = photo.resize((round(photo.width * scale), round(photo.height * scale)))
        picture = picture.crop((shift, shift, picture.width, picture.height))
        [face] = default.detect(Photo(np.asarray(picture)))
        marks = face.landmarks
        points = np.array([marks.left_eye, marks.right_eye, marks.nose_base])
        seen.append((points + shift) / scale)
    assert np.std(seen, axis=0).max() < 1.5  # of a face 85 pixels wide


def test_pictures_looked_at_together_are_answered_each_for_itself() -> None:
    photo = photo_with(300, 300, (150, 150, 90)).pixels
    both = np.stack([np.full_like(photo, GROUND), photo])
    nothing, found = find_faces(network(), both, threshold=0.2)
    assert nothing == [] and [found] == find_faces(network(), photo[None], threshold=0.2)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_faces_of_a_photograph_held_the_wrong_way_are_found_and_cropped_upright(
    default: Detector, quarters: int
) -> None:
    photo = read_photo(ALBUM / "amara_pose0_kitchen.jpg")
    [face] = default.detect(photo)
    [other] = default.detect(Photo(np.ascontiguousarray(np.rot90(photo.pixels, quarters))))
    back = (photo.width, photo.height) if quarters == 2 else (photo.height, photo.width)
    assert 0 <= other.box.left < other.box.right <= back[0] + 20
    geometry = CropGeometry(32)
    crops = [
        crop_face(pixels, found.landmarks, geometry).astype(float)
        for pixels, found in ((photo.pixels, face), (np.rot90(photo.pixels, quarters), other))
    ]
    assert np.corrcoef(crops[0].ravel(), crops[1].ravel())[0, 1] > 0.97


def test_small_and_large_faces_of_a_large_photograph_are_found_by_default(default: Detector) -> None:
    """Faces are shrunk album photographs in the corners of a photograph that one of them fills."""
    names = ("amara_pose0_kitchen", "bruno_pose+30_evening", "hugo_pose+15_garden", "indira_pose+45_evening")
    wall = Image.fromarray(np.full((1200, 1600, 3), 90, np.uint8))
    wall.paste(Image.open(ALBUM / "kofi_pose0_window.jpg").resize((700, 856)), (450, 172))
    for number, name in enumerate(names):
        small = Image.open(ALBUM / f"{name}.jpg").resize((160, 196))
        wall.paste(small, (number % 2 * 1400 + 20, number // 2 * 960 + 20))
    found = default.detect(Photo(np.asarray(wall)))
    assert len(found) == 5
    assert found[0].box.width > 170 and all(40 < face.box.width < 90 for face in found[1:])


def test_the_smallest_face_grows_with_the_photograph_unless_it_is_told() -> None:
    assert smallest_face(RELATIVE, 300, 200) == smallest_face(RELATIVE, 960, 700) == 24
    assert smallest_face(RELATIVE, 3000, 4000) == 100
    assert smallest_face(30, 3000, 4000) == 30


def test_missing_weights_of_the_proposals_are_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"gone\.safetensors cannot be read; install anotheryou again"):
        load_proposal_network(tmp_path / "gone.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(DetectorError, match=r"bad\.safetensors cannot be read"):
        load_proposal_network(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(("width", "smallest"), [(26, 24), (60, 24), (150, 24), (400, 120)])
def test_a_face_is_among_the_first_proposals_at_every_size(width: int, smallest: int) -> None:
    side = 3 * width
    photo = Image.open(ALBUM / "amara_pose0_kitchen.jpg").convert("L")
    scale = width / 85  # of the face in this photograph
    grey = Image.new("L", (2 * side, 2 * side), 100)
    grey.paste(
        photo.resize((round(photo.width * scale), round(photo.height * scale))), (side // 2, side // 2)
    )
    proposed = propose(load_proposal_network(), grey, smallest=smallest, largest=side, threshold=-3)
    [face] = opened("mmod").detect(Photo(np.asarray(grey.convert("RGB"))))
    assert any(overlap(one.box, face.box) > 0.4 for one in proposed[:3])
    assert proposed == sorted(proposed, key=lambda one: -one.score)


def test_the_same_photograph_gives_the_same_faces(default: Detector) -> None:
    photo = photo_with(260, 140, (70, 70, 45), (180, 70, 55))
    assert default.detect(photo) == default.detect(photo) == open_detector().detect(photo)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3), (2, 900), (90, 90)])
def test_photographs_without_a_face_have_none(method: str, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert opened(method).detect(Photo(noise)) == []


def test_real_faces_are_found_whichever_way_they_look(photos_path: Path, default: Detector) -> None:
    for direction in ("straight", "left", "right", "up"):
        photo = read_photo(photos_path / "cmu_faces" / f"an2i_{direction}_neutral_open.pgm")
        [face] = default.detect(photo)
        assert 30 < face.box.width < 70
        assert middle(face) == pytest.approx((54, 66), abs=22)


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    scale=st.floats(0.4, 3),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    size=st.floats(1, 3),
)
def test_every_face_lies_whole_in_a_view_that_shows_it_large_enough(
    width: int, height: int, scale: float, x: float, y: float, size: float
) -> None:
    regions: list[tuple[Box, float]] = []
    picture = SimpleNamespace(width=width, height=height)

    def note(_: object, region: Box, reached: float) -> View:
        regions.append((region, reached))
        return View(np.zeros((1, 1), np.uint8), reached, region.left, region.top)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faces.detect.cut", note)
        list(views(picture, scale, window=80))  # type: ignore[arg-type]
    side = min(80 * size / scale, width, height)
    left, top = x * (width - side), y * (height - side)
    assert any(
        reached == scale or size * reached >= scale
        for region, reached in regions
        if region.left <= left + 1e-6
        and region.top <= top + 1e-6
        and left + side <= region.right + 1e-6
        and top + side <= region.bottom + 1e-6
    )


def test_views_of_a_large_photograph_stay_small() -> None:
    sizes = [view.pixels.size for view in views(Image.new("L", (4000, 2500)), 1.5, window=80)]
    assert len(sizes) > 8
    assert max(sizes) <= 2_000_000


@given(left=st.integers(0, 60), top=st.integers(0, 40), side=st.integers(8, 60), scale=st.floats(0.3, 4))
def test_a_view_knows_where_it_lies_in_the_photograph(left: int, top: int, side: int, scale: float) -> None:
    y, x = np.mgrid[0:120, 0:140]
    image = Image.fromarray((x + y).astype(np.uint8))
    view = cut(image, Box(left, top, left + side, top + side), scale)
    height, width = view.pixels.shape
    row, column = height // 2, width // 2
    place = view.in_photo(column, row, column + 1, row + 1)
    shown = (place.left + place.right) / 2 + (place.top + place.bottom) / 2 - 1  # the ramp at that centre
    at_edge = min(row, column, height - 1 - row, width - 1 - column) < 4
    assert float(view.pixels[row, column]) == pytest.approx(shown, abs=4 if at_edge else 1)


places = st.floats(0, 100)
boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    places,
    places,
    st.floats(0, 60),
    st.floats(0, 60),
)


@given(one=boxes, other=boxes)
def test_overlap_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == overlap(other, one)
    assert same_face(one, other) == same_face(other, one)


def test_overlap_counts_the_shared_area() -> None:
    assert overlap(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 2, 2), Box(2, 0, 4, 2)) == 0
    assert same_face(Box(0, 0, 100, 100), Box(10, 10, 40, 40)), "an eye found within the face"


class Seen(NamedTuple):
    box: Box
    score: float


@given(found=st.lists(st.builds(Seen, boxes, st.integers(0, 3)), max_size=12), seed=st.randoms())
def test_one_of_each_face_is_kept_whatever_the_order(found: list[Seen], seed: random.Random) -> None:
    kept = best_of_each(found)
    for index, (box, score) in enumerate(kept):
        assert not any(same_face(box, other) for other, _ in kept[:index])
        assert all(score <= before for _, before in kept[:index])
    for box, score in found:
        assert any((box, score) == item or (same_face(box, item[0]) and item[1] >= score) for item in kept)
    shuffled = list(found)
    seed.shuffle(shuffled)
    assert best_of_each(shuffled) == kept


def test_the_left_eye_is_the_one_left_of_the_nose_seen_upright() -> None:
    # dlib names the eye on the right side of the picture first.
    points = np.array([[60, 40], [70, 40], [30, 40], [40, 40], [50, 60]], float)
    upright, swapped = landmarks_of(points), landmarks_of(points[[2, 3, 0, 1, 4]])
    assert upright is not None and upright == swapped
    assert upright.left_eye == (35, 40) and upright.right_eye == (65, 40) and upright.nose_base == (50, 60)
    on_its_head = landmarks_of(100 - points)
    assert on_its_head is not None
    assert on_its_head.left_eye == (65, 60), "turn the picture upright and it is on the left"


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 7.0),
        np.array([[60, 40], [70, 40], [30, 40], [40, 40], [50, 40]], float),
        np.array([[60, 40], [70, 40], [30, 40], [40, 40], [50, np.nan]], float),
    ],
)
def test_points_that_make_no_face_are_dropped(points: NDArray[np.float64]) -> None:
    assert landmarks_of(points) is None


def test_an_unknown_detector_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DetectorError, match=r"no detector haar; choose mmod, hog\+cnn, hog, cnn or the path"):
        open_detector("haar")


def test_a_smallest_face_of_no_pixels_is_refused() -> None:
    with pytest.raises(DetectorError, match="1 pixel or more"):
        open_detector(min_face=-1)


def test_missing_models_are_named_with_the_way_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DetectorError, match="pip install face_recognition_models"):
        model_file("shape_predictor_5_face_landmarks.dat")


def test_a_damaged_model_of_the_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.dat").write_bytes(b"no model" * 20)
    with pytest.raises(DetectorError, match=r"model\.dat is not dlib's neural face detector"):
        load_mmod_network(tmp_path / "model.dat")
    with pytest.raises(DetectorError, match=r"gone\.dat cannot be read"):
        load_mmod_network(tmp_path / "gone.dat")
    whole = model_file("mmod_human_face_detector.dat").read_bytes()
    (tmp_path / "model.dat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DetectorError, match="is not dlib's neural face detector"):
        load_mmod_network(tmp_path / "model.dat")


@pytest.mark.parametrize("method", ["hog", "cnn"])
def test_damaged_models_are_named(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "model.dat"
    broken.write_bytes(b"no model" * 20)
    monkeypatch.setattr("faces.dlib_detector.model_file", lambda _: broken)
    with pytest.raises(DetectorError, match=r"model\.dat is not a .* that dlib can read"):
        open_detector(method)


def test_models_are_found_without_importing_their_package_and_dlib_only_when_needed() -> None:
    program = (
        "import sys, faces.detect; early = {'dlib', 'torch'} & sys.modules.keys();"
        "faces.detect.open_detector('hog');"
        "print(bool(early), 'dlib' in sys.modules, 'face_recognition_models' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


def test_a_missing_onnx_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"there is no detector model .*gone\.onnx"):
        open_detector(tmp_path / "gone.onnx")


def test_a_damaged_onnx_file_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2", reason="needs OpenCV")
    (tmp_path / "face.onnx").write_bytes(b"no network" * 20)
    with pytest.raises(DetectorError, match=r"face\.onnx is not a YuNet model"):
        open_detector(tmp_path / "face.onnx")
    capfd.readouterr()  # OpenCV has its own words for it


def test_yunet_without_opencv_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "face.onnx").touch()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DetectorError, match="pip install opencv-python-headless"):
        open_detector(tmp_path / "face.onnx")


class FakeYuNet:
    """Answers as YuNet does, in pixels of the picture given: a face where that is brightest."""

    def __init__(self, row: list[float] | None = None) -> None:
        self.row = row
        self.sizes: list[tuple[int, int]] = []

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802
        self.sizes.append(size)

    def detect(self, pixels: Pixels) -> tuple[int, NDArray[np.float32] | None]:
        assert pixels.shape[1::-1] == self.sizes[-1]
        if self.row is not None:
            return 1, np.array([self.row], np.float32)
        rows, columns = np.nonzero(pixels[:, :, 2] > 200)  # red, the last of OpenCV's channels
        if not len(rows):
            return 1, None
        x, y, size = columns.mean() + 0.5, rows.mean() + 0.5, np.sqrt(len(rows))
        eyes = [x - 0.2 * size, y - 0.1 * size, x + 0.2 * size, y - 0.1 * size]
        rest = [x, y + 0.1 * size, x - 0.15 * size, y + 0.3 * size, x + 0.15 * size, y + 0.3 * size]
        return 1, np.array([[x - size / 2, y - size / 2, size, size, *eyes, *rest, 0.9]], np.float32)


def yunet_with(net: FakeYuNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Detector:
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: net)
    (tmp_path / "face.onnx").touch()
    return open_detector(tmp_path / "face.onnx")


@pytest.mark.parametrize(("width", "height"), [(100, 80), (640, 480), (3000, 2000)])
def test_yunet_faces_come_in_pixels_of_the_photograph(
    width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = FakeYuNet()
    detector = yunet_with(net, tmp_path, monkeypatch)
    pixels = np.zeros((height, width, 3), np.uint8)
    size = height // 4
    top, left = height // 2, width // 2
    pixels[top : top + size, left : left + size, 0] = 250
    [face] = detector.detect(Photo(pixels))
    assert detector.name == "yunet"
    assert middle(face) == pytest.approx((left + size / 2, top + size / 2), abs=0.02 * width)
    x, y = middle(face)
    assert face.landmarks.left_eye == pytest.approx((x - 0.2 * size, y - 0.1 * size), abs=0.02 * width)
    assert face.landmarks.nose_base == pytest.approx((x, y + 0.182 * size), abs=0.02 * width)
    assert face.score == pytest.approx(0.9)
    assert all(max(shape) <= 1600 for shape in net.sizes)


def test_yunet_rows_that_make_no_face_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = [10.0, 10, 20, 20, *[15.0] * 10, 0.9]
    photo = Photo(np.zeros((60, 60, 3), np.uint8))
    assert yunet_with(FakeYuNet(flat), tmp_path, monkeypatch).detect(photo) == []
    assert yunet_with(FakeYuNet([float("nan")] * 15), tmp_path, monkeypatch).detect(photo) == []
