"""Faces found by the default detector and by dlib's own code: on the CMU photographs, and by size.

    python benchmarks/detection.py FOLDER [--detector mmod] [--detector hog+cnn] [--sizes] [--json OUT]

Each CMU photograph shows one head, whose place nobody noted down.  Heads of one person looking one way
lie much alike, so a find counts as wrong if its centre is further than one box width from the median
centre of all detectors' finds of that person and direction; a second face on the head is counted too.

With --sizes JPEG files of 0.2, 2 and 12 megapixels are made of the demo's album and the CMU photographs, a
portrait or a wall of thirty on each, and the default is compared with hog+cnn looking for faces from 24
pixels on: which of its faces above the default's smallest are found again, how far their landmarks lie apart,
and how long it takes.  The time is processor time, reading included, which a busy machine lengthens less than
the clock's.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from cli.console import print_table
from faces.detect import METHODS, RELATIVE, SMALLEST, Detector, open_detector, same_face, smallest_face
from faces.photo import read_photo
from faces.types import DetectedFace

ALBUM = Path(__file__).resolve().parent.parent / "demo" / "album"
ORACLE = "hog+cnn"
MEGAPIXELS = (0.2, 2.0, 12.0)
PORTRAITS, ACROSS, DOWN = 4, 6, 5  # of each folder; photographs on a wall
DIRECTIONS, EYES = ("straight", "left", "right", "up"), ("open", "sunglasses")
Seen = tuple[str, list[DetectedFace], float]
"""One photograph's name, what one detector found on it, and the seconds of processor time that took."""


def whose(name: str) -> tuple[str, ...]:
    """Person and direction."""
    return tuple(name.split("_")[:2])


def centre(face: DetectedFace) -> np.ndarray:
    return np.array([face.box.left + face.box.right, face.box.top + face.box.bottom]) / 2


def score(detector: str, seen: list[Seen], heads: dict[tuple[str, ...], np.ndarray]) -> dict[str, Any]:
    """One detector's row of the table; times in milliseconds of processor time."""
    by_group = {f"{direction}/{eyes}": 0 for direction in DIRECTIONS for eyes in EYES}
    false_alarms = second_faces = 0
    for name, faces, _ in seen:
        on_head = sum(
            bool(np.hypot(*(centre(face) - heads[whose(name)])) <= max(face.box.width, face.box.height))
            for face in faces
        )
        _, direction, _, eyes = name.split("_")
        by_group[f"{direction}/{eyes}"] += on_head > 0
        false_alarms += len(faces) - on_head
        second_faces += max(0, on_head - 1)
    times = np.array([seconds for *_, seconds in seen]) * 1000
    return {
        "detector": detector,
        "photographs": len(seen),
        "found": sum(by_group.values()),
        "by_group": by_group,
        "false_alarms": false_alarms,
        "second_faces": second_faces,
        "milliseconds": float(times.mean()),
        "milliseconds_95": float(np.percentile(times, 95)),
    }


def look(detector: Detector, path: Path) -> Seen:
    """Read a photograph and look for faces."""
    began = time.process_time()
    faces = detector.detect(read_photo(path))
    return path.stem, faces, time.process_time() - began


def enlarged(picture: Image.Image, megapixels: float) -> Image.Image:
    factor = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS)


def sized_photographs(pools: list[list[Path]], folder: Path) -> Iterator[tuple[str, float, Path]]:
    """Write the JPEG files to compare on; yields what each shows, megapixels and path."""
    for number, pool in enumerate(pools):
        shown = [Image.open(path).convert("RGB") for path in pool[:: max(1, len(pool) // (ACROSS * DOWN))]]
        width, height = shown[0].size
        wall = Image.new("RGB", (width * ACROSS, height * DOWN))
        for place, picture in enumerate(shown[: ACROSS * DOWN]):
            row, column = divmod(place, ACROSS)
            wall.paste(picture.resize((width, height)), (column * width, row * height))
        for which, picture in enumerate([wall, *shown[:: len(shown) // PORTRAITS][:PORTRAITS]]):
            for megapixels in MEGAPIXELS:
                path = folder / f"{number}-{which}-{megapixels:g}.jpg"
                enlarged(picture, megapixels).save(path, quality=90)
                yield "wall" if which == 0 else "portrait", megapixels, path


def compare(photographs: Iterator[tuple[str, float, Path]]) -> list[dict[str, Any]]:
    """The default beside the oracle, a row for each size; landmarks in pixels of a face 100 pixels wide."""
    default, oracle = open_detector(), open_detector(ORACLE, min_face=SMALLEST)
    rows: dict[tuple[str, float], dict[str, Any]] = defaultdict(
        lambda: {"faces": 0, "found": 0, "further": 0, "apart": [], "default": [], "oracle": []}
    )
    for shown, megapixels, path in photographs:
        row = rows[shown, megapixels]
        (_, mine, seconds), (_, theirs, oracle_seconds) = look(default, path), look(oracle, path)
        row["default"].append(seconds)
        row["oracle"].append(oracle_seconds)
        with Image.open(path) as picture:
            smallest = smallest_face(RELATIVE, *picture.size)
        row["further"] += sum(not any(same_face(one.box, other.box) for other in theirs) for one in mine)
        for wanted in theirs:
            if wanted.box.width < smallest:
                continue
            row["faces"] += 1
            again = [one for one in mine if same_face(one.box, wanted.box)]
            row["found"] += bool(again)
            for name in ("left_eye", "right_eye", "nose_base") if again else ():
                apart = np.subtract(getattr(again[0].landmarks, name), getattr(wanted.landmarks, name))
                row["apart"].append(float(np.hypot(*apart)) * 100 / wanted.box.width)
    return [
        {
            "shown": shown,
            "megapixels": megapixels,
            **{key: row[key] for key in ("faces", "found", "further")},
            "landmarks_median": float(np.median(row["apart"])),
            "landmarks_95": float(np.percentile(row["apart"], 95)),
            "seconds": float(np.mean(row["default"])),
            "seconds_oracle": float(np.mean(row["oracle"])),
        }
        for (shown, megapixels), row in sorted(rows.items())
    ]


def measure(
    photos: Annotated[Path, typer.Argument(help="The folder with the CMU .pgm photographs.")],
    detector: Annotated[list[str], typer.Option(help="May be repeated.")] = list(METHODS[:2]),  # noqa: B006
    every: Annotated[int, typer.Option(help="Only every n-th photograph.")] = 1,
    sizes: Annotated[bool, typer.Option(help="Compare the default with hog+cnn by size too.")] = False,
    out: Annotated[Path | None, typer.Option("--json", help="Write the numbers there as well.")] = None,
) -> None:
    """Measure face detectors."""
    paths = sorted(photos.glob("*.pgm"))[::every]
    if not paths:
        raise typer.BadParameter(f"{photos} holds no .pgm photographs")
    seen = {name: [look(opened, path) for path in paths] for name, opened in _opened(detector)}
    centres: dict[tuple[str, ...], list[np.ndarray]] = defaultdict(list)
    for name, faces, _ in chain.from_iterable(seen.values()):
        centres[whose(name)] += [centre(face) for face in faces[:1]]
    heads = {who: np.median(some, axis=0) for who, some in centres.items() if some}
    scores = [score(name, some, heads) for name, some in seen.items()]
    columns = ["detector", "found", *scores[0]["by_group"], "false", "second", "ms", "ms 95 %"]
    rows = [
        [
            one["detector"],
            f"{one['found']} of {one['photographs']}",
            *one["by_group"].values(),
            *(one["false_alarms"], one["second_faces"]),
            *(f"{one['milliseconds']:.0f}", f"{one['milliseconds_95']:.0f}"),
        ]
        for one in scores
    ]
    print_table(columns, rows, right=columns[1:])
    by_size: list[dict[str, Any]] = []
    if sizes:
        album = [
            path for path in sorted(ALBUM.glob("*.jpg")) if not path.stem.startswith(("damaged", "nobody"))
        ]
        with tempfile.TemporaryDirectory() as folder:
            by_size = compare(sized_photographs([album, sorted(photos.glob("*.pgm"))], Path(folder)))
        columns = ["shown", "megapixels", "found again", "further", "landmarks", "95 %", "seconds", ORACLE]
        rows = [
            [
                *(one["shown"], f"{one['megapixels']:g}"),
                f"{one['found']} of {one['faces']}",
                one["further"],
                *(f"{one[key]:.2f}" for key in ("landmarks_median", "landmarks_95")),
                *(f"{one[key]:.2f}" for key in ("seconds", "seconds_oracle")),
            ]
            for one in by_size
        ]
        print_table(columns, rows, right=columns[1:])
    if out is not None:
        out.write_text(json.dumps({"cmu": scores, "sizes": by_size}, indent=2) + "\n", encoding="utf-8")


def _opened(names: list[str]) -> Iterator[tuple[str, Detector]]:
    for name in names:
        yield name, open_detector(name)


if __name__ == "__main__":
    typer.run(measure)
