"""Unpooling followed by a 3x3 convolution, plainly and without multiplying zeros.

The paper's unpooling (section 3.1, after Dosovitskiy et al. 2015) puts each value in the top left corner of
a 2x2 block of zeros, so three quarters of the products of the convolution after it are with zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def unpool(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2 H, 2 W): values at even rows and columns, zeros elsewhere."""
    batch, maps, height, width = x.shape
    out = x.new_zeros(batch, maps, 2 * height, 2 * width)
    out[:, :, ::2, ::2] = x
    return out


def unpool_conv_plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``unpool`` and then the 3x3 convolution, as the paper says it: the oracle of the others."""
    return functional.conv2d(unpool(x), weight, bias, padding=1)


def unpool_conv_transposed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as one transposed convolution of stride 2.

    Output y gathers input i by tap d where 2 i = y + d - 1 in the plain form, and by tap y - 2 i + 1 in the
    transposed one: the taps are mirrored.
    """
    mirrored = weight.flip(2, 3).transpose(0, 1)
    return functional.conv_transpose2d(x, mirrored, bias, stride=2, padding=1, output_padding=1)


def unpool_conv_split(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as four small convolutions, one for each parity of output row and column, interleaved.

    An even row sees the values only through the middle tap; an odd row its own through the first tap and
    those one further down through the last.
    """
    batch, _, height, width = x.shape
    padded = functional.pad(x, (0, 1, 0, 1))  # (B, C, H + 1, W + 1)
    even, odd = slice(1, 2), slice(0, 3, 2)
    out = x.new_empty(batch, weight.shape[0], 2 * height, 2 * width)
    parts = [
        functional.conv2d(padded[:, :, : height + rows, : width + columns], weight[:, :, down, across], bias)
        for rows, down in ((0, even), (1, odd))
        for columns, across in ((0, even), (1, odd))
    ]
    together = torch.stack(parts, 2).view(batch, -1, 2, 2, height, width)
    out = together.permute(0, 1, 4, 2, 5, 3).reshape(batch, -1, 2 * height, 2 * width)
    return out


class UnpoolConv(nn.Conv2d):
    """Unpooling and a 3x3 convolution with padding 1; its parameters are those of the convolution alone."""

    def __init__(self, maps_in: int, maps_out: int) -> None:
        super().__init__(maps_in, maps_out, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', 2 H, 2 W)."""
        if self.bias is None:
            raise ValueError("the convolution after unpooling has a bias")
        return unpool_conv_plain(x, self.weight, self.bias)
