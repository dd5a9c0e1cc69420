"""VGG-16 and VGG-Face, read from MatConvNet's files; here with small random weights in files of that form."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from torch.nn import functional as F  # noqa: N812

from baselines.vgg import VGG16, VGG_FACE, Vgg, VggConfig, load_vgg
from faces.errors import WeightsError

SMALL = replace(VGG_FACE, side=64, widths=(2, 3, 2, 3, 4), hidden=5)
NAMES = [
    f"conv{block}_{number}"
    for block, depth in enumerate((2, 2, 3, 3, 3), 1)
    for number in range(1, depth + 1)
]
Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def random_weights(config: VggConfig) -> Weights:
    """By layer: (rows, columns, in, out) and (out,), as MatConvNet has them."""
    rng = np.random.default_rng(3)
    found: Weights = {}
    wide = 3
    left = config.side // 32
    widths = [width for width, depth in zip(config.widths, config.depths, strict=True) for _ in range(depth)]
    sizes = [3] * len(widths) + [left, 1, 1]
    names = [*NAMES, "fc6", "fc7", "fc8"]
    for name, size, out in zip(names, sizes, [*widths, config.hidden, config.hidden, 7], strict=True):
        weights = rng.normal(0, (2 / (size * size * wide)) ** 0.5, (size, size, wide, out))
        found[name] = weights.astype(np.float32), rng.normal(0, 0.1, out).astype(np.float32)
        wide = out
    return found


def mat_file(path: Path, weights: Weights, config: VggConfig = SMALL) -> VggConfig:
    """Write the weights as MatConvNet does, between layers that have none; returns the config that fits."""
    layers: list[dict[str, object]] = []
    for name, (kernel, bias) in weights.items():
        pair = np.empty(2, object)
        pair[:] = [kernel, bias[:, None]]
        layers += [
            {"type": "conv", "name": name, "weights": pair, "stride": 1.0},
            {"type": "relu", "name": f"relu{name[4:]}", "weights": np.empty(0, object)},
        ]
    cells = np.empty((1, len(layers)), object)
    cells[0, :] = layers
    savemat(
        path, {"layers": cells, "meta": {"normalization": {"averageImage": np.zeros(3)}}}, do_compression=True
    )
    return replace(config, md5=hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())


def plainly(weights: Weights, pictures: torch.Tensor, mean: tuple[float, float, float]) -> list[torch.Tensor]:
    """fc6 and fc7 step by step."""

    def kernel(name: str) -> torch.Tensor:
        return torch.from_numpy(weights[name][0].transpose(3, 2, 0, 1).copy())

    x = pictures - torch.tensor(mean).reshape(1, 3, 1, 1)
    for name in NAMES:
        x = F.relu(F.conv2d(x, kernel(name), torch.from_numpy(weights[name][1]), padding=1))
        if name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"):
            x = F.max_pool2d(x, 2, 2)
    fc6 = F.relu(F.conv2d(x, kernel("fc6"), torch.from_numpy(weights["fc6"][1])))
    fc7 = F.relu(F.conv2d(fc6, kernel("fc7"), torch.from_numpy(weights["fc7"][1])))
    return [fc6.flatten(1), fc7.flatten(1)]


def test_features_are_those_of_the_published_layers(tmp_path: Path) -> None:
    weights = random_weights(SMALL)
    config = mat_file(tmp_path / "vgg.mat", weights)
    network = load_vgg(tmp_path / "vgg.mat", config)
    pictures = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (2, 3, 64, 64)).astype(np.float32))
    fc6, fc7 = plainly(weights, pictures, config.mean)
    with torch.inference_mode():
        assert network.fc6(pictures).shape == (2, 5)
        assert torch.allclose(network.fc6(pictures), fc6, atol=1e-4)
        assert torch.allclose(network.fc7(pictures), fc7, atol=1e-4)
    assert fc6.std() > 0


@pytest.mark.parametrize("config", [VGG16, VGG_FACE])
def test_the_published_architecture_has_its_134_million_parameters(config: VggConfig) -> None:
    with torch.device("meta"):
        network = Vgg(config)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert sum(value.numel() for value in network.parameters()) == 134_260_544
    assert shapes["convolutions.conv5_3.weight"] == (512, 512, 3, 3)
    assert shapes["first.weight"] == (4096, 512, 7, 7)
    assert list(network.convolutions) == NAMES


def test_another_file_than_the_published_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vgg.mat"
    mat_file(path, random_weights(SMALL))
    with pytest.raises(
        WeightsError, match=r"is not the published file \(its MD5 sum is [0-9a-f]{32}\); give vgg-face"
    ):
        load_vgg(path, VGG_FACE)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_vgg(tmp_path / "none.mat", VGG16)
