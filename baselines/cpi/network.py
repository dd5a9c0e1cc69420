"""The two networks of CPI: J. Yim, H. Jung, B. Yoo, C. Choi, D. Park, J. Kim, "Rotating Your Face Using
Multi-task Deep Neural Network", CVPR 2015.

Written from descriptions of the method, not from its code: ``docs/cpi.md`` lists what is published, guessed
and our own.  The *main* network draws a face, in whatever pose and light, in the pose that a *remote code* in
the picture's border asks for, and tells in a recovery code what its picture no longer shows; the *auxiliary*
network makes the input anew from both, so that who it is does not get lost.  The drawings, *controlled pose
images*, are the features.

Pictures are standardised, (grey level - mean) / std.  In the shape comments B is the batch, S the side of a
picture, V the number of poses.  Tensors of locally connected layers lie as (H, W, maps, B), so that cutting
out windows copies long runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 5  # side of a receptive field
BORDER = WINDOW // 2  # width of the frame that carries the remote code: what a window overlaps at an edge


@dataclass(frozen=True)
class CPIArchitecture:
    """Sizes of both networks.  Raises ValueError if they make no network."""

    size: int = 32  # S, side of a picture in pixels; a multiple of 4, because it is halved twice
    poses: int = 7  # V, length of the remote code
    maps1: int = 12
    maps2: int = 16
    maps3: int = 24  # maps of the three locally connected layers
    hidden: int = 512  # units of the first fully connected layer
    features: int = 1024  # D, units of the last hidden layer: the CPI features
    recovery: int = 32  # length of the recovery code
    auxiliary: int = 512  # units of the hidden layer of the auxiliary network

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 8192:
                raise ValueError(f"{name} must be a whole number from 1 to 8192, not {value!r}")
        if self.size % 4:
            raise ValueError(f"size must be a multiple of 4, not {self.size}")


class LocallyConnected(nn.Module):
    """(side + 4, side + 4, C, B) to (side, side, M, B) by a convolution with filters of each place's own."""

    windows: Tensor

    def __init__(self, side: int, maps_in: int, maps_out: int) -> None:
        super().__init__()
        self.side, self.maps_out = side, maps_out
        reads = maps_in * WINDOW**2
        self.weight = nn.Parameter(torch.randn(side**2, maps_out, reads) * math.sqrt(2 / reads))
        self.bias = nn.Parameter(torch.zeros(side**2, maps_out, 1))
        # For each place, row by row, the flat places of its window in the padded input: (side² · 25,)
        padded = side + WINDOW - 1
        corner = torch.arange(side)[:, None] * padded + torch.arange(side)
        offset = torch.arange(WINDOW)[:, None] * padded + torch.arange(WINDOW)
        windows = (corner.reshape(-1, 1) + offset.reshape(1, -1)).reshape(-1)
        self.register_buffer("windows", windows, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Lay all windows side by side; then it is one matrix product for each place."""
        places = x.flatten(0, 1)  # (P, C, B)
        cut = places.index_select(0, self.windows)  # (side² · 25, C, B)
        cut = cut.view(self.side**2, self.weight.shape[2], x.shape[-1])  # (side², 25 C, B)
        out = torch.baddbmm(self.bias, self.weight, cut)  # (side², M, B)
        return out.view(self.side, self.side, self.maps_out, x.shape[-1])


class MainNetwork(nn.Module):
    """Draws a face in another pose."""

    digits: Tensor

    def __init__(self, architecture: CPIArchitecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        half, quarter = a.size // 2, a.size // 4
        self.local1 = LocallyConnected(a.size, 1, a.maps1)
        self.local2 = LocallyConnected(half, a.maps1, a.maps2)
        self.local3 = LocallyConnected(quarter, a.maps2, a.maps3)
        self.full1 = nn.Linear(a.maps3 * quarter**2, a.hidden)
        self.full2 = nn.Linear(a.hidden, a.features)
        self.draw = nn.Linear(a.features, a.size**2)
        self.recover = nn.Linear(a.features, a.recovery)
        self.register_buffer("digits", _digits(a.size, a.poses), persistent=False)
        for layer in (self.full1, self.full2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, remote: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn pictures (B, S, S) and one-hot remote codes (B, V) into drawings (B, S, S), recovery codes
        (B, R) and the last hidden layer (B, D)."""
        y = self.framed(x, remote)[:, :, None]  # (S + 4, S + 4, 1, B)
        y = _pooled(functional.relu(self.local1(y)))  # (S / 2, S / 2, 12, B)
        y = _pooled(functional.relu(self.local2(_padded(y))))  # (S / 4, S / 4, 16, B)
        y = functional.relu(self.local3(_padded(y)))  # (S / 4, S / 4, 24, B)
        y = functional.relu(self.full1(y.flatten(0, 2).T))  # (B, 512)
        y = functional.relu(self.full2(y))  # (B, 1024)
        return self.draw(y).view_as(x), self.recover(y), y

    def framed(self, x: Tensor, remote: Tensor) -> Tensor:
        """Return (S + 4, S + 4, B): the pictures with the remote code in the frame around them."""
        frame = self.digits @ remote.T  # ((S + 4)², B)
        frame = frame.view(x.shape[1] + 2 * BORDER, x.shape[2] + 2 * BORDER, len(x))
        inside = functional.pad(x.permute(1, 2, 0), (0, 0, BORDER, BORDER, BORDER, BORDER))
        return frame + inside


class AuxiliaryNetwork(nn.Module):
    """Makes the input anew from the drawing and the recovery code: what the drawing must not forget."""

    def __init__(self, architecture: CPIArchitecture) -> None:
        super().__init__()
        a = architecture
        pixels = a.size**2
        self.full1 = nn.Linear(pixels + a.recovery, a.auxiliary)
        self.full2 = nn.Linear(a.auxiliary, pixels + a.poses)
        nn.init.kaiming_normal_(self.full1.weight, nonlinearity="relu")
        nn.init.zeros_(self.full1.bias)

    def forward(self, drawn: Tensor, recovery: Tensor) -> tuple[Tensor, Tensor]:
        """Turn drawings (B, S, S) and recovery codes (B, R) into inputs (B, S, S) and remote codes (B, V)."""
        y = functional.relu(self.full1(torch.cat([drawn.flatten(1), recovery], 1)))
        made = self.full2(y)
        pixels = drawn[0].numel()
        return made[:, :pixels].view_as(drawn), made[:, pixels:]


class CPINetwork(nn.Module):
    """Both networks and a linear pose head, which reads the last hidden layer and teaches it nothing."""

    def __init__(self, architecture: CPIArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.main = MainNetwork(architecture)
        self.pose = nn.Linear(architecture.features, architecture.poses)
        self.auxiliary = AuxiliaryNetwork(architecture)


def _digits(size: int, poses: int) -> Tensor:
    """((S + 4)², V) float32: which digit of the remote code each pixel of the frame shows, in turn along the
    diagonals, so that every window at the edge sees several; 0 in the picture."""
    side = size + 2 * BORDER
    row, column = torch.arange(side)[:, None], torch.arange(side)
    digits = functional.one_hot((row + column) % poses, poses).float()
    digits[BORDER:-BORDER, BORDER:-BORDER] = 0
    return digits.flatten(0, 1)


def _pooled(x: Tensor) -> Tensor:
    """Max-pooling by 2: (H, W, C, B) to (H / 2, W / 2, C, B)."""
    rows = torch.maximum(x[0::2], x[1::2])
    return torch.maximum(rows[:, 0::2], rows[:, 1::2])


def _padded(x: Tensor) -> Tensor:
    return functional.pad(x, (0, 0, 0, 0, BORDER, BORDER, BORDER, BORDER))
