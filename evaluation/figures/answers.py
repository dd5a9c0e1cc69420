"""What our searcher answers to some of an experiment's queries, and how far down the right answer is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.exact import Vectors, exact_search
from evaluation.experiment import Experiment
from evaluation.figures.sheet import Cell, Word
from evaluation.figures.theme import Tone
from evaluation.figures.words import light_word, person_word, value_word
from evaluation.protocol import Criterion
from faces.types import Floats, Ints

# Gallery rows compared at a time, as in baselines.exact.
_ROWS = 1024


@dataclass(frozen=True)
class Drawn:
    """Some queries as they are searched with: ``images`` (A, S, S) uint8, ``features`` (A, D) float32."""

    images: NDArray[np.uint8]
    features: Floats


def draw(experiment: Experiment, which: Ints) -> Drawn:
    """Draw the queries ``which`` (A,), numbers of the experiment's queries."""
    queries, studio = experiment.queries, experiment.studio
    codes = studio.codes_of(queries.targets[which], queries.attribute)
    made = studio.generator.draw(experiment.gallery.crops[queries.faces[which]], codes)
    return Drawn(made.stage2, made.features)


def nearest(experiment: Experiment, features: Floats, k: int) -> Ints:
    """(A, k) int64 faces of the canonicalised gallery, nearest to (A, D) features first, -1 for none."""
    return exact_search(experiment.studio.canonical(experiment.gallery).features, features, k)[0]


def ranks_of_right(gallery: Vectors, queries: Floats, criterion: Criterion, which: Ints) -> tuple[Ints, Ints]:
    """How deep the first right answer lies, however deep that is.

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


def query_cell(experiment: Experiment, query: int) -> Cell:
    """The face that is asked with."""
    gallery, face = experiment.gallery, int(experiment.queries.faces[query])
    value = value_word(str(gallery.attribute(experiment.attribute)[face]), experiment.attribute)
    words = (person_word(gallery, face), value, light_word(gallery, face))
    return Cell(gallery.crops[face], tuple(Word(word) for word in words if word))


def drawn_cell(experiment: Experiment, query: int, drawn: NDArray[np.uint8]) -> Cell:
    """The drawing, with the wish under it."""
    wish = value_word(str(experiment.queries.targets[query]), experiment.attribute)
    return Cell(drawn, (Word("wish"), Word(wish)))


def found_cell(experiment: Experiment, query: int, face: int) -> Cell | None:
    """What was found; each of person, value and light is coloured by whether it is the wished one.

    The frame says right where person and value are (and the light, where lights are known), partly right
    where only the light is another.
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


def _tone(right: bool) -> Tone:
    return "right" if right else "wrong"
