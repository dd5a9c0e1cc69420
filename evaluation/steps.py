"""A benchmark as steps: each is measured, written down, and never measured again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.results import Journal, Record
from faces.errors import RowUnavailable
from faces.progress import Progress


@dataclass(frozen=True)
class Step:
    """One thing to measure.

    ``identity`` stands for everything that its outcome depends on; ``measure`` gives its records, none if
    there is nothing to measure, or raises RowUnavailable.  ``cost`` is its share of the work, in seconds on
    some machine; ``part`` is the part of the benchmark that it belongs to, empty if to every one.
    """

    name: str
    identity: str
    measure: Callable[[], Sequence[Record]]
    cost: float = 1.0
    part: str = ""


class StepProgress:
    """Progress of the work within steps: each piece comes with its step and the time left for all of them."""

    def __init__(self, inner: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._clock = clock
        self._prefix = ""
        self.plan(())

    def plan(self, costs: Sequence[float]) -> None:
        """Say by cost which steps are to come."""
        self._done, self._left, self._begun = 0.0, sum(costs), self._clock()

    def enter(self, prefix: str) -> None:
        """Begin a step; once a tenth of the work is done, the time left is told."""
        if self._done and self._done >= 0.1 * (self._done + self._left):
            seconds = (self._clock() - self._begun) * self._left / self._done
            words = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
            prefix += f", {words} left for this set"
        self._prefix = prefix + ": "

    def leave(self, cost: float) -> None:
        """End it."""
        self._done += cost
        self._left -= cost
        self._prefix = ""

    def start(self, what: str, total: int | None, unit: str) -> None:
        self._inner.start(self._prefix + what, total, unit)

    def advance(self, count: int = 1, note: str = "") -> None:
        self._inner.advance(count, note)

    def finish(self) -> None:
        self._inner.finish()


def run_steps(steps: Sequence[Step], journal: Journal, progress: StepProgress) -> None:
    """Measure the steps that the journal does not hold, in order; each is written down once it is done."""
    missing = [step for step in steps if step.identity not in journal]
    progress.plan([step.cost for step in missing])
    for number, step in enumerate(missing, start=1):
        progress.enter(f"{number} of {len(missing)}, {step.name}")
        try:
            records = step.measure()
        except RowUnavailable:
            records = ()
        finally:
            progress.leave(step.cost)
        journal.append(step.identity, records)
