"""What the templates show: the results of a folder, chosen, ordered and paired with the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.figures.store import StoredFigure, read_figures
from evaluation.figures.words import row_words, value_word
from evaluation.journal import read_results
from evaluation.paper import POSE_CLASSIFIER_ACCURACY, RECALL, STAGE_ERRORS, papers_row
from evaluation.recall import KS
from evaluation.report.run_note import RunNote, read_run
from evaluation.report.verdict import Verdict, is_rival, left_out, verdict
from evaluation.results import (
    ClassifierRecord,
    ConfusionRecord,
    ErrorRecord,
    Interval,
    Results,
    RowRecord,
    SetRecord,
)
from evaluation.tables import in_order


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval; ``best`` marks the best of a column."""

    value: float
    interval: Interval | None
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a table of recall: ``words`` and ``name`` say which, ``cells`` by K, ``paper`` by K.

    ``beside`` names the row of the paper where it is only the nearest one.  A row that could not be
    measured has no cells, and says why.
    """

    words: str
    name: str
    cells: tuple[Measure, ...]
    paper: tuple[float | None, ...]
    beside: str
    unavailable: str
    ours: bool


@dataclass(frozen=True)
class RecallTable:
    """Recall under one criterion: ``same`` are ours and the rivals told as little, ``told`` the others."""

    title: str
    note: str
    with_paper: bool
    same: tuple[Line, ...]
    told: tuple[Line, ...]


@dataclass(frozen=True)
class ErrorLine:
    """Errors of one set of weights, or of the paper: squared then absolute, stage 1 then stage 2."""

    name: str
    cells: tuple[Measure | None, ...]


@dataclass(frozen=True)
class Section:
    """One set of faces."""

    anchor: str
    title: str
    measured: SetRecord
    values: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    missing: dict[str, list[str]]
    tables: tuple[RecallTable, ...]
    errors: tuple[ErrorLine, ...]
    errors_title: str
    pairs: int
    classifiers: tuple[ClassifierRecord, ...]
    confusions: tuple[ConfusionRecord, ...]
    papers_classifier: float | None
    figures: tuple[StoredFigure, ...]

    def of_part(self, part: str) -> list[StoredFigure]:
        """The figures of one part of the report."""
        return [figure for figure in self.figures if figure.part == part]


@dataclass(frozen=True)
class Report:
    """Everything the report says."""

    sections: tuple[Section, ...]
    run: RunNote | None
    ks: tuple[int, ...] = KS


def read_report(folder: Path) -> Report:
    """The report of a folder of results; raises DataError where there are none or they are damaged."""
    results = read_results(folder)
    sections = [
        _section(number, measured, results.of(measured.dataset), read_figures(folder, measured.dataset))
        for number, measured in enumerate(results.sets, start=1)
    ]
    return Report(tuple(sections), read_run(folder))


def _section(number: int, measured: SetRecord, own: Results, figures: Sequence[StoredFigure]) -> Section:
    pose = measured.attribute == "pose"
    verdicts = [verdict(own.rows, criterion) for criterion in sorted(measured.criteria)]
    return Section(
        anchor=f"set-{number}",
        title=f"{_task(measured)}: {measured.dataset}",
        values=tuple(value_word(value, measured.attribute) for value in measured.values),
        measured=measured,
        verdicts=tuple(found for found in verdicts if found is not None),
        missing=left_out(own.rows),
        tables=tuple(_recall_table(measured, own.rows, criterion) for criterion in sorted(measured.criteria)),
        errors=_error_lines(own.errors, pose),
        errors_title=("Table 1. " if pose else "") + "Error per pixel, in grey levels",
        pairs=own.errors[0].pairs if own.errors else 0,
        classifiers=tuple(own.classifiers),
        confusions=tuple(own.confusions),
        papers_classifier=POSE_CLASSIFIER_ACCURACY if pose else None,
        figures=tuple(figures),
    )


def _task(measured: SetRecord) -> str:
    if measured.attribute == "accessory":
        return "Accessories" if measured.queries else "Completion"
    return {"pose": "Rotating faces", "light": "Another light"}[measured.attribute]


def _recall_table(measured: SetRecord, rows: Sequence[RowRecord], criterion: int) -> RecallTable:
    rows = in_order([row for row in rows if row.criterion == criterion], measured.attribute)
    pose = measured.attribute == "pose"
    best = {k: max((row.recall[k] for row in rows if row.available and not row.told), default=0) for k in KS}
    number = f"Table {criterion + 1}. " if pose else ""
    asked = rows[0] if rows else None
    note = f"{asked.queries:,} queries, a gallery of {asked.gallery:,} faces." if asked else ""
    if asked and asked.left_out:
        note += f" {asked.left_out:,} queries have no right answer in the gallery and are left out."
    return RecallTable(
        title=f"{number}Criterion {criterion}: {measured.criteria[criterion]}",
        note=note,
        with_paper=pose,
        same=tuple(_line(row, pose, best) for row in rows if not row.told),
        told=tuple(_line(row, pose, {}) for row in rows if row.told),
    )


def _line(row: RowRecord, pose: bool, best: dict[int, float]) -> Line:
    twin = papers_row(row.row) if pose else None
    paper = RECALL[twin].get(row.criterion, {}) if twin else {}
    own_twin = twin == row.row.partition("@")[0]
    return Line(
        words=row_words(row.row),
        name=row.row,
        cells=tuple(Measure(row.recall[k], row.interval.get(k), row.recall[k] == best.get(k)) for k in KS)
        if row.available
        else (),
        paper=tuple(paper.get(k) for k in KS),
        beside=row_words(twin) if twin and paper and not own_twin else "",
        unavailable=row.unavailable,
        ours=not is_rival(row) and row.row.startswith("ours-"),
    )


def _error_lines(records: Sequence[ErrorRecord], pose: bool) -> tuple[ErrorLine, ...]:
    stages = ("stage1", "stage2")
    lines = [
        ErrorLine(
            record.weights,
            (
                *(Measure(record.squared[stage], record.squared_interval[stage]) for stage in stages),
                *(Measure(record.absolute[stage], record.absolute_interval[stage]) for stage in stages),
            ),
        )
        for record in records
    ]
    if lines and pose:
        paper = [Measure(STAGE_ERRORS[stage], None) for stage in stages]
        lines.append(ErrorLine("the paper, on Multi-PIE", (*paper, None, None)))
    return tuple(lines)
