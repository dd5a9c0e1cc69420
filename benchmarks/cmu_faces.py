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

from cli.benchmark import print_results
from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from evaluation.benchmark import StepProgress, run_experiment
from evaluation.cmu_faces import WISHES, experiment_on, find_faces, found_table, one_of_each
from evaluation.context import Context
from evaluation.figures.drawings import generated_sheet
from evaluation.methods import methods_for
from evaluation.report import write_report
from evaluation.results import Journal
from evaluation.studio import Studio
from facedata.labelled import Attribute
from faces.detect import open_detector
from generator.checkpoint import load_generator
from generator.model import Generator

ROWS = (
    *("ours-features", "ours-all-values", "ours-posterior", "ours-told", "ours-image", "appearance-256"),
    *("identity", "cpi"),
    *(
        f"two-step-{features}{told}"
        for told in ("", "-canonical", "-true-{attribute}")
        for features in ("image", "features", "dlib")
    ),
    "arithmetic-dlib",
)


def measure(wanted: argparse.Namespace) -> None:
    """Find the faces, ask every wish, write and print everything."""
    progress = RichProgress()
    generators: dict[Attribute, Generator] = {"pose": load_generator(wanted.weights)}
    if wanted.accessory_weights:
        generators["accessory"] = load_generator(wanted.accessory_weights)
    found = find_faces(wanted.photos, open_detector(), generators["pose"].geometry, progress)
    journal, steps = Journal(wanted.out), StepProgress(progress)
    # The gallery is the same for every wish of an attribute, and so is what is measured of it alone.
    parts = {attribute: {"tables", "classifier", "confusion"} for attribute in generators}
    for wish in (wish for wish in WISHES if wish.attribute in generators):
        attribute = wish.attribute
        studio = Studio(generators[attribute], progress=steps)
        context = Context(studio=studio, attribute=attribute, progress=steps)
        known = methods_for(attribute)
        rows = [name for row in ROWS if (name := row.format(attribute=attribute)) in known]
        experiment = experiment_on(found.faces, wish, studio)
        run_experiment(experiment, context, journal, steps, rows=rows, parts=parts[attribute])
        parts[attribute] = {"tables"}
    for attribute, generator in generators.items():
        page = generated_sheet(found.faces, one_of_each(found.faces), Studio(generator), attribute)
        page.save(wanted.out / f"generated-{attribute}.png")
    write_report(wanted.out)
    columns, lines = found_table(found)
    print("\nFaces found\n")
    print_table(columns, lines, right=columns[1:])
    print_results(journal.results)
    say(f"the results are in {wanted.out}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the weights on the CMU Face Images.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("--weights", default="rotation-32", metavar="NAME|DIR", help="for the wished sides")
    words = "for the wished sunglasses; empty to leave them out"
    parser.add_argument("--accessory-weights", default="accessories-32", metavar="NAME|DIR", help=words)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    measure(parser.parse_args())


if __name__ == "__main__":
    sys.exit(run_script(main))
