"""Figure 7: queries, drawings, and the five nearest faces."""

from __future__ import annotations

import numpy as np

from evaluation.experiment import Experiment
from evaluation.figures.answers import draw, drawn_cell, found_cell, nearest, query_cell
from evaluation.figures.figure import Figure
from evaluation.figures.sheet import Cell, Sheet, Word

ROWS = 8
NEAREST = 5
LEGEND = "Green with a tick: right; red with a cross: wrong"


def retrieval_figure(experiment: Experiment, *, seed: int = 0) -> Figure:
    """Eight queries drawn at random, each of another person where there are as many."""
    which = _some_queries(experiment, seed)
    drawn = draw(experiment, which)
    found = nearest(experiment, drawn.features, NEAREST)
    rows: list[list[Cell | Word | None]] = []
    for row, query in enumerate(which.tolist()):
        hits = [found_cell(experiment, query, face) for face in found[row].tolist()]
        rows.append([query_cell(experiment, query), drawn_cell(experiment, query, drawn.images[row]), *hits])
    return Figure(
        name="figure-7",
        part="retrieval",
        title="Figure 7. What is found",
        caption=(
            f"{len(which)} queries drawn at random (seed {seed}): the face, the drawing of the wish, and the "
            f"{NEAREST} nearest of {len(experiment.gallery):,} faces. {legend(experiment)} {_count(rows)}"
        ),
        alt=(
            f"{len(which)} lines of faces: query, drawing, and the {NEAREST} nearest faces, each framed by "
            "whether it is right."
        ),
        picture=Sheet(rows, ("query", "drawing", "1", "2", "3", "4", "5"), gaps=frozenset({2})),
    )


def legend(experiment: Experiment) -> str:
    """What the frames mean, in words."""
    if len(experiment.criteria) < 2:
        return f"{LEGEND}."
    value = experiment.attribute
    return f"{LEGEND}; amber with a bar: the right person and {value} in another light."


def _count(rows: list[list[Cell | Word | None]]) -> str:
    first = [row[2].frame for row in rows if isinstance(row[2], Cell)]
    right, part = first.count("right"), first.count("part")
    other = f", {part} right but for the light" if part else ""
    return f"Of the first answers {right} of {len(rows)} are right{other}."


def _some_queries(experiment: Experiment, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    queries = experiment.queries
    order = np.random.default_rng(seed).permutation(len(queries))
    _, first = np.unique(experiment.gallery.persons[queries.faces[order]], return_index=True)
    return order[np.sort(first)[:ROWS]].astype(np.int64)
