"""Faces found on the CMU photographs by each detector, wrong finds, and time for each photograph.

    python benchmarks/detection.py FOLDER [--detector hog --detector …] [--every 1] [--large] [--json OUT]

Each photograph shows one head, whose place nobody noted down.  Heads of one person looking one way
lie much alike, so a find counts as wrong if its centre is further than one box width from the median
centre of all detectors' finds of that person and direction; a second face on the head is counted too.  The
time is processor time, which a busy machine lengthens less than the clock's.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from cli.console import print_table
from faces.detect import METHODS, Detector, open_detector
from faces.photo import read_photo
from faces.types import DetectedFace, Photo

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
        "milliseconds_large": {},
    }


def timed(detector: Detector, photo: Photo) -> tuple[list[DetectedFace], float]:
    """The faces on one photograph, and the seconds of processor time that took."""
    began = time.process_time()
    faces = detector.detect(photo)
    return faces, time.process_time() - began


def large_photo(some: list[Photo], megapixels: int) -> Photo:
    """A photograph of this size: a wall of photographs, each three times enlarged."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    tiles = [Image.fromarray(photo.pixels).resize((photo.width * 3, photo.height * 3)) for photo in some]
    wall = Image.new("RGB", (width, height))
    across = -(-width // tiles[0].width)
    for place in range(across * -(-height // tiles[0].height)):
        row, column = divmod(place, across)
        wall.paste(tiles[place % len(tiles)], (column * tiles[0].width, row * tiles[0].height))
    return Photo(np.asarray(wall))


def measure(
    photos: Annotated[Path, typer.Argument(help="The folder with the CMU .pgm photographs.")],
    detector: Annotated[list[str], typer.Option(help="May be repeated.")] = list(METHODS),  # noqa: B006
    every: Annotated[int, typer.Option(help="Only every n-th photograph.")] = 1,
    large: Annotated[bool, typer.Option(help="Time photographs of 1, 4 and 12 megapixels too.")] = False,
    out: Annotated[Path | None, typer.Option("--json", help="Write the numbers there as well.")] = None,
) -> None:
    """Measure face detectors on the CMU photographs."""
    paths = sorted(photos.glob("*.pgm"))[::every]
    if not paths:
        raise typer.BadParameter(f"{photos} holds no .pgm photographs")
    detectors = {name: open_detector(name) for name in detector}
    seen = {
        name: [(path.stem, *timed(opened, read_photo(path))) for path in paths]
        for name, opened in detectors.items()
    }
    centres: dict[tuple[str, ...], list[np.ndarray]] = defaultdict(list)
    for name, faces, _ in chain.from_iterable(seen.values()):
        centres[whose(name)] += [centre(face) for face in faces[:1]]
    heads = {who: np.median(some, axis=0) for who, some in centres.items() if some}
    scores = [score(name, some, heads) for name, some in seen.items()]
    if large:
        some = [read_photo(path) for path in paths[:7]]
        for result in scores:
            for size in (1, 4, 12):
                _, seconds = timed(open_detector(result["detector"]), large_photo(some, size))
                result["milliseconds_large"][f"{size} MP"] = seconds * 1000
    groups, sizes = scores[0]["by_group"], scores[0]["milliseconds_large"]
    columns = ["detector", "found", *groups, "false", "second", "ms", "ms 95 %", *sizes]
    rows = [
        [
            one["detector"],
            f"{one['found']} of {one['photographs']}",
            *one["by_group"].values(),
            *(one["false_alarms"], one["second_faces"]),
            *(f"{one['milliseconds']:.0f}", f"{one['milliseconds_95']:.0f}"),
            *(f"{value:,.0f}" for value in one["milliseconds_large"].values()),
        ]
        for one in scores
    ]
    print_table(columns, rows, right=columns[1:])
    if out is not None:
        out.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(measure)
