"""Which middle layer of stage 2 is best to search with: recall of each on rendered-mini.

    python benchmarks/middle_layers.py [--weights NAME|DIR] [--queries 500] [--json OUT.json]

The protocol is that of ``anotheryou benchmark``.  Weights trained with the contrastive term favour the layer
that it acts on.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from cli.console import print_table
from cli.guard import run_script
from evaluation.protocol import criteria, draw_queries
from evaluation.recall import KS, first_right, recall_at, right_answers
from facedata.labelled import FaceSet, read_labelled, rendered_mini_path
from generator.checkpoint import load_generator
from generator.model import Generator
from generator.networks import FEATURE_LAYERS
from index.search import nearest


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default="rotation-32", help="name or folder of weights")
    parser.add_argument("--queries", type=int, default=500, help="how many queries")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    generator = load_generator(options.weights)
    gallery = read_labelled(rendered_mini_path(), cropped=True, geometry=generator.geometry)
    figures = measure(generator, gallery, options.queries)
    rows = [[name, *(f"{values[k]:.1f}" for k in values)] for name, values in figures.items()]
    columns = ["layer", *(f"criterion {c} R@{k}" for c in (1, 2) for k in KS)]
    print_table(columns, rows, right=columns[1:])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(generator: Generator, gallery: FaceSet, count: int) -> dict[str, dict[str, float]]:
    """Recall in percent by layer, keyed "criterion/K"."""
    queries = draw_queries(gallery, "pose", gallery.values("pose"), count=count, seed=0)
    wishes = np.array([generator.vocabulary.code({"pose": str(word)}) for word in queries.targets], np.int64)
    own = generator.canonicalise(gallery.crops).codes
    figures: dict[str, dict[str, float]] = {}
    for layer in FEATURE_LAYERS:
        entries = generator.draw(gallery.crops, own, layer=layer).features
        asked = generator.draw(gallery.crops[queries.faces], wishes, layer=layer).features
        found = nearest(entries, asked, max(KS))
        figures[layer] = {}
        for kind in criteria(gallery, queries):
            right = right_answers(found, kind.query_key, kind.gallery_key)
            for k, recall in recall_at(first_right(right)[kind.asked]).items():
                figures[layer][f"{kind.number}/{k}"] = recall
    return figures


if __name__ == "__main__":
    sys.exit(run_script(main))
