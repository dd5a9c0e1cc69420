"""Drawing and canonicalising against the plain networks, step by step as the paper says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from generators_made import generator_made, network_for, pose_config

from faces.errors import WeightsError
from faces.types import Floats, Ints, Pixels
from generator.architecture import FEATURE_LAYERS
from generator.model import Generator
from generator.networks import as_features

MAPS = 16  # a quarter of the paper's, which is enough to see every mistake


@pytest.fixture
def crops(rng: np.random.Generator) -> Pixels:
    """37 smooth patterns: more than a batch, and no multiple of one."""
    coarse = rng.integers(0, 256, (37, 4, 4)).astype(np.float32)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse)[:, None], size=32, mode="bicubic")
    return fine[:, 0].clamp(0, 255).to(torch.uint8).numpy()


def draw_plainly(
    crops: Pixels, codes: Ints, size: int = 32, maps: int = MAPS, two_groups: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Both stages' pictures in grey levels and the features: one face at a time, nothing shared."""
    config = pose_config(size, maps, two_groups=two_groups)
    network = network_for((size, maps, two_groups))
    rows = []
    with torch.no_grad():
        for crop, code in zip(crops, codes, strict=True):
            x = (torch.from_numpy(crop).float()[None, None] - config.mean) / config.std
            drawn, image, features = network(x, torch.from_numpy(config.vocabulary.one_hots[[code]]))
            levels = [picture[0, 0] * config.std + config.mean for picture in (drawn, image)]
            rows.append((levels[0].numpy(), levels[1].numpy(), features[0].numpy()))
    first, second, third = zip(*rows, strict=True)
    return np.stack(first), np.stack(second), np.stack(third)


def canonicalise_plainly(crops: Pixels, values: int) -> tuple[Ints, Floats, Floats, Floats]:
    """Each face through the whole network once for every value (section 4.1.2)."""
    kept = []
    for crop in crops:
        _, images, features = draw_plainly(np.repeat(crop[None], values, 0), np.arange(values))
        distances = np.sqrt(((images - crop) ** 2).sum((1, 2)))
        best = int(distances.argmin())
        kept.append((best, images[best], features[best], distances))
    codes, pictures, vectors, distances_of_all = zip(*kept, strict=True)
    return np.array(codes), np.stack(pictures), np.stack(vectors), np.stack(distances_of_all)


def as_levels(pictures: Floats) -> Floats:
    return pictures.round().clip(0, 255)


def test_drawing_is_the_two_networks_one_after_the_other(crops: Pixels) -> None:
    codes = np.arange(37) % 7
    drawing = generator_made(maps=MAPS).draw(crops, codes)
    stage1, stage2, features = draw_plainly(crops, codes)
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
    codes, images, features, distances = canonicalise_plainly(crops, 7)
    assert len(set(codes.tolist())) > 2  # else the test would not see a wrong choice
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
    assert np.array_equal(found.codes, codes)
    assert (found.images == as_levels(images)).mean() > 0.999
    np.testing.assert_allclose(found.features, features, atol=2e-6)


def test_canonicalising_is_the_same_alone_in_pairs_and_in_a_crowd(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    crowd = generator.canonicalise(crops)
    for part in (slice(0, 1), slice(3, 5), slice(10, 17), slice(31, 34)):
        few = generator.canonicalise(crops[part])
        assert np.array_equal(few.codes, crowd.codes[part])
        np.testing.assert_allclose(few.features, crowd.features[part], atol=2e-6)
        np.testing.assert_allclose(few.distances, crowd.distances[part], rtol=1e-4)


def test_canonical_features_are_those_of_drawing_with_the_code_kept(crops: Pixels) -> None:
    generator = generator_made(maps=MAPS)
    canonical = generator.canonicalise(crops)
    drawing = generator.draw(crops, canonical.codes)
    np.testing.assert_allclose(drawing.features, canonical.features, atol=2e-6)
    assert (drawing.stage2 == canonical.images).mean() > 0.999


def test_in_bfloat16_features_keep_a_cosine_of_0_999_to_those_in_float32(crops: Pixels) -> None:
    codes = np.arange(37) % 7
    exact, fast = (
        generator_made(precision="float32"),
        generator_made(precision="bfloat16"),
    )
    assert fast.dtype == torch.bfloat16
    assert exact.dtype == torch.float32
    one, other = exact.draw(crops, codes), fast.draw(crops, codes)
    assert (one.features * other.features).sum(1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(other.features, axis=1), 1, atol=1e-5)
    assert np.abs(one.stage2.astype(int) - other.stage2).max() <= 12
    assert np.abs(one.stage2.astype(int) - other.stage2).mean() < 1
    near = fast.canonicalise(crops).distances / exact.canonicalise(crops).distances
    np.testing.assert_allclose(near, 1, atol=0.01)


def test_several_groups_and_other_sizes_work(rng: np.random.Generator) -> None:
    crops = rng.integers(0, 256, (5, 16, 16), dtype=np.uint8)
    generator = generator_made(16, 8, two_groups=True)
    codes = np.array([0, 5, 2, 3, 1])
    drawing = generator.draw(crops, codes)
    _, image, features = draw_plainly(crops, codes, 16, 8, two_groups=True)
    assert (drawing.stage2 == as_levels(image)).mean() > 0.99
    np.testing.assert_allclose(drawing.features, features, atol=2e-6)
    canonical = generator.canonicalise(crops)
    assert canonical.distances.shape == (5, 6)
    assert np.array_equal(canonical.codes, canonical.distances.argmin(1))


def test_no_faces_give_no_answers_of_the_right_shape() -> None:
    generator, none = generator_made(maps=MAPS), np.empty((0, 32, 32), np.uint8)
    drawing, canonical = generator.draw(none, np.empty(0, np.int64)), generator.canonicalise(none)
    assert (
        drawing.features.shape
        == canonical.features.shape
        == (0, generator.feature_size)
        == (0, 16 * 16 * MAPS)
    )
    assert canonical.distances.shape == (0, 7)


def test_every_middle_layer_can_be_compared(crops: Pixels) -> None:
    generator, codes = generator_made(maps=MAPS), np.arange(37) % 7
    network, config = network_for((32, MAPS, False)), pose_config(maps=MAPS)
    x = (torch.from_numpy(crops[:3]).float()[:, None] - config.mean) / config.std
    with torch.no_grad():
        drawn = network.stage1(x, torch.from_numpy(config.vocabulary.one_hots[codes[:3]]))
        _, layers = network.stage2(x, drawn)
    for name in FEATURE_LAYERS:
        found = generator.draw(crops[:3], codes[:3], layer=name).features
        np.testing.assert_allclose(found, as_features(layers[name]).numpy(), atol=5e-6)
    assert np.array_equal(
        generator.draw(crops, codes, layer="conv6").features, generator.draw(crops, codes).features
    )
    with pytest.raises(ValueError, match="no layer 'conv9'; there are conv1, "):
        generator.draw(crops, codes, layer="conv9")


def test_the_layer_searched_with_is_the_configurations(crops: Pixels) -> None:
    from dataclasses import replace

    from generator.networks import TwoStage

    base = pose_config(maps=MAPS)
    config = replace(base, architecture=replace(base.architecture, feature_layer="conv3"))
    network = TwoStage(config.architecture)
    network.load_state_dict(network_for((32, MAPS, False)).state_dict())
    other = Generator(network, config, name="x", weights_id="1", device="cpu", precision="float32")
    assert other.feature_size == 16 * 16 * 2 * MAPS
    codes = np.zeros(2, np.int64)
    expected = generator_made(maps=MAPS).draw(crops[:2], codes, layer="conv3").features
    np.testing.assert_allclose(other.draw(crops[:2], codes).features, expected, atol=1e-6)
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
        generator.draw(wrong, np.zeros(2, np.int64))


@pytest.mark.parametrize(
    "wrong", [np.array([0]), np.array([0, 7]), np.array([0, -1]), np.array([0.0, 1.0]), np.array([[0, 1]])]
)
def test_codes_of_another_form_are_refused(wrong: Ints) -> None:
    with pytest.raises(ValueError, match="codes must"):
        generator_made(maps=MAPS).draw(np.zeros((2, 32, 32), np.uint8), wrong)


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
