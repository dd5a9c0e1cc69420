"""What is best searched with: recall of each middle layer of stage 2, or of each way to use CPI.

    python benchmarks/ablations.py layers [SET] [--weights NAME|DIR] [--queries 500] [--json OUT.json]
    python benchmarks/ablations.py cpi SET [--weights NAME|DIR] [--queries 2000] [--json OUT.json]

SET is a labelled folder or .zip of ready crops, rendered-mini if none is named.  The protocol is that of
``anotheryou benchmark``.  Weights trained with the contrastive term favour the layer that it acts on.  For
CPI, SET is for choosing: people whom nobody trained on, and not the set whose numbers are reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from baselines.cpi.model import CPIModel, load_cpi
from baselines.cpi.searcher import CPI
from cli.console import print_table, say
from cli.guard import run_script
from evaluation.protocol import Queries, criteria, draw_queries
from evaluation.recall import KS, recall_at
from facedata.labelled import FaceSet, read_labelled, rendered_mini_path
from faces.types import Ints
from generator.checkpoint import load_generator
from generator.model import Generator
from generator.networks import FEATURE_LAYERS
from index.search import nearest

Ways = Iterator[tuple[str, Ints]]
"""The name of each way to search, and its rankings (Q, K) int64 of the gallery."""


def layers(generator: Generator, gallery: FaceSet, queries: Queries) -> Ways:
    """Search with each middle layer of the second network."""
    wishes = np.array([generator.vocabulary.code({"pose": str(word)}) for word in queries.targets], np.int64)
    own = generator.canonicalise(gallery.crops).codes
    for layer in FEATURE_LAYERS:
        entries = generator.draw(gallery.crops, own, layer=layer).features
        asked = generator.draw(gallery.crops[queries.faces], wishes, layer=layer).features
        yield layer, nearest(entries, asked, max(KS))


def cpi(model: CPIModel, gallery: FaceSet, queries: Queries) -> Ways:
    """Search with CPI in every way that its searcher knows."""
    told = float((model.estimate_poses(gallery.crops) == model.codes_of(gallery.poses)).mean())
    say(f"pose told rightly: {100 * told:.1f} %")
    searchers = []
    for where in ("own", "wished", "all"):
        for recovery in (0.0, 0.02, 0.05, 0.1):
            name = f"{where}, picture, recovery {recovery:g}"
            searchers.append(CPI(model=model, name=name, compare_in=where, recovery=recovery))
        searchers.append(CPI(model=model, name=f"{where}, hidden", compare_in=where, describe="hidden"))
    name = "own, picture, recovery 0, stepwise"
    searchers.append(CPI(model=model, name=name, compare_in="own", recovery=0, stepwise=True))
    batch = queries.batch(gallery)
    for searcher in searchers:
        yield searcher.name, searcher.fit(gallery).rank(batch, max(KS))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("layers", "cpi"))
    parser.add_argument("set", type=Path, nargs="?", default=rendered_mini_path())
    parser.add_argument("--weights", help="name or folder of weights: otherwise rotation-32 or cpi-32")
    parser.add_argument("--queries", type=int, help="how many queries: otherwise 500, or 2000 for cpi")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    of_cpi = options.what == "cpi"
    model = (
        load_cpi(options.weights or "cpi-32") if of_cpi else load_generator(options.weights or "rotation-32")
    )
    geometry = model.config.geometry if isinstance(model, CPIModel) else model.geometry
    gallery = read_labelled(options.set, cropped=True, geometry=geometry)
    count = options.queries or (2000 if of_cpi else 500)
    queries = draw_queries(gallery, "pose", gallery.values("pose"), count=count, seed=0)
    ways = cpi(model, gallery, queries) if isinstance(model, CPIModel) else layers(model, gallery, queries)
    figures: dict[str, dict[str, float]] = {}
    for name, rankings in ways:
        figures[name] = {}
        for kind in criteria(gallery, queries):
            for k, recall in recall_at(kind.ranks(rankings)[kind.asked]).items():
                figures[name][f"{kind.number}/{k}"] = recall
    rows = [[name, *(f"{value:.1f}" for value in values.values())] for name, values in figures.items()]
    columns = ["way", *(f"criterion {c} R@{k}" for c in (1, 2) for k in KS)]
    print_table(columns, rows, right=columns[1:])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_script(main))
