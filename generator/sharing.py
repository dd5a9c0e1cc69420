"""The two networks with what several wishes for one face have in common computed once.

Stage 1 encodes the picture without knowing the wish, and the wish without knowing the picture.  Its first
fusing convolution is linear, so the picture's part and the wish's part can be computed apart and added; the
wish's part is a table with a row for each code.  (The first convolution of stage 2 is linear too, but its
source part is so small that adding it costs more than computing it again: 0.020 against 0.013 ms a picture.)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from generator.networks import TwoStage


class SharedWork:
    """``network`` on its device and in float32; ``wishes`` (V, A) the one-hot vectors of all codes.

    The work is done in ``dtype``; the network given is converted to it.  ``attribute_maps`` (V, 7, H, H)
    float32 is what stage 1 makes of each wish.
    """

    def __init__(self, network: TwoStage, wishes: Tensor, dtype: torch.dtype) -> None:
        stage1 = network.stage1
        fuse = stage1.fuse1.weight  # (64, 71, 3, 3)
        maps = fuse.shape[1] - stage1.attribute_shape[0]
        attribute = stage1.encode_attribute(wishes)  # (V, 7, H, H)
        self.attribute_maps = attribute
        table = functional.conv2d(attribute, fuse[:, maps:], stage1.fuse1.bias, padding=1)  # (V, 64, H, H)
        self._table = table.permute(0, 2, 3, 1).to(dtype).contiguous()  # (V, H, H, 64)
        self._fuse = fuse[:, :maps].to(dtype).contiguous(memory_format=torch.channels_last)
        self._network = network.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types forget it

    @property
    def codes(self) -> int:
        """V, how many codes there are."""
        return len(self._table)

    def look(self, x: Tensor) -> Tensor:
        """Turn pictures (B, 1, S, S) into their part of the first fused maps, (B, H, H, 64)."""
        maps = functional.conv2d(self._network.stage1.encode_image(x), self._fuse, padding=1)
        return maps.permute(0, 2, 3, 1)

    def draw_each(self, x: Tensor, wishes: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Draw each picture (B, 1, S, S) with its own code (B,), or its own mixture of the codes (B, V).

        Returns stage 1's and stage 2's pictures (B, 1, S, S) and the middle layers of stage 2.

        What encodes a wish is linear, so that mixing its maps is the same as encoding the mixture.
        """
        if wishes.ndim == 1:
            return self._draw(x, self.look(x) + self._table[wishes])
        table = self._table.flatten(1)
        mixed = (wishes.to(table.dtype) @ table).view(-1, *self._table.shape[1:])
        return self._draw(x, self.look(x) + mixed)

    def draw_all(self, x: Tensor, looked: Tensor, codes: slice) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Draw each of F pictures with each of K codes: face 0 with all codes, face 1, ...

        Returns F·K pictures as ``draw_each`` does.  ``looked`` is what ``look`` made of ``x``.
        """
        first = (looked[:, None] + self._table[codes][None]).flatten(0, 1)  # (F * K, H, H, 64)
        return self._draw(x.repeat_interleave(len(first) // len(x), 0), first)

    def _draw(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        drawn = self._network.stage1.draw(first.permute(0, 3, 1, 2))
        image, layers = self._network.stage2.all_layers(x, drawn)
        return drawn, image, layers
