"""Real photographs: the CMU Face Images, turned by weights that saw only rendered people.

The data set (T. Mitchell, 1999; UCI Machine Learning Repository) holds 624 small grey photographs of 20
people who look straight, to the left, to the right or up, with and without sunglasses; the file names say
all of it.  "left" files have the nose towards the right side of the picture, so their yaw counts as
positive.  It is used for measuring only: its pictures are not part of the project.

The gallery is every face found.  A query is a straight face without sunglasses and a wish to see it turned
to one side; an answer is right if it shows the same person turned to that side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baselines.features import ImageFeatures
from baselines.searcher import Searcher
from baselines.two_step import TwoStep, two_step_image_true
from evaluation.ours import OursFeatures, OursImage, canonical_label
from evaluation.protocol import Queries, criteria
from evaluation.recall import KS, first_right, recall_at, right_answers
from evaluation.studio import Studio
from evaluation.tables import Table
from facedata.crops import large_face
from facedata.labelled import FaceSet, LabelRow, face_set
from facedata.pictures import LargePictures
from faces.crop import CropGeometry, crop_face
from faces.errors import DataError
from faces.photo import read_photo
from faces.progress import NoProgress, Progress
from faces.types import Ints

if TYPE_CHECKING:
    from faces.detect import Detector

POSE_OF = {"straight": "0", "left": "+45", "right": "-45", "up": "up"}
"""The word a direction gets in our labels."""

WISHES = ("-45", "+45")
_EMOTIONS = ("neutral", "happy", "sad", "angry")
_EYES = {"open": "none", "sunglasses": "sunglasses"}


@dataclass(frozen=True)
class FoundFaces:
    """The faces found in a folder of photographs, and how many photographs there were.

    ``faces`` has the poses of ``POSE_OF`` and the accessories none and sunglasses; ``photographs`` and
    ``found`` count by (direction, open or sunglasses).
    """

    faces: FaceSet
    photographs: Counter[tuple[str, str]]
    found: Counter[tuple[str, str]]


@dataclass(frozen=True)
class RowResult:
    """One row: recall in percent by K over all ``queries``; ``by_wish`` the same for each wish alone.

    ``rankings`` (Q, 20) int64 gallery indices and ``right`` (Q, 20) bool are of all queries, also of those
    left out because their person was not found turned that way.
    """

    row: str
    recall: dict[int, float]
    by_wish: dict[str, dict[int, float]]
    queries: int
    gallery: int
    rankings: Ints
    right: NDArray[np.bool_]


def parse_name(path: Path) -> LabelRow:
    """The labels that a file name ``<person>_<direction>_<emotion>_<eyes>.pgm`` tells.

    Raises DataError for any other name.
    """
    parts = path.stem.split("_")
    if len(parts) != 4 or parts[1] not in POSE_OF or parts[2] not in _EMOTIONS or parts[3] not in _EYES:
        raise DataError(
            f"{path.name} is not named <person>_<direction>_<emotion>_<eyes> as the CMU faces are."
        )
    return LabelRow(path.name, parts[0], POSE_OF[parts[1]], accessory=_EYES[parts[3]], split="test")


def find_faces(
    folder: Path, detector: Detector, geometry: CropGeometry, progress: Progress | None = None
) -> FoundFaces:
    """Detect and crop the largest face of each .pgm file; those without one are counted only.

    Raises DataError where the folder holds no such photographs, PhotoError where one cannot be read.
    """
    progress = progress or NoProgress()
    paths = sorted(folder.glob("*.pgm"))
    if not paths:
        raise DataError(f"{folder} holds no .pgm photographs; give the folder cmu_faces.")
    rows = [parse_name(path) for path in paths]
    photographs, found = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    crops, large, kept = [], [], []
    progress.start("finding faces", len(paths), "photographs")
    try:
        for path, row in zip(paths, rows, strict=True):
            _, direction, _, eyes = path.stem.split("_")
            photographs[direction, eyes] += 1
            photo = read_photo(path)
            for face in detector.detect(photo)[:1]:
                crops.append(crop_face(photo.pixels, face.landmarks, geometry))
                large.append(large_face(photo.pixels, face.landmarks))
                kept.append(row)
                found[direction, eyes] += 1
            progress.advance()
    finally:
        progress.finish()
    if not crops:
        raise DataError(f"no face was found on the {len(paths)} photographs of {folder}.")
    left_out = len(paths) - len(kept)
    faces = face_set("cmu-faces", np.stack(crops), kept, left_out, LargePictures.held(large))
    return FoundFaces(faces, photographs, found)


def side_queries(faces: FaceSet) -> Queries:
    """Every straight face without sunglasses, wished to either side."""
    straight = np.flatnonzero((faces.poses == POSE_OF["straight"]) & (faces.accessories == "none"))
    if not len(straight):
        raise DataError(f"{faces.name} has no straight face without sunglasses to ask for.")
    targets = np.repeat(np.array(WISHES, dtype=np.str_), len(straight))
    return Queries("pose", np.tile(straight, len(WISHES)), targets, seed=0)


def searchers(studio: Studio) -> list[Searcher]:
    """Ours, and the two-step rows: told the true direction, and with canonicalisation as the classifier."""
    return [
        OursFeatures(studio=studio),
        OursImage(studio=studio),
        two_step_image_true("pose"),
        TwoStep(
            name="two-step-image-canonical-pose",
            label=canonical_label(studio, "pose"),
            features=ImageFeatures(),
        ),
    ]


def run_rows(faces: FaceSet, studio: Studio) -> Iterator[RowResult]:
    """Compute the rows one by one; queries whose person was not found turned that way are left out."""
    queries = side_queries(faces)
    batch = queries.batch(faces)
    right_person_and_side = criteria(faces, queries)[0]
    asked = right_person_and_side.asked
    for searcher in searchers(studio):
        rankings = searcher.fit(faces).rank(batch, max(KS))
        right = right_answers(rankings, right_person_and_side.query_key, right_person_and_side.gallery_key)
        first = first_right(right)
        yield RowResult(
            row=searcher.name,
            recall=recall_at(first[asked]),
            by_wish={wish: recall_at(first[asked & (queries.targets == wish)]) for wish in WISHES},
            queries=int(asked.sum()),
            gallery=len(faces),
            rankings=rankings,
            right=right,
        )


def found_table(found: FoundFaces) -> Table:
    """How many of the photographs showed a face, by direction, without and with sunglasses."""
    rows = []
    for direction in (*POSE_OF, "all"):
        words = []
        for eyes in (*_EYES, "all"):
            kinds = [
                kind
                for kind in found.photographs
                if direction in (kind[0], "all") and eyes in (kind[1], "all")
            ]
            total = sum(found.photographs[kind] for kind in kinds)
            words.append(f"{sum(found.found[kind] for kind in kinds)} of {total}")
        rows.append((direction, *words))
    return Table("Faces found", ("direction", *_EYES, "all"), rows)


def recall_table(results: list[RowResult]) -> Table:
    """Recall over both wishes, then recall@1 to 20 of each wish."""
    columns = ["row", *(f"R@{k}" for k in KS), *(f"R@{k} {wish}" for wish in WISHES for k in KS)]
    rows = [
        (
            result.row,
            *(f"{result.recall[k]:.1f}" for k in KS),
            *(f"{result.by_wish[wish][k]:.1f}" for wish in WISHES for k in KS),
        )
        for result in results
    ]
    asked = f"{results[0].queries:,} queries, gallery {results[0].gallery:,}" if results else "no rows"
    return Table(f"Right person, turned the right way ({asked})", tuple(columns), rows)


def report(found: FoundFaces, results: list[RowResult], weights: str, detector: str) -> dict[str, Any]:
    """Everything measured, for JSON."""
    return {
        "dataset": "cmu-faces",
        "weights": weights,
        "detector": detector,
        "photographs": {"_".join(kind): count for kind, count in sorted(found.photographs.items())},
        "found": {"_".join(kind): found.found[kind] for kind in sorted(found.photographs)},
        "rows": [
            {
                "row": result.row,
                "recall": _json_recall(result.recall),
                "by_wish": {wish: _json_recall(recall) for wish, recall in result.by_wish.items()},
                "queries": result.queries,
                "gallery": result.gallery,
            }
            for result in results
        ],
    }


def one_of_each(faces: FaceSet) -> Ints:
    """(P,) indices of a straight face without sunglasses of each person, a neutral one where there is one."""
    straight = np.flatnonzero((faces.poses == POSE_OF["straight"]) & (faces.accessories == "none"))
    neutral_first = sorted(straight.tolist(), key=lambda face: "_neutral_" not in str(faces.files[face]))
    chosen: dict[str, int] = {}
    for face in neutral_first:
        chosen.setdefault(str(faces.persons[face]), face)
    return np.array([chosen[person] for person in sorted(chosen)], np.int64)


def _json_recall(recall: dict[int, float]) -> dict[str, float | None]:
    return {str(k): None if np.isnan(value) else round(value, 2) for k, value in recall.items()}
