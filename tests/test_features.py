"""Features of faces, and the chips that deep networks look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from baselines.network_features import NetworkFeatures, open_features
from facedata.large_pictures import LargeFace, LargePictures, Pictures
from faces.chips import DLIB_SIDE, dlib_chip
from faces.dlib_detector import model_file
from faces.errors import RowUnavailable, WeightsError
from faces.types import Pixels
from retrieval.dlib_network import load_dlib_network

# Where dlib's mean face has the points, in parts of the face.
MEAN_FACE = np.array(
    [
        [0.8595674, 0.2134981],
        [0.6460604, 0.2289674],
        [0.1205750, 0.2137274],
        [0.3340850, 0.2290642],
        [0.4901123, 0.6277975],
    ]
)


def drawn_face(seed: int = 0, *, unit: float = 120, turn: float = 0.0, side: int = 300) -> LargeFace:
    """A smooth random picture with the points of the mean face, ``unit`` pixels wide and turned (radians)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / 40.0
    pixels = np.zeros((side, side))
    for _ in range(12):
        a, b, phase = rng.normal(size=3)
        pixels += np.sin(a * x + b * y + 6 * phase)
    pixels = 127 + 110 * pixels / np.abs(pixels).max()
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (MEAN_FACE - 0.5) @ rotate.T * unit + side / 2
    return LargeFace(pixels.astype(np.uint8), points.astype(np.float32))


def face_chip(face: LargeFace, *, size: int, margin: float) -> Pixels:
    return dlib_chip(face.pixels, face.points, size=size, margin=margin)


def pictures_of(*faces: LargeFace | None) -> Pictures:
    return Pictures(np.zeros((len(faces), 4, 4), np.uint8), LargePictures.held(faces))


@pytest.fixture(scope="module")
def dlib_model() -> Path:
    pytest.importorskip("dlib")
    return model_file("dlib_face_recognition_resnet_model_v1.dat")


def test_a_chip_puts_the_mean_face_in_its_middle() -> None:
    face = drawn_face(unit=100)
    chip = face_chip(face, size=150, margin=0.25)
    # One and a half faces of 100 pixels fill a chip of 150 at the same scale: pixels are only moved.
    middle = face.pixels[75:225, 75:225].astype(int)
    assert chip.shape == (150, 150)
    assert np.abs(chip.astype(int) - middle)[3:-3, 3:-3].mean() < 2


def test_a_chip_is_turned_upright_and_brought_to_size() -> None:
    tilted = drawn_face(unit=80, turn=0.4)
    upright = LargeFace(tilted.pixels, drawn_face(unit=80).points)
    turned = face_chip(tilted, size=60, margin=0.0).astype(float)
    # The same from the picture, by hand: each chip pixel looked up where the turn puts it.
    row, column = np.mgrid[0:60, 0:60]
    at = (np.stack([column, row], -1) - 29.5) * 80 / 60
    x = at[..., 0] * np.cos(0.4) - at[..., 1] * np.sin(0.4) + 149.5
    y = at[..., 0] * np.sin(0.4) + at[..., 1] * np.cos(0.4) + 149.5
    by_hand = tilted.pixels[np.rint(y).astype(int), np.rint(x).astype(int)].astype(float)
    assert np.abs(turned - by_hand).mean() < 4
    assert (
        np.abs(face_chip(upright, size=60, margin=0.0) - by_hand).mean() > 2 * np.abs(turned - by_hand).mean()
    )


def test_the_descriptor_is_that_of_dlib(dlib_model: Path) -> None:
    import dlib

    chips = [face_chip(drawn_face(seed), size=DLIB_SIDE, margin=0.25) for seed in range(3)]
    colour = np.random.default_rng(0).integers(0, 256, (DLIB_SIDE, DLIB_SIDE, 3), np.uint8)
    rgb = [*(chip[:, :, None].repeat(3, axis=2) for chip in chips), colour]
    theirs = np.array(dlib.face_recognition_model_v1(str(dlib_model)).compute_face_descriptor(rgb, 0))
    network = load_dlib_network(dlib_model)
    with torch.inference_mode():
        ours = network(torch.from_numpy(np.stack(rgb)).permute(0, 3, 1, 2).float()).numpy()
    assert ours.shape == (4, 128)
    assert np.abs(ours - theirs).max() < 1e-4
    features = open_features("dlib-128")
    described = features(pictures_of(*(drawn_face(seed) for seed in range(3))))
    assert np.allclose(described, ours[:3] / np.linalg.norm(ours[:3], axis=1, keepdims=True), atol=1e-4)
    assert (features.name, features.needs_large) == ("dlib-128", True)


@pytest.mark.parametrize("damage", ["short", "other", "name", "number"])
def test_a_file_that_is_not_the_descriptor_is_refused(dlib_model: Path, tmp_path: Path, damage: str) -> None:
    content = bytearray(dlib_model.read_bytes())
    first = content.find(b"con_4")
    if damage == "short":
        content = content[: len(content) // 2]
    elif damage == "other":
        content = content[:100]
    elif damage == "name":
        content[first : first + 5] = b"can_4"
    else:
        content[first + 5] = 200
    path = tmp_path / "model.dat"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is not dlib's face descriptor"):
        load_dlib_network(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_dlib_network(tmp_path / "none.dat")


def first_and_mean(chips: torch.Tensor) -> torch.Tensor:
    assert chips.shape[1:] == (3, 8, 8)
    return torch.stack([chips[:, 0, 0, 0], chips.mean(dim=(1, 2, 3))], dim=1)


class Counting:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self, what: str, total: int | None, unit: str) -> None:
        self.told.append((what, total, unit))

    def advance(self, count: int = 1, note: str = "") -> None:
        self.told.append(count)

    def finish(self) -> None:
        self.told.append("end")


def test_a_network_sees_batches_of_chips_and_its_vectors_get_length_one() -> None:
    features = NetworkFeatures(name="two", load=lambda: first_and_mean, size=8, padding=0.1)
    faces = [drawn_face(seed, side=100, unit=40) for seed in range(20)]
    progress = Counting()
    vectors = features(pictures_of(*faces), progress)
    assert vectors.shape == (20, 2)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    chip: NDArray[np.float64] = face_chip(faces[17], size=8, margin=0.1).astype(float)
    wanted = np.array([chip[0, 0], chip.mean()])
    assert np.allclose(vectors[17], wanted / np.linalg.norm(wanted))
    assert progress.told == [("describing faces (two)", 20, "faces"), 16, 4, "end"]
    assert len(features(pictures_of())) == 0


def test_what_is_missing_is_a_reason_for_the_table(tmp_path: Path) -> None:
    crops = np.zeros((2, 4, 4), np.uint8)
    features = NetworkFeatures(name="two", load=lambda: first_and_mean, size=8, padding=0.1)
    for pictures, reason in (
        (Pictures(crops), "the set has no larger pictures"),
        (pictures_of(drawn_face(), None), "1 of 2 faces have no larger picture"),
    ):
        with pytest.raises(RowUnavailable) as caught:
            features(pictures)
        assert caught.value.reason == reason
    for name in ("vgg16-fc7", "vgg-face-fc6"):
        with pytest.raises(RowUnavailable) as caught:
            open_features(name)
        assert caught.value.reason == "weights not given"
    with pytest.raises(RowUnavailable, match="no features nothing"):
        open_features("nothing")
    wrong = open_features("vgg16-fc7", vgg16=tmp_path / "none.mat")
    assert (wrong.name, wrong.needs_large) == ("vgg16-fc7", True)
    with pytest.raises(WeightsError, match=r"none\.mat cannot be read"):
        wrong(pictures_of(drawn_face()))


def test_the_picture_itself_needs_nothing() -> None:
    image = open_features("image")
    crops = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert (image.name, image.needs_large) == ("image", False)
    assert np.allclose(np.linalg.norm(image(Pictures(crops)), axis=1), 1)
