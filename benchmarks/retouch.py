"""Whether light and expressions that are put into photographs of real people show, and still show who it is.

    python benchmarks/retouch.py PHOTOS/cmu_faces

Every straight photograph without sunglasses of the CMU Face Images is lit in each way and given each
expression, by the quotient of two drawings (``generator.quotient``).  The classifier that comes along tells
how much likelier the wished value is then than it was before (the mean, and how often it is the likeliest of
all), and dlib's descriptor whether the nearest of the other photographs still shows the same person.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from identity_in_drawings import nearest_is_right
from PIL import Image

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table
from cli.guard import run_script
from evaluation.cmu_faces import find_faces
from faces.crop import crop_face, landmarks_in_crop
from faces.detect import open_detector
from faces.errors import DataError
from faces.landmarks import landmarks_of
from retrieval.detail import IN_PLACE, LARGER, enlarged, retouch_for
from retrieval.identity import DlibIdentity
from retrieval.loading import load_engine


def measure(folder: Path) -> None:
    """Measure and print the table."""
    progress, identity, engine = RichProgress(), DlibIdentity(), load_engine()
    retouch, telling = retouch_for(engine.geometry), engine.telling
    if retouch is None or telling is None:
        raise DataError(
            "the weights or the classifier that come along are missing; install the package again."
        )
    faces = find_faces(folder, open_detector(), engine.geometry, progress).faces
    gallery = IdentityFeatures(identity)(faces.pictures, progress)
    own = np.flatnonzero((faces.poses == "0") & (faces.accessories == "none"))
    larger, wide = faces.pictures.required_large(), enlarged(engine.geometry)
    marks = [known for one in larger.points[own].astype(float) if (known := landmarks_of(one)) is not None]
    grey = [crop_face(larger.load(row), one, wide) for row, one in zip(own.tolist(), marks, strict=True)]
    pictures = np.repeat(np.stack(grey)[..., None], 3, axis=3)
    vectors = engine.embed(faces.crops[own], gallery[own], larger.points[own])
    inside = [landmarks_in_crop(one, wide) for one in marks]
    before = telling.classifier(faces.crops[own])
    rows = []
    for name in IN_PLACE:
        place = telling.classifier.vocabulary.places[name]
        for at, value in enumerate(engine.vocabulary[name]):
            wanted = engine.wanted({name: value})
            made = np.stack(
                [
                    retouch(picture[None], engine.estimates(vector), [wanted])[0]
                    for picture, vector in zip(pictures, vectors, strict=True)
                ]
            )
            small = np.stack([np.asarray(Image.fromarray(one).convert("L").reduce(LARGER)) for one in made])
            after = telling.classifier(small)
            chips = [identity.cut(one, known) for one, known in zip(made, inside, strict=True)]
            right = nearest_is_right(identity.describe(np.stack(chips)), own, gallery, faces.persons)
            shares = [100 * np.exp(told[:, place.start + at]).mean() for told in (before, after)]
            likeliest = 100 * np.mean(after[:, place].argmax(1) == at)
            rows.append(
                (
                    f"{name} {value}",
                    *(f"{one:.0f}" for one in (*shares, likeliest)),
                    f"{100 * right.mean():.1f}",
                )
            )
    columns = ("wished", "probability before (%)", "after (%)", "the likeliest (%)", "nearest is right (%)")
    print_table(columns, rows, right=columns[1:])
    print(f"\n{len(own)} faces")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure light and expressions put into real photographs.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    measure(parser.parse_args().photos)


if __name__ == "__main__":
    sys.exit(run_script(main))
