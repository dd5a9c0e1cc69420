"""One benchmark: sets of faces and weights in, a folder of results out.

Each thing that is measured is a step, written down once it is done and never measured again: its identity
is a hash of everything that its outcome depends on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.context import Context
from evaluation.figures import cpi_artist, make_figures, read_figures, remove_figures
from evaluation.measurements import (
    canonicalised_values,
    change_values,
    classifier_values,
    compared_by_change,
    error_values,
    misaligned_values,
    ranks_of_right,
    recall_values,
)
from evaluation.methods import OURS, Method, find_method, methods_for
from evaluation.protocol import QUERIES, Experiment, best_studios, prepare
from evaluation.recall import KS
from evaluation.results import Journal, Record, Unavailable, Value, hash_of, read_arrays
from evaluation.steps import Step, StepProgress, run_steps
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet, read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.errors import DataError, RowUnavailable
from faces.progress import Progress
from faces.types import Ints
from retrieval.engine import Encoder

DEFAULT_WEIGHTS = ("rotation-32", "completion-32", "accessories-32")
"""Tried in this order if the user names none; the first that know most of a set's values are tested."""

PARTS = ("tables", "classifier", "errors", "confusion", "change", "misalignment", "figures")
"""What can be measured: the recall of every row, and what stands beside it."""

PROTOCOL = 1
"""To be raised whenever the same faces, weights and queries would give other numbers than before."""

Read = Callable[[CropGeometry], FaceSet]
"""Reads a set of faces, cropped as a geometry says."""


@dataclass(frozen=True)
class Options:
    """How sets of faces are measured.

    ``rows`` None means all; ``rivals`` names a folder of fitted rivals and ``cpi`` one of trained CPI,
    those that come along if None; ``vgg16`` and ``vgg_face`` are the published weight files.  ``parts`` are
    those of ``PARTS`` that are wanted.
    """

    rows: tuple[str, ...] | None = None
    attribute: Attribute | None = None
    queries: int = QUERIES
    seed: int = 0
    rivals: str | None = None
    cpi: str | None = None
    vgg16: Path | None = None
    vgg_face: Path | None = None
    parts: Collection[str] = PARTS


@dataclass
class Benchmark:
    """What several sets of faces are measured with: the weights by name, in the order they were named.

    ``compare`` says whether all weights that know a set's attribute are measured, or only those under test.
    """

    generators: Mapping[str, Encoder]
    compare: bool = True
    options: Options = field(default_factory=Options)

    def open(self, read: Read, progress: Progress) -> tuple[Experiment, Context]:
        """Prepare the experiment on a set of faces, and what its methods are built from.

        The set is read as the weights under test want it cropped.  Raises DataError if no weights fit it.
        """
        options = self.options
        studios = {name: Studio(generator) for name, generator in self.generators.items()}
        first = next(iter(self.generators.values()))
        faces = read(first.geometry)
        attribute, names = best_studios(faces, studios, options.attribute)
        tested = self.generators[names[0]]
        if tested.geometry != first.geometry:
            faces = read(tested.geometry)
        context = Context(
            studio=Studio(tested, progress=progress),
            attribute=attribute,
            rivals=options.rivals,
            cpi=options.cpi,
            vgg16=options.vgg16,
            vgg_face=options.vgg_face,
            load=self._load,
            progress=progress,
        )
        experiment = prepare(
            faces,
            context.studio,
            others={name: context.with_weights(name).studio for name in (names[1:] if self.compare else ())},
            attribute=attribute,
            count=options.queries,
            seed=options.seed,
        )
        return experiment, context

    def measure(self, read: Read, journal: Journal, progress: Progress) -> Experiment:
        """Measure everything on a set of faces that the journal does not hold yet."""
        steps = StepProgress(progress)
        experiment, context = self.open(read, steps)
        run_experiment(experiment, context, journal, steps, rows=self.options.rows, parts=self.options.parts)
        return experiment

    def _load(self, name: str) -> Encoder:
        if name in self.generators:
            return self.generators[name]
        from generator.checkpoint import load_generator

        return load_generator(name)


def run_experiment(
    experiment: Experiment,
    context: Context,
    journal: Journal,
    progress: StepProgress,
    *,
    rows: Sequence[str] | None = None,
    parts: Collection[str] = PARTS,
) -> None:
    """Measure everything that the journal does not hold yet: rows, then what follows from them.

    ``rows`` names the rows wanted, all if None; ``parts`` are those of ``PARTS`` that are wanted;
    ``context`` is the experiment's.  What the journal holds of this set but was measured otherwise (other
    faces, queries or weights) is forgotten; what was only not asked for stays.  Raises DataError for a row
    that does not exist.
    """
    plan = _Plan(experiment, context, journal)
    every = plan.methods()
    named = None if rows is None else [find_method(name, experiment.attribute) for name in rows]
    wanted = every if named is None or not experiment.searched else named
    steps = plan.steps(wanted, parts)
    known = {step.identity for step in (*steps, *plan.steps(every, PARTS))}
    name = experiment.gallery.name
    if not read_figures(journal.folder, name):
        journal.keep(name, known | {plan.change(known).identity})
    journal.keep(name, known | plan.following(known))
    run_steps(steps, journal, progress)
    if "change" in parts:
        run_steps([plan.change(known)], journal, progress)
    if "figures" in parts:
        run_steps([plan.figures(known)], journal, progress)
    journal.keep(name, known | plan.following(known))
    if plan.figures(known).identity not in journal:
        remove_figures(journal.folder, name)  # they show other results


class _Plan:
    """The steps of an experiment in the order of computing: what shares features stands together."""

    def __init__(self, experiment: Experiment, context: Context, journal: Journal) -> None:
        self.experiment = experiment
        self.context = context
        self.journal = journal

    def methods(self) -> list[Method]:
        """All rows: those of the tables, and ours once more for each of the other weights."""
        if not self.experiment.searched:
            return []
        rows = methods_for(self.experiment.attribute)
        ours = [name for name, method in rows.items() if method.family == "ours"]
        others = [f"{row}@{name}" for name in self.experiment.others for row in ours]
        return [*rows.values(), *(find_method(name, self.experiment.attribute) for name in others)]

    def steps(self, wanted: Sequence[Method], parts: Collection[str]) -> list[Step]:
        """What to measure if these are the rows and parts, but for what follows from it."""
        header = self.experiment.header
        steps = [Step("the set", self._identity("set", header=repr(header)), lambda: [header], cost=0)]
        plain = [method for method in wanted if not method.weights]
        if "tables" in parts:
            steps += [self._recall(method) for method in plain]
        if "classifier" in parts and any(
            method.family == "rival" and "rivals" in method.uses for method in plain
        ):
            uses = {what: self.context.identity(what) for what in ("rivals", "vgg16", "vgg_face")}
            measure = partial(classifier_values, self.experiment, self.context)
            steps.append(Step("classifier", self._identity("classifier", **uses), measure))
        steps += self._of_weights(self.experiment.studio, parts)
        steps += self._misaligned(plain, parts)
        for name, studio in self.experiment.others.items():
            others = [method for method in wanted if method.weights == name]
            if "tables" in parts:
                steps += [self._recall(method) for method in others]
            steps += self._misaligned(others, parts)
            steps += self._of_weights(studio, parts)
        return steps

    def change(self, known: Collection[str]) -> Step:
        """Recall by the size of the change, of the rows that are finished."""
        rows = [self._recall_identity(method) for method in self.methods() if not method.weights]
        finished = sorted(step for step in known if step in rows and step in self.journal)
        return Step("recall by change", self._identity("change", rows=finished), self._change, cost=0.5)

    def figures(self, known: Collection[str]) -> Step:
        """Draw what those of the known steps give that are finished."""
        finished = sorted(step for step in (*known, self.change(known).identity) if step in self.journal)
        return Step("figures", self._identity("figures", steps=finished), self._draw_figures, cost=10)

    def following(self, known: Collection[str]) -> set[str]:
        """The identities of what follows from the known steps that are finished."""
        return {self.change(known).identity, self.figures(known).identity}

    def _identity(self, what: str, **more: object) -> str:
        """The identity of a step that depends on the faces, the queries and ``more``."""
        queries = self.experiment.queries
        return hash_of(
            protocol=PROTOCOL,
            what=what,
            set=self.experiment.gallery.name,
            fingerprint=self.experiment.fingerprint,
            attribute=self.experiment.attribute,
            queries=len(queries),
            seed=queries.seed,
            **more,
        )

    def _recall_identity(self, method: Method) -> str:
        return self._identity("recall", **method.cache_key(self.context))

    def _recall(self, method: Method) -> Step:
        missing = not all(method.cache_key(self.context).values())
        return Step(
            method.name,
            self._recall_identity(method),
            partial(self._measure_recall, method),
            cost=1 if missing else method.cost,
        )

    def _misaligned(self, wanted: Sequence[Method], parts: Collection[str]) -> list[Step]:
        """Those of the rows that are asked with faces cropped badly."""
        return [
            Step(
                f"{method.name}, misaligned",
                self._identity("misaligned", **method.cache_key(self.context)),
                partial(self._measure_misaligned, method),
                cost=3 if method.cost < 10 else 30,
            )
            for method in (wanted if "misalignment" in parts else ())
            if method.misaligned
        ]

    def _of_weights(self, studio: Studio, parts: Collection[str]) -> list[Step]:
        """What is measured of weights without a search."""
        steps = []
        gallery, queries = self.experiment.gallery, self.experiment.queries
        if "errors" in parts:
            measure = partial(error_values, gallery, studio, queries.attribute, seed=queries.seed)
            identity = self._identity("errors", weights=studio.weights)
            steps.append(Step("errors", identity, measure, cost=17))
        if "confusion" in parts and self.experiment.searched:
            identity = self._identity("confusion", weights=studio.weights)
            steps.append(Step("confusion", identity, partial(self._measure_confusion, studio)))
        return steps

    def _measure_recall(self, method: Method) -> Sequence[Record]:
        begun = time.monotonic()
        try:
            searcher = method.build(self.context).fit(self.experiment.gallery)
            rankings = searcher.rank(self.experiment.batch, max(KS))
        except RowUnavailable as reason:
            return [Unavailable(self.experiment.gallery.name, method.name, reason.reason)]
        ranks = ranks_of_right(self.experiment, rankings)
        arrays = {f"first_{number}": first.astype(np.int32) for number, first in ranks.items()}
        self.journal.save_arrays(
            self._recall_identity(method), {"rankings": rankings.astype(np.int32), **arrays}
        )
        seconds = time.monotonic() - begun
        return recall_values(self.experiment, method.name, method.made_with(self.context), ranks, seconds)

    def _measure_confusion(self, studio: Studio) -> Sequence[Record]:
        values = canonicalised_values(self.experiment.gallery, studio, self.experiment.attribute)
        if studio is not self.experiment.studio:
            studio.forget()  # the last step that needs it
        return values

    def _change(self) -> Sequence[Record]:
        attribute = self.experiment.attribute
        results = self.journal.results.of(self.experiment.gallery.name)
        records: list[Record] = []
        for name in compared_by_change(results, attribute):
            method = find_method(name, attribute)
            weights = method.made_with(self.context)
            records += change_values(self.experiment, name, weights, self._ranks(method))
        return records

    def _measure_misaligned(self, method: Method) -> Sequence[Record]:
        searcher = method.build(self.context).fit(self.experiment.gallery)
        return misaligned_values(self.experiment, method.name, method.made_with(self.context), searcher)

    def _draw_figures(self) -> Sequence[Record]:
        name, attribute = self.experiment.gallery.name, self.experiment.attribute
        try:
            artist = cpi_artist(self.context.cpi) if attribute == "pose" else None
        except RowUnavailable:
            artist = None
        results = self.journal.results.of(name)
        ours = find_method(OURS, attribute)
        make_figures(
            self.experiment,
            results,
            self.journal.folder,
            ranks=self._ranks(ours)[1] if results.recall(OURS, 1) else None,
            artist=artist,
            progress=self.context.progress,
        )
        count = len(read_figures(self.journal.folder, name))
        return [Value(name, "", "", "figures", 0, 0, float(count), None, None, count)]

    def _ranks(self, method: Method) -> dict[int, Ints]:
        """The ranks of a row that was measured, by criterion."""
        arrays = read_arrays(self.journal.folder, self._recall_identity(method))
        return {
            kind.number: arrays[f"first_{kind.number}"].astype(np.int64) for kind in self.experiment.criteria
        }


def generators_named(names: Sequence[str]) -> dict[str, Encoder]:
    """Load weights by name, in this order; those that come along if there are no names.

    Raises WeightsError for weights that cannot be read.
    """
    from generator.checkpoint import load_generator, shipped_names

    shipped = shipped_names()
    return named(
        [load_generator(name) for name in names or [one for one in DEFAULT_WEIGHTS if one in shipped]]
    )


def named(generators: Sequence[Encoder]) -> dict[str, Encoder]:
    """Sort generators by name; raises DataError if two of different weights have the same."""
    found: dict[str, Encoder] = {}
    for generator in generators:
        known = found.setdefault(generator.name, generator)
        if known.weights_id != generator.weights_id:
            raise DataError(f"two weights are called {generator.name}; give one of the folders another name.")
    return found


def open_set(name: str, *, cropped: bool, progress: Progress) -> Read:
    """Say how to read a labelled folder, a .zip of one, or a set that comes with the project."""
    path = Path(name)
    shipped = _shipped(name)
    mine = shipped is not None and not path.exists()

    def read(geometry: CropGeometry) -> FaceSet:
        return read_labelled(
            shipped if mine and shipped else path,
            cropped=cropped or mine,
            geometry=geometry,
            progress=progress,
        )

    return read


def find_set(name: str, data: Sequence[str]) -> str | None:
    """Find a set that a command names: as one that comes along, as one of ``data``, or by its path.

    Two paths mean the same set if their last parts are the same.  None if it cannot be found.
    """
    if _shipped(name):
        return name
    for path in data:
        if Path(path).stem == Path(name).stem:
            return path
    return name if Path(name).exists() else None


def check_names(data: Sequence[str]) -> None:
    """Raise DataError if two sets would have the same name in the results."""
    names = [Path(name).stem for name in data]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two sets are called {name}; rename one, as results are kept by name.")


def _shipped(name: str) -> Path | None:
    """The set of that name that comes with the project."""
    path = rendered_mini_path().with_name(f"{Path(name).name}.zip")
    return path if Path(name).name == name and path.is_file() else None
