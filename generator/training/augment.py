"""Pictures altered on their way into a batch; why each change is made is said in ``recipes.Augmentation``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from generator.training.recipes import Augmentation

_LEVELS = 255.0


def mirror(pictures: Tensor, chosen: Tensor) -> Tensor:
    """``pictures`` (B, S, S) with those where ``chosen`` (B,) bool is true mirrored left to right."""
    return torch.where(chosen[:, None, None], pictures.flip(-1), pictures)


def shared_changes(
    pictures: Sequence[Tensor], groups: Tensor, settings: Augmentation, rng: torch.Generator
) -> list[Tensor]:
    """The same gain, offset and tone curve on all pictures of each pair and on all pairs of a group.

    Each of ``pictures`` is (B, S, S) float32 in 0..255, ``groups`` (B,) int64; the result is alike.
    """
    count = int(groups.max()) + 1
    draws = (torch.rand(3, count, generator=rng) * 2 - 1).to(pictures[0].device)[:, groups, None, None]
    gain, exponent = (settings.gain * draws[0]).exp(), (settings.gamma * draws[1]).exp()
    offset = settings.offset * draws[2]

    def change(part: Tensor) -> Tensor:
        curved = _LEVELS * (part / _LEVELS).clamp(0, 1) ** exponent
        return (curved * gain + offset).clamp(0, _LEVELS)

    return [change(part) for part in pictures]


def degrade(pictures: Tensor, settings: Augmentation, rng: torch.Generator) -> Tensor:
    """Crop error, blur and noise, drawn for each picture (B, S, S) float32 in 0..255 by itself."""
    count, size = pictures.shape[0], pictures.shape[-1]
    device = pictures.device
    draws = (torch.rand(7, count, generator=rng)).to(device)
    grain = torch.randn(pictures.shape, generator=rng).to(device)
    chosen = (draws[0] < settings.degraded).float()
    changed = _misplace(pictures, draws[1:5] * 2 - 1, chosen, settings)
    changed = _blur(changed, chosen * draws[5] * settings.blur * size / 32)
    changed = changed + grain * (chosen * draws[6] * settings.noise)[:, None, None]
    return changed.clamp(0, _LEVELS)


def _misplace(pictures: Tensor, draws: Tensor, chosen: Tensor, settings: Augmentation) -> Tensor:
    """Each picture moved, turned and scaled by its ``draws`` (4, B) in -1..1; edges are repeated."""
    angle = math.radians(settings.turn) * draws[0] * chosen
    scale = (settings.zoom * draws[1] * chosen).exp()
    shift = settings.shift * 2 / 32 * draws[2:4] * chosen  # a picture is 2 wide in grid_sample's coordinates
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], 1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, [len(pictures), 1, *pictures.shape[1:]], align_corners=False)
    moved = functional.grid_sample(
        pictures[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return moved[:, 0]


def _blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """A separable Gaussian blur of ``sigma`` (B,) pixels each, five samples wide."""
    count = len(pictures)
    offsets = torch.arange(-2, 3, device=pictures.device).float()
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-2)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    padded = functional.pad(pictures[None], (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(count, 1, 1, 5), groups=count)
    return functional.conv2d(rows, kernel.view(count, 1, 5, 1), groups=count)[0]
