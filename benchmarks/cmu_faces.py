"""How well the weights do on real photographs, the CMU Face Images (see ``evaluation.cmu_faces``).

    python benchmarks/cmu_faces.py PHOTOS_DIR --out DIR

PHOTOS_DIR holds the .pgm files.  Writes ``results.jsonl``, ``report.html``, ``report.md`` and, for each
attribute, ``generated-ATTRIBUTE.png`` (a face of each person, drawn with every value) into DIR and prints the
tables.  The row ``fused`` is not among them: its calibration was fitted on these people, and
``benchmarks/calibration.py cmu`` measures it on those of the other half.  The report shows no photographs but
those figures do: they are not for passing on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from evaluation.benchmark import run_experiment
from evaluation.cmu_faces import WISHES, Wish, experiment_on, find_faces, found_table, one_of_each
from evaluation.context import Context
from evaluation.figures.drawings import generated_sheet
from evaluation.methods import methods_for
from evaluation.report import write_report
from evaluation.results import Journal
from evaluation.steps import StepProgress
from evaluation.studio import Studio
from evaluation.tables import set_tables
from facedata.labelled import FaceSet
from faces.detect import open_detector
from generator.checkpoint import load_generator
from generator.model import Generator

ROWS = (
    "ours-features",
    "ours-all-values",
    "ours-image",
    "appearance-256",
    "identity",
    "cpi",
    "two-step-image",
    "two-step-features",
    "two-step-dlib",
    "two-step-image-canonical",
    "two-step-features-canonical",
    "two-step-dlib-canonical",
    "arithmetic-dlib",
    "two-step-image-true-{attribute}",
    "two-step-features-true-{attribute}",
    "two-step-dlib-true-{attribute}",
)


def measure(wanted: argparse.Namespace) -> None:
    """Find the faces, ask every wish, write and print everything."""
    progress = RichProgress()
    generators = {"pose": load_generator(wanted.weights)}
    if wanted.accessory_weights:
        generators["accessory"] = load_generator(wanted.accessory_weights)
    geometry = generators["pose"].geometry
    found = find_faces(wanted.photos, open_detector(wanted.detector), geometry, progress)
    journal = Journal(wanted.out)
    asked: set[str] = set()
    for wish in WISHES:
        if wish.attribute not in generators:
            continue
        # The gallery is the same for every wish of an attribute, and so is what is measured of it alone.
        parts = {"tables"} if wish.attribute in asked else {"tables", "classifier", "confusion"}
        asked.add(wish.attribute)
        rivals = wanted.rivals if wish.attribute == "pose" else wanted.accessory_rivals
        ask(found.faces, wish, generators[wish.attribute], rivals, journal, progress, parts)
    for attribute, generator in generators.items():
        which = one_of_each(found.faces)
        page = generated_sheet(
            found.faces, which, Studio(generator), "pose" if attribute == "pose" else "accessory"
        )
        page.save(wanted.out / f"generated-{attribute}.png")
    write_report(wanted.out)
    columns, rows = found_table(found)
    print("\nFaces found\n")
    print_table(columns, rows, right=columns[1:])
    results = journal.results
    for header in results.sets:
        for tables in set_tables(header, results.of(header.set)).values():
            for table in tables:
                print(f"\n{header.set}: {table.title}\n")
                columns, rows = table.plain()
                print_table(columns, rows, right=columns[1:])
    say(f"the results are in {wanted.out}")


def ask(
    faces: FaceSet,
    wish: Wish,
    generator: Generator,
    rivals: str | None,
    journal: Journal,
    progress: RichProgress,
    parts: set[str],
) -> None:
    """Measure the rows of one wish and these parts of the benchmark."""
    steps = StepProgress(progress)
    context = Context(
        studio=Studio(generator, progress=steps), attribute=wish.attribute, rivals=rivals, progress=steps
    )
    known = methods_for(wish.attribute)
    rows = [name for row in ROWS if (name := row.format(attribute=wish.attribute)) in known]
    experiment = experiment_on(faces, wish, context.studio)
    run_experiment(experiment, context, journal, steps, rows=rows, parts=parts)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the weights on the CMU Face Images.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("--weights", default="rotation-32", metavar="NAME|DIR", help="for the wished sides")
    parser.add_argument(
        "--accessory-weights",
        default="accessories-32",
        metavar="NAME|DIR",
        help="for the wished sunglasses; empty to leave them out",
    )
    parser.add_argument("--rivals", metavar="NAME|DIR", help="rivals fitted for the pose")
    parser.add_argument("--accessory-rivals", metavar="NAME|DIR", help="rivals fitted for accessories")
    parser.add_argument("--detector", type=Path, metavar="MODEL.onnx", help="YuNet instead of dlib")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    measure(parser.parse_args())


if __name__ == "__main__":
    sys.exit(run_script(main))
