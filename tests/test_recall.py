import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.recall import first_right, mean_interval, recall_at, right_answers
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


def test_the_interval_is_that_of_the_plain_bootstrap(rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(30), 10)
    values = rng.normal(size=30)[people] + rng.normal(size=300)
    found = mean_interval(values, people)
    plain = []
    for _ in range(4000):
        drawn = rng.integers(0, 30, 30)
        plain.append(np.mean(np.concatenate([values[people == person] for person in drawn])))
    assert found == pytest.approx(tuple(np.percentile(plain, [2.5, 97.5])), abs=0.05)


def test_queries_of_one_person_do_not_count_as_independent(rng: np.random.Generator) -> None:
    """Everybody is always or never found: 20 coins were tossed, not 2,000."""
    found = np.repeat(rng.integers(0, 2, 20), 100).astype(float)
    by_people = mean_interval(found, np.repeat(np.arange(20), 100))
    by_queries = mean_interval(found, np.arange(2000))
    assert by_people is not None and by_queries is not None
    assert by_people[1] - by_people[0] > 5 * (by_queries[1] - by_queries[0])


def test_the_true_mean_lies_inside_about_as_often_as_promised(rng: np.random.Generator) -> None:
    inside = 0
    for _ in range(200):
        share = rng.beta(6, 2, 40)  # how easily each of 40 people is found; the mean is 0.75
        people = np.repeat(np.arange(40), 25)
        interval = mean_interval((rng.random(1000) < share[people]).astype(float), people)
        assert interval is not None
        inside += interval[0] <= 0.75 <= interval[1]
    assert 180 <= inside <= 199  # 95 % of 200 is 190; a bootstrap of 40 clusters is a little too narrow


def test_people_who_asked_more_weigh_more() -> None:
    people = np.array(["ann"] * 99 + ["bob"])
    low, high = mean_interval(np.array([1.0] * 99 + [0.0]), people) or (0, 0)
    assert (low, high) == (0.0, 1.0)
    assert mean_interval(np.ones(100), people) == (1.0, 1.0)


def test_one_person_gives_no_interval() -> None:
    assert mean_interval(np.arange(5.0), np.array(["ann"] * 5)) is None
    assert mean_interval(np.zeros(0), np.zeros(0)) is None


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError):
        mean_interval(np.zeros(3), np.zeros(2))


@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4)), min_size=2, max_size=60).filter(
        lambda rows: len({person for _, person in rows}) > 1
    )
)
def test_intervals_hold_the_recall_grow_with_k_and_are_the_same_every_time(
    rows: list[tuple[int, int]],
) -> None:
    first = np.array([rank for rank, _ in rows], np.int64)
    people = np.array([person for _, person in rows])
    found = {k: (first > 0) & (first <= k) for k in (1, 5, 20)}
    intervals = {k: mean_interval(100.0 * found[k], people) for k in found}
    assert intervals == {k: mean_interval(100.0 * found[k], people) for k in found}
    edges = [intervals[k] or (0, 0) for k in (1, 5, 20)]
    assert all(0 <= low <= high <= 100 for low, high in edges)
    assert [low for low, _ in edges] == sorted(low for low, _ in edges)
    assert [high for _, high in edges] == sorted(high for _, high in edges)
