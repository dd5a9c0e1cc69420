"""Find and open the collection that is meant."""

from __future__ import annotations

import os
from contextlib import suppress

from platformdirs import user_data_path

from faces.errors import CollectionError
from faces.progress import Progress
from index import Collection, CollectionWriter, Place, place_of


def default_collection() -> Place:
    """Give what ``ANOTHERYOU_COLLECTION`` names, or ``anotheryou/collection`` among the user's data.

    That is ``~/.local/share`` on Linux (or ``XDG_DATA_HOME``) and ``~/Library/Application Support`` on a Mac.
    """
    if named := os.environ.get("ANOTHERYOU_COLLECTION"):
        return place_of(named)
    return user_data_path("anotheryou", appauthor=False) / "collection"


def collection_place(named: Place | str | None) -> Place:
    """Give the place that is meant, a folder or an address; by default ``default_collection()``."""
    return default_collection() if named is None else place_of(named)


def open_collection(named: Place | str | None = None, *, progress: Progress | None = None) -> Collection:
    """Open an existing collection, the default one if none is named.

    If its file of vectors is missing or damaged it is made again first, unless somebody is writing or
    the folder cannot be written; a search then is slower but answers the same.  Raises
    CollectionMissingError if there is no collection, CollectionError if it cannot be read.
    """
    place = collection_place(named)
    collection = Collection(place)
    with collection.snapshot() as snapshot:
        wanting = not snapshot.is_empty and snapshot.store_kind is None
    if wanting:
        # Without it searches are slower, but right; readers tell if the catalogue itself is broken.
        with suppress(CollectionError, OSError), CollectionWriter(place) as writer:
            writer.refresh_vectors(progress=progress)
    return collection
