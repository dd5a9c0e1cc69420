"""Figure 6: how recall falls as the head is asked to turn further."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.figures.chart import Chart, Curve, Panel
from evaluation.figures.figure import Figure
from evaluation.figures.words import row_words, sentence
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
    ours = max((change for change in changes if change.row.startswith("ours")), key=_mean, default=changes[0])
    near, far = ours.recall[groups[0]], ours.recall[groups[-1]]
    asked = ", ".join(f"{ours.queries[degrees]:,.0f}" for degrees in groups)
    return Figure(
        name="figure-6",
        part="retrieval",
        title="Figure 6. The further the turn, the harder",
        caption=(
            f"Recall@{k} by the difference between the pose of the query and the wished one; bands are "
            f"95 % bootstrap intervals. {sentence(row_words(ours.row))}: {near:.1f} % at {groups[0]}°, "
            f"{far:.1f} % at {groups[-1]}° (criterion {ours.criterion}). Queries in the groups: {asked}."
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


def _mean(change: ChangeRecord) -> float:
    return sum(change.recall.values()) / max(1, len(change.recall))
