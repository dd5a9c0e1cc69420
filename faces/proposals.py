"""The network that proposes where faces may be, for a surer one to judge.

It is fully convolutional and small, 1,500 multiplications a pixel, and looks at faces about ``FACE`` pixels
wide, where the judge wants 80: so a photograph costs it a tenth of the pixels.  Only its recall matters.  It
learned from rendered heads alone (``training/proposals.py``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from faces.detect import Find
from faces.errors import DetectorError
from faces.types import Box

FACE = 24
"""Pixels across the faces that the network sees on a level; a fifth more or less makes no difference."""

WEIGHTS = Path(__file__).parent / "weights" / "proposals.safetensors"

STRIDE = 4  # pixels between two answers
_STEP = 0.7  # between two levels
_BORDER = 16  # pixels of repeated edge around a level
_SMALLEST = 12  # pixels of a level's shorter side
_APART = 0.4  # intersection over union from which two proposals are one
_MOST, _CONSIDERED = 300, 1500  # proposals of one picture, and answers that they are chosen from


class ProposalNetwork(nn.Module):
    """A grey level to the odds of a face at every fourth pixel, and where it lies exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, padding=2, dilation=2), nn.ReLU()),
            nn.Conv2d(32, 4, 1),
        )

    def forward(self, level: Tensor) -> Tensor:
        """(N, 1, H, W) grey 0..255 → (N, 4, H/4, W/4).

        Log-odds of a face; how far right and down its centre lies, and how much larger it is (logarithm), all
        in faces of ``FACE`` pixels.  Answer (row, column) belongs to the point (4 column + 2, 4 row + 2).
        """
        answers: Tensor = self.layers(level / 128 - 1)
        return answers


def load_proposal_network(path: Path = WEIGHTS) -> ProposalNetwork:
    """Load the weights that come with the project; raises DetectorError if they are missing or damaged."""
    network = ProposalNetwork()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DetectorError(f"{path} cannot be read; install anotheryou again.") from error
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def propose(
    network: ProposalNetwork, grey: Image.Image, *, smallest: float, largest: float, threshold: float
) -> list[Find]:
    """Propose faces of ``smallest`` to ``largest`` pixels in a grey picture, surest first.

    Only those whose log-odds are above ``threshold``; of those that mean one face the surest.
    """
    found: list[Find] = []
    scale, level = min(1.5, FACE / smallest), grey
    while scale * largest >= FACE and scale * min(grey.size) >= _SMALLEST:
        size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
        level = level.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        found += _on_level(network, level, grey.width / size[0], grey.height / size[1], threshold)
        scale *= _STEP
    return _one_of_each(found)


def _on_level(
    network: ProposalNetwork, level: Image.Image, across: float, along: float, threshold: float
) -> list[Find]:
    """Propose faces of about ``FACE`` pixels of a level, whose pixels are so many of the picture's."""
    pixels = torch.from_numpy(np.asarray(level, np.float32))[None, None]
    with torch.inference_mode():
        given = network(F.pad(pixels, [_BORDER] * 4, mode="replicate"))  # (1, 4, h, w)
        highest = F.max_pool2d(given[:, :1], 3, stride=1, padding=1)
        there = (given[:, :1] == highest) & (highest > threshold)
        answers = given[0].numpy()
    rows, columns = np.nonzero(there[0, 0].numpy())
    score, right, down, larger = answers[:, rows, columns].astype(np.float64)
    x = (STRIDE * columns + STRIDE / 2 - _BORDER + FACE * right) * across
    y = (STRIDE * rows + STRIDE / 2 - _BORDER + FACE * down) * along
    half = FACE / 2 * np.exp(np.clip(larger, -1, 1)) * across
    boxes = np.stack([x - half, y - half, x + half, y + half], axis=1).tolist()
    return [Find(Box(*box), value) for box, value in zip(boxes, score.tolist(), strict=True)]


def _one_of_each(found: list[Find]) -> list[Find]:
    """Suppress what overlaps with something surer; vectorised, since proposals are many."""
    found = sorted(found, key=lambda one: (-one.score, one.box.left, one.box.top))[:_CONSIDERED]
    boxes = np.array([(b.left, b.top, b.right, b.bottom) for b, _ in found]).reshape(-1, 4)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.ones(len(found), bool)
    kept: list[Find] = []
    for number, one in enumerate(found):
        if left[number] and len(kept) < _MOST:
            kept.append(one)
            shared = np.minimum(boxes[number, 2:], boxes[:, 2:]) - np.maximum(boxes[number, :2], boxes[:, :2])
            common = np.prod(np.clip(shared, 0, None), axis=1)
            left &= common < _APART * (areas[number] + areas - common)
    return kept
