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
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facedata.labels import LabelRow
from facedata.readers.common import (
    PICTURE_SUFFIXES,
    Entry,
    Plan,
    files_below,
    listed,
    nothing_found,
    other_names,
    people_missing,
)
from facedata.readers.landmarks import AnnotatedLandmarks, from_eyes
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Landmarks

ACCESSORIES = ("none", "hat-1", "hat-2", "hat-3", "glasses-1", "glasses-2", "glasses-3")
"""What A0 to A6 stand for."""

PEOPLE, TRAIN = 438, 350
EYES_FILE = "FaceFP_2.txt"
EXAMPLE = "FY_000001_IEU+00_PM+00_EN_A0_D0_T0_BB_M0_R1_S0.tif"
_CENTRE = 0.5  # coordinates name pixels; a pixel's centre lies half a pixel from its corner
_NAME = re.compile(
    r"[FM][YMO]_(?P<person>\d{6})_I(?P<light>[EFL][UMD][+-]\d\d)_P(?P<pose>[UMD][+-]\d\d)_E(?P<expression>[A-Z])"
    r"_A(?P<accessory>\d)_D(?P<distance>\d)_T(?P<session>\d)_B(?P<background>[A-Z])(?:_[A-Z]\d?)*"
)


@dataclass(frozen=True, slots=True)
class Shot:
    """What a file name says, as the set writes it; ``accessory`` as the number behind the A."""

    person: str
    light: str
    pose: str
    expression: str
    accessory: int
    distance: int
    session: int
    background: str

    @property
    def is_plain(self) -> bool:
        """Frontal, neutral, in the room's own light, at the usual distance, in the first session."""
        as_always = (self.light, self.pose, self.expression) == ("EU+00", "M+00", "N")
        return as_always and not self.distance and not self.session

    @property
    def file(self) -> str:
        """Where the picture goes in the labelled folder."""
        return f"{self.person}/{ACCESSORIES[self.accessory]}.png"


def parse_name(stem: str) -> Shot | None:
    """Return the shot that a file name without its ending stands for; None for other names."""
    found = _NAME.fullmatch(stem.upper())
    if found is None:
        return None
    word = found.groupdict()
    return Shot(
        person=word["person"],
        light=word["light"],
        pose=word["pose"],
        expression=word["expression"],
        accessory=int(word["accessory"]),
        distance=int(word["distance"]),
        session=int(word["session"]),
        background=word["background"],
    )


def plan_caspeal(source: Path, *, progress: Progress | None = None) -> tuple[Plan, AnnotatedLandmarks]:
    """Find the accessory subset below ``source`` and the eyes of its faces; raises DataError."""
    pictures: dict[tuple[str, int], list[Path]] = defaultdict(list)
    others = []
    eyes: dict[tuple[Path, str], Landmarks] = {}
    for path in files_below(source, skip=lambda name: name == "pose", progress=progress):
        if path.name.lower() == EYES_FILE.lower():
            eyes.update({(path.parent, name): marks for name, marks in read_eyes(path).items()})
        elif path.suffix.lower() in PICTURE_SUFFIXES:
            shot = parse_name(path.stem)
            if shot is None:
                others.append(path)
            elif shot.is_plain and shot.accessory < len(ACCESSORIES):
                pictures[shot.person, shot.accessory].append(path)
    people = {person for person, accessory in pictures if accessory}
    if not people:
        raise nothing_found(source, f"those of CAS-PEAL's accessories ({EXAMPLE})", "the folder with FRONTAL")
    if not eyes:
        raise DataError(f"{source} holds no {EYES_FILE}; the eyes it has for each folder are needed.")
    first = _first_to_train(people)
    entries = [
        _entry(person, accessory, _best(paths), first)
        for (person, accessory), paths in sorted(pictures.items())
        if person in people
    ]
    marks = {
        entry.row.file: eyes[key]
        for entry in entries
        if (key := (entry.source.parent, entry.source.stem.upper())) in eyes
    }
    plan = Plan(entries, _missing(pictures, people), other_names(others, EXAMPLE))
    return plan, AnnotatedLandmarks(marks, f"its eyes are not in {EYES_FILE}")


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
            numbers = [float(word) + _CENTRE for word in words[1:5]]
        except ValueError:
            continue
        if len(numbers) == 4:
            name = re.sub(r"\.[A-Z]{3,4}$", "", words[0].upper())
            found[name] = from_eyes((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    return found


def _entry(person: str, accessory: int, source: Path, to_train: Collection[str]) -> Entry:
    row = LabelRow(
        file=f"{person}/{ACCESSORIES[accessory]}.png",
        person=person,
        pose="0",
        accessory=ACCESSORIES[accessory],
        split="train" if person in to_train else "test",
    )
    return Entry(source, row)


def _first_to_train(people: Iterable[str]) -> set[str]:
    """The first 350 of 438; of fewer people the same share, since nobody can tell who is missing."""
    names = sorted(people)
    return set(names[: TRAIN if len(names) == PEOPLE else round(len(names) * TRAIN / PEOPLE)])


def _best(paths: Iterable[Path]) -> Path:
    """One of several pictures of a person with the same accessory: from the folder Normal or Accessory."""
    return min(paths, key=lambda path: (not path.parent.name.lower().startswith(("normal", "access")), path))


def _missing(pictures: Mapping[tuple[str, int], object], people: Collection[str]) -> list[str]:
    sentences = people_missing(people, PEOPLE, "the accessory subset")
    bare = [person for person in sorted(people) if (person, 0) not in pictures]
    if bare:
        sentences.append(f"there is no picture without accessory (A0) of {listed(bare)}")
    absent = [name for at, name in enumerate(ACCESSORIES) if not any((who, at) in pictures for who in people)]
    if absent:
        sentences.append(f"nobody wears {listed(absent)}")
    return sentences
