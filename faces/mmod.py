"""dlib's neural face detector as a torch network, with the weights that dlib itself reads.

The network is D. King's ``mmod_human_face_detector`` (http://dlib.net/dnn_mmod_face_detection_ex.cpp.html;
public domain), trained by max-margin object detection (King, arXiv 1502.00046): it answers how sure it is of
a face 80 pixels wide at every eighth pixel of every level of an image pyramid.  dlib's own processor code
takes 3.5 µs for a pixel with its pyramid; this gives the same faces fifteen times as fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from faces.boxes import overlap
from faces.detect import Find
from faces.dlib_weights import DlibWeights
from faces.errors import DetectorError
from faces.types import Box, Pixels

WINDOW = 80
"""Pixels across the faces that the network sees on a level."""

_MEAN_RGB, _SCALE = (122.782, 117.001, 104.298), 256.0
_LAYERS = ((3, 16), (16, 32), (32, 32), (32, 45), (45, 45), (45, 45))  # channels before and after
_HALVING = 3  # the first layers halve the picture
_EPSILON = 1e-4  # of the batch normalisation
# An answer (row, column) stands for a face centred on the pixel _FIRST + _STRIDE * column, and so on down.
_STRIDE, _FIRST = 8, 14
_BORDER = 11  # black pixels around a picture, as in dlib's pyramid
_STEP = 5 / 6  # between two levels
_SMALLEST = 45  # pixels of a level's shorter side, below which half a face does not fit
_NEAR, _SOFTNESS = 0.5, 0.3  # answers that place a face: their overlap with the surest, and e times less sure
_SAME = 0.3383  # intersection over union from which two finds are one, an option in the file


class MmodNetwork(nn.Module):
    """A level of a picture to scores.

    Each convolution has the normalisation after it folded in, the first that of the picture as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            # dlib pads a convolution only if it does not stride.
            nn.Conv2d(before, after, 5, *((2, 0) if number < _HALVING else (1, 2)))
            for number, (before, after) in enumerate(_LAYERS)
        )
        self.last = nn.Conv2d(_LAYERS[-1][1], 1, 9, padding=4)

    def forward(self, level: Tensor) -> Tensor:
        """(N, 3, H, W) RGB 0..255 → (N, H / 8 - 3, W / 8 - 3) about."""
        x = level
        for layer in self.layers:
            x = F.relu(layer(x), inplace=True)  # ... (N, 45, H / 8 - 3, W / 8 - 3)
        scores: Tensor = self.last(x)[:, 0]
        return scores


def load_mmod_network(path: Path) -> MmodNetwork:
    """Build the network from dlib's ``.dat`` file; raises DetectorError if it is another file."""
    network = MmodNetwork()
    try:
        content = DlibWeights(path.read_bytes())
        with torch.no_grad():
            first, *_, last = layers = [one for one in network.modules() if isinstance(one, nn.Conv2d)]
            for layer in layers:
                filters, weights = layer.out_channels, layer.weight.numel()
                numbers = content.numbers("con_4", weights + filters)
                gain, offset = np.ones(filters, np.float32), np.zeros(filters, np.float32)
                if layer is not last:
                    gain, offset = np.split(content.numbers("bn_con2", 2 * filters), 2)
                    content.skip(10)  # the shapes of both halves
                    *_, mean, variance = (content.tensor("bn_con2", filters) for _ in range(4))
                    gain = gain / np.sqrt(variance + np.float32(_EPSILON))
                    offset = offset - gain * mean
                folded = numbers[:weights].reshape(layer.weight.shape) * gain[:, None, None, None]
                if layer is first:
                    folded = folded / np.float32(_SCALE)
                    offset = offset - folded.sum(axis=(2, 3)) @ np.array(_MEAN_RGB, np.float32)
                layer.weight.copy_(torch.from_numpy(folded))
                cast(Tensor, layer.bias).copy_(torch.from_numpy(numbers[weights:] * gain + offset))
    except OSError as error:
        raise DetectorError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        reason = f"is not dlib's neural face detector ({error}); install face_recognition_models again"
        raise DetectorError(f"{path} {reason}.") from None
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def find_faces(
    network: MmodNetwork, pictures: Pixels, *, threshold: float, levels: int | None = None
) -> list[list[Find]]:
    """Find faces from ``WINDOW`` pixels on in pictures (N, H, W, 3) uint8 RGB; surest first, one of each.

    Only those with a score above ``threshold`` (0: unsure, from 1 on: sure); of the pyramid all levels, or
    only the finest ``levels``.
    """
    return [_one_of_each(found) for found in answers(network, pictures, threshold=threshold, levels=levels)]


def answers(
    network: MmodNetwork, pictures: Pixels, *, threshold: float, levels: int | None = None
) -> list[list[Find]]:
    """Return every answer of the network above ``threshold``, of which a face has several."""
    found: list[list[Find]] = [[] for _ in pictures]
    height, width = pictures.shape[1:3]
    with torch.inference_mode():
        pixels = torch.from_numpy(pictures.astype(np.float32))
        level = pixels.permute(0, 3, 1, 2)  # (N, 3, H, W), channels last
        number = 0
        while min(level.shape[2:]) >= _SMALLEST and (levels is None or number < levels):
            scores = network(F.pad(level, [_BORDER] * 4)).numpy()
            across, down = width / level.shape[3], height / level.shape[2]
            for one, row, column in zip(*np.nonzero(scores > threshold), strict=True):
                x, y = (_FIRST - _BORDER + 0.5 + _STRIDE * int(place) for place in (column, row))
                half = WINDOW / 2
                box = Box((x - half) * across, (y - half) * down, (x + half) * across, (y + half) * down)
                found[one].append(Find(box, float(scores[one, row, column])))
            smaller = [round(side * _STEP) for side in level.shape[2:]]
            level = F.interpolate(level, smaller, mode="bilinear", align_corners=True)
            number += 1
    return found


def _one_of_each(finds: list[Find]) -> list[Find]:
    """Keep the surest of the answers that mean one face, placed between all of these.

    dlib leaves its box where it is, on the grid of answers and levels; the mean makes the landmarks, which
    follow the box, two to three times as steady.
    """
    kept: list[Find] = []
    for find in sorted(finds, key=lambda find: (-find.score, find.box.left, find.box.top)):
        if not any(overlap(find.box, other.box) > _SAME for other in kept):
            kept.append(find)
    placed = []
    for surest in kept:
        near = [find for find in finds if overlap(find.box, surest.box) > _NEAR]
        weights = np.exp([(find.score - surest.score) / _SOFTNESS for find in near])
        sides = weights @ np.array([find.box.sides for find in near]) / weights.sum()
        placed.append(Find(Box(*sides.tolist()), surest.score))
    return placed
