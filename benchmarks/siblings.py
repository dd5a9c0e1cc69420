"""Whether siblings are kept apart: pairs of rendered people who share half of the shape of their heads.

    python benchmarks/siblings.py ict_facekit.npz [--pairs 20] [--workers 2]

Two heads are siblings if half the variance of their shapes is of their parents: each number that makes a
head is the sum of one that both share and one of its own, over the root of two.  Hair and skin are their own.
All are seen from -30 to +30 degrees under some lights, as photographs differ, and grouped as ``anotheryou
people`` does before anybody has said a word.  Beside it as many pairs of strangers, and DBSCAN on the plain
descriptors.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from people import plain

from cli.console import RichProgress, print_table
from cli.guard import run_script
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head, Person
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import YAWS, RotationRecipe, Shots
from faces.landmarks import landmarks_of
from faces.progress import underway
from faces.types import Ints, Pixels
from retrieval.grouping import FaceLooks, Grouper
from retrieval.loading import load_engine
from retrieval.people import face_looks

_STRAIGHT = 30  # degrees up to which heads are turned
_LIGHTS, _SEED = 3, 77


@dataclass(frozen=True)
class Siblings(RotationRecipe):
    """People 2 n and 2 n + 1 are siblings, who share ``related`` of the variance of their heads."""

    related: float = 0.5

    def people(self, head: Head, index: int) -> list[Person]:
        (own,), (parents,) = super().people(head, index), super().people(head, 10_000 + index // 2)
        shared, alone = np.sqrt(self.related), np.sqrt(1 - self.related)
        shape = shared * parents.coefficients + alone * own.coefficients
        return [replace(own, coefficients=shape.astype(np.float32))]


@cache
def _head(path: Path) -> Head:
    return Head(load_head_model(path))


def _rendered(index: int, path: Path, recipe: Siblings) -> Shots:
    return recipe.render(_head(path), index, large=True)


def looks_of(path: Path, recipe: Siblings, count: int, workers: int) -> tuple[FaceLooks, Ints]:
    """Render people and look at their faces; also gives who each is (N,)."""
    engine, progress = load_engine(), RichProgress()
    shown = [place for place, yaw in enumerate(YAWS) if abs(yaw) <= _STRAIGHT]
    crops: list[Pixels] = []
    chips, points, who = [], [], []
    with ProcessPoolExecutor(workers) as pool, underway(progress, "rendering", count, "people") as rendering:
        for index, shots in enumerate(pool.map(partial(_rendered, path=path, recipe=recipe), range(count))):
            assert shots.large is not None and shots.points is not None and engine.identity is not None
            for place in shown:
                for light in range(_LIGHTS):
                    marks = landmarks_of(shots.points[place, light].astype(np.float64))
                    if marks is not None:
                        crops.append(shots.crops[place, light])
                        chips.append(engine.identity.cut(shots.large[place, light], marks))
                        points.append(shots.points[place, light])
                        who.append(index)
            rendering.advance()
    vectors = engine.embed(np.stack(crops), engine.describe(chips), np.stack(points))
    sizes = np.full(len(who), 90.0)
    return face_looks(engine, vectors, np.arange(len(who)), sizes), np.array(who, np.int64)


def joined(labels: Ints, who: Ints) -> tuple[int, float]:
    """Count the pairs of whom some group holds two faces or more of both, and give the share of faces that
    are in the largest group of their person."""
    pairs, complete = 0, 0
    for first in range(0, int(who.max()) + 1, 2):
        groups = [labels[who == first + sibling] for sibling in (0, 1)]
        counts = [dict(zip(*np.unique(one, return_counts=True), strict=True)) for one in groups]
        both = set(counts[0]) & set(counts[1])
        pairs += any(min(counts[0][one], counts[1][one]) >= 2 for one in both)
        complete += sum(max(one.values()) for one in counts)
    return pairs, complete / len(who)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure whether siblings are kept apart.")
    parser.add_argument("head_model", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    wanted = parser.parse_args()
    rows = []
    for name, related in (("siblings", 0.5), ("strangers", 0.0)):
        recipe = Siblings(seed=_SEED, lights=_LIGHTS, variety=VARIETIES["full"], related=related)
        looks, who = looks_of(wanted.head_model, recipe, 2 * wanted.pairs, wanted.workers)
        for what, labels in (
            ("as it comes", Grouper(looks, load_engine().identity.digest).group()),  # type: ignore[union-attr]
            ("DBSCAN", plain(looks, 0.94)),
            ("DBSCAN, stricter", plain(looks, 0.96)),
        ):
            pairs, complete = joined(labels, who)
            rows.append((f"{name}: {what}", f"{pairs} of {wanted.pairs}", f"{complete:.3f}"))
    print_table(
        ("pairs", "taken for one person", "completeness"),
        rows,
        right=("taken for one person", "completeness"),
    )


if __name__ == "__main__":
    sys.exit(run_script(main))
