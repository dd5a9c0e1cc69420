"""A folder of results as a benchmark leaves it, with numbers that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.figures.figure import Figure
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.store import store_figures
from evaluation.journal import Journal
from evaluation.results import (
    ClassifierRecord,
    ConfusionRecord,
    ErrorRecord,
    Interval,
    Record,
    RowRecord,
    SetRecord,
)

POSES = ("-45", "0", "+45")
WEIGHTS = "rotation-32@0123456789ab"
OURS = (80.0, 90.0, 95.0)


def row(
    name: str,
    recall: tuple[float, ...] = (50.0, 60.0, 70.0),
    *,
    criterion: int = 1,
    dataset: str = "made-up",
    interval: float | None = 2.0,
    unavailable: str = "",
) -> RowRecord:
    """A row of the tables; ``recall`` at 1, 5 and 20, ``interval`` the half width of each."""
    by_k = {} if unavailable else dict(zip((1, 5, 20), recall, strict=True))

    def around(value: float) -> Interval | None:
        return None if interval is None else (value - interval, value + interval)

    return RowRecord(
        dataset=dataset,
        row=name,
        criterion=criterion,
        recall=by_k,
        interval={k: around(value) for k, value in by_k.items()},
        queries=1000,
        left_out=3,
        gallery=2000,
        seed=0,
        made_with=WEIGHTS,
        told="-true-" in name,
        seconds=1.5,
        unavailable=unavailable,
    )


def pose_records(dataset: str = "made-up") -> list[Record]:
    """Everything that is measured of a set whose pose is wished for."""
    rows: list[Record] = []
    for criterion in (1, 2):
        rows += [
            row("ours-features", OURS, criterion=criterion, dataset=dataset),
            row("ours-features@rotation-32-paper", criterion=criterion, dataset=dataset),
            row("two-step-image", (20.0, 30.0, 40.0), criterion=criterion, dataset=dataset),
            row("two-step-vgg16-fc7", criterion=criterion, dataset=dataset, unavailable="weights not given"),
            row("two-step-dlib", (70.0, 85.0, 94.0), criterion=criterion, dataset=dataset),
            row("two-step-image-true-pose", (99.0, 99.5, 100.0), criterion=criterion, dataset=dataset),
        ]
    meanings = {1: "right person and pose", 2: "right person, pose and light"}
    both = {"stage1": 300.25, "stage2": 280.5}
    counts = ((9, 1, 0), (0, 10, 0), (2, 0, 8))
    return [
        SetRecord(dataset, "fedcba987654", "pose", POSES, 24, 2000, 1000, 0, (WEIGHTS,), meanings),
        *rows,
        ErrorRecord(
            dataset, WEIGHTS, "pose", both, {"stage1": (290.0, 310.0), "stage2": None}, both,
            {"stage1": None, "stage2": None}, 500, 0,
        ),
        ClassifierRecord(
            dataset, "pose", "dlib-128", "svm", 91.25, (90.0, 92.0), 2000, {"dlib-128, svm": 92.0},
        ),
        ConfusionRecord(dataset, WEIGHTS, "pose", POSES, counts, 90.0, None),
    ]  # fmt: skip


def completion_records(dataset: str = "bars") -> list[Record]:
    """What is measured where nothing can be searched for."""
    both = {"stage1": 3.5, "stage2": 2.25}
    none: dict[str, Interval | None] = {"stage1": None, "stage2": None}
    return [
        SetRecord(dataset, "abcdefabcdef", "accessory", ("none",), 24, 480, 0, 0, ("completion-32@1",), {}),
        ErrorRecord(dataset, "completion-32@1", "accessory", both, none, both, none, 240, 0),
    ]


def write_results(folder: Path, *sets: list[Record]) -> None:
    """Write the records of each set into a folder of results."""
    journal = Journal(folder)
    for number, records in enumerate(sets):
        journal.append(f"step-{number}", records)


def one_figure(name: str = "figure-7", caption: str = "What 8 queries find.") -> Figure:
    """A figure whose picture is a sheet of one face."""
    face = np.arange(64, dtype=np.uint8).reshape(8, 8)
    return Figure(
        name, "retrieval", "What is found", caption, "A face.", Sheet([[Cell(face, (Word("who"),))]])
    )


def store_one(folder: Path, dataset: str = "made-up", caption: str = "What 8 queries find.") -> None:
    """Store one figure of a set."""
    store_figures(folder, dataset, [one_figure(caption=caption)])
