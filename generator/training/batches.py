"""From a step's number to the tensors of its batch: which pairs, altered how.

A batch is a function of seed and step alone, so that a training that was killed goes on exactly as it would
have, without any generator state being kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faces.errors import TrainingError
from generator.attributes import Vocabulary
from generator.training.data import Pairs, PairSet, Stream, TrainingData, drawn_as, mirrored_codes
from generator.training.recipes import Augmentation, Recipe

_LEVELS = 255.0

Sampler = Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""From a step to pairs (B, 2) and, (B,), to which group of shared changes each belongs."""


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
    same target, or, if a target in any light will do, its person with its value."""


def training_batches(data: TrainingData, recipe: Recipe, seed: int, device: torch.device) -> BatchMaker:
    """Return the batches that a recipe trains on; raises TrainingError if there are far too few people."""
    people = recipe.people_per_batch
    if people > data.train.pairs.people * 4:
        raise TrainingError(
            f"Batches of {people} people need more than the {data.train.pairs.people} there are; "
            "name more data or choose the preset paper."
        )
    return BatchMaker(data.train, data, recipe, seed=seed, device=device, augmentation=recipe.augmentation)


class BatchMaker:
    """Batches of one set of pairs; the same seed and step always give the same batch.

    ``data`` gives the vocabulary, mean and deviation for ``faces``, be they those that train or others.
    """

    def __init__(
        self,
        faces: PairSet,
        data: TrainingData,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
        augmentation: Augmentation | None,
    ) -> None:
        self._crops, self._drawn, self._codes = faces.faces.crops, drawn_as(faces.faces), faces.codes
        self._mean, self._std, self._seed, self._device = data.mean, data.std, seed, device
        self._augmentation = augmentation
        self._any_light = recipe.any_light
        self._alike = _alike(faces)
        self._by_likeness = np.argsort(self._alike, kind="stable")  # those of face n: from first[n] to end[n]
        ends = np.cumsum(np.bincount(self._alike))
        self._first, self._end = np.concatenate([[0], ends[:-1]])[self._alike], ends[self._alike]
        self._one_hot = one_hot_codes(data.vocabulary)
        self._mirrored = mirrored_codes(data.vocabulary) if augmentation and augmentation.mirror else None
        self._matched = recipe.matched and recipe.people_per_batch > 0
        self._sample = _sampler(faces, recipe, seed)

    def __call__(self, step: int) -> Batch:
        """Return batch number ``step``, on the device."""
        rows, groups = self._sample(step)
        codes, found, any_light = self._codes[rows[:, 1]], *self._positives(rows[:, 1], step)
        source, target = self._pictures(rows[:, 0]), self._pictures(rows[:, 1], drawn=True)
        positive = self._pictures(found)
        shown = positive
        marks = np.stack([rows[:, 1], found, self._alike[found]]) * 2
        if self._augmentation is not None:
            rng = torch.Generator()
            rng.manual_seed(_torch_seed(self._seed, step))
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
            pictures = [source, target, positive]
            source, target, positive = shared_changes(pictures, owners, self._augmentation, rng)
            source = degrade(source, self._augmentation, rng)
            shown = degrade(positive, self._augmentation, rng)
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

    def _positives(
        self, targets: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """What each drawing shall be found with, (B,), and whether that may be in any light, (B,): for the
        recipe's share of targets any picture of the same person with the same value."""
        if not self._any_light:
            return targets, np.zeros(len(targets), bool)
        rng = np.random.default_rng([self._seed, Stream.ANY_LIGHT, step])
        chosen = rng.random(len(targets)) < self._any_light
        places = rng.integers(self._first[targets], self._end[targets])
        return np.where(chosen, self._by_likeness[places], targets), chosen

    def _pictures(self, rows: NDArray[np.int64], drawn: bool = False) -> Tensor:
        return torch.from_numpy((self._drawn if drawn else self._crops)[rows]).float()

    def _standardised(self, pictures: Tensor) -> Tensor:
        return ((pictures - self._mean) / self._std)[:, None].to(self._device)


def one_hot_codes(vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Return (V, A) float32: the one-hot vectors of all codes."""
    codes = np.arange(len(vocabulary.combinations), dtype=np.int64)
    return np.asarray(vocabulary.one_hot(codes), np.float32)


def _alike(data: PairSet) -> NDArray[np.int64]:
    """(N,) equal numbers, from 0, for pictures of one person with one value, whatever the light."""
    people = np.unique(data.faces.persons, return_inverse=True)[1].astype(np.int64)
    both = people * (int(data.codes.max()) + 2) + data.codes + 1  # codes begin with -1
    alike: NDArray[np.int64] = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return alike


def _torch_seed(seed: int, step: int) -> int:
    words = np.random.SeedSequence([seed, Stream.AUGMENTATION, step]).generate_state(2, np.uint32)
    return int(words[0]) << 31 ^ int(words[1])


def _sampler(data: PairSet, recipe: Recipe, seed: int) -> Sampler:
    size, people = recipe.batch_size, recipe.people_per_batch
    if not people:
        return EpochSampler(data.pairs, batch_size=size, seed=seed)
    if not recipe.matched:
        return PersonSampler(data.pairs, batch_size=size, people=people, seed=seed)
    targets = data.pairs.rows[:, 1]
    return MatchedSampler(
        data.pairs,
        values=data.codes[targets],
        settings=data.settings[targets],
        batch_size=size,
        people=people,
        seed=seed,
    )


class EpochSampler:
    """Batches as the paper makes them: the pairs shuffled, each seen once an epoch."""

    def __init__(self, pairs: Pairs, *, batch_size: int, seed: int) -> None:
        self._pairs, self._batch_size, self._seed = pairs, batch_size, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs (B, 2) of batch number ``step``; each is a group of its own."""
        total = len(self._pairs)
        places = np.arange(step * self._batch_size, (step + 1) * self._batch_size)
        chosen = np.concatenate(
            [
                self._shuffled(epoch)[places[places // total == epoch] % total]
                for epoch in np.unique(places // total)
            ]
        )
        return self._pairs.rows[chosen], np.arange(self._batch_size)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, Stream.EPOCH, epoch])
            self._epoch, self._order = epoch, rng.permutation(len(self._pairs))
        return self._order


class PersonSampler:
    """Batches of few people with several pairs each, in different lights and poses."""

    def __init__(self, pairs: Pairs, *, batch_size: int, people: int, seed: int) -> None:
        self._pairs, self._seed = pairs, seed
        self._people, self._each = people, batch_size // people

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs (B, 2) of batch number ``step`` and, (B,), 0..people-1, whose each is."""
        rng = np.random.default_rng([self._seed, Stream.BATCH, step])
        available = self._pairs.people
        chosen = rng.choice(available, self._people, replace=self._people > available)
        places = self._places(chosen, rng)
        return self._pairs.rows[places], np.repeat(np.arange(self._people), self._each)

    def _places(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Which pairs (B,) of the chosen people, person by person."""
        starts, ends = self._pairs.starts[chosen], self._pairs.starts[chosen + 1]
        return np.concatenate(
            [
                start + rng.choice(end - start, self._each, replace=self._each > end - start)
                for start, end in zip(starts, ends, strict=True)
            ]
        )


class MatchedSampler(PersonSampler):
    """Batches with hard negatives: all people are to be drawn with the same few values in the same settings.

    A search confuses a face with other people of the wished value in the same light, and two faces
    drawn at random hardly ever have both in common.  The pairs of each person make a grid of two settings
    (more if there are few values) and several values, so that the same person in the other light and with
    the other values is there too.  Who lacks a cell of the grid gives another pair of its value, or any.

    ``values`` and ``settings`` (P,) int64 tell what the targets of the pairs show of the attribute and of
    everything else.
    """

    def __init__(
        self,
        pairs: Pairs,
        *,
        values: NDArray[np.int64],
        settings: NDArray[np.int64],
        batch_size: int,
        people: int,
        seed: int,
    ) -> None:
        super().__init__(pairs, batch_size=batch_size, people=people, seed=seed)
        self._values, self._settings = values, settings

    def _places(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        cells = self._cells(self._of(int(chosen[0])), rng)
        return np.concatenate([self._fill(self._of(int(person)), cells, rng) for person in chosen])

    def _of(self, person: int) -> slice:
        return slice(int(self._pairs.starts[person]), int(self._pairs.starts[person + 1]))

    def _cells(self, own: slice, rng: np.random.Generator) -> list[tuple[int, int]]:
        """The grid, of values and settings that the first person has: (value, setting) of each pair."""
        values = rng.permutation(np.unique(self._values[own]))[: max(1, self._each // 2)]
        settings = rng.permutation(np.unique(self._settings[own]))
        settings = np.resize(settings, -(-self._each // len(values)))
        grid = [(int(value), int(setting)) for setting in settings for value in values]
        return grid[: self._each]

    def _fill(self, own: slice, cells: list[tuple[int, int]], rng: np.random.Generator) -> NDArray[np.int64]:
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
    pictures: Sequence[Tensor], groups: Tensor, settings: Augmentation, rng: torch.Generator
) -> list[Tensor]:
    """Apply the same gain, offset and tone curve to all pictures of each pair and to all pairs of a group.

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
    """Add crop error, blur and noise, drawn for each picture (B, S, S) float32 in 0..255 by itself."""
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
    """Move, turn and scale each picture by its ``draws`` (4, B) in -1..1; edges are repeated."""
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
    """Blur by a separable Gaussian of ``sigma`` (B,) pixels each, five samples wide."""
    count = len(pictures)
    offsets = torch.arange(-2, 3, device=pictures.device).float()
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-2)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    padded = functional.pad(pictures[None], (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(count, 1, 1, 5), groups=count)
    return functional.conv2d(rows, kernel.view(count, 1, 5, 1), groups=count)[0]
