"""Remove people from a collection."""

from __future__ import annotations

import os
from pathlib import Path

from faces.errors import CollectionError
from index import Collection, CollectionWriter, Place
from retrieval.location import collection_place
from retrieval.scan import is_gone


def count_known(path: Path | str, *, collection: Place | str | None = None) -> tuple[int, int]:
    """Count the (photographs, faces) at or below a path, gone or not, that ``forget`` would remove."""
    with Collection(collection_place(collection)) as opened, opened.snapshot() as snapshot:
        return snapshot.count_below(_real(path))


def forget(path: Path | str, *, collection: Place | str | None = None) -> tuple[int, int]:
    """Remove the faces of a photograph, or of all below a folder; returns (photographs, faces).

    What is removed is overwritten on disk; PostgreSQL only lets other rows overwrite it.  The photographs
    themselves are not touched.  The paths and checksums of those that still exist are kept, so that later
    runs over their folder leave them out; ``index_folders`` takes them back if it is given such a file
    itself, or ``include_forgotten``.  Of photographs that are gone nothing is kept: if they come back, they
    are taken in as new ones.  Raises CollectionError if the collection has nothing there.
    """
    place, photographs, faces = collection_place(collection), 0, 0
    with CollectionWriter(place) as writer:
        writer.wipe_deleted()
        for some in writer.below(_real(path)):
            gone = [known.id for known in some if is_gone(known.path)]
            faces += writer.forget([known.id for known in some])
            writer.remove(gone)
            photographs += len(some)
        if not photographs:
            raise CollectionError(f"the collection in {place} has no photograph at or below {path}")
        writer.refresh_vectors(clean=True)
        writer.empty_log()
    return photographs, faces


def _real(path: Path | str) -> str:
    """Give the path as the collection knows it."""
    return os.path.realpath(Path(path).expanduser())
