"""Light and expression are put into pictures by what two drawings differ in, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from fake_faces import POSE, POSES, FakeClassifier, fake_engine, open_fake_detector, save_person
from hypothesis import given
from hypothesis import strategies as st

from anotheryou import Finder, edit, index_folders
from faces.crop import CropGeometry
from faces.types import Floats, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.model import Canonical, Drawing
from generator.quotient import quotient
from retrieval.detail import IN_PLACE, Retouch, retouch_for
from retrieval.engine import Engine
from retrieval.estimates import Attribute
from retrieval.parts import Telling, Wanted

LIGHTS = AttributeGroup("light", ("even", "left", "dim"))


class Lamp:
    """Draws a crop as it is, half as bright for ``dim``; remembers what it was asked."""

    vocabulary = Vocabulary((*POSE.groups, LIGHTS))
    geometry = CropGeometry(size=8)
    name, weights_id, feature_size = "lamp", "lamp", 4

    def __init__(self) -> None:
        self.asked: list[Floats] = []

    def draw(self, crops: Pixels, wishes: Floats) -> Drawing:
        self.asked.append(wishes)
        dim = wishes[:, self.vocabulary.places["light"]][:, 2]
        drawn = ((crops + 12.0) * (1 - dim[:, None, None] / 2) - 12).clip(0).astype(np.uint8)
        return Drawing(drawn, drawn, np.zeros((len(crops), 4), np.float32))

    def canonicalise(self, crops: Pixels) -> Canonical:
        raise AssertionError("what faces show is known")


def wanted(group: AttributeGroup, word: str, *, shown: bool = True) -> Wanted:
    return Wanted(Attribute.at(0, group), word, (0,), float("nan"), shown)


@given(st.integers(0, 2**32 - 1))
def test_equal_drawings_leave_a_photograph_as_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    photographs = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    drawing = rng.integers(0, 256, (2, 8, 8), dtype=np.uint8)
    np.testing.assert_array_equal(quotient(photographs, drawing, drawing), photographs)
    grey = photographs[..., 0]
    np.testing.assert_array_equal(quotient(grey, drawing, drawing), grey)


def test_what_is_drawn_half_as_bright_becomes_so_with_its_detail(rng: np.random.Generator) -> None:
    photograph = rng.integers(60, 200, (1, 32, 32, 3), dtype=np.uint8)
    before = np.full((1, 8, 8), 148, np.uint8)
    after = before.copy()
    after[:, :, 4:] = 68  # (68 + 12) / (148 + 12) is a half
    found = quotient(photograph, before, after).astype(float)
    np.testing.assert_allclose(found[:, :, 26:] + 12, (photograph[:, :, 26:] + 12) / 2, atol=2)
    np.testing.assert_allclose(found[:, :, :6], photograph[:, :, :6], atol=2)


def test_only_wishes_that_leave_everything_in_its_place_are_put_in(rng: np.random.Generator) -> None:
    lamp = Lamp()
    retouch = Retouch(lamp)
    dim, turned = wanted(LIGHTS, "dim"), wanted(POSE.groups[0], "+45")
    assert retouch.knows(dim)
    assert not retouch.knows(turned)
    assert not retouch.knows(wanted(LIGHTS, "dim", shown=False))
    assert not retouch.knows(wanted(AttributeGroup("light", ("green",)), "green"))
    pictures = rng.integers(40, 255, (3, 32, 32, 3), dtype=np.uint8)
    own = {"pose": "-20", "light": "even", "hair": "long"}
    found = retouch(pictures, own, [[dim], [turned], [turned, dim]])
    np.testing.assert_array_equal(found[1], pictures[1])
    for place in (0, 2):
        np.testing.assert_allclose(found[place].astype(float) + 12, (pictures[place] + 12.0) / 2, atol=6)
    before, after = lamp.asked
    pose, light = (lamp.vocabulary.places[name] for name in ("pose", "light"))
    # The pictures show the other wishes already, and all else as the face does.
    own_pose = POSE.groups[0].spread("-20")
    np.testing.assert_allclose(before[:, pose], [own_pose, POSE.groups[0].spread("+45")])
    np.testing.assert_allclose(after[:, pose], before[:, pose])
    assert before[:, light].tolist() == [[1, 0, 0]] * 2
    assert after[:, light].tolist() == [[0, 0, 1]] * 2
    assert retouch(pictures, {}, [[], [], []]) is pictures


def test_a_search_and_a_drawing_follow_a_wished_light(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, pose in enumerate(POSES):
        save_person(tmp_path / "photos" / f"{pose}.png", 1, pose, seed=number)
    plain, words = fake_engine(), Vocabulary((*POSE.groups, LIGHTS))
    telling = Telling(FakeClassifier(words, plain.geometry.size), "told")
    engine = Engine(plain.encodings, plain.identity, plain.calibration, telling)
    index_folders(
        [tmp_path / "photos"],
        collection=tmp_path / "collection",
        engine=engine,
        detector=open_fake_detector,
        workers=0,
    )
    monkeypatch.setattr("retrieval.finder.retouch_for", lambda geometry: Retouch(Lamp()))
    with Finder(tmp_path / "collection", engine=engine, detector=open_fake_detector) as finder:
        (face,) = finder.prepare(tmp_path / "photos" / "0.png")
        assert [finder.draws(engine.wanted(wish)[0]) for wish in ({"pose": "+45"}, {"light": "dim"})] == [
            1,
            1,
        ]
        plain_drawing, dim = finder.draw(face, [{}, {"light": "dim"}]).astype(float)
        assert dim.mean() < 0.7 * plain_drawing.mean()
        answer = finder.search(face, wish={"light": "dim"})
        assert answer.drawn == ("light",)
        np.testing.assert_array_equal(answer.portrait, dim)


@pytest.fixture(scope="module")
def portrait() -> Path:
    return REPOSITORY / "demo" / "album" / "chloe_pose0_window.jpg"


def test_the_weights_that_come_along_light_a_face_from_the_wished_side(portrait: Path) -> None:
    assert retouch_for(CropGeometry(size=32)) is not None
    assert retouch_for(CropGeometry(size=64, eye_y=0.4)) is None
    sides = {}
    for side in ("left", "right", "dim", "even"):
        made = edit(portrait, {"light": side}).image.astype(float)
        assert made.shape == (128, 128, 3)
        sides[side] = made[40:110, 24:64].mean() - made[40:110, 64:104].mean()
        if side in ("dim", "even"):
            sides[f"{side} level"] = made.mean()
    assert sides["left"] > sides["even"] > sides["right"]
    assert sides["left"] - sides["right"] > 15
    assert sides["even level"] > 1.3 * sides["dim level"]


def test_wishes_that_stay_in_place_are_drawn_into_what_was_turned(portrait: Path) -> None:
    turned = edit(portrait, {"pose": "30"}).image.astype(float)
    both = edit(portrait, {"light": "right", "pose": "30"}).image.astype(float)
    assert np.abs(both - turned).mean() > 5
    # The detail is the same: what differs is smooth.
    difference = (both + 12) / (turned + 12)
    factor = difference[30:100, 30:100].mean(2)
    assert np.median(np.abs(np.diff(factor, axis=1))) < 0.1 * np.abs(factor - 1).mean()
    assert {*IN_PLACE} == {"light", "expression"}
