"""Wishes and attribute vectors."""

from __future__ import annotations

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


@given(vocabularies())
def test_every_value_has_a_place_of_its_own_that_leads_back_to_it(vocabulary: Vocabulary) -> None:
    assert vocabulary.size == sum(len(group.values) for group in vocabulary.groups)
    for number, group in enumerate(vocabulary.groups):
        for place, value in enumerate(group.values):
            values = np.zeros(len(vocabulary.groups), np.int64)
            values[number] = place
            assert vocabulary.words(values)[group.name] == value
            vector = vocabulary.vectors(values[None])[0]
            assert vector.sum() == len(vocabulary.groups)
            assert vector[vocabulary.places[group.name]].argmax() == place


@pytest.mark.parametrize("word", ["+30", "30", " 30 ", "30.0", "+30.00", "3e1"])
def test_a_number_is_known_however_it_is_written(word: str) -> None:
    assert POSE.vector({"pose": word}).tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_a_typographic_minus_and_other_capitals_are_understood() -> None:
    assert POSE.vector({"Pose": "\N{MINUS SIGN}30"}).argmax() == 1
    assert BOTH.vector({"POSE": "0", "Accessory": "HAT-1"}).tolist() == [0, 1, 0, 0, 1, 0]


def test_an_unknown_number_is_told_the_nearest_and_all_values() -> None:
    with pytest.raises(WishError, match=r"no pose '\+53'; the nearest is \+45; choose one of: -45, -30, "):
        POSE.vector({"pose": "+53"})


@pytest.mark.parametrize("word", ["sideways", "nan", "inf", ""])
def test_an_unknown_word_is_told_all_values(word: str) -> None:
    with pytest.raises(WishError, match=r"choose one of: -45, -30, -15, 0, \+15, \+30, \+45") as caught:
        POSE.vector({"pose": word})
    assert "nearest" not in str(caught.value)


def test_an_unknown_name_is_told_all_names() -> None:
    with pytest.raises(WishError, match="know no 'hat'; choose one of: pose, accessory"):
        BOTH.vector({"hat": "red"})


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


WORN = AttributeGroup("accessory", ("none", *EVERYDAY.values(), "head-scarf"))


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("spectacles", ["glasses-1", "glasses-2"]),
        ("Glasses", ["glasses-1", "glasses-2", "glasses-3"]),
        ("hat", ["hat-1", "hat-2", "hat-3"]),
        ("head scarf", ["head-scarf"]),
        ("Round glasses", ["glasses-1"]),
    ],
)
def test_a_word_may_mean_several_values(word: str, values: list[str]) -> None:
    spread = WORN.spread(word)
    assert spread.sum() == pytest.approx(1)
    assert [WORN.values[place] for place in np.flatnonzero(spread)] == values
    assert len(np.unique(spread[spread > 0])) == 1


def test_a_word_means_those_of_its_values_that_there_are() -> None:
    assert AttributeGroup("accessory", ("none", "glasses-3")).spread("glasses").tolist() == [0, 1]
    assert AttributeGroup("accessory", ("none", "hat")).spread("hat").tolist() == [0, 1]
    with pytest.raises(WishError, match="no accessory 'hat'; choose one of: none, glasses-3"):
        AttributeGroup("accessory", ("none", "glasses-3")).spread("hat")


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
