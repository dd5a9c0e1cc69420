"""From a step's number to the tensors of its batch: which pairs, altered how.

A batch is a function of seed and step alone, so that a training that was killed goes on exactly as it would
have, without any generator state being kept.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedata.pairs import numbered
from faces.errors import TrainingError
from faces.types import Floats, Ints
from generator.attributes import Vocabulary
from generator.training.augmentation import augmentation_numbers, degrade, mirror, shared_changes
from generator.training.data import PairSet, Stream, TrainingData, drawn_as, mirrored_places
from generator.training.recipes import Recipe


@dataclass(frozen=True)
class Batch:
    """B pairs, standardised: (grey level - mean) / std, float32."""

    source: Tensor  # (B, 1, S, S) what the network is shown
    target: Tensor  # (B, 1, S, S) what it shall draw
    positive: Tensor  # (B, 1, S, S) what the drawing shall be found with: the target, or one as good
    positive_shown: Tensor  # (B, 1, S, S) that as the network is shown it
    wish: Tensor  # (B, A) the attribute vector of the target
    own: Tensor  # (B, A) that of the positive
    same: Tensor
    """(B, B) bool: positives (columns) that are no negatives of a query (row), because they show the very
    same target, or, if a target in any light or scene will do, are one of those."""


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
        self._shown, self._drawn, self._vectors = faces.faces.crops, drawn_as(faces.faces), faces.vectors
        self._mean, self._std, self._seed, self._device = data.mean, data.std, seed, device
        self._augmentation = recipe.augmentation
        self._places, self._dropout = tuple(data.vocabulary.places.values()), recipe.attribute_dropout
        self._clean = recipe.clean_sources
        self._shares = (recipe.any_light, recipe.any_scene)
        self._alike = alike_but_light(faces, data.vocabulary), alike_but_scene(faces)
        mirrors = recipe.augmentation is not None and recipe.augmentation.mirror
        self._mirrored = mirrored_places(data.train, data.vocabulary) if mirrors else None
        # Matched people are mirrored all or none: a mirrored half would be an easy half.
        self._together = bool(people) and recipe.matched
        matched_sampler = BlockSampler if len(data.vocabulary.groups) > 1 else MatchedSampler
        person_sampler = matched_sampler if recipe.matched else PersonSampler
        self._sample = (person_sampler if people else EpochSampler)(faces, recipe, seed)

    def __call__(self, step: int) -> Batch:
        """Return batch number ``step``, on the device."""
        rows, groups = self._sample(step)
        found, kind = self._positives(rows[:, 1], step)
        wish, own = self._wishes(rows, found, step)
        source, target, positive = (
            torch.from_numpy(crops[places]).float()
            for crops, places in ((self._shown, rows[:, 0]), (self._drawn, rows[:, 1]), (self._shown, found))
        )
        if self._clean:
            drawn = np.random.default_rng([self._seed, Stream.CLEAN, step]).random((2, len(rows), 1, 1))
            clean = torch.from_numpy(drawn < self._clean)
            source = torch.where(clean[0], torch.from_numpy(self._drawn[rows[:, 0]]).float(), source)
            positive = torch.where(clean[1], torch.from_numpy(self._drawn[found]).float(), positive)
        shown = positive
        marks = np.stack([rows[:, 1], found, *(alike.number[found] for alike in self._alike)]) * 2
        if self._augmentation is not None:
            rng = augmentation_numbers(self._seed, step)
            owners = torch.from_numpy(groups)
            if self._mirrored is not None:  # per person, as the shared changes are, or all
                flips = torch.rand(int(groups.max()) + 1, generator=rng) < 0.5
                flips = flips[torch.zeros_like(owners) if self._together else owners]
                source, target, positive = (mirror(part, flips) for part in (source, target, positive))
                turned = flips.numpy()
                wish, own = (np.where(turned[:, None], part[:, self._mirrored], part) for part in (wish, own))
                marks = marks + turned
            source, target, positive = shared_changes(
                [source, target, positive], owners, self._augmentation, rng
            )
            source = degrade(source, self._augmentation, rng)
            shown = degrade(positive, self._augmentation, rng)
        wanted, *others = marks
        same = wanted[:, None] == others[0][None, :]
        for number, alike in enumerate(others[1:], start=1):
            same = np.where((kind == number)[:, None], alike[:, None] == alike[None, :], same)
        pictures = (((part - self._mean) / self._std)[:, None] for part in (source, target, positive, shown))
        rest = (torch.from_numpy(part) for part in (wish, own, same))
        return Batch(*(part.to(self._device) for part in (*pictures, *rest)))

    def _wishes(self, rows: Ints, found: Ints, step: int) -> tuple[Floats, Floats]:
        """Attribute vectors (B, A) of targets and of positives, without some of what need not be named."""
        wish, own = self._vectors[rows[:, 1]], self._vectors[found]
        if self._dropout:
            rng = np.random.default_rng([self._seed, Stream.DROPOUT, step])
            kept = rng.random((2, len(rows), len(self._places))) >= self._dropout
            for number, place in enumerate(self._places):
                changed = (self._vectors[rows[:, 0], place] != wish[:, place]).any(1)
                wish[:, place] *= (kept[0, :, number] | changed)[:, None]
                own[:, place] *= kept[1, :, number, None]
        return wish, own

    def _positives(self, targets: Ints, step: int) -> tuple[Ints, Ints]:
        """What each drawing shall be found with, (B,), and in what that may differ from its target, (B,): in
        nothing (0), the light (1) or the scene (2), by the recipe's shares."""
        kind = np.zeros(len(targets), np.int64)
        if any(self._shares):
            rng = np.random.default_rng([self._seed, Stream.ANY_LIGHT, step])
            kind = np.searchsorted(np.cumsum(self._shares), rng.random(len(targets)), side="right")
            kind = np.array([1, 2, 0])[kind]
            found = [targets, *(alike.draw(targets, rng) for alike in self._alike)]
            targets = np.choose(kind, found)
        return targets, kind


class Alike:
    """Pictures that can stand for one another: those with equal numbers."""

    def __init__(self, number: Ints) -> None:
        self.number = number  # (N,) from 0
        self._order = np.argsort(number, kind="stable")  # those like picture n: from first[n] to end[n]
        ends = np.cumsum(np.bincount(number))
        self._first, self._end = np.concatenate([[0], ends[:-1]])[number], ends[number]

    def draw(self, pictures: Ints, rng: np.random.Generator) -> Ints:
        """Return for each picture (B,) any that is like it, itself among them."""
        found: Ints = self._order[rng.integers(self._first[pictures], self._end[pictures])]
        return found


def alike_but_light(faces: PairSet, vocabulary: Vocabulary) -> Alike:
    """Pictures of one person with the same values, whatever the light, the scene and what else there is."""
    names = [group.name for group in vocabulary.groups]
    columns = [part for name, part in zip(names, faces.values.T, strict=True) if name != "light"]
    return Alike(numbered(faces.faces.persons, *(columns or faces.values.T)))


def alike_but_scene(faces: PairSet) -> Alike:
    """Pictures of one person with the same values, in whichever scene."""
    return Alike(numbered(faces.faces.persons, faces.settings, *faces.values.T))


class BatchesAhead:
    """Batches that are made in a thread of their own, each while the network learns from the one before."""

    def __init__(self, make: BatchMaker) -> None:
        self._make, self._ahead = make, dict[int, Future[Batch]]()
        self._thread = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))

    def __call__(self, step: int) -> Batch:
        """Return batch number ``step`` and begin the next."""
        due = self._ahead.pop(step, None) or self._thread.submit(self._make, step)
        self._ahead = {step + 1: self._thread.submit(self._make, step + 1)}
        return due.result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)


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
        self._values, self._settings = faces.values[targets, 0], faces.settings[targets]

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


class BlockSampler(PersonSampler):
    """Batches with hard negatives for several attributes: the same changes for all people.

    People whose pictures show the same things, scene by scene, form a block.  A batch is of one block, and
    the changes are those of its first person, as many in one attribute as in two, three ...: searches ask
    for one or two, but most pairs differ in more.  If a block is too small, others join; who lacks a change
    is drawn as its target from another picture, else as anything.
    """

    def __init__(self, faces: PairSet, recipe: Recipe, seed: int) -> None:
        super().__init__(faces, recipe, seed)
        person = numbered(faces.faces.persons)
        self._person = person[faces.pairs[faces.starts[:-1], 0]]  # of those who have pairs
        self._label = numbered(faces.settings, *faces.values.T)
        scene = _within(person, numbered(person, faces.faces.scenes))
        # Each person's pictures in one order, so that equal places show the same in all of a block.
        self._order = np.lexsort((self._label, scene, person))
        sizes = np.bincount(person)
        self._begin = np.cumsum(sizes) - sizes
        self._slot = np.empty(len(person), np.int64)
        self._slot[self._order] = np.arange(len(person)) - self._begin[person[self._order]]
        shown = np.stack([scene, self._label], axis=1)[self._order]
        blocks: dict[bytes, int] = {}
        lists = (shown[self._begin[one] : self._begin[one] + sizes[one]].tobytes() for one in self._person)
        self._block = np.array([blocks.setdefault(one, len(blocks)) for one in lists])

    def __call__(self, step: int) -> tuple[Ints, Ints]:
        """Return the pairs (B, 2) of batch number ``step`` and, (B,), 0..people-1, whose each is."""
        rng = np.random.default_rng([self._seed, Stream.BATCH, step])
        first = int(rng.integers(self._faces.people))
        near, far = (rng.permutation(np.flatnonzero(part)) for part in self._mates(first))
        chosen = np.resize(np.concatenate([[first], near, far]), self._people)
        own = slice(*self._faces.starts[first : first + 2])
        pairs = self._changes(self._faces.pairs[own], rng)
        rows = np.concatenate([self._as_first(one, first, pairs, rng) for one in chosen.tolist()])
        return rows, np.repeat(np.arange(self._people), self._each)

    def _mates(self, first: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The others of a person's block, (people,), and everybody else."""
        block = self._block == self._block[first]
        far = ~block
        block[first] = False
        return block, far

    def _changes(self, pairs: Ints, rng: np.random.Generator) -> Ints:
        """Choose the first person's pairs (each, 2) for a batch, with as many targets as there are."""
        source, target = pairs.T
        counts = (self._faces.values[source] != self._faces.values[target]).sum(1)
        weight = 1 / np.bincount(counts)[counts]
        order = np.argsort(rng.exponential(size=len(pairs)) / weight)  # without replacement, by weight
        first = np.unique(target[order], return_index=True)[1]
        wanted = np.concatenate([np.sort(first), np.setdiff1d(np.arange(len(order)), first)])
        return np.asarray(pairs[order[np.resize(wanted, self._each)]])

    def _as_first(self, person: int, first: int, pairs: Ints, rng: np.random.Generator) -> Ints:
        """A person's pairs (each, 2) that are as those of the first person."""
        if self._block[person] == self._block[first]:
            return np.asarray(self._order[self._begin[self._person[person]] + self._slot[pairs]])
        own: Ints = self._faces.pairs[slice(*self._faces.starts[person : person + 2])]
        fits = self._label[own[:, 1]] == self._label[pairs[:, 1]][:, None]
        fits[~fits.any(1)] = True
        return np.asarray(own[[rng.choice(np.flatnonzero(one)) for one in fits]])


def _within(outer: Ints, inner: Ints) -> Ints:
    """Count inner groups (N,), numbered by outer group first, from 0 within each outer group (N,)."""
    first = np.full(int(outer.max()) + 1, len(inner))
    np.minimum.at(first, outer, inner)
    return np.asarray(inner - first[outer])
