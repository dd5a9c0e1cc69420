"""Numbered migrations of the catalogue: ``0001_begin.sql`` and whatever comes after it.

A published migration never changes.  In SQLite ``PRAGMA user_version`` holds the number of the last one
applied.  A catalogue in PostgreSQL is made from the models, with that number in a table of its own; from
0003 on, a migration has a twin for it, ``0003_name.postgresql.sql``.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, inspect, select, update

from faces.errors import CollectionError
from index import checksums
from index.models import Base

COMPLETE = 3
"""Catalogues from this migration on lack nothing that the later ones do not add by themselves."""

_NUMBER = Table("anotheryou_migrations", MetaData(), Column("number", Integer, nullable=False))


def latest() -> int:
    """The number of the newest migration."""
    return _migrations()[-1][0]


def current(connection: Connection) -> int:
    """The number of the last migration this database has seen; 0 for an empty one."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(_NUMBER.name):
        return 0
    return int(connection.execute(select(_NUMBER.c.number)).scalar_one())


def migrate(connection: Connection) -> None:
    """Bring the database up to date within the connection's transaction; raises as ``check_not_newer``."""
    check_not_newer(connection)
    done, dialect = current(connection), connection.dialect.name
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        raw.create_function("pack_landmarks", 1, _pack_landmarks, deterministic=True)
        raw.create_function("hex_bytes", 1, _hex_bytes, deterministic=True)
        for name in ("collection", "layout", "photo", "face", "vector", "crop"):  # for 0003
            raw.create_function(f"{name}_checksum", -1, getattr(checksums, name), deterministic=True)
    elif not done:
        Base.metadata.create_all(connection, checkfirst=False)
        _NUMBER.create(connection)
        connection.execute(insert(_NUMBER).values(number=latest()))
        return
    for number, script in _migrations(dialect):
        if number > done:
            for statement in _statements(script):
                connection.exec_driver_sql(statement)
            if dialect == "sqlite":
                connection.exec_driver_sql(f"PRAGMA user_version = {number}")
            else:
                connection.execute(update(_NUMBER).values(number=number))


def check_not_newer(connection: Connection) -> None:
    """Raise CollectionError if a newer version of the program made the database."""
    if current(connection) > latest():
        raise CollectionError(
            "this collection was made by a newer version of anotheryou; update the program to use it"
        )


def _pack_landmarks(text: str) -> bytes:
    """JSON points [x, y], of which the last may be null, as float32; for 0002."""
    numbers = [value for point in json.loads(text) if point is not None for value in point]
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _hex_bytes(text: str | None) -> bytes | None:
    """The bytes that hexadecimal digits mean; for 0002."""
    return None if text is None else bytes.fromhex(text)


def _migrations(dialect: str = "sqlite") -> list[tuple[int, str]]:
    """The numbers and scripts of a dialect, ascending; SQLite's names say no dialect."""
    ending = "sql" if dialect == "sqlite" else f"{dialect}.sql"
    scripts = [entry for entry in files(__name__).iterdir() if entry.name.partition(".")[2] == ending]
    return sorted((int(entry.name.split("_")[0]), entry.read_text("utf-8")) for entry in scripts)


def _statements(script: str) -> Iterator[str]:
    """The single statements: ``executescript`` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a migration ends within a statement: {statement.strip()[:60]!r}")
