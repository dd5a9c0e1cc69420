"""Drawing in 8 bits against the plain networks in float32, on rendered faces with the shipped weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from generators_made import network_for, pose_config
from torch import nn

from facedata.labelled import read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.types import Pixels
from generator import model
from generator.checkpoint import load_checkpoint
from generator.config import PEAK_LAYERS, from_json, to_json
from generator.model import Generator, Precision
from generator.networks import UnpoolConv, unpool_conv
from generator.quantised import _in_phases, _of_phases, activation_peaks

ABILITIES = torch.cpu.get_capabilities()
whole_numbers = pytest.mark.skipif(
    not any(ABILITIES.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8")),
    reason="needs a processor that multiplies numbers of 8 bits (VNNI or AMX)",
)


@pytest.fixture(scope="module")
def faces() -> Pixels:
    """109 rendered faces of many people, poses and lights."""
    return read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry()).crops[::31]


def generator(monkeypatch: pytest.MonkeyPatch, weights: str, precision: Precision) -> Generator:
    monkeypatch.setattr(model, "prefers_int8", lambda device: True)
    loaded = load_checkpoint(weights)
    return Generator(
        loaded.network, loaded.config, name="x", weights_id="1", device="cpu", precision=precision
    )


@whole_numbers
@pytest.mark.parametrize("weights", ["rotation-32", "accessories-32"])
def test_canonicalising_in_8_bits_keeps_the_values_that_the_plain_networks_keep(
    faces: Pixels, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    plain = generator(monkeypatch, weights, "float32").canonicalise(faces)
    used = generator(monkeypatch, weights, "auto")
    found = used.canonicalise(faces)
    same = (found.values == plain.values)[:, 0]
    assert same.mean() >= 0.99
    assert (found.features[same] * plain.features[same]).sum(1).min() > 0.999
    assert np.array_equal(found.values[:, 0], found.distances.argmin(1))
    assert np.quantile(abs(found.distances / plain.distances - 1), 0.99) < 0.05
    assert not np.array_equal(found.distances, plain.distances)  # else it was not in 8 bits
    kept = used.draw(faces, used.vocabulary.vectors(found.values))
    assert np.abs(kept.stage2.astype(int) - found.images).max() <= 1
    alone = used.canonicalise(faces[5:6])
    np.testing.assert_allclose(alone.distances, found.distances[5:6], rtol=0.01)


@whole_numbers
def test_other_sizes_groups_and_dead_layers_work_in_8_bits(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = rng.integers(0, 256, (5, 16, 16), dtype=np.uint8)
    network, config = network_for((16, 8, True)), pose_config(16, 8, two_groups=True)
    monkeypatch.setattr(model, "prefers_int8", lambda device: True)
    peaks = activation_peaks(network, config, crops)
    assert tuple(peaks) == PEAK_LAYERS and min(peaks.values()) > 0
    for known in (peaks, dict.fromkeys(PEAK_LAYERS, 0.0)):
        used = Generator(network, replace(config, peaks=known), name="x", weights_id="1", device="cpu")
        found = used.canonicalise(crops)
        assert found.distances.shape == (5, 5) and np.isfinite(found.distances).all()
    assert used.canonicalise(crops[:0]).distances.shape == (0, 5)


def test_phases_are_the_pixels_of_the_whole() -> None:
    torch.manual_seed(5)
    unpooling, last = UnpoolConv(3, 4), nn.Conv2d(4, 1, 3, padding=1)
    maps = torch.randn(2, 3, 5, 5)
    assert unpooling.bias is not None
    with torch.no_grad():
        whole = unpool_conv(maps, unpooling.weight, unpooling.bias)  # (2, 4, 10, 10)
        phases = _in_phases(unpooling)(maps)[:, :, 1:, 1:]  # (2, 16, 5, 5)
        apart = nn.functional.pixel_unshuffle(whole, 2).view(2, 4, 4, 5, 5).transpose(1, 2).flatten(1, 2)
        torch.testing.assert_close(phases, apart)
        torch.testing.assert_close(nn.functional.pixel_shuffle(_of_phases(last)(phases), 2), last(whole))


def test_peaks_are_the_largest_outputs_and_are_kept_with_the_configuration(faces: Pixels) -> None:
    loaded = load_checkpoint("rotation-32")
    some = activation_peaks(loaded.network, loaded.config, faces[:2])
    more = activation_peaks(loaded.network, loaded.config, faces[:4])
    assert all(0 < some[name] < 1.001 * more[name] for name in PEAK_LAYERS)
    config = replace(loaded.config, peaks=more)
    assert from_json(to_json(config)) == config
    for wrong in ({"conv1": 1.0}, {**more, "conv9": 1.0}, {**more, "conv1": -1.0}, {**more, "conv1": np.inf}):
        with pytest.raises(ValueError, match="peaks must"):
            replace(config, peaks=wrong)
    with pytest.raises(ValueError, match=r"peaks\.conv1 is no number"):
        from_json({**to_json(config), "peaks": {**more, "conv1": "high"}})
