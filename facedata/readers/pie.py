"""CMU PIE as MATLAB files: 68 people, five poses, 170 crops each, as Deng Cai hands them out.

http://www.cad.zju.edu.cn/home/dengcai/Data/FaceData.html: files with ``fea``, a row of pixels for each crop
in MATLAB's order (down the columns), and ``gnd``, the number of the person, 1 to 68.  There is one file for
each of the cameras 05, 07, 09, 27 and 29 (``Pose05_64x64.mat``, ``PIE_pose27.mat``, ``PIE05.mat`` are names
in use), or one for all, ``PIE_32x32.mat``, which does not tell the poses.  The numbers of pictures are those
reported wherever the files are used.

Camera 27 sees the faces from the front and is pose "0".  05 and 29 see them turned to one and the other side,
07 and 09 tilted; which way 05 turns them we could not verify, so these keep the names of their cameras.  Nor
do the files say which picture has which light or expression; the light stays unknown.  The crops, in which
the eyes lie at other places than in ours, are kept as they are: only networks trained on such crops know
them.  The paper does not use this set; the first 34 people train.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedata.labels import LabelRow
from facedata.readers.common import Entry, LeftOutError, Plan, files_below, listed, read_mat
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Pixels

COUNTS = {"05": 3332, "07": 1629, "09": 1632, "27": 3329, "29": 1632}
"""Pictures by camera."""

PEOPLE, TRAIN = 68, 34
FRONTAL = "27"
_CAMERA = re.compile(r"(?:pose|pie|c)[ _-]*(\d\d)(?![\dx])", re.IGNORECASE)


def camera_of(stem: str) -> str:
    """Return the camera in a file's name, such as "05" of Pose05_64x64; "" for PIE_32x32 and others."""
    found = _CAMERA.search(stem)
    return found[1] if found else ""


def read_crops(path: Path) -> tuple[Pixels, NDArray[np.int64]]:
    """Read the (N, S, S) uint8 crops of a file and the (N,) numbers of their people; raises DataError."""
    try:
        found = read_mat(path, "fea", "gnd")
        pixels = np.asarray(found["fea"], np.float64)
        people = np.asarray(found["gnd"], np.float64).ravel()
    except LeftOutError as error:
        raise DataError(f"{path.parent}: {error}.") from None
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{path} has no tables of numbers named fea and gnd; it is no file of this set."
        ) from None
    if pixels.ndim == 2 and pixels.shape[0] != len(people) == pixels.shape[1]:
        pixels = pixels.T  # one crop a column, as some pass the files on
    side = math.isqrt(pixels.shape[1]) if pixels.ndim == 2 else 0
    if pixels.ndim != 2 or side * side != pixels.shape[1] or len(pixels) != len(people) or not pixels.size:
        raise DataError(
            f"{path}: fea {pixels.shape} is not one square crop for each of {len(people)} in gnd."
        )
    if not np.isfinite(pixels).all() or not np.isin(people, np.arange(1, PEOPLE + 1)).all():
        raise DataError(f"{path}: fea or gnd holds impossible numbers; people are numbered 1 to {PEOPLE}.")
    scale = 255 if pixels.max(initial=0) <= 1 else 1
    crops = np.rint(np.clip(pixels * scale, 0, 255)).astype(np.uint8)
    return crops.reshape(-1, side, side).transpose(0, 2, 1).copy(), people.astype(np.int64)


def plan_pie(source: Path, *, progress: Progress | None = None) -> Plan:
    """Read the crops of a file of each camera below ``source``; raises DataError if there is none."""
    found = [path for path in files_below(source, progress=progress) if path.suffix.lower() == ".mat"]
    posed = {camera: path for path in reversed(found) if (camera := camera_of(path.stem)) in COUNTS}
    whole = [path for path in found if "pie" in path.stem.lower()]
    chosen = sorted(posed.values()) or whole[:1]  # one file a camera: several may differ in size alone
    if not chosen:
        raise DataError(f"{source} holds no files such as Pose05_64x64.mat; give their folder.")
    entries: list[Entry] = []
    counts: dict[str, int] = defaultdict(int)
    for path in chosen:
        camera = camera_of(path.stem) if posed else ""
        crops, people = read_crops(path)
        counts[camera] += len(people)
        for number, (crop, person) in enumerate(zip(crops, people.tolist(), strict=True)):
            row = LabelRow(
                file=f"{person:02d}/{f'c{camera}' if camera else 'any'}_{number:05d}.png",
                person=f"{person:02d}",
                pose="0" if camera == FRONTAL else f"c{camera}" if camera else "",
                split="train" if person <= TRAIN else "test",
            )
            entries.append(Entry(path, row, crop=crop))
    notes = [] if posed else ["PIE_32x32.mat does not tell the poses; take the file of each pose for those"]
    missing = []
    everybody = {f"{number:02d}" for number in range(1, PEOPLE + 1)}
    absent = sorted(everybody - {entry.row.person for entry in entries})
    if absent:
        missing.append(f"the set has {PEOPLE} people; {listed(absent)} are missing")
    expected, name = (COUNTS, "Pose{} has") if posed else ({"": sum(COUNTS.values())}, "it has")
    no_file = [f"Pose{camera}" for camera in expected if camera not in counts]
    if no_file:
        missing.append(f"there is no file for {listed(no_file)}")
    missing += [
        f"{name.format(camera)} {expected[camera]:,} pictures; {count:,} found"
        for camera, count in sorted(counts.items())
        if count != expected[camera]
    ]
    return Plan(entries, missing, notes)
