"""Figures of what is drawn: what a wish becomes (4), both stages (5, 9, 10), and a rival's drawings (8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from evaluation.figures.figure import Figure, face_words, value_word
from evaluation.figures.sheet import LIGHT, Cell, Row, Sheet, Word
from evaluation.protocol import Experiment
from evaluation.studio import Studio
from facedata.completion import BAR
from facedata.labelled import Attribute, FaceSet, Words
from facedata.pairs import ordered_pairs
from faces.types import Floats, Ints, Pixels

if TYPE_CHECKING:
    from baselines.cpi.model import CPIModel

COLUMNS = ("source", "stage 1", "stage 2", "target")
PAIRS = 12
PEOPLE = 4
_SIDE = 96  # of the pictures on sheets with many columns


def attribute_maps_figure(studio: Studio, attribute: Attribute) -> Figure | None:
    """Draw figure 4, what the network makes of a wish: each value's maps in a column, the principal on top.

    None for a generator without maps, or with one value, which differs from no other.
    """
    values = studio.values(attribute)
    maps_of_values: Callable[[], Floats] | None = getattr(studio.generator, "attribute_maps", None)
    if maps_of_values is None or len(values) < 2:
        return None
    maps = maps_of_values()[studio.generator.vocabulary.places[attribute]]  # (V, M, H, H)
    principal, share = principal_maps(maps)
    _, count, side, _ = maps.shape
    rows = [_map_row("principal", principal), []]
    rows += [_map_row(f"map {k + 1}", maps[:, k]) for k in range(count)]
    return Figure(
        name="figure-4",
        part="drawing",
        title=f"Figure 4. Feature maps of the {attribute}",
        caption=(
            f"What the first stage makes of each wished {attribute} alone; no face is involved. Each of the "
            f"{len(values)} values becomes {count} maps of {side} × {side} numbers, shown in the lower rows. "
            "The top row joins them into the one map in which the values differ most (their first principal "
            f"component, {share:.0f} % of the differences). Each row has a grey scale of its own. The paper "
            "shows a network that was trained with a single map."
        ),
        alt=(
            f"A grid of small grey maps, a column for each {attribute} ({', '.join(values)}): one principal "
            f"map on top, {count} maps below."
        ),
        picture=Sheet(rows, ("", *(value_word(value, attribute) for value in values)), side=_SIDE),
    )


def principal_maps(maps: Floats) -> tuple[Floats, float]:
    """Join M maps into the one in which the values differ most.

    ``maps`` is (V, M, H, H); the result (V, H, H) is their first principal component over the maps, after
    taking away each place's mean over the values, and its share of all variance in percent.  Its sign is
    such that its strongest responses are positive.
    """
    apart = np.moveaxis(maps - maps.mean(0), 1, -1)  # (V, H, H, M)
    flat = apart.reshape(-1, apart.shape[-1])
    _, strength, directions = np.linalg.svd(flat, full_matrices=False)
    joined = apart @ directions[0]
    if -joined.min() > joined.max():
        joined = -joined
    total = float(np.square(strength).sum())
    return joined.astype(np.float32), 100 * float(strength[0] ** 2) / total if total else 100.0


def _map_row(name: str, maps: Floats) -> list[Cell | Word | None]:
    """Maps (V, H, H) as grey pictures, the lowest number of all black and the highest white."""
    low, high = float(maps.min()), float(maps.max())
    grey = np.round((maps - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return [Word(name, "faint"), *map(Cell, grey)]


def stages_figure(experiment: Experiment, *, seed: int = 0) -> Figure | None:
    """Draw source, both stages and the true picture of twelve pairs of people the network has not seen.

    The pairs are drawn at random, each of another person if there are as many; None without pairs.  It is
    figure 5 for poses, 9 for accessories and 10 for a bar over the eyes.
    """
    gallery, studio, attribute = experiment.gallery, experiment.studio, experiment.attribute
    words = gallery.attribute(attribute)
    completion = attribute == "accessory" and BAR in gallery.values(attribute)
    if completion:
        number, title = 10, "Filling in what a black bar hides"
    elif attribute == "accessory":
        number, title = 9, "Putting accessories on and taking them off"
    else:
        number, title = 5, f"Drawing another {attribute}"
    pairs = ordered_pairs(gallery, attribute)
    wishes = ("none",) if completion else studio.values(attribute)
    pairs = pairs[np.isin(words[pairs[:, 1]], np.array(wishes))]
    if not len(pairs):
        return None
    source, target = different_people(gallery, pairs, PAIRS, seed).T
    made = studio.draw(gallery.crops[source], words[target], attribute)
    sets: list[list[Cell | Word | None]] = []
    for a, b, *stages in zip(source.tolist(), target.tolist(), made.stage1, made.stage2, strict=True):
        # With bars every wish is the same.
        (who, was, _), (_, wished, _) = (face_words(gallery, face, attribute) for face in (a, b))
        wish = () if completion else (Word(wished, "faint"),)
        asked = Cell(gallery.crops[a], (Word(who), Word("" if completion else was, "faint")))
        sets.append([asked, *map(Cell, stages), Cell(gallery.crops[b], wish)])
    apart = [stage.astype(np.float64) - gallery.crops[target] for stage in (made.stage1, made.stage2)]
    kind, size = ("absolute", np.abs) if completion else ("squared", np.square)
    errors = [float(size(difference).mean()) for difference in apart]
    half = -(-len(sets) // 2)  # the first half stands on the left, the other beside it
    rows = [list(chain(*sets[place::half])) for place in range(half)]
    return Figure(
        name=f"figure-{number}",
        part="drawing",
        title=f"Figure {number}. {title}",
        caption=(
            f"{len(sets)} {'pair' if len(sets) == 1 else 'pairs'} of test people, drawn at random "
            f"(seed {seed}). Each set shows the source, what the first stage draws, what the second makes of "
            f"it, and the true picture. Mean {kind} error per pixel of these {len(sets)}: "
            f"stage 1 {errors[0]:.1f}, stage 2 {errors[1]:.1f}."
        ),
        alt=f"{len(sets)} sets of four faces: source, stage 1, stage 2 and the true target.",
        picture=Sheet(rows, COLUMNS * min(2, len(sets)), gaps=frozenset({len(COLUMNS)})),
    )


def different_people(faces: FaceSet, pairs: Ints, count: int, seed: int) -> Ints:
    """Choose up to ``count`` of (P, 2) pairs at random, a second one of a person only when all had one."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    seen: Counter[str] = Counter()
    turns = []
    for person in faces.persons[pairs[order, 0]].tolist():
        turns.append(seen[person])
        seen[person] += 1
    return pairs[order[np.argsort(turns, kind="stable")[:count]]]


@dataclass(frozen=True)
class Artist:
    """A rival that draws (N, S, S) uint8 faces as (N,) words wish; ``note`` says what it does otherwise."""

    name: str
    draw: Callable[[Pixels, Words], Pixels]
    note: str = ""


def cpi_artist(model: CPIModel) -> Artist:
    """Make CPI draw; its drawings are standardised by the grey levels it was trained with."""
    config = model.config

    def draw(crops: Pixels, words: Words) -> Pixels:
        turned = model.turn(crops, model.codes_of(words))
        levels = np.rint(turned.pictures.reshape(crops.shape) * config.std + config.mean)
        return np.asarray(np.clip(levels, 0, 255).astype(np.uint8))

    same = config.light == "same"
    return Artist("CPI", draw, "" if same else f"CPI draws every face in one light, {config.light}.")


def rival_drawings_figure(experiment: Experiment, artist: Artist, *, seed: int = 0) -> Figure:
    """Draw figure 8: four query faces, chosen at random, in every pose: ours, the rival's, the true ones."""
    gallery, studio, attribute = experiment.gallery, experiment.studio, experiment.attribute
    values = studio.values(attribute)
    sources = experiment.queries.faces[experiment.some_queries(PEOPLE, seed)]
    crops, words = _each_with_all(gallery, sources, values)
    ours = studio.draw(crops, words, attribute).stage2
    theirs = artist.draw(crops, words)
    rows: list[Row] = []
    for place, face in enumerate(sources.tolist()):
        part = slice(place * len(values), (place + 1) * len(values))
        alike = (gallery.persons == gallery.persons[face]) & (gallery.lights == gallery.lights[face])
        true = [gallery.crops[alike & (gallery.attribute(attribute) == value)][:1] for value in values]
        rows += [
            [None, Word("ours", "faint"), *map(Cell, ours[part])],
            [Cell(gallery.crops[face]), Word(artist.name, "faint"), *map(Cell, theirs[part])],
            [None, Word("true", "faint"), *(Cell(found[0]) if len(found) else None for found in true)],
            [],
        ]
    return Figure(
        name="figure-8",
        part="drawing",
        title=f"Figure 8. Our drawings beside those of {artist.name}",
        caption=(
            f"{len(sources)} test faces drawn at random (seed {seed}) in all {len(values)} values of the "
            f"{attribute}: our second stage, {artist.name}, and the true pictures in the same light, if "
            f"the set has them. {artist.note}".strip()
        ),
        alt=f"For each of {len(sources)} faces: our drawings, those of {artist.name}, and true faces.",
        picture=Sheet(
            rows[:-1], ("face", "", *(value_word(value, attribute) for value in values)), side=_SIDE
        ),
    )


def generated_sheet(faces: FaceSet, which: Ints, studio: Studio, attribute: Attribute) -> Image.Image:
    """Draw each of the faces ``which`` (indices): as it is, and with every value of the attribute."""
    values = studio.values(attribute)
    crops, words = _each_with_all(faces, which, values)
    drawn = iter(studio.draw(crops, words, attribute).stage2)
    rows = [
        [
            Cell(faces.crops[face], (Word(str(faces.persons[face])),)),
            *(Cell(next(drawn), (Word(value),)) for value in values),
        ]
        for face in which.tolist()
    ]
    return Sheet(rows).draw(LIGHT)


def _each_with_all(faces: FaceSet, which: Ints, values: Sequence[str]) -> tuple[Pixels, Words]:
    """Crops (A · V, S, S) uint8 of the faces ``which`` (A,), and words: each face with each value in turn."""
    return np.repeat(faces.crops[which], len(values), axis=0), np.tile(np.array(values), len(which))
