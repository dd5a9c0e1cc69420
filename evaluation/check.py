"""Whether the numbers that are reported come out again.

A number is OK within its tolerance, CLOSE within three times that, and FAIL beyond, or where it was not
measured at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluation.expected import Entry, Number
from evaluation.journal import Journal
from evaluation.results import Results
from evaluation.run import Settings, Workshop, at_hand, generators_named, open_set
from faces.errors import DataError
from faces.progress import Progress

Verdict = Literal["OK", "CLOSE", "FAIL"]
_PARTS = {
    "error": "errors",
    "absolute-error": "errors",
    "canonicalised": "confusion",
    "classifier": "classifier",
    "change": "change",
}
CLOSE = 3
"""Times the tolerance."""


@dataclass(frozen=True)
class Checked:
    """A number and what it came out as, NaN where it was not measured."""

    number: Number
    measured: float

    @property
    def verdict(self) -> Verdict:
        apart = abs(self.measured - self.number.value)
        slack = 1e-9  # 79.9 - 79.4 is a little more than 0.5
        if apart <= self.number.tolerance + slack:
            return "OK"
        return "CLOSE" if apart <= CLOSE * self.number.tolerance + slack else "FAIL"


@dataclass(frozen=True)
class CheckedEntry:
    """An entry whose command was run; ``checked`` is None where its set of faces was not at hand."""

    entry: Entry
    checked: tuple[Checked, ...] | None


def chosen(entries: Sequence[Entry], names: Sequence[str] | None) -> list[Entry]:
    """The entries of these names, all where None; ``quick`` means every ``quick-…`` as well.

    Raises DataError for a name that there is not.
    """
    if names is None:
        return list(entries)
    found = []
    for name in names:
        meant = [entry for entry in entries if entry.name == name or entry.name.startswith(f"{name}-")]
        if not meant:
            raise DataError(
                f"no entry is called {name!r}; there are {', '.join(one.name for one in entries)}."
            )
        found += meant
    return found


def check(
    entries: Sequence[Entry], data: Sequence[str], out: Path, progress: Progress
) -> Iterator[CheckedEntry]:
    """Run the commands of the entries one by one.

    ``data`` are sets of faces by path; a command's set is the one of that name, wherever it lies.  Results go
    to ``out``, a folder for each entry, and what is finished there is not measured again.
    """
    for entry in entries:
        found = at_hand(entry.data, data)
        if found is None:
            yield CheckedEntry(entry, None)
            continue
        journal = Journal(out / entry.name)
        workshop = Workshop(
            generators_named(entry.weights),
            compare=bool(entry.weights),
            settings=Settings(
                rows=entry.rows,
                attribute=entry.attribute,
                queries=entry.queries,
                seed=entry.seed,
                rivals=entry.rivals,
                cpi=entry.cpi,
                parts=frozenset(_PARTS[number.kind] for number in entry.numbers if number.kind in _PARTS),
            ),
        )
        experiment = workshop.measure(
            open_set(found, cropped=entry.cropped, progress=progress), journal, progress
        )
        results = journal.results.of(experiment.gallery.name)
        yield CheckedEntry(
            entry, tuple(Checked(number, measured(results, number)) for number in entry.numbers)
        )


def measured(results: Results, number: Number) -> float:
    """What a number came out as in the results of one set, NaN where it is not there."""
    match number.kind:
        case "recall":
            values = [
                row.recall[number.place]
                for row in results.rows
                if (row.row, row.criterion) == (number.of, number.criterion) and number.place in row.recall
            ]
        case "change":
            values = [
                change.recall[number.place]
                for change in results.changes
                if (change.row, change.criterion) == (number.of, number.criterion)
                and number.place in change.recall
            ]
        case "error" | "absolute-error":
            values = [
                (errors.squared if number.kind == "error" else errors.absolute)[f"stage{number.place}"]
                for errors in results.errors
                if errors.weights.partition("@")[0] == number.of
            ]
        case "canonicalised":
            values = [
                confusion.accuracy
                for confusion in results.confusions
                if confusion.weights.partition("@")[0] == number.of
            ]
        case _:
            values = [classifier.accuracy for classifier in results.classifiers]
    return values[0] if values else math.nan
