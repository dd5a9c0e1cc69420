"""A collection as its readers see it: searchable, and consistent while somebody else writes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from sqlalchemy import Connection, func, select

from faces.types import Floats, Ints
from index import migrations, rows
from index.database import CATALOG, CatalogReader, missing
from index.exact import Best, Bools, Doubles, search_blocks, search_file
from index.models import FaceRow, PhotoRow
from index.paths import at_or_below
from index.records import Encoding, KnownPhoto, Status, StoredFace, Summary
from index.vectorfile import Shown, VectorFile, VectorFileError, identity_on_disk


@dataclass(frozen=True, slots=True)
class _View:
    """How the file of vectors has to be read to show one state of the catalogue.

    ``file`` is None if there is none to be used; ``alive`` (n,) tells which of its rows still count, None
    all; ``added`` are the faces it does not have yet.
    """

    shown: Shown
    file: VectorFile | None
    alive: Bools | None
    added: Ints


class Collection:
    """An existing collection, opened for reading.

    Every ``snapshot`` shows one committed state of the catalogue, the newest at that moment.  The file of
    vectors may be older, damaged or missing: faces it lacks are read from the catalogue, and those deleted
    since are passed over, so that it only decides how fast a search is.  The folder may be read-only.

    Raises CollectionMissingError if the folder holds no collection, CollectionError if the catalogue cannot
    be read.
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

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Show one state of the collection, the same until the block ends."""
        with self._catalog.transaction() as connection:
            view = self._view = _look(self.folder, connection, self._view)
            yield Snapshot(connection, view)

    def search(
        self, features: Floats, k: int, *, exclude_photo_ids: Sequence[int] = ()
    ) -> tuple[Doubles, Ints]:
        """Search the newest state, as ``Snapshot.search`` does."""
        with self.snapshot() as snapshot:
            return snapshot.search(features, k, exclude_photo_ids=exclude_photo_ids)

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
        self.encoding: Encoding = rows.read_encoding(connection, view.shown.encoding_id)

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
        """Tell whether the file of vectors shows exactly this state."""
        return self._view.file is not None and self._view.file.shown == self._view.shown

    def search(
        self, features: Floats, k: int, *, exclude_photo_ids: Sequence[int] = ()
    ) -> tuple[Doubles, Ints]:
        """Find the k nearest faces of each query, exactly, by Euclidean distance to the stored vectors.

        ``features`` is (Q, D) float32, L2-normalised as the stored ones are; faces of the photographs in
        ``exclude_photo_ids`` are passed over.  Returns distances (Q, k') float64 in [0, 2], ascending, and
        face ids (Q, k') int64, equal distances in the order of the ids; k' = min(k, faces that count).
        Raises ValueError if features have another shape or type, or are not finite.
        """
        self._check(features, k)
        view, excluded = self._view, rows.faces_of_photos(self._connection, exclude_photo_ids)
        wanted, added = view.alive, view.added
        if len(excluded):
            added = added[~np.isin(added, excluded)]
            if view.file is not None:
                rest = ~np.isin(view.file.ids, excluded)
                wanted = rest if wanted is None else wanted & rest
        in_file = 0 if view.file is None else len(view.file) if wanted is None else int(wanted.sum())
        best = Best(len(features), min(k, in_file + len(added)))
        if best.ids.size:
            if view.file is not None:
                search_file(best, features, view.file, wanted)
            dimension, encoding_id = self.encoding.dimension, view.shown.encoding_id
            search_blocks(best, features, rows.some_vectors(self._connection, encoding_id, dimension, added))
        return best.distances, best.ids

    def faces(self, ids: Sequence[int]) -> list[StoredFace]:
        """Give these faces, in this order; raises KeyError if an id is not there."""
        found = {
            face.id: face for face in rows.read_faces(self._connection, self._view.shown.encoding_id, ids)
        }
        return [found[face_id] for face_id in ids]

    def photos_like(self, path: str, content: str) -> list[int]:
        """Give the ids of the photographs at this path or with this content (SHA-256 of the file)."""
        found = select(PhotoRow.id).where((PhotoRow.path == path) | (PhotoRow.content == content))
        return list(self._connection.execute(found).scalars())

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

    def _check(self, features: Floats, k: int) -> None:
        dimension = self.encoding.dimension
        if features.ndim != 2 or features.shape[1] != dimension or features.dtype != np.float32:
            raise ValueError(f"expected (Q, {dimension}) float32, got {features.shape} {features.dtype}")
        if not np.isfinite(features).all():
            raise ValueError("features must be finite")
        if k < 1:
            raise ValueError("k must be at least 1")


def _look(folder: Path, connection: Connection, last: _View | None) -> _View:
    """Find how the file of vectors shows the connection's state; ``last`` is used again if it still fits."""
    shown = rows.shown_state(connection)
    file = last.file if last is not None else None
    if file is None or identity_on_disk(folder) not in (None, file.identity):
        try:
            file = VectorFile(folder)
        except VectorFileError:
            file = None
    if file is not None and not _usable(file.shown, shown):
        file = None
    if last is not None and last.shown == shown and last.file is file:
        return last
    if file is not None and file.shown == shown:
        return _View(shown, file, None, np.empty(0, np.int64))
    ids = rows.face_ids(connection, shown.encoding_id)
    if file is None:
        return _View(shown, None, None, ids)
    alive = np.isin(file.ids, ids, assume_unique=True)
    added = ids[~np.isin(ids, file.ids, assume_unique=True)]
    return _View(shown, file, None if alive.all() else alive, added)


def _usable(file: Shown, catalogue: Shown) -> bool:
    """Tell whether a file's rows are the catalogue's: same collection, same encoding.

    A file newer than the snapshot is usable as well: a face id keeps its vector for ever.
    """
    return file.token == catalogue.token and file.encoding_id == catalogue.encoding_id
