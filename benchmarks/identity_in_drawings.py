"""Whether drawings of real people still show who they are.

    python benchmarks/identity_in_drawings.py PHOTOS/cmu_faces [--weights NAME|DIR]

Every straight photograph without sunglasses of the CMU Face Images is drawn turned, and dlib's descriptor of
the drawing, enlarged, is compared with those of all photographs but the drawn one, at their own resolution.
Right is a drawing whose nearest photograph shows the same person.  Above the drawings stands what can be
reached: the photograph itself, and the crop that the network sees.  Intervals are of people, as in
``evaluation.recall``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table
from cli.guard import run_script
from evaluation.cmu_faces import find_faces
from evaluation.recall import mean_interval
from facedata.labelled import FaceSet, Words
from faces.chips import NOSE_DEPTH
from faces.crop import CropGeometry, crop_transform
from faces.detect import open_detector
from faces.landmarks import landmarks_of
from faces.types import Bools, Floats, Ints, Landmarks
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.identity import DlibIdentity
from retrieval.loading import load_encoding

YAWS = (-45, -30, -15, 0, 15, 30, 45)
ASKED = (-30, 30)
"""The yaws that the last row takes together."""


def turned_landmarks(straight: Landmarks, geometry: CropGeometry, yaw: float) -> Landmarks:
    """Tell where eyes and nose base of a straight face lie in the crop of its drawing with that yaw.

    A crop has the middle of the eyes and the height of the nose base in fixed places; the eyes come closer by
    the cosine of the yaw, and the nose base moves aside by its sine (``faces.chips.yaw_of``).
    """
    matrix = crop_transform(straight, geometry)  # from crop to picture
    eyes = np.subtract(straight.right_eye, straight.left_eye)
    distance = float(np.hypot(*eyes) / np.hypot(*matrix[:, 0]))  # in pixels of the crop
    half, aside = np.array([np.cos(np.radians(yaw)) / 2, np.sin(np.radians(yaw)) * NOSE_DEPTH]) * distance
    middle, eyes_y = geometry.size / 2, geometry.eye_y * geometry.size
    nose_y = eyes_y + geometry.nose_distance * geometry.size
    return Landmarks((middle - half, eyes_y), (middle + half, eyes_y), (middle + aside, nose_y))


def nearest_is_right(asked: Floats, own: Ints, gallery: Floats, persons: Words) -> Bools:
    """Tell (Q,) whether the photograph nearest to each descriptor (Q, I) shows the same person.

    ``own`` (Q,) are the photographs that were drawn: their persons are asked for, they are no answers.
    ``gallery`` (N, I) are the descriptors of all photographs.
    """
    similarity = asked @ gallery.T
    similarity[np.arange(len(own)), own] = -np.inf
    return np.asarray(persons[similarity.argmax(axis=1)] == persons[own])


def drawn_rows(
    engine: Engine, identity: DlibIdentity, faces: FaceSet, gallery: Floats, own: Ints
) -> list[tuple[str, Bools]]:
    """Draw the faces ``own`` (Q,) with every yaw that the weights know.

    Returns for each row what is shown and which (Q,) are right, of the last row the mean of two.
    """
    crops, points = faces.crops[own], faces.pictures.required_large().points[own]
    straight = [known for one in points.astype(np.float64) if (known := landmarks_of(one)) is not None]
    vectors = engine.embed(crops, gallery[own], points)

    def right(pictures: list[np.ndarray], yaw: float) -> Bools:
        places = [turned_landmarks(landmarks, engine.geometry, yaw) for landmarks in straight]
        chips = [identity.cut(picture, place) for picture, place in zip(pictures, places, strict=True)]
        return nearest_is_right(identity.describe(np.stack(chips)), own, gallery, faces.persons)

    rows = [
        ("the photograph itself", nearest_is_right(gallery[own], own, gallery, faces.persons)),
        (f"its crop of {engine.geometry.size} pixels", right(list(crops), 0)),
    ]
    numbers = engine.attributes["pose"].group.numbers or ()
    asked = []
    for yaw in (yaw for yaw in YAWS if min(numbers) <= yaw <= max(numbers)):
        wish = engine.wanted({"pose": str(yaw)})
        made = engine.queries(crops, vectors, [wish] * len(own))
        found = right([query.image for query in made if query.image is not None], yaw)
        rows.append((f"drawn at {yaw:+d}", found))
        if yaw in ASKED:
            asked.append(found)
    return [*rows, ("drawn at -30 and +30", np.stack(asked).mean(axis=0))]


def measure(folder: Path, weights: str) -> None:
    """Measure the weights and print the table."""
    progress, identity = RichProgress(), DlibIdentity()
    engine = Engine([load_encoding(weights)], identity, read_calibration())
    faces = find_faces(folder, open_detector(), engine.geometry, progress).faces
    gallery = IdentityFeatures(identity)(faces.pictures, progress)
    own = np.flatnonzero((faces.poses == "0") & (faces.accessories == "none"))
    table = []
    for name, right in drawn_rows(engine, identity, faces, gallery, own):
        low, high = mean_interval(right, faces.persons[own]) or (np.nan, np.nan)
        table.append((name, f"{100 * right.mean():.1f}", f"[{100 * low:.1f}, {100 * high:.1f}]"))
    print_table(("shown", "nearest is right (%)", "95 %"), table, right=("nearest is right (%)",))
    print(f"\n{len(own)} faces, each compared with {len(faces) - 1} photographs; weights {weights}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure who drawings of real people show.")
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of the .pgm files")
    parser.add_argument("--weights", default="rotation-32", metavar="NAME|DIR")
    wanted = parser.parse_args()
    measure(wanted.photos, wanted.weights)


if __name__ == "__main__":
    sys.exit(run_script(main))
