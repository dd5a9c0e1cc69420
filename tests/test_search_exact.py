"""Searches by inner product: the plain one, FAISS's and the one in blocks give one answer, NumPy's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from collections_made import largest, some_vectors, unit_rows
from hypothesis import given
from hypothesis import strategies as st

from faces.types import Bools, Doubles, Floats, Halves, Ints
from index.faiss_store import FaissStore, bring_in_line
from index.search import best_of, exact_search, in_blocks, ranked, rescore
from index.store import CatalogState

FEW, MANY = 1, 19


def searched(
    folder: Path,
    vectors: Floats,
    asked: Floats,
    k: int,
    ids: Ints | None = None,
    wanted: Bools | None = None,
) -> tuple[Doubles, Ints]:
    """Search a store of these vectors as a collection does, among those ``wanted``."""
    ids = np.arange(1, len(vectors) + 1) if ids is None else ids
    halves = vectors.astype(np.float16)

    def read(some: Ints) -> Iterator[tuple[Ints, Halves]]:
        places = np.flatnonzero(np.isin(ids, some))
        for part in (places[:7], places[7:]):
            yield ids[part], halves[part]

    def true(some: Ints) -> tuple[Ints, Halves]:
        places = np.flatnonzero(np.isin(ids, some))
        return ids[places], halves[places]

    importance = np.ones(vectors.shape[1], np.float32)
    bring_in_line(folder, CatalogState("token", 1, 0), importance, ids, read)
    store, answers = FaissStore(folder), []
    for query in asked:

        def ask(count: int, query: Floats = query) -> tuple[Floats, Ints]:
            if wanted is None:
                return store.search(query[None], count, exact=True)
            return store.search_among(query[None], count, ids[wanted])

        answers.append(best_of(ask, true, query, k))
    return np.stack([one.scores for one in answers]), np.stack([one.ids for one in answers])


@st.composite
def galleries(draw: st.DrawFn) -> tuple[Floats, Floats, int]:
    """Vectors with copies among them, queries that are vectors, differences of them or small whole numbers
    (which make ties of vectors that are no copies), and k."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, dimension = draw(st.integers(1, 150)), draw(st.sampled_from([3, 16, 50]))
    kind = draw(st.sampled_from(["engine's", "unit", "whole numbers"]))
    vectors: Floats = (
        some_vectors(rng, count, dimension)
        if kind == "engine's"
        else unit_rows(rng, count, dimension)
        if kind == "unit"
        else rng.integers(-2, 3, (count, dimension)).astype(np.float32)
    )
    copies = draw(st.integers(0, count))
    vectors[rng.choice(count, copies, replace=False)] = vectors[0]
    asked = vectors[rng.integers(0, count, draw(st.sampled_from([1, 2, MANY])))].copy()
    asked[1:] -= vectors[-1]
    return vectors, asked, draw(st.sampled_from([1, 5, 40, 200]))


@given(galleries(), st.integers(1, 40))
def test_the_plain_search_agrees_with_numpy_up_to_rounding(
    case: tuple[Floats, Floats, int], rows: int
) -> None:
    vectors, asked, k = case
    blocks = [(np.arange(s, min(s + rows, len(vectors))), vectors[s : s + rows]) for s in range(0, 150, rows)]
    scores, ids = exact_search([block for block in blocks if len(block[0])], asked, k)
    expected, places = largest(vectors, asked, k)
    there = min(k, len(vectors))
    assert scores.dtype == np.float32
    assert (ids[:, there:] == -1).all() and (scores[:, there:] == -np.inf).all()
    rounding = 1e-6 * (np.abs(asked) @ np.abs(vectors).T).max()
    np.testing.assert_allclose(scores[:, :there], expected, atol=rounding)
    assert all(len(set(row)) == there for row in ids[:, :there].tolist())
    if (vectors == np.round(vectors)).all():  # no rounding: ties stand in the order of the ids
        np.testing.assert_array_equal(ids[:, :there], places)


@given(galleries(), st.booleans())
def test_a_store_is_searched_exactly_with_a_filter_and_without(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[Floats, Floats, int], left_out: bool
) -> None:
    vectors, asked, k = case
    ids = np.cumsum(np.random.default_rng(len(vectors)).integers(1, 9, len(vectors)))
    wanted = np.arange(len(vectors)) % 3 != 1 if left_out else None
    kept = np.flatnonzero(wanted) if wanted is not None else np.arange(len(vectors))
    expected, places = largest(vectors[kept], asked, k)
    scores, found = searched(tmp_path_factory.mktemp("store"), vectors, asked, k, ids, wanted)
    assert scores.dtype == np.float64 and found.dtype == np.int64
    assert found.shape == (len(asked), min(k, len(kept)))
    rounding = 1e-14 * (np.abs(asked) @ np.abs(vectors).T).max()
    np.testing.assert_allclose(scores, expected, atol=rounding)
    np.testing.assert_array_equal(found, ids[kept][places])


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_a_store_gives_the_answers_of_the_plain_search(
    tmp_path: Path, rng: np.random.Generator, queries: int
) -> None:
    vectors, asked = some_vectors(rng, 3000, 90), some_vectors(rng, queries, 90)
    asked -= asked.mean(axis=1, keepdims=True)  # so that large parts cancel
    scores, ids = searched(tmp_path, vectors, asked, 12)
    plain_scores, plain_ids = exact_search(in_blocks(vectors), asked, 12)
    np.testing.assert_array_equal(ids, plain_ids + 1)
    np.testing.assert_allclose(scores, plain_scores, rtol=1e-3)


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_differences_that_float32_does_not_see_decide(
    tmp_path: Path, rng: np.random.Generator, queries: int
) -> None:
    vectors = np.tile(np.array([[100, 20, 0]], np.float32), (200, 1))
    vectors[:, 2] = rng.permutation(200) / 256
    asked = np.tile(np.array([[3000, -700, 1e-4]], np.float32), (queries, 1))
    scores, ids = searched(tmp_path, vectors, asked, 4)
    best = np.argsort(-vectors[:, 2], kind="stable")[:4]
    np.testing.assert_array_equal(ids, np.tile(best + 1, (queries, 1)))
    assert (np.diff(scores) < 0).all()


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_equal_scores_stand_in_the_order_of_the_ids_however_many_there_are(
    tmp_path: Path, rng: np.random.Generator, queries: int
) -> None:
    vectors = np.repeat(some_vectors(rng, 2, 30), 150, axis=0)
    asked = np.zeros((queries, 30), np.float32)
    ids = np.arange(300) + 5
    _, found = searched(tmp_path, vectors, asked, 9, ids)
    np.testing.assert_array_equal(found, np.tile(ids[:9], (queries, 1)))


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_nothing_to_find_is_an_empty_answer(tmp_path: Path, rng: np.random.Generator, queries: int) -> None:
    asked = unit_rows(rng, queries, 30)
    assert searched(tmp_path, np.empty((0, 30), np.float32), asked, 3)[1].shape == (queries, 0)
    full = unit_rows(rng, 9, 30)
    assert searched(tmp_path, full, asked, 3, wanted=np.zeros(9, np.bool_))[1].shape == (queries, 0)
    scores, ids = exact_search([], asked, 3)
    assert (scores == -np.inf).all() and (ids == -1).all()
    assert exact_search(in_blocks(unit_rows(rng, 9, 30)), asked[:0], 3)[1].shape == (0, 3)


def test_scores_are_those_of_the_float16_numbers_on_disk(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = rng.standard_normal((50, 30)).astype(np.float32)  # which float16 cannot hold exactly
    asked = unit_rows(rng, 1, 30)
    scores, ids = searched(tmp_path, vectors, asked, 50)
    rounded = vectors.astype(np.float16).astype(np.float32)
    expected, places = largest(rounded, asked, 50)
    np.testing.assert_array_equal(ids, places + 1)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    np.testing.assert_array_equal(scores[0], rescore(asked[0], rounded)[ids[0] - 1])


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_the_largest_numbers_do_not_overflow(tmp_path: Path, queries: int) -> None:
    vectors = np.tile(np.array([[65504], [-65504], [1]], np.float32), (1, 400))
    asked = np.full((queries, 400), 9.9e27, np.float32)
    scores, ids = searched(tmp_path, vectors, asked, 3)
    np.testing.assert_array_equal(ids, np.tile([1, 3, 2], (queries, 1)))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("asked", "k"),
    [
        (np.zeros(4, np.float32), 1),
        (np.zeros((1, 4)), 1),
        (np.full((1, 4), np.inf, np.float32), 1),
        (np.full((1, 4), np.nan, np.float16), 1),
        (np.full((1, 4), -1e30, np.float32), 1),
        (np.zeros((1, 4), np.float32), 0),
        (np.zeros((1, 5), np.float32), 1),
    ],
)
def test_queries_that_cannot_be_compared_are_refused(asked: Floats, k: int) -> None:
    with pytest.raises(ValueError):
        exact_search(in_blocks(np.zeros((3, 4), np.float32)), asked, k)


def test_the_best_of_several_parts_are_the_best_of_all(rng: np.random.Generator) -> None:
    vectors, asked = np.repeat(some_vectors(rng, 20, 30), 2, axis=0), some_vectors(rng, 1, 30)
    scores, ids = largest(vectors, asked, 9)
    halves, places = vectors.astype(np.float16), rng.permutation(40)
    found = ranked(asked[0], 9, (places[:7], halves[places[:7]]), (places[7:], halves[places[7:]]))
    np.testing.assert_array_equal(found.scores, scores[0])
    np.testing.assert_array_equal(found.ids, ids[0])
    np.testing.assert_array_equal(found.vectors, halves[ids[0]])
