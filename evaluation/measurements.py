"""What is measured on a set of faces, as values of ``evaluation.results``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import QueryBatch, Searcher
from evaluation.context import Context
from evaluation.methods import OURS, described
from evaluation.misalignment import AMOUNTS, COUNT, moved
from evaluation.protocol import Experiment
from evaluation.recall import KS, first_right, mean_interval, recall_at, recall_intervals, right_answers
from evaluation.results import Bin, Interval, Results, Value
from evaluation.studio import CHUNK, Studio
from facedata.labelled import Attribute, FaceSet, Words, number_of
from facedata.large_pictures import Pictures
from facedata.pairs import ordered_pairs
from faces.types import Ints

PAIRS = 10_000
STAGES = (1, 2)
CHANGE_K = 5
"""Recall by the size of the wished change is told at this K, as in the paper's Figure 6."""

CHANGE_RIVALS = 2

Doubles = NDArray[np.float64]


def ranks_of_right(experiment: Experiment, rankings: Ints) -> dict[int, Ints]:
    """Find the rank of the first right answer to each query, by criterion (Q,) int64.

    Ranks count from 1; 0 if none of those ranked is right, -1 if no gallery face could be.  ``rankings``
    (Q, K) int64 are those of ``Searcher.rank``, to the first Q of the experiment's queries.
    """
    asked = len(rankings)
    return {
        kind.number: np.where(
            kind.asked[:asked],
            first_right(right_answers(rankings, kind.query_key[:asked], kind.gallery_key)),
            -1,
        ).astype(np.int64)
        for kind in experiment.criteria
    }


def recall_values(
    experiment: Experiment, method: str, weights: str, ranks: Mapping[int, Ints], seconds: float
) -> list[Value]:
    """Compute recall@K from the ranks of ``ranks_of_right``; the row took ``seconds``."""
    took = _value(
        experiment.gallery, method, weights, "seconds", 0, 0, seconds, None, len(experiment.queries)
    )
    return [*_recall(experiment, method, weights, ranks, "recall"), took]


def misaligned_values(
    experiment: Experiment, method: str, weights: str, searcher: Searcher, *, count: int = COUNT
) -> list[Value]:
    """Ask ``count`` of the queries, the first ones, with each motion and amount; ``searcher`` is fitted.

    Amount 0 of each motion is the same queries with their crops as they are.
    """
    crops, targets = experiment.batch.crops[:count], experiment.batch.targets[:count]

    def asked_with(moved_crops: NDArray[np.uint8]) -> dict[int, Ints]:
        batch = QueryBatch(experiment.attribute, Pictures(moved_crops), targets)
        return ranks_of_right(experiment, searcher.rank(batch, max(KS)))

    values = []
    unmoved = asked_with(crops)
    for motion, amounts in AMOUNTS.items():
        for amount in (0.0, *amounts):
            ranks = unmoved
            if amount:
                ranks = asked_with(moved(crops, motion, amount, seed=experiment.queries.seed))
            values += _recall(experiment, method, weights, ranks, f"recall@{{k}} by {motion}", at=amount)
    return values


def compared_by_change(results: Results, attribute: str) -> list[str]:
    """Choose ours and the two best rivals, by recall@5 under criterion 1."""
    found = {value.method: value.value for value in results.find("recall", criterion=1, k=CHANGE_K)}
    rivals = [name for name in found if described(name, attribute).family == "rival"]
    best = sorted(rivals, key=lambda name: -found[name])[:CHANGE_RIVALS]
    return [name for name in (OURS, *best) if name in found]


def change_values(
    experiment: Experiment, method: str, weights: str, ranks: Mapping[int, Ints]
) -> list[Value]:
    """Recall@5 of a row by the size of the wished change in degrees: the paper's Figure 6.

    Nothing if the values of the attribute are no numbers.
    """
    sizes = change_sizes(experiment)
    if sizes is None:
        return []
    values = []
    for size in np.unique(sizes[sizes > 0]).tolist():
        group = {criterion: np.where(sizes == size, first, -1) for criterion, first in ranks.items()}
        group = {criterion: first for criterion, first in group.items() if (first >= 0).any()}
        measure = "recall@{k} by change"
        values += _recall(experiment, method, weights, group, measure, at=size, ks=(CHANGE_K,))
    return values


def change_sizes(experiment: Experiment) -> Ints | None:
    """(Q,) whole degrees between a query's own value and the wished one, 0 if its own is no number.

    None if the values of the attribute are no numbers.
    """
    queries = experiment.queries
    wished = _numbers(queries.targets)
    own = _numbers(experiment.gallery.attribute(experiment.attribute)[queries.faces])
    if not len(queries) or np.isnan(wished).any():
        return None
    return np.asarray(np.rint(np.nan_to_num(np.abs(wished - own))), np.int64)


def classifier_values(experiment: Experiment, context: Context) -> list[Value]:
    """Measure how often the classifier of the two-step rows is right on gallery faces; raises RowUnavailable.

    Its candidates' accuracy on the validation people follows, best first.
    """
    gallery, attribute = experiment.gallery, experiment.attribute
    right, people = _told_rightly(gallery, attribute, experiment.values, context.classify(gallery.pictures))
    rivals = context.rivals
    names = [f"{one.feature}, {one.model}" for one in rivals.candidates]
    found = [_value(gallery, "", names[0], "classifier", 0, 0, *_mean(right, people))]
    for name, one in zip(names, rivals.candidates, strict=True):
        measure = "classifier on validation people"
        found.append(_value(gallery, "", name, measure, 0, name, one.accuracy, None, 0))
    return found


def picture_errors(drawn: NDArray[np.uint8], true: NDArray[np.uint8]) -> tuple[Doubles, Doubles]:
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
    there are fewer pairs, all are taken.  Nothing if there is none (nobody is there twice under one light
    with different values).
    """
    values = np.array(studio.values(attribute), dtype=np.str_)
    pairs = ordered_pairs(faces, attribute)
    pairs = pairs[np.isin(faces.attribute(attribute)[pairs[:, 1]], values)]
    if not len(pairs):
        return []
    chosen = np.random.default_rng(seed).choice(len(pairs), size=min(count, len(pairs)), replace=False)
    source, target = pairs[chosen].T
    codes = studio.codes_of(faces.attribute(attribute)[target], attribute)
    errors = np.empty((2, len(STAGES), len(chosen)))  # squared and absolute, by stage, of each pair
    studio.progress.start("measuring the error of both stages", len(chosen), "faces")
    try:
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            made = studio.generator.draw(faces.crops[source[part]], codes[part])
            for stage, drawn in enumerate((made.stage1, made.stage2)):
                errors[:, stage, part] = picture_errors(drawn, faces.crops[target[part]])
            studio.progress.advance(len(codes[part]))
    finally:
        studio.progress.finish()
    return [
        _value(faces, "", studio.weights, measure, 0, stage, *_mean(of_pairs, faces.persons[source]))
        for measure, by_stage in zip(("squared error", "absolute error"), errors, strict=True)
        for stage, of_pairs in zip(STAGES, by_stage, strict=True)
    ]


def canonicalised_values(faces: FaceSet, studio: Studio, attribute: Attribute) -> list[Value]:
    """Compare the values canonicalisation chose with the true ones, for faces whose value can be drawn."""
    values = studio.values(attribute)
    true = faces.attribute(attribute)
    found = studio.words_of(studio.canonical(faces).codes, attribute)
    right, people = _told_rightly(faces, attribute, values, found)
    made = [_value(faces, "", studio.weights, "canonicalised", 0, 0, *_mean(right, people))]
    for row in values:
        shown = true == row
        for column in values:
            count = float(np.count_nonzero(shown & (found == column)))
            one = (studio.weights, "confusion", 0, f"{row}>{column}", count, None, int(shown.sum()))
            made.append(_value(faces, "", *one))
    return made


def confusion_counts(found: Collection[Value]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The V values and the (V, V) counts, true ones down, of the values of measure ``confusion``."""
    pairs = [str(value.k).split(">") for value in found]
    values = tuple(dict.fromkeys(true for true, _ in pairs))
    counts = np.array([value.value for value in found], np.int64)
    return values, counts.reshape(len(values), len(values))


def _told_rightly(
    faces: FaceSet, attribute: Attribute, values: Collection[str], found: Words
) -> tuple[Doubles, Words]:
    """100 or 0 for each face that shows one of ``values``, and who it is."""
    true = faces.attribute(attribute)
    judged = np.isin(true, np.array(list(values), dtype=np.str_))
    return 100.0 * (true == found)[judged], faces.persons[judged]


def _recall(
    experiment: Experiment,
    method: str,
    weights: str,
    ranks: Mapping[int, Ints],
    measure: str,
    *,
    at: Bin | None = None,
    ks: Sequence[int] = KS,
) -> list[Value]:
    """Recall@K of the queries that have a right answer, by criterion; ``at`` is the bin, if it is not K."""
    values = []
    for criterion, first in ranks.items():
        asked = first >= 0
        people = experiment.gallery.persons[experiment.queries.faces[: len(first)]][asked]
        recall, intervals = recall_at(first[asked], ks), recall_intervals(first[asked], people, ks)
        for k in ks:
            one = (measure.format(k=k), criterion, k if at is None else at, recall[k], intervals[k])
            values.append(_value(experiment.gallery, method, weights, *one, int(asked.sum())))
    return values


def _mean(values: Doubles, people: Words) -> tuple[float, Interval | None, int]:
    mean = float(values.mean()) if len(values) else float("nan")
    return mean, mean_interval(values, people), len(values)


def _value(
    faces: FaceSet,
    method: str,
    weights: str,
    measure: str,
    criterion: int,
    k: Bin,
    value: float,
    interval: Interval | None,
    n: int,
) -> Value:
    low, high = interval or (None, None)
    return Value(faces.name, method, weights, measure, criterion, k, value, low, high, n)


def _numbers(words: Words) -> Doubles:
    different, which = np.unique(words, return_inverse=True)
    numbers = [number_of(word) for word in different.tolist()]
    return np.array([np.nan if number is None else number for number in numbers], np.float64)[which]
