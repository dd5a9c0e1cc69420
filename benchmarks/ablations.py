"""What is best searched with: recall of each middle layer of stage 2.

    python benchmarks/ablations.py layers [SET] [--weights NAME|DIR] [--queries 500]

SET is a labelled folder or .zip of ready crops, rendered-mini if none is named.  The protocol is that of
``anotheryou benchmark``.  Weights trained with the contrastive term favour the layer that it acts on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from cli.console import print_table
from cli.guard import run_script
from evaluation.protocol import criteria, draw_queries
from evaluation.recall import KS, recall_at
from facedata.labelled import read_labelled, rendered_mini_path
from generator.architecture import FEATURE_LAYERS
from generator.checkpoint import load_generator
from index.search import nearest


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["layers"])
    parser.add_argument("set", type=Path, nargs="?", default=rendered_mini_path())
    parser.add_argument("--weights", default="rotation-32", help="name or folder of weights")
    parser.add_argument("--queries", type=int, default=500, help="how many queries")
    options = parser.parse_args()
    generator = load_generator(options.weights)
    gallery = read_labelled(options.set, cropped=True, geometry=generator.geometry)
    queries = draw_queries(gallery, "pose", gallery.values("pose"), count=options.queries, seed=0)
    vocabulary = generator.vocabulary
    own = vocabulary.vectors(generator.canonicalise(gallery.crops).values)
    asked_of = zip(queries.targets, queries.faces, strict=True)
    wishes = np.stack([vocabulary.vector({"pose": str(word)}, own[face]) for word, face in asked_of])
    rows = []
    for layer in FEATURE_LAYERS:
        entries = generator.draw(gallery.crops, own, layer=layer).features
        asked = generator.draw(gallery.crops[queries.faces], wishes, layer=layer).features
        rankings = nearest(entries, asked, max(KS))
        recall = [recall_at(kind.ranks(rankings)[kind.asked]) for kind in criteria(gallery, queries)]
        rows.append([layer, *(f"{by_k[k]:.1f}" for by_k in recall for k in KS)])
    columns = ["layer", *(f"criterion {c} R@{k}" for c in (1, 2) for k in KS)]
    print_table(columns, rows, right=columns[1:])


if __name__ == "__main__":
    sys.exit(run_script(main))
