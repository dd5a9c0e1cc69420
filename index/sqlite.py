"""Catalogues in SQLite: ``catalog.sqlite`` in the collection's folder.

SQLite keeps the newest changes in ``catalog.sqlite-wal`` while somebody writes, and needs
``catalog.sqlite-shm`` to read them.  It cannot make these files on a read-only disk.  Either both are there
(somebody is writing, or was killed), and SQLite reads them as always; or there are no newest changes, and
the catalogue can be read alone.  See https://www.sqlite.org/wal.html, "Read-Only Databases".
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from faces.claims import Lock
from faces.errors import CollectionError, CollectionLockedError
from index.checksums import DAMAGED
from index.place import missing

CATALOG = "catalog.sqlite"
_LOCK = "write.lock"
_WAIT_MS = 20_000  # for the short moments in which another process commits
_PAGE = 16384  # smaller ones are not filled as well by crops of 1 KB
_MUCH_UNUSED = 1 << 20  # bytes of the catalogue that are worth giving back
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


class SqliteFolder:
    """The catalogue in a folder, whose file of vectors lies beside it; see ``Database`` for the methods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectors: Path | str = folder

    def engine(self) -> Engine:
        if not (self.folder / CATALOG).is_file():
            raise missing(self.folder)
        return self._engine(writing=False)

    @contextmanager
    def reading(self, engine: Engine) -> Iterator[Connection]:
        """As ``Database`` says; on a read-only disk it also raises CollectionError if a writer was killed
        and not all of its files are there, or if somebody changed the catalogue meanwhile."""
        with self.plain_errors():
            with engine.connect() as connection:
                readable = _begins(connection)
                if readable:
                    if not connection.info.setdefault("checked", False):
                        self._check(connection, _CHECKED_READING)
                        connection.info["checked"] = True
                    yield connection
            if not readable:
                with _read_alone(self.folder) as connection:
                    yield connection

    @contextmanager
    def writing(self, *, make: bool) -> Iterator[Engine]:
        if make:
            _make_folder(self.folder)
        elif not (self.folder / CATALOG).is_file():
            raise missing(self.folder)
        lock, engine = Lock(self.folder / _LOCK, self._busy), self._engine(writing=True)
        try:
            yield engine
        finally:
            engine.dispose()
            lock.release()

    @contextmanager
    def beside(self) -> Iterator[Engine]:
        if not (self.folder / CATALOG).is_file():
            raise missing(self.folder)
        engine = self._engine(writing=True)
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        try:
            yield
        # sqlite3.Error while connecting; UnicodeDecodeError if SQLite quotes what is damaged in its message.
        except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
            message = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())[:120]
            # SQLite has other words if there is no room for the index of its log.
            if "I/O error" in message and shutil.disk_usage(self.folder).free < _SCARCE:
                message = "the disk is full"
            advice = next(advice for word, advice in _ADVICE if word in message)
            raise CollectionError(f"{self.folder / CATALOG}: {message}; {advice}") from error

    def check(self, connection: Connection) -> None:
        self._check(connection, _CHECKED_WRITING)

    def wipe_deleted(self, connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA secure_delete = ON")

    def empty_log(self, engine: Engine) -> None:
        """Move everything from SQLite's log into the catalogue itself, as far as readers allow."""
        self._alone(engine, "PRAGMA wal_checkpoint(TRUNCATE)")

    def shrink(self, engine: Engine) -> None:
        """Give unused pages of the catalogue back to the disk; SQLite does all of it or nothing."""
        names = ("page_count", "freelist_count", "page_size")
        pages, unused, size = (self._alone(engine, f"PRAGMA {name}") for name in names)
        if unused * size < _MUCH_UNUSED or unused < pages / 4:
            return
        if shutil.disk_usage(self.folder).free < 2 * (pages - unused) * size + _MUCH_UNUSED:
            return
        with suppress(CollectionError):
            self._alone(engine, "VACUUM")
            self.empty_log(engine)

    def size(self, connection: Connection) -> int:
        return sum(entry.stat().st_size for entry in self.folder.rglob("*") if entry.is_file())

    def _engine(self, *, writing: bool) -> Engine:
        """Open an engine on the catalogue.

        Transactions of a writing engine take SQLite's write lock when they begin; those of a reading one see
        the state of their first query until they end, whatever others write meanwhile.
        """
        address = URL.create("sqlite", database=str(self.folder / CATALOG))
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

    def _check(self, connection: Connection, largest: int) -> None:
        """Raise CollectionError if pages are damaged, unless they are too large (bytes) to read them."""
        if (self.folder / CATALOG).stat().st_size <= largest:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if found != "ok":
                told = f"{self.folder / CATALOG} is damaged ({' '.join(found.split())})"
                raise CollectionError(f"{told}; {DAMAGED}")

    def _busy(self, who: str) -> CollectionLockedError:
        what = f"{who} is writing to the collection in {self.folder}"
        return CollectionLockedError(f"{what}; wait until it has finished")

    def _alone(self, engine: Engine, command: str) -> int:
        """Run a command outside of any transaction, which SQLAlchemy would open for it; returns a number."""
        with self.plain_errors(), closing(engine.raw_connection()) as raw:
            try:
                cursor = raw.cursor()
                cursor.execute(command)
                found = cursor.fetchone()
                return int(found[0]) if found else 0
            except sqlite3.Error as error:  # which SQLAlchemy does not see
                raise CollectionError(f"{self.folder / CATALOG}: {error}") from error


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


def _file_state(folder: Path) -> tuple[int, ...]:
    """Numbers of which one changes whenever the catalogue's own file does."""
    status = (folder / CATALOG).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _make_folder(folder: Path) -> None:
    """Make the folder of a new collection, for its owner alone; an existing one must be empty or ours."""
    if folder.exists() and not folder.is_dir():
        raise CollectionError(f"{folder} is not a folder; name another one for the collection")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / CATALOG).exists():
        others = sorted(entry.name for entry in folder.iterdir() if entry.name != _LOCK)
        if others:
            raise CollectionError(
                f"{folder} holds other things ({others[0]}) and no collection; name an empty or a new folder"
            )
        (folder / CATALOG).touch(mode=0o600)
