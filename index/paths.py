"""Paths of photographs: a set of them that lies on disk, and the condition for those below a folder."""

from __future__ import annotations

import sqlite3

from sqlalchemy import ColumnElement, literal
from sqlalchemy.types import LargeBinary

from index.models import PhotoRow, storable


def at_or_below(path: str) -> ColumnElement[bool]:
    """Match the photographs at a path or below it; names that are no valid text sort apart, as bytes."""
    inside = path.rstrip("/") + "/"
    low, high = storable(inside), storable(inside[:-1] + "0")  # "0" follows "/"
    text = (PhotoRow.path >= low) & (PhotoRow.path < high)
    raw = low if isinstance(low, bytes) else low.encode()
    first, last = literal(raw, LargeBinary), literal(raw[:-1] + b"0", LargeBinary)
    return (PhotoRow.path == path) | text | ((PhotoRow.path >= first) & (PhotoRow.path < last))


class PathSet:
    """Paths met so far, on disk because their number is that of the photographs; gone when closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # SQLite's own temporary file
        self._database.execute("PRAGMA cache_size = -4000")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE paths (path PRIMARY KEY) WITHOUT ROWID")

    def add(self, path: str) -> bool:
        """Add a path; returns whether it is new."""
        command = "INSERT OR IGNORE INTO paths VALUES (?)"
        return self._database.execute(command, (storable(path),)).rowcount > 0

    def discard(self, path: str) -> None:
        """Take a path out again."""
        self._database.execute("DELETE FROM paths WHERE path = ?", (storable(path),))

    def __contains__(self, path: str) -> bool:
        query = "SELECT 1 FROM paths WHERE path = ?"
        return self._database.execute(query, (storable(path),)).fetchone() is not None

    def close(self) -> None:
        """Delete the set."""
        self._database.close()
