"""The AR face database: expressions, lights, sunglasses and scarves, in two sessions.

A. Martinez, R. Benavente, "The AR Face Database", CVC Technical Report 24 (1998).  Names are ``M-xx-yy.raw``
and ``F-xx-yy.raw``, or ``m-001-1.bmp`` and ``w-001-1.bmp`` in later copies: sex and person, then the number
of the picture, 1 to 13 in the first session and 14 to 26, alike, in the second: 1 neutral, 2 smile, 3 anger,
4 scream, 5 left light, 6 right light, 7 both, 8 to 10 sunglasses, 11 to 13 scarf (each in the usual light,
then with left and right light); see https://githubissues.com/number9473/dataset/14 and
https://github.com/bioidiap/bob.db.arface (bob/db/arface/models.py).  A .raw file is 768 x 576 pixels, the red
plane before green and blue (after the reader of L. van der Maaten, 2009; we had no such file to check it on).

The description speaks of 126 people and over 4,000 pictures; copies in use have 136 people (3,312 pictures,
20 people lack some; doc/guide.rst of the repository above) or 100 (2,600).  Faces are looked for on each
picture.  The paper does not use this set; the first half of the people trains.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facedata.labels import LabelRow
from facedata.readers.common import Entry, Plan, find_pictures, in_halves, listed
from faces.errors import PhotoError
from faces.photo import read_photo
from faces.progress import Progress
from faces.types import Photo

PEOPLE = (100, 126, 136)
"""How many people copies of the set have."""

SESSION = 13  # pictures of a person in each session
RAW, RAW_SIZE = ".raw", (768, 576)
EXAMPLE = "m-001-1.bmp"
_LIGHTS = {5: "left", 6: "right", 7: "both", 9: "left", 10: "right", 12: "left", 13: "right"}
_EXPRESSIONS = {2: "smile", 3: "anger", 4: "scream"}
_NAME = re.compile(r"([mwf])-(\d{2,3})-(\d{1,2})")


class Shot(NamedTuple):
    """What a file name says: person "m-001", number of the picture 1 .. 26."""

    person: str
    number: int

    @property
    def _kind(self) -> int:
        return (self.number - 1) % SESSION + 1

    @property
    def light(self) -> str:
        """Light and session, such as left-2: people look otherwise two weeks later."""
        return f"{_LIGHTS.get(self._kind, 'front')}-{1 if self.number <= SESSION else 2}"

    @property
    def accessory(self) -> str:
        """none, sunglasses, scarf or, for want of a column of its own, the expression."""
        worn = "sunglasses" if 8 <= self._kind <= 10 else "scarf" if self._kind >= 11 else "none"
        return _EXPRESSIONS.get(self._kind, worn)


def parse_name(stem: str) -> Shot | None:
    """Return the shot that a file name without its ending stands for; None for other names."""
    found = _NAME.fullmatch(stem.lower())
    if found is None or not 1 <= int(found[3]) <= 2 * SESSION:
        return None
    return Shot(f"{'m' if found[1] == 'm' else 'w'}-{int(found[2]):03d}", int(found[3]))


def plan_ar(source: Path, *, expressions: bool = False, progress: Progress | None = None) -> Plan:
    """Find the pictures below ``source``, with ``expressions`` or not; raises DataError if there is none."""
    give = "the folder of its pictures"
    shots, notes = find_pictures(source, parse_name, "AR", EXAMPLE, give, more=RAW, progress=progress)
    split = in_halves(shot.person for shot in shots)
    entries = [
        Entry(
            path,
            LabelRow(
                file=f"{shot.person}/{shot.number:02d}.png",
                person=shot.person,
                pose="0",
                light=shot.light,
                accessory=shot.accessory,
                split=split[shot.person],
            ),
        )
        for shot, path in sorted(shots.items())
        if expressions or shot.accessory not in _EXPRESSIONS.values()
    ]
    missing = []
    if len(split) not in PEOPLE:
        missing.append(f"copies of the set have {listed(map(str, PEOPLE))} people; {len(split)} found")
    gaps = []  # of people in sessions in which they took part
    for person in sorted(split):
        for first in (1, 1 + SESSION):
            session = [Shot(person, number) for number in range(first, first + SESSION)]
            if any(shot in shots for shot in session):
                gaps += [f"{person}-{shot.number}" for shot in session if shot not in shots]
    if gaps:
        notes.append(f"not there: {listed(gaps)}")
    return Plan(entries, missing, notes)


def open_ar(path: Path) -> Photo:
    """Read a picture of the set, .raw included; raises PhotoError."""
    if path.suffix.lower() != RAW:
        return read_photo(path)
    width, height = RAW_SIZE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PhotoError(path, f"cannot be read ({error.strerror})") from error
    if len(content) != 3 * width * height:
        raise PhotoError(
            path, f"has {len(content):,} bytes; {width} x {height} colours take {3 * width * height:,}"
        )
    planes = np.frombuffer(content, np.uint8).reshape(3, height, width)
    return Photo(np.ascontiguousarray(planes.transpose(1, 2, 0)))
