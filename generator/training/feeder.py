"""From a step's number to the tensors of its batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faces.errors import TrainingError
from generator.attributes import Vocabulary
from generator.training.augment import degrade, mirror, shared_changes
from generator.training.batches import Batches, EpochBatches, MatchedBatches, PersonBatches
from generator.training.data import PairSet, TrainingData, drawn_as, mirrored_codes
from generator.training.recipes import Augmentation, Recipe

_AUGMENT_STREAM, _LIGHT_STREAM = 4, 5


@dataclass(frozen=True)
class Batch:
    """B pairs, standardised: (grey level - mean) / std, float32."""

    source: Tensor
    """(B, 1, S, S) what the network is shown."""
    target: Tensor
    """(B, 1, S, S) what it shall draw."""
    positive: Tensor
    """(B, 1, S, S) what the drawing shall be found with: the target, or it in any of its lights.  Drawn with
    its own value it stays as it is, wall and all, since that is what canonicalisation knows a value by."""
    positive_shown: Tensor
    """(B, 1, S, S) that as the network is shown it."""
    wish: Tensor
    """(B, V) the one-hot value of the target."""
    same: Tensor
    """(B, B) bool: positives (columns) that are no negatives of a query (row), because they show the very
    same target, or, where a target in any light will do, its person with its value."""


class Feeder:
    """Batches of one set of pairs; the same seed and step always give the same batch."""

    def __init__(
        self,
        data: PairSet,
        *,
        vocabulary: Vocabulary,
        mean: float,
        std: float,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        augmentation: Augmentation | None,
    ) -> None:
        self._crops, self._drawn, self._codes = data.faces.crops, drawn_as(data.faces), data.codes
        self._mean, self._std, self._seed, self._device = mean, std, seed, device
        self._augmentation = augmentation
        self._any_light = recipe.any_light
        self._alike = alike = _alike(data)
        self._by_likeness = np.argsort(alike, kind="stable")  # faces that are alike side by side ...
        ends = np.cumsum(np.bincount(alike))
        self._first, self._end = (
            np.concatenate([[0], ends[:-1]])[alike],
            ends[alike],
        )  # ... from here to there
        self._one_hot = np.asarray(
            vocabulary.one_hot(np.arange(len(vocabulary.combinations), dtype=np.int64)), np.float32
        )
        self._mirrored = mirrored_codes(vocabulary) if augmentation and augmentation.mirror else None
        self._matched = recipe.matched and recipe.people > 0
        self._batches = _batches(data, recipe, seed)

    def __call__(self, step: int) -> Batch:
        """Batch number ``step``, on the device."""
        rows, groups = self._batches(step)
        codes, found, any_light = self._codes[rows[:, 1]], *self._found(rows[:, 1], step)
        source, target = self._pictures(rows[:, 0]), self._pictures(rows[:, 1], drawn=True)
        positive = self._pictures(found)
        shown = positive
        marks = np.stack([rows[:, 1], found, self._alike[found]]) * 2
        if self._augmentation is not None:
            rng = torch.Generator()
            rng.manual_seed(self._stream(step))
            owners = torch.from_numpy(groups)
            if self._mirrored is not None:
                # Per person, as the shared changes are, or all: a mirrored half would be an easy half.
                flips = (torch.rand(int(groups.max()) + 1, generator=rng) < 0.5)[
                    torch.zeros_like(owners) if self._matched else owners
                ]
                source, target, positive = (mirror(part, flips) for part in (source, target, positive))
                turned = flips.numpy()
                codes = np.where(turned, self._mirrored[codes], codes)
                marks = marks + turned
            source, target, positive = shared_changes(
                [source, target, positive], owners, self._augmentation, rng
            )
            source, shown = (
                degrade(source, self._augmentation, rng),
                degrade(positive, self._augmentation, rng),
            )
        wanted, found, alike = marks
        same = np.where(
            any_light[:, None], alike[:, None] == alike[None, :], wanted[:, None] == found[None, :]
        )
        return Batch(
            source=self._standardised(source),
            target=self._standardised(target),
            positive=self._standardised(positive),
            positive_shown=self._standardised(shown),
            wish=torch.from_numpy(self._one_hot[codes]).to(self._device),
            same=torch.from_numpy(same).to(self._device),
        )

    def _found(self, targets: NDArray[np.int64], step: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """What each drawing shall be found with, (B,), and whether that may be in any light, (B,): for the
        recipe's share of targets any picture of the same person with the same value."""
        if not self._any_light:
            return targets, np.zeros(len(targets), bool)
        rng = np.random.default_rng([self._seed, _LIGHT_STREAM, step])
        chosen = rng.random(len(targets)) < self._any_light
        places = rng.integers(self._first[targets], self._end[targets])
        return np.where(chosen, self._by_likeness[places], targets), chosen

    def _stream(self, step: int) -> int:
        words = np.random.SeedSequence([self._seed, _AUGMENT_STREAM, step]).generate_state(2, np.uint32)
        return int(words[0]) << 31 ^ int(words[1])

    def _pictures(self, rows: NDArray[np.int64], drawn: bool = False) -> Tensor:
        return torch.from_numpy((self._drawn if drawn else self._crops)[rows]).float()

    def _standardised(self, pictures: Tensor) -> Tensor:
        return ((pictures - self._mean) / self._std)[:, None].to(self._device)


def _batches(data: PairSet, recipe: Recipe, seed: int) -> Batches:
    if not recipe.people:
        return EpochBatches(data.pairs, batch=recipe.batch, seed=seed)
    if not recipe.matched:
        return PersonBatches(data.pairs, batch=recipe.batch, people=recipe.people, seed=seed)
    targets = data.pairs.rows[:, 1]
    return MatchedBatches(
        data.pairs,
        values=data.codes[targets],
        settings=data.settings[targets],
        batch=recipe.batch,
        people=recipe.people,
        seed=seed,
    )


def _alike(data: PairSet) -> NDArray[np.int64]:
    """(N,) equal numbers, from 0, for pictures of one person with one value, whatever the light."""
    people = np.unique(data.faces.persons, return_inverse=True)[1].astype(np.int64)
    both = people * (int(data.codes.max()) + 2) + data.codes + 1  # codes begin with -1
    alike: NDArray[np.int64] = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return alike


def training_feeder(data: TrainingData, recipe: Recipe, seed: int, device: torch.device) -> Feeder:
    """The batches a recipe trains on."""
    if recipe.people > data.train.pairs.people * 4:
        raise TrainingError(
            f"Batches of {recipe.people} people need more than the {data.train.pairs.people} there are; "
            "name more data or choose the preset paper."
        )
    return Feeder(
        data.train,
        vocabulary=data.vocabulary,
        mean=data.mean,
        std=data.std,
        recipe=recipe,
        seed=seed,
        device=device,
        augmentation=recipe.augmentation,
    )
