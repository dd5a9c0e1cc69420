"""One process at a time may write to a collection."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock

from faces.claims import hold
from faces.errors import CollectionLockedError

LOCK = "write.lock"


def lock_for_writing(folder: Path) -> BaseFileLock:
    """Hold a collection's folder until ``release()`` is called.

    Raises CollectionLockedError at once if another process holds it.
    """

    def busy(who: str) -> CollectionLockedError:
        return CollectionLockedError(
            f"{who} is writing to the collection in {folder}; wait until it has finished"
        )

    return hold(folder / LOCK, busy)
