"""Extended Yale Face Database B: 28 people, nine poses, 64 lights and one picture in the room's own light.

A. Georghiades, P. Belhumeur, D. Kriegman, "From Few to Many", PAMI 23 (2001), and K.-C. Lee, J. Ho,
D. Kriegman, PAMI 27 (2005).  Names are ``yaleB11_P00A+000E+00.pgm``: person, pose, azimuth and elevation of
the light in degrees from the camera's axis, positive to the person's right and up;
``yaleB11_P00_Ambient.pgm`` is the room's light
(http://www1.cs.columbia.edu/~belhumeur/pub/images/yalefacesB/readme).  People 11 to 39 without 14 are the
extended set (16,128 pictures of single lights), 01 to 10 the first one (5,760).  ``CroppedYale`` has all 38
in pose 00 (2,432 pictures); 18 of them end in ``.bad`` and are left out.

Pose 00 is from the front and "0" in the labels.  01 to 05 are turned by about 12 degrees and 06 to 08 by
about 24 in various directions; which is which we could not verify, so they are called "p1" to "p8".  The 65
pictures of a pose are taken within seconds, so that all take the landmarks that are found on a well lit one.
The paper does not use this set; the first half of the people trains.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from facedata.labels import LabelRow
from facedata.readers.common import Entry, Plan, find_pictures, in_halves, listed, people_missing
from faces.progress import Progress

FIRST = tuple(f"{number:02d}" for number in range(1, 11))
EXTENDED = tuple(f"{number:02d}" for number in range(11, 40) if number != 14)
POSES, LIGHTS = 9, 64
AMBIENT = "ambient"
BAD = ".bad"
_TRIED = 5  # pictures of a group in which a face is looked for; the rest are darker
EXAMPLE = "yaleB11_P00A+000E+00.pgm"
_NAME = re.compile(r"yaleb(\d\d)_p(\d\d)(?:a([+-]\d{3})e([+-]\d{2})|_ambient)(\.pgm)?")


class Shot(NamedTuple):
    """What a file name says; ``azimuth`` and ``elevation`` of the light in degrees, None for the room's."""

    person: str
    pose: int
    azimuth: int | None = None
    elevation: int | None = None
    bad: bool = False  # the set's makers have marked the picture so

    @property
    def light(self) -> str:
        """How the labels call the light: A+000E+00, or ambient."""
        if self.azimuth is None or self.elevation is None:
            return AMBIENT
        return f"A{self.azimuth:+04d}E{self.elevation:+03d}"


def parse_name(stem: str) -> Shot | None:
    """Return the shot that a file name without its ending stands for; None for other names."""
    found = _NAME.fullmatch(stem.lower())
    if found is None:
        return None
    person, pose, azimuth, elevation, ending = found.groups()
    light: tuple[int | None, int | None] = (int(azimuth), int(elevation)) if azimuth else (None, None)
    return Shot(person, int(pose), *light, ending is not None)


def plan_yaleb(source: Path, *, progress: Progress | None = None) -> Plan:
    """Find the pictures below ``source``; raises DataError if there is none."""
    give = "the folder that holds yaleB11 and others"
    every, notes = find_pictures(source, parse_name, "the set", EXAMPLE, give, more=BAD, progress=progress)
    shots = {shot: path for shot, path in every.items() if not shot.bad}
    split = in_halves(shot.person for shot in shots)
    entries = [
        Entry(
            shots[shot],
            LabelRow(
                file=f"{shot.person}/pose{shot.pose}_{shot.light}.png",
                person=shot.person,
                pose=f"p{shot.pose}" if shot.pose else "0",
                light=shot.light,
                split=split[shot.person],
            ),
            group=f"{shot.person} P{shot.pose:02d}",
        )
        for shot in sorted(shots, key=lambda shot: (shot.person, shot.pose, shot.light))
    ]
    bad = [f"{shot.person} P{shot.pose:02d} {shot.light}" for shot in every if shot.bad]
    if bad:
        notes.append(f"left out because marked {BAD} by the set's makers: {listed(bad)}")
    return Plan(entries, _missing(every), notes, _slant, _TRIED)


def _slant(light: str) -> int:
    """How far a light is from the camera's axis, degrees; the room's light comes last, as it is dim."""
    return 999 if light == AMBIENT else abs(int(light[1:5])) + abs(int(light[6:]))


def _missing(shots: Iterable[Shot]) -> list[str]:
    lights: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for shot in shots:
        if shot.light != AMBIENT:
            lights[shot.person][shot.pose].add(shot.light)
    sentences = []
    for name, people in (("the first set", FIRST), ("the extended set", EXTENDED)):
        absent = [person for person in people if person not in lights]
        if len(absent) < len(people):
            sentences += people_missing(len(people) - len(absent), len(people), name, absent)
    frontal_alone = all(set(poses) == {0} for poses in lights.values())  # CroppedYale
    for person, poses in sorted(lights.items()):
        absent_poses = [f"P{pose:02d}" for pose in range(1 if frontal_alone else POSES) if pose not in poses]
        if absent_poses:
            sentences.append(f"person {person} lacks {listed(absent_poses)}")
        sentences += [
            f"person {person} has {len(seen)} of {LIGHTS} lights in P{pose:02d}"
            for pose, seen in sorted(poses.items())
            if len(seen) < LIGHTS
        ]
    return sentences
