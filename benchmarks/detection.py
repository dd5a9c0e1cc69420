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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from cli.console import print_table
from faces.detect import METHODS, open_detector
from faces.photo import read_photo
from faces.types import DetectedFace, Photo

DIRECTIONS, EYES = ("straight", "left", "right", "up"), ("open", "sunglasses")


@dataclass(frozen=True, slots=True)
class Seen:
    """One photograph's name, what one detector found on it, and how long that took."""

    name: str
    faces: list[DetectedFace]
    seconds: float

    @property
    def whose(self) -> tuple[str, str]:
        person, direction, *_ = self.name.split("_")
        return person, direction

    @property
    def group(self) -> str:
        _, direction, _, eyes = self.name.split("_")
        return f"{direction}/{eyes}"


@dataclass(slots=True)
class Score:
    """One detector's row of the table; times in milliseconds of processor time."""

    detector: str
    photographs: int
    found: int = 0
    by_group: dict[str, int] = field(default_factory=dict)
    false_alarms: int = 0
    second_faces: int = 0
    milliseconds: float = 0.0
    milliseconds_95: float = 0.0
    milliseconds_large: dict[str, float] = field(default_factory=dict)


def centre(face: DetectedFace) -> np.ndarray:
    return np.array([face.box.left + face.box.right, face.box.top + face.box.bottom]) / 2


def medians(seen: list[Seen]) -> dict[tuple[str, str], np.ndarray]:
    """The median centre of all finds of each person and direction."""
    centres: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for one in seen:
        centres[one.whose] += [centre(face) for face in one.faces[:1]]
    return {whose: np.median(some, axis=0) for whose, some in centres.items() if some}


def score(detector: str, seen: list[Seen], heads: dict[tuple[str, str], np.ndarray]) -> Score:
    result = Score(detector, len(seen))
    result.by_group = {f"{direction}/{eyes}": 0 for direction in DIRECTIONS for eyes in EYES}
    for one in seen:
        on_head = [
            face
            for face in one.faces
            if np.hypot(*(centre(face) - heads[one.whose])) <= max(face.box.width, face.box.height)
        ]
        result.found += bool(on_head)
        result.by_group[one.group] += bool(on_head)
        result.false_alarms += len(one.faces) - len(on_head)
        result.second_faces += max(0, len(on_head) - 1)
    times = np.array([one.seconds for one in seen]) * 1000
    result.milliseconds, result.milliseconds_95 = float(times.mean()), float(np.percentile(times, 95))
    return result


def timed(detect_with: str, photo: Photo) -> float:
    """Milliseconds of processor time for one photograph."""
    detector = open_detector(detect_with)
    began = time.process_time()
    detector.detect(photo)
    return (time.process_time() - began) * 1000


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
    seen: dict[str, list[Seen]] = {}
    for name in detector:
        opened = open_detector(name)
        seen[name] = []
        for path in paths:
            photo = read_photo(path)
            began = time.process_time()
            faces = opened.detect(photo)
            seen[name].append(Seen(path.stem, faces, time.process_time() - began))
    heads = medians([one for some in seen.values() for one in some])
    scores = [score(name, some, heads) for name, some in seen.items()]
    if large:
        some = [read_photo(path) for path in paths[:7]]
        for result in scores:
            for size in (1, 4, 12):
                result.milliseconds_large[f"{size} MP"] = timed(result.detector, large_photo(some, size))
    groups = list(scores[0].by_group)
    columns = [
        "detector",
        "found",
        *groups,
        "false",
        "second",
        "ms",
        "ms 95 %",
        *scores[0].milliseconds_large,
    ]
    rows = [
        [
            one.detector,
            f"{one.found} of {one.photographs}",
            *(str(one.by_group[group]) for group in groups),
            *(str(one.false_alarms), str(one.second_faces)),
            *(f"{one.milliseconds:.0f}", f"{one.milliseconds_95:.0f}"),
            *(f"{value:,.0f}" for value in one.milliseconds_large.values()),
        ]
        for one in scores
    ]
    print_table(columns, rows, right=columns[1:])
    if out is not None:
        out.write_text(json.dumps([asdict(one) for one in scores], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(measure)
