"""The tables that are printed: what was measured, and the paper's number beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.benchmark import Result
from evaluation.errors import Confusion, StageErrors
from evaluation.paper import COMPARED_WITH, POSE_CLASSIFIER_ACCURACY, RECALL, STAGE_ERRORS
from evaluation.recall import KS

_MEANINGS = {1: "right person and {attribute}", 2: "right person, {attribute} and light"}


@dataclass(frozen=True)
class Table:
    """A table to print: ``rows`` have one word for each of ``columns``."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def recall_tables(results: Sequence[Result], attribute: str) -> list[Table]:
    """A table for each criterion that was measured, rows as they were computed.

    The paper measured the pose on its own set of faces; its numbers stand beside every set, as a mark to
    measure by.
    """
    tables = []
    for criterion in sorted({result.criterion for result in results}):
        rows = [result for result in results if result.criterion == criterion]
        asked = f"{rows[0].queries:,} queries, gallery {rows[0].gallery:,}"
        if rows[0].left_out:
            asked += f"; {rows[0].left_out:,} queries without a right answer left out"
        meaning = _MEANINGS[criterion].format(attribute=attribute)
        columns = ("row", *(f"R@{k}" for k in KS), *(f"paper R@{k}" for k in KS), "paper's row")
        tables.append(
            Table(
                f"Criterion {criterion}: {meaning} ({asked})",
                columns,
                [_recall_row(result, attribute) for result in rows],
            )
        )
    return tables


def error_table(errors: StageErrors, attribute: str) -> Table:
    """The error of both stages beside the paper's Table 1."""
    rows = [
        (stage, f"{value:.2f}", f"{STAGE_ERRORS[stage]:.2f}" if attribute == "pose" else "-")
        for stage, value in (("stage1", errors.stage1), ("stage2", errors.stage2))
    ]
    title = f"Mean squared error per pixel, squared grey levels ({errors.pairs:,} pairs)"
    return Table(title, ("stage", "error", "paper"), rows)


def confusion_table(confusion: Confusion) -> Table:
    """True values down, canonicalised values across, in percent of each row; accuracy in the title."""
    rows = []
    for value, counts in zip(confusion.values, confusion.counts, strict=True):
        total = int(counts.sum())
        shares = [f"{100 * count / total:.1f}" if total else "-" for count in counts.tolist()]
        rows.append((value, *shares, f"{total:,}"))
    title = (
        f"Canonicalised {confusion.attribute} against the true one, percent: {confusion.accuracy:.1f} % right"
    )
    if confusion.attribute == "pose":
        title += f" (the paper's trained pose classifier: {POSE_CLASSIFIER_ACCURACY} %)"
    return Table(title, (f"true {confusion.attribute}", *confusion.values, "faces"), rows)


def _recall_row(result: Result, attribute: str) -> tuple[str, ...]:
    twin = COMPARED_WITH.get(result.row, result.row)
    theirs = RECALL.get(twin, {}).get(result.criterion, {}) if attribute == "pose" else {}
    return (
        result.row,
        *(f"{result.recall[k]:.1f}" for k in KS),
        *(f"{theirs[k]:.1f}" if k in theirs else "-" for k in KS),
        twin if theirs else "-",
    )
