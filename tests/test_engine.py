"""Vectors, queries and scores, against the same computed plainly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from generators_made import POSES, generator_made, pose_config
from hypothesis import given
from hypothesis import strategies as st

import retrieval.engine
from faces.chips import Cut, five_points, yaw_of
from faces.crop import CropGeometry
from faces.errors import WeightsError, WishError
from faces.types import Floats, Landmarks, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.model import Canonical, Generator
from generator.networks import TwoStage
from generator.projection import Projection
from retrieval.calibration import Calibration, IdentityCalibration, InDomain
from retrieval.engine import Engine, shortlist_size
from retrieval.parts import Encoding, Query, Wanted

WORN = ("none", "hat-1", "glasses-3")
DIGEST = "abcdefabcdef"
CALIBRATION = Calibration(
    identities={DIGEST: IdentityCalibration(slope=11.0, midpoint=0.4, steepness=9.0, enough=0.7)},
    prior=0.1,
    appearance={"pose": 3.5, "accessory": 6.25},
    # The errors of the generators made here lie between, before and behind.
    in_domain={"pose": InDomain(20.0, near=190.0, far=250.0, level=0.3)},
    alone=7.5,
    temperatures={"pose": 1900.0, "accessory": 1500.0},
    landmarks={"pose": 12.0},
    deviations={"pose": 9.0},
    doubt=0.02,
    odds=(0.8, 1.5),
    odds_alone=(1.3, -4.0),
)
MARKS = Landmarks((20.0, 24.0), (44.0, 26.0), (31.0, 41.0))


def cut_corner(pixels: Pixels, landmarks: Landmarks) -> Pixels:
    """Give back (1, 1, 3) pixels that tell where the eyes and the nose were said to be."""
    found = [*landmarks.left_eye, *landmarks.right_eye, *landmarks.nose_base]
    return np.array(found).round().astype(np.uint8).reshape(1, 2, 3)


@dataclass(frozen=True)
class FakeIdentity:
    """Describes a chip by its first four levels."""

    name: str = "fake"
    digest: str = DIGEST
    dimension: int = 4
    cut: Cut = cut_corner

    def describe(self, chips: Pixels) -> Floats:
        levels = np.array([chip.ravel()[:4] for chip in chips], np.float32).reshape(-1, 4) + 1
        return np.asarray(levels / np.linalg.norm(levels, axis=1, keepdims=True), np.float32)


@cache
def dresser() -> Generator:
    """A generator that knows three accessories."""
    vocabulary = Vocabulary((AttributeGroup("accessory", WORN),))
    base = pose_config(32, 8)
    architecture = replace(base.architecture, attribute_size=vocabulary.size)
    torch.manual_seed(3)
    network = TwoStage(architecture)
    with torch.no_grad():
        network.stage1.attribute2.bias.normal_(0, 0.5)
        network.stage1.attribute1.weight.mul_(3)
    config = replace(base, architecture=architecture, vocabulary=vocabulary, mean=101.5, std=60.25)
    return Generator(network, config, name="dresser", weights_id="d" * 12, device="cpu", precision="float32")


def projection_of(generator: Generator, dimension: int, seed: int) -> Projection:
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 0.01, generator.feature_size).astype(np.float32)
    components = rng.normal(size=(dimension, generator.feature_size)).astype(np.float16)
    return Projection(mean, components)


@cache
def turning() -> Encoding:
    generator = generator_made(32, 8)
    return Encoding(generator, projection_of(generator, 6, 1), "turner")


@cache
def dressing() -> Encoding:
    return Encoding(dresser(), projection_of(dresser(), 5, 2), "dresser")


@cache
def engine_made(identity: bool = True) -> Engine:
    return Engine([turning(), dressing()], FakeIdentity() if identity else None, CALIBRATION)


@cache
def crops_made() -> Pixels:
    """Seven smooth patterns."""
    coarse = np.random.default_rng(5).integers(0, 256, (7, 4, 4)).astype(np.float32)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse)[:, None], size=32, mode="bicubic")
    return np.asarray(fine[:, 0].clamp(0, 255).to(torch.uint8).numpy())


@cache
def descriptors_made() -> Floats:
    """Of one person and of others: similarities to the first from 1 down to below 0."""
    rng = np.random.default_rng(6)
    found = rng.normal(size=(7, 4))
    found[:3] = found[0] + rng.normal(0, 0.3, (3, 4))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


@cache
def vectors_made(identity: bool = True) -> Floats:
    return engine_made(identity).embed(crops_made(), descriptors_made() if identity else None)


def query_made(wish: Mapping[str, str], *, identity: bool = True, face: int = 0) -> Query:
    engine = engine_made(identity)
    (query,) = engine.queries(
        crops_made()[face : face + 1], vectors_made(identity)[face : face + 1], [engine.wanted(wish)]
    )
    return query


numbers = st.floats(-45, 45).map(lambda number: f"{number:+.3f}")
wishes = st.fixed_dictionaries(
    {}, optional={"pose": numbers | st.sampled_from(POSES), "accessory": st.sampled_from(WORN)}
)


# Where the parts stand


@pytest.mark.parametrize("identity", [True, False])
def test_every_number_of_a_vector_belongs_to_one_part(identity: bool) -> None:
    engine = engine_made(identity)
    parts = [slice(0, 4 if identity else 0)]
    for encoding, size in zip(engine.encodings, (6, 5), strict=True):
        assert encoding.projection.dimension == size
        parts.append(slice(parts[-1].stop, parts[-1].stop + size + 1))
    for attribute in engine.attributes.values():
        parts += [attribute.posterior, *([attribute.moments] if attribute.moments else [])]
    taken = [place for part in parts for place in range(part.start, part.stop)]
    assert sorted(taken) == list(range(engine.dimension))
    assert engine.layout.dimension == engine.dimension == (4 if identity else 0) + 7 + 6 + 7 + 2 + 3
    assert vectors_made(identity).shape == (7, engine.dimension)
    assert vectors_made(identity).dtype == np.float32


def test_only_numbers_have_moments_and_the_first_weights_that_know_an_attribute_answer_for_it() -> None:
    both = generator_made(32, 8, two_groups=True)
    engine = Engine(
        [turning(), Encoding(both, projection_of(both, 3, 4), "both")], FakeIdentity(), CALIBRATION
    )
    assert engine.vocabulary == {"pose": POSES, "accessory": ("none", "hat")}
    pose, accessory = engine.attributes["pose"], engine.attributes["accessory"]
    assert (pose.encoding, pose.unit, accessory.encoding) == (0, 45.0, 1)
    assert pose.moments is not None
    assert accessory.moments is None


def test_there_must_be_encodings_and_all_must_want_the_same_crops() -> None:
    with pytest.raises(WeightsError, match="needs weights; name some with --weights"):
        Engine([], FakeIdentity(), CALIBRATION)
    small = generator_made(16, 8)
    with pytest.raises(WeightsError, match="small want faces cropped in another way than turner") as caught:
        Engine([turning(), Encoding(small, projection_of(small, 3, 4), "small")], FakeIdentity(), CALIBRATION)
    assert str(caught.value).count(". ") == 0


# The vector of a face


@pytest.mark.parametrize("identity", [True, False])
def test_the_parts_are_what_networks_and_softmax_give(identity: bool) -> None:
    engine, vectors = engine_made(identity), vectors_made(identity)
    start = 0
    if identity:
        assert np.array_equal(vectors[:, :4], descriptors_made())
        start = 4
    for encoding in engine.encodings:
        size = encoding.projection.dimension
        for vector, crop in zip(vectors, crops_made(), strict=True):
            made = encoding.generator.canonicalise(crop[None])
            centred = made.features[0] - encoding.projection.mean
            plain = encoding.projection.components.astype(np.float64) @ centred
            plain /= np.linalg.norm(plain)
            np.testing.assert_allclose(vector[start : start + size], plain, atol=1e-5)
            assert vector[start + size] == pytest.approx(made.distances[0].min() / 32, rel=1e-5)
        start += size + 1
    for attribute in engine.attributes.values():
        encoding = engine.encodings[attribute.encoding or 0]
        temperature = CALIBRATION.temperatures[attribute.group.name]
        for vector, crop in zip(vectors, crops_made(), strict=True):
            distances = encoding.generator.canonicalise(crop[None]).distances[0]
            weights = [math.exp(-(float(d) ** 2) / (2 * temperature**2)) for d in distances]
            posterior = [weight / sum(weights) for weight in weights]
            np.testing.assert_allclose(vector[attribute.posterior], np.log(posterior), atol=1e-3)
            if attribute.group.numbers is not None:
                assert attribute.moments is not None
                mean = sum(p * number for p, number in zip(posterior, attribute.group.numbers, strict=True))
                found = vector[attribute.moments]
                np.testing.assert_allclose(found, [mean / 45, (mean / 45) ** 2], atol=1e-4)
    assert len({vector[engine.attributes["pose"].posterior].argmax() for vector in vectors}) > 2


def test_landmarks_count_beside_the_drawings_where_they_are_known() -> None:
    engine, plain = engine_made(), vectors_made()
    pose, values = engine.attributes["pose"], np.array([float(value) for value in POSES])
    points = np.full((7, 5, 2), np.nan)
    turned = Landmarks((20.0, 24.0), (44.0, 26.0), (40.0, 44.0))
    points[1::2] = five_points(turned)
    found = engine.embed(crops_made(), descriptors_made(), points)
    np.testing.assert_allclose(found[::2], plain[::2], atol=1e-6)
    for vector, without in zip(found[1::2], plain[1::2], strict=True):
        away = [(value - float(yaw_of(five_points(turned)))) ** 2 / (2 * 12.0**2) for value in values]
        posterior = np.exp(without[pose.posterior].astype(float)) * np.exp(-np.array(away))
        posterior /= posterior.sum()
        np.testing.assert_allclose(vector[pose.posterior], np.maximum(np.log(posterior), -7), atol=1e-3)
        assert pose.moments is not None
        assert vector[pose.moments.start] * 45 == pytest.approx(posterior @ values, abs=0.01)
        assert vector[pose.moments.start] > without[pose.moments.start]
        others = np.delete(np.arange(engine.dimension), np.r_[pose.posterior, pose.moments])
        np.testing.assert_allclose(vector[others], without[others], atol=1e-6)


@pytest.mark.parametrize("identity", [True, False])
def test_posteriors_sum_to_one(identity: bool) -> None:
    engine, vectors = engine_made(identity), vectors_made(identity)
    for attribute in engine.attributes.values():
        np.testing.assert_allclose(np.exp(vectors[:, attribute.posterior]).sum(1), 1, atol=1e-5)
        if attribute.moments is not None:
            mean, square = vectors[:, attribute.moments].T
            np.testing.assert_allclose(square, mean**2, atol=1e-6)
            assert (np.abs(mean) <= 1).all()


def test_the_posteriors_of_each_attribute_come_from_its_own_values() -> None:
    both = generator_made(32, 8, two_groups=True)
    engine = Engine([Encoding(both, projection_of(both, 3, 4), "both")], None, CALIBRATION)
    vectors = engine.embed(crops_made(), None)
    for vector, crop in zip(vectors, crops_made(), strict=True):
        distances = both.canonicalise(crop[None]).distances[0].astype(float)
        for name, own in (("pose", distances[:3]), ("accessory", distances[3:])):
            weights = np.exp(-(own**2) / (2 * CALIBRATION.temperatures[name] ** 2))
            found = np.exp(vector[engine.attributes[name].posterior])
            np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-4)


def test_what_was_not_drawn_is_out_of_the_question() -> None:
    engine = engine_made()
    distances = np.array([[900, 800, np.inf, np.inf, np.inf, np.inf, np.inf], [700] * 7], np.float32)
    worn = np.array([[5, 5, 5], [5, np.inf, np.inf]], np.float32)
    features = [np.ones((2, len(encoding.projection.mean))) for encoding in engine.encodings]
    nothing = np.zeros((2, 1), np.int64), np.zeros((2, 32, 32), np.uint8)
    made = [
        Canonical(*nothing, seen.astype(np.float32), apart)
        for seen, apart in zip(features, (distances, worn), strict=True)
    ]
    vectors = engine.assemble(descriptors_made()[:2], made)
    pose, accessory = engine.attributes["pose"], engine.attributes["accessory"]
    assert vectors[0, pose.posterior][2:].tolist() == [-7] * 5
    assert np.exp(vectors[0, pose.posterior][:2]).sum() == pytest.approx(1, abs=1e-5)
    assert vectors[1, accessory.posterior].tolist() == [0, -7, -7]
    assert engine.error(0, vectors[0]) == pytest.approx(800 / 32)


def test_what_is_out_of_the_question_stays_finite_and_fits_float16() -> None:
    sure = replace(CALIBRATION, temperatures={"pose": 1.0, "accessory": 1.0})
    engine = Engine([turning(), dressing()], None, sure)
    vectors = engine.embed(crops_made(), None)
    assert np.isfinite(vectors.astype(np.float16)).all()
    for attribute in engine.attributes.values():
        part = vectors[:, attribute.posterior]
        assert part.min() >= -25
        np.testing.assert_allclose(part.max(1), 0, atol=1e-6)
    query = engine.queries(crops_made()[:1], vectors[:1], [engine.wanted({"accessory": "hat-1"})])[0]
    scores = engine.score(query, vectors.astype(np.float16))
    assert np.isfinite(scores.probability).all()


def test_a_face_alone_is_embedded_as_in_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, crowd = engine_made(), vectors_made()
    for number in range(7):
        part = slice(number, number + 1)
        alone = engine.embed(crops_made()[part], descriptors_made()[part])
        np.testing.assert_allclose(alone[0], crowd[number], atol=2e-4)
    monkeypatch.setattr(retrieval.engine, "_ROWS", 3)
    np.testing.assert_allclose(engine.embed(crops_made(), descriptors_made()), crowd, atol=2e-4)
    assert engine.embed(crops_made()[:0], descriptors_made()[:0]).shape == (0, engine.dimension)


def test_estimates_are_the_expected_number_and_the_likeliest_word() -> None:
    engine = engine_made()
    pose, accessory = engine.attributes["pose"], engine.attributes["accessory"]
    assert pose.moments is not None
    vector = vectors_made()[0].copy()
    vector[pose.moments] = [-17.4 / 45, (17.4 / 45) ** 2]
    vector[accessory.posterior] = np.log([0.2, 0.1, 0.7])
    assert engine.estimates(vector) == {"pose": "-17", "accessory": "glasses-3"}
    for vector in vectors_made():
        posterior = np.exp(vector[pose.posterior])
        mean = float(posterior @ np.array([float(value) for value in POSES]))
        assert abs(float(engine.estimates(vector)["pose"]) - mean) <= 0.51


def test_crop_and_chip_are_cut_from_the_photograph(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    crop, chip = engine_made().cut(pixels, MARKS)
    assert crop.shape == (32, 32)
    assert chip is not None
    assert chip.ravel().tolist() == [20, 24, 44, 26, 31, 41]
    described = engine_made().describe([chip])
    assert described is not None
    np.testing.assert_allclose(described, FakeIdentity().describe(chip[None]))
    assert engine_made().describe([]) is not None
    other, none = engine_made(False).cut(pixels, MARKS)
    assert np.array_equal(other, crop)
    assert none is None
    assert engine_made(False).describe([]) is None


def test_the_chip_of_a_lost_photograph_is_cut_from_the_crop() -> None:
    engine = engine_made()
    upright = Landmarks((100.0, 200.0), (180.0, 200.0), (140.0, 260.0))
    chip = engine.old_chip(np.zeros((32, 32), np.uint8), upright)
    geometry = CropGeometry(size=32)
    half = 40 * geometry.nose_distance / 60  # the nose base lies 60 pixels below the eyes
    expected = [(0.5 - half) * 32, 9.6, (0.5 + half) * 32, 9.6, 16, 9.6 + 8]
    assert chip is not None
    np.testing.assert_allclose(chip.ravel(), expected, atol=0.51)
    assert engine_made(False).old_chip(np.zeros((32, 32), np.uint8), upright) is None


# Wishes


def named(wanted: Wanted) -> tuple[str, str, object]:
    target = round(wanted.target, 4) if wanted.attribute.moments else wanted.places
    return wanted.attribute.group.name, wanted.word, target


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, []),
        ({"Pose": " 30"}, [("pose", "+30", 30.0)]),
        ({"pose": "-20"}, [("pose", "-20", -20.0)]),
        ({"pose": "12.5"}, [("pose", "+12.5", 12.5)]),
        ({"accessory": "sunglasses"}, [("accessory", "glasses-3", (2,))]),
        ({"accessory": "cap", "pose": "0"}, [("accessory", "hat-1", (1,)), ("pose", "0", 0.0)]),
    ],
)
def test_wishes_are_understood(wish: dict[str, str], expected: list[tuple[str, str, object]]) -> None:
    assert [named(wanted) for wanted in engine_made().wanted(wish)] == expected


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"smile": "broad"}, "Nothing here knows 'smile'; choose one of: pose, accessory"),
        ({"pose": "+60"}, r"no pose '\+60'; the nearest is \+45; choose one of: -45, "),
        ({"pose": "sideways"}, "choose one of: -45, "),
        ({"accessory": "scarf"}, r"choose one of: none, hat-1 \(cap\), glasses-3 \(sunglasses\)"),
    ],
)
def test_wishes_that_nothing_knows_are_told_what_there_is(wish: dict[str, str], words: str) -> None:
    with pytest.raises(WishError, match=words):
        engine_made().wanted(wish)


@pytest.mark.parametrize(
    ("wish", "unwished", "sentence"),
    [
        ({"accessory": "cap"}, ["hat-1"], "accessory cap is wished for and not wished for at once"),
        ({"pose": "20"}, ["+20"], r"pose \+20 is wished for and not wished for at once"),
        ({}, ["none", "cap", "sunglasses"], "No accessory is left that may be shown"),
        ({}, ["scarf"], "no accessory 'scarf'"),
    ],
)
def test_wishes_that_exclude_each_other_are_refused(
    wish: dict[str, str], unwished: list[str], sentence: str
) -> None:
    pairs = [("pose" if word[0] == "+" else "accessory", word) for word in unwished]
    with pytest.raises(WishError, match=sentence) as caught:
        engine_made().wanted(wish, pairs)
    assert len(str(caught.value).splitlines()) == 1


def test_what_shall_not_be_shown_is_met_by_all_else() -> None:
    engine, vectors = engine_made(), vectors_made().copy()
    pose, accessory = engine.attributes["pose"], engine.attributes["accessory"]
    vectors[:3, accessory.posterior] = np.log([[0.7, 0.1, 0.2], [0.02, 0.08, 0.9], [0.05, 0.9, 0.05]])
    wish = engine.wanted({"pose": "+30"}, [("accessory", "sunglasses"), ("pose", "-10")])
    assert [one.name for one in wish] == ["pose", "not sunglasses", "not -10"]
    np.testing.assert_allclose(engine.met(wish[1], vectors[:3]), [0.8, 0.1, 0.95], atol=1e-5)
    assert pose.moments is not None
    for one in (wish[0], wish[2]):
        expected = vectors[:, pose.moments.start] * 45
        near = np.exp(-((expected - one.target) ** 2) / (2 * 9.0**2))
        np.testing.assert_allclose(engine.met(one, vectors), near if one.shown else 1 - near, atol=1e-5)
    # Who wears sunglasses is drawn without them: in what else is likeliest.  Others stay as they are.
    without = engine.wanted({}, [("accessory", "sunglasses")])
    queries = engine.queries(crops_made()[:3], vectors[:3], [without] * 3)
    for query, crop, place in zip(queries, crops_made(), (0, 1, 1), strict=False):
        made = dresser().draw(crop[None], np.eye(3, dtype=np.float32)[[place]])
        np.testing.assert_allclose(query.drawn[1], dressing().projection(made.features)[0], atol=1e-5)
        part = query.vector[accessory.posterior]
        assert part.tolist() == [0, 0, -0.5]
    scores = engine.score(queries[0], vectors[:3])
    assert scores.met["not sunglasses"].argmin() == 1


def test_a_word_for_several_values_is_met_by_each_of_them() -> None:
    vocabulary = Vocabulary((AttributeGroup("accessory", ("none", "glasses-1", "glasses-2")),))
    architecture = replace(pose_config(32, 8).architecture, attribute_size=3)
    config = replace(pose_config(32, 8), architecture=architecture, vocabulary=vocabulary)
    generator = Generator(TwoStage(architecture), config, name="x", weights_id="1", device="cpu")
    engine = Engine([Encoding(generator, projection_of(generator, 3, 4), "x")], FakeIdentity(), CALIBRATION)
    (wanted,) = engine.wanted({"accessory": "Spectacles"})
    assert (wanted.word, wanted.places) == ("spectacles", (1, 2))
    vectors = np.zeros((3, engine.dimension), np.float32)
    posterior = engine.attributes["accessory"].posterior
    vectors[:, posterior] = np.log([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05], [0.01, 0.01, 0.98]])
    np.testing.assert_allclose(engine.met(wanted, vectors), [0.8, 0.1, 0.99], atol=1e-5)
    (query,) = engine.queries(crops_made()[:1], vectors[:1], [(wanted,)])
    assert query.vector[posterior].tolist() == [0, 0.5, 0.5]


# Queries


def test_the_drawing_is_made_as_wished_and_else_as_the_face_seems_to_be() -> None:
    engine = engine_made()
    wishes = [{"pose": "+20"}, {}, {"accessory": "hat-1"}, {"pose": "-45", "accessory": "none"}]
    queries = engine.queries(crops_made()[:4], vectors_made()[:4], [engine.wanted(wish) for wish in wishes])
    asked: list[dict[int, list[float]]] = [
        {0: [0, 0, 0, 0, 2 / 3, 1 / 3, 0]},
        {},
        {1: [0, 1, 0]},
        {0: [1, 0, 0, 0, 0, 0, 0], 1: [1, 0, 0]},
    ]
    for query, crop, mixtures in zip(queries, crops_made(), asked, strict=False):
        assert set(query.drawn) == set(mixtures)
        for number, mixture in mixtures.items():
            made = engine.encodings[number].generator.draw(crop[None], np.array([mixture], np.float32))
            plain = engine.encodings[number].projection(made.features)[0]
            np.testing.assert_allclose(query.drawn[number], plain, atol=1e-5)
            if number == max(mixtures):
                assert query.image is not None
                assert (query.image == made.stage2[0]).mean() > 0.999
    assert queries[1].image is None


def test_what_a_wish_leaves_open_of_one_network_stays_as_the_face_is() -> None:
    both = generator_made(32, 8, two_groups=True)
    engine = Engine([Encoding(both, projection_of(both, 3, 4), "both")], None, CALIBRATION)
    vectors = engine.embed(crops_made()[:3], None)
    vectors[:, engine.attributes["pose"].posterior] = np.log(0.9 * np.eye(3) + 0.05)
    queries = engine.queries(crops_made()[:3], vectors, [engine.wanted({"accessory": "hat"})] * 3)
    for query, pose, crop in zip(queries, ("-30", "0", "+30"), crops_made()[:3], strict=True):
        vector = both.vocabulary.vector({"pose": pose, "accessory": "hat"})
        plain = engine.encodings[0].projection(both.draw(crop[None], vector[None]).features)[0]
        np.testing.assert_allclose(query.drawn[0], plain, atol=1e-5)


def test_several_networks_draw_one_after_the_other() -> None:
    engine = engine_made()
    crop, vector = crops_made()[0], vectors_made()[0]
    found = engine.drawing(crop, vector, engine.wanted({"accessory": "hat-1", "pose": "15"}))
    turned = engine.encodings[0].generator.draw(crop[None], np.eye(7, dtype=np.float32)[4:5]).stage2
    dressed = engine.encodings[1].generator.draw(turned, np.eye(3, dtype=np.float32)[1:2]).stage2[0]
    assert (found == dressed).mean() > 0.99
    own = int(vector[engine.attributes["pose"].posterior].argmax())
    plain = engine.encodings[0].generator.draw(crop[None], np.eye(7, dtype=np.float32)[[own]]).stage2[0]
    assert (engine.drawing(crop, vector, ()) == plain).mean() > 0.99


def looks_plainly(
    query: Query, vector: Floats, wish: Mapping[str, str], identity: bool, *, levelled: bool = True
) -> float:
    """How alike drawing and face look, weighed: one encoding after the other."""
    start, total = 4 if identity else 0, 0.0
    for number, size in ((0, 6), (1, 5)):
        part, error = slice(start, start + size), float(query.face[start + size])
        start += size + 1
        name = ("pose", "accessory")[number]
        wished, level = query.face[part] if name not in wish else query.drawn[number], 0.0
        if identity:
            weight = usual = CALIBRATION.appearance[name]
            if known := CALIBRATION.in_domain.get(name):
                share = min(1.0, max(0.0, (known.far - error) / (known.far - known.near)))
                weight += share * (known.weight - usual)
                level = (weight - usual) * known.level if levelled else 0.0
            weight, level = (weight / len(wish), level / len(wish)) if name in wish else (0.0, 0.0)
        else:
            weight = CALIBRATION.alone / (len(wish) or 2) if name in wish or not wish else 0.0
        total += weight * sum(float(a) * float(b) for a, b in zip(wished, vector[part], strict=True)) - level
    return total


@given(wishes, st.integers(0, 6), st.booleans())
def test_the_linear_query_is_the_sum_without_its_bends(
    wish: dict[str, str], face: int, identity: bool
) -> None:
    engine, vectors = engine_made(identity), vectors_made(identity)
    query = query_made(wish, identity=identity, face=face)
    found = vectors.astype(np.float64) @ query.vector.astype(np.float64)
    plain = []
    for vector in vectors:
        total = looks_plainly(query, vector, wish, identity, levelled=False)
        if identity:
            total += 9.0 * float(vector[:4].astype(np.float64) @ query.face[:4])
        if "pose" in wish:
            moments = engine.attributes["pose"].moments
            assert moments is not None
            expected, target = 45 * float(vector[moments.start]), float(wish["pose"])
            total -= ((expected - target) ** 2 - target**2) / (2 * 9.0**2)
        if "accessory" in wish:
            place = engine.attributes["accessory"].posterior.start + WORN.index(wish["accessory"])
            total += float(vector[place])
        plain.append(total)
    np.testing.assert_allclose(found, plain, atol=2e-3)


def test_the_better_a_face_is_drawn_the_more_its_drawing_counts() -> None:
    errors = vectors_made()[:, 4 + 6]
    assert (errors < 190).any() and (errors > 250).any() and ((errors > 190) & (errors < 250)).any()
    queries = [query_made({"pose": "+30"}, face=face) for face in np.argsort(errors)]
    weights = [float(np.linalg.norm(query.vector[4 : 4 + 6])) for query in queries]
    assert weights == sorted(weights, reverse=True)
    assert (round(weights[0], 3), round(weights[-1], 3)) == (20.0, 3.5)


# Scores


def score_plainly(query: Query, vector: Floats, wish: Mapping[str, str], identity: bool) -> tuple[float, ...]:
    """The docstring of retrieval/calibration.py, one face at a time: probability, same_person, met ..."""
    engine = engine_made(identity)
    known = CALIBRATION.identities[DIGEST]
    looks = looks_plainly(query, vector, wish, identity)
    if identity:
        similarity = sum(float(a) * float(b) for a, b in zip(query.face[:4], vector[:4], strict=True))
        softplus = math.log1p(math.exp(-3 * known.steepness * (similarity - known.enough)))
        total, (a, b) = -softplus / 3 + looks, CALIBRATION.odds
        prior = math.log(CALIBRATION.prior / (1 - CALIBRATION.prior))
        same = 1 / (1 + math.exp(-(known.slope * (similarity - known.midpoint) + prior)))
    else:
        similarity, total, (a, b) = math.nan, looks, CALIBRATION.odds_alone
        same = 1 / (1 + math.exp(-(a * total + b)))
    met = []
    for name, word in wish.items():
        attribute = engine.attributes[name]
        if attribute.moments is None:
            p = math.exp(float(vector[attribute.posterior.start + WORN.index(word)]))
        else:
            p = math.exp(-((45 * float(vector[attribute.moments.start]) - float(word)) ** 2) / (2 * 9.0**2))
        met.append(p)
        total += math.log((1 - CALIBRATION.doubt) * p + CALIBRATION.doubt)
    probability = 1 / (1 + math.exp(-(a * total + b))) if wish else same
    return probability, max(same, probability), similarity, *met  # both at once is never the likelier


@given(wishes, st.integers(0, 6), st.booleans())
def test_scores_are_those_of_the_formula(wish: dict[str, str], face: int, identity: bool) -> None:
    engine, vectors = engine_made(identity), vectors_made(identity)
    query = query_made(wish, identity=identity, face=face)
    scores = engine.score(query, vectors)
    plain = np.array([score_plainly(query, vector, wish, identity) for vector in vectors])
    found = [scores.probability, scores.same_person, scores.similarity, *(scores.met[name] for name in wish)]
    np.testing.assert_allclose(np.stack(found, axis=1), plain, atol=1e-4)
    for values in (scores.probability, scores.same_person, *scores.met.values()):
        assert ((values >= 0) & (values <= 1)).all()
    assert set(scores.met) == set(wish)


@given(wishes)
def test_the_more_alike_two_people_the_more_probable_is_a_hit(wish: dict[str, str]) -> None:
    engine, query = engine_made(), query_made(wish)
    other = np.array([-query.face[1], query.face[0], -query.face[3], query.face[2]])  # at right angles
    angles = np.linspace(0, np.pi, 15)
    vectors = np.repeat(vectors_made()[3:4], len(angles), 0)
    vectors[:, :4] = np.cos(angles)[:, None] * query.face[:4] + np.sin(angles)[:, None] * other
    scores = engine.score(query, vectors)
    np.testing.assert_allclose(scores.similarity, np.cos(angles), atol=1e-5)
    assert (np.diff(scores.probability) < 0).all()
    assert (np.diff(scores.same_person) < 0).all()


def test_a_surer_person_does_not_outweigh_the_wish() -> None:
    engine, query = engine_made(), query_made({"pose": "+30"}, face=6)  # out of the domain
    moments = engine.attributes["pose"].moments
    assert moments is not None
    vectors = np.repeat(query.face[None], 2, 0)
    side = np.array([-query.face[1], query.face[0], -query.face[3], query.face[2]])
    vectors[1, :4] = 0.9 * query.face[:4] + math.sqrt(1 - 0.81) * side  # as wished, a little less alike
    vectors[0, moments], vectors[1, moments] = [0, 0], [30 / 45, (30 / 45) ** 2]
    scores = engine.score(query, vectors)
    assert scores.similarity[0] > scores.similarity[1]
    assert scores.probability[1] > scores.probability[0] + 0.1


def test_how_alike_they_look_may_be_told() -> None:
    engine, query = engine_made(), query_made({"pose": "+30"})
    few = engine.score(query, vectors_made(), np.full(7, -2.0))
    many = engine.score(query, vectors_made(), np.full(7, 2.0))
    assert (few.probability < many.probability).all()
    assert (few.same_person <= many.same_person).all()
    assert (many.same_person >= many.probability).all()


def test_vectors_of_16_bits_give_nearly_the_same() -> None:
    engine, query = engine_made(), query_made({"pose": "+20", "accessory": "none"})
    exact = engine.score(query, vectors_made())
    stored = engine.score(query, vectors_made().astype(np.float16))
    np.testing.assert_allclose(stored.probability, exact.probability, atol=0.02)
    assert engine.score(query, vectors_made()[:0]).probability.shape == (0,)


def test_a_model_that_nobody_calibrated_cannot_answer() -> None:
    engine = Engine([turning()], FakeIdentity(name="mine.onnx", digest="0" * 12), CALIBRATION)
    vectors = engine.embed(crops_made()[:1], descriptors_made()[:1])
    with pytest.raises(WeightsError, match=r"anotheryou calibrate FACES --identity mine\.onnx"):
        engine.queries(crops_made()[:1], vectors, [()])


def test_the_shortlist_is_longer_than_the_answer() -> None:
    assert [shortlist_size(k) for k in (1, 20, 128, 129, 1000)] == [512, 512, 512, 516, 4000]


# The layout


def digest_of(
    encodings: list[Encoding], identity: FakeIdentity | None, calibration: Calibration = CALIBRATION
) -> str:
    return Engine(encodings, identity, calibration).layout.digest


def test_another_layout_is_what_gives_other_vectors_and_nothing_else() -> None:
    base = digest_of([turning()], FakeIdentity())
    again = replace(turning(), source="/elsewhere/turner")
    assert digest_of([again], FakeIdentity()) == base
    assert digest_of([turning()], FakeIdentity(name="/elsewhere/fake.onnx")) == base
    assert digest_of([turning()], FakeIdentity(), replace(CALIBRATION, prior=0.5, doubt=0.5)) == base
    generator = generator_made(32, 8)
    generator.name = "another name"
    assert digest_of([replace(turning(), generator=generator)], FakeIdentity()) == base
    generator.weights_id = "1" * 12
    others = [
        digest_of([replace(turning(), generator=generator)], FakeIdentity()),
        digest_of([replace(turning(), projection=projection_of(generator, 6, 9))], FakeIdentity()),
        digest_of([turning()], FakeIdentity(digest="other")),
        digest_of([turning()], None),
        digest_of([turning()], FakeIdentity(), replace(CALIBRATION, temperatures={"pose": 1901.0})),
        digest_of([turning()], FakeIdentity(), replace(CALIBRATION, landmarks={"pose": 13.0})),
        digest_of([turning(), dressing()], FakeIdentity()),
    ]
    assert len({base, *others}) == len(others) + 1
