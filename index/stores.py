"""Which store holds a collection's vectors: FAISS's segments in a folder, or Milvus at an address."""

from __future__ import annotations

from pathlib import Path

from faces.progress import Progress
from faces.types import Ints
from index import faiss_store
from index.records import Layout
from index.store import CatalogState, Read, VectorStore


def open_store(where: Path | str, state: CatalogState, last: VectorStore | None) -> VectorStore | None:
    """Open the store that is of use for a state of the catalogue; ``last`` is used again if it is.

    A store that is newer than that lacks what was deleted in between.
    """
    if isinstance(where, str):
        from index import milvus

        fits = last is not None and last.state.fits(state)
        return last if fits and last is not None and not last.changed() else milvus.open_store(where, state)
    if last is None or last.changed():
        found = faiss_store.open_store(where)
        if found is not None and found.state.generation <= state.generation:
            last = found
    return last if last is not None and last.state.fits(state) else None


def drop_wrong(where: Path | str, now: CatalogState) -> None:
    """Delete a store that is damaged or of an older version, or shows another collection, or a future of this
    one (the catalogue was put back), since it could be taken for a right one later."""
    if isinstance(where, str):
        from index import milvus

        return milvus.drop_wrong(where, now)
    store = faiss_store.open_store(where, checked=True)
    if store is None or not store.state.fits(now) or store.state.generation > now.generation:
        faiss_store.remove_store(where)


def bring_in_line(
    where: Path | str,
    state: CatalogState,
    layout: Layout,
    ids: Ints,
    read: Read,
    *,
    clean: bool = False,
    afresh: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Make the store show exactly the faces ``ids`` (n,) int64 ascending; returns whether it was changed.

    What it lacks is read through ``read``.  ``clean``: leave nothing of the faces that are gone; ``afresh``:
    take over nothing.  Raises OSError if a file cannot be written, CollectionError if Milvus cannot be
    reached; the next call then goes on.
    """
    if isinstance(where, str):
        from index import milvus

        return milvus.bring_in_line(
            where, state, layout.dimension, ids, read, afresh=afresh, progress=progress
        )
    return faiss_store.bring_in_line(
        where, state, layout.importance, ids, read, clean=clean, afresh=afresh, progress=progress
    )
