"""Drawing and canonicalising against the plain networks, step by step as the paper says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from generators_made import generator_made, network_for, pose_config
from torch import Tensor

from faces.errors import WeightsError
from faces.types import Floats, Ints, Pixels
from generator.architecture import FEATURE_LAYERS
from generator.attributes import AttributeGroup, Vocabulary
from generator.config import ModelConfig
from generator.model import Generator
from generator.networks import TwoStage, as_features

MAPS = 16  # a quarter of the paper's, which is enough to see every mistake
ONE_HOTS = np.eye(7, dtype=np.float32)
MANY = Vocabulary(
    (
        AttributeGroup("pose", ("-60", "-30", "0", "+30", "+60")),
        AttributeGroup("tilt", ("up", "level", "down")),
        AttributeGroup("accessory", ("none", "hat-1", "glasses-3")),
    )
)
"""45 combinations: too many to draw them all."""


@pytest.fixture
def crops(rng: np.random.Generator) -> Pixels:
    """37 smooth patterns: more than a batch, and no multiple of one."""
    coarse = rng.integers(0, 256, (37, 4, 4)).astype(np.float32)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse)[:, None], size=32, mode="bicubic")
    return fine[:, 0].clamp(0, 255).to(torch.uint8).numpy()


def draw_plainly(
    crops: Pixels, vectors: Floats, size: int = 32, maps: int = MAPS, two_groups: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Both stages' pictures in grey levels and the features: one face at a time, nothing shared."""
    config = pose_config(size, maps, two_groups=two_groups)
    return draw_with(network_for((size, maps, two_groups)), config, crops, vectors)


def draw_with(
    network: TwoStage, config: ModelConfig, crops: Pixels, vectors: Floats
) -> tuple[Floats, Floats, Floats]:
    rows = []
    with torch.no_grad():
        for crop, vector in zip(crops, vectors, strict=True):
            x = (torch.from_numpy(crop).float()[None, None] - config.mean) / config.std
            drawn, image, features = network(x, torch.from_numpy(vector[None]))
            levels = [picture[0, 0] * config.std + config.mean for picture in (drawn, image)]
            rows.append((levels[0].numpy(), levels[1].numpy(), features[0].numpy()))
    first, second, third = zip(*rows, strict=True)
    return np.stack(first), np.stack(second), np.stack(third)


def canonicalise_plainly(crops: Pixels, values: int) -> tuple[Ints, Floats, Floats, Floats]:
    """Each face through the whole network once for every value (section 4.1.2)."""
    kept = []
    for crop in crops:
        _, images, features = draw_plainly(np.repeat(crop[None], values, 0), ONE_HOTS[:values])
        distances = np.sqrt(((images - crop) ** 2).sum((1, 2)))
        best = int(distances.argmin())
        kept.append((best, images[best], features[best], distances))
    values_kept, pictures, vectors, distances_of_all = zip(*kept, strict=True)
    return np.array(values_kept), np.stack(pictures), np.stack(vectors), np.stack(distances_of_all)


def as_levels(pictures: Floats) -> Floats:
    return pictures.round().clip(0, 255)


def test_drawing_is_the_two_networks_one_after_the_other(crops: Pixels) -> None:
    vectors = ONE_HOTS[np.arange(37) % 7]
    drawing = generator_made(maps=MAPS).draw(crops, vectors)
    stage1, stage2, features = draw_plainly(crops, vectors)
    assert drawing.stage1.dtype == drawing.stage2.dtype == np.uint8
    assert drawing.stage1.shape == drawing.stage2.shape == (37, 32, 32)
    for found, expected in ((drawing.stage1, stage1), (drawing.stage2, stage2)):
        assert np.abs(found - as_levels(expected)).max() <= 1  # a tie of rounding
        assert (found == as_levels(expected)).mean() > 0.999
        assert expected.min() < 0 < 255 < expected.max()  # so that clipping is seen
    assert drawing.features.dtype == np.float32
    assert drawing.features.shape == (37, 16 * 16 * MAPS)
    np.testing.assert_allclose(drawing.features, features, atol=2e-6)


def test_canonicalising_is_drawing_with_every_value_and_keeping_the_closest(crops: Pixels) -> None:
    found = generator_made(maps=MAPS).canonicalise(crops)
    values, images, features, distances = canonicalise_plainly(crops, 7)
    assert len(set(values.tolist())) > 2  # else the test would not see a wrong choice
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
    assert np.array_equal(found.values[:, 0], values)
    assert (found.images == as_levels(images)).mean() > 0.999
    np.testing.assert_allclose(found.features, features, atol=2e-6)


def test_canonicalising_is_the_same_alone_in_pairs_and_in_a_crowd(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    crowd = generator.canonicalise(crops)
    for part in (slice(0, 1), slice(3, 5), slice(10, 17), slice(31, 34)):
        few = generator.canonicalise(crops[part])
        assert np.array_equal(few.values, crowd.values[part])
        np.testing.assert_allclose(few.features, crowd.features[part], atol=2e-6)
        np.testing.assert_allclose(few.distances, crowd.distances[part], rtol=1e-4)


def test_canonical_features_are_those_of_drawing_with_the_value_kept(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    canonical = generator.canonicalise(crops)
    drawing = generator.draw(crops, generator.vocabulary.vectors(canonical.values))
    np.testing.assert_allclose(drawing.features, canonical.features, atol=2e-6)
    assert (drawing.stage2 == canonical.images).mean() > 0.999


def test_in_bfloat16_features_keep_a_cosine_of_0_999_to_those_in_float32(crops: Pixels) -> None:
    vectors = ONE_HOTS[np.arange(37) % 7]
    exact, fast = (
        generator_made(precision="float32"),
        generator_made(precision="bfloat16"),
    )
    assert fast.dtype == torch.bfloat16
    assert exact.dtype == torch.float32
    one, other = exact.draw(crops, vectors), fast.draw(crops, vectors)
    assert (one.features * other.features).sum(1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(other.features, axis=1), 1, atol=1e-5)
    assert np.abs(one.stage2.astype(int) - other.stage2).max() <= 12
    assert np.abs(one.stage2.astype(int) - other.stage2).mean() < 1
    near = fast.canonicalise(crops).distances / exact.canonicalise(crops).distances
    np.testing.assert_allclose(near, 1, atol=0.01)


def test_of_few_combinations_the_closest_is_kept_and_each_value_has_its_distance(
    rng: np.random.Generator,
) -> None:
    crops = rng.integers(0, 256, (5, 16, 16), dtype=np.uint8)
    generator = generator_made(16, 8, two_groups=True)
    every = np.indices((3, 2)).reshape(2, 6).T
    vectors = generator.vocabulary.vectors(every)
    drawing = generator.draw(crops, vectors[:5])
    _, image, features = draw_plainly(crops, vectors[:5], 16, 8, two_groups=True)
    assert (drawing.stage2 == as_levels(image)).mean() > 0.99
    np.testing.assert_allclose(drawing.features, features, atol=2e-6)
    canonical = generator.canonicalise(crops)
    for face, crop in enumerate(crops):
        _, images, features = draw_plainly(np.repeat(crop[None], 6, 0), vectors, 16, 8, two_groups=True)
        distances = np.sqrt(((images - crop) ** 2).sum((1, 2))).reshape(3, 2)
        best = np.unravel_index(distances.argmin(), distances.shape)
        assert canonical.values[face].tolist() == [int(place) for place in best]
        plain = [*distances[:, best[1]], *distances[best[0]]]
        np.testing.assert_allclose(canonical.distances[face], plain, rtol=1e-4)
        np.testing.assert_allclose(canonical.features[face], features[distances.argmin()], atol=2e-6)


@cache
def knows_many() -> Generator:
    base = pose_config(32, 8)
    architecture = replace(base.architecture, attribute_size=MANY.size)
    torch.manual_seed(2)
    network = TwoStage(architecture).eval()
    with torch.no_grad():
        network.stage1.attribute2.bias.normal_(0, 0.5)
        network.stage1.attribute1.weight.mul_(3)
    config = replace(base, architecture=architecture, vocabulary=MANY)
    return Generator(network, config, name="x", weights_id="1", device="cpu", precision="float32")


def test_of_many_combinations_no_single_change_comes_closer(crops: Pixels) -> None:
    generator = knows_many()
    found = generator.canonicalise(crops)
    assert len(np.unique(found.values, axis=0)) > 5
    for face in (0, 3, 8, 21, 36):
        kept = found.values[face]
        changed = [(group, place) for group, size in enumerate((5, 3, 3)) for place in range(size)]
        tried = np.repeat(kept[None], 11, 0)
        for row, (group, place) in enumerate(changed):
            tried[row, group] = place
        _, images, features = draw_with(
            generator._given, generator.config, np.repeat(crops[face][None], 11, 0), MANY.vectors(tried)
        )
        distances = np.sqrt(((images - crops[face]) ** 2).sum((1, 2)))
        own = [number for number, values in enumerate(tried) if np.array_equal(values, kept)]
        np.testing.assert_allclose(found.distances[face], distances, rtol=1e-4)
        assert distances[own[0]] <= distances.min() * (1 + 1e-5)
        np.testing.assert_allclose(found.features[face], features[own[0]], atol=2e-6)


def test_what_is_drawn_is_the_sum_of_the_values_not_their_product(
    crops: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, drawn = knows_many(), list[int]()
    draw = generator._draw

    def counted(x: Tensor, first: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        drawn.append(len(x))
        return draw(x, first)

    monkeypatch.setattr(generator, "_draw", counted)
    generator.canonicalise(crops)
    assert sum(drawn) <= 37 * (2 * MANY.size + 5) < 37 * 45


def test_no_faces_give_no_answers_of_the_right_shape() -> None:
    generator, none = generator_made(maps=MAPS), np.empty((0, 32, 32), np.uint8)
    drawing, canonical = generator.draw(none, ONE_HOTS[:0]), generator.canonicalise(none)
    assert (
        drawing.features.shape
        == canonical.features.shape
        == (0, generator.feature_size)
        == (0, 16 * 16 * MAPS)
    )
    assert canonical.distances.shape == (0, 7)


def test_every_middle_layer_can_be_compared(crops: Pixels) -> None:
    generator, vectors = generator_made(maps=MAPS), ONE_HOTS[np.arange(37) % 7]
    network, config = network_for((32, MAPS, False)), pose_config(maps=MAPS)
    x = (torch.from_numpy(crops[:3]).float()[:, None] - config.mean) / config.std
    with torch.no_grad():
        drawn = network.stage1(x, torch.from_numpy(vectors[:3]))
        _, layers = network.stage2(x, drawn)
    for name in FEATURE_LAYERS:
        found = generator.draw(crops[:3], vectors[:3], layer=name).features
        np.testing.assert_allclose(found, as_features(layers[name]).numpy(), atol=5e-6)
    assert np.array_equal(
        generator.draw(crops, vectors, layer="conv6").features, generator.draw(crops, vectors).features
    )
    with pytest.raises(ValueError, match="no layer 'conv9'; there are conv1, "):
        generator.draw(crops, vectors, layer="conv9")


def test_the_layer_searched_with_is_the_configurations(crops: Pixels) -> None:
    base = pose_config(maps=MAPS)
    config = replace(base, architecture=replace(base.architecture, feature_layer="conv3"))
    network = TwoStage(config.architecture)
    network.load_state_dict(network_for((32, MAPS, False)).state_dict())
    other = Generator(network, config, name="x", weights_id="1", device="cpu", precision="float32")
    assert other.feature_size == 16 * 16 * 2 * MAPS
    vectors = ONE_HOTS[:2]
    expected = generator_made(maps=MAPS).draw(crops[:2], vectors, layer="conv3").features
    np.testing.assert_allclose(other.draw(crops[:2], vectors).features, expected, atol=1e-6)
    assert other.canonicalise(crops[:2]).features.shape == (2, 16 * 16 * 2 * MAPS)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 31, 32), np.uint8),
        np.zeros((2, 32, 32), np.float32),
        np.zeros((32, 32), np.uint8),
        np.zeros((2, 32, 32, 3), np.uint8),
    ],
)
def test_crops_of_another_form_are_refused(wrong: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    with pytest.raises(ValueError, match=r"crops must be \(N, 32, 32\) uint8"):
        generator.canonicalise(wrong)
    with pytest.raises(ValueError, match=r"crops must be \(N, 32, 32\) uint8"):
        generator.draw(wrong, ONE_HOTS[:2])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(2, np.int64),
        ONE_HOTS[:1],
        ONE_HOTS[:2, :6],
        ONE_HOTS[:2].astype(np.float64),
        ONE_HOTS[:2] * 2,
        np.full((2, 7), np.nan, np.float32),
    ],
)
def test_vectors_of_another_form_are_refused(wrong: Floats) -> None:
    crops = np.zeros((2, 32, 32), np.uint8)
    with pytest.raises(ValueError, match=r"vectors must be \(2, 7\) float32|shares .* must sum to one"):
        generator_made(maps=MAPS).draw(crops, wrong)


def test_read_only_and_strided_crops_are_as_good_as_others(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    expected = generator.canonicalise(crops[::-1].copy())
    locked = crops.copy()
    locked.flags.writeable = False
    assert np.array_equal(generator.canonicalise(locked[::-1]).features, expected.features)


def test_the_network_given_is_not_touched() -> None:
    network = network_for((32, MAPS, False))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    generator_made(maps=MAPS, precision="bfloat16").canonicalise(np.zeros((1, 32, 32), np.uint8))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_of_other_sizes_and_a_device_that_is_not_there_are_refused() -> None:
    config = pose_config(maps=MAPS)
    with pytest.raises(WeightsError, match="other sizes"):
        Generator(network_for((16, 8, False)), config, name="x", weights_id="1")
    with pytest.raises(WeightsError, match="no device 'abacus' here; choose cpu or cuda"):
        Generator(network_for((32, MAPS, False)), config, name="x", weights_id="1", device="abacus")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_draws_what_the_processor_draws(crops: Pixels) -> None:
    here = generator_made(maps=MAPS)
    there = Generator(
        network_for((32, MAPS, False)),
        pose_config(maps=MAPS),
        name="x",
        weights_id="1",
        device="cuda",
        precision="float32",
    )
    one, other = here.canonicalise(crops), there.canonicalise(crops)
    assert (one.features * other.features).sum(1).min() > 0.999
    np.testing.assert_allclose(one.distances, other.distances, rtol=1e-2)
