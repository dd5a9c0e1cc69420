"""One benchmark: sets of faces and weights in, a folder of results out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.benchmark import PARTS, run_benchmark
from evaluation.context import Context
from evaluation.experiment import Experiment, best_studios, prepare
from evaluation.journal import Journal
from evaluation.protocol import QUERIES
from evaluation.steps import StepProgress
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet, read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.errors import DataError
from faces.progress import Progress
from retrieval.encoder import Encoder

DEFAULT_WEIGHTS = ("rotation-32", "completion-32", "accessories-32")
"""Tried in this order where the user names none; the first that know most of a set's values are tested."""


Read = Callable[[CropGeometry], FaceSet]
"""Reads a set of faces, cropped as a geometry says."""


@dataclass(frozen=True)
class Settings:
    """How sets of faces are measured.

    ``rows`` None means all; ``rivals`` names a folder of fitted rivals and ``cpi`` one of trained CPI, those
    that come along where None; ``vgg16`` and ``vgg_face`` are the published weight files.  ``parts`` are the
    ``PARTS`` that are measured beside the rows.
    """

    rows: tuple[str, ...] | None = None
    attribute: Attribute | None = None
    queries: int = QUERIES
    seed: int = 0
    rivals: str | None = None
    cpi: str | None = None
    vgg16: Path | None = None
    vgg_face: Path | None = None
    parts: frozenset[str] = PARTS


@dataclass
class Workshop:
    """What several sets of faces are measured with: the weights by name, in the order they were named."""

    generators: Mapping[str, Encoder]
    compare: bool = True
    """Whether all weights that know a set's attribute are measured, or only those under test."""
    settings: Settings = field(default_factory=Settings)

    def open(self, read: Read, progress: Progress) -> tuple[Experiment, Context]:
        """The experiment on a set of faces, and what its rows are built from.

        The set is read as the weights under test want it cropped.  Raises DataError where no weights fit it.
        """
        settings = self.settings
        studios = {name: Studio(generator) for name, generator in self.generators.items()}
        first = next(iter(self.generators.values()))
        faces = read(first.geometry)
        attribute, names = best_studios(faces, studios, settings.attribute)
        tested = self.generators[names[0]]
        if tested.geometry != first.geometry:
            faces = read(tested.geometry)
        context = Context(
            studio=Studio(tested, progress=progress),
            attribute=attribute,
            rivals=settings.rivals,
            cpi=settings.cpi,
            vgg16=settings.vgg16,
            vgg_face=settings.vgg_face,
            load=self._load,
            progress=progress,
        )
        others = {name: context.with_weights(name).studio for name in (names[1:] if self.compare else ())}
        experiment = prepare(
            faces,
            context.studio,
            others=others,
            attribute=attribute,
            count=settings.queries,
            seed=settings.seed,
        )
        return experiment, context

    def measure(self, read: Read, journal: Journal, progress: Progress) -> Experiment:
        """Measure everything on a set of faces that the journal does not hold yet."""
        steps = StepProgress(progress)
        experiment, context = self.open(read, steps)
        run_benchmark(experiment, context, journal, steps, rows=self.settings.rows, parts=self.settings.parts)
        return experiment

    def _load(self, name: str) -> Encoder:
        if name in self.generators:
            return self.generators[name]
        from generator.checkpoint import load_generator

        return load_generator(name)


def generators_named(names: Sequence[str]) -> dict[str, Encoder]:
    """Weights by name, in this order; those that come along where there are no names.

    Raises WeightsError for weights that cannot be read.
    """
    from generator.checkpoint import load_generator, shipped_names

    return named([load_generator(name) for name in names or _among(shipped_names())])


def named(generators: Sequence[Encoder]) -> dict[str, Encoder]:
    """Generators by name; raises DataError where two of different weights have the same."""
    found: dict[str, Encoder] = {}
    for generator in generators:
        known = found.setdefault(generator.name, generator)
        if known.weights_id != generator.weights_id:
            raise DataError(f"two weights are called {generator.name}; give one of the folders another name.")
    return found


def _among(shipped: Sequence[str]) -> list[str]:
    return [name for name in DEFAULT_WEIGHTS if name in shipped]


def open_set(name: str, *, cropped: bool, progress: Progress) -> Read:
    """How to read a labelled folder, a .zip of one, or a set that comes with the project."""
    path = Path(name)
    shipped = rendered_mini_path().with_name(f"{path.name}.zip")
    mine = path.name == name and shipped.is_file() and not path.exists()

    def read(geometry: CropGeometry) -> FaceSet:
        return read_labelled(
            shipped if mine else path, cropped=cropped or mine, geometry=geometry, progress=progress
        )

    return read


def at_hand(name: str, data: Sequence[str]) -> str | None:
    """How a set that a command names can be opened here: where it is, as one of ``data``, or by its name.

    Two paths mean the same set where their last parts are the same.  None where it cannot be found.
    """
    if rendered_mini_path().with_name(f"{Path(name).name}.zip").is_file() and Path(name).name == name:
        return name
    for path in data:
        if Path(path).stem == Path(name).stem:
            return path
    return name if Path(name).exists() else None


def check_names(data: Sequence[str]) -> None:
    """Raise DataError where two sets would have the same name in the results."""
    names = [Path(name).stem for name in data]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two sets are called {name}; rename one, as results are kept by name.")
