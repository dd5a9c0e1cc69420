"""CMU Multi-PIE, session 1: people turned by seven angles under 20 lights (the paper's section 4.1).

R. Gross, I. Matthews, J. Cohn, T. Kanade, S. Baker, "Multi-PIE", Image and Vision Computing 28 (2010): 337
people in up to four sessions, 15 cameras, 20 pictures within 0.7 seconds.  Session 1 has 249 people (Ghodrati
et al. 2015, 4.1).  Pictures lie in ``session01/multiview/SSS/RR/CC_C/SSS_01_RR_CCC_LL.png``: person,
recording, camera, light.  Recording 01 of session 1 is neutral, 02 smiles
(https://github.com/walkoncross/bob.db.multipie, bob/db/multipie/create.py).  Lights 00 and 19 have no flash.

Cameras: the same repository (script/crop_faces.py) calls 04_1, 05_0 ... "right" and 13_0, 14_0 ... "left",
15 degrees apart, and crops the left profiles with the eye left of the middle, so with the nose to the left of
the picture; a published mouth cropper turns 010, 041, 190, 200 and 240 round so that all mouths look left.
Both say the same: right cameras see the nose point to the right of the picture, which is our positive yaw.

People are numbered within 001 to 250.  That is one number more than people; which is unused we could not
verify, and neither could we that all numbers up to 100 are used, which the paper's split suggests.

Annotations: ``.pos`` files (L. El Shafey, C. McCool, R. Wallace, S. Marcel, "A Scalable Formulation of
Probabilistic Linear Discriminant Analysis", 2013; the paper's; http://www.idiap.ch/resource/biometric) repeat
the set's folders and names.  Their first line is a number of points, then comes a line "x y" for each; 16
points for frontal faces, 8 for half turned ones, 6 for profiles, 2 if only the eyes could be seen (query.py
of the repository above).  ``SSS_SS_RR_CCC_LL_lm.mat`` (folder MPie_Labels, by Gross et al.) have a variable
``pts`` of 68 points (66 without the inner corners of the mouth) in the usual order, or of 39 in profiles.
There are 6,152, so not for all people and poses.  That they count pixels from 1 is our assumption.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facedata.labels import LabelRow, pose_word
from facedata.readers.common import (
    CENTRE,
    Entry,
    Finder,
    LeftOutError,
    Plan,
    files_below,
    find_pictures,
    from_eyes,
    from_eyes_and_chin,
    is_face,
    listed,
    people_missing,
    read_mat,
)
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Landmarks, Photo

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
_DARKNESS = {light: at for at, light in enumerate(("07", "08", "06", "00", "19", "09", "05"))}
_NAME = re.compile(r"(\d{3})_(\d{2})_(\d{2})_(\d{2})(\d)_(\d{2})")
_CHIN = {8: 7, 16: 11}  # place of the chin among so many points


class Shot(NamedTuple):
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
    turned_away = camera and abs(CAMERAS.get(folder, 90)) > WIDEST
    return turned_away or other_session or folder in ("highres", "movie")


def plan_multipie(source: Path, *, progress: Progress | None = None) -> Plan:
    """Find the paper's pictures below ``source``; raises DataError if there is none."""
    give = "the folder that holds session01"
    shots, notes = find_pictures(
        source, parse_name, "session 1", EXAMPLE, give, wanted=is_wanted, skip=keeps_out, progress=progress
    )
    people = sorted({shot.person for shot in shots})
    complete = len(people) == PEOPLE
    last = people[TRAIN - 1] if complete else f"{TRAIN:03d}"  # a copy with gaps keeps the full set's split
    entries = []
    for shot, path in sorted(shots.items(), key=lambda item: (item[0].person, item[0].yaw, item[0].light)):
        pose = pose_word(shot.yaw or 0)
        row = LabelRow(
            file=f"{shot.person}/pose{pose}_light{shot.light}.png",
            person=shot.person,
            pose=pose,
            light=shot.light,
            split="train" if shot.person <= last else "test",
        )
        entries.append(Entry(path, row, group=f"{shot.person} {shot.camera}"))
    return Plan(entries, _missing(shots), notes, lambda light: _DARKNESS.get(light, len(_DARKNESS)))


def _missing(shots: Iterable[Shot]) -> list[str]:
    pictures: dict[str, set[str]] = defaultdict(set)
    for shot in shots:
        pictures[shot.person].add(f"{shot.camera.replace('_', '')}_{shot.light}")
    numbers = [f"{number:03d}" for number in range(1, HIGHEST + 1)]
    absent = [number for number in numbers if number not in pictures]
    sentences = people_missing(len(pictures), PEOPLE, "session 1", absent)
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


def parse_pos(text: str, yaw: float) -> Landmarks:
    """Parse the landmarks of a ``.pos`` file; raises LeftOutError if it has none for a crop."""
    words = text.split()
    try:
        count = int(words[0])
        points = np.array(words[1 : 1 + 2 * count], float).reshape(count, 2) + CENTRE
    except (ValueError, IndexError):
        raise LeftOutError("its annotation is no list of points") from None
    if count not in (2, *_CHIN) or not np.isfinite(points).all():
        raise LeftOutError(f"its annotation has {count} points, which are no pair of eyes and a chin")
    one, other, *places = ((x, y) for x, y in points.tolist())
    return from_eyes_and_chin(one, other, places[_CHIN[count] - 2]) if places else from_eyes(one, other, yaw)


def from_68(points: Any) -> Landmarks:
    """Make landmarks from (68, 2) or (66, 2) points, counted from 1; raises LeftOutError if they are not."""
    try:
        marks = np.asarray(points, float) - CENTRE
    except (TypeError, ValueError):
        raise LeftOutError("its annotation is no list of points") from None
    if marks.shape not in ((68, 2), (66, 2)) or not np.isfinite(marks).all():
        raise LeftOutError("its annotation does not have 68 points")
    eyes = [(marks[a] + marks[b]) / 2 for a, b in ((36, 39), (42, 45))]
    one, other, nose, chin = ((float(x), float(y)) for x, y in (*eyes, marks[33], marks[8]))
    left, right = sorted((one, other))
    return Landmarks(left, right, nose, chin)


def annotated_multipie(folder: Path, *, progress: Progress | None = None) -> Finder:
    """Read landmarks from a folder of annotations; raises DataError if it has none.

    A picture without a file of its own takes that of another light: 20 pictures are taken within 0.7 seconds.
    """
    known: dict[Shot, dict[str, Path]] = defaultdict(dict)  # by shot without light, then by light
    for path in files_below(folder, skip=keeps_out, progress=progress):
        named = re.fullmatch(r"(.*)(\.pos|_lm\.mat)", path.name.lower())
        shot = parse_name(named[1]) if named else None
        if named and shot is not None and is_wanted(shot):
            files = known[shot._replace(light="")]
            if named[2] == ".pos" or shot.light not in files:  # .pos are there for everybody
                files[shot.light] = path
    if not known:
        raise DataError(
            f"{folder} holds no annotations such as 001_01_01_051_07.pos or 001_01_01_051_07_lm.mat; "
            "give their folder, or leave --annotations out to look for the faces."
        )

    def find(entry: Entry, photo: Photo) -> Landmarks:
        shot = parse_name(entry.source.stem)
        files = {} if shot is None else known.get(shot._replace(light=""), {})
        if shot is None or not files:
            raise LeftOutError("it is not annotated")
        reason = LeftOutError("its annotation makes no face")
        for light in sorted(files, key=lambda light: (abs(int(light) - int(shot.light)), light)):
            try:
                if files[light].suffix.lower() == ".pos":
                    found = parse_pos(files[light].read_text(encoding="latin-1"), float(shot.yaw or 0))
                else:
                    found = from_68(read_mat(files[light], "pts").get("pts"))
            except OSError as error:
                reason = LeftOutError(f"its annotation cannot be read ({error.strerror})")
            except LeftOutError as error:
                reason = error
            else:
                if is_face(found):
                    return found
        raise reason

    return find
