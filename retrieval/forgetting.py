"""Removing people from a collection."""

from __future__ import annotations

import os
from pathlib import Path

from faces.errors import CollectionError
from index import CollectionWriter
from retrieval.places import default_collection
from retrieval.scan import is_gone


def forget(path: Path | str, *, collection: Path | str | None = None) -> tuple[int, int]:
    """Remove the faces of a photograph, or of all below a folder; returns (photographs, faces).

    What is removed is overwritten on disk.  The photographs themselves are not touched.  The paths and
    checksums of those that still exist are kept, so that later runs over their folder leave them out;
    naming such a file itself to ``index_folders`` takes it in again.  Raises CollectionError where the
    collection has nothing there.
    """
    place = default_collection() if collection is None else Path(collection).expanduser()
    real = os.path.realpath(Path(path).expanduser())
    photographs = faces = 0
    with CollectionWriter(place) as writer:
        writer.wipe_deleted()
        for some in writer.below(real):
            gone = [known.id for known in some if is_gone(known.path)]
            faces += writer.forget([known.id for known in some])
            writer.remove(gone)
            photographs += len(some)
        if not photographs:
            raise CollectionError(f"the collection in {place} has no photograph at or below {path}")
        writer.refresh_vectors(always=True)
        writer.empty_log()
    return photographs, faces
