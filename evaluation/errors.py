"""The error of both stages (the paper's Table 1) and how often canonicalisation tells the true value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.studio import CHUNK, Studio
from facedata.labelled import Attribute, FaceSet
from facedata.pairs import ordered_pairs
from faces.types import Ints

PAIRS = 10_000


@dataclass(frozen=True)
class StageErrors:
    """Mean squared error per pixel, squared grey levels (0..255), over ``pairs`` pairs drawn with
    ``seed``."""

    stage1: float
    stage2: float
    pairs: int
    seed: int


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


def mean_squared_error(drawn: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """Mean over all pixels of the squared difference in grey levels; (N, S, S) uint8 both."""
    difference = drawn.astype(np.float32) - true.astype(np.float32)
    return float(np.mean(np.square(difference), dtype=np.float64))


def stage_errors(
    faces: FaceSet, studio: Studio, attribute: Attribute, *, count: int = PAIRS, seed: int = 0
) -> StageErrors | None:
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
    sums = np.zeros(2)
    studio.progress.start("measuring the error of both stages", len(chosen), "faces")
    try:
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            made = studio.generator.draw(faces.crops[source[part]], codes[part])
            true = faces.crops[target[part]]
            sums += [len(true) * mean_squared_error(stage, true) for stage in (made.stage1, made.stage2)]
            studio.progress.advance(len(true))
    finally:
        studio.progress.finish()
    stage1, stage2 = (sums / len(chosen)).tolist()
    return StageErrors(stage1, stage2, len(chosen), seed)


def confusion(faces: FaceSet, studio: Studio, attribute: Attribute) -> Confusion:
    """The values canonicalisation chose against the true ones, for the faces whose true value can be
    drawn."""
    values = studio.values(attribute)
    true = faces.attribute(attribute)
    found = studio.words_of(studio.canonical(faces).codes, attribute)
    counts = np.array(
        [[np.count_nonzero((true == row) & (found == column)) for column in values] for row in values],
        np.int64,
    )
    return Confusion(attribute, values, counts)
