"""From a step's number to the tensors of its batch: which pairs, altered how.

A batch is a function of seed and step alone, so that a training that was killed goes on exactly as it would
have, without any generator state being kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faces.errors import TrainingError
from faces.types import Ints
from generator.training.data import PairSet, Stream, TrainingData, drawn_as, mirrored_codes
from generator.training.recipes import Augmentation, Recipe

_LEVELS = 255.0


@dataclass(frozen=True)
class Batch:
    """B pairs, standardised: (grey level - mean) / std, float32."""

    source: Tensor  # (B, 1, S, S) what the network is shown
    target: Tensor  # (B, 1, S, S) what it shall draw
    positive: Tensor  # (B, 1, S, S) what the drawing shall be found with: the target, or it in another light
    positive_shown: Tensor  # (B, 1, S, S) that as the network is shown it
    wish: Tensor  # (B, V) the one-hot value of the target
    same: Tensor
    """(B, B) bool: positives (columns) that are no negatives of a query (row), because they show the very
    same target, or, if a target in any light will do, its person with its value."""


class BatchMaker:
    """Batches of ``faces``, those of ``data`` that train or that validate.

    The same seed and step always give the same batch.  Raises TrainingError if there are far too few people.
    """

    def __init__(
        self, faces: PairSet, data: TrainingData, recipe: Recipe, seed: int, device: torch.device
    ) -> None:
        people = recipe.people_per_batch
        if people > faces.people * 4:
            raise TrainingError(
                f"Batches of {people} people need more than the {faces.people} there are; "
                "name more data or choose the preset paper."
            )
        self._shown, self._drawn, self._codes = faces.faces.crops, drawn_as(faces.faces), faces.codes
        self._mean, self._std, self._seed, self._device = data.mean, data.std, seed, device
        self._augmentation, self._any_light = recipe.augmentation, recipe.any_light
        self._alike = _alike(faces)
        self._by_likeness = np.argsort(self._alike, kind="stable")  # those of face n: from first[n] to end[n]
        ends = np.cumsum(np.bincount(self._alike))
        self._first, self._end = np.concatenate([[0], ends[:-1]])[self._alike], ends[self._alike]
        self._one_hot = data.vocabulary.one_hots
        mirrors = recipe.augmentation is not None and recipe.augmentation.mirror
        self._mirrored = mirrored_codes(data.vocabulary) if mirrors else None
        person_sampler = MatchedSampler if recipe.matched else PersonSampler
        self._sample = (person_sampler if people else EpochSampler)(faces, recipe, seed)

    def __call__(self, step: int) -> Batch:
        """Return batch number ``step``, on the device."""
        rows, groups = self._sample(step)
        codes, found, any_light = self._codes[rows[:, 1]], *self._positives(rows[:, 1], step)
        source, target, positive = (
            torch.from_numpy(crops[places]).float()
            for crops, places in ((self._shown, rows[:, 0]), (self._drawn, rows[:, 1]), (self._shown, found))
        )
        shown = positive
        marks = np.stack([rows[:, 1], found, self._alike[found]]) * 2
        if self._augmentation is not None:
            stream = np.random.SeedSequence([self._seed, Stream.AUGMENTATION, step])
            high, low = stream.generate_state(2, np.uint32).tolist()
            rng = torch.Generator().manual_seed(high << 31 ^ low)
            owners = torch.from_numpy(groups)
            if self._mirrored is not None:
                # Per person, as the shared changes are, or all: a mirrored half would be an easy half.
                together = isinstance(self._sample, MatchedSampler)
                flips = torch.rand(int(groups.max()) + 1, generator=rng) < 0.5
                flips = flips[torch.zeros_like(owners) if together else owners]
                source, target, positive = (mirror(part, flips) for part in (source, target, positive))
                turned = flips.numpy()
                codes = np.where(turned, self._mirrored[codes], codes)
                marks = marks + turned
            source, target, positive = shared_changes(
                [source, target, positive], owners, self._augmentation, rng
            )
            source = degrade(source, self._augmentation, rng)
            shown = degrade(positive, self._augmentation, rng)
        wanted, found, alike = marks
        same = np.where(
            any_light[:, None], alike[:, None] == alike[None, :], wanted[:, None] == found[None, :]
        )
        pictures = (((part - self._mean) / self._std)[:, None] for part in (source, target, positive, shown))
        others = (torch.from_numpy(part) for part in (self._one_hot[codes], same))
        return Batch(*(part.to(self._device) for part in (*pictures, *others)))

    def _positives(self, targets: Ints, step: int) -> tuple[Ints, np.ndarray]:
        """What each drawing shall be found with, (B,), and whether that may be in any light, (B,) bool: for
        the recipe's share of targets any picture of the same person with the same value."""
        if not self._any_light:
            return targets, np.zeros(len(targets), bool)
        rng = np.random.default_rng([self._seed, Stream.ANY_LIGHT, step])
        chosen = rng.random(len(targets)) < self._any_light
        places = rng.integers(self._first[targets], self._end[targets])
        return np.where(chosen, self._by_likeness[places], targets), chosen


def _alike(faces: PairSet) -> Ints:
    """(N,) equal numbers, from 0, for pictures of one person with one value, whatever the light."""
    people = np.unique(faces.faces.persons, return_inverse=True)[1]
    both = np.unique(np.stack([people, faces.codes]), axis=1, return_inverse=True)[1]
    return both.astype(np.int64).reshape(-1)


class EpochSampler:
    """Batches as the paper makes them: the pairs shuffled, each seen once an epoch."""

    def __init__(self, faces: PairSet, recipe: Recipe, seed: int) -> None:
        @lru_cache(maxsize=1)
        def order(epoch: int) -> Ints:
            return np.random.default_rng([seed, Stream.EPOCH, epoch]).permutation(len(faces.pairs))

        self._pairs, self._batch_size, self._order = faces.pairs, recipe.batch_size, order

    def __call__(self, step: int) -> tuple[Ints, Ints]:
        """Return the pairs (B, 2) of batch number ``step``; each is a group of its own."""
        places = np.arange(step * self._batch_size, (step + 1) * self._batch_size)
        epochs, within = np.divmod(places, len(self._pairs))
        chosen = [self._order(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)]
        return self._pairs[np.concatenate(chosen)], np.arange(self._batch_size)


class PersonSampler:
    """Batches of few people with several pairs each, in different lights and poses."""

    def __init__(self, faces: PairSet, recipe: Recipe, seed: int) -> None:
        self._faces, self._seed = faces, seed
        self._people = recipe.people_per_batch
        self._each = recipe.batch_size // self._people

    def __call__(self, step: int) -> tuple[Ints, Ints]:
        """Return the pairs (B, 2) of batch number ``step`` and, (B,), 0..people-1, whose each is."""
        rng = np.random.default_rng([self._seed, Stream.BATCH, step])
        available = self._faces.people
        chosen = rng.choice(available, self._people, replace=self._people > available)
        starts, ends = self._faces.starts[chosen].tolist(), self._faces.starts[chosen + 1].tolist()
        places = self._places([slice(*ends) for ends in zip(starts, ends, strict=True)], rng)
        return self._faces.pairs[places], np.repeat(np.arange(self._people), self._each)

    def _places(self, owned: list[slice], rng: np.random.Generator) -> Ints:
        """Which pairs (B,) of the chosen people, who each own a slice of the pairs."""
        counts = [own.stop - own.start for own in owned]
        drawn = [rng.choice(count, self._each, replace=self._each > count) for count in counts]
        return np.concatenate([own.start + part for own, part in zip(owned, drawn, strict=True)])


class MatchedSampler(PersonSampler):
    """Batches with hard negatives: all people are to be drawn with the same few values in the same settings.

    A search confuses a face with other people of the wished value in the same light.  The pairs of each
    person make a grid of settings and several values.  Who lacks a cell gives another pair of the value.
    """

    def __init__(self, faces: PairSet, recipe: Recipe, seed: int) -> None:
        super().__init__(faces, recipe, seed)
        targets = faces.pairs[:, 1]
        self._values, self._settings = faces.codes[targets], faces.settings[targets]

    def _places(self, owned: list[slice], rng: np.random.Generator) -> Ints:
        cells = self._cells(owned[0], rng)
        return np.concatenate([self._fill(own, cells, rng) for own in owned])

    def _cells(self, own: slice, rng: np.random.Generator) -> list[tuple[int, int]]:
        """The grid, of values and settings that the first person has: (value, setting) of each pair."""
        values = rng.permutation(np.unique(self._values[own]))[: max(1, self._each // 2)]
        settings = rng.permutation(np.unique(self._settings[own]))
        settings = np.resize(settings, -(-self._each // len(values)))
        grid = [(int(value), int(setting)) for setting in settings for value in values]
        return grid[: self._each]

    def _fill(self, own: slice, cells: list[tuple[int, int]], rng: np.random.Generator) -> Ints:
        values, settings = self._values[own], self._settings[own]
        found = np.empty(len(cells), np.int64)
        for place, (value, setting) in enumerate(cells):
            fits = np.flatnonzero((values == value) & (settings == setting))
            fits = fits if len(fits) else np.flatnonzero(values == value)
            found[place] = fits[rng.integers(len(fits))] if len(fits) else rng.integers(len(values))
        found += own.start
        return found


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
    """Add crop error, blur and noise, drawn for each picture (B, S, S) float32 in 0..255 by itself."""
    draws = torch.rand(7, len(pictures), generator=rng)
    grain = torch.randn(pictures.shape, generator=rng)
    chosen = (draws[0] < settings.degraded).float()
    changed = _misplace(pictures, draws[1:5] * 2 - 1, chosen, settings)
    changed = _blur(changed, chosen * draws[5] * settings.blur * pictures.shape[-1] / 32)
    changed = changed + grain * (chosen * draws[6] * settings.noise)[:, None, None]
    return changed.clamp(0, _LEVELS)


def _misplace(pictures: Tensor, draws: Tensor, chosen: Tensor, settings: Augmentation) -> Tensor:
    """Move, turn and scale each picture by its ``draws`` (4, B) in -1..1; edges are repeated."""
    angle = math.radians(settings.turn) * draws[0] * chosen
    scale = (settings.zoom * draws[1] * chosen).exp()
    shift = settings.shift * 2 / 32 * draws[2:4] * chosen  # a picture is 2 wide in grid_sample's coordinates
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], 1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, [len(pictures), 1, *pictures.shape[1:]], align_corners=False)
    return functional.grid_sample(
        pictures[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )[:, 0]


def _blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Blur by a separable Gaussian of ``sigma`` (B,) pixels each, five samples wide."""
    count = len(pictures)
    kernel = torch.exp(-0.5 * (torch.arange(-2.0, 3.0) / sigma.clamp_min(1e-2)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    padded = functional.pad(pictures[None], (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(count, 1, 1, 5), groups=count)
    return functional.conv2d(rows, kernel.view(count, 1, 5, 1), groups=count)[0]
