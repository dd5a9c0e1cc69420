"""Where the collection lies when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

from faces.errors import CollectionLockedError
from faces.progress import Progress
from index import Collection, CollectionWriter


def default_collection() -> Path:
    """The folder in ``ANOTHERYOU_COLLECTION``, or ``anotheryou/collection`` where a user's data is kept."""
    named = os.environ.get("ANOTHERYOU_COLLECTION")
    if named:
        return Path(named).expanduser()
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "anotheryou" / "collection"


def open_collection(folder: Path | str | None = None, *, progress: Progress | None = None) -> Collection:
    """Open an existing collection, the default one where no folder is named.

    Where its file of vectors is missing or damaged it is made again first, unless somebody is writing or
    the folder cannot be written; a search then is slower but answers the same.  Raises
    CollectionMissingError where there is no collection.
    """
    place = default_collection() if folder is None else Path(folder).expanduser()
    collection = Collection(place)
    with collection.snapshot() as snapshot:
        wanting = len(snapshot) > 0 and not snapshot.has_file
    if wanting:
        try:
            with CollectionWriter(place) as writer:
                writer.refresh_vectors(progress=progress)
        except (CollectionLockedError, OSError):
            pass  # slower, but right
    return collection
