"""A folder of results as a benchmark leaves it, with numbers that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.figures.figure import Figure, store_figures
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.results import Journal, Record, SetHeader, Unavailable, Value

POSES = ("-45", "0", "+45")
WEIGHTS = "rotation-32@0123456789ab"
OURS = (80.0, 90.0, 95.0)


def header(
    dataset: str = "made-up",
    criteria: tuple[str, ...] = ("right person and pose", "right person, pose and light"),
) -> SetHeader:
    """A set whose pose is wished for."""
    return SetHeader(dataset, "fedcba987654", "pose", POSES, 24, 2000, 1003, 0, (WEIGHTS,), criteria)


def row(
    name: str,
    recall: tuple[float, ...] = (50.0, 60.0, 70.0),
    *,
    criterion: int = 1,
    dataset: str = "made-up",
    interval: float | None = 2.0,
) -> list[Record]:
    """A row of the tables; ``recall`` at 1, 5 and 20, ``interval`` the half width of each."""
    return [
        Value(
            dataset,
            name,
            WEIGHTS,
            "recall",
            criterion,
            k,
            value,
            None if interval is None else value - interval,
            None if interval is None else value + interval,
            1000,
        )
        for k, value in zip((1, 5, 20), recall, strict=True)
    ]


def measure(
    name: str, value: float, *, k: int | str = 0, method: str = "", low: float | None = None,
    high: float | None = None, n: int = 500, weights: str = WEIGHTS, dataset: str = "made-up",
) -> Value:  # fmt: skip
    """A value that knows no criterion."""
    return Value(dataset, method, weights, name, 0, k, value, low, high, n)


def confusion(
    counts: tuple[tuple[int, ...], ...], dataset: str = "made-up", weights: str = WEIGHTS
) -> list[Record]:
    """Counts of true values (down) and chosen ones, and their accuracy."""
    values = POSES[: len(counts)]
    total, right = sum(map(sum, counts)), sum(line[place] for place, line in enumerate(counts))
    accuracy = measure("canonicalised", 100 * right / total, n=total, dataset=dataset, weights=weights)
    return [
        accuracy,
        *(
            measure("confusion", count, k=f"{true}>{told}", n=sum(line), dataset=dataset, weights=weights)
            for true, line in zip(values, counts, strict=True)
            for told, count in zip(values, line, strict=True)
        ),
    ]


def pose_records(dataset: str = "made-up") -> list[Record]:
    """Everything that is measured of a set whose pose is wished for."""
    rows: list[Record] = []
    for criterion in (1, 2):
        rows += row("ours-features", OURS, criterion=criterion, dataset=dataset)
        rows += row("ours-features@rotation-32-paper", criterion=criterion, dataset=dataset)
        rows += row("two-step-image", (20.0, 30.0, 40.0), criterion=criterion, dataset=dataset)
        rows += row("two-step-dlib", (70.0, 85.0, 94.0), criterion=criterion, dataset=dataset)
        rows += row("two-step-image-true-pose", (99.0, 99.5, 100.0), criterion=criterion, dataset=dataset)
    candidate = "dlib-128, svm"
    errors = [
        measure("squared error", 300.25, k=1, low=290.0, high=310.0, dataset=dataset),
        measure("squared error", 280.5, k=2, dataset=dataset),
        measure("absolute error", 30.25, k=1, dataset=dataset),
        measure("absolute error", 28.5, k=2, dataset=dataset),
    ]
    return [
        header(dataset),
        *rows,
        Unavailable(dataset, "two-step-vgg16-fc7", "weights not given"),
        *errors,
        measure("classifier", 91.25, low=90.0, high=92.0, n=2000, weights=candidate, dataset=dataset),
        measure("classifier on validation people", 92.0, k=candidate, weights=candidate, dataset=dataset),
        *confusion(((9, 1, 0), (0, 10, 0), (2, 0, 8)), dataset),
    ]


def completion_records(dataset: str = "bars") -> list[Record]:
    """What is measured where nothing can be searched for."""
    weights = "completion-32@1"
    return [
        SetHeader(dataset, "abcdefabcdef", "accessory", ("none",), 24, 480, 0, 0, (weights,), ()),
        *(
            measure(name, value, k=stage, n=240, weights=weights, dataset=dataset)
            for name in ("squared error", "absolute error")
            for stage, value in ((1, 3.5), (2, 2.25))
        ),
    ]


def write_results(folder: Path, *sets: list[Record]) -> None:
    """Write the records of each set into a folder of results."""
    journal = Journal(folder)
    for number, records in enumerate(sets):
        unavailable = [record for record in records if isinstance(record, Unavailable)]
        measured = [record for record in records if record not in unavailable]
        journal.append(f"step-{number}", measured)
        if unavailable:
            journal.append(f"unavailable-{number}", unavailable)


def one_figure(name: str = "figure-7", caption: str = "What 8 queries find.") -> Figure:
    """A figure whose picture is a sheet of one face."""
    face = np.arange(64, dtype=np.uint8).reshape(8, 8)
    return Figure(
        name, "retrieval", "What is found", caption, "A face.", Sheet([[Cell(face, (Word("who"),))]])
    )


def store_one(folder: Path, dataset: str = "made-up", caption: str = "What 8 queries find.") -> None:
    """Store one figure of a set."""
    store_figures(folder, dataset, [one_figure(caption=caption)])
