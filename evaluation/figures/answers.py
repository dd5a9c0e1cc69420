"""Figures of what is found: some queries with their answers (7), and the worst ones."""

from __future__ import annotations

from collections import Counter

import numpy as np

from evaluation.figures.figure import Figure, face_words, value_word
from evaluation.figures.sheet import Cell, Sheet, Tone, Word
from evaluation.protocol import Criterion, Experiment
from faces.types import Floats, Ints, Pixels
from index.search import Vectors, in_blocks, nearest

ROWS = 8
NEAREST = 5
INSTEAD = 3

MOST = 500  # failing queries, each compared with the whole gallery: 500 × 20,860 float32 are 42 MB


def retrieval_figure(experiment: Experiment, *, seed: int = 0) -> Figure:
    """Draw figure 7: queries, drawings, and the five nearest faces.

    The eight queries are drawn at random, each of another person if there are as many.
    """
    which = experiment.some_queries(ROWS, seed)
    images, features = _draw(experiment, which)
    found = nearest(experiment.studio.canonical(experiment.gallery).features, features, NEAREST)
    hits = [
        [found_cell(experiment, query, face) for face in answers]
        for query, answers in zip(which.tolist(), found.tolist(), strict=True)
    ]
    rows = [
        [*_asked_cells(experiment, query, image), *cells]
        for query, image, cells in zip(which.tolist(), images, hits, strict=True)
    ]
    frames = Counter(cells[0].frame for cells in hits if cells[0])
    other = f", {frames['part']} right but for the light" if frames["part"] else ""
    return Figure(
        name="figure-7",
        part="retrieval",
        title="Figure 7. What is found",
        caption=(
            f"{len(which)} queries drawn at random (seed {seed}): the face, the drawing of the wish, and the "
            f"{NEAREST} nearest of {len(experiment.gallery):,} faces. {_legend(experiment)} "
            f"Of the first answers {frames['right']} of {len(rows)} are right{other}."
        ),
        alt=(
            f"{len(which)} lines of faces: query, drawing, and the {NEAREST} nearest faces, each framed by "
            "whether it is right."
        ),
        picture=Sheet(rows, ("query", "drawing", "1", "2", "3", "4", "5"), gaps=frozenset({2})),
    )


def failures_figure(experiment: Experiment, first: Ints, deepest: int, *, seed: int = 0) -> Figure | None:
    """Draw the queries whose first right answer lies deepest, one of each person; None if no query fails.

    ``first`` (Q,) int64 are the ranks of ``Criterion.ranks`` under criterion 1, among ``deepest`` answers.
    """
    criterion, attribute = experiment.criteria[0], experiment.attribute
    asked = np.flatnonzero(criterion.asked)
    failing = asked[first[asked] == 0]
    if not len(failing):
        return None
    looked, sampled = failing, ""
    if len(failing) > MOST:
        looked = np.sort(np.random.default_rng(seed).choice(failing, MOST, replace=False))
        sampled = f" (the worst of {MOST} of them, drawn at random)"
    images, features = _draw(experiment, looked)
    gallery = experiment.studio.canonical(experiment.gallery).features
    ranks, right = depth_of_right(gallery, features, criterion, looked)
    deepest_first = np.argsort(-ranks, kind="stable")
    persons = experiment.gallery.persons[experiment.queries.faces[looked[deepest_first]]]
    shown = deepest_first[np.sort(np.unique(persons, return_index=True)[1])[:ROWS]]
    found = nearest(gallery, features[shown], INSTEAD)
    rows = [
        [
            *_asked_cells(experiment, query := int(looked[row]), images[row]),
            _target_cell(experiment, criterion, query, int(ranks[row]), int(right[row])),
            *(found_cell(experiment, query, face) for face in answers),
        ]
        for row, answers in zip(shown.tolist(), found.tolist(), strict=True)
    ]
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
    blocks = [queries @ some.astype(np.float32).T for _, some in in_blocks(gallery)]
    alike = np.concatenate(blocks, axis=1)  # (A, N)
    right = criterion.query_key[which][:, None] == criterion.gallery_key[None, :]
    best = np.where(right, alike, -np.inf).argmax(axis=1).astype(np.int64)
    nearest = np.take_along_axis(alike, best[:, None], axis=1)
    ranks: Ints = 1 + np.count_nonzero((alike > nearest) & ~right, axis=1).astype(np.int64)
    return ranks, best


def _asked_cells(experiment: Experiment, query: int, drawn: Pixels) -> tuple[Cell, Cell]:
    """The face that is asked with, and its drawing with the wish under it."""
    gallery, queries = experiment.gallery, experiment.queries
    face = int(queries.faces[query])
    words = face_words(gallery, face, queries.attribute)
    wish = value_word(str(queries.targets[query]), queries.attribute)
    return Cell(gallery.crops[face], tuple(map(Word, words))), Cell(drawn, (Word("wish"), Word(wish)))


def found_cell(experiment: Experiment, query: int, face: int) -> Cell | None:
    """Show what was found; person, value and light are coloured by whether they are the wished ones.

    The frame says right if all of them are, partly right if only the light is another.
    """
    if face < 0:
        return None
    gallery, queries = experiment.gallery, experiment.queries
    source = int(queries.faces[query])
    person = gallery.persons[face] == gallery.persons[source]
    value = gallery.attribute(queries.attribute)[face] == queries.targets[query]
    light = gallery.lights[face] == gallery.lights[source]
    tones: list[Tone] = ["right" if agrees else "wrong" for agrees in (person, value, light)]
    frame: Tone = "wrong" if "wrong" in tones[:2] else "right" if light else "part"
    words = map(Word, face_words(gallery, face, queries.attribute), tones)
    return Cell(gallery.crops[face], tuple(words), frame)


def _target_cell(experiment: Experiment, criterion: Criterion, query: int, rank: int, nearest: int) -> Cell:
    """The true target: in the query's light if it is there, else the right face that came first."""
    gallery = experiment.gallery
    right = np.flatnonzero(criterion.gallery_key == criterion.query_key[query])
    same = right[gallery.lights[right] == gallery.lights[experiment.queries.faces[query]]]
    face = int(same[0]) if len(same) else nearest
    *_, light = face_words(gallery, face, experiment.attribute)
    return Cell(gallery.crops[face], (Word("first right"), Word(f"at {rank:,}"), Word(light, "faint")))


def _draw(experiment: Experiment, which: Ints) -> tuple[Pixels, Floats]:
    """Draw the queries ``which`` (A,), by number: pictures (A, S, S) uint8, features (A, D) float32."""
    queries, studio = experiment.queries, experiment.studio
    crops = experiment.gallery.crops[queries.faces[which]]
    made = studio.draw(crops, queries.targets[which], queries.attribute)
    return made.stage2, made.features


def _legend(experiment: Experiment) -> str:
    """What the frames mean, in words."""
    other = f"; amber with a bar: the right person and {experiment.attribute} in another light"
    return (
        f"Green with a tick: right; red with a cross: wrong{other if len(experiment.criteria) > 1 else ''}."
    )
