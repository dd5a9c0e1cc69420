"""CPI's network and preprocessing in one: grey faces in, drawn faces and descriptors out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.cpi.network import CPINetwork
from baselines.cpi.weights import CPIConfig, read_cpi
from facedata.labelled import Words, number_of
from faces.errors import WeightsError, WishError
from faces.types import Floats, Ints
from generator.training.precision import autocast, pick_precision

_BATCH = 128
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Turned:
    """N faces drawn in a pose each."""

    pictures: Floats
    """(N, S · S) float32, standardised: 0 is the mean grey level of the training faces."""
    recovery: Floats
    """(N, R) float32: what the drawing does not show of the input, its light above all."""
    hidden: Floats
    """(N, D) float32: the last hidden layer."""
    told: Floats
    """(N, V) float32: how likely each pose of the input is to the pose head, as seen from this drawing."""


class CPIModel:
    """Turns faces and tells their pose, on the processor, in batches of bounded memory.

    Computed in bfloat16 where the hardware multiplies it, as our own networks are.
    """

    def __init__(self, network: CPINetwork, config: CPIConfig, *, name: str, weights_id: str) -> None:
        self.config = config
        self.name = name
        self.weights_id = weights_id
        self._main, self._head = network.main.eval(), network.pose.eval()
        self._remote = torch.eye(config.architecture.poses)
        self._dtype = pick_precision("auto", _CPU)

    def codes_of(self, words: Words) -> Ints:
        """(N,) int64 codes of (N,) words; raises WishError for a pose that was not learned."""
        known = {word: code for code, word in enumerate(self.config.poses)}
        known |= {str(number_of(word)): code for code, word in enumerate(self.config.poses)}
        codes = np.empty(len(words), np.int64)
        for place, word in enumerate(words.tolist()):
            code = known.get(word, known.get(str(number_of(word))))
            if code is None:
                poses = ", ".join(self.config.poses)
                raise WishError(f"CPI has not learned the pose {word!r}; choose one of: {poses}.")
            codes[place] = code
        return codes

    def turn(self, crops: NDArray[np.uint8], codes: Ints) -> Turned:
        """Draw faces (N, S, S) uint8, each in the pose of its code (N,) int64.

        Raises WeightsError where the faces have another size.
        """
        parts = [self._turned(x, codes[part]) for part, x in self._standardised(crops)]
        return _joined(parts, self.config)

    def turn_stepwise(self, crops: NDArray[np.uint8], codes: Ints) -> Turned:
        """The same in steps of one pose, each drawing fed back in to be turned further (recurrent rotation).

        A face starts from the pose it is told to have; one that is already there is drawn once.
        """
        parts = []
        for part, x in self._standardised(crops):
            at, goal = self._tell(x), codes[part]
            done = self._turned(x, at + np.sign(goal - at))
            at = at + np.sign(goal - at)
            while np.any(at != goal):
                at = at + np.sign(goal - at)
                pictures = torch.from_numpy(done.pictures).view(x.shape)
                done = self._turned(pictures, at)
            parts.append(done)
        return _joined(parts, self.config)

    def tell_poses(self, crops: NDArray[np.uint8]) -> Ints:
        """(N,) int64 codes of the poses that the pose head tells faces (N, S, S) uint8 to have.

        Raises WeightsError where the faces have another size.
        """
        told = [self._tell(x) for _, x in self._standardised(crops)]
        return np.concatenate([np.empty(0, np.int64), *told])

    @torch.inference_mode()
    def _turned(self, x: Tensor, codes: Ints) -> Turned:
        with autocast(_CPU, self._dtype):
            drawn, recovery, hidden = self._main(x, self._remote[torch.from_numpy(codes)])
            told = torch.softmax(self._head(hidden).float(), 1)
        drawn, recovery, hidden = drawn.float(), recovery.float(), hidden.float()
        return Turned(drawn.flatten(1).numpy(), recovery.numpy(), hidden.numpy(), told.numpy())

    def _tell(self, x: Tensor) -> Ints:
        """Summed over the drawings in all poses, so that none of them is favoured."""
        views = [self._turned(x, np.full(len(x), code)).told for code in range(len(self._remote))]
        return np.asarray(np.sum(views, axis=0).argmax(1))

    def _standardised(self, crops: NDArray[np.uint8]) -> Iterator[tuple[slice, Tensor]]:
        """Batches of faces: where they stand, and (B, S, S) float32."""
        size = self.config.geometry.size
        if crops.ndim != 3 or crops.shape[1:] != (size, size):
            raise WeightsError(
                f"the weights {self.name} take faces of {size}×{size} pixels, not {crops.shape[1:]}; read "
                "the faces with the geometry of the weights."
            )
        for start in range(0, len(crops), _BATCH):
            part = slice(start, start + _BATCH)
            levels = torch.from_numpy(crops[part].astype(np.float32))
            yield part, (levels - self.config.mean) / self.config.std


def load_cpi(name_or_folder: str | Path = "cpi-32") -> CPIModel:
    """The weights that come with the project, by name, or those in a folder; raises WeightsError."""
    network, config, identity = read_cpi(name_or_folder)
    return CPIModel(network, config, name=Path(name_or_folder).name, weights_id=identity)


def _joined(parts: list[Turned], config: CPIConfig) -> Turned:
    a = config.architecture
    return Turned(
        np.concatenate([np.empty((0, a.size**2), np.float32), *(part.pictures for part in parts)]),
        np.concatenate([np.empty((0, a.recovery), np.float32), *(part.recovery for part in parts)]),
        np.concatenate([np.empty((0, a.features), np.float32), *(part.hidden for part in parts)]),
        np.concatenate([np.empty((0, a.poses), np.float32), *(part.told for part in parts)]),
    )
