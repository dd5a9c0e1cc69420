"""Figure 8: our drawings of a face in every pose beside a rival's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.experiment import Experiment
from evaluation.figures.figure import Figure
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.words import value_word
from facedata.labelled import Attribute, FaceSet, Words
from faces.types import Ints

if TYPE_CHECKING:
    from baselines.cpi.model import CPIModel

PEOPLE = 4


@dataclass(frozen=True)
class Artist:
    """A rival that draws: faces (N, S, S) uint8 and (N,) wished words to drawings (N, T, T) uint8.

    ``name`` is how the figure calls it, ``note`` a sentence on what it does otherwise.
    """

    name: str
    draw: Callable[[NDArray[np.uint8], Words], NDArray[np.uint8]]
    note: str = ""


def cpi_artist(model: CPIModel) -> Artist:
    """CPI, whose drawings are standardised by the grey levels it was trained with."""
    config = model.config

    def draw(crops: NDArray[np.uint8], words: Words) -> NDArray[np.uint8]:
        turned = model.turn(crops, model.codes_of(words))
        levels = np.rint(turned.pictures.reshape(crops.shape) * config.std + config.mean)
        return np.asarray(np.clip(levels, 0, 255).astype(np.uint8))

    same = config.light == "same"
    return Artist("CPI", draw, "" if same else f"CPI draws every face in one light, {config.light}.")


def rival_drawings_figure(experiment: Experiment, artist: Artist, *, seed: int = 0) -> Figure:
    """Four faces of the queries, drawn at random, in every pose: ours, the rival's, and the true ones."""
    gallery, studio, attribute = experiment.gallery, experiment.studio, experiment.attribute
    values = studio.values(attribute)
    queries = _one_of_each_person(experiment, seed)
    sources = experiment.queries.faces[queries]
    crops = np.repeat(gallery.crops[sources], len(values), axis=0)
    words = np.tile(np.array(values, dtype=np.str_), len(sources))
    ours = studio.generator.draw(crops, studio.codes_of(words, attribute)).stage2
    theirs = artist.draw(crops, words)
    rows: list[list[Cell | Word | None]] = []
    for place, face in enumerate(sources.tolist()):
        part = slice(place * len(values), (place + 1) * len(values))
        true = [_true_face(gallery, face, value, attribute) for value in values]
        rows += [
            [None, Word("ours", "faint"), *(Cell(drawn) for drawn in ours[part])],
            [Cell(gallery.crops[face]), Word(artist.name, "faint"), *(Cell(drawn) for drawn in theirs[part])],
            [None, Word("true", "faint"), *true],
            [],
        ]
    return Figure(
        name="figure-8",
        part="drawing",
        title=f"Figure 8. Our drawings beside those of {artist.name}",
        caption=(
            f"{len(queries)} test faces drawn at random (seed {seed}) in all {len(values)} values of the "
            f"{attribute}: our second stage, {artist.name}, and the true pictures in the same light, where "
            f"the set has them. {artist.note}".strip()
        ),
        alt=f"For each of {len(queries)} faces: our drawings, those of {artist.name}, and true faces.",
        picture=Sheet(rows[:-1], ("face", "", *(value_word(value, attribute) for value in values)), side=96),
    )


def _true_face(gallery: FaceSet, face: int, value: str, attribute: Attribute) -> Cell | None:
    same = (gallery.persons == gallery.persons[face]) & (gallery.lights == gallery.lights[face])
    found = np.flatnonzero(same & (gallery.attribute(attribute) == value))
    return Cell(gallery.crops[found[0]]) if len(found) else None


def _one_of_each_person(experiment: Experiment, seed: int) -> Ints:
    faces = experiment.queries.faces
    order = np.random.default_rng(seed).permutation(len(faces))
    _, first = np.unique(experiment.gallery.persons[faces[order]], return_index=True)
    return np.asarray(order[np.sort(first)[:PEOPLE]], np.int64)
