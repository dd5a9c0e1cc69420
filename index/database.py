"""Connections to ``catalog.sqlite``: opened in one way, and errors told in one way.

SQLite keeps the newest changes in ``catalog.sqlite-wal`` while somebody writes, and needs
``catalog.sqlite-shm`` to read them.  It cannot make these files on a read-only disk.  Either both are there
(somebody is writing, or was killed), and SQLite reads them as always; or there are no newest changes, and
the catalogue can be read alone.  See https://www.sqlite.org/wal.html, "Read-Only Databases".
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from faces.errors import CollectionError, CollectionMissingError, CollectionWeightsError
from index.checksums import DAMAGED

CATALOG = "catalog.sqlite"
_WAIT_MS = 20_000  # for the short moments in which another process commits
_PAGE = 16384  # smaller ones are not filled as well by crops of 1 KB
_CACHE_KB = 65536  # of pages kept in memory: many searches read some 200 vectors each
_SCARCE = 1 << 20  # bytes of a disk that SQLite may need at once
# Bytes of a catalogue up to which its structure is checked when it is opened: that takes 1.5 ms a MB.
_CHECKED_READING, _CHECKED_WRITING = 32 << 20, 256 << 20
_ACCESS = "check that the folder can be read and written"
_ADVICE = (
    ("full", "free some space and run the same command again; nothing stored so far is lost"),
    ("locked", "another program is holding it; close that and try again"),
    ("unable to open", _ACCESS),
    ("readonly", _ACCESS),
    ("I/O error", _ACCESS),
    ("", f"the catalogue is damaged: {DAMAGED}"),
)
"""What to do if SQLite's message holds a word, the first that fits."""


def open_engine(folder: Path, *, writing: bool) -> Engine:
    """Open an engine on a collection's catalogue.

    Transactions of a writing engine take SQLite's write lock when they begin; those of a reading one see
    the state of their first query until they end, whatever others write meanwhile.
    """
    address = URL.create("sqlite", database=str(folder / CATALOG))
    # timeout: sqlite3's own wait, in seconds, for the statements before the pragmas below.
    engine = create_engine(address, connect_args={"timeout": _WAIT_MS / 1000})

    def on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        pragmas = ["foreign_keys = ON", "cell_size_check = ON", f"busy_timeout = {_WAIT_MS}"]
        if writing:
            pragmas = [f"page_size = {_PAGE}", "journal_mode = WAL", "synchronous = FULL", *pragmas]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def missing(folder: Path) -> CollectionMissingError:
    """Make the error for a folder without a collection."""
    advice = "make one with `anotheryou index FOLDER`"
    return CollectionMissingError(f"there is no collection in {folder}; {advice}")


def outdated(folder: Path) -> CollectionWeightsError:
    """Make the error for a collection whose vectors do not fit what is asked of it."""
    return CollectionWeightsError(
        f"the collection in {folder} was made by an older version or with other weights; "
        "`anotheryou reindex` makes its vectors again, without searching the photographs for faces"
    )


@contextmanager
def reading(engine: Engine, folder: Path) -> Iterator[Connection]:
    """Show one committed state of a collection's catalogue until the block ends.

    ``engine`` is a reading one.  Raises CollectionError if the catalogue cannot be read.  On a read-only disk
    also if a writer was killed and not all of its files are there, or if somebody changed it meanwhile.
    """
    with plain_errors(folder):
        with engine.connect() as connection:
            readable = _begins(connection)
            if readable:
                if not connection.info.setdefault("checked", False):
                    check_structure(connection, folder)
                    connection.info["checked"] = True
                yield connection
        if not readable:
            with _read_alone(folder) as connection:
                yield connection


def _begins(connection: Connection) -> bool:
    """Begin to read; False if SQLite cannot make the files it needs beside the catalogue."""
    try:
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").close()
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KB}").close()
    except OperationalError as error:
        # The low byte is the kind of error, the others say more about it.
        kind = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if kind not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return False
    return True


@contextmanager
def _read_alone(folder: Path) -> Iterator[Connection]:
    """Read a catalogue without log or locks.

    Nothing tells SQLite if the disk, which is read-only here, is written to from elsewhere.  Then what was
    read may be a mixture of two states, so the block ends with a CollectionError.
    """
    before, log = _file_state(folder), folder / f"{CATALOG}-wal"
    if log.exists() and log.stat().st_size:
        raise CollectionError(
            f"{log} holds changes that cannot be read on a read-only disk; copy {folder} to a disk that can "
            "be written, and name the copy with --collection"
        )
    # A new connection each time: SQLite would not notice that the pages it keeps in memory are outdated.
    address = f"{(folder / CATALOG).absolute().as_uri()}?immutable=1"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        if _file_state(folder) != before:
            raise CollectionError(
                f"the collection in {folder} was changed from elsewhere while it was read; "
                "run the same command again"
            )


def check_structure(connection: Connection, folder: Path, *, writing: bool = False) -> None:
    """Raise CollectionError if the pages of a catalogue are damaged, unless it is too large to read them."""
    if (folder / CATALOG).stat().st_size <= (_CHECKED_WRITING if writing else _CHECKED_READING):
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if found != "ok":
            raise CollectionError(f"{folder / CATALOG} is damaged ({' '.join(found.split())}); {DAMAGED}")


def _file_state(folder: Path) -> tuple[int, ...]:
    """Numbers of which one changes whenever the catalogue's own file does."""
    status = (folder / CATALOG).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what SQLite complains about into a CollectionError that says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # the latter while connecting
        message = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())[:120]
        # SQLite has other words if there is no room for the index of its log.
        if "I/O error" in message and shutil.disk_usage(folder).free < _SCARCE:
            message = "the disk is full"
        advice = next(advice for word, advice in _ADVICE if word in message)
        raise CollectionError(f"{folder / CATALOG}: {message}; {advice}") from error
