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
    """Batches with hard negatives: few people, several pairs of each, in different lights and poses."""

    def __init__(self, pairs: Pairs, *, batch: int, people: int, seed: int) -> None:
        self._pairs, self._seed = pairs, seed
        self._people, self._each = people, batch // people

    def __call__(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (B, 2) of batch number ``step`` and, (B,), the place 0..people-1 of each pair's person."""
        rng = np.random.default_rng([self._seed, _BATCH_STREAM, step])
        available = self._pairs.people
        chosen = rng.choice(available, self._people, replace=self._people > available)
        starts, ends = self._pairs.starts[chosen], self._pairs.starts[chosen + 1]
        rows = [
            self._pairs.rows[start + rng.choice(end - start, self._each, replace=self._each > end - start)]
            for start, end in zip(starts, ends, strict=True)
        ]
        return np.concatenate(rows), np.repeat(np.arange(self._people), self._each)


Batches = EpochBatches | PersonBatches
