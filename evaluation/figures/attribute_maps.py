"""Figure 4: what the network makes of a wish before it has seen a face."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from evaluation.figures.figure import Figure
from evaluation.figures.sheet import Cell, Sheet, Word
from evaluation.figures.words import value_word
from evaluation.studio import Studio
from facedata.labelled import Attribute
from faces.types import Floats

_SIDE = 96


@runtime_checkable
class ShowsMaps(Protocol):
    """A generator that tells what its first stage makes of each code: (V, M, H, H) float32."""

    def attribute_maps(self) -> Floats: ...


def attribute_maps_figure(studio: Studio, attribute: Attribute) -> Figure | None:
    """Each value's maps in a column, their principal map on top.

    None for a generator without maps, or with one value, which differs from no other.
    """
    values = studio.values(attribute)
    if not isinstance(studio.generator, ShowsMaps) or len(values) < 2:
        return None
    codes = studio.codes_of(np.array(values, dtype=np.str_), attribute)
    maps = studio.generator.attribute_maps()[codes]
    principal, share = principal_maps(maps)
    count, side = maps.shape[1], maps.shape[2]
    rows: list[list[Cell | Word | None]] = [_row("principal", principal), []]
    rows += [_row(f"map {k + 1}", maps[:, k]) for k in range(count)]
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


def _row(name: str, maps: Floats) -> list[Cell | Word | None]:
    return [Word(name, "faint"), *(Cell(face) for face in _grey(maps))]


def _grey(maps: Floats) -> NDArray[np.uint8]:
    """Numbers as grey levels, the lowest of all black and the highest white."""
    low, high = float(maps.min()), float(maps.max())
    return np.round((maps - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
