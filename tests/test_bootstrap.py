import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.recall import mean_interval, recall_intervals
from faces.errors import DataError


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
    intervals = recall_intervals(first, people, (1, 5, 20))
    assert intervals == recall_intervals(first, people, (1, 5, 20))
    edges = [intervals[k] or (0, 0) for k in (1, 5, 20)]
    assert all(0 <= low <= high <= 100 for low, high in edges)
    assert [low for low, _ in edges] == sorted(low for low, _ in edges)
    assert [high for _, high in edges] == sorted(high for _, high in edges)
