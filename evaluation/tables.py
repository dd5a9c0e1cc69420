"""The tables of a benchmark, built once for the terminal, for Markdown and for HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.figures.figure import sentence, value_word
from evaluation.measurements import STAGES, confusion_counts
from evaluation.methods import ALL_VALUES, OURS, Method, described, in_order
from evaluation.recall import KS
from evaluation.results import Bin, Results, SetHeader, Value

DASH = "–"

# The numbers of the paper, to stand beside ours: A. Ghodrati, X. Jia, M. Pedersoli, T. Tuytelaars, "Towards
# Automatic Image Editing: Learning to See another You", 2015, on Multi-PIE session 1: 149 test people, a
# gallery of 20,860 faces, 10,000 queries.  All of them are about the pose.
PAPER_RECALL: dict[str, dict[int, dict[int, float]]] = {
    "two-step-image": {1: {1: 11.5, 5: 25.9, 20: 43.2}, 2: {1: 6.3, 5: 15.6, 20: 25.3}},
    "two-step-features": {1: {1: 16.4, 5: 33.0, 20: 50.7}, 2: {1: 9.5, 5: 21.5, 20: 32.7}},
    "two-step-vgg16-fc7": {1: {1: 21.7, 5: 38.1, 20: 53.5}},
    "two-step-deep-fc6": {1: {1: 56.9, 5: 78.0, 20: 90.2}},
    "cpi": {1: {1: 61.0, 5: 79.5, 20: 90.8}, 2: {1: 14.8, 5: 39.7, 20: 63.7}},
    "ours-image": {1: {1: 39.0, 5: 61.5, 20: 75.4}, 2: {1: 29.5, 5: 52.8, 20: 66.3}},
    "ours-features": {1: {1: 53.5, 5: 80.5, 20: 90.7}, 2: {1: 43.2, 5: 74.1, 20: 86.0}},
}
"""Tables 2 and 3: recall@K in percent by row and criterion; two-step rows filter by a pose classifier."""

PAPER_SQUARED_ERRORS = (380.89, 369.16)
"""Table 1: mean squared error per pixel of stages 1 and 2 in squared grey levels, 10,000 test pairs."""

PAPER_CLASSIFIER_ACCURACY = 73.3
"""Percent of test faces whose pose the classifier of the two-step rows tells rightly (section 4.1.2)."""


@dataclass(frozen=True)
class Cell:
    """What stands in a table; ``interval`` is the 95 % one.

    ``style`` is empty, ``best`` of its column, ``paper`` for the paper's numbers, or ``word`` for what is no
    number, with ``ahead``, ``level`` or ``behind``.
    """

    text: str
    interval: str = ""
    style: str = ""


@dataclass(frozen=True)
class Line:
    """A row: its head, its ``code`` on the command line, a small remark, and why nothing was measured."""

    name: str
    cells: tuple[Cell, ...]
    code: str = ""
    detail: str = ""
    missing: str = ""
    ours: bool = False


@dataclass(frozen=True)
class Table:
    """A table: ``columns`` name heads and cells, ``rows_apart`` follow under the heading ``apart``."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Line]
    note: str = ""
    apart: str = ""
    rows_apart: Sequence[Line] = ()
    folded: bool = False

    def plain(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Columns and rows as words for a terminal."""
        lines = [*self.rows, *self.rows_apart]
        noted = any(line.missing for line in lines)
        rows = []
        for line in lines:
            cells = [f"{cell.text} [{cell.interval}]" if cell.interval else cell.text for cell in line.cells]
            rows.append((line.code or line.name, *cells, *([line.missing] if noted else [])))
        return (*self.columns, *(["note"] if noted else [])), rows


def set_tables(header: SetHeader, results: Results) -> dict[str, list[Table]]:
    """Every table of a set of faces, by the part of the report that it belongs to."""
    criteria = range(1, len(header.criteria) + 1) if results.methods() else ()
    return {
        "retrieval": [recall_table(header, results, criterion) for criterion in criteria],
        "drawing": error_tables(header, results),
        "recognition": recognition_tables(header, results),
    }


def recall_table(header: SetHeader, results: Results, criterion: int) -> Table:
    """Recall under one criterion, the oracles apart, and beside every measured pose the paper's numbers."""
    attribute, pose = header.attribute, header.attribute == "pose"
    methods = in_order(results.methods(), attribute)
    found = {method.name: results.recall(method.name, criterion) for method in methods}
    reasons = {one.method: one.reason for one in results.unavailable}
    reached = [found[one.name] for one in methods if one.family != "oracle" and found[one.name]]
    best = {k: max((recall[k].value for recall in reached), default=0) for k in KS}
    rows: list[Line] = []
    oracles: list[Line] = []
    for method in methods:
        recall = found[method.name]
        rival = method.family != "oracle"
        paper = PAPER_RECALL.get(method.paper, {}).get(criterion, {}) if pose else {}
        beside = described(method.paper, "pose").words if paper and method.paper != method.base else ""
        cells = [
            _cell(recall[k], "best" if rival and recall[k].value == best[k] else "") if recall else Cell(DASH)
            for k in KS
        ]
        if pose:
            cells += [Cell(f"{paper[k]:.1f}" if k in paper else DASH, style="paper") for k in KS]
        detail = f"nearest in the paper: {beside}" if beside else ""
        missing = "" if recall else reasons.get(method.name) or "not measured"
        line = Line(method.words, tuple(cells), method.name, detail, missing, ours=method.family == "ours")
        (rows if rival else oracles).append(line)
    asked = next((values[KS[0]].n for values in found.values() if values), header.queries)
    note = f"{asked:,} queries, a gallery of {header.gallery:,} faces."
    if asked < header.queries:
        note += f" {header.queries - asked:,} queries have no right answer in the gallery and are left out."
    number = f"Table {criterion + 1}. " if pose else ""
    papers = [f"paper R@{k}" for k in KS] if pose else []
    return Table(
        title=f"{number}Criterion {criterion}: {header.criteria[criterion - 1]}",
        columns=("row", *(f"R@{k}" for k in KS), *papers),
        rows=rows,
        note=f"{note} Percent, with 95 % intervals; the best of those that do not know the true {attribute} "
        "is bold.",
        apart=f"Oracles, which know the true {attribute} of every gallery face: what a perfect first step "
        "would give, not rivals",
        rows_apart=oracles,
    )


def error_tables(header: SetHeader, results: Results) -> list[Table]:
    """The error of both stages of each weights, beside the paper's Table 1; none if it was not measured."""
    found = results.find("squared error")
    if not found:
        return []
    lines = []
    for weights in dict.fromkeys(value.weights for value in found):
        absolute = results.find("absolute error", weights=weights)
        errors = (*results.find("squared error", weights=weights), *absolute)
        lines.append(Line(weights, tuple(_cell(value, digits=2) for value in errors)))
    number = ""
    if header.attribute == "pose":
        number = "Table 1. "
        theirs = (*(Cell(f"{error:.2f}") for error in PAPER_SQUARED_ERRORS), Cell(DASH), Cell(DASH))
        lines.append(Line("the paper, on Multi-PIE", theirs))
    return [
        Table(
            f"{number}Error per pixel, in grey levels",
            ("weights", *(f"{kind}, stage {stage}" for kind in ("squared", "absolute") for stage in STAGES)),
            lines,
            f"Means over {found[0].n:,} pairs of test people drawn at random, against the true picture, "
            "with 95 % intervals.",
        )
    ]


def recognition_tables(header: SetHeader, results: Results) -> list[Table]:
    """Say how often a face's value is told rightly, what the classifier was chosen from, what is confused."""
    attribute, canonicalised = header.attribute, results.find("canonicalised")
    told_by = {
        **{f"classifier of the two-step rows ({one.weights})": one for one in results.find("classifier")},
        **{f"canonicalisation with {one.weights}": one for one in canonicalised},
    }
    lines = [Line(name, (_cell(value), Cell(f"{value.n:,}"))) for name, value in told_by.items()]
    if lines and attribute == "pose":
        theirs = Cell(f"{PAPER_CLASSIFIER_ACCURACY:.1f}"), Cell(DASH)
        lines.append(Line("the paper’s classifier, on Multi-PIE", theirs))
    tables = []
    columns: tuple[str, ...] = "told by", f"right {attribute}, %", "faces"
    if lines:
        note = "Percent of gallery faces, with 95 % intervals; canonicalisation has learned no classifier."
        tables.append(Table(f"The {attribute}, told rightly", columns, lines, note))
    candidates = results.find("classifier on validation people")
    if len(candidates) > 1:
        columns = "features, classifier", "right on validation people, %"
        lines = [Line(value.weights, (Cell(f"{value.value:.1f}"),)) for value in candidates]
        tables.append(Table("Every classifier that was tried", columns, lines, folded=True))
    return [*tables, *(_confusion_table(results, attribute, one.weights) for one in canonicalised)]


def _confusion_table(results: Results, attribute: str, weights: str) -> Table:
    """True values down, canonicalised values across, in percent of each row."""
    values, counts = confusion_counts(results.find("confusion", weights=weights))
    words = [value_word(value, attribute) for value in values]
    rows = []
    for word, line in zip(words, counts.tolist(), strict=True):
        total = sum(line)
        shares = [Cell(f"{100 * count / total:.1f}" if total else DASH) for count in line]
        rows.append(Line(word, (*shares, Cell(f"{total:,}"))))
    title = f"Canonicalised {attribute} against the true one, {weights}"
    columns = f"true {attribute}", *words, "faces"
    return Table(title, columns, rows, "Percent of the faces that show the true one.", folded=True)


def verdict_tables(header: SetHeader, results: Results) -> list[Table]:
    """Ours against the best rival that knows no more, for each criterion under which ours was measured."""
    tables = []
    methods = in_order(results.methods(), header.attribute)
    for criterion, meaning in enumerate(header.criteria, start=1):
        found = {one.name: recall for one in methods if (recall := results.recall(one.name, criterion))}
        if OURS not in found:
            continue
        ours = found[OURS]
        rivals = {one: found[one.name] for one in methods if one.family == "rival" and one.name in found}
        lines = []
        for k in KS if rivals else ():
            best = max(rivals, key=lambda method: rivals[method][k].value)
            mine, theirs = ours[k].value, rivals[best][k].value
            word = "ahead" if mine > theirs else "level" if mine == theirs else "behind"
            cells = Cell(f"{mine:.1f}"), Cell(f"{theirs:.1f}"), Cell(word, style=f"word {word}")
            lines.append(Line(f"R@{k}", (*cells, Cell(best.words, style="word"))))
        note = _sentence(ours, rivals)
        if rivals and ALL_VALUES in found:
            note += f" With every value drawn: {_sentence(found[ALL_VALUES], rivals)}"
        title = f"{sentence(meaning)} (criterion {criterion})"
        tables.append(Table(title, ("", "ours", "best rival", "ours is", "the rival"), lines, note))
    return tables


def missing_rows(results: Results, attribute: str) -> dict[str, list[str]]:
    """The rows that could not be measured, as words, by why."""
    reasons: dict[str, list[str]] = {}
    for one in results.unavailable:
        reasons.setdefault(one.reason, []).append(described(one.method, attribute).words)
    return reasons


def _sentence(ours: dict[Bin, Value], rivals: dict[Method, dict[Bin, Value]]) -> str:
    """Who is ahead, in words."""
    if not rivals:
        reached = ", ".join(f"{ours[k].value:.1f} % (R@{k})" for k in KS)
        return f"Ours: {reached}. No rival that knows as little was measured."
    count = "the one rival" if len(rivals) == 1 else f"all {len(rivals)} rivals"
    won = [f"R@{k}" for k in KS if all(recall[k].value < ours[k].value for recall in rivals.values())]
    if len(won) == len(KS):
        return f"Ours is ahead of {count} of the same information at every K."
    parts = [f"Ours is ahead of {count} of the same information at {_listed(won)}."] if won else []
    for k in KS:
        mine = ours[k]
        ahead = sorted(
            ((method, recall[k]) for method, recall in rivals.items() if recall[k].value >= mine.value),
            key=lambda one: -one[1].value,
        )
        if not ahead:
            continue
        names = [f"{method.words} ({value.value:.1f} %)" for method, value in ahead]
        level = ahead[0][1].value == mine.value
        stays = "is level" if level else "stays ahead" if len(names) == 1 else "stay ahead"
        held, theirs = mine.interval, ahead[0][1].interval
        overlap = held and theirs and held[0] <= theirs[1] and theirs[0] <= held[1]
        close = "; the intervals overlap" if overlap and not level else ""
        parts.append(f"At R@{k} {_listed(names)} {stays} against our {mine.value:.1f} %{close}.")
    return " ".join(parts)


def _cell(value: Value, style: str = "", *, digits: int = 1) -> Cell:
    """``81.3`` and ``79.0–83.1``; a dash for what is no number."""
    text = DASH if math.isnan(value.value) else f"{value.value:,.{digits}f}"
    interval = f"{value.low:,.{digits}f}–{value.high:,.{digits}f}" if value.interval else ""
    return Cell(text, interval, style)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
