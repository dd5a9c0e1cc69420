"""Wishes between two values: how much of each value they are, and what is drawn then."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from generators_made import POSES, generator_made, network_for, pose_config
from hypothesis import given
from hypothesis import strategies as st

from faces.errors import WishError
from faces.types import Floats, Pixels
from generator.attributes import AttributeGroup, Vocabulary

POSE = AttributeGroup("pose", POSES)
WORN = AttributeGroup("accessory", ("none", "hat-1", "glasses-3"))
UNEVEN = AttributeGroup("zoom", ("4", "-1.5", "0", "10"))  # in no order, not evenly apart
BOTH = Vocabulary((POSE, WORN))
MAPS = 16

groups = st.sampled_from([POSE, UNEVEN])
inside = st.floats(0, 1)


def number_in(group: AttributeGroup, share: float) -> float:
    assert group.numbers is not None
    return min(group.numbers) + share * (max(group.numbers) - min(group.numbers))


@given(groups, inside)
def test_a_number_is_spread_over_its_two_neighbours(group: AttributeGroup, share: float) -> None:
    assert group.numbers is not None
    number = number_in(group, share)
    found = group.spread(repr(number))
    assert found.shape == (len(group.values),)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-6)
    assert float(found @ np.array(group.numbers)) == pytest.approx(number, abs=1e-4)
    held = sorted(np.array(group.numbers)[found > 0].tolist())
    assert len(held) in (1, 2)
    between = [one for one in group.numbers if held[0] < one < held[-1]]
    assert between == []


@pytest.mark.parametrize("group", [POSE, UNEVEN, WORN])
def test_a_value_itself_is_one_hot(group: AttributeGroup) -> None:
    for place, value in enumerate(group.values):
        assert np.array_equal(group.spread(value), np.eye(len(group.values))[place])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("+20", [0, 0, 0, 0, 2 / 3, 1 / 3, 0]),
        (" 20.0 ", [0, 0, 0, 0, 2 / 3, 1 / 3, 0]),
        ("\N{MINUS SIGN}40", [2 / 3, 1 / 3, 0, 0, 0, 0, 0]),
        ("7.5", [0, 0, 0, 0.5, 0.5, 0, 0]),
        ("30.0", [0, 0, 0, 0, 0, 1, 0]),
    ],
)
def test_the_nearer_value_gets_the_larger_part(word: str, expected: list[float]) -> None:
    np.testing.assert_allclose(POSE.spread(word), expected, atol=1e-6)


@given(st.floats(45.01, 1e6) | st.floats(-1e6, -45.01))
def test_numbers_out_of_range_are_told_the_nearest_and_all_values(number: float) -> None:
    nearest = r"\+45" if number > 0 else "-45"
    with pytest.raises(WishError, match=rf"the nearest is {nearest}; choose one of: -45, .*, \+45\."):
        POSE.spread(repr(number))


@pytest.mark.parametrize(
    ("group", "word", "listed"),
    [
        (POSE, "sideways", "-45, -30, -15, 0, +15, +30, +45"),
        (POSE, "nan", "-45, -30, -15, 0, +15, +30, +45"),
        (POSE, "", "-45, -30, -15, 0, +15, +30, +45"),
        (WORN, "20", "none, hat-1 (cap), glasses-3 (sunglasses)"),
        (WORN, "scarf", "none, hat-1 (cap), glasses-3 (sunglasses)"),
    ],
)
def test_unknown_words_are_told_all_values(group: AttributeGroup, word: str, listed: str) -> None:
    with pytest.raises(WishError) as caught:
        group.spread(word)
    assert listed in str(caught.value)


def test_everyday_names_are_one_hot_too() -> None:
    assert WORN.spread("Sunglasses").tolist() == [0, 0, 1]


@given(inside, st.sampled_from(WORN.values), st.integers(0, 20), st.booleans(), st.booleans())
def test_shares_of_each_attribute_sum_to_one_and_what_is_not_wished_is_kept(
    share: float, worn: str, own: int, turns: bool, dresses: bool
) -> None:
    number = number_in(POSE, share)
    wish = {**({"pose": repr(number)} if turns else {}), **({"accessory": worn} if dresses else {})}
    before = BOTH.vectors(np.array([divmod(own, 3)]))[0]
    found = BOTH.vector(wish, before)
    assert found.dtype == np.float32
    pose, accessory = found[:7], found[7:]
    assert accessory.tolist() == (WORN.spread(worn) if dresses else before[7:]).tolist()
    assert pose.min() >= 0
    assert pose.sum() == pytest.approx(1, abs=1e-6)
    if turns:
        assert float(pose @ np.array(POSE.numbers)) == pytest.approx(number, abs=1e-4)
    else:
        assert np.array_equal(pose, before[:7])


def test_values_become_vectors_and_words() -> None:
    values = np.array([[6, 0], [2, 2]])
    assert BOTH.vectors(values).tolist() == [[0] * 6 + [1, 1, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]]
    assert BOTH.vectors(values[:0]).shape == (0, 10)
    assert [BOTH.words(one) for one in values] == [
        {"pose": "+45", "accessory": "none"},
        {"pose": "-15", "accessory": "glasses-3"},
    ]


def test_vectors_refuse_unknown_names_and_values() -> None:
    own = np.ones(10, np.float32)
    with pytest.raises(WishError, match="know no 'smile'; choose one of: pose, accessory"):
        BOTH.vector({"smile": "broad"}, own)
    with pytest.raises(WishError, match="choose one of: none"):
        BOTH.vector({"accessory": "scarf"}, own)


# Drawing


@pytest.fixture
def crops(rng: np.random.Generator) -> Pixels:
    coarse = torch.from_numpy(rng.integers(0, 256, (5, 4, 4)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse[:, None], size=32, mode="bicubic")
    return np.asarray(fine[:, 0].clamp(0, 255).to(torch.uint8).numpy())


def draw_plainly(crops: Pixels, vectors: Floats, two_groups: bool) -> tuple[Floats, Floats, Floats]:
    """Both stages' grey levels and the features from the network's own input, (N, A)."""
    config, network = pose_config(32, MAPS, two_groups=two_groups), network_for((32, MAPS, two_groups))
    x = (torch.from_numpy(crops).float()[:, None] - config.mean) / config.std
    with torch.no_grad():
        drawn, image, features = network(x, torch.from_numpy(vectors))
    levels = [(picture[:, 0] * config.std + config.mean).numpy() for picture in (drawn, image)]
    return levels[0], levels[1], features.numpy()


@pytest.mark.parametrize("two_groups", [False, True])
def test_drawing_between_two_values_is_drawing_with_the_mixed_input(crops: Pixels, two_groups: bool) -> None:
    generator = generator_made(maps=MAPS, two_groups=two_groups)
    words = ("-22.5", "+20", "0", "-30", "11") if two_groups else ("-40", "+20", "7.5", "+45", "-15")
    own = np.array([0.0] * 3 + [0.25, 0.75] if two_groups else [0.0] * 7, np.float32)
    inputs = np.stack([generator.vocabulary.vector({"pose": word}, own) for word in words])
    drawing = generator.draw(crops, inputs)
    stage1, stage2, features = draw_plainly(crops, inputs, two_groups)
    for found, expected in ((drawing.stage1, stage1), (drawing.stage2, stage2)):
        levels = np.clip(np.rint(expected), 0, 255)
        assert np.abs(found - levels).max() <= 1  # a tie of rounding
        assert (found == levels).mean() > 0.999
    np.testing.assert_allclose(drawing.features, features, atol=2e-6)


def test_a_drawing_between_two_values_differs_from_both(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    between = np.repeat(POSE.spread("20")[None], 5, 0)
    mixed = generator.draw(crops, between).features
    for place in (4, 5):
        plain = generator.draw(crops, np.eye(7, dtype=np.float32)[np.full(5, place)]).features
        assert ((mixed - plain) ** 2).sum(1).min() > 1e-8
