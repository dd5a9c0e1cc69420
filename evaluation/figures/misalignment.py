"""Recall against crops that are shifted, scaled or turned: the paper leaves it to future work."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.figures.chart import Chart, Curve, Panel
from evaluation.figures.figure import Figure
from evaluation.figures.words import row_words, sentence
from evaluation.misalign import UNITS
from evaluation.results import MisalignedRecord

K = 1
_UNITS: dict[str, str] = dict(UNITS.items())


def misalignment_figure(records: Sequence[MisalignedRecord]) -> Figure | None:
    """A panel for each motion, a curve for each row, criterion 1; None where nothing was measured."""
    chosen = [record for record in records if record.criterion == 1]
    if not chosen:
        return None
    motions = list(dict.fromkeys(record.motion for record in chosen))
    rows = list(dict.fromkeys(record.row for record in chosen))
    panels = [
        Panel(
            f"{motion}\n{_UNITS[motion]}",
            [_curve(row, [r for r in chosen if (r.row, r.motion) == (row, motion)]) for row in rows],
        )
        for motion in motions
    ]
    told = "; ".join(
        _told(motion, [r for r in chosen if (r.row, r.motion) == (rows[0], motion)]) for motion in motions
    )
    return Figure(
        name="misalignment",
        part="robustness",
        title="Faces that are cropped badly",
        caption=(
            f"Recall@{K} (criterion 1) when the crop of each query is moved before it is drawn from; the "
            "gallery stays as it is, bands are 95 % bootstrap intervals. "
            f"{sentence(row_words(rows[0]))}: {told}. {chosen[0].queries:,} queries."
        ),
        alt=f"Line charts of recall@{K} over the amount of {', '.join(motions)}.",
        picture=Chart(panels, f"recall@{K}, percent", inches=(7.0, 3.4)),
    )


def _curve(row: str, records: Sequence[MisalignedRecord]) -> Curve:
    ordered = sorted(records, key=lambda record: record.amount)
    return Curve(
        row_words(row),
        [record.amount for record in ordered],
        [record.recall[K] for record in ordered],
        [record.interval.get(K) for record in ordered],
    )


def _told(motion: str, records: Sequence[MisalignedRecord]) -> str:
    least = min(records, key=lambda record: record.amount)
    most = max(records, key=lambda record: record.amount)
    start, end = least.recall[K], most.recall[K]
    return f"{motion}, {most.amount:g} {_UNITS[motion]}: {end:.1f} % instead of {start:.1f} %"
