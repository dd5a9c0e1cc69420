"""Figure 6: how recall falls as the head is asked to turn further."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.figures.chart import Chart, Curve, Panel
from evaluation.figures.figure import Figure
from evaluation.figures.words import row_words
from evaluation.results import ChangeRecord


def pose_change_figure(changes: Sequence[ChangeRecord]) -> Figure | None:
    """A panel for each criterion, a curve for each row; None where nothing was measured."""
    if not changes:
        return None
    k = changes[0].k
    criteria = sorted({change.criterion for change in changes})
    groups = sorted({degrees for change in changes for degrees in change.recall})
    panels = [
        Panel(
            f"change of pose (criterion {criterion})",
            [_curve(change) for change in changes if change.criterion == criterion],
            [(degrees, f"{degrees}°") for degrees in groups],
        )
        for criterion in criteria
    ]
    near, far = groups[0], groups[-1]
    first = [change for change in changes if change.criterion == criteria[0]]
    told = "; ".join(
        f"{row_words(change.row)}, {change.recall[near]:.1f} % and {change.recall[far]:.1f} %"
        for change in first
        if {near, far} <= set(change.recall)
    )
    asked = ", ".join(f"{first[0].queries.get(degrees, 0):,.0f}" for degrees in groups)
    return Figure(
        name="figure-6",
        part="retrieval",
        title="Figure 6. The further the turn, the harder",
        caption=(
            f"Recall@{k} by the difference between the pose of the query and the wished one; bands are "
            f"95 % bootstrap intervals. At {near}° and at {far}° (criterion {criteria[0]}): {told}. Queries "
            f"in the groups: {asked}."
        ),
        alt=f"Line chart of recall@{k} over the change of pose for "
        + ", ".join(dict.fromkeys(row_words(change.row) for change in changes))
        + ".",
        picture=Chart(panels, f"recall@{k}, percent"),
    )


def _curve(change: ChangeRecord) -> Curve:
    groups = sorted(change.recall)
    return Curve(
        row_words(change.row),
        groups,
        [change.recall[degrees] for degrees in groups],
        [change.interval.get(degrees) for degrees in groups],
    )
