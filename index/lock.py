"""One process at a time may write to a collection."""

from __future__ import annotations

from pathlib import Path

from faces.claims import Lock
from faces.errors import CollectionLockedError

LOCK = "write.lock"


def lock_for_writing(folder: Path) -> Lock:
    """Hold a collection's folder until ``release()`` is called.

    Raises CollectionLockedError at once if another process holds it.
    """

    def busy(who: str) -> CollectionLockedError:
        return CollectionLockedError(
            f"{who} is writing to the collection in {folder}; wait until it has finished"
        )

    return Lock(folder / LOCK, busy)
