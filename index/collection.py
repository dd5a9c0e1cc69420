"""A collection as its readers see it: searchable, and consistent while somebody else writes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, func, select

from faces.types import Floats, Halves, Ints
from index import migrations, rows
from index.database import CATALOG, missing, open_engine, outdated, reading
from index.models import FaceRow, PhotoRow
from index.records import KnownPhoto, Layout, Status, StoredFace, Summary
from index.search import Bools, Doubles, check_queries, in_blocks, merge, rescore, search_file
from index.vectorfile import CatalogState, VectorFile, identity_on_disk, open_vectors


@dataclass(frozen=True, slots=True)
class _View:
    """How the file of vectors has to be read to show one state of the catalogue."""

    state: CatalogState
    file: VectorFile | None  # None if there is none to be used
    alive: Bools  # (n,): which of its rows still count
    added: Ints  # the faces it does not have yet


class Collection:
    """An existing collection, opened for reading.

    Every ``snapshot`` shows one committed state of the catalogue, the newest at that moment.  The file of
    vectors may be older, damaged or missing: faces it lacks are read from the catalogue, and those deleted
    since are passed over, so that it only decides how fast a search is.  The folder may be read-only.

    Raises CollectionMissingError if the folder holds no collection, CollectionWeightsError if it has the
    tables of an older version, CollectionError if the catalogue cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / CATALOG).is_file():
            raise missing(folder)
        self._engine = open_engine(folder, writing=False)
        self._view: _View | None = None
        with reading(self._engine, folder) as connection:
            migrations.check_not_newer(connection)
            if not migrations.current(connection):
                raise missing(folder)
            if migrations.current(connection) < migrations.latest():
                raise outdated(folder)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Show one state of the collection, the same until the block ends."""
        with reading(self._engine, self.folder) as connection:
            self._view = _look(self.folder, connection, self._view)
            yield Snapshot(connection, self._view)

    def search(self, queries: Floats, k: int) -> tuple[Doubles, Ints]:
        """As ``Snapshot.search``, on the newest state."""
        with self.snapshot() as snapshot:
            return snapshot.search(queries, k)

    def close(self) -> None:
        """Let go of the files."""
        self._view = None
        self._engine.dispose()

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Snapshot:
    """One state of a collection; made by ``Collection.snapshot``."""

    def __init__(self, connection: Connection, view: _View) -> None:
        self._connection = connection
        self._view = view
        self._layout_id = view.state.layout_id
        self.layout: Layout = rows.read_layout(connection, self._layout_id)

    def __len__(self) -> int:
        """The number of faces."""
        return int(self._view.alive.sum()) + len(self._view.added)

    @property
    def has_file(self) -> bool:
        """Whether there is a file of vectors that can be used."""
        return self._view.file is not None

    @property
    def whole_file(self) -> bool:
        """Whether the file of vectors shows exactly this state."""
        return self._view.file is not None and self._view.file.state == self._view.state

    def search(
        self, queries: Floats, k: int, *, exclude_photo_ids: Iterable[int] = (), among: Ints | None = None
    ) -> tuple[Doubles, Ints]:
        """Find the k faces whose stored vectors have the largest inner product with each query, exactly.

        ``queries`` is (Q, D) float32; faces of the photographs in ``exclude_photo_ids`` are passed over,
        and so are those that are not ``among`` these ids, if some are given.  Returns scores (Q, k') float64,
        largest first, and face ids (Q, k') int64, equal scores in the order of the ids; k' = min(k, faces
        that count).  Raises ValueError if the queries have another shape or type or are not finite.
        """
        check_queries(queries, k)
        if queries.shape[1] != self.layout.dimension or queries.dtype != np.float32:
            expected = f"(Q, {self.layout.dimension}) float32"
            raise ValueError(f"expected {expected}, got {queries.shape} {queries.dtype}")
        view = self._view
        excluded = [*chain(*rows.faces_by_photo(self._connection, exclude_photo_ids).values())]

        def counts(ids: Ints) -> Bools:
            kept = np.isin(ids, excluded, invert=True)
            return kept if among is None else kept & np.isin(ids, among)

        best: tuple[Doubles, Ints] = np.empty((len(queries), 0)), np.empty((len(queries), 0), np.int64)
        if view.file is not None:
            best = search_file(view.file, view.alive & counts(view.file.ids), queries, k)
        for ids, vectors in self._read(view.added[counts(view.added)]):
            scores = np.stack([rescore(query, vectors) for query in queries])
            best = merge(best, (scores, np.broadcast_to(ids, scores.shape)), k)
        return best

    def vectors(self, ids: Sequence[int] | Ints) -> Halves:
        """Give the stored vectors of these faces, (n, D) float16, in this order; raises KeyError."""
        asked, view = np.asarray(ids, np.int64), self._view
        found: dict[int, Halves] = {}
        if view.file is not None:
            there = view.alive & np.isin(view.file.ids, asked)
            found = dict(zip(view.file.ids[there].tolist(), view.file.vectors[there], strict=True))
        for some, vectors in self._read(np.setdiff1d(asked, list(found))):
            found |= zip(some.tolist(), vectors, strict=True)
        in_order = [found[face_id] for face_id in asked.tolist()]
        return np.array(in_order, np.float16).reshape(len(asked), self.layout.dimension)

    def faces(self, ids: Sequence[int]) -> list[StoredFace]:
        """Give these faces, in this order; raises KeyError if an id is not there."""
        found = {face.id: face for face in rows.read_faces(self._connection, self._layout_id, ids)}
        return [found[face_id] for face_id in ids]

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give all faces, some at a time: ids (n,) int64 and vectors (n, D) float16."""
        view = self._view
        if view.file is not None:
            for places, part in in_blocks(view.file.vectors):
                alive = view.alive[places]
                yield view.file.ids[places][alive], part[alive].astype(np.float16, copy=False)
        yield from self._read(view.added)

    def photos_like(self, path: str | None, content: str | None) -> list[int]:
        """Give the ids of the photographs at this path or with this content (SHA-256 of the file)."""
        found = select(PhotoRow.id).where((PhotoRow.path == path) | (PhotoRow.content == content))
        return list(self._connection.execute(found).scalars())

    def faces_of(self, path: str | None, content: str | None) -> list[StoredFace]:
        """Give the faces of a photograph with this content, the largest first; that at ``path`` if there are
        several.  An empty list if none is known or none has faces."""
        same = select(PhotoRow.id).join(FaceRow, FaceRow.photo_id == PhotoRow.id)
        wanted = same.where(PhotoRow.content == content).order_by(PhotoRow.path != path, PhotoRow.id).limit(1)
        photo_ids = [] if content is None else list(self._connection.execute(wanted).scalars())
        return self.faces([*chain(*rows.faces_by_photo(self._connection, photo_ids).values())])

    def summary(self) -> Summary:
        """Sum up what the collection holds."""
        return rows.read_summary(self._connection)

    def count_below(self, path: str) -> tuple[int, int]:
        """Count the (photographs, faces) at this path or below it, without those already forgotten."""
        counted = select(func.count(PhotoRow.id.distinct()), func.count(FaceRow.id)).select_from(PhotoRow)
        here = rows.at_or_below(path) & (PhotoRow.status != Status.FORGOTTEN)
        photographs, faces = self._connection.execute(counted.outerjoin(FaceRow).where(here)).one()
        return photographs, faces

    def photos(self, status: Status) -> Iterable[KnownPhoto]:
        """Give the photographs of one status, in the order of their paths."""
        return rows.known_photos(self._connection, PhotoRow.status == status, order=PhotoRow.path)

    def _read(self, ids: Ints) -> Iterator[tuple[Ints, Halves]]:
        return rows.read_vectors(self._connection, self._layout_id, self.layout.dimension, ids)


def _look(folder: Path, connection: Connection, last: _View | None) -> _View:
    """How the file of vectors shows the state the connection sees; ``last`` is used again if it fits."""
    state = rows.catalog_state(connection)
    file = last.file if last is not None else None
    if file is None or identity_on_disk(folder) not in (None, file.identity):
        file = open_vectors(folder)
    # A file newer than the snapshot is usable as well: a face id keeps its vector for ever.
    if file is not None and not file.state.fits(state):
        file = None
    if last is not None and last.state == state and last.file is file:
        return last
    if file is not None and file.state == state:
        return _View(state, file, np.ones(len(file), np.bool_), np.empty(0, np.int64))
    ids = rows.face_ids(connection, state.layout_id)
    kept = np.empty(0, np.int64) if file is None else file.ids
    alive = np.isin(kept, ids, assume_unique=True)
    return _View(state, file, alive, ids[~np.isin(ids, kept, assume_unique=True)])
