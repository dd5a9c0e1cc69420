"""Learning calibrations and projections: what goes in comes out, and searches work with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_faces import ACCESSORY, CALIBRATION, POSE, fake_engine, open_fake_detector, save_photo
from generators_made import network_for, pose_config
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import Result

from baselines.network_features import IdentityFeatures
from evaluation import calibrate as fitting
from evaluation.calibrate import (
    Compared,
    calibrate_identity,
    compare,
    domain_of,
    fit_fusion,
    fit_identity,
    kept_at_one_percent,
    learn_domain,
    totals,
)
from facedata.labelled import LabelRow, read_labelled, rendered_mini_path, write_labels
from facedata.large_pictures import COLUMNS, LARGE_FILE, LARGE_FOLDER
from faces.chips import ARCFACE_SIDE
from faces.errors import DataError, WeightsError
from faces.progress import NoProgress
from faces.types import Floats, Ints, Pixels
from generator.checkpoint import load_generator, save_checkpoint
from generator.projection import PROJECTION_FILE, load_projection
from retrieval.calibration import Calibration, IdentityCalibration, InDomain, logistic, read_calibration
from retrieval.finder import Finder
from retrieval.identity import DLIB, DlibIdentity, OnnxIdentity, unit_length
from retrieval.indexing import index_folders
from retrieval.loading import load_engine

DIGEST = "abcdefabcdef"
START = Calibration(identities={DIGEST: IdentityCalibration(40.0, 0.7, 60.0, 0.94)})


# When two descriptors mean one person


def people_made(rng: np.random.Generator, *, people: int = 30, faces: int = 6) -> tuple[Floats, Ints]:
    """Descriptors (N, 32) of length one that scatter about a direction for each person (N,)."""
    persons = np.repeat(np.arange(people), faces)
    centres = rng.normal(size=(people, 32))
    return unit_length(centres[persons] + 0.5 * rng.normal(size=(len(persons), 32))), persons


def test_slope_and_midpoint_of_made_up_similarities_are_found_again(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    slope, midpoint = 25.0, 0.6
    persons = np.arange(500) // 2
    one, other = np.triu_indices(len(persons), 1)
    same = persons[one] == persons[other]
    # Similarities whose log-odds are a line by construction: two normal distributions of one width.
    width = 0.1
    apart = slope * width**2
    similarity = rng.normal(midpoint + np.where(same, apart, -apart) / 2, width).astype(np.float32)
    # So few right pairs would leave too much to chance: they lie at the middles of as many equal parts.
    right = np.sort(rng.normal(midpoint + apart / 2, width, 200_000))
    similarity[same] = right[:: 200_000 // same.sum()][: same.sum()]
    monkeypatch.setattr(fitting, "_similarities", lambda descriptors, one, other: similarity)
    found = fit_identity(np.zeros((500, 1), np.float32), persons)
    assert found.slope == pytest.approx(slope, rel=0.05)
    assert found.midpoint == pytest.approx(midpoint, abs=0.01)
    assert found.steepness == found.slope
    assert found.enough == pytest.approx(found.midpoint + 2 / found.slope)
    assert found.scaled and not fit_identity(np.zeros((500, 1), np.float32), persons, scaled=False).scaled


def test_pairs_are_told_apart_and_a_sample_of_them_is_enough(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    descriptors, persons = people_made(rng)
    found = fit_identity(descriptors, persons)
    similarity = descriptors @ descriptors.T
    same = persons[:, None] == persons
    other = np.triu(np.ones_like(same), 1)
    right, wrong = similarity[same & other], similarity[~same & other]
    assert wrong.mean() < found.midpoint < right.mean()
    told = logistic(found.slope, -found.slope * found.midpoint, right.astype(np.float64))
    assert (told > 0.5).mean() > 0.95
    strict = np.sort(wrong)[int(0.99 * len(wrong))]
    assert kept_at_one_percent(descriptors, persons) == pytest.approx((right > strict).mean(), abs=0.01)
    monkeypatch.setattr(fitting, "_MOST_PAIRS", 6000)
    sampled = fit_identity(descriptors, persons)
    assert sampled.midpoint == pytest.approx(found.midpoint, abs=0.05)
    assert sampled == fit_identity(descriptors, persons)
    assert sampled != fit_identity(descriptors, persons, seed=1)


@pytest.mark.parametrize("persons", [[], [0], [0, 0, 0], [0, 1, 2]], ids=["none", "one", "same", "strangers"])
def test_faces_that_nothing_can_be_learned_from_are_refused(persons: list[int]) -> None:
    descriptors = np.eye(3, 4, dtype=np.float32)[: len(persons)]
    for learn in (fit_identity, kept_at_one_percent):
        with pytest.raises(DataError, match="needs several people, and several faces of some; use another"):
            learn(descriptors, np.array(persons, np.int64))


def test_a_model_that_takes_strangers_for_one_person_is_refused() -> None:
    descriptors = np.eye(4, dtype=np.float32)[[0, 1, 1, 0, 2, 3, 3, 2]]
    with pytest.raises(DataError, match="does not tell these people apart; use another folder, or another"):
        fit_identity(descriptors, np.array([0, 0, 1, 1, 2, 2, 3, 3]))


# The weights of the sum


def wish_made(
    rng: np.random.Generator, attribute: str, weight: float, *, queries: int = 200, faces: int = 60
) -> Compared:
    """Answers that are right with the very probabilities of a sum with known weights."""
    truth = replace(
        START,
        identities={DIGEST: replace(START.identities[DIGEST], steepness=40.0, enough=0.93)},
        appearance={attribute: weight},
        doubt=0.01,
    )
    similarity = rng.uniform(0.75, 1.0, (queries, faces)).astype(np.float32)
    looks = rng.uniform(0.0, 1.0, (queries, faces)).astype(np.float32)
    met = rng.choice([0.001, 0.3, 0.95], (queries, faces)).astype(np.float32)
    nobody = np.zeros((queries, faces), np.bool_)
    errors = rng.uniform(5.0, 30.0, queries).astype(np.float32)
    sums = totals(truth, DIGEST, Compared(attribute, similarity, looks, met, nobody, errors))
    shares = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    right = nobody.copy()
    right[np.arange(queries), [rng.choice(faces, p=row) for row in shares]] = True
    return Compared(attribute, similarity, looks, met, right, errors)


def likelihood(calibration: Calibration, wish: Compared) -> float:
    """The mean logarithm of the share of the right answers, plainly."""
    sums = totals(calibration, DIGEST, wish)
    shares = np.exp(sums - sums.max(axis=1, keepdims=True))
    return float(np.mean(np.log((shares * wish.right).sum(axis=1) / shares.sum(axis=1))))


@pytest.fixture(scope="module")
def wishes() -> list[Compared]:
    rng = np.random.default_rng(8)
    return [wish_made(rng, "pose", 3.0), wish_made(rng, "accessory", 10.0)]


@pytest.fixture(scope="module")
def fitted(wishes: list[Compared]) -> Calibration:
    return fit_fusion(START, DIGEST, wishes)


def test_known_weights_are_found_among_those_that_are_tried(fitted: Calibration) -> None:
    identity = fitted.identities[DIGEST]
    # A grid's neighbours are as likely by chance; three times the weight is not.
    assert 1.5 <= fitted.appearance["pose"] <= 6.0
    assert 6.0 <= fitted.appearance["accessory"] <= 20.0
    assert fitted.appearance["accessory"] > 2 * fitted.appearance["pose"]
    assert 20.0 <= identity.steepness <= 80.0
    assert identity.enough in fitting.ENOUGH and fitted.doubt in fitting.DOUBT
    assert fitted.doubt > min(fitting.DOUBT)
    # What was fitted before, on pairs, stays.
    assert (identity.slope, identity.midpoint) == (40.0, 0.7)
    assert (fitted.prior, fitted.alone) == (START.prior, START.alone)


def test_the_fit_is_likelier_than_where_it_began_and_does_not_depend_on_the_order(
    fitted: Calibration, wishes: list[Compared]
) -> None:
    began = replace(
        START,
        identities={DIGEST: replace(START.identities[DIGEST], steepness=60.0, enough=0.94)},
        appearance={"pose": 4.0, "accessory": 4.0},
    )

    def best(calibration: Calibration) -> float:
        return float(np.mean([likelihood(calibration, wish) for wish in wishes]))

    assert best(fitted) > best(began)
    assert fit_fusion(START, DIGEST, wishes[::-1]).appearance == fitted.appearance


def test_only_the_named_values_of_a_weight_are_tried(wishes: list[Compared], fitted: Calibration) -> None:
    bounded = fit_fusion(START, DIGEST, wishes, tried={"appearance accessory": (2.0, 4.0)})
    assert bounded.appearance["accessory"] in (2.0, 4.0)
    assert bounded.appearance["pose"] in fitting.APPEARANCE
    assert fit_fusion(START, DIGEST, wishes, tried={"doubt": fitting.DOUBT}) == fitted


def test_what_rendered_people_teach_holds_for_faces_drawn_as_well_and_keeps_even_odds(
    wishes: list[Compared], fitted: Calibration
) -> None:
    rendered = replace(fitted, appearance={"pose": 30.0, "accessory": 40.0}, odds=(0.5, -9.0))
    errors = np.arange(101, dtype=np.float32)
    domains = {name: domain_of(rendered, name, errors) for name in rendered.appearance}
    assert domains["pose"] == InDomain(30.0, near=50.0, far=95.0)
    found = learn_domain(fitted, replace(rendered, in_domain=domains))
    assert replace(found, in_domain={}) == fitted
    # A sum that has even odds among rendered people has even odds for a face that is drawn as well.
    slope, shift = fitted.odds
    for name, known in found.in_domain.items():
        weight, taken = found.weight(name, 50.0)
        assert weight == known.weight
        assert slope * (9.0 / 0.5 - taken) + shift == pytest.approx(0, abs=1e-9)
    assert fit_fusion(found, DIGEST, wishes) == fitted


@pytest.mark.parametrize("prior", [0.05, 0.3])
def test_probabilities_are_as_large_as_the_share_of_right_answers(
    wishes: list[Compared], prior: float
) -> None:
    found, expected = fit_fusion(replace(START, prior=prior), DIGEST, wishes), prior * fitting.AS_WISHED
    for odds, digest in ((found.odds, DIGEST), (found.odds_alone, None)):
        means = []
        for wish in wishes:
            told, share = logistic(*odds, totals(found, digest, wish)), wish.right.mean()
            assert told[wish.right].mean() > told[~wish.right].mean()
            weight = np.where(wish.right, expected / share, (1 - expected) / (1 - share))
            means.append(np.average(told, weights=weight))
        # As a logistic regression has it, the mean over all wishes is right.
        assert np.mean(means) == pytest.approx(expected, abs=0.005)
        assert odds[0] > 0


@pytest.mark.parametrize("wish", [{"pose": "+45"}, {"accessory": "hat-1"}], ids=["pose", "accessory"])
def test_what_is_fitted_is_what_the_engine_ranks_by(rng: np.random.Generator, wish: dict[str, str]) -> None:
    engine = fake_engine(vocabularies=(POSE, ACCESSORY))
    assert engine.identity is not None
    crops = rng.integers(0, 256, (12, 8, 8), dtype=np.uint8)
    vectors = engine.embed(crops, unit_length(rng.normal(size=(12, engine.identity.dimension)) + 1))
    queries = engine.queries(crops[:3], vectors[:3], [engine.wanted(wish)] * 3)
    (attribute,) = wish
    compared = compare(engine, attribute, queries, vectors, np.eye(3, 12, dtype=np.bool_))
    found = logistic(*CALIBRATION.odds, totals(CALIBRATION, engine.identity.digest, compared))
    for query, probabilities, similarity in zip(queries, found, compared.similarity, strict=True):
        scores = engine.score(query, vectors)
        np.testing.assert_allclose(probabilities, scores.probability, rtol=1e-4)
        np.testing.assert_allclose(similarity, scores.similarity, atol=1e-6)
    alone = fake_engine(vocabularies=(POSE, ACCESSORY), identity=None)
    bare = alone.embed(crops, None)
    asked = alone.queries(crops[:3], bare[:3], [alone.wanted(wish)] * 3)
    told = logistic(*CALIBRATION.odds_alone, totals(CALIBRATION, None, compared))
    for query, probabilities in zip(asked, told, strict=True):
        np.testing.assert_allclose(probabilities, alone.score(query, bare).probability, rtol=1e-4)


def test_queries_without_a_right_answer_among_the_chosen_faces_are_left_out(wishes: list[Compared]) -> None:
    wish = wishes[0]
    faces = np.arange(60) < 30
    half = wish.select(np.arange(200) % 2 == 0, faces)
    kept = [number for number in range(0, 200, 2) if wish.right[number, :30].any()]
    assert 0 < len(kept) < 100
    np.testing.assert_array_equal(half.looks, wish.looks[kept][:, :30])
    np.testing.assert_array_equal(half.right, wish.right[kept][:, :30])
    assert half.attribute == "pose"


# The command calibrate


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with one linear layer on the means of blocks of 16 x 16 pixels."""
    weights = np.random.default_rng(2).normal(size=(3 * 7 * 7, 24)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["face"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["descriptor"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, ARCFACE_SIDE, ARCFACE_SIDE])],
        [helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, [1, 24])],
        [numpy_helper.from_array(weights, "weights")],
    )
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def save_people(folder: Path, *, people: int = 6, faces: int = 4, large: bool = True) -> Path:
    """A labelled folder of ready crops, and larger pictures that tell who it is by coarse patterns."""
    rng = np.random.default_rng(3)
    (folder / LARGE_FOLDER).mkdir(parents=True)
    points = np.array([[74, 40], [58, 40], [22, 40], [38, 40], [48, 64]])
    rows, lines = [], [",".join(COLUMNS)]
    for person in range(people):
        pattern = rng.integers(30, 226, (8, 8))
        for number in range(faces):
            noisy = (pattern + rng.normal(0, 12, (8, 8))).clip(0, 255).astype(np.uint8)
            picture, name = (
                Image.fromarray(noisy).resize((96, 96), Image.Resampling.BICUBIC),
                f"{person}-{number}",
            )
            picture.resize((32, 32)).save(folder / f"{name}.png")
            picture.save(folder / LARGE_FOLDER / f"{name}.webp", lossless=True)
            rows.append(LabelRow(f"{name}.png", f"person {person}", ""))
            lines.append(",".join([f"{name}.png", *(str(value) for value in points.ravel())]))
    write_labels(folder / "labels.csv", rows)
    if large:
        (folder / LARGE_FILE).write_text("\n".join(lines) + "\n")
    return folder


Run = Callable[..., Result]


def test_a_model_of_the_users_is_calibrated_and_then_searches_take_it(
    tmp_path: Path, model: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "data" / "calibration.json"
    monkeypatch.setenv("ANOTHERYOU_CALIBRATION", str(own))
    with pytest.raises(WeightsError, match="nobody has calibrated the identity model"):
        load_engine(identity=model)
    folder = save_people(tmp_path / "faces")
    ran = run_cli("calibrate", folder, "--cropped", "--identity", model)
    assert ran.exit_code == 0, ran.output
    faces = read_labelled(folder, cropped=True)
    kept = {}
    for scaled in (True, False):
        described = IdentityFeatures(OnnxIdentity(model, scaled=scaled))(faces.pictures)
        persons = np.unique(faces.persons, return_inverse=True)[1].astype(np.int64)
        kept[scaled] = kept_at_one_percent(described, persons)
    best = max(kept.values())
    assert kept[True] == best > 0.8
    assert ran.stdout == (
        "24 faces of 6 people: at one false pair in a hundred "
        f"{100 * best:.1f} % of the right pairs are kept\n"
    )
    assert f"wrote {own}" in ran.stderr
    digest = OnnxIdentity(model).digest
    shipped, found = read_calibration(Path("retrieval/calibration.json").resolve()), read_calibration()
    assert found == replace(shipped, identities={**shipped.identities, digest: found.identities[digest]})
    assert found.identities[digest].scaled
    engine = load_engine(identity=model)
    assert engine.identity is not None and engine.identity.digest == digest
    # Once more, and with dlib's, which keeps the weights that were fitted to wishes.
    assert run_cli("calibrate", folder, "--cropped", "--identity", model).exit_code == 0
    assert read_calibration() == found


def test_a_model_that_wants_grey_levels_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = read_labelled(save_people(tmp_path / "faces"), cropped=True)

    class Levels:
        """Sees nothing if the values are scaled."""

        digest = "e" * 12
        dimension = 4

        def __init__(self, scaled: bool) -> None:
            self.scaled = scaled
            self.name = "levels.onnx"

        cut = staticmethod(lambda pixels, landmarks: np.resize(pixels, (4, 4, 3)))

        def describe(self, chips: Pixels) -> Floats:
            values = chips.reshape(len(chips), -1)[:, ::12].astype(np.float32) - 127
            return unit_length(np.ones_like(values) if self.scaled else values)

    monkeypatch.setattr(fitting, "open_identity", lambda name, scaled=True: Levels(scaled))
    made, report = calibrate_identity(START, faces, "levels.onnx", NoProgress())
    assert not made.identities["e" * 12].scaled
    assert made.identities[DIGEST] == START.identities[DIGEST]
    assert report.startswith("24 faces of 6 people")


def test_dlibs_model_is_calibrated_on_rendered_people() -> None:
    faces = read_labelled(rendered_mini_path(), cropped=True)
    some = np.isin(faces.persons, np.unique(faces.persons)[:4]) & np.isin(faces.poses, ("-15", "0", "+15"))
    some &= np.isin(faces.lights, np.unique(faces.lights)[:2])
    known = read_calibration()
    made, report = calibrate_identity(known, faces.select(some), DLIB, NoProgress())
    digest = DlibIdentity().digest
    old, new = known.identities[digest], made.identities[digest]
    assert report.startswith("24 faces of 4 people: at one false pair in a hundred ")
    assert made != known
    assert replace(made, identities=known.identities) == known
    assert (new.steepness, new.enough, new.scaled) == (old.steepness, old.enough, True)
    assert 0.5 < new.midpoint < 1
    assert new.slope > 10


def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(
    tmp_path: Path, model: Path, run_cli: Run
) -> None:
    folder, out = save_people(tmp_path / "faces"), tmp_path / "made.json"
    out.write_text("dear")
    arguments = ("calibrate", folder, "--cropped", "--identity", model, "--out", out)
    ran = run_cli(*arguments)
    assert ran.exit_code == 1
    assert f"{out} exists already; name another file, or give --force to replace it" in ran.stderr
    assert out.read_text() == "dear"
    assert run_cli(*arguments, "--force").exit_code == 0
    assert OnnxIdentity(model).digest in read_calibration(out).identities


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("one person", "a calibration needs several people, and several faces of some; use another folder."),
        ("strangers", "a calibration needs several people, and several faces of some; use another folder."),
        ("missing", "does not exist; give a folder with pictures and labels.csv, or a .zip of one."),
        ("small", "the set has no larger pictures"),
        ("none", "there is nothing to calibrate without an identity model; name one."),
        ("unknown", "there is no identity model arcface"),
        ("model", "cannot be read (No such file or directory); name an .onnx file."),
    ],
)
def test_what_is_in_the_way_of_a_calibration_is_one_sentence(
    tmp_path: Path, model: Path, run_cli: Run, trouble: str, sentence: str
) -> None:
    counts = {"one person": (1, 4), "strangers": (4, 1)}
    people, faces = counts.get(trouble, (3, 2))
    folder = save_people(tmp_path / "faces", people=people, faces=faces, large=trouble != "small")
    named = {"none": "none", "unknown": "arcface", "model": tmp_path / "none.onnx"}.get(trouble, model)
    source, out = tmp_path / "nowhere" if trouble == "missing" else folder, tmp_path / "out.json"
    ran = run_cli("calibrate", source, "--cropped", "--identity", named, "--out", out)
    assert ran.exit_code == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.output
    assert not out.exists()


# The command fit-projection


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "turner"
    save_checkpoint(folder, network_for((32, 4, False)), pose_config(32, 4))
    return folder


def test_weights_with_a_projection_of_their_own_can_be_searched_with(
    tmp_path: Path, weights: Path, run_cli: Run
) -> None:
    collection, photos = tmp_path / "collection", tmp_path / "photos"
    for number in range(4):
        save_photo(photos / f"{number}.png", number)
    index = partial(
        index_folders,
        [photos],
        collection=collection,
        weights=[weights],
        identity="none",
        detector=open_fake_detector,
        workers=0,
    )
    with pytest.raises(WeightsError, match="fit it with `anotheryou fit-projection"):
        index()
    arguments = ("fit-projection", weights, rendered_mini_path(), "--cropped", "--faces", 300, "--stored", 8)
    ran = run_cli(*arguments)
    assert ran.exit_code == 0, ran.output
    assert f"wrote the projection of 300 faces beside the weights in {weights}" in ran.stderr
    projection = load_projection(weights, load_generator(weights).feature_size)
    assert (projection.stored, projection.first().dimension) == (8, 8)
    assert index().faces == 4
    with Finder(collection, detector=open_fake_detector) as finder:
        answer = finder.search(photos / "2.png", wish={"pose": 20}, same_photo=True)
    assert len(answer.hits) == 4
    assert answer.wish == {"pose": "+20"}
    # Collections were made with it: it is not replaced unasked.
    digest = projection.digest
    again = run_cli(*arguments, "--seed", 1)
    assert again.exit_code == 1
    assert f"{weights / PROJECTION_FILE} exists already" in again.stderr
    assert load_projection(weights).digest == digest
    assert run_cli(*arguments, "--seed", 1, "--force").exit_code == 0
    assert load_projection(weights).digest != digest


def test_what_is_in_the_way_of_a_projection_is_one_sentence(
    tmp_path: Path, weights: Path, run_cli: Run
) -> None:
    few = save_people(tmp_path / "faces", people=2, faces=2)
    for arguments, sentence in (
        ((weights, few, "--cropped"), "4 faces are too few for a projection"),
        ((weights, tmp_path / "nowhere", "--cropped"), "nowhere does not exist; give a folder"),
        ((tmp_path / "none", few, "--cropped"), "none"),
    ):
        ran = run_cli("fit-projection", *arguments)
        assert ran.exit_code == 1, ran.output
        assert sentence in ran.stderr
        assert "Traceback" not in ran.output
    assert not (weights / PROJECTION_FILE).exists()
