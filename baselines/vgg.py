"""VGG-16 and VGG-Face, two networks of one architecture, with the weights that their authors published.

VGG-16: Simonyan and Zisserman 2015, *Very Deep Convolutional Networks for Large-Scale Image Recognition*,
configuration D.  VGG-Face: Parkhi, Vedaldi and Zisserman 2015, *Deep Face Recognition*.  Both are read from
MatConvNet's files, which do not come with the project; their authors' terms apply.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from faces.errors import WeightsError


@dataclass(frozen=True)
class VggConfig:
    """Architecture, preprocessing and origin (``file`` and ``md5`` of the published weights).

    ``widths`` and ``depths`` are the maps and convolutions of each block, after which the picture of ``side``
    pixels is halved; ``hidden`` the width of fc6 and fc7; ``mean`` (RGB, 0..255) is subtracted from pictures.
    """

    file: str
    md5: str
    mean: tuple[float, float, float]
    side: int = 224
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    hidden: int = 4096


VGG16 = VggConfig(
    "imagenet-vgg-verydeep-16.mat", "f72d927587ca4c97fbd165ec9cb9997f", mean=(123.68, 116.779, 103.939)
)
VGG_FACE = VggConfig("vgg-face.mat", "3d6cd504bf9c98af4a561aad059565d1", mean=(129.1863, 104.7624, 93.5940))


class Vgg(nn.Module):
    """Thirteen convolutions and two fully connected layers; the layer of classes is left out."""

    def __init__(self, config: VggConfig) -> None:
        super().__init__()
        self.config = config
        self.convolutions = nn.ModuleDict()
        wide = 3
        for block, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True), 1):
            for number in range(1, depth + 1):  # conv1_1, conv1_2, conv2_1 ...
                self.convolutions[f"conv{block}_{number}"] = nn.Conv2d(wide, width, 3, padding=1)
                wide = width
        left = config.side // 2 ** len(config.widths)  # 7
        self.first = nn.Conv2d(wide, config.hidden, left)  # fc6: as wide as what is left of the picture
        self.second = nn.Conv2d(config.hidden, config.hidden, 1)  # fc7

    def fc6(self, pictures: Tensor) -> Tensor:
        """Turn (N, 3, side, side) RGB 0..255 into (N, hidden), rectified as Caffe's blob of this name is."""
        mean = torch.tensor(self.config.mean, device=pictures.device)[:, None, None]
        x = pictures - mean  # (N, 3, 224, 224)
        for name, convolution in self.convolutions.items():
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x))  # (N, 64, 224, 224) ... (N, 512, 14, 14)
        x = F.max_pool2d(x, 2)  # (N, 512, 7, 7)
        return F.relu(self.first(x)).flatten(1)  # (N, 4096)

    def fc7(self, pictures: Tensor) -> Tensor:
        """Turn (N, 3, side, side) RGB 0..255 into (N, hidden), rectified."""
        x = self.fc6(pictures)[:, :, None, None]  # (N, 4096, 1, 1)
        return F.relu(self.second(x)).flatten(1)  # (N, 4096)


def load_vgg(path: Path, config: VggConfig) -> Vgg:
    """Load the published weights; raises WeightsError if ``path`` is not that file to the last bit."""
    hint = f"give {config.file} of https://www.vlfeat.org/matconvnet/pretrained/"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); {hint}.") from None
    if found != config.md5:
        raise WeightsError(f"{path} is not the published file (its MD5 sum is {found}); {hint}.")
    return _filled(Vgg(config), path).eval()


@torch.no_grad()
def _filled(network: Vgg, path: Path) -> Vgg:
    """Copy what lies in the file as weights (rows, columns, in, out) and biases (out,) into the network."""
    from scipy.io import loadmat

    content = loadmat(path, variable_names=["layers"], squeeze_me=True, struct_as_record=False)
    published: dict[str, Any] = {layer.name: getattr(layer, "weights", ()) for layer in content["layers"]}
    layers: dict[str, Any] = {**network.convolutions, "fc6": network.first, "fc7": network.second}
    for name, layer in layers.items():
        weights, biases = published[name]
        out, wide, rows, columns = layer.weight.shape
        turned = weights.reshape(rows, columns, wide, out).transpose(3, 2, 0, 1)
        layer.weight.copy_(torch.from_numpy(turned.astype(np.float32)))
        layer.bias.copy_(torch.from_numpy(biases.astype(np.float32)))
    return network
