"""Real photographs: the CMU Face Images, asked of weights that saw only rendered people.

The data set (T. Mitchell, 1999; UCI Machine Learning Repository) holds 624 small grey photographs of 20
people who look straight, to the left, to the right or up, with and without sunglasses; the file names say
all of it.  "left" files have the nose towards the right side of the picture, so their yaw counts as
positive.  It is used for measuring only: its pictures are not part of the project.

The gallery is every face found.  A query is a straight face and a wish: to see a face without sunglasses
turned to either side, to see it in sunglasses, to see a face in sunglasses without them.  An answer is right
if it shows the same person as wished, whatever else it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.protocol import Experiment, Queries
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet, LabelRow, face_set, large_face
from facedata.large_pictures import LargePictures
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Ints

if TYPE_CHECKING:
    from faces.detect import Detector

POSE_OF = {"straight": "0", "left": "+45", "right": "-45", "up": "up"}  # in the words of our labels
SUNGLASSES = "glasses-3"  # in those of accessory weights
_EXPRESSIONS = {"neutral": "neutral", "happy": "smile", "sad": "", "angry": ""}
_EYES = {"open": "none", "sunglasses": SUNGLASSES}
# The file names do not tell who wears ordinary spectacles.  All 297 faces found without sunglasses were
# looked at: these seven people wear them on every such photograph, the other thirteen on none.  Nobody
# wears a hat, a scarf or a mask.
SPECTACLES_WEARERS = ("at33", "bpm", "ch4f", "choon", "phoebe", "saavik", "tammo")


@dataclass(frozen=True)
class Wish:
    """What is asked: straight faces that show the accessory ``start`` are wished to show each target."""

    name: str
    attribute: Attribute
    start: str
    targets: tuple[str, ...]


WISHES = (
    Wish("turned", "pose", "none", ("-45", "+45")),
    Wish("sunglasses", "accessory", "none", (SUNGLASSES,)),
    Wish("open", "accessory", SUNGLASSES, ("none",)),
)


@dataclass(frozen=True)
class FoundFaces:
    """The faces found on photographs, and the labels of all photographs."""

    faces: FaceSet
    photographs: list[LabelRow]


def parse_name(path: Path) -> LabelRow:
    """Read the labels from a file name ``<person>_<direction>_<emotion>_<eyes>.pgm``.

    Raises DataError for any other name.
    """
    parts = path.stem.split("_")
    if len(parts) != 4 or parts[1] not in POSE_OF or parts[2] not in _EXPRESSIONS or parts[3] not in _EYES:
        raise DataError(
            f"{path.name} is not named <person>_<direction>_<emotion>_<eyes> as the CMU faces are."
        )
    person, direction, emotion, eyes = parts
    return LabelRow(
        path.name,
        person,
        POSE_OF[direction],
        accessory=_EYES[eyes],
        split="test",
        tilt="up" if direction == "up" else "level",
        expression=_EXPRESSIONS[emotion],
    )


def find_faces(
    folder: Path, detector: Detector, geometry: CropGeometry, progress: Progress | None = None
) -> FoundFaces:
    """Detect and crop the largest face of each .pgm file; those without one are counted only.

    Raises DataError if the folder holds no such photographs, PhotoError if one cannot be read.
    """
    paths = sorted(folder.glob("*.pgm"))
    if not paths:
        raise DataError(f"{folder} holds no .pgm photographs; give the folder cmu_faces.")
    rows = [parse_name(path) for path in paths]
    crops, large, kept = [], [], []
    with underway(progress, "finding faces", len(paths), "photographs") as finding:
        for path, row in zip(paths, rows, strict=True):
            photo = read_photo(path)
            for face in detector.detect(photo)[:1]:
                crops.append(crop_face(photo.pixels, face.landmarks, geometry))
                large.append(large_face(photo.pixels, face.landmarks))
                kept.append(row)
            finding.advance()
    if not crops:
        raise DataError(f"no face was found on the {len(paths)} photographs of {folder}.")
    left_out = len(paths) - len(kept)
    faces = face_set("cmu-faces", np.stack(crops), kept, left_out, LargePictures.held(large))
    return FoundFaces(faces, rows)


def as_worn(faces: FaceSet) -> FaceSet:
    """Label the spectacles that people wear where they wear no sunglasses."""
    worn = np.isin(faces.persons, SPECTACLES_WEARERS) & (faces.accessories == "none")
    return replace(faces, accessories=np.where(worn, "spectacles", faces.accessories))


def queries_for(faces: FaceSet, wish: Wish) -> Queries:
    """Ask with every straight face that shows what the wish starts from, for each of its targets.

    Raises DataError if there is no such face.
    """
    asked = np.flatnonzero((faces.poses == POSE_OF["straight"]) & (faces.accessories == wish.start))
    if not len(asked):
        raise DataError(f"{faces.name} has no straight face with {wish.start} to ask for.")
    targets = np.repeat(np.array(wish.targets, dtype=np.str_), len(asked))
    return Queries(np.tile(asked, len(wish.targets)), {wish.attribute: targets}, seed=0)


def experiment_on(faces: FaceSet, wish: Wish, studio: Studio) -> Experiment:
    """Make the experiment of a wish, for ``evaluation.benchmark``."""
    gallery = replace(faces, name=f"{faces.name}-{wish.name}")
    return Experiment(gallery, queries_for(gallery, wish), studio)


def found_table(found: FoundFaces) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Count the photographs that showed a face, by direction and sunglasses: columns and rows."""
    kept = set(found.faces.files.tolist())
    rows: list[tuple[str, ...]] = []
    for direction in (*POSE_OF, "all"):
        words = []
        for eyes in (*_EYES, "all"):
            files = [
                row.file
                for row in found.photographs
                if POSE_OF.get(direction, row.pose) == row.pose
                and _EYES.get(eyes, row.accessory) == row.accessory
            ]
            words.append(f"{len(kept.intersection(files))} of {len(files)}")
        rows.append((direction, *words))
    return ("direction", *_EYES, "all"), rows


def one_of_each(faces: FaceSet) -> Ints:
    """Choose a straight face without sunglasses of each person, neutral if there is one: (P,) indices."""
    straight = np.flatnonzero((faces.poses == POSE_OF["straight"]) & (faces.accessories == "none"))
    other = ["_neutral_" not in file for file in faces.files[straight].tolist()]
    ordered = straight[np.argsort(other, kind="stable")]
    return np.asarray(ordered[np.unique(faces.persons[ordered], return_index=True)[1]], np.int64)
