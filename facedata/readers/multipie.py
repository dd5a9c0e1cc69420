"""CMU Multi-PIE, session 1: people turned by seven angles under 20 lights (the paper's section 4.1).

R. Gross, I. Matthews, J. Cohn, T. Kanade, S. Baker, "Multi-PIE", Image and Vision Computing 28 (2010): 337
people in up to four sessions, 15 cameras, 20 pictures within 0.7 seconds.  Session 1 has 249 people (Ghodrati
et al. 2015, 4.1).

Pictures lie in ``session01/multiview/SSS/RR/CC_C/SSS_01_RR_CCC_LL.png``: person, recording, camera, light.
Recording 01 of session 1 is neutral, 02 smiles (https://github.com/walkoncross/bob.db.multipie,
bob/db/multipie/create.py).  Lights 00 and 19 are without flash.

Cameras: the same repository (script/crop_faces.py) calls 04_1, 05_0 ... "right" and 13_0, 14_0 ... "left",
15 degrees apart, and crops the left profiles with the eye left of the middle, so with the nose to the left of
the picture; a published mouth cropper turns 010, 041, 190, 200 and 240 round so that all mouths look left.
Both say the same: right cameras see the nose point to the right of the picture, which is our positive yaw.

People are numbered within 001 to 250.  That is one number more than people; which is unused we could not
verify, and neither could we that all numbers up to 100 are used, which the paper's split suggests.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facedata.labels import LabelRow, pose_word
from facedata.readers.common import (
    PICTURE_SUFFIXES,
    Entry,
    Plan,
    files_below,
    in_order,
    listed,
    nothing_found,
    other_names,
    people_missing,
)
from faces.progress import Progress

CAMERAS = {
    "11_0": -90, "12_0": -75, "09_0": -60, "08_0": -45, "13_0": -30, "14_0": -15, "05_1": 0,
    "05_0": 15, "04_1": 30, "19_0": 45, "20_0": 60, "01_0": 75, "24_0": 90,
}  # fmt: skip
"""Yaw in degrees of the 13 cameras at head height; 08_1 and 19_1 look down from above."""

PEOPLE, LIGHTS, TRAIN = 249, 20, 100
HIGHEST = 250  # number of a person of session 1
WIDEST = 45  # degrees; the paper's seven poses
EXAMPLE = "001_01_01_051_07.png"
# For detection: flashes from the front before those from the sides, without flash before the rest.
_BEST_LIT = ("07", "08", "06", "00", "19", "09", "05")
_NAME = re.compile(r"(\d{3})_(\d{2})_(\d{2})_(\d{2})(\d)_(\d{2})")


@dataclass(frozen=True, slots=True)
class Shot:
    """What a file name says: person "001", session, recording, camera "05_1", light "07"."""

    person: str
    session: str
    recording: str
    camera: str
    light: str

    @property
    def yaw(self) -> int | None:
        """Degrees, or None for a camera above head height or an unknown one."""
        return CAMERAS.get(self.camera)

    @property
    def file(self) -> str:
        """Where the picture goes in the labelled folder."""
        return f"{self.person}/pose{pose_word(self.yaw or 0)}_light{self.light}.png"


def parse_name(stem: str) -> Shot | None:
    """Return the shot that a name without ending stands for, such as 001_01_01_051_07; None for others."""
    found = _NAME.fullmatch(stem)
    if found is None:
        return None
    person, session, recording, camera, place, light = found.groups()
    return Shot(person, session, recording, f"{camera}_{place}", light)


def is_wanted(shot: Shot) -> bool:
    """Whether the paper uses the picture: session 1, recording 01, up to 45 degrees, one of 20 lights."""
    yaw = shot.yaw
    known = shot.session == "01" and shot.recording == "01" and int(shot.light) < LIGHTS
    return known and yaw is not None and abs(yaw) <= WIDEST


def keeps_out(folder: str) -> bool:
    """Whether a folder of that name (lower case) can hold nothing that is wanted."""
    camera = re.fullmatch(r"\d\d_\d", folder) is not None
    other_session = folder.startswith("session") and not folder.endswith("01")
    return (
        (camera and abs(CAMERAS.get(folder, 90)) > WIDEST) or other_session or folder in ("highres", "movie")
    )


def plan_multipie(source: Path, *, progress: Progress | None = None) -> Plan:
    """Find the paper's pictures below ``source``; raises DataError if there is none."""
    shots: dict[Shot, Path] = {}
    others = []
    for path in files_below(source, skip=keeps_out, progress=progress):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            shot = parse_name(path.stem)
            if shot is None:
                others.append(path)
            elif is_wanted(shot):
                shots.setdefault(shot, path)
    if not shots:
        raise nothing_found(source, f"those of session 1 ({EXAMPLE})", "the folder that holds session01")
    people = sorted({shot.person for shot in shots})
    complete = len(people) == PEOPLE
    last = people[TRAIN - 1] if complete else f"{TRAIN:03d}"  # a copy with gaps keeps the full set's split
    entries = [
        Entry(
            source=path,
            row=LabelRow(
                file=shot.file,
                person=shot.person,
                pose=pose_word(shot.yaw or 0),
                light=shot.light,
                split="train" if shot.person <= last else "test",
            ),
            group=f"{shot.person} {shot.camera}",
        )
        for shot, path in sorted(shots.items(), key=lambda item: (item[0].person, item[0].yaw, item[0].light))
    ]
    return Plan(entries, _missing(shots), other_names(others, EXAMPLE))


def best_lit_first(entries: Iterable[Entry]) -> Mapping[str, list[Path]]:
    """Put the pictures of each group in the order in which a face should be looked for."""
    return in_order(entries, lambda light: _BEST_LIT.index(light) if light in _BEST_LIT else len(_BEST_LIT))


def _missing(shots: Iterable[Shot]) -> list[str]:
    pictures: dict[str, set[str]] = defaultdict(set)
    for shot in shots:
        pictures[shot.person].add(f"{shot.camera.replace('_', '')}_{shot.light}")
    numbers = [f"{number:03d}" for number in range(1, HIGHEST + 1)]
    absent = [number for number in numbers if number not in pictures]
    sentences = people_missing(pictures, PEOPLE, "session 1", absent)
    if sentences and absent:
        sentences[0] += f" (one number up to {HIGHEST} was never given)"
    cameras = [name.replace("_", "") for name, yaw in CAMERAS.items() if abs(yaw) <= WIDEST]
    every = [f"{camera}_{light:02d}" for camera in cameras for light in range(LIGHTS)]
    for person, found in sorted(pictures.items()):
        lacking = [name for name in every if name not in found]
        if lacking:
            sentences.append(
                f"person {person} has {len(found)} of {len(every)} pictures, without {listed(lacking)}"
            )
    return sentences
