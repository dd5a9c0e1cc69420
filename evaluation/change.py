"""Recall by how far a face has to be turned: the paper's Figure 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.bootstrap import mean_interval
from evaluation.experiment import Experiment
from evaluation.recall import recall_at
from evaluation.results import ChangeRecord, RowRecord
from facedata.labelled import number_of
from faces.types import Ints

K = 5
OURS = "ours-features"
RIVALS = 2


def compared_rows(rows: Sequence[RowRecord]) -> list[str]:
    """Ours and the two best rivals that are told no true values, by recall@5 under criterion 1.

    Other rows of ours, and rows with other weights, are no rivals.
    """
    found = {row.row: row.recall[K] for row in rows if row.criterion == 1 and row.available}
    rivals = [
        row.row
        for row in rows
        if row.row in found and row.criterion == 1 and not row.told and not _is_ours(row.row)
    ]
    best = sorted(rivals, key=lambda name: -found[name])[:RIVALS]
    return [name for name in (OURS, *best) if name in found]


def change_records(experiment: Experiment, row: str, firsts: dict[int, Ints]) -> list[ChangeRecord]:
    """Recall@5 of a row by the size of the wished change, one record for each criterion.

    ``firsts`` has, by criterion, the (Q,) ranks of ``RowRecord.arrays``.  Nothing where the values of the
    attribute are no numbers.
    """
    sizes = change_sizes(experiment)
    if sizes is None:
        return []
    people = experiment.gallery.persons[experiment.queries.faces]
    records = []
    for criterion, first in firsts.items():
        groups = {size: (sizes == size) & (first >= 0) for size in np.unique(sizes[sizes > 0]).tolist()}
        groups = {size: asked for size, asked in groups.items() if asked.any()}
        records.append(
            ChangeRecord(
                dataset=experiment.gallery.name,
                row=row,
                criterion=criterion,
                k=K,
                recall={size: recall_at(first[asked], (K,))[K] for size, asked in groups.items()},
                interval={
                    size: mean_interval(100.0 * ((first[asked] > 0) & (first[asked] <= K)), people[asked])
                    for size, asked in groups.items()
                },
                queries={size: int(asked.sum()) for size, asked in groups.items()},
            )
        )
    return records


def change_sizes(experiment: Experiment) -> Ints | None:
    """(Q,) whole degrees between a query's own value and the wished one, 0 where its own is no number.

    None where the values of the attribute are no numbers.
    """
    queries = experiment.queries
    wished = _numbers(queries.targets)
    own = _numbers(experiment.gallery.attribute(experiment.attribute)[queries.faces])
    if not len(queries) or np.isnan(wished).any():
        return None
    return np.asarray(np.rint(np.nan_to_num(np.abs(wished - own))), np.int64)


def _numbers(
    words: np.ndarray[tuple[int], np.dtype[np.str_]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    different, which = np.unique(words, return_inverse=True)
    numbers = [number_of(word) for word in different.tolist()]
    return np.array([np.nan if number is None else number for number in numbers], np.float64)[which]


def _is_ours(row: str) -> bool:
    return row.startswith("ours-")
