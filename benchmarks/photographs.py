"""How often the right person comes first: the product itself, on the demo's album and on real photographs.

    python benchmarks/photographs.py demo/album
    python benchmarks/photographs.py PHOTOS/cmu_faces

Indexes the folder into a collection of its own, asks for every photograph that shows one person without a
wish, and says how often the right person comes first, how many pairs of one person are probable, and how many
of two are.  File names begin with the person, as in ``anna_pose+30_garden.jpg`` or
``an2i_left_happy_open.pgm``; in the album one straight photograph of each person is also asked for with the
head turned by +30 and by -30 degrees.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from cli.console import RichProgress, print_table
from cli.guard import run_script
from faces.progress import underway
from retrieval.answers import SHOWS
from retrieval.finder import Finder
from retrieval.indexing import index_folders

_ALL = 100_000  # more than any collection here holds


def person_of(path: str) -> str:
    """Tell the person that a file's name begins with; "" for a photograph of several."""
    name = Path(path).stem.split("_")[0]
    return "" if "-and-" in name else name


def plain_search(finder: Finder, photographs: list[Path]) -> None:
    """Ask for every photograph of one person, and print how often that went well."""
    first, right, wrong = [], [], []
    with underway(RichProgress(), "searching", len(photographs), "photographs") as searching:
        for path in photographs:
            hits = [hit for hit in finder.search(path, k=_ALL).hits if person_of(hit.path)]
            same = np.array([person_of(hit.path) == person_of(str(path)) for hit in hits])
            likely = np.array([hit.probability for hit in hits])
            first.append(same[0])
            right.append(likely[same])
            wrong.append(likely[~same])
            searching.advance()
    ours, others = np.concatenate(right), np.concatenate(wrong)
    strict = np.quantile(others, 0.99)
    rows = (
        ("right person first", f"{100 * np.mean(first):.1f} % of {len(first)}"),
        ("right pairs that are probable", f"{100 * np.mean(ours >= SHOWS):.1f} %"),
        ("wrong pairs that are probable", f"{100 * np.mean(others >= SHOWS):.2f} %"),
        ("right pairs kept at 1 % wrong ones", f"{100 * np.mean(ours > strict):.1f} %"),
    )
    print_table(("without a wish", ""), rows)


def turned(finder: Finder, photographs: list[Path]) -> None:
    """Ask for one straight photograph of each person, turned, and print what came first."""
    straight = sorted(path for path in photographs if "_pose0_" in path.name)
    asked = {person_of(str(path)): path for path in reversed(straight)}
    rows = []
    for wish in ("+30", "-30"):
        ranks, lined = {}, 0
        for person, path in asked.items():
            hits = finder.search(path, wish={"pose": wish}, k=10).hits
            right = [hit for hit in hits if person in Path(hit.path).stem.split("_")[0].split("-and-")]
            ranks[person] = right[0].rank if right else 0
            probable = [hit for hit in hits if hit.probability >= SHOWS]
            lined += bool(probable) and all(person in Path(hit.path).stem.split("_")[0] for hit in probable)
        good = list(ranks.values()).count(1)
        late = ", ".join(f"{person} {rank}" for person, rank in ranks.items() if rank != 1)
        rows.append((wish, f"{good} of {len(ranks)}", f"{lined} of {len(ranks)}", late))
    print_table(("wish", "right person first", "others all below the line", "first right at rank"), rows)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the product on photographs named after people.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder: Path = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place:
        summary = index_folders([folder], collection=Path(place) / "collection", progress=RichProgress())
        print(f"{summary.faces} faces in {summary.read} photographs, {summary.seconds:.0f} s")
        with Finder(Path(place) / "collection") as finder:
            with finder.collection.snapshot() as snapshot:
                known = {face for ids, _ in snapshot.blocks() for face in ids.tolist()}
                paths = sorted({face.path for face in snapshot.faces(sorted(known))})
            photographs = [Path(path) for path in paths if person_of(path)]
            plain_search(finder, photographs)
            if any("_pose0_" in path.name for path in photographs):
                turned(finder, photographs)


if __name__ == "__main__":
    sys.exit(run_script(main))
