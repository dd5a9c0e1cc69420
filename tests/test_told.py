"""What an engine does with a classifier of what faces show: estimates, undrawn wishes, layouts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fake_faces import FakeClassifier
from generators_made import generator_made
from test_engine import (
    CALIBRATION,
    FakeIdentity,
    crops_made,
    descriptors_made,
    dressing,
    projection_of,
    turning,
)

from evaluation.context import Context
from evaluation.methods import find_method
from evaluation.ours import OursTold
from evaluation.protocol import draw_queries
from evaluation.studio import Studio
from facedata.labelled import read_labelled, rendered_mini_path
from faces.errors import CollectionWeightsError, WeightsError, WishError
from faces.types import Floats, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.checkpoint import load_generator
from generator.deferred import DeferredGenerator
from retrieval.engine import Engine
from retrieval.estimating import as_drawn
from retrieval.loading import (
    DEFAULT_CLASSIFIER,
    DEFAULT_WEIGHTS,
    check_layout,
    load_encoding,
    load_engine,
    load_telling,
    usual_telling,
)
from retrieval.parts import Encoding, Telling

WIDE = ("-60", "-45", "-30", "-15", "0", "+15", "+30", "+45", "+60")
WORDS = Vocabulary(
    (
        AttributeGroup("pose", WIDE),
        AttributeGroup("accessory", ("none", "hat-1", "glasses-3", "mask")),
        AttributeGroup("expression", ("neutral", "smile")),
    )
)


TELLING = Telling(FakeClassifier(WORDS), "told")


def engine_made() -> Engine:
    known = replace(CALIBRATION, told={"accessory": 2.0}, commoner={"accessory": {"none": 4.0}}, landmarks={})
    return Engine([turning(), dressing()], FakeIdentity(), known, TELLING)


def test_the_classifier_answers_for_what_it_knows_and_its_temperature_divides() -> None:
    engine = engine_made()
    assert engine.vocabulary == {group.name: group.values for group in WORDS.groups}
    vectors = engine.embed(crops_made(), descriptors_made())
    told = FakeClassifier(WORDS)(crops_made()).astype(np.float64)
    apart = turning().generator.canonicalise(crops_made()).distances.astype(np.float64)
    drawn = -(apart[:, [0, 0, 1, 2, 3, 4, 5, 6, 6]] ** 2) / (2 * (1.5 * 1900.0) ** 2)  # -60 as -45
    for name, temperature in (("pose", 1.0), ("accessory", 2.0), ("expression", 1.0)):
        plain = np.exp(told[:, WORDS.places[name]] / temperature)
        plain *= np.exp(drawn) if name == "pose" else 1.0  # numbers are told by drawings too
        plain[:, 0] *= 4.0 if name == "accessory" else 1.0  # bare faces are commoner
        plain /= plain.sum(1, keepdims=True)
        found = vectors[:, engine.attributes[name].posterior]
        np.testing.assert_allclose(found, np.maximum(np.log(plain), -7), atol=1e-4)
    plain_engine = Engine([turning(), dressing()], FakeIdentity(), CALIBRATION)
    shared = engine.appearance[1].stop
    expected = plain_engine.embed(crops_made(), descriptors_made())[:, :shared]
    np.testing.assert_allclose(vectors[:, :shared], expected, atol=1e-5)


def test_the_outermost_that_can_be_drawn_means_all_beyond() -> None:
    engine = engine_made()
    vectors = engine.embed(crops_made(), descriptors_made())
    moments = engine.attributes["pose"].moments
    assert moments is not None
    vectors[:3, moments] = [[60 / 60, 1], [45 / 60, 0.5], [30 / 60, 0.25]]
    for wish, plain in (
        ("+45", [1, 1, np.exp(-(15**2) / (2 * 9.0**2))]),
        ("+60", [1, np.exp(-(15**2) / (2 * 9.0**2)), np.exp(-(30**2) / (2 * 9.0**2))]),
        ("+30", [np.exp(-(30**2) / (2 * 9.0**2)), np.exp(-(15**2) / (2 * 9.0**2)), 1]),
    ):
        (wanted,) = engine.wanted({"pose": wish})
        np.testing.assert_allclose(engine.met(wanted, vectors[:3]), plain, atol=1e-5)


def test_a_wish_that_nobody_can_draw_is_answered_by_estimates_and_the_person() -> None:
    engine = engine_made()
    vectors = engine.embed(crops_made(), descriptors_made())
    for wish in ({"expression": "smile"}, {"accessory": "mask"}):
        (query,) = engine.queries(crops_made()[:1], vectors[:1], [engine.wanted(wish)])
        assert query.drawn == {} and query.image is None
        scores = engine.score(query, vectors)
        name = next(iter(wish))
        (wanted,) = query.wanted
        plain = np.exp(vectors[:, engine.attributes[name].posterior][:, list(wanted.places)]).sum(1)
        np.testing.assert_allclose(scores.met[name], np.minimum(plain, 1), atol=1e-5)
        order = CALIBRATION.total(
            CALIBRATION.identities["abcdefabcdef"], scores.similarity, np.zeros(7), [scores.met[name]]
        )
        assert np.argsort(-order, kind="stable").tolist() == np.argsort(-scores.probability).tolist()


def test_what_is_known_to_be_drawn_is_drawn_and_the_rest_left_out() -> None:
    engine = engine_made()
    vectors = engine.embed(crops_made(), descriptors_made())
    wish = engine.wanted({"pose": "+60", "expression": "smile", "accessory": "mask"})
    (query,) = engine.queries(crops_made()[:1], vectors[:1], [wish])
    assert set(query.drawn) == {0}  # turned as far as it can be drawn
    outermost = np.eye(7, dtype=np.float32)[-1:]
    made = turning().generator.draw(crops_made()[:1], outermost)
    np.testing.assert_allclose(query.drawn[0], turning().projection(made.features)[0], atol=1e-5)
    assert query.wanted[0].target == 60.0
    assert (engine.drawing(crops_made()[0], vectors[0], wish) == made.stage2[0]).mean() > 0.999
    (query,) = engine.queries(crops_made()[:1], vectors[:1], [engine.wanted({}, [("accessory", "mask")])])
    assert set(query.drawn) == {1}  # without a mask the face can be drawn as it is


def test_a_collection_whose_faces_were_cut_otherwise_is_made_again(tmp_path: Path) -> None:
    engine = engine_made()
    wanted = engine.layout
    assert wanted.description["identity"]["source"] == FakeIdentity.name
    before = {**wanted.description, "identity": {**wanted.description["identity"], "digest": "0" * 12}}
    found = replace(wanted, digest="f" * 12, description=before)
    with pytest.raises(CollectionWeightsError, match="by an older version or with other weights"):
        check_layout(tmp_path, found, wanted)
    other = replace(found, description={**before, "identity": {"source": "none.onnx", "digest": "0" * 12}})
    with pytest.raises(CollectionWeightsError, match=r"was made with .*none\.onnx.*, not with"):
        check_layout(tmp_path, other, wanted)


def test_what_is_told_is_mixed_in_the_values_that_can_be_drawn() -> None:
    told = FakeClassifier(WORDS)(crops_made())
    pose = AttributeGroup("pose", ("-45", "0", "+45"))
    drawn = Vocabulary((AttributeGroup("accessory", ("glasses-3", "none")), pose))
    found = as_drawn(told, WORDS, drawn)
    assert found.dtype == np.float32 and found.shape == (len(told), 5)
    chances = np.exp(told.astype(np.float64))
    worn = chances[:, WORDS.places["accessory"]][:, [2, 0]]
    np.testing.assert_allclose(found[:, :2], worn / worn.sum(1, keepdims=True), atol=1e-4)
    turned = chances[:, WORDS.places["pose"]]  # of -60 ... +60, each by the nearest
    thirds = np.stack([turned[:, :3].sum(1), turned[:, 3:6].sum(1), turned[:, 6:].sum(1)], 1)
    np.testing.assert_allclose(found[:, 2:], thirds, atol=1e-4)
    with pytest.raises(ValueError, match="does not tell the light"):
        as_drawn(told, WORDS, Vocabulary((AttributeGroup("light", ("even", "dim")),)))


def test_the_row_ours_told_draws_faces_and_mirror_images_as_the_classifier_tells() -> None:
    faces = read_labelled(rendered_mini_path(), cropped=True)
    faces = faces.select(np.isin(faces.persons, np.unique(faces.persons)[:4]) & (faces.lights == "00"))
    context = Context(studio=Studio(load_generator("rotation-32")), attribute="pose")
    row = find_method("ours-told", "pose").build(context).fit(faces)
    assert isinstance(row, OursTold)
    generator, classifier = context.studio.generator, load_telling(DEFAULT_CLASSIFIER)
    assert classifier is not None
    known = classifier.classifier.vocabulary
    shown = as_drawn(classifier.classifier(faces.crops), known, generator.vocabulary)
    mirrored = generator.draw(np.ascontiguousarray(faces.crops[:, :, ::-1]), shown[:, ::-1].copy())
    plain = np.concatenate([generator.draw(faces.crops, shown).features, mirrored.features], axis=1)
    np.testing.assert_allclose(row.gallery_, plain, atol=2e-3)
    queries = draw_queries(faces, "pose", context.studio.values("pose"), count=40)
    found = row.rank(queries.batch(faces), 5)
    right = (faces.persons[found[:, 0]] == faces.persons[queries.faces]) & (
        faces.poses[found[:, 0]] == queries.targets
    )
    assert right.mean() > 0.9


def test_too_many_values_to_draw_are_drawn_once_as_the_classifier_tells() -> None:
    both = generator_made(32, 8, two_groups=True)
    wide = Vocabulary(tuple(both.vocabulary.groups))
    encoding = Encoding(both, projection_of(both, 3, 4), "both")
    telling = Telling(FakeClassifier(wide), "told")
    assert both.vocabulary.few
    engine = Engine([encoding], None, CALIBRATION, telling)
    plain = engine.embed(crops_made(), None)
    assert np.allclose(plain[:, :3], encoding.projection(both.canonicalise(crops_made()).features), atol=1e-5)

    @dataclass(frozen=True)
    class Many(Vocabulary):
        few = False

    seen: list[Floats] = []

    class Counted:
        name, weights_id, geometry, vocabulary = both.name, both.weights_id, both.geometry, Many(wide.groups)

        def draw(self, crops: Pixels, wishes: Floats, /):  # type: ignore[no-untyped-def]
            seen.append(wishes)
            return both.draw(crops, wishes)

        def canonicalise(self, crops: Pixels, /):  # type: ignore[no-untyped-def]
            raise AssertionError("nothing must be searched for")

    engine = Engine([Encoding(Counted(), encoding.projection, "many")], None, CALIBRATION, telling)
    found = engine.embed(crops_made(), None)
    told = np.exp(FakeClassifier(wide)(crops_made()))
    np.testing.assert_allclose(seen[0], told, atol=1e-5)
    drawn = both.draw(crops_made(), told)
    np.testing.assert_allclose(found[:, :3], encoding.projection(drawn.features), atol=1e-5)
    apart = drawn.stage2.astype(np.float64) - crops_made()
    np.testing.assert_allclose(found[:, 3], np.sqrt((apart**2).mean((1, 2))), rtol=1e-5)


def test_a_classifier_that_knows_less_is_refused() -> None:
    narrow = Vocabulary((AttributeGroup("pose", ("-15", "0", "+15")),))
    with pytest.raises(WeightsError, match=r"told does not know the pose '\+30', which the weights turner"):
        Engine([turning()], None, CALIBRATION, Telling(FakeClassifier(narrow), "told"))
    with pytest.raises(WeightsError, match="looks at crops of 64 × 64 pixels, the weights turner at 32 × 32"):
        Engine([turning()], None, CALIBRATION, Telling(FakeClassifier(WORDS, 64), "told"))


def test_unknown_wishes_are_refused_with_what_there_is() -> None:
    with pytest.raises(WishError, match="choose one of: neutral, smile"):
        engine_made().wanted({"expression": "angry"})


def test_another_classifier_is_another_layout_and_another_place_is_not() -> None:
    digest = engine_made().layout.digest
    plain = Engine([turning(), dressing()], FakeIdentity(), CALIBRATION).layout

    def with_told(telling: Telling) -> str:
        return Engine(
            [turning(), dressing()], FakeIdentity(), engine_made().calibration, telling
        ).layout.digest

    assert "classifier" not in plain.description
    assert with_told(replace(TELLING, source="/elsewhere")) == digest
    assert with_told(Telling(FakeClassifier(WORDS, digest="d" * 12), "told")) != digest != plain.digest


def test_the_classifier_that_comes_along_knows_all_that_the_weights_know() -> None:
    encodings = [load_encoding(name) for name in DEFAULT_WEIGHTS]
    telling = usual_telling(encodings)
    assert telling is not None and telling.unfit(encodings) == ""
    assert {"pose", "tilt", "accessory", "light", "expression"} <= {*telling.classifier.vocabulary.places}


def test_a_collection_keeps_to_what_made_it(tmp_path: Path) -> None:
    usual = load_engine()
    assert usual.telling is not None and usual.telling.source == "attributes-32"
    without = load_engine(classifier="none")
    assert without.telling is None
    assert load_engine(layout=without.layout).layout.digest == without.layout.digest
    assert load_engine(layout=usual.layout).layout.digest == usual.layout.digest
    assert load_telling("none") is None
    with pytest.raises(WeightsError, match="is no classifier"):
        load_engine(classifier=tmp_path)
    assert isinstance(usual.encodings[0].generator, DeferredGenerator)
