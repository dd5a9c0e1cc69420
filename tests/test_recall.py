import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.recall import first_right, recall_at, right_answers
from faces.errors import DataError


def ints(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_a_hand_made_ranking_is_scored_as_counted_by_hand() -> None:
    gallery = ints([7, 8, 9, 7])
    rankings = ints([[0, 1, 2], [1, 0, 2], [1, 2, 3], [0, 1, 3]])
    right = right_answers(rankings, ints([7, 7, 7, 9]), gallery)
    assert right.tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
        [False, False, False],
    ]
    assert first_right(right).tolist() == [1, 2, 3, 0]
    assert recall_at(first_right(right), (1, 2, 3)) == {1: 25.0, 2: 50.0, 3: 75.0}


def test_one_right_answer_counts_as_much_as_many() -> None:
    right = np.array([[True, True, True], [False, False, True]])
    assert recall_at(first_right(right), (1, 3)) == {1: 50.0, 3: 100.0}


def test_no_answer_is_never_right() -> None:
    right = right_answers(ints([[-1, -1]]), ints([-1]), ints([0, 1]))
    assert not right.any()
    assert not right_answers(ints([[1, -1]]), ints([0]), ints([0, 1])).any()


def test_a_query_without_a_right_answer_matches_nothing_even_unknown_faces() -> None:
    assert not right_answers(ints([[0, 1]]), ints([-1]), ints([-1, -1])).any()


def test_recall_of_no_queries_is_not_a_number() -> None:
    assert math.isnan(recall_at(ints([]), (1,))[1])


def test_a_ranking_without_places_has_nothing_right() -> None:
    assert first_right(np.zeros((3, 0), bool)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "rankings",
    [ints([[0, 0]]), ints([[2, 0]]), ints([[-2, 0]]), ints([0, 1]), ints([[0], [1]]), np.array([[0.0, 1.0]])],
    ids=["twice", "outside", "negative", "flat", "too many", "floats"],
)
def test_a_ranking_that_is_none_is_refused(rankings: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    with pytest.raises(DataError):
        right_answers(rankings, ints([0]), ints([0, 1]))


@given(st.lists(st.lists(st.booleans(), min_size=25, max_size=25), min_size=1, max_size=30))
def test_recall_grows_with_k_and_equals_the_plain_definition(hits: list[list[bool]]) -> None:
    recall = recall_at(first_right(np.array(hits)), (1, 5, 20))
    for k, value in recall.items():
        assert value == pytest.approx(100 * sum(any(row[:k]) for row in hits) / len(hits))
    assert 0 <= recall[1] <= recall[5] <= recall[20] <= 100


@given(st.permutations(range(12)), st.integers(0, 3))
def test_recall_looks_only_at_the_place_of_the_first_right_answer(order: list[int], key: int) -> None:
    gallery = ints([index % 4 for index in range(12)])
    first = first_right(right_answers(ints([order]), ints([key]), gallery))
    assert first[0] == 1 + min(order.index(face) for face in range(12) if face % 4 == key)
