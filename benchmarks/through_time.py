"""Draw the same forty faces with one set of weights after the other, on one sheet.

    python benchmarks/through_time.py FOLDER --weights rotation-32+accessories-32 wishes-32 --out sheet.png

FOLDER holds photographs: the .pgm files of the CMU Face Images (of each person a straight face without
sunglasses and one with them), or any others, such as ``demo/album`` (forty of them, evenly spread, the
largest face of each).  Each face has one wish, that of its column; each line of weights draws all faces,
"+" joins networks that are used together, and a wish that they do not know stays empty.  The photographs
themselves are only shown with --sources: those of the CMU Face Images are not for passing on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cli.console import RichProgress, say
from cli.guard import run_script
from evaluation.cmu_faces import SUNGLASSES, find_faces, one_of_each
from evaluation.figures.figure import value_word
from evaluation.figures.sheet import LIGHT, Cell, Row, Sheet, Word
from evaluation.tables import DASH
from faces.chips import five_points
from faces.crop import CropGeometry, crop_face
from faces.detect import Detector, open_detector
from faces.errors import DataError, PhotoError, WishError
from faces.photo import read_photo
from faces.progress import Progress, underway
from faces.types import Doubles, Pixels
from generator.attributes import everyday
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.loading import load_encoding

FACES = 40
WISHES = (
    ("pose", "-30"), ("pose", "+30"), ("pose", "+45"), ("tilt", "up"), ("accessory", "none"),
    ("accessory", "glasses-3"), ("accessory", "hat-1"), ("accessory", "hat-3"), ("light", "left"),
    ("expression", "smile"),
)  # fmt: skip
"""One for each column; faces take them in turn."""
_SIDE = 128


def chosen_faces(
    folder: Path, detector: Detector, geometry: CropGeometry, progress: Progress
) -> tuple[Pixels, Doubles]:
    """Find up to forty faces of a folder: crops (N, S, S) and their five points (N, 5, 2) in the photograph.

    Raises DataError if there is none.
    """
    if any(folder.glob("*.pgm")):
        found = find_faces(folder, detector, geometry, progress).faces
        bare = one_of_each(found)
        dark = np.flatnonzero((found.poses == "0") & (found.accessories == SUNGLASSES))
        dark = dark[np.unique(found.persons[dark], return_index=True)[1]]
        which = np.concatenate([bare, dark])[:FACES]
        return found.crops[which], found.pictures.required_large().points[which].astype(np.float64)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    paths = [paths[place] for place in np.linspace(0, len(paths) - 1, min(FACES, len(paths))).astype(int)]
    crops, points = [], []
    with underway(progress, "finding faces", len(paths), "photographs") as finding:
        for path in paths:
            with suppress(PhotoError):  # the album has a damaged one
                photo = read_photo(path)
                for face in detector.detect(photo)[:1]:
                    crops.append(crop_face(photo.pixels, face.landmarks, geometry))
                    points.append(five_points(face.landmarks))
            finding.advance()
    if not crops:
        raise DataError(f"{folder} shows no face; name a folder of .jpg, .png or the CMU faces' .pgm files.")
    return np.stack(crops), np.stack(points)


def drawn_row(engine: Engine, name: str, crops: Pixels, points: Doubles) -> Row:
    """Draw each of the faces as the wish of its column says; a word where the weights do not know it."""
    vectors = engine.embed(crops, None, points)
    cells: list[Cell | Word] = [Word(name)]
    for crop, vector, (attribute, value) in zip(crops, vectors, WISHES, strict=False):
        try:
            cells.append(Cell(engine.drawing(crop, vector, engine.wanted({attribute: value}))))
        except WishError:
            cells.append(Word(DASH, "faint"))
    return cells


def sheet(engines: Sequence[tuple[str, Engine]], folder: Path, *, sources: bool, progress: Progress) -> Sheet:
    """Draw all faces with all weights, in blocks of one face for each wish; raises DataError."""
    found = {
        size: chosen_faces(folder, open_detector(), geometry, progress)
        for size, geometry in {engine.geometry.size: engine.geometry for _, engine in engines}.items()
    }
    count = min(len(crops) for crops, _ in found.values())
    rows: list[Row] = []
    for start in range(0, count, len(WISHES)):
        block = slice(start, min(start + len(WISHES), count))
        if sources:
            rows.append([Word("photograph"), *map(Cell, found[max(found)][0][block])])
        for name, engine in engines:
            crops, points = found[engine.geometry.size]
            rows.append(drawn_row(engine, name, crops[block], points[block]))
        rows.append([])
    words = (f"{value_word(everyday(value), name)}" for name, value in WISHES)
    return Sheet(rows[:-1], ("", *words), side=_SIDE)


def main() -> None:
    """Read the command line, draw and write the sheet."""
    parser = argparse.ArgumentParser(description="Draw the same faces with several weights.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of photographs")
    words = "a line of the sheet each; networks used together joined by +"
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME|DIR[+...]", help=words)
    parser.add_argument("--sources", action="store_true", help="show the photographs as well")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    wanted = parser.parse_args()
    calibration = read_calibration()
    engines = [
        (" ".join(Path(name).name for name in names), Engine([*map(load_encoding, names)], None, calibration))
        for names in (line.split("+") for line in wanted.weights)
    ]
    picture = sheet(engines, wanted.folder, sources=wanted.sources, progress=RichProgress()).draw(LIGHT)
    picture.save(wanted.out, compress_level=9)
    say(f"wrote {wanted.out}")


if __name__ == "__main__":
    sys.exit(run_script(main))
