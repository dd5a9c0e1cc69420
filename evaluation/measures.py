"""What is measured of one row, as records."""

from __future__ import annotations

import numpy as np

from baselines.searcher import Searcher
from evaluation.bootstrap import mean_interval, recall_intervals
from evaluation.context import Context
from evaluation.experiment import Experiment
from evaluation.recall import KS, first_right, recall_at, right_answers
from evaluation.results import ClassifierRecord, RowRecord
from evaluation.rows import RowSpec
from faces.types import Ints


def fitted(spec: RowSpec, context: Context, experiment: Experiment) -> Searcher:
    """The row's searcher that has seen the gallery; raises RowUnavailable."""
    return spec.build(context).fit(experiment.gallery)


def ranks_of_right(experiment: Experiment, rankings: Ints) -> dict[int, Ints]:
    """By criterion (Q,) int64: the rank of the first right answer to each query.

    Ranks count from 1; 0 where none of those ranked is right, -1 where no gallery face could be.

    ``rankings`` (Q, K) int64 as ``Searcher.rank`` gives them.
    """
    return {
        kind.number: np.where(
            kind.asked, first_right(right_answers(rankings, kind.query_key, kind.gallery_key)), -1
        ).astype(np.int64)
        for kind in experiment.criteria
    }


def row_records(
    experiment: Experiment,
    spec: RowSpec,
    firsts: dict[int, Ints],
    *,
    made_with: str,
    seconds: float,
    arrays: str,
) -> list[RowRecord]:
    """A record for each criterion from the ranks of ``ranks_of_right``."""
    people = experiment.gallery.persons[experiment.queries.faces]
    return [
        RowRecord(
            dataset=experiment.gallery.name,
            row=spec.name,
            criterion=criterion,
            recall=recall_at(first[first >= 0]),
            interval=recall_intervals(first[first >= 0], people[first >= 0], KS),
            queries=int((first >= 0).sum()),
            left_out=int((first < 0).sum()),
            gallery=len(experiment.gallery),
            seed=experiment.queries.seed,
            made_with=made_with,
            told=spec.told,
            seconds=seconds,
            arrays=arrays,
        )
        for criterion, first in firsts.items()
    ]


def unavailable_records(experiment: Experiment, spec: RowSpec, reason: str) -> list[RowRecord]:
    """A record for each criterion that says why the row could not be measured."""
    return [
        RowRecord(
            dataset=experiment.gallery.name,
            row=spec.name,
            criterion=kind.number,
            recall={},
            interval={},
            queries=int(kind.asked.sum()),
            left_out=int((~kind.asked).sum()),
            gallery=len(experiment.gallery),
            seed=experiment.queries.seed,
            made_with="",
            told=spec.told,
            seconds=0.0,
            unavailable=reason,
        )
        for kind in experiment.criteria
    ]


def classifier_record(experiment: Experiment, context: Context) -> ClassifierRecord:
    """How often the classifier of the two-step rows tells a gallery face rightly; raises RowUnavailable."""
    gallery = experiment.gallery
    known = np.isin(gallery.attribute(experiment.attribute), np.array(experiment.values, dtype=np.str_))
    told = context.tell(gallery.pictures)
    right = 100.0 * (told == gallery.attribute(experiment.attribute))[known]
    best = context.rivals.candidates[0]
    return ClassifierRecord(
        dataset=gallery.name,
        attribute=experiment.attribute,
        feature=best.feature,
        model=best.model,
        accuracy=float(right.mean()) if len(right) else float("nan"),
        interval=mean_interval(right, gallery.persons[known]),
        faces=len(right),
        validated={f"{one.feature}, {one.model}": one.accuracy for one in context.rivals.candidates},
    )
