"""Wishes, codes and one-hot vectors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.errors import WishError
from generator.attributes import EVERYDAY, AttributeGroup, Vocabulary, everyday

POSES = ("-45", "-30", "-15", "0", "+15", "+30", "+45")
POSE = Vocabulary((AttributeGroup("pose", POSES),))
BOTH = Vocabulary(
    (AttributeGroup("pose", ("-30", "0", "+30")), AttributeGroup("accessory", ("none", "hat-1", "glasses-1")))
)

words = st.text(st.characters(codec="utf-8", exclude_characters="="), min_size=1, max_size=8).filter(
    lambda word: word == word.strip() != ""
)


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    names = draw(st.lists(words, min_size=1, max_size=3, unique_by=str.casefold))
    values = st.lists(words, min_size=1, max_size=4, unique_by=str.casefold)
    return Vocabulary(tuple(AttributeGroup(name, tuple(draw(values))) for name in names))


def test_the_codes_of_one_group_are_the_places_of_its_values() -> None:
    assert [POSE.code({"pose": value}) for value in POSES] == list(range(7))
    assert np.array_equal(POSE.one_hots, np.eye(7))
    assert POSE.size == 7


def test_one_hots_of_several_groups_lie_one_after_the_other() -> None:
    assert BOTH.size == 6
    assert BOTH.combinations == tuple(itertools.product(("-30", "0", "+30"), ("none", "hat-1", "glasses-1")))
    code = BOTH.code({"accessory": "hat-1", "pose": "+30"})
    assert BOTH.one_hots[code].tolist() == [0, 0, 1, 0, 1, 0]
    assert BOTH.one_hots.dtype == np.float32


@given(vocabularies())
def test_every_code_has_a_label_that_leads_back_to_it(vocabulary: Vocabulary) -> None:
    labels = [vocabulary.label(code) for code in range(len(vocabulary.combinations))]
    assert [vocabulary.code(label) for label in labels] == list(range(len(labels)))
    vectors = vocabulary.one_hots
    assert vectors.shape == (len(labels), vocabulary.size)
    assert (vectors.sum(1) == len(vocabulary.groups)).all()
    assert len(np.unique(vectors, axis=0)) == len(labels)


@pytest.mark.parametrize("word", ["+30", "30", " 30 ", "30.0", "+30.00", "3e1"])
def test_a_number_is_known_however_it_is_written(word: str) -> None:
    assert POSE.label(POSE.code({"pose": word})) == {"pose": "+30"}


def test_a_typographic_minus_and_other_capitals_are_understood() -> None:
    assert POSE.code({"Pose": "\N{MINUS SIGN}30"}) == 1
    assert BOTH.code({"POSE": "0", "Accessory": "HAT-1"}) == 4


def test_an_unknown_number_is_told_the_nearest_and_all_values() -> None:
    with pytest.raises(WishError, match=r"no pose '\+33'; the nearest is \+30; choose one of: -45, -30, "):
        POSE.code({"pose": "+33"})


@pytest.mark.parametrize("word", ["sideways", "nan", "inf", ""])
def test_an_unknown_word_is_told_all_values(word: str) -> None:
    with pytest.raises(WishError, match=r"choose one of: -45, -30, -15, 0, \+15, \+30, \+45") as caught:
        POSE.code({"pose": word})
    assert "nearest" not in str(caught.value)


def test_an_unknown_name_is_told_all_names() -> None:
    with pytest.raises(WishError, match="know no 'hat'; choose one of: pose, accessory"):
        BOTH.codes({"hat": "red"})


def test_what_a_wish_does_not_name_is_left_open() -> None:
    assert BOTH.codes({"accessory": "none"}).tolist() == [0, 3, 6]
    assert BOTH.codes({}).tolist() == list(range(9))
    with pytest.raises(WishError, match="leaves open which pose"):
        BOTH.code({"accessory": "none"})


def test_a_code_that_there_is_not_has_no_label() -> None:
    with pytest.raises(ValueError, match="no code 7"):
        POSE.label(7)


@pytest.mark.parametrize(
    ("name", "values"),
    [("", ("a",)), ("a=b", ("a",)), ("a", ()), ("a", ("x", "X")), ("a", (" x",)), ("a", ("",))],
)
def test_groups_that_cannot_be_named_are_refused(name: str, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"name|holds|needs"):
        AttributeGroup(name, values)


def test_a_vocabulary_needs_groups_of_different_names_and_not_too_many_values() -> None:
    group = AttributeGroup("a", tuple(str(number) for number in range(140)))
    for groups in ((), (group, AttributeGroup("A", ("x",))), (group, AttributeGroup("b", group.values))):
        with pytest.raises(ValueError, match=r"given once|more than"):
            Vocabulary(groups)


def test_people_read_the_names_that_they_ask_by() -> None:
    assert [everyday(value) for value in ("glasses-3", "hat-1", "none", "+45")] == [
        *("sunglasses", "cap", "none", "+45")
    ]
    assert all(everyday(value) == name for name, value in EVERYDAY.items())


def test_an_attribute_vector_names_every_group_or_keeps_what_it_had() -> None:
    vocabulary = Vocabulary(
        (AttributeGroup("pose", ("-30", "0", "+30")), AttributeGroup("hat", ("no", "yes")))
    )
    assert vocabulary.places == {"pose": slice(0, 3), "hat": slice(3, 5)}
    whole = vocabulary.vector({"pose": "-10", "Hat": "yes"})
    np.testing.assert_allclose(whole, [1 / 3, 2 / 3, 0, 0, 1], atol=1e-6)
    assert vocabulary.vector({"hat": "no"}, whole).tolist() == [*whole[:3].tolist(), 1, 0]
    assert whole[4] == 1  # what was given is not changed
    with pytest.raises(WishError, match="leaves open which hat"):
        vocabulary.vector({"pose": "0"})


def test_a_mirror_turns_signs_and_sides() -> None:
    groups = AttributeGroup("pose", ("-30", "0", "+30")), AttributeGroup("light", ("even", "left", "right"))
    mirrored = Vocabulary(groups).mirrored
    assert mirrored is not None
    assert mirrored.tolist() == [2, 1, 0, 3, 5, 4]
    assert Vocabulary((AttributeGroup("pose", ("-30", "0", "+15")),)).mirrored is None
    assert Vocabulary((AttributeGroup("light", ("left", "even")),)).mirrored is None
