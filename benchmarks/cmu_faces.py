"""How well the weights do on real photographs, the CMU Face Images (see ``evaluation.cmu_faces``).

    python benchmarks/cmu_faces.py PHOTOS_DIR --weights rotation-32 --out DIR

PHOTOS_DIR holds the .pgm files.  Writes ``cmu_faces.json``, ``generated.png`` (a face of each person, drawn
in all poses) and ``retrieval.png`` into DIR and prints the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from cli.console import RichProgress, print_table, say
from evaluation.cmu_faces import (
    RowResult,
    find_faces,
    found_table,
    one_of_each,
    recall_table,
    report,
    run_rows,
    side_queries,
)
from evaluation.sheets import generated_sheet, retrieval_sheet
from evaluation.studio import Studio
from facedata.labelled import FaceSet
from faces.detect import open_detector
from faces.errors import AnotherYouError
from generator.checkpoint import load_generator

HITS = 8  # on the retrieval sheet


def measure(photos: Path, weights: str, detector_model: Path | None, out: Path) -> None:
    """Find the faces, compute the rows, write and print everything."""
    progress = RichProgress()
    generator = load_generator(weights)
    detector = open_detector(detector_model)
    found = find_faces(photos, detector, generator.geometry, progress)
    studio = Studio(generator, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    results = list(run_rows(found.faces, studio))
    name = f"{generator.name}@{generator.weights_id}"
    text = json.dumps(report(found, results, name, detector.name), indent=2)
    (out / "cmu_faces.json").write_text(text + "\n", encoding="utf-8")
    generated_sheet(found.faces, one_of_each(found.faces), studio, "pose").save(out / "generated.png")
    _save_retrieval_sheet(found.faces, studio, results[0], out / "retrieval.png")
    for table in (found_table(found), recall_table(results)):
        print(f"\n{table.title}\n")
        print_table(table.columns, table.rows, right=table.columns[1:])
    say(f"the results are in {out}")


def _save_retrieval_sheet(faces: FaceSet, studio: Studio, result: RowResult, path: Path) -> None:
    """One query of each person, wished to either side in turn."""
    queries = side_queries(faces)
    shown = [
        int(np.flatnonzero((queries.faces == face) & (queries.targets == ("-45", "+45")[number % 2]))[0])
        for number, face in enumerate(one_of_each(faces).tolist())
    ]
    sources, wishes = queries.faces[shown], queries.targets[shown]
    drawn = studio.generator.draw(faces.crops[sources], studio.codes_of(wishes, "pose")).stage2
    page = retrieval_sheet(
        faces,
        sources,
        drawn,
        wishes.tolist(),
        result.rankings[shown, :HITS],
        result.right[shown, :HITS],
    )
    page.save(path)


def main() -> int:
    """Read the command line and measure; known errors are one line."""
    parser = argparse.ArgumentParser(description="Measure the weights on the CMU Face Images.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("--weights", default="rotation-32", metavar="NAME|DIR")
    parser.add_argument("--detector", type=Path, metavar="MODEL.onnx", help="YuNet instead of dlib")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    wanted = parser.parse_args()
    try:
        measure(wanted.photos, wanted.weights, wanted.detector, wanted.out)
    except AnotherYouError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
