"""CAS-PEAL-R1: frontal faces, bare, with three hats and three pairs of glasses (the paper's section 4.2).

W. Gao et al., "The CAS-PEAL Large-Scale Chinese Face Database and Baseline Evaluations", IEEE Trans. SMC A 38
(2008).  Pictures lie in ``FRONTAL/Normal`` and ``FRONTAL/Accessory``, each folder with ``FaceFP_2.txt``: a
line for each picture with its name and the x and y of both eyes.

Names such as ``FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M0_R1_S0.tif`` say: sex and age, person, light, pose,
expression, accessory, distance, session, background and three more (one file is known to break the pattern
there).  Fields, folders and FaceFP_2.txt are known from https://github.com/bioidiap/bob.db.caspeal
(bob/db/caspeal/models.py and create.py), which also says that A1 to A3 are hats and A4 to A6 glasses; we
could not check that on pictures.

The paper takes the 438 people of the accessory subset, the first 350 to train.  How many accessory pictures
R1 has we could not verify: 2,285 of them are the standard probe set (test.py there), and not everybody has
all six.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from facedata.labels import LabelRow
from facedata.readers.common import (
    CENTRE,
    Entry,
    LeftOutError,
    Plan,
    files_below,
    first_of_each,
    from_eyes,
    listed,
    named_pictures,
    people_missing,
)
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Landmarks, Photo

ACCESSORIES = ("none", "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3")
"""What A0 to A6 stand for."""

PEOPLE, TRAIN = 438, 350
EYES_FILE = "FaceFP_2.txt"
EXAMPLE = "FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M0_R1_S0.tif"
_NAME = re.compile(
    r"[FM][YMO]_(?P<person>\d{6})_I(?P<light>[EFL][UMD][+-]\d\d)_P(?P<pose>[UMD][+-]\d\d)_E(?P<expression>[A-Z])"
    r"_A(?P<accessory>\d)_D(?P<distance>\d)_T(?P<session>\d)_B[A-Z](?:_[A-Z]\d?)*"
)


class Shot(NamedTuple):
    """What a file name says, as the set writes it; ``accessory`` as the number behind the A."""

    person: str
    light: str
    pose: str
    expression: str
    accessory: int
    distance: int
    session: int

    @property
    def is_plain(self) -> bool:
        """Frontal, neutral, in the room's own light, at the usual distance, in the first session."""
        as_always = (self.light, self.pose, self.expression) == ("EU+00", "M+00", "N")
        return as_always and not self.distance and not self.session


def parse_name(stem: str) -> Shot | None:
    """Return the shot that a file name without its ending stands for; None for other names."""
    found = _NAME.fullmatch(stem.upper())
    if found is None:
        return None
    person, light, pose, expression, *numbers = found.groups()
    return Shot(person, light, pose, expression, *map(int, numbers))


def plan_caspeal(source: Path, *, progress: Progress | None = None) -> Plan:
    """Find the accessory subset below ``source`` and the eyes of its faces; raises DataError."""
    files = list(files_below(source, skip=lambda name: name == "pose", progress=progress))
    named, notes = named_pictures(files, parse_name, EXAMPLE)
    plain = [
        ((shot.person, shot.accessory), path)
        for shot, path in named
        if shot.is_plain and shot.accessory < len(ACCESSORIES)
    ]
    people = {person for (person, accessory), _ in plain if accessory}
    # Of several pictures of a person with the same accessory that of the folder Normal or Accessory is taken.
    plain = sorted((key, path) for key, path in plain if key[0] in people)
    plain.sort(key=lambda one: not one[1].parent.name.lower().startswith(("normal", "access")))
    what = f"those of CAS-PEAL's accessories ({EXAMPLE})"
    pictures = first_of_each(plain, source, what, "the folder with FRONTAL")
    eyes: dict[tuple[Path, str], Landmarks] = {}
    for path in files:
        if path.name.lower() == EYES_FILE.lower():
            eyes.update({(path.parent, name): marks for name, marks in read_eyes(path).items()})
    if not eyes:
        raise DataError(f"{source} holds no {EYES_FILE}; the eyes it has for each folder are needed.")
    # Of fewer people the same share trains, since nobody can tell who is missing.
    last = TRAIN if len(people) == PEOPLE else round(len(people) * TRAIN / PEOPLE)
    to_train = sorted(people)[:last]
    entries = []
    for (person, accessory), path in sorted(pictures.items()):
        row = LabelRow(
            file=f"{person}/{ACCESSORIES[accessory]}.png",
            person=person,
            pose="0",
            accessory=ACCESSORIES[accessory],
            split="train" if person in to_train else "test",
        )
        entries.append(Entry(path, row, landmarks=eyes.get((path.parent, path.stem.upper()))))
    return Plan(entries, _missing(pictures), notes)


def annotated_eyes(entry: Entry, photo: Photo) -> Landmarks:
    """Give the landmarks of a picture; raises LeftOutError if its eyes are not known."""
    if entry.landmarks is None:
        raise LeftOutError(f"its eyes are not in {EYES_FILE}")
    return entry.landmarks


def read_eyes(path: Path) -> dict[str, Landmarks]:
    """Read landmarks by upper-case name without ending; passes over lines of another form.

    Only the eyes are annotated, and approximately; the faces are frontal, so that the scale follows from the
    distance of the eyes.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    found = {}
    for line in lines:
        words = line.split()
        try:
            numbers = [float(word) + CENTRE for word in words[1:5]]
        except ValueError:
            continue
        if len(numbers) == 4:
            name = re.sub(r"\.[A-Z]{3,4}$", "", words[0].upper())
            found[name] = from_eyes((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    return found


def _missing(pictures: Iterable[tuple[str, int]]) -> list[str]:
    wearing: dict[str, set[int]] = defaultdict(set)
    for person, accessory in pictures:
        wearing[person].add(accessory)
    sentences = people_missing(len(wearing), PEOPLE, "the accessory subset")
    bare = [person for person, worn in sorted(wearing.items()) if 0 not in worn]
    if bare:
        sentences.append(f"there is no picture without accessory (A0) of {listed(bare)}")
    seen = set().union(*wearing.values())
    absent = [name for at, name in enumerate(ACCESSORIES) if at not in seen]
    if absent:
        sentences.append(f"nobody wears {listed(absent)}")
    return sentences
