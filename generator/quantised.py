"""Both networks in whole numbers of 8 bits, which processors with VNNI or AMX multiply four times as fast.

Maps after a ReLU are uint8, in units of a 255th of the layer's peak; weights are int8, in units of a 127th of
the largest of their output map.  Sums have 32 bits.  Unpooled maps are kept as four *phases*, the pixels of
even and odd rows and columns apart: (B, 4 C, H, H) instead of (B, C, S, S), so that no zero is multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faces.types import Pixels
from generator.config import PEAK_LAYERS, ModelConfig
from generator.networks import TwoStage, UnpoolConv


def activation_peaks(network: TwoStage, config: ModelConfig, crops: Pixels) -> dict[str, float]:
    """Find the largest output of each of PEAK_LAYERS for faces (N, S, S) uint8 drawn with every value.

    Of several attributes as many combinations are drawn as there are values, in which every value occurs.
    """
    peaks = dict.fromkeys(PEAK_LAYERS, 0.0)

    def watch(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def look(_module: nn.Module, _given: object, maps: Tensor) -> None:
            peaks[name] = max(peaks[name], float(maps.max()))

        return look

    layers = {**dict(network.stage1.named_children()), **dict(network.stage2.named_children())}
    hooks = [layers[name].register_forward_hook(watch(name)) for name in PEAK_LAYERS]
    device = next(network.parameters()).device
    x = (torch.from_numpy(crops.astype(np.float32)).to(device)[:, None] - config.mean) / config.std
    random, size = np.random.default_rng(0), config.vocabulary.size
    columns = [np.resize(random.permutation(len(group.values)), size) for group in config.vocabulary.groups]
    wishes = config.vocabulary.vectors(np.stack(columns, axis=1))
    with torch.inference_mode():
        for wish in torch.from_numpy(wishes).to(device):
            network(x, wish.expand(len(x), -1))
    for hook in hooks:
        hook.remove()
    return peaks


class QuantisedNetwork:
    """Draws what ``network`` draws, on a processor, within a grey level or two; ``config`` has its peaks."""

    def __init__(self, network: TwoStage, config: ModelConfig) -> None:
        one, two = network.stage1, network.stage2
        self._std, self._middle = config.std, round(config.mean)
        units = {name: max(peak, 1e-6) / 255 for name, peak in config.peaks.items()}

        def chain(stage: nn.Module, *names: str) -> nn.Sequential:
            return nn.Sequential(
                *(_Convolution(getattr(stage, to), units[start], units[to]) for start, to in pairwise(names))
            )

        def decoder(unpooling: UnpoolConv, last: nn.Conv2d, start: str, to: str) -> nn.Sequential:
            return nn.Sequential(
                _Convolution(_in_phases(unpooling), units[start], units[to]),
                _Convolution(_of_phases(last), units[to], None),
            )

        self._first = units["fuse1"]
        self._fuse = chain(one, "fuse1", "fuse2", "fuse3", "fuse4")
        self._decode = decoder(one.decode1, one.decode2, "fuse4", "decode1")
        self._conv1 = _Convolution(two.conv1, 1 / config.std, units["conv1"], middle=self._middle)
        self._conv2 = chain(two, "conv1", "conv2")
        self._wide = chain(two, "conv2", "conv3", "conv4", "conv5", "conv6")
        self._finish = decoder(two.conv7, two.conv8, "conv6", "conv7")

    def draw(self, x: Tensor, first: Tensor) -> Tensor:
        """Draw faces (B, 1, S, S) anew from their first fused maps (B, H, H, 64); float32 like the faces."""
        maps = (first.float() / self._first).round_().clamp_(0, 255).to(torch.uint8)
        phases = self._decode(self._fuse(maps.permute(0, 3, 1, 2)))  # (B, 4, H, H)
        drawn = functional.pixel_shuffle(phases, 2)  # (B, 1, S, S)
        both = torch.cat([self._levels(x), self._levels(drawn)], 1)  # (B, 2, S, S)
        maps = self._conv2(self._conv1(both.contiguous(memory_format=torch.channels_last)))  # (B, 64, S, S)
        maps = torch.maximum(maps[:, :, ::2], maps[:, :, 1::2])  # the library pools no uint8
        maps = torch.maximum(maps[..., ::2], maps[..., 1::2])  # (B, 64, H, H)
        return functional.pixel_shuffle(self._finish(self._wide(maps)), 2)

    def _levels(self, pictures: Tensor) -> Tensor:
        """Turn standardised pictures into uint8 grey levels, among which the mean is a whole number."""
        return (pictures * self._std + self._middle).round_().clamp_(0, 255).to(torch.uint8)


class _Convolution(nn.Module):
    """A convolution of uint8 maps in units of ``given``, ``middle`` standing for 0.

    Its result is uint8 in units of ``made``, after a ReLU; or float32 and without, if that is None.
    """

    def __init__(self, plain: nn.Conv2d, given: float, made: float | None, middle: int = 0) -> None:
        super().__init__()
        units = plain.weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / 127
        whole = (plain.weight / units[:, None, None, None]).round().to(torch.int8)
        form = [[1, 1], plain.padding, [1, 1], 1]  # stride, padding, dilation, groups
        packed = torch.ops.onednn.qconv_prepack(whole, units, given, middle, *form, None)
        zeros = torch.zeros(len(units), dtype=torch.int32)
        ending = [1.0, 0, torch.float32, "none"] if made is None else [made, 0, torch.uint8, "relu"]
        self._settings = [given, middle, packed, units, zeros, plain.bias, *form, *ending, [], ""]
        self._skipped = 1 - plain.kernel_size[0] % 2

    def forward(self, maps: Tensor) -> Tensor:
        made: Tensor = torch.ops.onednn.qconv2d_pointwise(maps, *self._settings)
        return made[:, :, self._skipped :, self._skipped :]


def _in_phases(plain: UnpoolConv) -> nn.Conv2d:
    """Make the convolution from (B, C, H, H) to the four phases of (B, C', S, S), each after the other.

    An even row sees row i of the input with the middle tap, the odd one after it i and i + 1 with the others.
    The kernels have 2 x 2 taps; padded on all sides, they give one row and column too many, the first.
    """
    weight = plain.weight.new_zeros(2, 2, *plain.weight.shape[:2], 2, 2)
    weight[0, 0, :, :, 0, 0] = plain.weight[:, :, 1, 1]
    weight[0, 1, :, :, 0] = plain.weight[:, :, 1, ::2]
    weight[1, 0, :, :, :, 0] = plain.weight[:, :, ::2, 1]
    weight[1, 1] = plain.weight[:, :, ::2, ::2]
    return _with_weights(weight.flatten(0, 2), plain.bias)


def _of_phases(plain: nn.Conv2d) -> nn.Conv2d:
    """Make the convolution from the phases of (B, C, S, S) to those of (B, 1, S, S)."""
    weight = plain.weight.new_zeros(2, 2, 2, 2, plain.in_channels, 3, 3)
    for y, x, down, across in product(range(2), range(2), range(3), range(3)):
        row, column = y + down - 1, x + across - 1  # -1 to 2, from the block's first pixel
        place = y, x, row % 2, column % 2, slice(None), row // 2 + 1, column // 2 + 1
        weight[place] = plain.weight[0, :, down, across]
    return _with_weights(weight.flatten(2, 4).flatten(0, 1), plain.bias)


def _with_weights(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """Make a convolution with padding 1 whose four phases have one bias."""
    made = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=1, device="meta")
    made.weight = nn.Parameter(weight, requires_grad=False)
    made.bias = None if bias is None else nn.Parameter(bias.repeat(4), requires_grad=False)
    return made
