"""Which photographs of a collection a search looks at: those of a folder, those of some time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from faces.errors import CollectionError, FilterError
from faces.types import Ints
from index import Snapshot
from retrieval.people import People

When = date | str | int
"""A day, month or year: ``date(2023, 7, 14)``, ``"2023-07-14"``, ``"2023-07"``, ``"2023"`` or 2023."""

_WHEN = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_YEARS = range(1800, 9999)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a photograph must meet; ``below`` is a folder, ``since`` and ``until`` include what they name,
    ``with_`` and ``without`` are names of people, all of whom or none of whom it shows."""

    below: Path | str | None = None
    since: When | None = None
    until: When | None = None
    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def among(self, snapshot: Snapshot, people: People | None = None) -> Ints | None:
        """Give the ids (n,) int64, ascending, of the faces that meet all, or None if nothing is asked.

        ``people`` tells who is who, if there are names in it.  Raises PeopleError for one that nobody has,
        FilterError for what is no day, month or year, and if ``until`` is before ``since``, CollectionError
        if nothing is known ``below``.
        """
        since = None if self.since is None else beginning(self.since)
        until = None if self.until is None else beginning(self.until, after=True)
        if since is not None and until is not None and until <= since:
            raise FilterError(f"nothing is since {self.since} and until {self.until}; exchange the two")
        named = None if people is None else people.faces_with(self.with_, self.without)
        if self.below is None and since is None and until is None:
            return named
        below = None if self.below is None else os.path.realpath(Path(self.below).expanduser())
        if below is not None and not len(snapshot.faces_among(below=below)):
            known = "name a folder that was indexed, or leave it out to search everywhere"
            raise CollectionError(f"the collection has no faces in {self.below}; {known}")
        return both(named, snapshot.faces_among(below=below, since=since, until=until))


def beginning(when: When, *, after: bool = False) -> str:
    """Write when a day, month or year begins, or the one ``after`` it, as ``2023``, ``2023-07`` or
    ``2023-07-14``; raises FilterError for anything else."""
    text = when.isoformat()[:10] if isinstance(when, date) else str(when).strip()
    found = _WHEN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day = (None if part is None else int(part) for part in found.groups())
        first = date(year or 0, month or 1, day or 1)
        if first.year not in _YEARS:
            raise ValueError
    except ValueError:
        raise FilterError(f"{text!r} is no year, month or day; write 2023, 2023-07 or 2023-07-14") from None
    if after and day:
        first += timedelta(days=1)
    elif after:
        year, month = divmod(first.year * 12 + first.month - 1 + (1 if month else 12), 12)
        first = date(year, month + 1, 1)
    return first.isoformat()


def both(one: Ints | None, other: Ints | None) -> Ints | None:
    """Give the ids that are in both; None stands for all."""
    if one is None or other is None:
        return other if one is None else one
    return np.intersect1d(one, other)
