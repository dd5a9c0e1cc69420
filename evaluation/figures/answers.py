"""Figures of what is found: some queries with their answers (7), and the worst ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.figures.figure import Figure, light_word, person_word, value_word
from evaluation.figures.sheet import Cell, Sheet, Tone, Word
from evaluation.protocol import Criterion, Experiment
from faces.types import Floats, Ints
from index.search import Vectors, nearest

ROWS = 8
NEAREST = 5
INSTEAD = 3
LEGEND = "Green with a tick: right; red with a cross: wrong"

# Each failing query is compared with the whole gallery: 500 × 20,860 float32 are 42 MB.
MOST = 500
# Gallery rows compared at a time, as in index.search.
_ROWS = 1024


def retrieval_figure(experiment: Experiment, *, seed: int = 0) -> Figure:
    """Draw figure 7: queries, drawings, and the five nearest faces.

    The eight queries are drawn at random, each of another person if there are as many.
    """
    which = experiment.some_queries(ROWS, seed)
    images, features = _draw(experiment, which)
    found = _nearest(experiment, features, NEAREST)
    rows: list[list[Cell | Word | None]] = []
    for row, query in enumerate(which.tolist()):
        hits = [found_cell(experiment, query, face) for face in found[row].tolist()]
        rows.append([_query_cell(experiment, query), _drawn_cell(experiment, query, images[row]), *hits])
    return Figure(
        name="figure-7",
        part="retrieval",
        title="Figure 7. What is found",
        caption=(
            f"{len(which)} queries drawn at random (seed {seed}): the face, the drawing of the wish, and the "
            f"{NEAREST} nearest of {len(experiment.gallery):,} faces. {_legend(experiment)} {_count(rows)}"
        ),
        alt=(
            f"{len(which)} lines of faces: query, drawing, and the {NEAREST} nearest faces, each framed by "
            "whether it is right."
        ),
        picture=Sheet(rows, ("query", "drawing", "1", "2", "3", "4", "5"), gaps=frozenset({2})),
    )


def failures_figure(experiment: Experiment, first: Ints, deepest: int, *, seed: int = 0) -> Figure | None:
    """Draw the worst queries under criterion 1, one of each person; None if no query fails.

    They are those whose first right answer lies deepest.

    ``first`` (Q,) int64 holds the rank of the first right answer of each query among ``deepest`` answers,
    0 if it is not among them, and -1 for a query that has no right answer.
    """
    criterion = experiment.criteria[0]
    asked = np.flatnonzero(criterion.asked)
    failing = asked[first[asked] == 0]
    if not len(failing):
        return None
    looked = failing
    if len(failing) > MOST:
        looked = np.sort(np.random.default_rng(seed).choice(failing, MOST, replace=False))
    images, features = _draw(experiment, looked)
    gallery = experiment.studio.canonical(experiment.gallery).features
    ranks, right = depth_of_right(gallery, features, criterion, looked)
    shown = _worst_of_each_person(experiment, looked, ranks)
    found = _nearest(experiment, features[shown], INSTEAD)
    rows: list[list[Cell | Word | None]] = []
    for row, answers in zip(shown.tolist(), found.tolist(), strict=True):
        query = int(looked[row])
        hits = [found_cell(experiment, query, face) for face in answers]
        target = _target_cell(experiment, criterion, query, int(ranks[row]), int(right[row]))
        rows.append(
            [_query_cell(experiment, query), _drawn_cell(experiment, query, images[row]), target, *hits]
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
            f"not. {_legend(experiment)}"
        ),
        alt=f"{len(rows)} lines of faces: query, drawing, the true target, and {INSTEAD} wrong answers.",
        picture=Sheet(rows, ("query", "drawing", "target", "1", "2", "3"), gaps=frozenset({3})),
    )


def depth_of_right(gallery: Vectors, queries: Floats, criterion: Criterion, which: Ints) -> tuple[Ints, Ints]:
    """Find how deep the first right answer lies, however deep that is.

    ``gallery`` (N, D) and ``queries`` (A, D) are L2-normalised features, ``which`` (A,) the queries'
    numbers in ``criterion``; each must have a right answer.  Returns (A,) int64 ranks from 1 and (A,) int64
    indices of that answer.  Of equal distances the right one counts as nearest.
    """
    alike = np.empty((len(queries), len(gallery)), np.float32)
    for start in range(0, len(gallery), _ROWS):
        alike[:, start : start + _ROWS] = queries @ gallery[start : start + _ROWS].astype(np.float32).T
    right = criterion.query_key[which][:, None] == criterion.gallery_key[None, :]
    best = np.where(right, alike, -np.inf).argmax(axis=1).astype(np.int64)
    nearest = np.take_along_axis(alike, best[:, None], axis=1)
    ranks: Ints = 1 + np.count_nonzero((alike > nearest) & ~right, axis=1).astype(np.int64)
    return ranks, best


def _query_cell(experiment: Experiment, query: int) -> Cell:
    """The face that is asked with."""
    gallery, face = experiment.gallery, int(experiment.queries.faces[query])
    value = value_word(str(gallery.attribute(experiment.attribute)[face]), experiment.attribute)
    words = (person_word(gallery, face), value, light_word(gallery, face))
    return Cell(gallery.crops[face], tuple(Word(word) for word in words if word))


def _drawn_cell(experiment: Experiment, query: int, drawn: NDArray[np.uint8]) -> Cell:
    """The drawing, with the wish under it."""
    wish = value_word(str(experiment.queries.targets[query]), experiment.attribute)
    return Cell(drawn, (Word("wish"), Word(wish)))


def found_cell(experiment: Experiment, query: int, face: int) -> Cell | None:
    """Show what was found; each of person, value and light is coloured by whether it is the wished one.

    The frame says right if person and value are (and the light, if lights are known), partly right if only
    the light is another.
    """
    if face < 0:
        return None
    gallery, queries = experiment.gallery, experiment.queries
    source, attribute = int(queries.faces[query]), experiment.attribute
    value = str(gallery.attribute(attribute)[face])
    same_person = gallery.persons[face] == gallery.persons[source]
    same_value = value == queries.targets[query]
    same_light = gallery.lights[face] == gallery.lights[source]
    words = [
        Word(person_word(gallery, face), _tone(bool(same_person))),
        Word(value_word(value, attribute), _tone(bool(same_value))),
    ]
    if light_word(gallery, face):
        words.append(Word(light_word(gallery, face), _tone(bool(same_light))))
    frame: Tone = "wrong"
    if same_person and same_value:
        frame = "right" if same_light else "part"
    return Cell(gallery.crops[face], tuple(words), frame)


def _target_cell(experiment: Experiment, criterion: Criterion, query: int, rank: int, nearest: int) -> Cell:
    """The true target: in the query's light if it is there, else the right face that came first."""
    gallery = experiment.gallery
    right = np.flatnonzero(criterion.gallery_key == criterion.query_key[query])
    same = right[gallery.lights[right] == gallery.lights[experiment.queries.faces[query]]]
    face = int(same[0]) if len(same) else nearest
    words = (Word("first right"), Word(f"at {rank:,}"), Word(light_word(gallery, face), "faint"))
    return Cell(gallery.crops[face], tuple(word for word in words if word.text))


def _draw(experiment: Experiment, which: Ints) -> tuple[NDArray[np.uint8], Floats]:
    """Draw the queries ``which`` (A,), by number: pictures (A, S, S) uint8, features (A, D) float32."""
    queries, studio = experiment.queries, experiment.studio
    codes = studio.codes_of(queries.targets[which], queries.attribute)
    made = studio.generator.draw(experiment.gallery.crops[queries.faces[which]], codes)
    return made.stage2, made.features


def _nearest(experiment: Experiment, features: Floats, k: int) -> Ints:
    """(A, k) int64 faces of the canonicalised gallery, nearest to (A, D) features first, -1 for none."""
    return nearest(experiment.studio.canonical(experiment.gallery).features, features, k)


def _worst_of_each_person(experiment: Experiment, which: Ints, ranks: Ints) -> Ints:
    order = np.argsort(-ranks, kind="stable")
    persons = experiment.gallery.persons[experiment.queries.faces[which[order]]]
    _, first = np.unique(persons, return_index=True)
    return np.asarray(order[np.sort(first)[:ROWS]], np.int64)


def _legend(experiment: Experiment) -> str:
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


def _tone(right: bool) -> Tone:
    return "right" if right else "wrong"
