"""A set of paths that lies on disk, since one in memory grows with the number of photographs."""

from __future__ import annotations

import sqlite3

from index.models import storable


class PathSet:
    """Paths met so far; gone when closed."""

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
