"""Whether drawings of real people still show who they are.

    python benchmarks/identity_in_drawings.py PHOTOS/cmu_faces [--weights NAME|DIR] [--flow NAME|DIR]

Every straight photograph without sunglasses of the CMU Face Images is drawn turned, and dlib's descriptor of
the drawing, enlarged, is compared with those of all photographs but the drawn one, at their own resolution;
so is that of the picture which the appearance flow makes of drawing and photograph.  Right is one whose
nearest photograph shows the same person.  Above the drawings stands what can be reached: the photograph
itself, and the crop that the network sees.  Intervals are of people, as in ``evaluation.recall``.  Lest a
face that was not turned seem right, the classifier that comes along tells the yaw of each, on average.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table
from cli.guard import run_script
from evaluation.cmu_faces import find_faces
from evaluation.recall import mean_interval
from facedata.labelled import FaceSet, Words
from faces.crop import CropGeometry, crop_face
from faces.detect import open_detector
from faces.errors import DataError
from faces.landmarks import landmarks_of
from faces.types import Bools, Floats, Ints, Pixels
from generator.appearance_flow import AppearanceFlow, load_flow
from retrieval.calibration import read_calibration
from retrieval.composing import drawn_landmarks
from retrieval.detail import DEFAULT_FLOW, LARGER, enlarged
from retrieval.engine import Engine
from retrieval.identity import DlibIdentity
from retrieval.loading import DEFAULT_CLASSIFIER, load_encoding, load_telling

YAWS = (-45, -30, -15, 0, 15, 30, 45)
ASKED = (-30, 30)
"""The yaws that the last row takes together."""


def nearest_is_right(asked: Floats, own: Ints, gallery: Floats, persons: Words) -> Bools:
    """Tell (Q,) whether the photograph nearest to each descriptor (Q, I) shows the same person.

    ``own`` (Q,) are the photographs that were drawn: their persons are asked for, they are no answers.
    ``gallery`` (N, I) are the descriptors of all photographs.
    """
    similarity = asked @ gallery.T
    similarity[np.arange(len(own)), own] = -np.inf
    return np.asarray(persons[similarity.argmax(axis=1)] == persons[own])


Row = tuple[str, Bools, Bools | None, float, float]
"""What is shown; which drawings (Q,) are right, and which with their detail; the yaw that both show."""


def drawn_rows(
    engine: Engine, identity: DlibIdentity, flow: AppearanceFlow, faces: FaceSet, gallery: Floats, own: Ints
) -> list[Row]:
    """Draw the faces ``own`` (Q,) with every yaw that the weights know; the last row has the mean of two."""
    larger = faces.pictures.required_large()
    crops, points = faces.crops[own], larger.points[own]
    straight = [known for one in points.astype(np.float64) if (known := landmarks_of(one)) is not None]
    vectors = engine.embed(crops, gallery[own], points)
    wide = enlarged(engine.geometry)
    grey = np.stack(
        [crop_face(larger.load(row), marks, wide) for row, marks in zip(own.tolist(), straight, strict=True)]
    )
    told = load_telling(DEFAULT_CLASSIFIER)
    if told is None:
        raise DataError("the classifier that comes along is missing; install the package again.")
    place = told.classifier.vocabulary.places["pose"]
    numbers = np.array(told.classifier.vocabulary.group("pose").numbers or ())

    def yaw_shown(pictures: Pixels) -> float:
        return float(np.mean(np.exp(told.classifier(pictures)[:, place]) @ numbers))

    def right(pictures: Pixels, geometry: CropGeometry, yaw: float) -> Bools:
        places = [drawn_landmarks(landmarks, geometry, (0, yaw)) for landmarks in straight]
        chips = [identity.cut(picture, place) for picture, place in zip(pictures, places, strict=True)]
        return nearest_is_right(identity.describe(np.stack(chips)), own, gallery, faces.persons)

    itself = nearest_is_right(gallery[own], own, gallery, faces.persons)
    shown = yaw_shown(crops)
    rows: list[Row] = [
        ("the photograph itself", itself, None, shown, np.nan),
        (f"its crop of {engine.geometry.size} pixels", right(crops, engine.geometry, 0), None, shown, np.nan),
    ]
    asked = []
    poses = engine.attributes["pose"].group.numbers
    for yaw in (yaw for yaw in YAWS if poses and min(poses) <= yaw <= max(poses)):
        wish = engine.wanted({"pose": str(yaw)})
        made = engine.queries(crops, vectors, [wish] * len(own))
        drawn = np.stack([query.image for query in made if query.image is not None])
        detailed = flow(np.repeat(grey[..., None], 3, axis=3), crops, drawn)[..., 0]
        small = np.stack([np.asarray(Image.fromarray(one).reduce(LARGER)) for one in detailed])
        found = right(drawn, engine.geometry, yaw), right(detailed, wide, yaw)
        rows.append((f"drawn at {yaw:+d}", *found, yaw_shown(drawn), yaw_shown(small)))
        if yaw in ASKED:
            asked.append(found)
    plain, with_detail = np.mean(asked, axis=0)
    return [*rows, ("drawn at -30 and +30", plain, with_detail, np.nan, np.nan)]


def measure(folder: Path, weights: str, named: str) -> None:
    """Measure the weights and print the table."""
    progress, identity = RichProgress(), DlibIdentity()
    engine = Engine([load_encoding(weights)], identity, read_calibration())
    faces = find_faces(folder, open_detector(), engine.geometry, progress).faces
    gallery = IdentityFeatures(identity)(faces.pictures, progress)
    own = np.flatnonzero((faces.poses == "0") & (faces.accessories == "none"))

    def percent(right: Bools | None) -> str:
        if right is None:
            return ""
        low, high = mean_interval(right, faces.persons[own]) or (np.nan, np.nan)
        return f"{100 * right.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"

    table = [
        (name, percent(drawn), percent(detailed), *("" if np.isnan(yaw) else f"{yaw:+.0f}" for yaw in yaws))
        for name, drawn, detailed, *yaws in drawn_rows(
            engine, identity, load_flow(named), faces, gallery, own
        )
    ]
    columns = ("shown", "nearest is right (%)", "with its detail (%)", "shows yaw", "with its detail")
    print_table(columns, table, right=columns[1:])
    print(f"\n{len(own)} faces, each compared with {len(faces) - 1} photographs; weights {weights}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure who drawings of real people show.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("--weights", default="rotation-32", metavar="NAME|DIR")
    parser.add_argument("--flow", default=DEFAULT_FLOW, metavar="NAME|DIR")
    wanted = parser.parse_args()
    measure(wanted.photos, wanted.weights, wanted.flow)


if __name__ == "__main__":
    sys.exit(run_script(main))
