"""How pictures are altered on their way into a batch, as ``recipes.Augmentation`` says."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generator.training.data import Stream
from generator.training.recipes import Augmentation

_LEVELS = 255.0


def augmentation_numbers(seed: int, step: int) -> torch.Generator:
    """Open the numbers by which the pictures of batch number ``step`` are altered."""
    stream = np.random.SeedSequence([seed, Stream.AUGMENTATION, step])
    high, low = stream.generate_state(2, np.uint32).tolist()
    return torch.Generator().manual_seed(high << 31 ^ low)


def mirror(pictures: Tensor, chosen: Tensor) -> Tensor:
    """Return pictures (B, S, S), those with ``chosen`` (B,) bool true mirrored left to right."""
    return torch.where(chosen[:, None, None], pictures.flip(-1), pictures)


def shared_changes(
    pictures: list[Tensor], groups: Tensor, settings: Augmentation, rng: torch.Generator
) -> list[Tensor]:
    """Apply the same gain, offset and tone curve to all pictures of each pair and to all pairs of a group.

    Each of ``pictures`` is (B, S, S) float32 in 0..255, ``groups`` (B,) int64; the result is alike.
    """
    draws = (torch.rand(3, int(groups.max()) + 1, generator=rng) * 2 - 1)[:, groups, None, None]
    gain, exponent = (settings.gain * draws[0]).exp(), (settings.gamma * draws[1]).exp()
    offset = settings.offset * draws[2]
    curved = [_LEVELS * (part / _LEVELS).clamp(0, 1) ** exponent for part in pictures]
    return [(part * gain + offset).clamp(0, _LEVELS) for part in curved]


def degrade(pictures: Tensor, settings: Augmentation, rng: torch.Generator) -> Tensor:
    """Alter each picture (B, S, S) float32 in 0..255 by itself: its crop, lens, sensor, tones and file."""
    count = len(pictures)
    draws = torch.rand(7, count, generator=rng)
    grain = torch.randn(pictures.shape, generator=rng)
    chosen = (draws[0] < settings.degraded).float()
    either, some, free = torch.zeros(11, count), torch.zeros(4, count), torch.zeros(4, count)
    if settings.as_photographs:
        either = (torch.rand(11, count, generator=rng) * 2 - 1) * chosen
        some = (torch.rand(4, count, generator=rng) * 2 - 1).clamp_min(0) * chosen  # half of them nought
        free = torch.rand(4, count, generator=rng)
    changed = _misplace(pictures, torch.cat([(draws[1:5] * 2 - 1) * chosen, either[:9]]), settings)
    if settings.cover:
        changed = _cover(changed, settings.cover * some[0], 2 * math.pi * free[0], 100 * free[1])
    if settings.motion:
        changed = _motion_blur(changed, settings.motion * some[1], math.pi * free[2])
    changed = _blur(changed, chosen * draws[5] * settings.blur * pictures.shape[-1] / 32)
    if settings.sampling:
        changed = _resample(changed, 1 + settings.sampling * some[2])
    changed = changed + grain * (chosen * draws[6] * settings.noise)[:, None, None]
    if settings.contrast or settings.tone:
        changed = _tones(changed, (settings.contrast * either[9]).exp(), (settings.tone * either[10]).exp())
    if settings.blocks:
        changed = _compress(changed, settings.blocks * some[3], int(8 * free[3, 0]))
    return changed.clamp(0, _LEVELS)


def _misplace(pictures: Tensor, draws: Tensor, settings: Augmentation) -> Tensor:
    """Turn, scale, move and stretch each picture, and move its four corners, by its ``draws`` (13, B) in
    -1..1; edges are repeated."""
    angle = math.radians(settings.turn) * draws[0]
    scale = (settings.zoom * draws[1]).exp()
    shift = settings.shift * 2 / 32 * draws[2:4]  # a picture is 2 wide in grid_sample's coordinates
    wide = (settings.aspect / 2 * draws[4]).exp()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([wide * cosine, -sine * wide, shift[0], sine / wide, cosine / wide, shift[1]], 1)
    size = [len(pictures), 1, *pictures.shape[1:]]
    grid = functional.affine_grid(matrix.view(-1, 2, 3), size, align_corners=False)
    if settings.corners:
        corners = settings.corners * 2 * draws[5:].T.reshape(-1, 2, 2, 2)
        grid = grid + functional.interpolate(corners, size[2:], mode="bilinear", align_corners=True).permute(
            0, 2, 3, 1
        )
    return functional.grid_sample(
        pictures[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )[:, 0]


def _cover(pictures: Tensor, depth: Tensor, angle: Tensor, level: Tensor) -> Tensor:
    """Hide what lies beyond a straight edge that reaches in from the border by ``depth`` (B,) of the side, as
    a collar, a hand or another head does; ``angle`` says from where, ``level`` (B,) how bright it is."""
    side = pictures.shape[-1]
    place = (torch.arange(side) + 0.5) * 2 / side - 1
    across, down = angle.cos()[:, None, None], angle.sin()[:, None, None]
    far = across * place[None, None, :] + down * place[None, :, None]  # (B, S, S)
    edge = across.abs() + down.abs() - 2 * depth[:, None, None]
    part = ((far - edge) * side / 2).clamp(0, 1)  # one pixel of transition
    return pictures + part * (level[:, None, None] - pictures)


def _motion_blur(pictures: Tensor, length: Tensor, angle: Tensor) -> Tensor:
    """Blur along a line of ``length`` (B,) pixels of 32, up to 4, in the direction ``angle`` (B,)."""
    count = len(pictures)
    half = (length * pictures.shape[-1] / 32 / 2).clamp(max=2)[:, None, None]
    place = torch.arange(-2.0, 3.0)
    along = (
        angle.cos()[:, None, None] * place[None, None, :] + angle.sin()[:, None, None] * place[None, :, None]
    )
    beside = (
        angle.cos()[:, None, None] * place[None, :, None] - angle.sin()[:, None, None] * place[None, None, :]
    )
    kernel = (1 - beside.abs()).clamp_min(0) * (half + 0.5 - along.abs()).clamp(0, 1)
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    kernel = torch.where(half > 0, kernel, (place[:, None].abs() + place.abs() == 0).float())
    padded = functional.pad(pictures[None], (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(padded, kernel[:, None], groups=count)[0]


def _resample(pictures: Tensor, factor: Tensor) -> Tensor:
    """Shrink each picture by its ``factor`` (B,) from 1 on and enlarge it again, as small faces are."""
    side = pictures.shape[-1]
    sides = (side / factor).round().clamp(1, side).long()
    matrix = torch.stack([_resampling(side, one) for one in sides.tolist()])  # (B, S, S)
    return matrix @ pictures @ matrix.transpose(1, 2)


@lru_cache(maxsize=256)
def _resampling(side: int, smaller: int) -> Tensor:
    """What shrinking a row of ``side`` pixels by area and enlarging it again is, as a matrix."""
    if side == smaller:
        return torch.eye(side)
    rows = torch.eye(side)[:, None]  # (S, 1, S)
    small = functional.interpolate(rows, smaller, mode="area")
    return functional.interpolate(small, side, mode="linear")[:, 0].T.contiguous()


def _tones(pictures: Tensor, contrast: Tensor, exponent: Tensor) -> Tensor:
    """Spread grey levels about the picture's mean by ``contrast`` (B,) and bend them by ``exponent`` (B,)."""
    mean = pictures.mean((1, 2), keepdim=True)
    spread = (mean + (pictures - mean) * contrast[:, None, None]).clamp(0, _LEVELS)
    return _LEVELS * (spread / _LEVELS) ** exponent[:, None, None]


def _compress(pictures: Tensor, strength: Tensor, offset: int) -> Tensor:
    """Round the frequencies of blocks of 8 x 8 pixels as JPEG does, by ``strength`` (B,) times its table for
    quality 50.  The first block begins ``offset`` (0..7) pixels outside: a face is cut from a photograph."""
    count, side = len(pictures), pictures.shape[-1]
    after = -(side + offset) % 8
    padded = functional.pad(pictures[None], (offset, after, offset, after), mode="replicate")[0]
    cosines, table = _frequencies()
    across = padded.shape[-1] // 8
    blocks = padded.view(count, across, 8, across, 8).transpose(2, 3)  # (B, rows, columns, 8, 8)
    step = strength.view(count, 1, 1, 1, 1) * table
    found = cosines @ blocks @ cosines.T
    found = torch.where(step > 0, (found / step.clamp_min(1e-6)).round() * step, found)
    again = (cosines.T @ found @ cosines).transpose(2, 3).reshape(padded.shape)
    return again[:, offset : offset + side, offset : offset + side]


@lru_cache(maxsize=1)
def _frequencies() -> tuple[Tensor, Tensor]:
    """The discrete cosine transform (8, 8) and JPEG's table for brightness (8, 8): ITU-T T.81, annex K."""
    place = torch.arange(8.0)
    cosines = torch.cos(math.pi / 8 * (place + 0.5) * place[:, None]) / 2
    cosines[0] /= math.sqrt(2)
    table = torch.tensor(
        [
            [16, 11, 10, 16, 24, 40, 51, 61],
            [12, 12, 14, 19, 26, 58, 60, 55],
            [14, 13, 16, 24, 40, 57, 69, 56],
            [14, 17, 22, 29, 51, 87, 80, 62],
            [18, 22, 37, 56, 68, 109, 103, 77],
            [24, 35, 55, 64, 81, 104, 113, 92],
            [49, 64, 78, 87, 103, 121, 120, 101],
            [72, 92, 95, 98, 112, 100, 103, 99],
        ],
        dtype=torch.float32,
    )
    return cosines, table


def _blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Blur by a separable Gaussian of ``sigma`` (B,) pixels each, five samples wide."""
    count = len(pictures)
    kernel = torch.exp(-0.5 * (torch.arange(-2.0, 3.0) / sigma.clamp_min(1e-2)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    padded = functional.pad(pictures[None], (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(count, 1, 1, 5), groups=count)
    return functional.conv2d(rows, kernel.view(count, 1, 5, 1), groups=count)[0]
