"""How well a collection's estimates tell what faces show (see ``evaluation.estimates``).

    python benchmarks/estimates.py SET [SET...] [--weights NAME|DIR] [--classifier NAME|DIR|none]
    python benchmarks/estimates.py PHOTOS/cmu_faces

A SET is a labelled folder or .zip of ready crops; a folder of .pgm files is read as the CMU Face Images,
whose spectacles wearers are listed in ``evaluation.cmu_faces``.  Prints what the labels allow to measure, and
for each attribute what faces of each label are taken for.  A pose comes from the landmarks as well where the
set has them (``large.csv``), as in a collection; --no-landmarks measures the networks alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from cli.console import RichProgress, print_table
from cli.guard import run_script
from evaluation.cmu_faces import as_worn, find_faces
from evaluation.estimates import at_most, confusion, estimates_in, labelled_yaw, measured
from facedata.labelled import ATTRIBUTES, read_labelled
from faces.detect import open_detector
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.loading import DEFAULT_CLASSIFIER, DEFAULT_WEIGHTS, load_encoding, load_telling


def measure(path: Path, engine: Engine, *, landmarks: bool) -> None:
    """Measure one set and print the tables."""
    progress = RichProgress()
    is_cmu = any(path.glob("*.pgm"))
    if is_cmu:
        faces = as_worn(find_faces(path, open_detector(), engine.geometry, progress).faces)
        yaw = np.where(faces.poses == "0", 0.0, np.nan)  # turned heads are turned by 45 degrees or more
    else:
        faces = read_labelled(path, cropped=True, geometry=engine.geometry, progress=progress)
        yaw = labelled_yaw(faces)
    points = faces.large.points if landmarks and faces.large is not None else None
    estimates = estimates_in(engine, engine.embed(faces.crops, None, points))
    if is_cmu:
        estimates = at_most(estimates, 45)
    print(f"\n{faces.name}, {len(faces):,} faces\n")
    rows = [one.row for one in measured(estimates, faces, yaw)]
    print_table(("measure", "", "faces"), rows, right=("", "faces"))
    for attribute in ATTRIBUTES:
        if attribute in estimates.values and faces.values(attribute):
            columns, lines = confusion(estimates, faces, attribute)
            print()
            print_table(columns, lines, right=columns[1:])


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure a collection's estimates.")
    parser.add_argument("data", type=Path, nargs="+", metavar="SET")
    words = "weights of the collection, several if it has several"
    parser.add_argument("--weights", nargs="+", default=DEFAULT_WEIGHTS, metavar="NAME|DIR", help=words)
    words = "what tells what faces show; none: how close drawings come"
    parser.add_argument("--classifier", default=DEFAULT_CLASSIFIER, metavar="NAME|DIR|none", help=words)
    parser.add_argument("--no-landmarks", action="store_true", help="tell poses by the networks alone")
    wanted = parser.parse_args()
    encodings = [load_encoding(name) for name in wanted.weights]
    engine = Engine(encodings, None, read_calibration(), load_telling(wanted.classifier))
    for path in wanted.data:
        measure(path, engine, landmarks=not wanted.no_landmarks)


if __name__ == "__main__":
    sys.exit(run_script(main))
