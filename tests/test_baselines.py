from functools import partial

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, readable_faces
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from baselines.searcher import ImageFeatures, QueryBatch, normalised
from baselines.two_step import TwoStep
from evaluation.context import Context
from evaluation.methods import canonicalised
from evaluation.studio import Studio
from facedata.labelled import FaceSet
from facedata.large_pictures import Pictures
from faces.errors import DataError
from index import search
from index.search import nearest


@given(
    st.integers(0, 40),
    st.integers(0, 9),
    st.integers(1, 5),
    st.integers(1, 25),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_the_nearest_are_the_plain_definition_whatever_the_blocks(
    rows: int, asked: int, width: int, k: int, seed: int, half: bool
) -> None:
    random = np.random.default_rng(seed)
    # Small whole numbers: exact in any precision, and full of ties.
    gallery = random.integers(-2, 3, (rows, width)).astype(np.float32)
    queries = random.integers(-2, 3, (asked, width)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_ROWS", 7)
        found = nearest(gallery.astype(np.float16) if half else gallery, queries, k)
    assert found.dtype == np.int64
    for row, query in zip(found, queries, strict=True):
        order = np.lexsort((np.arange(rows), -(gallery @ query)))[:k]
        assert row.tolist() == order.tolist() + [-1] * (k - len(order))


def test_the_nearest_are_found_in_a_memory_map(
    tmp_path_factory: pytest.TempPathFactory, rng: np.random.Generator
) -> None:
    path = tmp_path_factory.mktemp("features") / "gallery.npy"
    gallery = normalised(rng.normal(size=(3000, 16)))
    np.save(path, gallery)
    mapped = np.load(path, mmap_mode="r")
    assert nearest(mapped, gallery[::100], 1)[:, 0].tolist() == list(range(0, 3000, 100))


@pytest.mark.parametrize(
    ("gallery", "queries", "k"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((1, 4), np.float32), 1),
        (np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float64), 1),
        (np.zeros((2, 3), np.float32), np.zeros(3, np.float32), 1),
        (np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32), 0),
    ],
    ids=["width", "type", "flat", "none"],
)
def test_arrays_that_do_not_fit_are_refused(
    gallery: NDArray[np.float32], queries: NDArray[np.float32], k: int
) -> None:
    with pytest.raises(ValueError, match=r"queries|k must be"):
        nearest(gallery, queries, k)


def test_normalised_rows_have_length_one_and_darkness_stays_dark() -> None:
    rows = normalised(np.array([[[3, 0], [0, 4]], [[0, 0], [0, 0]]], np.uint8))
    assert np.allclose(rows, np.array([[0.6, 0, 0, 0.8], [0, 0, 0, 0]]))


def asking(gallery: FaceSet, faces: list[int], targets: list[str]) -> QueryBatch:
    return QueryBatch(gallery.pictures.select(np.array(faces)), {"pose": np.array(targets)})


def knowing_the_pose() -> TwoStep:
    return TwoStep(name="oracle", label=lambda gallery, _: gallery.poses, features=ImageFeatures())


def test_the_first_step_lets_only_the_wished_value_pass() -> None:
    gallery = readable_faces(people=3, lights=2)
    ranking = knowing_the_pose().fit(gallery).rank(asking(gallery, [0, 9, 20], ["+30", "-45", "+30"]), 6)
    assert set(gallery.poses[ranking[0]].tolist()) == {"+30"}
    assert set(gallery.poses[ranking[1]].tolist()) == {"-45"}
    assert sorted(ranking[0].tolist()) == np.flatnonzero(gallery.poses == "+30").tolist()


def test_places_for_which_no_face_is_left_stay_empty() -> None:
    gallery = readable_faces(people=2, lights=1)
    ranking = knowing_the_pose().fit(gallery).rank(asking(gallery, [0], ["0"]), 5)
    assert (ranking[0] >= 0).tolist() == [True, True, False, False, False]


def test_the_second_step_ranks_by_normalised_pixels() -> None:
    gallery = readable_faces(people=5, lights=2)
    ranking = knowing_the_pose().fit(gallery).rank(asking(gallery, [3], ["+45"]), 10)[0]
    rows = normalised(gallery.crops)
    apart = np.linalg.norm(rows[ranking] - rows[3], axis=1)
    assert np.all(np.diff(apart) >= 0)


def test_the_first_step_may_be_canonicalisation_instead_of_the_labels() -> None:
    gallery = readable_faces(people=3, lights=2)
    context = Context(studio=Studio(PerfectGenerator()), attribute="pose")
    blind = TwoStep(name="blind", label=partial(canonicalised, context), features=ImageFeatures())
    queries = asking(gallery, [0, 8, 30], [POSES[2], POSES[0], POSES[6]])
    true = knowing_the_pose().fit(gallery).rank(queries, 6)
    assert np.array_equal(blind.fit(gallery).rank(queries, 6), true)


def test_a_first_step_that_labels_something_else_is_refused() -> None:
    gallery = readable_faces(people=1, lights=1)
    wrong = TwoStep(name="wrong", label=lambda gallery, _: gallery.poses[1:], features=ImageFeatures())
    with pytest.raises(DataError, match="labelled"):
        wrong.fit(gallery).rank(asking(gallery, [0], ["+30"]), 1)


def test_queries_need_a_target_each() -> None:
    with pytest.raises(DataError, match="targets"):
        QueryBatch(Pictures(np.zeros((2, 4, 4), np.uint8)), {"pose": np.array(["0"])})
    with pytest.raises(DataError, match="uint8"):
        QueryBatch(Pictures(np.zeros((2, 4, 4), np.float32)), {"pose": np.array(["0", "0"])})
