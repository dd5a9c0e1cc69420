"""How often the product finds the right person as wished: every wish alone, and every two at once.

    python benchmarks/wishes.py SET [SET...] [--weights NAME|DIR] [--classifier NAME|DIR|none] [--queries 600]

A SET is a labelled folder or .zip of ready crops with larger pictures (``data render wishes --large``).
Unlike ``anotheryou benchmark --wishes``, which measures one network and its rivals, this asks the engine as
a collection has it, with all its networks and the classifier; of wishes that none of them draws, person and
estimate decide.  The gallery is the whole set; right is the right person with every wished value.  The last
columns tell what is wrong with first answers: the person, or what they show.
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table
from cli.guard import run_script
from evaluation.composed import composed
from evaluation.protocol import Queries, criteria, draw_wishes, in_words_of, shared_values
from evaluation.recall import KS
from facedata.labelled import ATTRIBUTES, Attribute, FaceSet, read_labelled
from faces.errors import DataError
from faces.progress import underway
from faces.types import Floats, Ints
from retrieval.calibration import read_calibration
from retrieval.detail import flow_for
from retrieval.engine import Engine, shortlist_size
from retrieval.identity import DlibIdentity
from retrieval.loading import DEFAULT_CLASSIFIER, DEFAULT_WEIGHTS, load_encoding, load_telling

_TOGETHER = 64  # queries drawn at a time


def answers(engine: Engine, faces: FaceSet, vectors: Floats, queries: Queries) -> tuple[Ints, Ints]:
    """Give the rank of the first right answer to each query, (Q,), as ``Criterion.ranks`` does, and whether
    its first answer shows the right person and, whoever it is, what was wished for, (Q, 2) 0 or 1."""
    (kind, *_), most = criteria(faces, queries), max(KS)
    flow = flow_for(encoding.generator for encoding in engine.encodings)
    wishes = [
        engine.wanted({name: str(words[place]) for name, words in queries.wishes.items()})
        for place in range(len(queries))
    ]
    found = []
    for start in range(0, len(queries), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        asked = queries.faces[part]
        made = engine.queries(faces.crops[asked], vectors[asked], wishes[part])
        for query in composed(engine, flow, made, faces.pictures.select(asked)):
            shortlist = np.argsort(-(vectors @ query.vector), kind="stable")[: shortlist_size(most)]
            worth = engine.score(query, vectors[shortlist]).probability
            found.append(shortlist[np.argsort(-worth, kind="stable")][:most])
    first = np.array([ranked[0] for ranked in found])
    met = [faces.attribute(name)[first] == words for name, words in queries.wishes.items()]
    person = faces.persons[first] == faces.persons[queries.faces]
    return kind.ranks(np.stack(found)), np.stack([person, np.all(met, axis=0)], axis=1).astype(np.int64)


def measure(path: Path, engine: Engine, count: int) -> None:
    """Measure one set and print its table."""
    progress = RichProgress()
    faces = read_labelled(path, cropped=True, geometry=engine.geometry, progress=progress)
    values: dict[Attribute, tuple[str, ...]] = {}
    for name in ATTRIBUTES:
        if name in engine.vocabulary:
            faces = in_words_of(faces, name, engine.vocabulary[name])
            shown = shared_values(faces, name, engine.vocabulary[name])
            values |= {name: shown} if len(shown) > 1 else {}
    if not values:
        raise DataError(f"the faces of {faces.name} differ in nothing that can be wished for.")
    descriptors = IdentityFeatures(DlibIdentity())(faces.pictures, progress)
    points = faces.pictures.required_large().points
    vectors = engine.embed(faces.crops, np.asarray(descriptors, np.float32), points)
    pairs = list(combinations(values, 2))
    asked = [*((name,) for name in values), *pairs]
    lines, two = list[tuple[str, Ints, Ints]](), list[tuple[Ints, Ints]]()
    with underway(progress, "asking", len(asked), "wishes") as asking:
        for names in asked:
            number = count if len(names) == 1 else max(1, count // len(pairs))
            queries = draw_wishes(faces, {name: values[name] for name in names}, count=number)
            ranks, first = answers(engine, faces, vectors, queries)
            lines.append((" and ".join(names), ranks, first))
            two += [(ranks, first)] if len(names) == 2 else []
            asking.advance()
    if two:
        ranks, first = (np.concatenate(part) for part in zip(*two, strict=True))
        lines.append(("two at once", ranks, first))
    print(f"\n{faces.name}, {len(faces):,} faces\n")
    rows = [
        (
            wish,
            f"{len(ranks):,}",
            *(f"{100 * np.mean((ranks > 0) & (ranks <= k)):.1f}" for k in KS),
            *(f"{share:.1f}" for share in 100 * first.mean(0)),
        )
        for wish, ranks, first in lines
    ]
    columns = ("wish", "queries", *(f"R@{k}" for k in KS), "first: the person", "first: as wished")
    print_table(columns, rows, right=columns[1:])


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the product's answers to every wish.")
    parser.add_argument("data", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--weights", nargs="+", default=DEFAULT_WEIGHTS, metavar="NAME|DIR")
    parser.add_argument("--classifier", default=DEFAULT_CLASSIFIER, metavar="NAME|DIR|none")
    parser.add_argument(
        "--queries", type=int, default=600, metavar="N", help="for each wish, and for all pairs"
    )
    wanted = parser.parse_args()
    encodings = [load_encoding(name) for name in wanted.weights]
    engine = Engine(encodings, DlibIdentity(), read_calibration(), load_telling(wanted.classifier))
    for path in wanted.data:
        measure(path, engine, wanted.queries)


if __name__ == "__main__":
    sys.exit(run_script(main))
