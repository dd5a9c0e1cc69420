"""CelebA: 202,599 aligned photographs of 10,177 people with 40 attributes and five landmarks each.

Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015;
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.  ``img_align_celeba/000001.jpg`` ... with
``list_attr_celeba.txt`` (1 or -1 for each attribute), ``identity_CelebA.txt``,
``list_landmarks_align_celeba.txt`` (eyes, nose, corners of the mouth) and ``list_eval_partition.txt`` (0
train, 1 val, 2 test; nobody is in two).  The files of attributes and landmarks begin with a count and the
names of their columns; copies with commas and the ending .csv are read as well.

Attributes become accessories, "none" if a face has none of the chosen ones; faces with several are left out.
Pose and light are not known.  The nose that is annotated is its tip, so the scale of the crops comes from
eyes and mouth.  The paper does not use this set.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from facedata.labels import SPLITS, LabelRow
from facedata.readers.common import (
    CENTRE,
    PICTURE_SUFFIXES,
    Entry,
    Plan,
    files_below,
    from_eyes_and_mouth,
    listed,
    people_missing,
)
from faces.errors import DataError
from faces.progress import Progress

PICTURES, PEOPLE = 202_599, 10_177
ATTRIBUTES = ("Eyeglasses", "Wearing_Hat")
_LISTS = ("list_attr_celeba", "identity_CelebA", "list_landmarks_align_celeba", "list_eval_partition")


class Table(NamedTuple):
    """A list of CelebA: the names of its columns, empty if it has none, and numbers by picture."""

    columns: Sequence[str]
    rows: Mapping[str, Sequence[int]]


def attribute_word(name: str) -> str:
    """Return how the labels call an attribute: eyeglasses, hat, mouth-slightly-open."""
    return name.lower().removeprefix("wearing_").replace("_", "-")


def parse_table(text: str, path: Path) -> Table:
    """Parse a list, separated by blanks or commas; raises DataError, which names ``path`` and line."""
    columns: list[str] = []
    rows: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        name, dot, _ = words[0].rpartition(".")
        if not dot:  # the count, or the names of the columns
            columns = [word for word in words if word.lower() != "image_id"]
            continue
        try:
            rows[name.lower()] = [int(word) for word in words[1:]]
        except ValueError:
            raise DataError(f"{path}, line {number}: {line[:60]!r} is no picture and its numbers.") from None
    return Table(columns, rows)


def plan_celeba(
    source: Path, *, attributes: Sequence[str] = ATTRIBUTES, progress: Progress | None = None
) -> Plan:
    """Find pictures and lists below ``source``; raises DataError if a list is missing or wrong."""
    files = list(files_below(source, skip=lambda name: name.startswith("img_celeba"), progress=progress))
    traits_of, people, marks_of, splits = (_table(files, source, name) for name in _LISTS)
    lower = {name.lower(): at for at, name in enumerate(traits_of.columns)}
    chosen = {}  # words by column
    for name in attributes:
        if name.lower() not in lower:
            near = difflib.get_close_matches(name, traits_of.columns, n=3, cutoff=0.4) or traits_of.columns
            raise DataError(f"CelebA has no attribute {name!r}; its attributes are {listed(near)}.")
        chosen[lower[name.lower()]] = attribute_word(name)
    pictures = {
        path.stem.lower(): path
        for path in files
        if path.suffix.lower() in PICTURE_SUFFIXES and path.stem.lower() in people.rows
    }
    if not pictures:
        raise DataError(f"{source} holds none of the pictures that {_LISTS[1]} names; unpack them too.")
    entries = []
    several = unknown = 0
    for name, path in sorted(pictures.items()):
        traits, split, marks = (table.rows.get(name) for table in (traits_of, splits, marks_of))
        if not traits or not split or not marks or len(marks) != 10 or not 0 <= split[0] < len(SPLITS):
            unknown += 1
            continue
        worn = [word for column, word in chosen.items() if column < len(traits) and traits[column] > 0]
        if len(worn) > 1:
            several += 1
            continue
        person = f"{people.rows[name][0]:05d}"
        row = LabelRow(
            file=f"{person}/{name}.png",
            person=person,
            accessory=worn[0] if worn else "none",
            split=SPLITS[split[0]],
        )
        left_x, left_y, right_x, right_y, _, _, one_x, one_y, other_x, other_y = (n + CENTRE for n in marks)
        mouth = ((one_x + other_x) / 2, (one_y + other_y) / 2)
        landmarks = from_eyes_and_mouth((left_x, left_y), (right_x, right_y), mouth)
        entries.append(Entry(path, row, landmarks=landmarks))
    notes, missing = [], []
    split_of = {(entry.row.person, entry.row.split) for entry in entries}
    if len(split_of) > len({person for person, _ in split_of}):
        notes.append("some people are in two splits; the partition is not CelebA's own")
    if several:
        notes.append(f"left out because of more than one of {listed(chosen.values())}: {several:,}")
    if unknown:
        notes.append(f"left out because not in all lists: {unknown:,}")
    absent = sorted(set(people.rows) - set(pictures))
    if absent or len(people.rows) != PICTURES:
        there = f"{len(pictures):,} found, {len(people.rows):,} listed"
        names = f"; without {listed(absent)}" if absent else ""
        missing.append(f"CelebA has {PICTURES:,} pictures; {there}{names}")
    missing += people_missing(len({people.rows[name][0] for name in pictures}), PEOPLE, "CelebA")
    return Plan(entries, missing, notes)


def _table(files: Sequence[Path], source: Path, name: str) -> Table:
    wanted = {f"{name.lower()}{ending}" for ending in (".txt", ".csv")}
    named = [path for path in files if path.name.lower() in wanted]
    if not named:
        raise DataError(f"{source} holds no {name}.txt; put all four lists of CelebA into that folder.")
    try:
        table = parse_table(named[0].read_text(encoding="utf-8-sig"), named[0])
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{named[0]} cannot be read ({error}).") from error
    if not table.rows:
        raise DataError(f"{named[0]} lists no pictures; unpack or download it again.")
    return table
