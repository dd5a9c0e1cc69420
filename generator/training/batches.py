"""Which pairs make a batch.

A batch is a function of seed and step alone, so a training that was killed goes on exactly where it stood
without any generator state being kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faces.errors import TrainingError

_EPOCH_STREAM, _BATCH_STREAM = 1, 2


@dataclass(frozen=True)
class Pairs:
    """All the pairs one may train on, sorted by person.

    ``rows`` is (P, 2) int64: source and target, indices of crops; the pairs of person p are
    ``rows[starts[p]:starts[p + 1]]``.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    @property
    def people(self) -> int:
        return len(self.starts) - 1

    def __len__(self) -> int:
        return len(self.rows)


def sort_pairs(rows: NDArray[np.int64], persons: NDArray[np.str_]) -> Pairs:
    """Group ordered pairs (P, 2) by person; ``persons`` (N,) names the person of each crop.

    Raises TrainingError where there is no pair at all.
    """
    if not len(rows):
        raise TrainingError(
            "No person has two pictures that differ in the attribute alone, so nothing can be learnt."
        )
    _, owners = np.unique(persons[rows[:, 0]], return_inverse=True)
    order = np.argsort(owners, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners))])
    return Pairs(rows=rows[order], starts=starts.astype(np.int64))


class EpochBatches:
    """Batches as the paper makes them: the pairs shuffled, each seen once an epoch."""

    def __init__(self, pairs: Pairs, *, batch: int, seed: int) -> None:
        self._pairs, self._batch, self._seed = pairs, batch, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (B, 2) of batch number ``step`` and, (B,), to which group of shared changes each belongs."""
        total = len(self._pairs)
        places = np.arange(step * self._batch, (step + 1) * self._batch)
        chosen = np.concatenate(
            [
                self._shuffled(epoch)[places[places // total == epoch] % total]
                for epoch in np.unique(places // total)
            ]
        )
        return self._pairs.rows[chosen], np.arange(self._batch)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, _EPOCH_STREAM, epoch])
            self._epoch, self._order = epoch, rng.permutation(len(self._pairs))
        return self._order


class PersonBatches:
    """Batches of few people with several pairs each, in different lights and poses."""

    def __init__(self, pairs: Pairs, *, batch: int, people: int, seed: int) -> None:
        self._pairs, self._seed = pairs, seed
        self._people, self._each = people, batch // people

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (B, 2) of batch number ``step`` and, (B,), the place 0..people-1 of each pair's person."""
        rng = np.random.default_rng([self._seed, _BATCH_STREAM, step])
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


class MatchedBatches(PersonBatches):
    """Batches with hard negatives: all people are to be drawn with the same few values in the same settings.

    A search confuses a face with other people of the wished value in the same light, and two faces
    drawn at random hardly ever have both in common.  The pairs of each person make a grid of two settings
    (more where there are few values) and several values, so that the same person in the other light and with
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
        batch: int,
        people: int,
        seed: int,
    ) -> None:
        super().__init__(pairs, batch=batch, people=people, seed=seed)
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


Batches = EpochBatches | PersonBatches
