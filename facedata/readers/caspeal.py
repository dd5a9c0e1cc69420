"""CAS-PEAL-R1: frontal faces, bare, with three hats and three pairs of glasses (the paper's section 4.2).

W. Gao et al., "The CAS-PEAL Large-Scale Chinese Face Database and Baseline Evaluations", IEEE Trans. SMC A 38
(2008).  Pictures lie in ``FRONTAL/Normal`` and ``FRONTAL/Accessory``, each folder with ``FaceFP_2.txt``: a
line for each picture with its name and the x and y of both eyes.  Names such as
``FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M0_R1_S0.tif`` say: sex and age, person, light, pose, expression,
accessory, distance, session, background and three more (one file is known to break the pattern there).  All
this is known from https://github.com/bioidiap/bob.db.caspeal (bob/db/caspeal/models.py and create.py), which
also says that A1 to A3 are hats and A4 to A6 glasses; we could not check that on pictures.

The paper takes the 438 people of the accessory subset, the first 350 to train.  How many accessory pictures
R1 has we could not verify: 2,285 of them are the standard probe set (test.py there); some people lack some.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from facedata.labels import LabelRow
from facedata.readers.common import (
    CENTRE,
    Entry,
    Plan,
    annotated_landmarks,
    find_pictures,
    from_eyes,
    listed,
    people_missing,
)
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Landmarks

ACCESSORIES = ("none", "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3")
"""What A0 to A6 stand for."""

PEOPLE, TRAIN = 438, 350
EYES_FILE = "FaceFP_2.txt"
EXAMPLE = "FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M0_R1_S0.tif"
annotated_eyes = partial(annotated_landmarks, reason=f"its eyes are not in {EYES_FILE}")
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
    shots, notes = find_pictures(
        source,
        parse_name,
        "CAS-PEAL's accessories",
        EXAMPLE,
        "the folder with FRONTAL",
        wanted=lambda shot: shot.is_plain and shot.accessory < len(ACCESSORIES),
        needed=lambda shot: shot.accessory > 0,
        prefer=lambda path: (not path.parent.name.lower().startswith(("normal", "access")), path),
        skip=lambda name: name == "pose",
        progress=progress,
    )
    people = sorted({shot.person for shot in shots if shot.accessory})
    shots = {shot: path for shot, path in shots.items() if shot.person in people}
    eyes: dict[tuple[Path, str], Landmarks] = {}
    for folder in {path.parent for path in shots.values()}:
        for path in folder.iterdir():
            if path.name.lower() == EYES_FILE.lower():
                eyes |= {(folder, name): marks for name, marks in read_eyes(path).items()}
    if not eyes:
        raise DataError(f"{source} holds no {EYES_FILE}; the eyes it has for each folder are needed.")
    # Of fewer people the same share trains, since nobody can tell who is missing.
    to_train = people[: TRAIN if len(people) == PEOPLE else round(len(people) * TRAIN / PEOPLE)]
    entries = []
    for shot, path in sorted(shots.items()):
        accessory = ACCESSORIES[shot.accessory]
        row = LabelRow(
            file=f"{shot.person}/{accessory}.png",
            person=shot.person,
            pose="0",
            accessory=accessory,
            split="train" if shot.person in to_train else "test",
        )
        entries.append(Entry(path, row, landmarks=eyes.get((path.parent, path.stem.upper()))))
    sentences = people_missing(len(people), PEOPLE, "the accessory subset")
    bare = sorted({*people} - {shot.person for shot in shots if not shot.accessory})
    if bare:
        sentences.append(f"there is no picture without accessory (A0) of {listed(bare)}")
    worn = {shot.accessory for shot in shots}
    absent = [name for at, name in enumerate(ACCESSORIES) if at not in worn]
    if absent:
        sentences.append(f"nobody wears {listed(absent)}")
    return Plan(entries, sentences, notes)


def read_eyes(path: Path) -> dict[str, Landmarks]:
    """Read landmarks by upper-case name without ending; passes over lines of another form.

    Only the eyes are annotated, approximately; the faces are frontal, so their distance gives the scale.
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
