"""The error of both stages (the paper's Table 1) and how often canonicalisation tells the true value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import mean_interval
from evaluation.results import ConfusionRecord, ErrorRecord, Interval
from evaluation.studio import CHUNK, Studio
from facedata.labelled import Attribute, FaceSet
from facedata.pairs import ordered_pairs
from faces.types import Ints

PAIRS = 10_000
STAGES = ("stage1", "stage2")


@dataclass(frozen=True)
class Confusion:
    """How often a true value (rows) was taken for another (columns); ``counts`` is (V, V) int64."""

    attribute: Attribute
    values: tuple[str, ...]
    counts: Ints

    @property
    def accuracy(self) -> float:
        """Percent of faces whose value was told rightly; NaN where there are no faces."""
        total = int(self.counts.sum())
        return 100 * float(np.trace(self.counts)) / total if total else float("nan")


def picture_errors(
    drawn: NDArray[np.uint8], true: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean squared and the mean absolute difference of each picture in grey levels: two (N,) float64.

    Both arguments are (N, S, S) uint8.
    """
    difference = drawn.reshape(len(drawn), -1).astype(np.float32) - true.reshape(len(true), -1)
    squared: NDArray[np.float64] = np.square(difference).mean(axis=1, dtype=np.float64)
    absolute: NDArray[np.float64] = np.abs(difference).mean(axis=1, dtype=np.float64)
    return squared, absolute


def stage_errors(
    faces: FaceSet, studio: Studio, attribute: Attribute, *, count: int = PAIRS, seed: int = 0
) -> ErrorRecord | None:
    """Draw the targets of ``count`` different ordered pairs, chosen at random; compare with the true faces.

    Pictures are compared as they are shown: whole grey levels in 0..255.  Where there are fewer pairs, all
    are taken.  None where there is none (nobody is there twice under one light with different values).
    """
    values = np.array(studio.values(attribute), dtype=np.str_)
    pairs = ordered_pairs(faces, attribute)
    pairs = pairs[np.isin(faces.attribute(attribute)[pairs[:, 1]], values)]
    if not len(pairs):
        return None
    chosen = np.random.default_rng(seed).choice(len(pairs), size=min(count, len(pairs)), replace=False)
    source, target = pairs[chosen].T
    codes = studio.codes_of(faces.attribute(attribute)[target], attribute)
    squared = np.empty((len(STAGES), len(chosen)))
    absolute = np.empty_like(squared)
    studio.progress.start("measuring the error of both stages", len(chosen), "faces")
    try:
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            made = studio.generator.draw(faces.crops[source[part]], codes[part])
            for stage, drawn in enumerate((made.stage1, made.stage2)):
                squared[stage, part], absolute[stage, part] = picture_errors(drawn, faces.crops[target[part]])
            studio.progress.advance(len(codes[part]))
    finally:
        studio.progress.finish()
    people = faces.persons[source]

    def means(errors: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(STAGES, errors.mean(axis=1).tolist(), strict=True))

    def intervals(errors: NDArray[np.float64]) -> dict[str, Interval | None]:
        return {stage: mean_interval(row, people) for stage, row in zip(STAGES, errors, strict=True)}

    return ErrorRecord(
        dataset=faces.name,
        weights=studio.weights,
        attribute=attribute,
        squared=means(squared),
        squared_interval=intervals(squared),
        absolute=means(absolute),
        absolute_interval=intervals(absolute),
        pairs=len(chosen),
        seed=seed,
    )


def confusion(faces: FaceSet, studio: Studio, attribute: Attribute) -> ConfusionRecord:
    """The values canonicalisation chose against the true ones, for the faces whose true value can be
    drawn."""
    values = studio.values(attribute)
    true = faces.attribute(attribute)
    found = studio.words_of(studio.canonical(faces).codes, attribute)
    counts = np.array(
        [[np.count_nonzero((true == row) & (found == column)) for column in values] for row in values],
        np.int64,
    )
    known = np.isin(true, np.array(values, dtype=np.str_))
    right = 100.0 * (true == found)[known]
    return ConfusionRecord(
        dataset=faces.name,
        weights=studio.weights,
        attribute=attribute,
        values=values,
        counts=tuple(tuple(row) for row in counts.tolist()),
        accuracy=float(right.mean()) if len(right) else float("nan"),
        interval=mean_interval(right, faces.persons[known]),
    )
