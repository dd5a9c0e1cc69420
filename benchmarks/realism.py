"""How far rendered faces are from photographs, the CMU Face Images.

    python benchmarks/realism.py PHOTOS/cmu_faces SET [SET...] --sheet sheet.png

SET is a labelled set of ready crops.  Prints how well a linear classifier tells the faces of each from the
photographs: by their pixels, by those of the middle of the face (no background, little hair), and by the
features with which weights search.  ``--sheet`` shows photographs beside faces of the last set; it is not for
passing on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from evaluation.cmu_faces import find_faces
from evaluation.realism import middle, side_by_side, told_apart
from evaluation.studio import Studio
from facedata.labelled import FaceSet, read_labelled
from faces.detect import open_detector
from faces.errors import DataError
from faces.types import Floats
from retrieval.loading import load_encoding

PEOPLE = 5  # at least, for as many folds
KINDS = ("pixels", "middle of the face", "searched features")


def measure(wanted: argparse.Namespace) -> None:
    """Find the faces, compare each set with them, print a table and draw the sheet."""
    progress, encoding = RichProgress(), load_encoding(wanted.weights)
    geometry, rng = encoding.generator.geometry, np.random.default_rng(0)

    def described(faces: FaceSet) -> list[Floats]:
        features = Studio(encoding.generator, progress=progress).canonical(faces).features
        shown = (faces.crops, middle(faces.crops))
        flat: list[Floats] = [(one.reshape(len(one), -1) / 255).astype(np.float32) for one in shown]
        return [*flat, encoding.projection(features)]

    real = find_faces(wanted.photos, open_detector(), geometry, progress).faces
    rows, photographs = [], described(real)
    for path in wanted.sets:
        whole = read_labelled(path, cropped=True, geometry=geometry, progress=progress)
        if len(np.unique(whole.persons)) < PEOPLE:
            raise DataError(f"{path} shows fewer than {PEOPLE} people; render more.")
        faces = whole.select(rng.permutation(len(whole))[: len(real)])
        for kind, one, other in zip(KINDS, photographs, described(faces), strict=True):
            found = told_apart(one, other, real.persons, faces.persons)
            rows.append((path.name, kind, f"{found.accuracy:.1f} %", f"{found.area:.3f}"))
    print_table(("set", "told apart by", "accuracy", "AUC"), rows, right=("accuracy", "AUC"))
    if wanted.sheet:
        count = min(wanted.faces, len(real), len(faces))
        shown = real.crops[rng.permutation(len(real))[:count]]
        side_by_side(shown, faces.crops[:count]).save(wanted.sheet)
        say(f"{wanted.sheet} shows {count} photographs at the left and as many rendered faces at the right")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Tell rendered faces from photographs.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="labelled sets of ready crops")
    parser.add_argument(
        "--weights", default="rotation-32", metavar="NAME|DIR", help="whose features are told"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="show them side by side")
    parser.add_argument("--faces", type=int, default=40, metavar="N", help="of each kind on the sheet")
    measure(parser.parse_args())


if __name__ == "__main__":
    sys.exit(run_script(main))
