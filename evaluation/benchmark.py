"""The paper's experiments on one set of faces, step by step into a folder of results."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import partial

import numpy as np

from evaluation.change import change_records, compared_rows
from evaluation.context import Context
from evaluation.errors import confusion, stage_errors
from evaluation.experiment import Experiment, prepare
from evaluation.figures import cpi_artist, make_figures
from evaluation.figures.store import read_figures
from evaluation.identities import Identities
from evaluation.journal import Journal, read_arrays
from evaluation.measures import (
    classifier_record,
    fitted,
    ranks_of_right,
    row_records,
    unavailable_records,
)
from evaluation.misalign import ROWS as MISALIGNED_ROWS
from evaluation.misalign import misaligned_records
from evaluation.recall import KS
from evaluation.results import FiguresRecord, Record, RowRecord
from evaluation.rows import RowSpec, find_row, rows_for
from evaluation.steps import Step, StepProgress, run_steps
from evaluation.studio import Studio
from faces.errors import RowUnavailable

__all__ = ["Experiment", "prepare", "run_benchmark"]

FIGURES = "figures"
PARTS = frozenset({"classifier", "errors", "confusion", "change", "misaligned", FIGURES})
"""What can be measured beside the rows."""

# Seconds on one core for the small set that comes along; elsewhere they are in about the same proportion.
# The first row of weights canonicalises for all.
_COSTS = {"ours-features": 65.0, "ours-all-values": 120.0, "cpi": 25.0, "two-step-dlib": 18.0}
_VGG_COST = 500.0


def run_benchmark(
    experiment: Experiment,
    context: Context,
    journal: Journal,
    progress: StepProgress,
    *,
    rows: Sequence[str] | None = None,
    parts: Collection[str] = PARTS,
) -> None:
    """Measure everything that the journal does not hold yet: rows, then what follows from them.

    ``rows`` names the rows wanted, all where None; ``parts`` are those of ``PARTS`` that are wanted;
    ``context`` is the experiment's.  What the journal holds
    of this set but was measured otherwise (other faces, queries or weights) is forgotten.  Raises DataError
    for a row that does not exist.
    """
    plan = _Plan(experiment, context, journal)
    known = plan.specs()
    named = None if rows is None else [find_row(name, experiment.attribute) for name in rows]
    wanted = known if named is None or not experiment.searched else named
    steps = plan.steps(wanted, parts)
    valid = {step.identity for step in steps} | {plan.identities.row(spec) for spec in known}
    if not read_figures(journal.folder, experiment.gallery.name):
        valid -= {step.identity for step in steps if step.name == FIGURES}
    journal.keep(experiment.gallery.name, valid)
    run_steps(steps, journal, progress)


class _Plan:
    """The steps of an experiment in the order of computing: what shares features stands together."""

    def __init__(self, experiment: Experiment, context: Context, journal: Journal) -> None:
        self.experiment = experiment
        self.context = context
        self.journal = journal
        self.identities = Identities(experiment, context)

    def specs(self) -> list[RowSpec]:
        """All rows: those of the tables, and ours once more for each of the other weights."""
        if not self.experiment.searched:
            return []
        rows = list(rows_for(self.experiment.attribute))
        ours = [row for row in rows if row.startswith("ours-")]
        rows += [f"{row}@{name}" for name in self.experiment.others for row in ours]
        return [find_row(row, self.experiment.attribute) for row in rows]

    def steps(self, wanted: Sequence[RowSpec], parts: Collection[str]) -> list[Step]:
        """Everything to measure where these are the rows and parts."""
        record = self.experiment.record()
        steps = [Step("the set", self.identities.of("set", record=repr(record)), lambda: [record], cost=0)]
        plain = [spec for spec in wanted if spec.weights is None]
        steps += [self._row(spec) for spec in plain]
        if "classifier" in parts and any(
            spec.name.startswith("two-step-") and not spec.told for spec in plain
        ):
            steps.append(Step("classifier", self.identities.classifier(), self._classifier))
        steps += self._by_itself(self.experiment.studio, parts)
        if "change" in parts and plain:
            identity = self.identities.following("change", plain)
            steps.append(Step("recall by change", identity, self._change, cost=0.5))
        steps += self._moved(plain, parts)
        for name, studio in self.experiment.others.items():
            others = [spec for spec in wanted if spec.weights == name]
            steps += [self._row(spec) for spec in others]
            steps += self._moved(others, parts)
            steps += self._by_itself(studio, parts)
        if FIGURES in parts:
            steps.append(self._pictures(steps))
        return steps

    def _moved(self, wanted: Sequence[RowSpec], parts: Collection[str]) -> list[Step]:
        """Those of the rows that are asked with faces cropped amiss."""
        steps = []
        for spec in wanted if "misaligned" in parts else ():
            if spec.name.partition("@")[0] in MISALIGNED_ROWS:
                identity = self.identities.following("misaligned", [spec])
                cost = 3 if "two-step" in spec.name else 30
                steps.append(
                    Step(f"{spec.name}, misaligned", identity, partial(self._misaligned, spec), cost=cost)
                )
        return steps

    def _row(self, spec: RowSpec) -> Step:
        cost = _COSTS.get(spec.name.partition("@")[0], 4.0)
        given = {"two-step-vgg16-fc7": self.context.vgg16, "two-step-deep-fc6": self.context.vgg_face}
        if given.get(spec.name) is not None:
            cost = _VGG_COST
        return Step(spec.name, self.identities.row(spec), partial(self._measured, spec), cost=cost)

    def _pictures(self, steps: Sequence[Step]) -> Step:
        """The figures of what these steps give."""
        identity = self.identities.of("figures", steps=[step.identity for step in steps])
        return Step(FIGURES, identity, self._draw_figures, cost=10)

    def _by_itself(self, studio: Studio, parts: Collection[str]) -> list[Step]:
        """What is measured of weights without a search."""
        steps = []
        if "errors" in parts:
            identity = self.identities.alone("errors", studio)
            steps.append(Step("errors", identity, partial(self._errors, studio), cost=17))
        if "confusion" in parts and self.experiment.searched:
            identity = self.identities.alone("confusion", studio)
            steps.append(Step("confusion", identity, partial(self._confusion, studio)))
        return steps

    def _measured(self, spec: RowSpec) -> Sequence[Record]:
        begun = time.monotonic()
        try:
            searcher = fitted(spec, self.context, self.experiment)
            rankings = searcher.rank(self.experiment.batch, max(KS))
        except RowUnavailable as reason:
            return unavailable_records(self.experiment, spec, reason.reason)
        firsts = ranks_of_right(self.experiment, rankings)
        arrays = f"{self.identities.row(spec)}.npz"
        ranks = {f"first_{number}": first.astype(np.int32) for number, first in firsts.items()}
        self.journal.save_arrays(arrays, {"rankings": rankings.astype(np.int32), **ranks})
        return row_records(
            self.experiment,
            spec,
            firsts,
            made_with=self.identities.made_with(spec),
            seconds=time.monotonic() - begun,
            arrays=arrays,
        )

    def _classifier(self) -> Sequence[Record]:
        try:
            return [classifier_record(self.experiment, self.context)]
        except RowUnavailable:
            return []

    def _errors(self, studio: Studio) -> Sequence[Record]:
        experiment = self.experiment
        made = stage_errors(experiment.gallery, studio, experiment.attribute, seed=experiment.queries.seed)
        return [] if made is None else [made]

    def _confusion(self, studio: Studio) -> Sequence[Record]:
        record = confusion(self.experiment.gallery, studio, self.experiment.attribute)
        if studio is not self.experiment.studio:
            studio.forget()  # the last step that needs it
        return [record]

    def _draw_figures(self) -> Sequence[Record]:
        try:
            artist = cpi_artist(self.context.cpi) if self.experiment.attribute == "pose" else None
        except RowUnavailable:
            artist = None
        make_figures(
            self.experiment,
            self.journal.results,
            self.journal.folder,
            artist=artist,
            progress=self.context.progress,
        )
        return [FiguresRecord(self.experiment.gallery.name)]

    def _change(self) -> Sequence[Record]:
        rows = self.journal.results.of(self.experiment.gallery.name).rows
        records: list[Record] = []
        for name in compared_rows(rows):
            arrays = read_arrays(self.journal.folder, _arrays_of(rows, name))
            firsts = {
                kind.number: arrays[f"first_{kind.number}"].astype(np.int64)
                for kind in self.experiment.criteria
            }
            records += change_records(self.experiment, name, firsts)
        return records

    def _misaligned(self, spec: RowSpec) -> Sequence[Record]:
        try:
            searcher = fitted(spec, self.context, self.experiment)
            return misaligned_records(self.experiment, spec.name, searcher)
        except RowUnavailable:
            return []


def _arrays_of(rows: Sequence[RowRecord], name: str) -> str:
    return next(row.arrays for row in rows if row.row == name and row.arrays)
