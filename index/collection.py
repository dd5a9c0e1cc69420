"""A collection as its readers see it: searchable, and consistent while somebody else writes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, func, select

from faces.errors import CollectionLockedError
from faces.types import Box, Doubles, Floats, Halves, Ints
from index import migrations, rows
from index.database import database_at
from index.decisions import Decision, PlacedFace, read_decisions
from index.listing import Listing
from index.models import DecisionRow, FaceRow, PhotoRow
from index.place import Place, missing, outdated
from index.records import KnownPhoto, Layout, Status, StoredFace, Summary
from index.search import Ranked, best_of, check_queries, ranked
from index.store import CatalogState, StoreChangedError, VectorStore
from index.stores import open_store
from index.writer import CollectionWriter


@dataclass(frozen=True, slots=True)
class _View:
    """How the store of vectors has to be read to show one state of the catalogue."""

    state: CatalogState
    store: VectorStore | None  # None if there is none to be used
    added: Ints  # the faces it does not have yet

    @property
    def in_line(self) -> bool:
        return self.store is not None and self.store.state == self.state


class Collection:
    """An existing collection, opened for reading.

    Every ``snapshot`` shows one committed state of the catalogue, the newest at that moment.  The store of
    vectors may be older, damaged or missing: faces it lacks are read from the catalogue, and those deleted
    since are passed over, so that it only decides how fast a search is.  A folder may be read-only.

    A catalogue that only lacks what newer versions keep besides is brought up to date first, which needs a
    disk that can be written.  Raises CollectionMissingError if the place holds no collection,
    CollectionWeightsError if its vectors must be made again, CollectionError if the catalogue cannot be read.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._database = database_at(place)
        self._engine = self._database.engine()
        self._view: _View | None = None
        try:
            if migrations.COMPLETE <= self._version() < migrations.latest():
                with suppress(CollectionLockedError):  # whoever writes has done it
                    CollectionWriter(place).close()
            if self._version() < migrations.latest():
                raise outdated(place)
            with self._database.reading(self._engine) as connection:
                rows.check_complete(connection, place)
        except BaseException:
            self.close()
            raise

    def _version(self) -> int:
        """The number of the last migration; raises CollectionMissingError if there was none."""
        with self._database.reading(self._engine) as connection:
            migrations.check_not_newer(connection)
            version = migrations.current(connection)
        if not version:
            raise missing(self.place)
        return version

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Show one state of the collection, the same until the block ends."""
        with self._database.reading(self._engine) as connection:
            self._view = _look(self._database.vectors, connection, self._view)
            yield Snapshot(connection, self._view)

    def search(self, queries: Floats, k: int) -> tuple[Doubles, Ints]:
        """As ``Snapshot.search``, on the newest state."""
        with self.snapshot() as snapshot:
            return snapshot.search(queries, k)

    def size(self) -> int:
        """Count the bytes that the collection takes."""
        with self._database.reading(self._engine) as connection:
            return self._database.size(connection)

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
        return rows.count_vectors(self._connection, self._layout_id)

    @property
    def is_empty(self) -> bool:
        """Whether there is no face at all."""
        return rows.has_no_vectors(self._connection, self._layout_id)

    @property
    def token(self) -> str:
        """What tells this collection apart from all others."""
        return self._view.state.token

    @property
    def generation(self) -> tuple[int, int]:
        """What changes whenever faces come, go or are described anew."""
        return self._view.state.layout_id, self._view.state.generation

    @property
    def detector(self) -> str:
        """The name of the detector that found the faces."""
        return str(rows.read_collection(self._connection).detector)

    @property
    def store_kind(self) -> str | None:
        """How the store of vectors searches, in words; None if there is none that can be used."""
        return None if self._view.store is None else self._view.store.kind

    @property
    def in_line(self) -> bool:
        """Whether the store of vectors shows exactly this state."""
        return self._view.in_line

    def search(self, queries: Floats, k: int) -> tuple[Doubles, Ints]:
        """As ``best``, for several queries (Q, D): scores (Q, k') float64 and face ids (Q, k') int64."""
        check_queries(queries, k)
        found = [self.best(query, k) for query in queries]
        count = len(found[0].ids) if found else 0
        scores = np.array([one.scores for one in found]).reshape(len(found), count)
        return scores, np.array([one.ids for one in found], np.int64).reshape(len(found), count)

    def best(
        self,
        query: Floats,
        k: int,
        *,
        exclude_photo_ids: Iterable[int] = (),
        among: Ints | None = None,
        exact: bool = False,
    ) -> Ranked:
        """Find the k faces whose stored vectors have the largest inner product with a query (D,) float32.

        Faces of the photographs in ``exclude_photo_ids`` are passed over, and so are those that are not
        ``among`` these ids, if some are given.  The answer is exact, unless there are more than
        ``index.faiss_store.FLAT`` faces and neither ``exact`` nor ``among`` is given.  Fewer than k faces are
        found only if there are no more.  Raises ValueError if the query has another shape or type or is not
        finite.
        """
        check_queries(query[None], k)
        if len(query) != self.layout.dimension or query.dtype != np.float32:
            expected = f"({self.layout.dimension},) float32"
            raise ValueError(f"expected a query {expected}, got {query.shape} {query.dtype}")
        own = [*chain(*rows.faces_by_photo(self._connection, exclude_photo_ids).values())]
        excluded = np.array(sorted(own), np.int64)
        added = np.setdiff1d(self._view.added, excluded)
        if among is not None:
            among, added = np.setdiff1d(among, excluded), np.intersect1d(added, among)
        best = ranked(query, k, self._true_vectors(added[:0]))
        if (store := self._view.store) is not None:

            def ask(count: int) -> tuple[Floats, Ints]:
                if among is not None:
                    return store.search_among(query[None], count, among)
                return store.search(query[None], count, exact=exact)

            def read(ids: Ints) -> tuple[Ints, Halves]:
                wanted = np.setdiff1d(ids, excluded)
                known = store.vectors(wanted) if self.in_line and store.only_alive else None
                return known or self._true_vectors(wanted)

            try:
                best = best_of(ask, read, query, k, spare=len(excluded))
            except StoreChangedError:  # the catalogue alone still shows this state
                every = rows.face_ids(self._connection, self._layout_id)
                self._view = _View(self._view.state, None, every)
                return self.best(query, k, exclude_photo_ids=exclude_photo_ids, among=among)
        for block in self._read(added):
            best = ranked(query, k, (best.ids, best.vectors), block)
        return best

    def vectors(self, ids: Sequence[int] | Ints) -> Halves:
        """Give the stored vectors of these faces, (n, D) float16, in this order; raises KeyError."""
        asked = np.asarray(ids, np.int64)
        there, vectors = self._true_vectors(np.unique(asked))
        if len(lacking := np.setdiff1d(asked, there)):
            raise KeyError(int(lacking[0]))
        return vectors[np.searchsorted(there, asked)]

    def faces(self, ids: Sequence[int]) -> list[StoredFace]:
        """Give these faces, in this order; raises KeyError if an id is not there."""
        found = {face.id: face for face in rows.read_faces(self._connection, self._layout_id, ids)}
        return [found[face_id] for face_id in ids]

    def face(self, face_id: int) -> StoredFace | None:
        """Give a face; None if there is none of that id."""
        known = self._connection.execute(select(FaceRow.id).where(FaceRow.id == face_id)).first()
        return None if known is None else self.faces([face_id])[0]

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give all faces, some at a time: ids (n,) int64 and vectors (n, D) float16."""
        view = self._view
        if view.store is not None:
            here = None
            if not (view.in_line and view.store.only_alive):
                here = rows.face_ids(self._connection, self._layout_id)
            for ids, vectors in view.store.blocks():
                alive = slice(None) if here is None else np.isin(ids, here, assume_unique=True)
                yield ids[alive], vectors[alive]
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

    def faces_among(
        self, *, below: str | None = None, since: str | None = None, until: str | None = None
    ) -> Ints:
        """Give the ids (n,) int64, ascending, of the faces of photographs that meet all that is asked:
        ``below`` is a path, at which or below which they lie; ``since`` and ``until`` are as in
        ``rows.dated``."""
        wanted = select(FaceRow.id).join(PhotoRow).where(rows.dated(since, until)).order_by(FaceRow.id)
        if below is not None:
            wanted = wanted.where(rows.at_or_below(below))
        return np.fromiter(self._connection.execute(wanted).scalars(), np.int64)

    def photos(self, status: Status) -> Iterable[KnownPhoto]:
        """Give the photographs of one status, in the order of their paths."""
        return rows.known_photos(self._connection, PhotoRow.status == status, order=[PhotoRow.path])

    def photo(self, photo_id: int) -> KnownPhoto | None:
        """Give a photograph; None if there is none of that id."""
        return next(rows.known_photos(self._connection, PhotoRow.id == photo_id), None)

    def photo_of(self, face_id: int) -> int | None:
        """Give the id of a face's photograph; None if there is no such face."""
        found = self._connection.execute(select(FaceRow.photo_id).where(FaceRow.id == face_id)).scalar()
        return None if found is None else int(found)

    def faces_in(self, photo_id: int) -> list[StoredFace]:
        """Give the faces of a photograph, the largest first."""
        return self.faces(rows.faces_by_photo(self._connection, [photo_id]).get(photo_id, []))

    def placed_faces(self) -> list[PlacedFace]:
        """Give where all faces are, in the order of their ids."""
        wanted = (
            select(FaceRow.__table__, PhotoRow.path, PhotoRow.content).join(PhotoRow).order_by(FaceRow.id)
        )
        return [
            PlacedFace(row.id, row.photo_id, row.path, row.content or "", Box(*row[2:6]))
            for row in self._connection.execute(wanted)
        ]

    def decisions(self) -> list[Decision]:
        """Give what people have said of faces, the oldest first."""
        return read_decisions(self._connection)

    @property
    def said(self) -> tuple[int, ...]:
        """What changes whenever faces come or go, are described anew, or something is said of them."""
        last = self._connection.execute(select(func.coalesce(func.max(DecisionRow.id), 0))).scalar_one()
        return *self.generation, last

    def listing(self) -> Listing:
        """Give the photographs as pages show them: a piece at a time, by date and by folder."""
        return Listing(self._connection)

    def _read(self, ids: Ints) -> Iterator[tuple[Ints, Halves]]:
        return rows.read_vectors(self._connection, self._layout_id, self.layout.dimension, ids)

    def _true_vectors(self, ids: Ints) -> tuple[Ints, Halves]:
        """Those of some faces (n,) ascending that are there, with the catalogue's vectors."""
        blocks = [(np.empty(0, np.int64), np.empty((0, self.layout.dimension), np.float16)), *self._read(ids)]
        return np.concatenate([part for part, _ in blocks]), np.concatenate([part for _, part in blocks])


def _look(where: Path | str, connection: Connection, last: _View | None) -> _View:
    """How the store of vectors shows the state the connection sees; ``last`` is used again if it fits."""
    state = rows.catalog_state(connection)
    store = open_store(where, state, last.store if last is not None else None)
    if last is not None and last.state == state and last.store is store:
        return last
    if store is not None and store.state == state:
        return _View(state, store, np.empty(0, np.int64))
    after = 0 if store is None else store.newest
    return _View(state, store, rows.face_ids(connection, state.layout_id, after=after))
