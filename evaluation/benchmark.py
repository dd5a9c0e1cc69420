"""The paper's retrieval experiment: rows computed one by one, and what is written of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.searcher import Searcher
from baselines.two_step import two_step_image_true
from evaluation.errors import Confusion, StageErrors, confusion, stage_errors
from evaluation.ours import OursFeatures, OursImage
from evaluation.protocol import QUERIES, Queries, criteria, draw_queries, faces_to_test, in_words_of
from evaluation.recall import KS, first_right, recall_at, right_answers
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError
from faces.types import Ints

RESULTS_FILE = "results.jsonl"
ERRORS_FILE = "errors.json"
CONFUSION_FILE = "confusion.json"

Build = Callable[[Studio, Attribute], Searcher]

ROWS: dict[str, Build] = {
    "ours-image": lambda studio, attribute: OursImage(studio=studio),
    "ours-features": lambda studio, attribute: OursFeatures(studio=studio),
    "two-step-image-true-{attribute}": lambda studio, attribute: two_step_image_true(attribute),
}
"""The rows of the tables in their order; a new rival is one more line."""


@dataclass(frozen=True)
class Result:
    """One row under one criterion.

    ``recall`` is in percent by K; ``queries`` were asked, ``left_out`` had no right answer in the gallery
    of ``gallery`` faces; ``first`` (queries,) int64 are the ranks of the first right answer (0: none), from
    which recall comes.
    """

    dataset: str
    row: str
    criterion: int
    recall: dict[int, float]
    queries: int
    left_out: int
    gallery: int
    weights: str
    seed: int
    first: Ints

    def line(self) -> str:
        """The line of ``results.jsonl``; recall is rounded to a hundredth of a percent."""
        return json.dumps(
            {
                "dataset": self.dataset,
                "row": self.row,
                "criterion": self.criterion,
                "recall": {str(k): round(value, 2) for k, value in self.recall.items()},
                "queries": self.queries,
                "gallery": self.gallery,
                "weights": self.weights,
                "seed": self.seed,
            }
        )


@dataclass(frozen=True)
class Experiment:
    """One set of test faces, the queries drawn from it, and the generator under test."""

    gallery: FaceSet
    queries: Queries
    studio: Studio

    @property
    def attribute(self) -> Attribute:
        return self.queries.attribute

    @property
    def knows_lights(self) -> bool:
        return bool(np.any(self.gallery.lights != ""))


def prepare(
    faces: FaceSet, studio: Studio, *, attribute: Attribute = "pose", count: int = QUERIES, seed: int = 0
) -> Experiment:
    """Choose the test people and draw the queries.

    Raises DataError where the faces show no value that the weights can draw.
    """
    drawable = studio.values(attribute)
    gallery = in_words_of(faces_to_test(faces), attribute, drawable)
    values = tuple(value for value in drawable if value in gallery.values(attribute))
    if not values:
        shown = ", ".join(gallery.values(attribute)) or "none"
        raise DataError(
            f"{faces.name} shows no {attribute} that the weights can draw "
            f"({', '.join(drawable)}), but {shown}."
        )
    return Experiment(gallery, draw_queries(gallery, attribute, values, count=count, seed=seed), studio)


def run_rows(experiment: Experiment, rows: Sequence[str] | None = None) -> Iterator[Result]:
    """Compute the named rows (all of ``ROWS`` where None) one by one, a result for each criterion.

    Raises DataError for a row that does not exist.
    """
    builders = {name.format(attribute=experiment.attribute): build for name, build in ROWS.items()}
    for name in rows if rows is not None else builders:
        if name not in builders:
            raise DataError(f"there is no row {name!r}; the rows are {', '.join(builders)}.")
    batch = experiment.queries.batch(experiment.gallery)
    kinds = [kind for kind in criteria(experiment.gallery, experiment.queries) if kind.asked.any()]
    if not kinds:
        raise DataError(
            f"no query of {experiment.gallery.name} has a right answer: "
            f"nobody is there with two values of {experiment.attribute}."
        )
    generator = experiment.studio.generator
    for name in rows if rows is not None else builders:
        searcher = builders[name](experiment.studio, experiment.attribute).fit(experiment.gallery)
        rankings = searcher.rank(batch, max(KS))
        for kind in kinds:
            right = right_answers(rankings, kind.query_key, kind.gallery_key)
            first = first_right(right)[kind.asked]
            yield Result(
                dataset=experiment.gallery.name,
                row=name,
                criterion=kind.number,
                recall=recall_at(first),
                queries=len(first),
                left_out=len(batch) - len(first),
                gallery=len(experiment.gallery),
                weights=f"{generator.name}@{generator.weights_id}",
                seed=experiment.queries.seed,
                first=first,
            )


@dataclass(frozen=True)
class Benchmark:
    """Everything that was measured; ``errors`` is None where no two faces differ in the attribute alone."""

    results: list[Result]
    errors: StageErrors | None
    confusion: Confusion


def run_benchmark(experiment: Experiment, out: Path, *, rows: Sequence[str] | None = None) -> Benchmark:
    """Measure everything and write ``results.jsonl``, ``errors.json`` and ``confusion.json`` into ``out``.

    A line of results is written as soon as it is there.  Raises DataError where ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        results: list[Result] = []
        with (out / RESULTS_FILE).open("w", encoding="utf-8") as file:
            for result in run_rows(experiment, rows):
                results.append(result)
                file.write(result.line() + "\n")
                file.flush()
        table = confusion(experiment.gallery, experiment.studio, experiment.attribute)
        _write_json(
            out / CONFUSION_FILE,
            {**asdict(table), "counts": table.counts.tolist(), "accuracy": table.accuracy},
        )
        errors = stage_errors(
            experiment.gallery, experiment.studio, experiment.attribute, seed=experiment.queries.seed
        )
        if errors is not None:
            _write_json(out / ERRORS_FILE, {"dataset": experiment.gallery.name, **asdict(errors)})
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}).") from None
    return Benchmark(results, errors, table)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    rounded = {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in content.items()
    }
    path.write_text(json.dumps(rounded) + "\n", encoding="utf-8")
