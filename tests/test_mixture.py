"""Wishes between two values: how much of each code they are, and what is drawn then."""

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
def test_a_mixture_sums_to_one_and_keeps_what_is_not_wished(
    share: float, worn: str, code: int, turns: bool, dresses: bool
) -> None:
    number = number_in(POSE, share)
    wish = {**({"pose": repr(number)} if turns else {}), **({"accessory": worn} if dresses else {})}
    found = BOTH.mixture(wish, code)
    assert found.shape == (21,)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-6)
    assert (found > 0).sum() <= (2 if turns else 1)
    own = BOTH.label(code)
    held = [BOTH.label(int(place)) for place in np.flatnonzero(found)]
    assert {label["accessory"] for label in held} == {worn if dresses else own["accessory"]}
    if turns:
        mean = sum(part * float(BOTH.label(place)["pose"]) for place, part in enumerate(found))
        assert mean == pytest.approx(number, abs=1e-4)
    else:
        assert {label["pose"] for label in held} == {own["pose"]}


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_mixture_of_values_is_the_code_of_the_change(code: int, wished: int) -> None:
    wish = BOTH.label(wished)
    assert np.array_equal(BOTH.mixture(wish, code), np.eye(21)[wished])
    assert np.array_equal(BOTH.mixture({}, code), np.eye(21)[code])
    changed = BOTH.code({**BOTH.label(code), "accessory": wish["accessory"]})
    assert np.array_equal(BOTH.mixture({"Accessory": wish["accessory"]}, code), np.eye(21)[changed])


def test_mixtures_refuse_unknown_names_values_and_codes() -> None:
    with pytest.raises(WishError, match="know no 'smile'; choose one of: pose, accessory"):
        BOTH.mixture({"smile": "broad"}, 0)
    with pytest.raises(WishError, match="choose one of: none"):
        BOTH.mixture({"accessory": "scarf"}, 0)
    with pytest.raises(ValueError, match="there is no code 21"):
        BOTH.mixture({}, 21)


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
def test_drawing_a_mixture_is_drawing_with_the_mixed_input(crops: Pixels, two_groups: bool) -> None:
    generator = generator_made(maps=MAPS, two_groups=two_groups)
    vocabulary = generator.vocabulary
    words = ("-22.5", "+20", "0", "-30", "11") if two_groups else ("-40", "+20", "7.5", "+45", "-15")
    mixtures = np.stack(
        [
            vocabulary.mixture({"pose": word}, place % len(vocabulary.combinations))
            for place, word in enumerate(words)
        ]
    )
    inputs = mixtures @ vocabulary.one_hots
    drawing = generator.draw(crops, mixtures)
    stage1, stage2, features = draw_plainly(crops, inputs, two_groups)
    for found, expected in ((drawing.stage1, stage1), (drawing.stage2, stage2)):
        levels = np.clip(np.rint(expected), 0, 255)
        assert np.abs(found - levels).max() <= 1  # a tie of rounding
        assert (found == levels).mean() > 0.999
    np.testing.assert_allclose(drawing.features, features, atol=2e-6)


def test_a_mixture_of_one_code_is_that_code(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    codes = np.array([0, 6, 3, 3, 5])
    one, other = generator.draw(crops, codes), generator.draw(crops, np.eye(7, dtype=np.float32)[codes])
    np.testing.assert_allclose(one.features, other.features, atol=1e-6)
    assert np.abs(one.stage2.astype(int) - other.stage2).max() <= 1


def test_a_mixture_differs_from_both_of_its_values(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    mixture = np.repeat(generator.vocabulary.mixture({"pose": "20"}, 0)[None], 5, 0)
    mixed = generator.draw(crops, mixture).features
    for code in (4, 5):
        plain = generator.draw(crops, np.full(5, code)).features
        assert ((mixed - plain) ** 2).sum(1).min() > 1e-8


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((5, 6), np.float32),
        np.zeros((4, 7), np.float32),
        np.full((5, 7), np.nan, np.float32),
        np.zeros((5, 7), np.float64),
    ],
)
def test_mixtures_of_another_form_are_refused(crops: Pixels, wrong: Floats) -> None:
    with pytest.raises(ValueError, match=r"mixtures must|codes must"):
        generator_made(maps=MAPS).draw(crops, wrong)
