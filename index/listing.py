"""Photographs as pages show them: the newest first, a piece at a time, by folder; and what was skipped."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from index import rows
from index.models import FaceRow, PhotoRow
from index.records import KnownPhoto, Status

_WHEN = PhotoRow.date_ns
_NEWEST_FIRST = (_WHEN.desc(), PhotoRow.id.desc())


class Cursor(NamedTuple):
    """A place in the list of photographs: when one is from, in nanoseconds since 1970, and its id."""

    when: int
    id: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some photographs that follow one another, as known before they are read: where they begin, how many
    there are, and from when the first is, in nanoseconds since 1970."""

    start: Cursor
    count: int


class Listing:
    """The photographs of one state of a collection that could be read; made by ``Snapshot.listing``.

    ``below`` keeps to those in a folder or anywhere below it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def photos(
        self, count: int, *, start: Cursor | None = None, below: str | None = None
    ) -> list[KnownPhoto]:
        """Give up to ``count`` photographs, the newest first, from ``start`` on (included)."""
        wanted = _shown(below)
        if start is not None:
            wanted &= tuple_(_WHEN, PhotoRow.id) <= tuple(start)
        return list(rows.known_photos(self._connection, wanted, order=_NEWEST_FIRST, limit=count))

    def pieces(self, size: int, *, below: str | None = None) -> list[Piece]:
        """Cut the list into pieces of ``size`` photographs, so that each can be read alone."""
        place = func.row_number().over(order_by=_NEWEST_FIRST).label("place")
        numbered = select(_WHEN.label("at"), PhotoRow.id.label("id"), place).where(_shown(below)).subquery()
        first = select(numbered).where(numbered.c.place % size == 1).order_by(numbered.c.place)
        starts = [Cursor(row.at, row.id) for row in self._connection.execute(first)]
        total = self.count(below=below)
        return [Piece(one, min(size, total - size * number)) for number, one in enumerate(starts)]

    def count(self, *, below: str | None = None) -> int:
        """Count the photographs."""
        counted = select(func.count(PhotoRow.id)).where(_shown(below))
        return self._connection.execute(counted).scalar_one()

    def folders(self) -> dict[str, int]:
        """Count the photographs of every folder that has some, in the order of the paths."""
        paths = self._connection.execute(select(PhotoRow.path).where(_shown(None))).scalars()
        counts = Counter(os.path.dirname(path) for path in paths)  # noqa: PTH120  (a Path each takes longer)
        return dict(sorted(counts.items()))

    def newest_faces(self, count: int) -> list[int]:
        """Give the ids of the faces that were taken in last, the largest of each photograph."""
        largest = select(func.min(FaceRow.id)).group_by(FaceRow.photo_id)
        newest = largest.order_by(FaceRow.photo_id.desc()).limit(count)
        return list(self._connection.execute(newest).scalars())

    def faces_from_all_over(self, count: int) -> list[int]:
        """Give the ids of up to ``count`` faces from the first to the last, evenly apart."""
        edges = select(func.min(FaceRow.id), func.max(FaceRow.id))
        first, last = self._connection.execute(edges).one()
        if first is None:
            return []
        step = max(1.0, (last - first + 1) / count)
        found: list[int | None] = []
        for place in range(count):
            here = FaceRow.id >= first + int(step * (place + 0.5))
            found += self._connection.execute(select(func.min(FaceRow.id)).where(here)).scalars()
        return list(dict.fromkeys(one for one in found if one is not None))

    def skipped(self, count: int, *, after: str = "") -> list[KnownPhoto]:
        """Give photographs that could not be read, each with the reason, in the order of the paths."""
        wanted = (PhotoRow.status == Status.SKIPPED) & (PhotoRow.path > after)
        return list(rows.known_photos(self._connection, wanted, order=[PhotoRow.path], limit=count))


def _shown(below: str | None) -> ColumnElement[bool]:
    """Match what can be shown."""
    read = PhotoRow.status == Status.OK
    return read if below is None else read & rows.at_or_below(below)
