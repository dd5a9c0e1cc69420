"""What a catalogue is kept in: SQLite in a folder, or PostgreSQL; both are used in the same way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine

from index.place import Place
from index.sqlite import SqliteFolder


class Database(Protocol):
    """Opens connections to a catalogue, and tells errors in one way."""

    vectors: Path | str  # the folder of the store of vectors, or the address of Milvus

    def engine(self) -> Engine:
        """Make an engine for ``reading``; raises CollectionMissingError if nothing is there."""

    def reading(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Show one committed state of the catalogue until the block ends, whatever others write meanwhile.

        Raises CollectionError if the catalogue cannot be read.
        """

    def writing(self, *, make: bool) -> AbstractContextManager[Engine]:
        """Be the one writer until the block ends, or the process; ``make``: make room for a new catalogue.

        Raises CollectionLockedError if another process is, CollectionMissingError if nothing is there,
        CollectionError if the place holds other things.
        """

    def beside(self) -> AbstractContextManager[Engine]:
        """Let something short be written beside the one writer, which may be at work for hours.

        Raises CollectionMissingError if nothing is there.
        """

    def plain_errors(self) -> AbstractContextManager[None]:
        """Turn what the database complains about into a CollectionError that says what to do."""

    def check(self, connection: Connection) -> None:
        """Raise CollectionError if the structure of the catalogue is damaged, as far as can be told soon."""

    def wipe_deleted(self, connection: Connection) -> None:
        """Overwrite what is deleted from now on, as far as the database can."""

    def empty_log(self, engine: Engine) -> None:
        """Clear out what the database still keeps of deleted rows, as far as readers allow."""

    def shrink(self, engine: Engine) -> None:
        """Give much unused space back to the disk if there is room to do it; a failure is no error."""

    def size(self, connection: Connection) -> int:
        """Count the bytes that the collection takes."""


def database_at(place: Place) -> Database:
    """Find what the catalogue at this place is kept in; nothing is opened yet."""
    if isinstance(place, Path):
        return SqliteFolder(place)
    from index.postgresql import PostgresDatabase

    return PostgresDatabase(place)
