"""A collection as its readers see it: searchable, and consistent while somebody else writes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from sqlalchemy import Connection, func, select

from faces.types import Floats, Halves, Ints
from index import migrations, rows
from index.database import CATALOG, CatalogReader, missing, outdated
from index.models import FaceRow, PhotoRow
from index.paths import at_or_below
from index.records import KnownPhoto, Layout, Status, StoredFace, Summary
from index.search import Bools, Doubles, check_queries, in_blocks, merge, rescore, search_file
from index.vectorfile import CatalogState, VectorFile, VectorFileError, identity_on_disk


@dataclass(frozen=True, slots=True)
class _View:
    """How the file of vectors has to be read to show one state of the catalogue.

    ``file`` is None if there is none to be used; ``alive`` (n,) tells which of its rows still count, None
    all; ``added`` are the faces it does not have yet.
    """

    state: CatalogState
    file: VectorFile | None
    alive: Bools | None
    added: Ints


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
        self._catalog = CatalogReader(folder)
        self._view: _View | None = None
        with self._catalog.transaction() as connection:
            migrations.check_not_newer(connection)
            if not migrations.current(connection):
                raise missing(folder)
            if migrations.current(connection) < migrations.latest():
                raise outdated(folder)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Show one state of the collection, the same until the block ends."""
        with self._catalog.transaction() as connection:
            view = self._view = _look(self.folder, connection, self._view)
            yield Snapshot(connection, view)

    def search(
        self, queries: Floats, k: int, *, exclude_photo_ids: Iterable[int] = ()
    ) -> tuple[Doubles, Ints]:
        """As ``Snapshot.search``, on the newest state."""
        with self.snapshot() as snapshot:
            return snapshot.search(queries, k, exclude_photo_ids=exclude_photo_ids)

    def close(self) -> None:
        """Let go of the files."""
        self._view = None
        self._catalog.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Snapshot:
    """One state of a collection; made by ``Collection.snapshot``."""

    def __init__(self, connection: Connection, view: _View) -> None:
        self._connection = connection
        self._view = view
        self.layout: Layout = rows.read_layout(connection, view.state.layout_id)

    def __len__(self) -> int:
        """The number of faces."""
        view = self._view
        in_file = 0 if view.file is None else len(view.file) if view.alive is None else int(view.alive.sum())
        return in_file + len(view.added)

    @property
    def has_file(self) -> bool:
        """Tell whether there is a file of vectors that can be used."""
        return self._view.file is not None

    @property
    def whole_file(self) -> bool:
        """Whether the file of vectors shows exactly this state."""
        return self._view.file is not None and self._view.file.state == self._view.state

    def search(
        self,
        queries: Floats,
        k: int,
        *,
        exclude_photo_ids: Iterable[int] = (),
        among: Ints | None = None,
    ) -> tuple[Doubles, Ints]:
        """Find the k faces whose stored vectors have the largest inner product with each query, exactly.

        ``queries`` is (Q, D) float32; faces of the photographs in ``exclude_photo_ids`` are passed over,
        and so are those that are not ``among`` these ids, if some are given.
        Returns scores (Q, k') float64, largest first, and face ids (Q, k') int64, equal scores in the order
        of the ids; k' = min(k, faces that count).  Raises ValueError if the queries have another shape or
        type or are not finite.
        """
        check_queries(queries, k)
        dimension = self.layout.dimension
        if queries.shape[1] != dimension or queries.dtype != np.float32:
            raise ValueError(f"expected (Q, {dimension}) float32, got {queries.shape} {queries.dtype}")
        view, excluded = self._view, rows.faces_of_photos(self._connection, exclude_photo_ids)
        wanted, added = view.alive, view.added
        if len(excluded):
            added = added[~np.isin(added, excluded)]
            if view.file is not None:
                rest = ~np.isin(view.file.ids, excluded)
                wanted = rest if wanted is None else wanted & rest
        if among is not None:
            added = added[np.isin(added, among)]
            if view.file is not None:
                kept = np.isin(view.file.ids, among)
                wanted = kept if wanted is None else wanted & kept
        best: tuple[Doubles, Ints] = np.empty((len(queries), 0)), np.empty((len(queries), 0), np.int64)
        if view.file is not None:
            best = search_file(view.file, wanted, queries, k)
        for ids, vectors in rows.some_vectors(self._connection, view.state.layout_id, dimension, added):
            scores = np.stack([rescore(query, vectors) for query in queries])
            best = merge(best, (scores, np.broadcast_to(ids, scores.shape)), k)
        return best

    def vectors(self, ids: Sequence[int] | Ints) -> Halves:
        """Give the stored vectors of these faces, (n, D) float16, in this order.

        They come from the file of vectors as far as it has them.  Raises KeyError if an id is not there.
        """
        view, asked = self._view, np.asarray(ids, np.int64)
        found = np.empty((len(asked), self.layout.dimension), np.float16)
        missed = np.ones(len(asked), np.bool_)
        if view.file is not None:
            places, there = _places(view.file.ids, asked)
            if view.alive is not None:
                there[there] = view.alive[places[there]]
            found[there] = view.file.vectors[places[there]]
            missed = ~there
        unknown = np.setdiff1d(asked[missed], view.added)
        if len(unknown):
            raise KeyError(int(unknown[0]))
        layout_id, dimension = view.state.layout_id, self.layout.dimension
        for some, vectors in rows.some_vectors(
            self._connection, layout_id, dimension, np.unique(asked[missed])
        ):
            places, there = _places(some, asked)
            there &= missed
            found[there] = vectors[places[there]]
        return found

    def faces(self, ids: Sequence[int]) -> list[StoredFace]:
        """Give these faces, in this order; raises KeyError if an id is not there."""
        found = {face.id: face for face in rows.read_faces(self._connection, self._view.state.layout_id, ids)}
        return [found[face_id] for face_id in ids]

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give all faces, some at a time: ids (n,) int64 and vectors (n, D) float16."""
        view = self._view
        if view.file is not None:
            for rows_, part in in_blocks(view.file.vectors):
                alive = slice(None) if view.alive is None else view.alive[rows_]
                yield view.file.ids[rows_][alive], part[alive].astype(np.float16, copy=False)
        yield from rows.some_vectors(
            self._connection, view.state.layout_id, self.layout.dimension, view.added
        )

    def photos_like(self, path: str | None, content: str | None) -> list[int]:
        """Give the ids of the photographs at this path or with this content (SHA-256 of the file)."""
        found = select(PhotoRow.id).where((PhotoRow.path == path) | (PhotoRow.content == content))
        return list(self._connection.execute(found).scalars())

    def faces_of(self, path: str | None, content: str | None) -> list[StoredFace]:
        """Give the faces of a photograph with this content, the largest first; that at ``path`` if there are
        several.  An empty list if none is known or none has faces."""
        same = select(PhotoRow.id).join(FaceRow, FaceRow.photo_id == PhotoRow.id)
        wanted = same.where(PhotoRow.content == content).order_by(PhotoRow.path != path, PhotoRow.id).limit(1)
        photo_id = None if content is None else self._connection.execute(wanted).scalar()
        if photo_id is None:
            return []
        return self.faces(rows.faces_of_photos(self._connection, [photo_id]).tolist())

    def summary(self) -> Summary:
        """Sum up what the collection holds."""
        return rows.read_summary(self._connection)

    def count_below(self, path: str) -> tuple[int, int]:
        """Count the (photographs, faces) at this path or below it, without those already forgotten."""
        here = at_or_below(path) & (PhotoRow.status != Status.FORGOTTEN)
        photographs = select(func.count()).select_from(PhotoRow).where(here)
        faces = select(func.count()).select_from(FaceRow).join(PhotoRow).where(here)
        return self._connection.execute(photographs).scalar_one(), self._connection.execute(
            faces
        ).scalar_one()

    def photos(self, status: Status) -> Iterable[KnownPhoto]:
        """Give the photographs of one status, in the order of their paths."""
        found = rows.photos().where(PhotoRow.status == status).order_by(PhotoRow.path)
        return map(rows.known_photo, self._connection.execute(found))


def _look(folder: Path, connection: Connection, last: _View | None) -> _View:
    """How the file of vectors shows the state the connection sees; ``last`` is used again if it fits."""
    state = rows.catalog_state(connection)
    file = last.file if last is not None else None
    if file is None or identity_on_disk(folder) not in (None, file.identity):
        try:
            file = VectorFile(folder)
        except VectorFileError:
            file = None
    if file is not None and not _usable(file.state, state):
        file = None
    if last is not None and last.state == state and last.file is file:
        return last
    if file is not None and file.state == state:
        return _View(state, file, None, np.empty(0, np.int64))
    ids = rows.face_ids(connection, state.layout_id)
    if file is None:
        return _View(state, None, None, ids)
    alive = np.isin(file.ids, ids, assume_unique=True)
    added = ids[~np.isin(ids, file.ids, assume_unique=True)]
    return _View(state, file, None if alive.all() else alive, added)


def _places(ids: Ints, asked: Ints) -> tuple[Ints, Bools]:
    """Places (n,) of asked ids in ascending ones, and which of them are there at all."""
    places = np.searchsorted(ids, asked)
    there = places < len(ids)
    there[there] = ids[places[there]] == asked[there]
    return places, there


def _usable(file: CatalogState, catalogue: CatalogState) -> bool:
    """Whether a file's rows are the catalogue's: same collection, same layout.

    A file newer than the snapshot is usable as well: a face id keeps its vector for ever.
    """
    return file.token == catalogue.token and file.layout_id == catalogue.layout_id
