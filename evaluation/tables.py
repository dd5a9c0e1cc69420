"""The tables that are printed: what was measured, and the paper's number beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.paper import POSE_CLASSIFIER_ACCURACY, RECALL, STAGE_ERRORS, papers_row
from evaluation.recall import KS
from evaluation.results import (
    ClassifierRecord,
    ConfusionRecord,
    ErrorRecord,
    Interval,
    Results,
    RowRecord,
    SetRecord,
)
from evaluation.rows import rows_for
from facedata.pairs import ATTRIBUTES


@dataclass(frozen=True)
class Table:
    """A table to print: ``rows`` have one word for each of ``columns``."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def all_tables(results: Results) -> list[Table]:
    """Every table of every set of faces that was measured."""
    tables = []
    for measured in results.sets:
        found = results.of(measured.dataset)
        tables += recall_tables(measured, found.rows)
        tables += [error_table(errors) for errors in found.errors]
        tables += [confusion_table(confusion) for confusion in found.confusions]
        tables += [classifier_table(classifier) for classifier in found.classifiers]
    return tables


def recall_tables(measured: SetRecord, rows: Sequence[RowRecord]) -> list[Table]:
    """A table for each criterion, the rows in the order of the tables, 95 % intervals in brackets.

    The paper measured the pose on its own set of faces; its numbers stand beside every set whose pose was
    measured, as a mark to measure by.
    """
    tables = []
    for criterion, meaning in sorted(measured.criteria.items()):
        found = in_order([row for row in rows if row.criterion == criterion], measured.attribute)
        if not found:
            continue
        asked = f"{found[0].queries:,} queries, gallery {found[0].gallery:,}"
        if found[0].left_out:
            asked += f"; {found[0].left_out:,} queries without a right answer left out"
        columns: tuple[str, ...] = ("row", *(f"R@{k}" for k in KS))
        if measured.attribute == "pose":
            columns += (*(f"paper R@{k}" for k in KS), "paper's row")
        title = f"{measured.dataset}, criterion {criterion}: {meaning} ({asked})"
        lines = [_recall_row(row, measured.attribute) for row in found]
        if not all(row.available for row in found):
            columns += ("note",)
            lines = [(*line, row.unavailable) for line, row in zip(lines, found, strict=True)]
        tables.append(Table(title, columns, lines))
    return tables


def row_names(attribute: str) -> list[str]:
    """The names of an attribute's rows in the order of the tables; none for a word that is no attribute."""
    return [row for known in ATTRIBUTES if known == attribute for row in rows_for(known)]


def in_order(rows: Sequence[RowRecord], attribute: str) -> list[RowRecord]:
    """Rows in the order of the tables, those of other weights behind their like."""
    order = {name: place for place, name in enumerate(row_names(attribute))}

    def place(row: RowRecord) -> tuple[int, str]:
        plain, _, weights = row.row.partition("@")
        return order.get(plain, len(order)), weights

    return sorted(rows, key=place)


def error_table(errors: ErrorRecord) -> Table:
    """The error of both stages beside the paper's Table 1."""
    columns: tuple[str, ...] = ("stage", "mean squared error", "mean absolute error")
    with_paper = errors.attribute == "pose"
    rows: list[tuple[str, ...]] = []
    for stage in errors.squared:
        squared = _with_interval(errors.squared[stage], errors.squared_interval[stage], 2)
        absolute = _with_interval(errors.absolute[stage], errors.absolute_interval[stage], 2)
        rows.append((stage, squared, absolute, *([f"{STAGE_ERRORS[stage]:.2f}"] if with_paper else [])))
    if with_paper:
        columns += ("paper, squared",)
    title = f"{errors.dataset}, error per pixel in grey levels, {errors.weights} ({errors.pairs:,} pairs)"
    return Table(title, columns, rows)


def confusion_table(confusion: ConfusionRecord) -> Table:
    """True values down, canonicalised values across, in percent of each row; accuracy in the title."""
    rows = []
    for value, counts in zip(confusion.values, confusion.counts, strict=True):
        total = sum(counts)
        shares = [f"{100 * count / total:.1f}" if total else "-" for count in counts]
        rows.append((value, *shares, f"{total:,}"))
    accuracy = _with_interval(confusion.accuracy, confusion.interval, 1)
    title = (
        f"{confusion.dataset}, canonicalised {confusion.attribute} against the true one, percent, "
        f"{confusion.weights}: {accuracy} % right"
    )
    return Table(title, (f"true {confusion.attribute}", *confusion.values, "faces"), rows)


def classifier_table(classifier: ClassifierRecord) -> Table:
    """The first step of the two-step rows: what it tells rightly, and what it was chosen from."""
    tested = f"{_with_interval(classifier.accuracy, classifier.interval, 1)} % of {classifier.faces:,} faces"
    title = (
        f"{classifier.dataset}, {classifier.attribute} classifier of the two-step rows: {tested} told rightly"
    )
    if classifier.attribute == "pose":
        title += f" (the paper's: {POSE_CLASSIFIER_ACCURACY} %)"
    rows = [(name, f"{accuracy:.1f}") for name, accuracy in classifier.validated.items()]
    return Table(title, ("candidate", "validation people"), rows)


def _recall_row(row: RowRecord, attribute: str) -> tuple[str, ...]:
    if row.available:
        measured = tuple(_with_interval(row.recall[k], row.interval[k], 1) for k in KS)
    else:
        measured = tuple("-" for _ in KS)
    if attribute != "pose":
        return (row.row, *measured)
    twin = papers_row(row.row)
    theirs = RECALL.get(twin or "", {}).get(row.criterion, {})
    return (
        row.row,
        *measured,
        *(f"{theirs[k]:.1f}" if k in theirs else "-" for k in KS),
        twin if theirs and twin else "-",
    )


def _with_interval(value: float, interval: Interval | None, digits: int) -> str:
    """``81.3 [79.0, 83.1]``."""
    if interval is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
