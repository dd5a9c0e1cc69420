"""The list of methods, and what they share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, readable_faces

from baselines.rivals import fit_rivals, save_rivals, split_people
from baselines.searcher import ImageFeatures, QueryBatch
from evaluation.context import CachedFeatures, Context
from evaluation.methods import METHODS, described, find_method, in_order, methods_for
from evaluation.ours import CanonicalFeatures, OursAllValues
from evaluation.studio import Studio
from evaluation.tables import PAPER_RECALL
from facedata.labelled import Attribute, FaceSet
from facedata.large_pictures import Pictures
from faces.errors import DataError, RowUnavailable, WeightsError
from faces.progress import Progress


class OtherGenerator(PerfectGenerator):
    name = "other"
    weights_id = "ba9876543210"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rivals fitted for the pose on people that the gallery does not show."""
    folder = tmp_path_factory.mktemp("rivals")
    learners, validation = split_people(readable_faces(people=8, lights=2), held_out=2)
    features = (ImageFeatures(), CanonicalFeatures(studio=Studio(PerfectGenerator())))
    weights = (PerfectGenerator.name, PerfectGenerator.weights_id)
    save_rivals(
        folder,
        fit_rivals(learners, validation, attribute="pose", features=features, weights=weights),
    )
    return folder


def context_with(
    rivals: Path | None, *, generator: PerfectGenerator | None = None, attribute: Attribute = "pose"
) -> Context:
    return Context(studio=Studio(generator or PerfectGenerator()), attribute=attribute, rivals=rivals)


def asking(gallery: FaceSet) -> QueryBatch:
    faces = np.arange(0, len(gallery), 5)
    return QueryBatch(gallery.pictures.select(faces), {"pose": np.resize(np.array(POSES), len(faces))})


def test_oracles_say_true_in_their_names_and_no_others_do() -> None:
    for attribute in ("pose", "accessory"):
        for name, method in methods_for(attribute).items():
            assert method.name == name
            assert (method.family == "oracle") == ("-true-" in name)
            assert "{" not in name + method.words
    assert "two-step-dlib-true-accessory" in methods_for("accessory")


def test_every_row_of_the_paper_has_its_row() -> None:
    assert set(PAPER_RECALL) <= set(methods_for("pose"))
    assert "cpi" not in methods_for("accessory")  # it turns faces
    assert {method.paper for method in METHODS} - {""} == set(PAPER_RECALL)
    assert all(method.paper == name for name, method in methods_for("pose").items() if name in PAPER_RECALL)


def test_rows_know_their_twin_in_the_paper_whatever_the_weights() -> None:
    assert find_method("ours-features@rotation-32-paper", "pose").paper == "ours-features"
    assert find_method("two-step-image-true-pose", "pose").paper == "two-step-image"
    assert find_method("two-step-dlib", "pose").paper == "two-step-deep-fc6"
    assert find_method("arithmetic-image", "pose").paper == ""


@pytest.mark.parametrize("name", ["ours-magic", "ours-image@", "two-step-image-true-light"])
def test_a_row_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(DataError, match="there is no row"):
        find_method(name, "pose")


def test_rows_are_put_into_words_of_their_own_and_in_order() -> None:
    methods = methods_for("pose")
    words = [method.words for method in methods.values()]
    assert len(set(words)) == len(words) and not set(words) & set(methods)
    assert find_method("ours-features@other", "pose").words == "ours, 2nd network (other)"
    assert described("ours-magic", "pose").words == "ours-magic"
    assert described("ours-magic", "pose").family == "rival"
    names = ["magic", "two-step-dlib", "ours-image@b", "ours-image@a", "ours-image", "ours-features"]
    assert [method.name for method in in_order(names, "pose")] == [
        "ours-features", "ours-image", "ours-image@a", "ours-image@b", "two-step-dlib", "magic",
    ]  # fmt: skip


def test_a_row_depends_on_its_weights_and_on_what_its_rivals_learned(fitted: Path) -> None:
    context = context_with(fitted)
    ours, rival = find_method("ours-image", "pose"), find_method("two-step-image", "pose")
    assert ours.cache_key(context) == {"method": "ours-image", "weights": "perfect@0123456789ab"}
    assert ours.made_with(context) == "perfect@0123456789ab"
    assert rival.made_with(context) == f"rivals@{context.fitted_rivals.rivals_id}"
    other = context_with(fitted, generator=OtherGenerator())
    assert rival.cache_key(context) != rival.cache_key(other)
    without = context_with(None, generator=OtherGenerator())
    assert rival.cache_key(other) != rival.cache_key(without)


def test_rows_that_lack_nothing_are_built_and_rank(fitted: Path) -> None:
    gallery = readable_faces(people=5, lights=2)
    context = context_with(fitted)
    queries = asking(gallery)
    done = []
    for name, method in methods_for("pose").items():
        if name == "cpi":  # has tests of its own, and takes faces of 32 pixels
            continue
        try:
            searcher = method.build(context).fit(gallery)
        except RowUnavailable:
            continue
        ranking = searcher.rank(queries, 10)
        assert searcher.name == name
        assert ranking.shape == (len(queries), 10)
        assert ranking.dtype == np.int64
        done.append(name)
    assert done == [
        "ours-features",
        "ours-all-values",
        "ours-posterior",
        "ours-image",
        "two-step-image",
        "two-step-features",
        "two-step-image-canonical",
        "two-step-features-canonical",
        "arithmetic-image",
        "arithmetic-features",
        "two-step-arithmetic-image",
        "two-step-arithmetic-features",
        "two-step-image-true-pose",
        "two-step-features-true-pose",
    ]


@pytest.mark.parametrize("row", ["two-step-image", "two-step-arithmetic-features"])
def test_two_step_rows_keep_exactly_the_faces_classified_as_the_target(fitted: Path, row: str) -> None:
    gallery = readable_faces(people=5, lights=2)
    context = context_with(fitted)
    queries = asking(gallery)
    ranking = find_method(row, "pose").build(context).fit(gallery).rank(queries, len(gallery))
    classes = context.classify(gallery.pictures)
    for found, target in zip(ranking, queries.targets, strict=True):
        assert sorted(found[found >= 0].tolist()) == np.flatnonzero(classes == target).tolist()


def test_every_value_drawn_is_the_sum_of_each_among_the_faces_taken_for_the_target() -> None:
    gallery = readable_faces(people=4, lights=2)
    studio, queries = Studio(PerfectGenerator()), asking(gallery)
    found = OursAllValues(studio=studio).fit(gallery).rank(queries, len(gallery))
    taken = studio.words_of(studio.canonical(gallery).values, "pose")
    for query, (crop, target) in enumerate(zip(queries.crops, queries.targets, strict=True)):
        squared = np.zeros(len(gallery))
        for value in studio.values("pose"):
            own = studio.draw(crop[None], np.array([value]), "pose").features
            theirs = studio.draw(gallery.crops, np.repeat(value, len(gallery)), "pose").features
            squared += np.square(theirs - own).sum(axis=1)
        kept = np.flatnonzero(taken == target)
        ranked = found[query][found[query] >= 0]
        assert sorted(ranked.tolist()) == kept.tolist()
        assert np.all(np.diff(squared[ranked]) >= -1e-3)


def test_what_was_not_fitted_is_unavailable(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(RowUnavailable, match="no rivals fitted for the light"):
        find_method("arithmetic-image", "light").build(context_with(None, attribute="light"))
    with pytest.raises(RowUnavailable, match="fitted for pose"):
        find_method("arithmetic-image", "accessory").build(context_with(fitted, attribute="accessory"))
    with pytest.raises(RowUnavailable, match="fitted without dlib-128"):
        find_method("arithmetic-dlib", "pose").build(context_with(fitted))
    with pytest.raises(WeightsError, match="train-rivals"):
        find_method("arithmetic-image", "pose").build(context_with(tmp_path / "nothing"))


def test_features_of_other_weights_have_no_means(fitted: Path) -> None:
    with pytest.raises(RowUnavailable, match="fitted with weights perfect@0123456789ab"):
        find_method("arithmetic-features", "pose").build(context_with(fitted, generator=OtherGenerator()))


def test_a_row_with_other_weights_loads_them_once(fitted: Path) -> None:
    loaded: list[str] = []

    def load(name: str) -> PerfectGenerator:
        loaded.append(name)
        return OtherGenerator()

    gallery = readable_faces(people=2, lights=1)
    context = Context(studio=Studio(PerfectGenerator()), attribute="pose", rivals=fitted, load=load)
    for name in ("ours-features@other", "ours-image@other"):
        searcher = find_method(name, "pose").build(context)
        assert searcher.name == name
        assert searcher.fit(gallery).rank(asking(gallery), 1).shape == (3, 1)
    assert loaded == ["other"]
    assert context.with_weights("perfect") is context


def test_features_are_computed_once_and_queries_are_looked_up() -> None:
    seen: list[int] = []

    class Counted(ImageFeatures):
        def __call__(self, pictures: Pictures, progress: Progress | None = None):  # type: ignore[no-untyped-def]
            seen.append(len(pictures))
            return super().__call__(pictures, progress)

    gallery = readable_faces(people=3, lights=2).pictures
    cached = CachedFeatures(Counted())
    vectors = cached(gallery)
    chosen = np.array([4, 4, 1])
    assert cached(gallery) is vectors
    assert np.array_equal(cached(gallery.select(chosen)), vectors[chosen])
    assert seen == [len(gallery)]
    strange = Pictures(np.zeros((2, 8, 8), np.uint8))
    assert np.array_equal(cached(strange), ImageFeatures()(strange))
    assert cached(gallery) is vectors
    assert seen == [len(gallery), 2]
