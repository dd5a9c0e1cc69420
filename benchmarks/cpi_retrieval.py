"""How CPI is best searched with: recall of each way on people whom nobody trained on.

    python benchmarks/cpi_retrieval.py SET [--weights NAME|DIR] [--queries 2000] [--json OUT.json]

SET is a labelled folder or .zip of ready crops.  The protocol is that of ``anotheryou benchmark``; SET is
for choosing, so it must not be the set whose numbers are reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from baselines.cpi.model import CPIModel, load_cpi
from baselines.cpi.searcher import CPI
from cli.console import print_table, say
from cli.guard import run_script
from evaluation.protocol import criteria, draw_queries
from evaluation.recall import KS, first_right, recall_at, right_answers
from facedata.labelled import FaceSet, read_labelled


def ways(model: CPIModel) -> Iterator[CPI]:
    """Every way that is tried; its name says which."""
    for compare_in in ("own", "wished", "all"):
        for recovery in (0.0, 0.02, 0.05, 0.1):
            yield CPI(
                model=model,
                name=f"{compare_in}, picture, recovery {recovery:g}",
                compare_in=compare_in,
                recovery=recovery,
            )
        yield CPI(model=model, name=f"{compare_in}, hidden", compare_in=compare_in, describe="hidden")
    yield CPI(
        model=model, name="own, picture, recovery 0, stepwise", compare_in="own", recovery=0, stepwise=True
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", type=Path, help="labelled folder or .zip of ready crops")
    parser.add_argument("--weights", default="cpi-32", help="name or folder of CPI weights")
    parser.add_argument("--queries", type=int, default=2000, help="how many queries")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    model = load_cpi(options.weights)
    gallery = read_labelled(options.set, cropped=True, geometry=model.config.geometry)
    told = float((model.estimate_poses(gallery.crops) == model.codes_of(gallery.poses)).mean())
    say(f"pose told rightly: {100 * told:.1f} %")
    figures = {way.name: measure(way, gallery, options.queries) for way in ways(model)}
    rows = [[name, *(f"{value:.1f}" for value in values.values())] for name, values in figures.items()]
    columns = ["way", *(f"criterion {c} R@{k}" for c in (1, 2) for k in KS)]
    print_table(columns, rows, right=columns[1:])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(way: CPI, gallery: FaceSet, count: int) -> dict[str, float]:
    """Recall in percent, keyed "criterion/K"."""
    queries = draw_queries(gallery, "pose", gallery.values("pose"), count=count, seed=0)
    found = way.fit(gallery).rank(queries.batch(gallery), max(KS))
    return {
        f"{kind.number}/{k}": recall
        for kind in criteria(gallery, queries)
        for k, recall in recall_at(
            first_right(right_answers(found, kind.query_key, kind.gallery_key))[kind.asked]
        ).items()
    }


if __name__ == "__main__":
    sys.exit(run_script(main))
