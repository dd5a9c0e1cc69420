"""Figures 5, 9 and 10: source, both stages, and the true picture, on people the network has not seen."""

from __future__ import annotations

import numpy as np

from evaluation.experiment import Experiment
from evaluation.figures.figure import Figure
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.words import person_word, value_word
from facedata.labelled import FaceSet
from facedata.pairs import ordered_pairs
from faces.types import Ints

COLUMNS = ("source", "stage 1", "stage 2", "target")
ROWS = 6


def stages_figure(experiment: Experiment, *, seed: int = 0) -> Figure | None:
    """Twelve pairs drawn at random, each of another person where there are as many; None without pairs.

    It is figure 5 for poses, 9 for accessories and 10 for a bar over the eyes.
    """
    gallery, attribute = experiment.gallery, experiment.attribute
    pairs = ordered_pairs(gallery, attribute)
    completion = is_completion(experiment)
    wishes = ("none",) if completion else experiment.studio.values(attribute)
    pairs = pairs[np.isin(gallery.attribute(attribute)[pairs[:, 1]], np.array(wishes, dtype=np.str_))]
    if not len(pairs):
        return None
    source, target = different_people(gallery, pairs, 2 * ROWS, seed).T
    words = gallery.attribute(attribute)
    made = experiment.studio.generator.draw(
        gallery.crops[source], experiment.studio.codes_of(words[target], attribute)
    )
    sets: list[list[Cell | Word | None]] = []
    for row, (a, b) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        was, wished = (Word(value_word(words[face], attribute), "faint") for face in (a, b))
        told = not completion  # where every wish is the same there is nothing to tell
        sets.append(
            [
                Cell(gallery.crops[a], (Word(person_word(gallery, a)), *((was,) if told else ()))),
                Cell(made.stage1[row]),
                Cell(made.stage2[row]),
                Cell(gallery.crops[b], (wished,) if told else ()),
            ]
        )
    true = gallery.crops[target]
    errors = [_error(stage, true, absolute=completion) for stage in (made.stage1, made.stage2)]
    number, title = _number_and_title(experiment)
    return Figure(
        name=f"figure-{number}",
        part="drawing",
        title=f"Figure {number}. {title}",
        caption=(
            f"{len(sets)} {'pair' if len(sets) == 1 else 'pairs'} of test people, drawn at random "
            f"(seed {seed}). Each set shows the source, what the first stage draws, what the second makes of "
            f"it, and the true picture. Mean {'absolute' if completion else 'squared'} error per pixel of "
            f"these {len(sets)}: stage 1 {errors[0]:.1f}, stage 2 {errors[1]:.1f}."
        ),
        alt=f"{len(sets)} sets of four faces: source, stage 1, stage 2 and the true target.",
        picture=_two_beside(sets),
    )


def _number_and_title(experiment: Experiment) -> tuple[int, str]:
    if is_completion(experiment):
        return 10, "Filling in what a black bar hides"
    if experiment.attribute == "accessory":
        return 9, "Putting accessories on and taking them off"
    return 5, f"Drawing another {experiment.attribute}"


def _two_beside(sets: list[list[Cell | Word | None]]) -> Sheet:
    """The sets in two columns, the first half of them on the left."""
    if len(sets) == 1:
        return Sheet(sets, COLUMNS)
    half = -(-len(sets) // 2)
    right = [*sets[half:], *([[]] * (2 * half - len(sets)))]
    rows = [a + b for a, b in zip(sets[:half], right, strict=True)]
    return Sheet(rows, COLUMNS * 2, gaps=frozenset({len(COLUMNS)}))


def is_completion(experiment: Experiment) -> bool:
    """Whether the wish is to take a bar off the eyes."""
    return experiment.attribute == "accessory" and "bar" in experiment.gallery.values("accessory")


def different_people(faces: FaceSet, pairs: Ints, count: int, seed: int) -> Ints:
    """Up to ``count`` of the (P, 2) pairs at random, a second one of a person only when all had one."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    persons = faces.persons[pairs[order, 0]]
    turn = np.zeros(len(order), np.int64)
    seen: dict[str, int] = {}
    for place, person in enumerate(persons.tolist()):
        turn[place] = seen[person] = seen.get(person, -1) + 1
    return pairs[order[np.argsort(turn, kind="stable")[:count]]]


def _error(drawn: np.ndarray, true: np.ndarray, *, absolute: bool) -> float:
    apart = drawn.astype(np.float64) - true
    return float(np.mean(np.abs(apart) if absolute else np.square(apart)))
