"""The descriptor of a drawing counts in a query by its share, and only where something was drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_faces import (
    ACCESSORY,
    CALIBRATION,
    POSE,
    FakeEncoder,
    FakeIdentity,
    fake_encoding,
    open_fake_detector,
    save_person,
)
from hypothesis import given
from hypothesis import strategies as st

import retrieval.finder
from anotheryou import Finder, index_folders
from evaluation.composed import composed as composed_in_evaluation
from facedata.large_pictures import LargeFace, LargePictures, Pictures
from faces.chips import five_points, yaw_of
from faces.crop import CropGeometry, crop_face, landmarks_in_crop
from faces.types import Landmarks, Pixels
from retrieval.composing import compose, drawn_landmarks
from retrieval.detail import LARGER, enlarged
from retrieval.engine import Engine

MARKS = Landmarks((60.0, 70.0), (108.0, 72.0), (86.0, 104.0))


class FakeFlow:
    """Takes half of each face and half of its drawing."""

    def __call__(self, faces: Pixels, crops: Pixels, drawings: Pixels) -> Pixels:
        larger = drawings.repeat(LARGER, axis=1).repeat(LARGER, axis=2)[..., None]
        return np.asarray(faces // 2 + larger // 2, np.uint8)


def engine_with(share: float) -> Engine:
    """Knows pose and accessory, each drawn by a network of its own."""
    identity = FakeIdentity()
    known = replace(CALIBRATION.identities[identity.digest], composed=share)
    calibration = replace(CALIBRATION, identities={identity.digest: known})
    return Engine(
        [fake_encoding(FakeEncoder(vocabulary=one)) for one in (POSE, ACCESSORY)], identity, calibration
    )


def photographs(count: int) -> list[Pixels]:
    rng = np.random.default_rng(3)
    return [
        np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        for _ in range(count)
    ]


@given(st.floats(0.01, 1))
def test_a_query_is_composed_as_the_formula_says(share: float) -> None:
    engine, flow = engine_with(share), FakeFlow()
    seen = photographs(4)
    crops, vectors = (
        np.stack(part) for part in zip(*(engine.embed_face(one, MARKS) for one in seen), strict=True)
    )
    words = [{"pose": "+45"}, {"accessory": "hat-1"}, {"pose": "-45", "accessory": "hat-1"}, {}]
    queries = engine.queries(crops, vectors, [engine.wanted(one) for one in words])
    wide = enlarged(engine.geometry)
    colours = [np.stack([crop_face(one[..., c], MARKS, wide) for c in range(3)], axis=2) for one in seen]
    found = compose(engine, flow, queries, list(crops), colours, [MARKS] * 4)  # type: ignore[arg-type]
    assert found[3] is queries[3]  # nothing was drawn
    size = FakeIdentity.dimension
    for query, made, wide_face, crop in zip(queries[:3], found, colours, crops, strict=False):
        drawing = engine.drawing(crop, query.face, query.wanted)
        picture = flow(wide_face[None], crop[None], drawing[None])[0]
        marks = drawn_landmarks(MARKS, wide, engine.turned(query))
        (described,) = FakeIdentity().describe(FakeIdentity.cut(picture, marks)[None])
        expected = (1 - share) * query.face[:size] + share * described
        expected /= np.linalg.norm(expected)
        assert made.face[:size] == pytest.approx(expected, abs=1e-5)
        assert np.array_equal(made.face[size:], query.face[size:])
        plain = engine.query(made.face, query.drawn, query.wanted)
        assert np.array_equal(made.vector, plain.vector)
    assert engine.turned(queries[0]) == (float(engine.estimates(vectors[0])["pose"]), 45.0)
    assert engine.turned(queries[1]) is None


def test_a_face_whose_photograph_is_gone_is_searched_with_as_it_is() -> None:
    engine = engine_with(0.5)
    crop, vector = engine.embed_face(photographs(1)[0], MARKS)
    queries = engine.queries(crop[None], vector[None], [engine.wanted({"pose": "+45"})])
    (found,) = compose(engine, FakeFlow(), queries, [crop], [None], [MARKS])  # type: ignore[arg-type]
    assert found is queries[0]


def test_an_evaluation_composes_as_a_search_does() -> None:
    engine, flow = engine_with(0.5), FakeFlow()
    grey = [one[..., 0] for one in photographs(2)]
    crops, vectors = (
        np.stack(part) for part in zip(*(engine.embed_face(one, MARKS) for one in grey), strict=True)
    )
    larger = LargePictures.held([LargeFace(one, five_points(MARKS).astype(np.float32)) for one in grey])
    queries = engine.queries(crops, vectors, [engine.wanted({"pose": "+45"})] * 2)
    found = composed_in_evaluation(engine, flow, queries, Pictures(crops, larger))  # type: ignore[arg-type]
    colours = [
        np.repeat(crop_face(one, MARKS, enlarged(engine.geometry))[..., None], 3, axis=2) for one in grey
    ]
    expected = compose(engine, flow, queries, list(crops), colours, [MARKS] * 2)  # type: ignore[arg-type]
    for one, other in zip(found, expected, strict=True):
        assert one.vector == pytest.approx(other.vector, abs=0.02)  # points are kept as float32


def test_finder_composes_while_the_photograph_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    for person in range(3):
        for pose in ("-45", "0", "+45"):
            save_person(photos / f"{person}{pose}.png", person, pose)
    monkeypatch.setattr(retrieval.finder, "flow_for", lambda _: FakeFlow())
    asked = photos / "00.png"
    similar = {}
    for share in (0.0, 0.5):
        engine = engine_with(share)
        place = tmp_path / f"collection {share}"
        index_folders([photos], collection=place, engine=engine, detector=open_fake_detector, workers=0)
        with Finder(place, engine=engine, detector=open_fake_detector) as finder:
            (ready,) = finder.prepare(asked)
            gone = replace(ready, look=lambda: None)
            for name, face in (("there", ready), ("gone", gone)):
                answer = finder.search(face, wish={"pose": 45}, k=8)
                similar[share, name] = {hit.path: hit.similarity for hit in answer.hits}
            assert ready.colours is not None
            assert ready.colours.shape == (LARGER * engine.geometry.size,) * 2 + (3,)
    assert similar[0.5, "gone"] == pytest.approx(similar[0.0, "there"])
    assert similar[0.5, "there"] != pytest.approx(similar[0.0, "there"])


@given(st.floats(-55, 55), st.floats(-55, 55), st.sampled_from([32, 128]))
def test_eyes_and_nose_of_a_drawing_stand_as_its_yaw_says(own: float, yaw: float, size: int) -> None:
    geometry = CropGeometry(size=size)
    straight = drawn_landmarks(MARKS, geometry, (0, 0))
    turned = drawn_landmarks(straight, geometry, (0, own))
    assert yaw_of(five_points(turned)) == pytest.approx(own, abs=1e-6)
    # From one yaw to another is as from none to that other.
    again, direct = (
        drawn_landmarks(turned, geometry, (own, yaw)),
        drawn_landmarks(straight, geometry, (0, yaw)),
    )
    assert five_points(again) == pytest.approx(five_points(direct), abs=1e-6)
    assert drawn_landmarks(MARKS, geometry, None) == landmarks_in_crop(MARKS, geometry)
