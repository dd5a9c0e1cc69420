"""A small network that tells what a face shows: the posteriors of a collection, by a look.

Drawing a face with every value of every attribute takes long where there are many, and tells spectacles from
a shadow only as far as drawings do.  The classifier looks once.  It has a folder of its own, and may know
attributes that no network can draw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from faces.errors import WeightsError
from faces.files import write_durably
from faces.types import Floats, Ints, Pixels
from generator.attributes import Vocabulary
from generator.available import CLASSIFIER_FILE, first_line, parse_classifier
from generator.checkpoint import digest_tensors, read_tensors

_WIDTHS = (32, 64, 128)
_HIDDEN = 256
_BATCH = 64


class ClassifierNetwork(nn.Module):
    """Three blocks of two convolutions, each halved, then two fully connected layers.

    It sees a picture as it is and standardised by its own mean and deviation, so that exposure matters little
    and darkness can still be told.
    """

    def __init__(self, size: int, values: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_block(*pair) for pair in pairwise((2, *_WIDTHS)))
        self.dropout = nn.Dropout(0.3)
        self.hidden = nn.Linear(_WIDTHS[-1] * (size // 8) ** 2, _HIDDEN)
        self.out = nn.Linear(_HIDDEN, values)

    def forward(self, x: Tensor) -> Tensor:
        """Standardised pictures (B, 1, S, S) to logits (B, A)."""
        middle = x.mean((2, 3), keepdim=True)
        spread = x.std((2, 3), keepdim=True).clamp_min(0.05)
        x = torch.cat([x, (x - middle) / spread], 1)  # (B, 2, S, S)
        for block in self.blocks:
            x = functional.max_pool2d(block(x), 2)  # (B, 32, S/2, S/2), (B, 64, S/4, S/4), (B, 128, S/8, S/8)
        x = functional.relu(self.hidden(self.dropout(x.flatten(1))))  # (B, 256)
        out: Tensor = self.out(self.dropout(x))
        return out


def _block(maps_in: int, maps_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for maps in (maps_in, maps_out):
        layers += [nn.Conv2d(maps, maps_out, 3, padding=1, bias=False), nn.BatchNorm2d(maps_out), nn.ReLU()]
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class Classifier:
    """Tells how likely a face shows each value.

    ``temperatures`` divide the logits of each attribute, so that probabilities mean what they say.
    ``mirrored`` (A,) is as ``Vocabulary.mirrored``, None if a mirrored face shows what nobody knows.
    """

    network: ClassifierNetwork
    vocabulary: Vocabulary
    mean: float
    std: float
    size: int
    temperatures: Mapping[str, float]
    mirrored: Ints | None

    def __call__(self, crops: Pixels) -> Floats:
        """Return the log-probabilities (N, A) float32 of every value, for crops (N, S, S) uint8.

        Face and mirror image are looked at, if the words allow it, and their logits averaged.
        """
        found = np.empty((len(crops), self.vocabulary.size), np.float32)
        mirrored = self.mirrored
        with torch.inference_mode():
            for start in range(0, len(crops), _BATCH):
                part = slice(start, start + _BATCH)
                x = (torch.from_numpy(crops[part].astype(np.float32)) - self.mean) / self.std
                logits = self.network(x[:, None])
                if mirrored is not None:
                    logits = (logits + self.network(x[:, None].flip(-1))[:, torch.from_numpy(mirrored)]) / 2
                found[part] = log_probabilities(logits, self.vocabulary, self.temperatures).numpy()
        return found

    def save(self, folder: Path) -> None:
        """Write it into a folder; raises OSError if that cannot be written to."""
        words = {
            "values": {group.name: list(group.values) for group in self.vocabulary.groups},
            "mean": self.mean,
            "std": self.std,
            "size": self.size,
            "temperatures": dict(self.temperatures),
            "mirrored": None if self.mirrored is None else self.mirrored.tolist(),
        }
        tensors = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        digest = _digest(words, tensors)
        content = save(tensors, metadata={"classifier": json.dumps({**words, "digest": digest})})
        write_durably(folder / CLASSIFIER_FILE, content)


def _digest(words: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    return digest_tensors(json.dumps(words, sort_keys=True), tensors)


def log_probabilities(logits: Tensor, vocabulary: Vocabulary, temperatures: Mapping[str, float]) -> Tensor:
    """Turn logits (B, A) into the log-probabilities of each attribute's values, (B, A)."""
    parts = [
        functional.log_softmax(logits[:, place] / temperatures.get(name, 1.0), 1)
        for name, place in vocabulary.places.items()
    ]
    return torch.cat(parts, 1)


def load_classifier(folder: Path) -> Classifier:
    """Read the classifier in a folder; raises WeightsError if it is none."""
    path = folder / CLASSIFIER_FILE
    try:
        found, tensors = read_tensors(path)
        vocabulary, size, digest = parse_classifier(found)
        words = json.loads(found["classifier"])
        del words["digest"]
        if digest != _digest(words, tensors):
            raise ValueError("it was changed or is damaged")
        network = ClassifierNetwork(size, vocabulary.size)
        network.load_state_dict(tensors)
        places = words["mirrored"]
        return Classifier(
            network.eval().requires_grad_(False),
            vocabulary,
            float(words["mean"]),
            float(words["std"]),
            size,
            {str(name): float(value) for name, value in words["temperatures"].items()},
            None if places is None else np.array(places, np.int64),
        )
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"{path} cannot be used ({first_line(error)}); copy the whole folder again."
        ) from None
