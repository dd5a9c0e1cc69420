"""How fast sets of faces are rendered, and how much memory that takes.

    python benchmarks/renderer.py --head-model ict_facekit.npz [--people 4] [--workers 2]

Renders a few people of 32 pixels as the paper's protocol has them and with full variety, 140 pictures each,
into a temporary folder.  Reading the head model counts as well, so more people give a higher rate.  Memory is
the sum of the peaks of all processes (pages they share count in each); a process that had loaded more than
the renderer before, as that of speed.py, would pass its peak on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from cli.console import RichProgress, print_table
from cli.guard import run_script
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import RotationRecipe
from facedata.rendered.sets import render_set


def measure(head_model: Path, variety: str, people: int, workers: int) -> tuple[str, ...]:
    """Render one small set and give its line; for a fresh process, whose peak of memory it tells."""
    begun, told = time.perf_counter(), RichProgress()
    recipe = RotationRecipe(variety=VARIETIES[variety])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        count = render_set(out, recipe, head_model, people=people, train=100, workers=workers, progress=told)
    rate = count / (time.perf_counter() - begun)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    if workers > 1:
        memory += workers * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    return variety, str(workers), f"{count:,}", f"{rate:,.0f}", f"{memory:,.0f}"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the renderer.")
    parser.add_argument("--head-model", type=Path, required=True, metavar="PATH")
    parser.add_argument("--people", type=int, default=4, metavar="N", help="people of each run (4)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    wanted = parser.parse_args()
    rows = []
    for variety in VARIETIES:
        # A fresh process each, so that one run's peak of memory is not reported for the next.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            job = wanted.head_model, variety, wanted.people, max(1, wanted.workers)
            rows.append(pool.submit(measure, *job).result())
    columns = ("variety", "processes", "pictures", "pictures/s", "memory (MB)")
    print_table(columns, rows, right=columns[1:])


if __name__ == "__main__":
    sys.exit(run_script(main))
