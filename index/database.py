"""Connections to ``catalog.sqlite``: one way to open it, one way to tell what went wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from faces.errors import CollectionError

CATALOG = "catalog.sqlite"
_WAIT_MS = 20_000  # for the short moments in which another process commits
_PAGE = 8192  # a feature vector takes 32 KB; larger pages chain fewer of them


def open_engine(folder: Path, *, writing: bool) -> Engine:
    """An engine on a collection's catalogue.

    Transactions of a writing engine take SQLite's write lock when they begin; those of a reading one see
    the state of their first query until they end, whatever others write meanwhile.
    """
    # timeout: sqlite3's own wait, in seconds, for the statements before the pragmas below.
    engine = create_engine(
        URL.create("sqlite", database=str(folder / CATALOG)), connect_args={"timeout": _WAIT_MS / 1000}
    )

    def on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        pragmas = ["foreign_keys = ON", f"busy_timeout = {_WAIT_MS}"]
        if writing:
            pragmas = [f"page_size = {_PAGE}", "journal_mode = WAL", "synchronous = FULL", *pragmas]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what SQLite complains about into a CollectionError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        catalog, message = folder / CATALOG, str(error.orig)
        if "full" in message:
            advice = "free some space and run the same command again; nothing stored so far is lost"
        elif "locked" in message:
            advice = "another program is holding it; close that and try again"
        elif "malformed" in message or "not a database" in message:
            advice = "the catalogue is damaged: put back a copy, or delete the folder and index again"
        else:
            advice = "check that the folder can be read and written"
        raise CollectionError(f"{catalog}: {message}; {advice}") from error
