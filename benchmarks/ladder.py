"""Measure searches among ten thousand to ten million faces: recall against time against bytes.

    python benchmarks/ladder.py SET [SET...] [--faces 10000,100000,1000000] [--work DIR] [--json FILE]

The faces are made up, with the structure of those in the labelled sets (ready crops with larger pictures):
people as different as the sets' people, pictures of a person as different as theirs, and what is estimated of
a face as it was estimated of one of theirs.  They are stored in a real collection, and asked for with the
engine's own queries: without a wish, turned, and in sunglasses.  What counts is the answer of a collection,
reading its catalogue included: the best 20, and as many as ``Finder`` ranks.  The last row is computed: ten
times the largest measured size, since the times and bytes of a store's parts add up.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from facedata.labelled import read_labelled
from faces.progress import underway
from faces.types import Box, Doubles, Floats, Ints, Landmarks
from index import Collection, CollectionWriter, FaceVector, NewCollection, NewFace, NewPhoto, Snapshot, Status
from index.faiss_store import open_store
from retrieval.engine import Engine, shortlist_size
from retrieval.loading import load_engine

PICTURES = 25  # of a person, on average
WISHES: tuple[dict[str, str], ...] = ({}, {"pose": "+30"}, {"pose": "-15"}, {"accessory": "glasses-3"})
_K = 20
_QUERIES = 200
_AT_ONCE = 1000  # faces of a made-up photograph, and made at a time
_OWN = (
    0.8  # of how a picture differs from its person comes from a picture of the sets, the rest is drawn anew
)


class MadeUpFaces:
    """Vectors of people who do not exist; the same seed makes the same ones.

    ``vectors`` (N, D) and ``persons`` (N,) are those of the sets.
    """

    def __init__(self, engine: Engine, vectors: Floats, persons: Ints, count: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        size = 0 if engine.identity is None else engine.identity.dimension
        self.identity = slice(0, size)
        self.estimates = slice(min(one.posterior.start for one in engine.attributes.values()), None)
        self.vectors = vectors.astype(np.float64)
        each = np.bincount(persons)
        means = np.stack([self.vectors[persons == person].mean(axis=0) for person in range(len(each))])
        self.apart = self.vectors - means[persons]
        within = self.apart.T @ self.apart / (len(vectors) - len(each))
        between = np.cov(means.T) - within / each.mean()
        people = max(1, count // PICTURES)
        drawn = self.rng.standard_normal((people, vectors.shape[1])) @ _root(between).T
        self.people: Floats = (means.mean(axis=0) + drawn).astype(np.float32)
        self.within = _root(within)
        sizes = self.rng.lognormal(0, 1.2, people)  # some people are on many pictures, most on few
        self.persons: Ints = self.rng.choice(people, count, p=sizes / sizes.sum())

    def of(self, persons: Ints) -> Floats:
        """Make pictures (n, D) of these people."""
        like = self.rng.integers(len(self.vectors), size=len(persons))
        anew = self.rng.standard_normal((len(persons), len(self.within))) @ self.within.T
        made = self.people[persons] + _OWN * self.apart[like] + (1 - _OWN**2) ** 0.5 * anew
        made[:, self.estimates] = self.vectors[like, self.estimates]
        made[:, self.identity] /= np.linalg.norm(made[:, self.identity], axis=1, keepdims=True)
        return np.asarray(made, np.float32)

    def queries(self, engine: Engine, count: int) -> Iterator[Floats]:
        """Make queries (D,), each for somebody who is there."""
        for number, person in enumerate(self.rng.choice(self.persons, count)):
            face, other = self.of(np.array([person, person]))
            wish = engine.wanted(WISHES[number % len(WISHES)])
            numbers = {one.attribute.encoding for one in wish} - {None}
            drawn = {number: other[engine.appearance[number]] for number in numbers if number is not None}
            yield engine.query(face, drawn, wish).vector


def measure(wanted: argparse.Namespace) -> None:
    """Measure every size and print the table."""
    engine, progress = load_engine(), RichProgress()
    vectors, persons = _known(wanted.sets, engine, progress)
    rows, found = [], []
    with tempfile.TemporaryDirectory(dir=wanted.work) as work:
        for count in wanted.faces:
            one = _size(Path(work) / f"{count}", engine, vectors, persons, count, progress)
            found.append(one)
            rows.append(_row(one))
    largest = found[-1]
    ten = {"faces": 10 * largest["faces"], "computed": True, "recall": largest["recall"]}
    ten |= {name: 10 * largest[name] for name in ("p50", "p99", "shortlist_p50", "exact_p50", "building")}
    ten |= {name: largest[name] for name in ("mapped", "held")}
    found.append(ten)
    rows.append(_row(ten))
    columns = (
        "faces",
        f"recall@{_K}",
        "p50 ms",
        "p99 ms",
        f"p50 for {shortlist_size(_K)}",
        "exact p50",
        "bytes mapped",
        "held",
        "building s",
        "opening ms",
    )
    print_table(columns, rows, right=columns)
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=2) + "\n")


def _size(
    folder: Path, engine: Engine, vectors: Floats, persons: Ints, count: int, progress: RichProgress
) -> dict[str, float]:
    """Make a collection of ``count`` faces and measure it."""
    faces = MadeUpFaces(engine, vectors, persons, count, seed=0)
    with CollectionWriter(folder, NewCollection(engine.layout, "none", 0)) as writer:
        with underway(progress, "Making faces up", count, "faces") as making:
            for start in range(0, count, _AT_ONCE):
                made = faces.of(faces.persons[start : start + _AT_ONCE])
                writer.store([_photo(start, made)])
                making.advance(len(made))
        begun = time.perf_counter()
        writer.refresh_vectors(progress=progress)
        building = time.perf_counter() - begun
    begun = time.perf_counter()
    store = open_store(folder)
    opening = time.perf_counter() - begun
    assert store is not None
    held = sum(8 * len(one) + (len(one.codes.packed()) if one.codes else 0) for one in store.segments)
    mapped = sum(file.stat().st_size for file in (folder / "vectors").iterdir())
    queries = list(faces.queries(engine, _QUERIES))
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        _answers(snapshot, queries[:4])
        ids, seconds = _answers(snapshot, queries)
        _, engines = _answers(snapshot, queries, k=shortlist_size(_K))
        right, exactly = _answers(snapshot, queries, exact=True)
    recall = np.mean(
        [len(np.intersect1d(one, other)) / len(other) for one, other in zip(ids, right, strict=True)]
    )
    return {
        "faces": count,
        "recall": float(recall),
        "p50": 1000 * float(np.median(seconds)),
        "p99": 1000 * float(np.percentile(seconds, 99)),
        "shortlist_p50": 1000 * float(np.median(engines)),
        "exact_p50": 1000 * float(np.median(exactly)),
        "mapped": mapped / count,
        "held": held / count,
        "building": building,
        "opening": 1000 * opening,
    }


def _answers(
    snapshot: Snapshot, queries: list[Floats], *, k: int = _K, exact: bool = False
) -> tuple[list[Ints], Doubles]:
    """The k first faces of each query, and the seconds that each took."""
    answers, seconds = [], []
    for query in queries:
        begun = time.perf_counter()
        ids = snapshot.best(query, k, exact=exact).ids
        seconds.append(time.perf_counter() - begun)
        answers.append(ids)
    return answers, np.array(seconds)


def _known(sets: list[Path], engine: Engine, progress: RichProgress) -> tuple[Floats, Ints]:
    """The vectors of the faces in labelled sets and the numbers of their people."""
    vectors, names = [], []
    for path in sets:
        faces = read_labelled(path, cropped=True, geometry=engine.geometry, progress=progress)
        points = faces.pictures.required_large().points
        describe = IdentityFeatures(engine.identity) if engine.identity else None
        vectors.append(
            engine.embed(faces.crops, describe(faces.pictures, progress) if describe else None, points)
        )
        names += [f"{path} {name}" for name in faces.persons.tolist()]
    return np.concatenate(vectors), np.unique(names, return_inverse=True)[1]


def _photo(number: int, vectors: Floats) -> NewPhoto:
    place = Box(0, 0, 32, 32), Landmarks((10, 10), (22, 10), (16, 20)), 1.0
    crop = np.zeros((32, 32), np.uint8)
    faces = tuple(NewFace(*place, FaceVector(crop, vector)) for vector in vectors)
    file = f"/made-up/{number:09}.png", 1, number, f"{number:064x}"
    return NewPhoto(*file, Status.OK, width=32, height=32, faces=faces)


def _root(covariance: Doubles) -> Doubles:
    """A root of a covariance (D, D), negative variances left out."""
    sizes, directions = np.linalg.eigh(covariance)
    return np.asarray(directions * np.sqrt(np.maximum(sizes, 0)))


def _row(one: dict[str, float]) -> tuple[str, ...]:
    """A row of the table."""
    return (
        f"{int(one['faces']):,}" + " (computed)" * ("computed" in one),
        f"{one['recall']:.4f}",
        *(f"{one[name]:.1f}" for name in ("p50", "p99", "shortlist_p50", "exact_p50")),
        *(f"{one[name]:,.0f}" for name in ("mapped", "held", "building")),
        f"{one['opening']:.0f}" if "opening" in one else "",
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure searches among many faces.")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--faces", default="10000,100000,1000000", help="sizes, separated by commas")
    parser.add_argument("--work", type=Path, help="a folder for the collections; 3 GB for a million faces")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON too")
    wanted = parser.parse_args()
    wanted.faces = [int(count) for count in wanted.faces.split(",")]
    measure(wanted)
    say("the faces are made up; docs/evaluation.md says how")


if __name__ == "__main__":
    sys.exit(run_script(main))
