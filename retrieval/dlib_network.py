"""dlib's face descriptor as a torch network, with the weights that dlib itself reads.

The network is D. King's ``dlib_face_recognition_resnet_model_v1``
(http://dlib.net/dnn_face_recognition_ex.cpp.html; public domain), a residual network after He et al. 2015
with 29 convolutions.  dlib's own processor code takes 60 ms for a face and holds Python's lock meanwhile;
this gives the same 128 numbers several times as fast.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from faces.dlib_weights import DlibWeights
from faces.errors import WeightsError

_DESCRIPTOR = 128
_MEAN_RGB, _SCALE = (122.782, 117.001, 104.298), 256.0
# (channels, blocks) from the picture to the descriptor; the first block of each but the first row, and the
# last of all, halve the picture.
_ROWS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))


class DlibNetwork(nn.Module):
    """Chips to descriptors.  Each convolution has the affine layer that follows it folded into itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 7, stride=2)
        self.blocks = nn.ModuleList()
        channels = 32
        for row, (wide, count) in enumerate(_ROWS):
            for number in range(count):
                self.blocks.append(_Block(channels, wide, halves=row > 0 and number == 0))
                channels = wide
        self.last = nn.Linear(channels, _DESCRIPTOR, bias=False)

    def forward(self, chips: Tensor) -> Tensor:
        """(N, 3, 150, 150) RGB 0..255 → (N, 128)."""
        mean = torch.tensor(_MEAN_RGB, device=chips.device)[:, None, None]
        x = (chips - mean) / _SCALE  # (N, 3, 150, 150)
        x = F.relu(self.first(x))  # (N, 32, 72, 72)
        x = F.max_pool2d(x, 3, 2)  # (N, 32, 35, 35)
        for block in self.blocks:
            x = block(x)  # ... (N, 256, 2, 2)
        descriptors: Tensor = self.last(x.mean(dim=(2, 3)))  # (N, 128)
        return descriptors


class _Block(nn.Module):
    """Two convolutions beside a shortcut, an average over 2×2 if the block halves the picture."""

    def __init__(self, channels: int, wide: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        # dlib pads a convolution only if it does not stride.
        self.one = nn.Conv2d(channels, wide, 3, stride=2 if halves else 1, padding=0 if halves else 1)
        self.two = nn.Conv2d(wide, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(F.relu(self.one(x)))
        shortcut = F.avg_pool2d(x, 2) if self.halves else x
        # Where the two differ in size, dlib adds them as if zeros surrounded the smaller.
        size = [max(a, b) for a, b in zip(y.shape[1:], shortcut.shape[1:], strict=True)]
        return F.relu(_grown(y, size) + _grown(shortcut, size))


def _grown(x: Tensor, size: list[int]) -> Tensor:
    """(N, C, H, W) with zeros behind its channels, rows and columns up to ``size``."""
    channels, rows, columns = (wanted - have for wanted, have in zip(size, x.shape[1:], strict=True))
    return F.pad(x, [0, columns, 0, rows, 0, channels]) if channels or rows or columns else x


def load_dlib_network(path: Path) -> DlibNetwork:
    """Build the network from dlib's ``.dat`` file; raises WeightsError if it is another file."""
    network = DlibNetwork()
    try:
        content = DlibWeights(path.read_bytes())
        with torch.no_grad():
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                    filters = layer.out_channels
                    numbers = torch.from_numpy(content.numbers("con_4", layer.weight.numel() + filters))
                    gain, offset = torch.from_numpy(content.numbers("affine_", 2 * filters)).view(2, filters)
                    layer.weight.copy_(numbers[:-filters].view_as(layer.weight) * gain[:, None, None, None])
                    layer.bias.copy_(numbers[-filters:] * gain + offset)
            weights = torch.from_numpy(content.numbers("fc_2", network.last.weight.numel(), skip=2))
            network.last.weight.copy_(weights.view(-1, _DESCRIPTOR).T)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise WeightsError(
            f"{path} is not dlib's face descriptor ({error}); install face_recognition_models again."
        ) from None
    return network.eval()
