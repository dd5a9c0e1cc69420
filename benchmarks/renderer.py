"""How fast sets of faces are rendered, and how much memory that takes.

    python benchmarks/renderer.py --head-model ict_facekit.npz [--people 4] [--workers 2] [--json OUT.json]

Renders a few people of 32 pixels as the paper's protocol has them and with full variety, 140 pictures each,
into a temporary folder.  Reading the head model counts as well, so more people give a higher rate.  Memory is
the sum of the peaks of all processes (pages they share count in each).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.console import RichProgress, print_table
from cli.guard import run_script
from facedata.rendered.photograph import VARIETIES
from facedata.rendered.recipes import RotationRecipe
from facedata.rendered.sets import render_set


@dataclass(frozen=True)
class Measured:
    """One run: ``seconds`` of wall time, ``memory_mb`` of all processes together."""

    variety: str
    workers: int
    pictures: int
    seconds: float
    pictures_per_second: float
    memory_mb: float


def measure(head_model: Path, variety: str, people: int, workers: int) -> Measured:
    """Render one small set; to be called in a fresh process, whose peak of memory it reports."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = RotationRecipe(variety=VARIETIES[variety])
        begun = time.perf_counter()
        count = render_set(
            Path(folder),
            recipe,
            head_model,
            people=people,
            train=100,
            workers=workers,
            progress=RichProgress(),
        )
        seconds = time.perf_counter() - begun
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    memory = own + (largest_worker * workers if workers > 1 else 0)
    return Measured(variety, workers, count, seconds, count / seconds, memory)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the renderer.")
    parser.add_argument("--head-model", type=Path, required=True, metavar="PATH")
    parser.add_argument("--people", type=int, default=4, metavar="N", help="people of each run (4)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="also write the numbers there")
    wanted = parser.parse_args()
    results: list[Measured] = []
    for variety in VARIETIES:
        # A fresh process each, so that one run's peak of memory is not reported for the next.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            job = (wanted.head_model, variety, wanted.people, max(1, wanted.workers))
            results.append(pool.submit(measure, *job).result())
    rows = [
        (
            one.variety,
            one.workers,
            f"{one.pictures:,}",
            f"{one.pictures_per_second:.0f}",
            f"{one.memory_mb:.0f}",
        )
        for one in results
    ]
    columns = ("variety", "processes", "pictures", "pictures/s", "memory (MB)")
    print_table(columns, rows, right=columns[1:])
    if wanted.json:
        wanted.json.write_text(
            json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    sys.exit(run_script(main))
