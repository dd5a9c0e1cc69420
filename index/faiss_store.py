"""``vectors/``: the vectors of a collection on this machine's disk, searched by FAISS.

Segments hold them, files that never change.  New faces become a new segment, which takes in the ones before
it that are not much larger, so that a face is written again only as often as the collection doubles, and ten
new photographs cost as much as ten photographs.  ``manifest.json`` names the segments that count and the
catalogue's state that they show, and is replaced atomically: what it does not name does not count.

Up to ``FLAT`` faces every vector is compared.  Beyond that codes choose those worth it, segment by segment,
or a graphics card compares all.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from faces.files import write_durably
from faces.progress import Progress, underway
from faces.types import Bools, Floats, Halves, Ints
from index.gpu import MOST, GpuVectors, has_gpu, on_gpu
from index.segment import Segment, SegmentError, write_segment
from index.store import CatalogState, Read

VECTORS = "vectors"
_MANIFEST = "manifest.json"
_OF_BEFORE = "vectors.faiss"  # one file, made again for every change
# Comparing all vectors of so many faces takes some 5 ms on two cores, see docs/evaluation.md.
FLAT = 150_000
_MERGED = 2  # a segment is written again with new faces that are at least half as many
_GONE = 8  # ... or if one in so many of its faces is gone
_ROWS = 4096  # given at a time
_ATTEMPTS = 5


class FaissStore:
    """The store in a collection's folder, opened; see ``index.store.VectorStore``.

    ``only_alive``: no face in it was gone at the moment of ``state``.  ``checked``: read every byte first,
    whatever their number.  Raises SegmentError if it is missing or damaged.
    """

    def __init__(self, folder: Path, *, checked: bool = False) -> None:
        self._folder, self._searches = folder, 0
        for attempt in range(_ATTEMPTS):
            self.identity = identity_on_disk(folder)
            manifest = _read_manifest(folder)
            try:
                self.segments = [
                    Segment(folder / VECTORS / name, whole=checked) for name in manifest["segments"]
                ]
                break
            except SegmentError:
                # Somebody may just have replaced it.
                if attempt == _ATTEMPTS - 1 or identity_on_disk(folder) == self.identity:
                    raise
        self.state = CatalogState(**manifest["state"])
        self.newest: int = manifest["newest"]
        self.only_alive: bool = manifest["count"] == len(self)
        owner = _owner(self.state)
        if any(segment.owner != owner for segment in self.segments):
            raise SegmentError(f"{folder / VECTORS} holds vectors of another collection")

    @cached_property
    def _gpu(self) -> GpuVectors | None:
        return on_gpu(self.segments)

    def __len__(self) -> int:
        """The number of vectors, those of deleted faces included."""
        return sum(map(len, self.segments))

    @property
    def kind(self) -> str:
        """How it searches, in words."""
        if len(self) <= FLAT:
            return "every vector compared"
        coded = sum(len(segment) for segment in self.segments if segment.codes is not None)
        chosen = f"codes of {coded:,} choose which are compared (--exact: all of them)"
        return f"{chosen}; on the graphics card all, from the second search on" if has_gpu() else chosen

    def changed(self) -> bool:
        """Tell whether there is another one on the disk."""
        return identity_on_disk(self._folder) not in (None, self.identity)

    def search(self, queries: Floats, k: int, *, exact: bool) -> tuple[Floats, Ints]:
        """Find the k best; see ``VectorStore.search``."""
        if len(self) > FLAT:
            self._searches += 1
            # A single search would wait longer for the card than for the processor.
            if self._searches > 1 and k <= MOST and self._gpu is not None:
                return self._gpu.search(queries, k)
        exact = exact or len(self) <= FLAT
        return _best([segment.search(queries, k, exact=exact) for segment in self.segments], len(queries), k)

    def search_among(self, queries: Floats, k: int, ids: Ints) -> tuple[Floats, Ints]:
        """Find the k best of these faces; see ``VectorStore.search_among``."""
        found = []
        for segment in self.segments:
            wanted: Bools = np.isin(segment.ids, ids)
            if wanted.any():
                found.append(segment.search(queries, k, exact=True, wanted=wanted))
        return _best(found, len(queries), k)

    def vectors(self, ids: Ints) -> tuple[Ints, Halves] | None:
        """Give the vectors of these faces; see ``VectorStore.vectors``."""
        if not all(segment.checked for segment in self.segments):
            return None
        found: list[tuple[Ints, Halves]] = []
        for segment in self.segments:
            places = np.searchsorted(segment.ids, ids)
            here = segment.ids[np.minimum(places, len(segment) - 1)] == ids
            found.append((ids[here], segment.vectors[places[here]]))
        if not found:
            return None
        return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give everything, some at a time: ids (n,) and views (n, D) of the mapped vectors."""
        for segment in self.segments:
            for start in range(0, len(segment), _ROWS):
                part = slice(start, start + _ROWS)
                yield segment.ids[part], segment.vectors[part]


def open_store(folder: Path, *, checked: bool = False) -> FaissStore | None:
    """Open the store if it is there and undamaged."""
    try:
        return FaissStore(folder, checked=checked)
    except SegmentError:
        return None


def identity_on_disk(folder: Path) -> tuple[int, int, int] | None:
    """What tells whether the store was changed since it was opened; None if there is none."""
    try:
        status = (folder / VECTORS / _MANIFEST).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def remove_store(folder: Path) -> None:
    """Delete the store, so that nobody takes it for another state's."""
    (folder / _OF_BEFORE).unlink(missing_ok=True)
    if (folder / VECTORS).exists():
        (folder / VECTORS / _MANIFEST).unlink(missing_ok=True)
        _sync(folder / VECTORS)
        shutil.rmtree(folder / VECTORS)
        _sync(folder)


def bring_in_line(
    folder: Path,
    state: CatalogState,
    importance: Floats,
    ids: Ints,
    read: Read,
    *,
    clean: bool = False,
    afresh: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Make the store show exactly the faces ``ids`` (n,) int64 ascending; returns whether it was changed.

    What it lacks is read through ``read``; ``importance`` (D,) is as for ``Codes.of``.  Vectors of faces that
    are gone may stay for a while where no search shows them, unless ``clean``; ``afresh`` takes over nothing.
    Memory stays constant.  Raises OSError if something cannot be written; the store then is as before.
    """
    store = open_store(folder)
    before = [] if store is None else store.segments
    kept = before if store is not None and store.state.fits(state) and not afresh else []
    new = np.setdiff1d(ids, np.concatenate([np.empty(0, np.int64), *(segment.ids for segment in kept)]))
    dirty = False
    for segment in sorted(kept, key=len):
        gone = len(segment) - int(np.isin(segment.ids, ids, assume_unique=True).sum())
        if gone * _GONE > len(segment) or (clean and gone) or len(segment) <= _MERGED * len(new):
            kept = [other for other in kept if other is not segment]
            new = np.union1d(new, np.intersect1d(segment.ids, ids, assume_unique=True))
            dirty = True
    if store is not None and not dirty and not len(new) and store.state == state and not afresh:
        return False
    place = folder / VECTORS
    place.mkdir(mode=0o700, exist_ok=True)
    _tidy(place, {segment.name for segment in before})
    names = [segment.name for segment in kept]
    if len(new):
        with underway(progress, "Writing the vectors", len(new), "faces") as writing:

            def blocks() -> Iterator[tuple[Ints, Halves]]:
                for block in read(new):
                    yield block
                    writing.advance(len(block[0]))

            names.append(_free_name(place))
            write_segment(place / names[-1], _owner(state), len(new), importance, blocks())
    _write_manifest(place, state, ids, names)
    _tidy(place, set(names))
    return True


def _best(found: list[tuple[Floats, Ints]], queries: int, k: int) -> tuple[Floats, Ints]:
    """The k best of several answers to the same queries."""
    scores = np.concatenate([np.empty((queries, 0), np.float32), *(part for part, _ in found)], axis=1)
    ids = np.concatenate([np.empty((queries, 0), np.int64), *(part for _, part in found)], axis=1)
    order = np.lexsort((ids, -scores))[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)


def _owner(state: CatalogState) -> dict[str, object]:
    return {"token": state.token, "layout_id": state.layout_id}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / VECTORS / _MANIFEST
    try:
        checksum, text = path.read_bytes().split(b"\n", 1)
        if int(checksum, 16) != zlib.crc32(text):
            raise SegmentError(f"{path} is damaged")
        manifest: dict[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise SegmentError(f"{path}: {error}") from error
    return manifest


def _write_manifest(place: Path, state: CatalogState, ids: Ints, names: list[str]) -> None:
    content = {
        "state": asdict(state),
        "newest": int(ids.max(initial=0)),
        "count": len(ids),
        "segments": names,
    }
    text = json.dumps(content).encode()
    write_durably(place / _MANIFEST, b"%08x\n" % zlib.crc32(text) + text)
    _sync(place)


def _free_name(place: Path) -> str:
    numbers = [int(path.stem) for path in place.glob("*.faiss") if path.stem.isdecimal()]
    return f"{max(numbers, default=0) + 1:06}.faiss"


def _tidy(place: Path, names: set[str]) -> None:
    """Delete segments that do not count; readers that have them open keep them."""
    for path in place.glob("*.faiss"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make a rename or deletion outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
