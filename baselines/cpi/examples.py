"""What CPI learns from: a face, a pose to turn it to, and the picture that shall come of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedata.labelled import number_of
from faces.errors import TrainingError
from generator.training.data import PairSet, TrainingData, mirrored_codes

SAME_LIGHT = "same"
_STREAM = 11


@dataclass(frozen=True)
class Examples:
    """B examples, standardised: (grey level - mean) / std."""

    source: Tensor
    """(B, S, S) float32, what is turned."""
    target: Tensor
    """(B, S, S) float32, the same person in the pose of ``codes``, in the light that shall be drawn."""
    codes: Tensor
    """(B,) int64 poses to turn to, the source's own among them."""
    own: Tensor
    """(B,) int64 poses of the sources."""


class ExampleMaker:
    """Examples from a set of faces; the same seed and step always give the same ones.

    ``light`` is the word of the light that every target has, or ``same``: the light of its source.
    With ``mirror`` half of them are mirrored.
    Raises TrainingError where nobody was photographed so.
    """

    def __init__(
        self,
        faces: PairSet,
        data: TrainingData,
        *,
        light: str,
        batch: int,
        seed: int,
        mirror: bool = False,
    ) -> None:
        self._crops, self._mean, self._std = torch.from_numpy(faces.faces.crops), data.mean, data.std
        self._codes, self._batch, self._seed = faces.codes, batch, seed
        poses = len(data.vocabulary.combinations)
        self.targets = target_rows(faces, poses=poses, light=light)
        self.sources = np.flatnonzero((self.targets >= 0).all(1))
        if not len(self.sources):
            wanted = "in one light" if light == SAME_LIGHT else f"in the light {light!r}"
            known = ", ".join(faces.faces.values("light")) or "none"
            raise TrainingError(
                f"Nobody in {faces.faces.name} was photographed in all {poses} poses {wanted}; its lights "
                f"are: {known}."
            )
        self._mirrored = mirrored_codes(data.vocabulary) if mirror else None

    def __call__(self, step: int) -> Examples:
        """Examples number ``step``: random faces, each with a random pose; half of them mirrored."""
        rng = np.random.default_rng([self._seed, _STREAM, step])
        rows = self.sources[rng.integers(0, len(self.sources), self._batch)]
        codes = rng.integers(0, self.targets.shape[1], self._batch)
        own = self._codes[rows]
        source = self._crops[rows].float()
        target = self._crops[self.targets[rows, codes]].float()
        if self._mirrored is not None:
            turned = rng.random(self._batch) < 0.5
            chosen = torch.from_numpy(turned)[:, None, None]
            source, target = (torch.where(chosen, part.flip(-1), part) for part in (source, target))
            codes, own = (np.where(turned, self._mirrored[part], part) for part in (codes, own))
        source, target = ((part - self._mean) / self._std for part in (source, target))
        return Examples(source, target, torch.from_numpy(codes), torch.from_numpy(own))


def target_rows(faces: PairSet, *, poses: int, light: str) -> NDArray[np.int64]:
    """(N, V) rows of the pictures that show the person of face n in pose v, -1 where there is none.

    Targets have the light of that word, however a number is written ("7" for "07"), or, for ``same``, the
    light of face n.  Of several such pictures the last stands.
    """
    lights = np.array([_canonical(word) for word in faces.faces.lights.tolist()], dtype=np.str_)
    people = np.unique(faces.faces.persons, return_inverse=True)[1]
    words, which = np.unique(lights, return_inverse=True)
    table = np.full((int(people.max()) + 1, len(words), poses), -1, np.int64)
    table[people, which, faces.codes] = np.arange(len(people))
    rows = np.full((len(people), poses), -1, np.int64)
    if light == SAME_LIGHT:
        rows[:] = table[people, which]
    elif len(wanted := np.flatnonzero(words == _canonical(light))):
        rows[:] = table[people, wanted[0]]
    return rows


def _canonical(word: str) -> str:
    number = number_of(word)
    return word if number is None else f"{number:g}"
