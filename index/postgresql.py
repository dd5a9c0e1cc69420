"""Catalogues in PostgreSQL, through psycopg 3; read only if the collection's place is an address."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, String, bindparam, create_engine, event, func, inspect, select
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from faces.errors import CollectionError, CollectionLockedError
from index import migrations
from index.models import Base
from index.place import Address

# The lock of the one writer is named by a number of ours and one that stands for the schema.
_LOCK = 0x616E6F74
_KEY = "%s, hashtext(coalesce(current_schema(), ''))"
_HOLDER = f"""
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_database ON database = oid
WHERE locktype = 'advisory' AND pg_database.datname = current_database() AND granted
AND (classid, objid) = (SELECT a, b::oid FROM (VALUES ({_KEY})) AS lock (a, b))
"""
_PATIENCE = 10  # seconds for a server to answer at first
_SILENT = 60  # seconds after which a machine that has vanished is asked for a sign of life
_ADVICE = (
    ("password", "put the right one into ~/.pgpass or the variable PGPASSWORD"),
    ('role "', "name a user that the server knows: postgresql://USER@HOST/DATABASE"),
    ("does not exist", "make the database first, with `createdb`, or name another one"),
    ("permission denied", "let this user create and change tables there, or name another database"),
    ("read-only", "name the server that takes changes, or search only"),
    ("No space left", "free some space on the server; then run the same command again, nothing is lost"),
    ("index row", "a photograph's path is longer than PostgreSQL can look up; shorten its folders' names"),
    ("resolve", "check the host's name in the address"),
    ("connection", "check the address, and that the server runs; then run the same command again"),
    ("", "see the server's log for more"),
)
"""What to do if PostgreSQL's message holds a word, the first that fits."""


class PostgresDatabase:
    """The catalogue in a database, or in a schema of it that ``search_path`` names; see ``Database``."""

    def __init__(self, address: Address) -> None:
        self.address, self.vectors = address, address.vectors

    def engine(self) -> Engine:
        # A server may have been started anew since the last search.
        return self._engine(pool_pre_ping=True, execution_options={"postgresql_readonly": True})

    @contextmanager
    def reading(self, engine: Engine) -> Iterator[Connection]:
        with self.plain_errors(), engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, make: bool) -> Iterator[Engine]:
        """As ``Database`` says: the lock belongs to the one connection, so that it ends with the process."""
        engine = self._engine(pool_size=1, max_overflow=0)
        event.listen(engine, "connect", self._lock)
        try:
            if make:
                with self.plain_errors(), engine.connect() as connection:
                    _check_room(connection)
            if isinstance(self.vectors, Path):
                self.vectors.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def beside(self) -> Iterator[Engine]:
        engine = self._engine(pool_size=1, max_overflow=0)
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            # While connecting, psycopg and libpq say a lot around the server's own words.
            message = str(error.orig).rpartition("FATAL:")[2].partition("\n")[0].strip()[:200]
            advice = next(advice for word, advice in _ADVICE if word in message)
            raise CollectionError(f"{self.address}: {message}; {advice}") from error

    def check(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL tells damaged pages itself, if its cluster has checksums."""

    def wipe_deleted(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL cannot overwrite; ``empty_log`` frees the rows for others' use."""

    def empty_log(self, engine: Engine) -> None:
        """Vacuum the tables, which lets new rows overwrite the deleted ones."""
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        apart = self._engine(isolation_level="AUTOCOMMIT")  # the writer's one connection is in use
        with self.plain_errors(), apart.connect() as connection:
            connection.exec_driver_sql(f"VACUUM {names}")
        apart.dispose()

    def shrink(self, engine: Engine) -> None:
        """Do nothing: PostgreSQL's autovacuum gives unused space to new rows."""

    def size(self, connection: Connection) -> int:
        tables = [table.name for table in Base.metadata.sorted_tables]
        sizes = select(func.pg_total_relation_size(bindparam("name", type_=String)))
        return sum(connection.execute(sizes, {"name": name}).scalar_one() for name in tables)

    def _engine(self, *, isolation_level: IsolationLevel = "REPEATABLE READ", **options: Any) -> Engine:
        named = f"anotheryou, process {os.getpid()} on {platform.node()}"
        settings = {"connect_timeout": _PATIENCE, "application_name": named}
        try:
            return create_engine(
                self.address.url, isolation_level=isolation_level, connect_args=settings, **options
            )
        except ImportError as error:
            raise CollectionError(
                f"{self.address}: what is needed for PostgreSQL is not installed; get it with "
                "pip install 'anotheryou[cluster]'"
            ) from error

    def _lock(self, connection: Any, _entry: ConnectionPoolEntry) -> None:
        """Lock the catalogue for this connection, a psycopg one that was just made."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_try_advisory_lock({_KEY})", (_LOCK,))
            held = cursor.fetchone()[0]
            if not held:
                cursor.execute(_HOLDER, (_LOCK,))
                holder = cursor.fetchone()
            cursor.execute(f"SET tcp_keepalives_idle = {_SILENT}")
        connection.commit()
        if not held:
            connection.close()
            who = holder[0] if holder and holder[0] else "another process"
            what = f"{who} is writing to the collection in {self.address}"
            raise CollectionLockedError(f"{what}; wait until it has finished")


def _check_room(connection: Connection) -> None:
    """Raise CollectionError if a new catalogue would not fit into the database."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise CollectionError(
            f"the database has the encoding {encoding}; make it anew with `createdb --encoding UTF8`"
        )
    taken = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
    if taken and not migrations.current(connection):
        raise CollectionError(
            f"the database holds other things (a table {taken[0]}) and no collection; name an empty one"
        )
