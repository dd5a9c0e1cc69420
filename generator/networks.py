"""The two networks of Ghodrati, Jia, Pedersoli and Tuytelaars, "Towards Automatic Image Editing: Learning to
See another You" (2015), layer for layer: section 3.1 (generation) and 3.2 (refinement).

Pictures are standardised, (grey level - mean) / std.  In the shape comments B is the batch, S the side of a
picture (32 in the paper), H = S / 2, A the length of the one-hot vectors; the numbers are the paper's widths.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.architecture import Architecture

WISH_LAYERS = tuple(f"stage1.attribute{layer}.{what}" for layer in (1, 2) for what in ("weight", "bias"))
"""The parameters of the two layers that encode a wish."""


class UnpoolConv(nn.Conv2d):
    """Unpooling and a 3x3 convolution with padding 1; its parameters are those of the convolution alone.

    The paper's unpooling (section 3.1, after Dosovitskiy et al. 2015) puts each value in the top left corner
    of a 2x2 block of zeros, so three quarters of the products of the convolution after it are with zeros.
    """

    def __init__(self, maps_in: int, maps_out: int) -> None:
        super().__init__(maps_in, maps_out, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', 2 H, 2 W)."""
        if self.bias is None:
            raise ValueError("the convolution after unpooling has a bias")
        return unpool_conv(x, self.weight, self.bias)


def unpool_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Both as one transposed convolution of stride 2, which never multiplies the zeros.

    Plainly, output y takes input i with tap d if 2 i = y + d - 1; a transposed convolution takes it with tap
    y - 2 i + 1, so the taps are mirrored.  The bias is added afterwards because its gradient inside the
    library's convolution takes longer than everything else, and in the output's type since mixing is slow.
    """
    mirrored = weight.flip(2, 3).transpose(0, 1)
    out = functional.conv_transpose2d(x, mirrored, stride=2, padding=1, output_padding=1)
    return out.add_(bias.to(out.dtype)[:, None, None])


class GenerationNetwork(nn.Module):
    """Stage 1: draws a face anew with the wished attribute (section 3.1, figure 3)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.attribute_shape = (a.attribute_maps, a.half, a.half)
        # Image encoding
        self.image1 = _conv(1, a.maps)
        self.image2 = _conv(a.maps, a.maps)
        # Attribute encoding; the paper puts no ReLU after these layers
        self.attribute1 = nn.Linear(a.attribute_size, a.attribute_hidden)
        self.attribute2 = nn.Linear(a.attribute_hidden, a.attribute_maps * a.half**2)
        # Fusion
        self.fuse1 = _conv(a.maps + a.attribute_maps, a.maps)
        self.fuse2 = _conv(a.maps, a.fused_maps)
        self.fuse3 = _conv(a.fused_maps, a.fused_maps)
        self.fuse4 = _conv(a.fused_maps, a.maps)
        # Decoding
        self.decode1 = UnpoolConv(a.maps, a.maps)
        self.decode2 = _conv(a.maps, 1)
        _initialise(self)

    def encode_image(self, x: Tensor) -> Tensor:
        """Maps of a picture, which are the same whatever is wished for."""
        x = functional.relu(self.image1(x))  # (B, 1, S, S) -> (B, 64, S, S)
        x = functional.relu(self.image2(x))  # (B, 64, S, S)
        return functional.max_pool2d(x, 2)  # (B, 64, H, H)

    def encode_attribute(self, one_hot: Tensor) -> Tensor:
        """Maps of a wish, which are the same whatever the picture."""
        a: Tensor = self.attribute2(self.attribute1(one_hot))  # (B, A) -> (B, 512) -> (B, 1792)
        return a.view(-1, *self.attribute_shape)  # (B, 7, H, H)

    def draw(self, first: Tensor) -> Tensor:
        """Fuse and decode, after the first fusing convolution, which is linear and can be shared."""
        x = functional.relu(first)  # (B, 64, H, H)
        x = functional.relu(self.fuse2(x))  # (B, 128, H, H)
        x = functional.relu(self.fuse3(x))  # (B, 128, H, H)
        x = functional.relu(self.fuse4(x))  # (B, 64, H, H)
        x = functional.relu(self.decode1(x))  # unpooled, (B, 64, S, S)
        out: Tensor = self.decode2(x)  # (B, 1, S, S), linear: standardised values have both signs
        return out

    def forward(self, x: Tensor, one_hot: Tensor) -> Tensor:
        """(B, 1, S, S) pictures and (B, A) one-hot wishes to (B, 1, S, S) pictures."""
        fused = torch.cat([self.encode_image(x), self.encode_attribute(one_hot)], 1)  # (B, 71, H, H)
        return self.draw(self.fuse1(fused))  # (B, 64, H, H) -> (B, 1, S, S)


class RefinementNetwork(nn.Module):
    """Stage 2: draws stage 1's picture again, with the source beside it (section 3.2)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.conv1 = _conv(2, a.maps)
        self.conv2 = _conv(a.maps, a.maps)
        self.conv3 = _conv(a.maps, a.fused_maps)
        self.conv4 = _conv(a.fused_maps, a.fused_maps)
        self.conv5 = _conv(a.fused_maps, a.fused_maps)
        self.conv6 = _conv(a.fused_maps, a.maps)
        self.conv7 = UnpoolConv(a.maps, a.maps)
        self.conv8 = _conv(a.maps, 1)
        _initialise(self)

    def forward(self, x: Tensor, drawn: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Source and stage 1's picture, (B, 1, S, S) each, to the final picture (B, 1, S, S) and the maps
        of every one of FEATURE_LAYERS by its name."""
        first = self.conv1(torch.cat([x, drawn], 1))  # (B, 2, S, S) -> (B, 64, S, S)
        layers: dict[str, Tensor] = {}
        layers["conv1"] = x = functional.relu(first)  # (B, 64, S, S)
        layers["conv2"] = x = functional.relu(self.conv2(x))  # (B, 64, S, S)
        layers["pool"] = x = functional.max_pool2d(x, 2)  # (B, 64, H, H)
        layers["conv3"] = x = functional.relu(self.conv3(x))  # (B, 128, H, H)
        layers["conv4"] = x = functional.relu(self.conv4(x))  # (B, 128, H, H)
        layers["conv5"] = x = functional.relu(self.conv5(x))  # (B, 128, H, H)
        layers["conv6"] = x = functional.relu(self.conv6(x))  # (B, 64, H, H)
        layers["conv7"] = x = functional.relu(self.conv7(x))  # unpooled, (B, 64, S, S)
        return self.conv8(x), layers  # (B, 1, S, S), linear


class TwoStage(nn.Module):
    """Both networks, one after the other."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.stage1 = GenerationNetwork(architecture)
        self.stage2 = RefinementNetwork(architecture)

    def forward(self, x: Tensor, one_hot: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 1, S, S) and wishes (B, A) to stage 1's pictures (B, 1, S, S), stage 2's pictures
        (B, 1, S, S) and the features that are searched with (B, D), L2-normalised."""
        drawn = self.stage1(x, one_hot)  # (B, 1, S, S)
        image, layers = self.stage2(x, drawn)  # (B, 1, S, S)
        return drawn, image, as_features(layers[self.architecture.feature_layer])  # (B, 16384)


def collapsed(network: TwoStage) -> TwoStage:
    """Return the same network with the layers for the wish as narrow as can be.

    No ReLU stands between them, so that both are one matrix; for many values it is a fraction of them.
    """
    first, second = network.stage1.attribute1, network.stage1.attribute2
    size = first.in_features
    found = TwoStage(replace(network.architecture, attribute_hidden=size))
    weights = network.state_dict()
    product = second.weight.double() @ first.weight.double()
    shift = second.weight.double() @ first.bias.double() + second.bias.double()
    for name, value in zip(
        WISH_LAYERS, (torch.eye(size), torch.zeros(size), product.float(), shift.float()), strict=True
    ):
        weights[name] = value
    found.load_state_dict(weights)
    return found.train(network.training)


def widened(weights: dict[str, Tensor], hidden: int) -> dict[str, Tensor]:
    """Give weights by which a network with ``hidden`` outputs of the first layer for the wish draws the same.

    What is added is heard by nobody until it is trained.
    """
    weight1, bias1, weight2, bias2 = (weights[name] for name in WISH_LAYERS)
    more = hidden - len(weight1)
    beside = torch.randn(len(weight2), more) * (2 / hidden) ** 0.5  # as He et al. (2015), eq. 10
    wider = functional.pad(weight1, (0, 0, 0, more)), functional.pad(bias1, (0, more))
    return weights | dict(zip(WISH_LAYERS, (*wider, torch.cat([weight2, beside], 1), bias2), strict=True))


def as_features(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) as vectors (B, H * W * C) float32 of length 1 (or 0), ordered row, column, map."""
    flat = maps.permute(0, 2, 3, 1).flatten(1).float()  # no copy where the maps lie channels last
    return functional.normalize(flat, dim=1)


def _conv(maps_in: int, maps_out: int) -> nn.Conv2d:
    return nn.Conv2d(maps_in, maps_out, kernel_size=3, padding=1)


def _initialise(network: nn.Module) -> None:
    """He et al. (2015), eq. 10, for all layers: normal weights of variance 2 / fan-in, biases 0.

    Weights without memory are left alone: a file's will take their place, and torch would load its compiler
    for them, which takes longer than all else that a search has to load.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
