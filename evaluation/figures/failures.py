"""The worst queries: those whose first right answer lies deepest, and what was found instead."""

from __future__ import annotations

import numpy as np

from evaluation.experiment import Experiment
from evaluation.figures.answers import draw, drawn_cell, found_cell, nearest, query_cell, ranks_of_right
from evaluation.figures.figure import Figure
from evaluation.figures.retrieval import legend
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.words import light_word
from evaluation.protocol import Criterion
from faces.types import Ints

ROWS = 8
INSTEAD = 3
# Each failing query is compared with the whole gallery: 500 × 20,860 float32 are 42 MB.
MOST = 500


def failures_figure(experiment: Experiment, first: Ints, deepest: int, *, seed: int = 0) -> Figure | None:
    """The worst queries under criterion 1, one of each person; None where no query fails.

    ``first`` (Q,) int64 holds the rank of the first right answer of each query among ``deepest`` answers,
    0 where it is not among them, and -1 for a query that has no right answer.
    """
    criterion = experiment.criteria[0]
    asked = np.flatnonzero(criterion.asked)
    failing = asked[first[asked] == 0]
    if not len(failing):
        return None
    looked = failing
    if len(failing) > MOST:
        looked = np.sort(np.random.default_rng(seed).choice(failing, MOST, replace=False))
    drawn = draw(experiment, looked)
    features = experiment.studio.canonical(experiment.gallery).features
    ranks, right = ranks_of_right(features, drawn.features, criterion, looked)
    shown = _worst_of_each_person(experiment, looked, ranks)
    found = nearest(experiment, drawn.features[shown], INSTEAD)
    rows: list[list[Cell | Word | None]] = []
    for row, answers in zip(shown.tolist(), found.tolist(), strict=True):
        query = int(looked[row])
        hits = [found_cell(experiment, query, face) for face in answers]
        target = _target_cell(experiment, criterion, query, int(ranks[row]), int(right[row]))
        rows.append(
            [query_cell(experiment, query), drawn_cell(experiment, query, drawn.images[row]), target, *hits]
        )
    attribute = experiment.attribute
    sampled = f" (the worst of {MOST} of them, drawn at random)" if len(looked) < len(failing) else ""
    return Figure(
        name="failures",
        part="failures",
        title="The worst queries",
        caption=(
            f"{len(failing):,} of {len(asked):,} queries have no face of the right person and {attribute} "
            f"among the first {deepest}. These {len(rows)} are the worst{sampled}, one for each person: the "
            "query, the drawing, the face that was looked for with the rank at which the first right one "
            "came, and what came first instead. Words in green agree with what was asked, words in red do "
            f"not. {legend(experiment)}"
        ),
        alt=f"{len(rows)} lines of faces: query, drawing, the true target, and {INSTEAD} wrong answers.",
        picture=Sheet(rows, ("query", "drawing", "target", "1", "2", "3"), gaps=frozenset({3})),
    )


def _worst_of_each_person(experiment: Experiment, which: Ints, ranks: Ints) -> Ints:
    order = np.argsort(-ranks, kind="stable")
    persons = experiment.gallery.persons[experiment.queries.faces[which[order]]]
    _, first = np.unique(persons, return_index=True)
    return np.asarray(order[np.sort(first)[:ROWS]], np.int64)


def _target_cell(experiment: Experiment, criterion: Criterion, query: int, rank: int, nearest: int) -> Cell:
    """The true target: in the query's light where it is there, else the right face that came first."""
    gallery = experiment.gallery
    right = np.flatnonzero(criterion.gallery_key == criterion.query_key[query])
    same = right[gallery.lights[right] == gallery.lights[experiment.queries.faces[query]]]
    face = int(same[0]) if len(same) else nearest
    words = (Word("first right"), Word(f"at {rank:,}"), Word(light_word(gallery, face), "faint"))
    return Cell(gallery.crops[face], tuple(word for word in words if word.text))
