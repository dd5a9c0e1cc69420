"""Faces are grouped by person; what is known of them holds whatever they look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator

import retrieval.grouping
from faces.types import Floats, Ints
from index.search import exact_search, in_blocks, neighbours
from retrieval.grouping import Common, FaceLooks, Grouper, distinct, known_common
from retrieval.identity import DlibIdentity, unit_length


def looks_made(
    rng: Generator, people: int, each: int, *, noise: float = 0.25, photos: Ints | None = None
) -> tuple[FaceLooks, Ints]:
    """Straight, clear faces of people, in some order."""
    who = rng.permutation(np.repeat(np.arange(people), each))
    centres = rng.normal(size=(people, 128))
    vectors = centres[who] + noise * rng.normal(size=(len(who), 128))
    count = len(who)
    photos = np.arange(count) if photos is None else photos
    zeros = np.zeros(count)
    return FaceLooks(unit_length(vectors), photos, zeros, zeros, np.full(count, 90.0)), who


def same_groups(labels: Ints, who: Ints) -> bool:
    return (
        len(np.unique(labels))
        == len(np.unique(who))
        == len({*zip(labels.tolist(), who.tolist(), strict=True)})
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_faces_are_grouped(rng: Generator, count: int) -> None:
    looks, _ = looks_made(rng, 1, count)
    assert len(Grouper(looks).group()) == count


def test_every_person_is_one_group(rng: Generator) -> None:
    looks, who = looks_made(rng, 30, 12)
    assert same_groups(Grouper(looks).group(), who)


def test_many_faces_are_cut_into_pieces_that_can_be_compared(
    rng: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, who = looks_made(rng, 25, 20)
    monkeypatch.setattr(retrieval.grouping, "_LOOSER", 1.5)  # all hang together at first
    monkeypatch.setattr(retrieval.grouping, "_MOST", 60)
    assert same_groups(Grouper(looks).group(), who)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_known_always_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looks, who = looks_made(rng, 6, 6, noise=0.7, photos=rng.integers(0, 30, 36))
    same = [rng.choice(36, 4, replace=False).tolist() for _ in range(2)]
    tied = {frozenset((one, other)) for part in same for one in part for other in part}
    if same[0][0] in same[1] or {*same[0]} & {*same[1]}:
        tied |= {frozenset((one, other)) for one in same[0] for other in same[1]}
    others = [place for place in range(36) if all(place not in part for part in same)]
    apart = ([others[0]], [others[1], same[0][0]])
    alone = others[2]
    labels = Grouper(looks).group(same, [apart], [alone])
    for part in same:
        assert len({int(labels[place]) for place in part}) == 1
    assert labels[others[0]] not in {int(labels[place]) for place in same[0]}
    assert labels[others[0]] != labels[others[1]]
    assert (labels == labels[alone]).sum() == 1
    for one in range(36):
        for other in range(one):
            if looks.photos[one] == looks.photos[other] and labels[one] == labels[other]:
                # Only because of what was said, which may tie others in.
                assert any(labels[one] == labels[part[0]] for part in same)
    assert len(who) == len(labels)


def test_two_faces_of_one_photograph_are_two_people(rng: Generator) -> None:
    looks, _ = looks_made(rng, 1, 8)
    photos = np.arange(8)
    photos[1] = photos[0]
    twins = FaceLooks(looks.descriptors, photos, looks.yaws, looks.sunglasses, looks.sizes)
    labels = Grouper(twins).group()
    assert labels[0] != labels[1]
    mirror = Grouper(twins).group([[0, 1]])  # unless somebody says so
    assert mirror[0] == mirror[1]


def test_clear_faces_make_the_groups_and_others_join(rng: Generator) -> None:
    looks, who = looks_made(rng, 8, 10)
    yaws = np.where(np.arange(80) % 3 == 0, 60.0, 0.0)
    turned = FaceLooks(looks.descriptors, looks.photos, yaws, looks.sunglasses, looks.sizes)
    assert turned.clear.sum() == 53
    assert same_groups(Grouper(turned).group(), who)


def test_what_faces_have_inknown_common_is_taken_off(rng: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, who = looks_made(rng, 20, 10)
    yaws = rng.choice([-45.0, 0.0, 45.0], len(who))
    sunglasses = rng.integers(0, 2, len(who)).astype(np.float64)
    shifts = 2.0 * rng.normal(size=(2, 3, 128)) / 128**0.5
    shifts[0, 1] = 0
    common = Common(np.zeros(128), np.array([-45.0, 0.0, 45.0]), shifts)
    moved: Floats = (looks.descriptors + common.shift(yaws, sunglasses)).astype(np.float32)
    hidden = FaceLooks(moved, looks.photos, yaws, sunglasses, looks.sizes)
    assert not same_groups(Grouper(hidden).group(), who)
    monkeypatch.setattr(retrieval.grouping, "known_common", lambda digest: common)
    assert same_groups(Grouper(hidden, "known").group(), who)


def test_shifts_between_known_yaws_lie_on_straight_lines() -> None:
    shifts = np.arange(24.0).reshape(2, 3, 4)
    common = Common(np.zeros(4), np.array([-60.0, 0.0, 60.0]), shifts)
    found = common.shift(np.array([-60.0, -15.0, 60.0, 99.0, 30.0]), np.array([0.0, 0.0, 1.0, 1.0, 0.5]))
    expected = [shifts[0, 0], shifts[0, 0] / 4 + shifts[0, 1] * 3 / 4, shifts[1, 2], shifts[1, 2]]
    expected.append((shifts[:, 1] + shifts[:, 2]).sum(0) / 4)
    np.testing.assert_allclose(found, expected)


def test_what_comes_along_is_for_dlibs_descriptor() -> None:
    common = known_common(DlibIdentity().digest)
    assert common is not None
    assert common.shifts.shape == (2, 9, 128)
    assert np.linalg.norm(common.mean) == pytest.approx(0.93, abs=0.05)
    assert known_common("another model") is None


def test_one_person_with_most_of_the_photographs_is_not_taken_for_the_mean(
    rng: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = Common(np.zeros(128), np.array([-60.0, 60.0]), np.zeros((2, 2, 128)))
    monkeypatch.setattr(retrieval.grouping, "known_common", lambda digest: common)
    looks, who = looks_made(rng, 2, 40)
    most = np.flatnonzero((who == 0) | (np.arange(80) < 10))
    taken = np.isin(np.arange(80), most)
    assert same_groups(Grouper(looks.select(taken), "known").group(), who[taken])
    vectors = distinct(looks.select(who == 0), "known")
    assert np.median(vectors @ vectors.T) > 0.85


def test_neighbours_are_those_of_the_plain_search(rng: Generator) -> None:
    vectors = unit_length(rng.normal(size=(300, 16)))
    scores, ids = neighbours(vectors, 7)
    plain_scores, plain_ids = exact_search(in_blocks(vectors), vectors, 7)
    np.testing.assert_array_equal(ids, plain_ids)
    np.testing.assert_allclose(scores, plain_scores, atol=1e-6)
