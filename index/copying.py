"""Copy a collection to another place, row by row, so that an interrupted copy goes on where it was."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, FromClause, Row, Table, delete, func, insert, select

from faces.errors import CollectionError
from faces.progress import NoProgress, Progress, underway
from index import migrations, rows
from index.collection import Collection
from index.database import database_at
from index.models import CollectionRow, CropRow, DecisionRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.place import Place
from index.writer import CollectionWriter

_PHOTOS = 256  # copied in one transaction

_DECISIONS = select(DecisionRow.__table__).order_by(DecisionRow.id)

Rows = list[tuple[Table, list[Row[Any]]]]
"""Rows of the tables that hang together, in the order in which they can be inserted."""


@dataclass(slots=True)
class CopySummary:
    """What a copy did."""

    photographs: int = 0  # in the collection, also those without faces
    faces: int = 0
    copied: int = 0  # photographs of these that were not there yet
    interrupted: bool = False  # it was asked to stop, and the same call goes on


def copy_collection(
    source: Place,
    target: Place,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> CopySummary:
    """Copy one state of a collection to an empty place, and compare both sides at the end.

    Photographs and faces keep their ids, vectors every bit.  Whatever ends a copy, the same call goes on;
    before it is complete the target cannot be used.  ``stop`` is asked now and then whether to finish early.
    Raises CollectionMissingError if there is no source, CollectionLockedError if another process writes to
    the target, CollectionError if the target holds anything but a copy of this source, or differs from it in
    the end.
    """
    Collection(source).close()  # tells what is wrong with it
    summary = CopySummary()
    with _reading(source) as reader:
        own = rows.read_collection(reader)
        summary.photographs, summary.faces = (
            reader.execute(select(func.count(table.id))).scalar_one() for table in (PhotoRow, FaceRow)
        )
        if _is_complete(reader, own, target):
            return _finish(target, summary, progress)
        with _writing(target) as begin:
            with begin() as writer:
                _prepare(reader, writer, own, target)
            with underway(progress, "Copying", summary.photographs, "photographs") as copying:
                last = 0
                for after, last, count in _ranges(reader):
                    if stop is not None and stop():
                        summary.interrupted = True
                        return summary
                    with begin() as writer:
                        summary.copied += count * _bring_in_line(reader, writer, after, last)
                    copying.advance(count)
            with begin() as writer:
                writer.execute(delete(PhotoRow).where(PhotoRow.id > last))
                writer.execute(delete(DecisionRow))
                said = [row._asdict() for row in reader.execute(_DECISIONS)]
                if said:
                    writer.execute(insert(DecisionRow), said)
            with _reading(target) as copied, underway(progress, "Comparing", None, "") as comparing:
                if _checksum(reader, comparing) != _checksum(copied, comparing):
                    raise CollectionError(
                        f"the copy in {target} differs from {source}; run the same command again, and if it "
                        "still differs, let somebody look at the disks"
                    )
            with begin() as writer:
                _complete(writer)
    return _finish(target, summary, progress)


def _finish(target: Place, summary: CopySummary, progress: Progress | None) -> CopySummary:
    """Make the vectors of a complete copy."""
    with CollectionWriter(target) as finished:
        finished.refresh_vectors(progress=progress)
    return summary


def _is_complete(reader: Connection, own: Row[Any], target: Place) -> bool:
    """Tell whether the target is a copy already, as after a run that ended before it made the vectors."""
    try:
        with _reading(target) as copied:
            found = rows.read_collection(copied).token
            if found == own.token or found.startswith(rows.COPYING):
                return False
            return _checksum(reader, NoProgress()) == _checksum(copied, NoProgress())
    except CollectionError:  # what is wrong is told by who writes there
        return False


@contextmanager
def _reading(place: Place) -> Iterator[Connection]:
    """Show one state of a catalogue, complete or not."""
    database = database_at(place)
    engine = database.engine()
    try:
        with database.reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _writing(place: Place) -> Iterator[Callable[[], Any]]:
    """Be the one writer; yields what begins a transaction."""
    database = database_at(place)

    with database.writing(make=True) as engine, database.plain_errors():
        yield engine.begin


def _prepare(reader: Connection, writer: Connection, own: Row[Any], target: Place) -> None:
    """Make the target an unfinished copy, unless it is that already; ``own`` tells of the source."""
    migrations.migrate(writer)
    found = writer.execute(select(CollectionRow.token)).scalar()
    mark = rows.COPYING + own.token
    if found not in (None, mark):
        raise CollectionError(
            f"there is another collection in {target}; name a new or an empty place for the copy"
        )
    layouts = select(LayoutRow.__table__).order_by(LayoutRow.id)
    kept = reader.execute(layouts).all()
    if found is not None and kept != writer.execute(layouts).all():  # the source was made again meanwhile
        for table in (PhotoRow, CollectionRow, LayoutRow):
            writer.execute(delete(table))
        found = None
    if found is None:
        writer.execute(insert(LayoutRow), [row._asdict() for row in kept])
        writer.execute(insert(CollectionRow).values(own._asdict()))
        rows.update_collection(writer, token=mark)


def _ranges(reader: Connection) -> Iterator[tuple[int, int, int]]:
    """Cut the photographs into pieces: the id before the first, the last id, and how many they are."""
    after = 0
    while True:
        wanted = select(PhotoRow.id).where(PhotoRow.id > after).order_by(PhotoRow.id).limit(_PHOTOS)
        ids = reader.execute(wanted).scalars().all()
        if not ids:
            return
        yield after, ids[-1], len(ids)
        after = ids[-1]


def _bring_in_line(reader: Connection, writer: Connection, after: int, last: int) -> bool:
    """Copy the photographs ``after`` < id <= ``last``; returns False if they are there already."""
    wanted = _rows(reader, after, last)
    if wanted == _rows(writer, after, last):
        return False
    # In a copy that went on after changes, a photograph's path may still belong to another one.
    paths = [row.path for row in wanted[0][1]]
    writer.execute(delete(PhotoRow).where(PhotoRow.id.between(after + 1, last) | PhotoRow.path.in_(paths)))
    for table, some in wanted:
        if some:
            writer.execute(insert(table), [row._asdict() for row in some])
    return True


def _rows(connection: Connection, after: int, last: int) -> Rows:
    """The photographs ``after`` < id <= ``last`` with all that belongs to them."""
    found: Rows = []
    joined: FromClause | None = None
    for model in (PhotoRow, FaceRow, VectorRow, CropRow):  # each row belongs to one of the model before
        table = cast(Table, model.__table__)
        joined = table if joined is None else table.join(joined)
        wanted = select(table).select_from(joined).where(PhotoRow.id.between(after + 1, last))
        found.append((table, list(connection.execute(wanted.order_by(table.c.id)).all())))
    return found


def _checksum(connection: Connection, progress: Progress) -> tuple[Counter[str], str]:
    """Count the rows of each table, and sum up all their values."""
    counts, digest = Counter[str](), hashlib.sha256()
    for layout in connection.execute(select(LayoutRow.__table__).order_by(LayoutRow.id)):
        digest.update(repr(layout).encode())
    for after, last, count in _ranges(connection):
        for table, some in _rows(connection, after, last):
            counts[table.name] += len(some)
            for row in some:
                digest.update(repr(row).encode())
        progress.advance(count)
    for decision in connection.execute(_DECISIONS):
        digest.update(repr(decision).encode())
    return counts, digest.hexdigest()


def _complete(writer: Connection) -> None:
    """Make the copy a collection of its own, whose new rows get ids that were never used."""
    rows.update_collection(writer, token=uuid.uuid4().hex)
    if writer.dialect.name == "postgresql":  # SQLite counts on from the largest by itself
        for model in (PhotoRow, FaceRow, VectorRow):
            sequence = func.pg_get_serial_sequence(model.__tablename__, "id")
            largest = select(func.max(model.id)).scalar_subquery()
            writer.execute(select(func.setval(sequence, largest)))
