"""What is measured on a set of faces, as values of ``evaluation.results``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from baselines.searcher import QueryBatch, Searcher
from evaluation.context import Context
from evaluation.methods import OURS, described
from evaluation.protocol import Experiment
from evaluation.recall import KS, mean_interval
from evaluation.results import Bin, Results, Value
from evaluation.studio import CHUNK, Studio
from facedata.labelled import Attribute, FaceSet, Words, number_of
from facedata.large_pictures import Pictures
from facedata.pairs import ordered_pairs
from faces.progress import underway
from faces.types import Doubles, Ints, Pixels

PAIRS = 10_000
STAGES = (1, 2)
CHANGE_K = 5  # as in the paper's Figure 6
CHANGE = f"recall@{CHANGE_K} by change"
CHANGE_RIVALS = 2

Motion = Literal["shift", "scale", "turn"]

UNITS: dict[Motion, str] = {
    "shift": "percent of the crop's side",
    "scale": "percent larger or smaller",
    "turn": "degrees",
}
AMOUNTS = dict.fromkeys(UNITS, (5.0, 10.0, 15.0, 20.0))
MISALIGNED = 1000  # queries that are asked with faces cropped badly

Row = tuple[str, str]
"""The name of a row of the tables, and the weights that it was made with."""


def recall_values(
    experiment: Experiment,
    row: Row,
    ranks: Mapping[int, Ints],
    measure: str = "recall",
    at: Bin | None = None,
) -> list[Value]:
    """Compute recall@K of the queries that have a right answer, by criterion.

    ``ranks`` are those of ``Criterion.ranks`` by its number; ``at`` is the bin, if it is not K.
    """
    gallery, (method, weights), values = experiment.gallery, row, []
    for criterion, first in ranks.items():
        asked = first >= 0
        people = gallery.persons[experiment.queries.faces[: len(first)]][asked]
        for k in KS:
            found = _mean(100.0 * ((first > 0) & (first <= k))[asked], people)
            told, over = measure.format(k=k), k if at is None else at
            values.append(Value(gallery.name, method, weights, told, criterion, over, *found))
    return values


def misaligned_values(experiment: Experiment, row: Row, searcher: Searcher) -> list[Value]:
    """Ask the first queries, their crops shifted, scaled or turned: the paper's future work.

    The gallery stays as it is: an index of good crops, asked with a bad one.  Amount 0 of each motion is the
    same queries with their crops as they are.  ``searcher`` is fitted.
    """
    crops, targets = experiment.batch.crops[:MISALIGNED], experiment.batch.targets[:MISALIGNED]

    def asked_with(moved_crops: Pixels) -> dict[int, Ints]:
        batch = QueryBatch(Pictures(moved_crops), {experiment.attribute: targets})
        return experiment.ranks(searcher.rank(batch, max(KS)))

    values = []
    unmoved = asked_with(crops)
    for motion, amounts in AMOUNTS.items():
        measure = f"recall@{{k}} by {motion}"
        values += recall_values(experiment, row, unmoved, measure, at=0.0)
        for amount in amounts:
            ranks = asked_with(moved(crops, motion, amount, seed=experiment.queries.seed))
            values += recall_values(experiment, row, ranks, measure, at=amount)
    return values


def moved(crops: Pixels, motion: Motion, amount: float, *, seed: int) -> Pixels:
    """Return crops (N, S, S) uint8 misaligned by ``amount`` (in ``UNITS``), rounded once.

    Each is shifted in a direction of its own, or made larger or smaller, or turned to either side, about its
    middle; the directions depend on ``seed`` and N only.  The crop itself is warped, as most sets have
    nothing else; beyond its edge the nearest pixels are repeated, as at the edge of a photograph.
    """
    random = np.random.default_rng(seed)
    angles = random.uniform(0, 2 * np.pi, len(crops))
    signs = random.choice([-1.0, 1.0], len(crops))
    side = crops.shape[1]
    around = side // 2 + 1  # farther than any amount reaches
    middle = np.full(2, side / 2)
    made = np.empty_like(crops)
    for number, (crop, angle, sign) in enumerate(zip(crops, angles, signs, strict=True)):
        # The place in the crop that each place of the moved crop comes from, in pixels.
        linear, offset = np.eye(2), np.zeros(2)
        if motion == "shift":
            offset = amount / 100 * side * np.array([np.cos(angle), np.sin(angle)])
        elif motion == "scale":
            linear = linear * (1 + amount / 100) ** sign
        else:
            turn = np.deg2rad(amount) * sign
            linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.column_stack([linear, middle - linear @ middle + offset + around])
        padded = Image.fromarray(np.pad(crop, around, mode="edge")).convert("F")
        seen = padded.transform(
            (side, side), Image.Transform.AFFINE, matrix.ravel().tolist(), Image.Resampling.BILINEAR
        )
        made[number] = np.rint(np.clip(np.asarray(seen), 0, 255))
    return made


def compared_by_change(results: Results, attribute: str) -> list[str]:
    """Choose ours and the two best rivals, by recall@5 under criterion 1."""
    found = {value.method: value.value for value in results.find("recall", criterion=1, k=CHANGE_K)}
    rivals = [name for name in found if described(name, attribute).family == "rival"]
    best = sorted(rivals, key=lambda name: -found[name])[:CHANGE_RIVALS]
    return [name for name in (OURS, *best) if name in found]


def change_values(experiment: Experiment, row: Row, ranks: Mapping[int, Ints]) -> list[Value]:
    """Recall@5 of a row by the size of the wished change in degrees: the paper's Figure 6.

    Nothing if a wished value is no number; queries whose own value is none are left out.
    """
    queries, labels = experiment.queries, experiment.gallery.attribute(experiment.attribute)
    own, wished = (
        np.array([number_of(word) for word in words.tolist()], np.float64)  # None becomes NaN
        for words in (labels[queries.faces], queries.targets)
    )
    if np.isnan(wished).any():
        return []
    sizes = np.rint(np.nan_to_num(np.abs(wished - own))).astype(np.int64)
    values = []
    for size in np.unique(sizes[sizes > 0]).tolist():
        group = {criterion: np.where(sizes == size, first, -1) for criterion, first in ranks.items()}
        found = recall_values(experiment, row, group, "recall@{k} by change", at=size)
        values += [value for value in found if value.measure == CHANGE and value.n]
    return values


def classifier_values(experiment: Experiment, context: Context) -> list[Value]:
    """Measure how often the classifier of the two-step rows is right on gallery faces; raises RowUnavailable.

    Its candidates' accuracy on the validation people follows, best first.
    """
    gallery = experiment.gallery
    told = context.classify(gallery.pictures)
    right = _told(gallery, experiment.attribute, experiment.values, told)
    candidates = {f"{one.feature}, {one.model}": one.accuracy for one in context.fitted_rivals.candidates}
    measure = "classifier on validation people"
    return [
        Value(gallery.name, "", next(iter(candidates)), "classifier", 0, 0, *right),
        *(
            Value(gallery.name, "", name, measure, 0, name, accuracy, None, None, 0)
            for name, accuracy in candidates.items()
        ),
    ]


def picture_errors(drawn: Pixels, true: Pixels) -> tuple[Doubles, Doubles]:
    """Compute the mean squared and the mean absolute difference of each picture in grey levels: two (N,).

    Both arguments are (N, S, S) uint8.
    """
    difference = drawn.reshape(len(drawn), -1).astype(np.float32) - true.reshape(len(true), -1)
    squared: Doubles = np.square(difference).mean(axis=1, dtype=np.float64)
    absolute: Doubles = np.abs(difference).mean(axis=1, dtype=np.float64)
    return squared, absolute


def error_values(
    faces: FaceSet, studio: Studio, attribute: Attribute, *, count: int = PAIRS, seed: int = 0
) -> list[Value]:
    """Draw the targets of ``count`` different ordered pairs, chosen at random; compare with the true faces.

    This is the paper's Table 1.  Pictures are compared as they are shown: whole grey levels in 0..255.  If
    there are fewer pairs, all are taken; nothing if nobody is there twice under one light.
    """
    values = np.array(studio.values(attribute), dtype=np.str_)
    pairs = ordered_pairs(faces, attribute)
    pairs = pairs[np.isin(faces.attribute(attribute)[pairs[:, 1]], values)]
    if not len(pairs):
        return []
    chosen = np.random.default_rng(seed).choice(len(pairs), size=min(count, len(pairs)), replace=False)
    source, target = pairs[chosen].T
    wishes = studio.vectors_of({attribute: faces.attribute(attribute)[target]}, faces.crops[source])
    errors = np.empty((2, len(STAGES), len(chosen)))  # squared and absolute, by stage, of each pair
    with underway(studio.progress, "measuring the error of both stages", len(chosen), "faces") as measuring:
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            made = studio.generator.draw(faces.crops[source[part]], wishes[part])
            for stage, drawn in enumerate((made.stage1, made.stage2)):
                errors[:, stage, part] = picture_errors(drawn, faces.crops[target[part]])
            measuring.advance(len(wishes[part]))
    return [
        Value(faces.name, "", studio.weights, measure, 0, stage, *_mean(of_pairs, faces.persons[source]))
        for measure, by_stage in zip(("squared error", "absolute error"), errors, strict=True)
        for stage, of_pairs in zip(STAGES, by_stage, strict=True)
    ]


def canonicalised_values(faces: FaceSet, studio: Studio, attribute: Attribute) -> list[Value]:
    """Compare the values canonicalisation chose with the true ones, for faces whose value can be drawn."""
    values = studio.values(attribute)
    true, found = faces.attribute(attribute), studio.words_of(studio.canonical(faces).values, attribute)
    right = _told(faces, attribute, values, found)
    made = [Value(faces.name, "", studio.weights, "canonicalised", 0, 0, *right)]
    for row in values:
        told = Counter(found[true == row].tolist())
        for column in values:
            where = faces.name, "", studio.weights, "confusion", 0, f"{row}>{column}"
            made.append(Value(*where, float(told[column]), None, None, told.total()))
    return made


def confusion_counts(found: Collection[Value]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The V values and the (V, V) counts, true ones down, of the values of measure ``confusion``."""
    pairs = [str(value.k).split(">") for value in found]
    values = tuple(dict.fromkeys(true for true, _ in pairs))
    counts = np.array([value.value for value in found], np.int64)
    return values, counts.reshape(len(values), len(values))


def _told(
    faces: FaceSet, attribute: Attribute, values: Sequence[str], found: Words
) -> tuple[float, float | None, float | None, int]:
    """The percentage of faces told rightly, of those that show one of ``values``, as ``_mean`` gives it."""
    true = faces.attribute(attribute)
    judged = np.isin(true, np.array(values))
    return _mean(100.0 * (true == found)[judged], faces.persons[judged])


def _mean(values: NDArray[np.floating], people: Words) -> tuple[float, float | None, float | None, int]:
    """The mean of what was measured, values (M,) on people (M,), the ends of its interval, and M."""
    mean = float(values.mean()) if len(values) else math.nan
    low, high = mean_interval(values, people) or (None, None)
    return mean, low, high, len(values)
