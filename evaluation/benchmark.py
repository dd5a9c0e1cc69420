"""One benchmark: sets of faces and weights in, a folder of results out.

Each thing that is measured is a step, written down once it is done and never measured again: its identity
is a hash of everything that its outcome depends on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from evaluation import measurements
from evaluation.context import Context
from evaluation.figures import cpi_artist, make_figures, read_figures, remove_figures
from evaluation.methods import OURS, Method, find_method, methods_for
from evaluation.protocol import QUERIES, Experiment, best_studios, faces_to_test, prepare
from evaluation.recall import KS
from evaluation.results import Journal, Record, Unavailable, Value, hash_of, read_arrays
from evaluation.studio import Studio
from facedata.labelled import ATTRIBUTES, Attribute, FaceSet, read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.errors import DataError, RowUnavailable
from faces.progress import Progress
from faces.types import Ints
from generator.available import shipped_names
from generator.checkpoint import load_generator
from retrieval.parts import Encoder

DEFAULT_WEIGHTS = ("rotation-32", "completion-32", "accessories-32")
"""Tried in this order if the user names none; the first that know most of a set's values are tested."""

PARTS = ("tables", "classifier", "errors", "confusion", "change", "misalignment", "figures")
"""What can be measured: the recall of every row, and what stands beside it."""

PROTOCOL = 1  # to be raised whenever the same faces, weights and queries would give other numbers

Read = Callable[[CropGeometry], FaceSet]
"""Reads a set of faces, cropped as a geometry says."""


@dataclass(frozen=True)
class Options:
    """How sets of faces are measured: which ``rows``, all if None, and which of ``PARTS``.

    ``rivals`` names a folder of fitted rivals, ``cpi`` one of trained CPI and ``classifier`` one of what
    tells what faces show (or "none"), those that come along if None; ``vgg16`` and ``vgg_face`` are the
    published weight files.
    """

    rows: tuple[str, ...] | None = None
    attribute: Attribute | None = None
    queries: int = QUERIES
    seed: int = 0
    rivals: str | None = None
    cpi: str | None = None
    classifier: str | None = None
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
        faces = faces_to_test(read(first.geometry))
        attribute, names = best_studios(faces, studios, options.attribute)
        tested = self.generators[names[0]]
        if tested.geometry != first.geometry:
            faces = faces_to_test(read(tested.geometry))
        context = Context(
            studio=Studio(tested, progress=progress),
            attribute=attribute,
            rivals=options.rivals,
            cpi=options.cpi,
            classifier=options.classifier,
            vgg16=options.vgg16,
            vgg_face=options.vgg_face,
            load=lambda name: self.generators.get(name) or load_generator(name),
            progress=progress,
        )
        others = {name: context.with_weights(name).studio for name in (names[1:] if self.compare else ())}
        count, seed = options.queries, options.seed
        experiment = prepare(faces, context.studio, attribute, others=others, count=count, seed=seed)
        return experiment, context

    def open_all(self, read: Read, progress: Progress) -> tuple[FaceSet, Context]:
        """Prepare the first weights, to be asked for all they change, and read a set of faces for them."""
        generator = next(iter(self.generators.values()))
        names = [group.name for group in generator.vocabulary.groups]
        attribute = next((name for name in ATTRIBUTES if name in names), None)
        if attribute is None:
            raise DataError(f"the weights {generator.name} change nothing that faces are labelled with.")
        studio = Studio(generator, progress=progress)
        context = Context(
            studio=studio, attribute=attribute, classifier=self.options.classifier, progress=progress
        )
        return faces_to_test(read(generator.geometry)), context

    def measure(self, read: Read, journal: Journal, progress: Progress) -> Experiment:
        """Measure everything on a set of faces that the journal does not hold yet."""
        steps = StepProgress(progress)
        experiment, context = self.open(read, steps)
        run_experiment(experiment, context, journal, steps, rows=self.options.rows, parts=self.options.parts)
        return experiment


@dataclass(frozen=True)
class Step:
    """One thing to measure.

    ``identity`` stands for everything that its outcome depends on; ``measure`` gives its records or raises
    RowUnavailable.  ``cost`` is its share of the work, in seconds on some machine; ``part`` is one of
    ``PARTS``, empty for what each of them needs.
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

    def through(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Take one step after the other; once a tenth of the work is done, the time left is told."""
        begun, done, total = self._clock(), 0.0, sum(step.cost for step in steps)
        for number, step in enumerate(steps, start=1):
            self._prefix = f"{number} of {len(steps)}, {step.name}"
            if done and done >= 0.1 * total:
                seconds = (self._clock() - begun) * (total - done) / done
                words = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
                self._prefix += f", {words} left for this set"
            self._prefix += ": "
            yield step
            done += step.cost

    def start(self, what: str, total: int | None, unit: str) -> None:
        self._inner.start(self._prefix + what, total, unit)

    def advance(self, count: int = 1, note: str = "") -> None:
        self._inner.advance(count, note)

    def finish(self) -> None:
        self._inner.finish()


def run_experiment(
    experiment: Experiment,
    context: Context,
    journal: Journal,
    progress: StepProgress,
    *,
    rows: Sequence[str] | None = None,
    parts: Collection[str] = PARTS,
) -> None:
    """Measure what is wanted and the journal does not hold yet: rows, all if None, and parts.

    What the journal holds of this set but was measured otherwise (other faces, queries or weights) is
    forgotten; what was only not asked for stays.  Raises DataError for a row that does not exist.
    """
    named = None if rows is None else [find_method(row, experiment.attribute) for row in rows]
    plan = _Plan(experiment, context, journal, named if experiment.searched else None)
    name = experiment.gallery.name
    drawn = {plan.figures().identity} if read_figures(journal.folder, name) else set()
    journal.keep(name, plan.known | {plan.change().identity} | drawn)
    run_steps([step for step in plan.steps if step.part in ("", *parts)], journal, progress)
    for follow in (plan.change, plan.figures):
        run_steps([step for step in [follow()] if step.part in parts], journal, progress)
    figures = plan.figures().identity
    journal.keep(name, plan.known | {plan.change().identity, figures})
    if figures not in journal:
        remove_figures(journal.folder, name)  # they show other results


def run_steps(steps: Sequence[Step], journal: Journal, progress: StepProgress) -> None:
    """Measure the steps that the journal does not hold, in order; each is written down once it is done."""
    for step in progress.through([step for step in steps if step.identity not in journal]):
        try:
            records = step.measure()
        except RowUnavailable:
            records = ()
        journal.append(step.identity, records)


class _Plan:
    """The steps of an experiment in the order of computing: what shares features stands together.

    ``steps`` are those of the rows ``named``, all if None, but for what follows from them; ``known`` are the
    identities of all that may have been measured before, whether it was asked for now or not.
    """

    def __init__(
        self, experiment: Experiment, context: Context, journal: Journal, named: Sequence[Method] | None
    ) -> None:
        self.experiment = experiment
        self.context = context
        self.journal = journal
        self.attribute = experiment.attribute
        every: list[Method] = []
        if experiment.searched:
            rows = methods_for(self.attribute)
            ours = [name for name, method in rows.items() if method.family == "ours"]
            others = [f"{row}@{name}" for name in experiment.others for row in ours]
            every = [*rows.values(), *(find_method(name, self.attribute) for name in others)]
        self.steps = self._steps(every if named is None else named)
        self.known = {step.identity for step in (*self.steps, *self._steps(every))}
        self._rows = sorted(self._recall(method).identity for method in every if not method.weights)

    def change(self) -> Step:
        """Recall by the size of the change, of the rows that are finished."""
        finished = [step for step in self._rows if step in self.journal]
        return Step("recall by change", self._identity("change", rows=finished), self._change, 0.5, "change")

    def figures(self) -> Step:
        """Draw what those of the known steps give that are finished."""
        known = self.known | {self.change().identity}
        finished = sorted(step for step in known if step in self.journal)
        return Step("figures", self._identity("figures", steps=finished), self._draw_figures, 10, "figures")

    def _steps(self, rows: Sequence[Method]) -> list[Step]:
        experiment = self.experiment
        header = experiment.header
        steps = [Step("the set", self._identity("set", header=repr(header)), lambda: [header], cost=0)]
        plain = [method for method in rows if not method.weights]
        steps += map(self._recall, plain)
        if any(method.family == "rival" and "rivals" in method.uses for method in plain):
            uses = {what: self.context.identity(what) for what in ("rivals", "vgg16", "vgg_face")}
            identity = self._identity("classifier", **uses)
            measure = partial(measurements.classifier_values, experiment, self.context)
            steps.append(Step("classifier", identity, measure, part="classifier"))
        steps += self._of_weights(experiment.studio)
        steps += self._misaligned(plain)
        for name, studio in experiment.others.items():
            others = [method for method in rows if method.weights == name]
            steps += map(self._recall, others)
            steps += self._misaligned(others)
            steps += self._of_weights(studio)
        return steps

    def _identity(self, what: str, **more: object) -> str:
        """The identity of a step that depends on the faces, the queries and ``more``."""
        return hash_of(
            protocol=PROTOCOL,
            what=what,
            set=self.experiment.gallery.name,
            fingerprint=self.experiment.fingerprint,
            attribute=self.attribute,
            queries=len(self.experiment.queries),
            seed=self.experiment.queries.seed,
            **more,
        )

    def _recall(self, method: Method) -> Step:
        key = method.cache_key(self.context)
        identity = self._identity("recall", **key)
        measure = partial(self._measure_recall, method, identity)
        return Step(method.name, identity, measure, method.cost if all(key.values()) else 1, "tables")

    def _misaligned(self, rows: Sequence[Method]) -> Iterator[Step]:
        """Those of the rows that are asked with faces cropped badly."""
        for method in rows:
            if method.misaligned:
                identity = self._identity("misaligned", **method.cache_key(self.context))
                measure, cost = partial(self._measure_misaligned, method), 3 if method.cost < 10 else 30
                yield Step(f"{method.name}, misaligned", identity, measure, cost, "misalignment")

    def _of_weights(self, studio: Studio) -> Iterator[Step]:
        """What is measured of weights without a search."""
        gallery, seed = self.experiment.gallery, self.experiment.queries.seed
        measure = partial(measurements.error_values, gallery, studio, self.attribute, seed=seed)
        yield Step("errors", self._identity("errors", weights=studio.weights), measure, 17, "errors")
        if self.experiment.searched:
            identity = self._identity("confusion", weights=studio.weights)
            yield Step("confusion", identity, partial(self._measure_confusion, studio), part="confusion")

    def _measure_recall(self, method: Method, identity: str) -> Sequence[Record]:
        experiment, begun = self.experiment, time.monotonic()
        try:
            searcher = method.build(self.context).fit(experiment.gallery)
            rankings = searcher.rank(experiment.batch, max(KS))
        except RowUnavailable as reason:
            return [Unavailable(experiment.gallery.name, method.name, reason.reason)]
        ranks = experiment.ranks(rankings)
        arrays = {"rankings": rankings, **{f"first_{number}": first for number, first in ranks.items()}}
        self.journal.save_arrays(identity, {name: array.astype(np.int32) for name, array in arrays.items()})
        seconds, count = time.monotonic() - begun, len(experiment.queries)
        row = self._row(method)
        took = Value(experiment.gallery.name, *row, "seconds", 0, 0, seconds, None, None, count)
        return [*measurements.recall_values(experiment, row, ranks), took]

    def _measure_confusion(self, studio: Studio) -> Sequence[Record]:
        values = measurements.canonicalised_values(self.experiment.gallery, studio, self.attribute)
        if studio is not self.experiment.studio:
            studio.forget()  # the last step that needs it
        return values

    def _measure_misaligned(self, method: Method) -> Sequence[Record]:
        searcher = method.build(self.context).fit(self.experiment.gallery)
        return measurements.misaligned_values(self.experiment, self._row(method), searcher)

    def _change(self) -> Sequence[Record]:
        results = self.journal.results.of(self.experiment.gallery.name)
        records: list[Record] = []
        for name in measurements.compared_by_change(results, self.attribute):
            row = self._row(find_method(name, self.attribute))
            records += measurements.change_values(self.experiment, row, self._ranks(name))
        return records

    def _draw_figures(self) -> Sequence[Record]:
        name, folder = self.experiment.gallery.name, self.journal.folder
        try:
            artist = cpi_artist(self.context.cpi_model) if self.attribute == "pose" else None
        except RowUnavailable:
            artist = None
        results = self.journal.results.of(name)
        ranks = self._ranks(OURS)[1] if results.recall(OURS, 1) else None
        make_figures(
            self.experiment, results, folder, ranks=ranks, artist=artist, progress=self.context.progress
        )
        count = len(read_figures(folder, name))
        return [Value(name, "", "", "figures", 0, 0, float(count), None, None, count)]

    def _row(self, method: Method) -> tuple[str, str]:
        return method.name, method.made_with(self.context)

    def _ranks(self, row: str) -> dict[int, Ints]:
        """The ranks of a row that was measured, by criterion."""
        step = self._recall(find_method(row, self.attribute)).identity
        arrays = read_arrays(self.journal.folder, step)
        return {
            kind.number: arrays[f"first_{kind.number}"].astype(np.int64) for kind in self.experiment.criteria
        }


def generators_named(names: Sequence[str]) -> dict[str, Encoder]:
    """Load weights by name, those that come along if there are no names; raises WeightsError or DataError."""
    shipped = shipped_names()
    return named(map(load_generator, names or [name for name in DEFAULT_WEIGHTS if name in shipped]))


def named(generators: Iterable[Encoder]) -> dict[str, Encoder]:
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
    if not path.exists() and (shipped := _shipped(name)):
        path, cropped = shipped, True
    return lambda geometry: read_labelled(path, cropped=cropped, geometry=geometry, progress=progress)


def find_set(name: str, data: Sequence[str]) -> str | None:
    """Find a set that comes along, one of ``data`` whose path ends alike, or one by its path; else None."""
    if _shipped(name):
        return name
    same = (path for path in data if Path(path).stem == Path(name).stem)
    return next(same, name if Path(name).exists() else None)


def check_names(data: Sequence[str]) -> None:
    """Raise DataError if two sets would have the same name in the results."""
    name, count = Counter(Path(name).stem for name in data).most_common(1)[0]
    if count > 1:
        raise DataError(f"two sets are called {name}; rename one, as results are kept by name.")


def _shipped(name: str) -> Path | None:
    """The set of that name that comes with the project."""
    path = rendered_mini_path().with_name(f"{Path(name).name}.zip")
    return path if Path(name).name == name and path.is_file() else None
