"""Deep descriptors of faces, and the chips they are made from."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from faces.chips import (
    ARCFACE_SIDE,
    DLIB_SIDE,
    NOSE_DEPTH,
    cut_arcface_chip,
    cut_dlib_chip,
    dlib_chip,
    five_points,
    yaw_of,
)
from faces.dlib_detector import model_file
from faces.errors import WeightsError
from faces.types import Floats, Landmarks, Pixels
from retrieval.identity import DlibIdentity, OnnxIdentity, open_identity, unit_length

ALBUM = Path(__file__).resolve().parent.parent / "demo" / "album"
# ArcFace's published template for the eyes; the nose base lies 0.41 of the way from nose tip to mouth.
EYES = ((38.2946, 51.6963), (73.5318, 51.5014))
NOSE_TIP, MOUTH = (56.0252, 71.7366), (56.1396, 92.2848)
NOSE_BASE = tuple(tip + 0.41 * (mouth - tip) for tip, mouth in zip(NOSE_TIP, MOUTH, strict=True))


def marks(unit: float, turn: float = 0.0, centre: tuple[float, float] = (200.0, 200.0)) -> Landmarks:
    """A face that the template fits exactly: ``unit`` pixels for one of the chip, turned (radians)."""
    points = np.array([*EYES, NOSE_BASE]) - ARCFACE_SIDE / 2
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    left, right, nose = (points @ rotation.T * unit + centre).tolist()
    return Landmarks(tuple(left), tuple(right), tuple(nose))


def dots(landmarks: Landmarks, radius: float, side: int = 400) -> Pixels:
    """Three round spots, one in each colour, where eyes and nose base are."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    pixels = np.zeros((side, side, 3))
    for colour, (px, py) in enumerate((landmarks.left_eye, landmarks.right_eye, landmarks.nose_base)):
        pixels[:, :, colour] = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return pixels.round().astype(np.uint8)


def spots(chip: Pixels) -> NDArray[np.float64]:
    """(3, 2): where each colour's spot is, by its centre of mass."""
    y, x = np.mgrid[0 : len(chip), 0 : len(chip)] + 0.5
    levels = chip.astype(float)
    return np.array(
        [[(axis * levels[:, :, c]).sum() / levels[:, :, c].sum() for axis in (x, y)] for c in range(3)]
    )


@pytest.mark.parametrize(
    ("unit", "turn"),
    [(1.0, 0.0), (1.0, 0.5), (1.0, -1.2), (1.0, 3.0), (0.4, 0.2), (1.7, -0.3), (2.0, 0.0), (2.9, 0.4)],
)
def test_eyes_and_nose_base_come_where_arcface_wants_them(unit: float, turn: float) -> None:
    landmarks = marks(unit, turn)
    chip = cut_arcface_chip(dots(landmarks, 3 * unit), landmarks)
    assert chip.shape == (112, 112, 3)
    assert chip.dtype == np.uint8
    np.testing.assert_allclose(spots(chip), [*EYES, NOSE_BASE], atol=0.35)
    assert chip.max(axis=(0, 1)).min() > 200


def test_a_very_large_face_is_shrunk_not_sampled() -> None:
    landmarks = marks(10, 0.3, (600.0, 600.0))
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    chip = cut_arcface_chip(noise, landmarks).astype(float)
    assert 15 > chip[20:-20, 20:-20].std() > 1  # ten by ten noisy pixels in one: 74 / 10
    picture = dots(landmarks, 30, 1200)
    np.testing.assert_allclose(spots(cut_arcface_chip(picture, landmarks)), [*EYES, NOSE_BASE], atol=0.35)


def test_a_face_of_other_proportions_is_fitted_by_least_squares() -> None:
    straight = marks(1.5)
    nose = (straight.nose_base[0] + 12, straight.nose_base[1] - 15)
    turned = Landmarks(straight.left_eye, straight.right_eye, nose)
    found = spots(cut_arcface_chip(dots(turned, 5), turned))
    template = np.array([*EYES, NOSE_BASE])
    # A similarity with four unknowns, solved plainly: (a x - b y + c, b x + a y + d).
    points = np.array([turned.left_eye, turned.right_eye, turned.nose_base])
    rows = []
    for x, y in template:
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    a, b, c, d = np.linalg.lstsq(np.array(rows), points.ravel(), rcond=None)[0]
    expected = np.linalg.solve(np.array([[a, -b], [b, a]]), (points - (c, d)).T).T
    np.testing.assert_allclose(found, expected, atol=0.35)


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.2])
@pytest.mark.parametrize("yaw", [0, 45, -60])
def test_chips_for_dlib_take_turned_heads_half_as_much_closer_as_their_eyes_come(
    turn: float, yaw: float
) -> None:
    # A straight head's eyes are 1 apart and its nose base lies 0.72 below their line, 0.42 before it.
    near, aside = np.cos(np.radians(yaw)) / 2, 0.42 * np.sin(np.radians(yaw))
    plain = np.array([(-near, 0), (near, 0), (aside, 0.72)])
    rotated = plain @ [(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))]
    points = (rotated * 60 + 150).round(3)
    landmarks = Landmarks(*(tuple(point) for point in points.tolist()))
    found = spots(cut_dlib_chip(dots(landmarks, 5, 300), landmarks))
    # Plainly: the eyes set apart as the mean of both distances, then a similarity with four unknowns.
    apart = np.sqrt(2 * near * 1.0)
    moved = np.array([(-apart / 2, 0), (apart / 2, 0), (aside, 0.72)])
    template = [(48.5, 46.3), (99.5, 46.3), (74.0, 86.0)]
    rows = [row for x, y in template for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, c, d = np.linalg.lstsq(np.array(rows), moved.ravel(), rcond=None)[0]
    expected = np.linalg.solve([[a, -b], [b, a]], (plain - (c, d)).T).T
    np.testing.assert_allclose(found, expected, atol=0.6)


def test_chips_are_black_beyond_the_photograph_and_grey_ones_have_three_channels() -> None:
    white = np.full((100, 90), 255, np.uint8)
    edge = marks(1.0, 0.0, (85.0, 50.0))
    for cut, side in ((cut_arcface_chip, ARCFACE_SIDE), (cut_dlib_chip, DLIB_SIDE)):
        chip = cut(white, edge)
        assert chip.shape == (side, side, 3)
        assert chip[:, -10:].max() == 0
        assert chip[side // 3, side // 3].min() == 255
        coloured = cut(np.repeat(white[:, :, None], 3, axis=2), edge)
        assert np.array_equal(chip, coloured)


def photograph() -> Pixels:
    return np.asarray(Image.open(ALBUM / "amara_pose0_library.jpg").convert("RGB"))


def test_dlibs_chips_are_those_of_dlib() -> None:
    import dlib

    pixels = photograph()
    landmarks = Landmarks((150.0, 140.0), (205.0, 150.0), (172.0, 190.0))
    right, left = np.array(landmarks.right_eye), np.array(landmarks.left_eye)
    half = 0.203 * (right - left)
    points = [right + half, right - half, left - half, left + half, np.array(landmarks.nose_base)]
    np.testing.assert_allclose(five_points(landmarks), points)
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 10, 10), [dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in points]
    )
    theirs = dlib.get_face_chip(pixels, shape, size=150, padding=0.25)
    assert np.array_equal(dlib_chip(pixels, five_points(landmarks), size=150, margin=0.25), theirs)
    small = dlib.get_face_chip(pixels, shape, size=64, padding=0.5)
    assert np.array_equal(dlib_chip(pixels, five_points(landmarks), size=64, margin=0.5), small)


def chips_made() -> Pixels:
    """A part of a photograph, a mirrored one and noise, (3, 150, 150, 3)."""
    pixels = photograph()
    rng = np.random.default_rng(0)
    landmarks = Landmarks((150.0, 140.0), (205.0, 150.0), (172.0, 190.0))
    face = cut_dlib_chip(pixels, landmarks)
    return np.stack([face, 255 - face[:, ::-1], rng.integers(0, 256, (150, 150, 3), dtype=np.uint8)])


def test_the_descriptor_is_dlibs_of_chip_and_mirror_image_together() -> None:
    import dlib

    identity, chips = DlibIdentity(), chips_made()
    theirs = dlib.face_recognition_model_v1(str(model_file("dlib_face_recognition_resnet_model_v1.dat")))
    expected = []
    for chip in chips:
        both = [
            np.array(theirs.compute_face_descriptor(np.ascontiguousarray(one)))
            for one in (chip, chip[:, ::-1])
        ]
        mean = (both[0] + both[1]) / 2
        expected.append(mean / np.linalg.norm(mean))
    found = identity.describe(chips)
    assert found.dtype == np.float32
    assert found.shape == (3, identity.dimension) == (3, 128)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(identity.describe(chips[:, :, ::-1]), found, atol=1e-5)
    assert identity.describe(chips[:0]).shape == (0, 128)
    assert len(identity.digest) == 12
    assert (identity.name, identity.cut) == ("dlib-128", cut_dlib_chip)


def test_chips_are_described_alike_one_by_one_and_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    identity, chips = DlibIdentity(), chips_made()
    monkeypatch.setattr("retrieval.identity._BATCH", 2)
    crowd = identity.describe(chips)
    for number in range(3):
        np.testing.assert_allclose(identity.describe(chips[number : number + 1])[0], crowd[number], atol=1e-5)


# Models that the user brings


WEIGHTS = np.random.default_rng(1).normal(size=(3 * 7 * 7, 5)).astype(np.float32)


def save_model(path: Path, *, side: int = 112, batch: int | str = 1, flat: bool = True) -> Path:
    """A network with one linear layer on means of 16 x 16 pixels."""
    pooled = helper.make_node("AveragePool", ["face"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16])
    reshaped = helper.make_node("Flatten", ["pooled"], ["flat"])
    multiplied = helper.make_node("MatMul", ["flat", "weights"], ["descriptor"])
    nodes = [pooled, reshaped, multiplied] if flat else [pooled]
    size = 3 * (side // 16) ** 2
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, [batch, 3, side, side])],
        [
            helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, [batch, 5])
            if flat
            else helper.make_tensor_value_info(
                "pooled", TensorProto.FLOAT, [batch, 3, side // 16, side // 16]
            )
        ],
        [numpy_helper.from_array(np.resize(WEIGHTS, (size, 5)), "weights")] if flat else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def describe_plainly(chips: Pixels, scaled: bool) -> Floats:
    """Each chip by itself, every block's mean by hand."""
    rows = []
    for chip in chips:
        values = chip.astype(np.float64)
        values = (values - 127.5) / 127.5 if scaled else values
        blocks = [
            values[16 * row : 16 * row + 16, 16 * column : 16 * column + 16, colour].mean()
            for colour in range(3)
            for row in range(7)
            for column in range(7)
        ]
        found = np.array(blocks) @ WEIGHTS
        rows.append(found / np.linalg.norm(found))
    return np.array(rows, np.float32)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("batch", [1, "N"])
def test_a_model_of_the_users_describes_chips(
    tmp_path: Path, rng: np.random.Generator, scaled: bool, batch: int | str
) -> None:
    chips = rng.integers(0, 256, (4, 112, 112, 3), dtype=np.uint8)
    path = save_model(tmp_path / "tiny.onnx", batch=batch)
    identity = OnnxIdentity(path, scaled=scaled)
    found = identity.describe(chips)
    assert found.dtype == np.float32
    assert found.shape == (4, identity.dimension) == (4, 5)
    np.testing.assert_allclose(found, describe_plainly(chips, scaled), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert identity.describe(chips[:0]).shape == (0, 5)
    assert (identity.name, identity.cut, identity.scaled) == (str(path), cut_arcface_chip, scaled)


def test_a_model_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    one, other = save_model(tmp_path / "a.onnx"), save_model(tmp_path / "b.onnx")
    assert OnnxIdentity(one).digest == OnnxIdentity(other).digest
    other = save_model(tmp_path / "b.onnx", batch="N")
    assert OnnxIdentity(one).digest != OnnxIdentity(other).digest


@pytest.mark.parametrize("damage", ["empty", "short", "text", "size", "form"])
def test_a_file_that_is_no_such_model_is_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    path = save_model(tmp_path / "tiny.onnx", side=128 if damage == "size" else 112, flat=damage != "form")
    content = path.read_bytes()
    if damage in ("empty", "short", "text"):
        path.write_bytes({"empty": b"", "short": content[: len(content) // 2], "text": b"hello"}[damage])
    with pytest.raises(WeightsError) as caught:
        OnnxIdentity(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no model for faces of 112 x 112 pixels (")
    assert message.endswith("; name SFace's or an ArcFace model's.")
    assert "\n" not in message


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"cannot be read \(No such file or directory\); name an \.onnx file"
    ):
        OnnxIdentity(tmp_path / "none.onnx")


def test_without_the_runtime_it_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r"tiny\.onnx needs onnxruntime; install it with `pip install"):
        open_identity(save_model(tmp_path / "tiny.onnx"))


def test_models_are_opened_by_name_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_identity("none") is None
    assert isinstance(open_identity(), DlibIdentity)
    assert isinstance(open_identity("dlib-128"), DlibIdentity)
    save_model(tmp_path / "Tiny.ONNX")
    monkeypatch.chdir(tmp_path)
    found = open_identity("Tiny.ONNX", scaled=False)
    assert isinstance(found, OnnxIdentity)
    assert (found.name, found.scaled) == (str(tmp_path.resolve() / "Tiny.ONNX"), False)
    for word in ("arcface", "", "model.pt"):
        with pytest.raises(WeightsError, match=r"choose dlib-128, none or the path of an \.onnx file"):
            open_identity(word)


def test_vectors_are_brought_to_length_one() -> None:
    found = unit_length(np.array([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.array([[0.6, 0.8], [0, 0], [-1, 0]]), rtol=1e-6)


@given(
    yaw=st.floats(-60, 60),
    roll=st.floats(-40, 40),
    scale=st.floats(5, 500),
    nose=st.floats(0.5, 1.0),
)
def test_the_yaw_of_a_turned_head_is_read_from_its_landmarks(
    yaw: float, roll: float, scale: float, nose: float
) -> None:
    # Eyes and nose base of a head that looks along z, y downwards; seen from afar.
    head = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, nose, NOSE_DEPTH]])
    angle, tilt = np.radians(yaw), np.radians(roll)
    seen = np.stack([head[:, 0] * np.cos(angle) + head[:, 2] * np.sin(angle), head[:, 1]], axis=1)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    left, right, base = (scale * seen @ turn.T + 300).tolist()
    points = five_points(Landmarks(tuple(left), tuple(right), tuple(base)))
    assert float(yaw_of(points)) == pytest.approx(yaw, abs=1e-6)
    both = yaw_of(np.stack([points, np.full((5, 2), np.nan)]))
    assert both[0] == pytest.approx(yaw, abs=1e-6) and np.isnan(both[1])
