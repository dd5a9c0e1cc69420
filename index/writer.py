"""The one process that may change a collection, and the change of all its vectors for others."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Exists, delete, exists, func, select

from faces.claims import Lock
from faces.errors import CollectionError, CollectionLockedError
from faces.progress import Progress
from index import migrations, rows
from index.database import CATALOG, check_structure, missing, open_engine, plain_errors
from index.faiss_store import bring_in_line, open_store, remove_store
from index.models import CollectionRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.records import FaceVector, KnownPhoto, Layout, NewCollection, NewPhoto, Status, StoredFace

_LOCK = "write.lock"
_MUCH_UNUSED = 1 << 20  # bytes of the catalogue that are worth giving back


class CollectionWriter:
    """A collection, opened for writing; hold it no longer than needed, and close it.

    With a ``new`` the collection is made if there is none; one of an older version is brought up to date,
    without vectors until a reindex.  Every method that changes something is one transaction.  Raises
    CollectionLockedError if another process writes, CollectionMissingError if there is no collection,
    CollectionError if the catalogue cannot be used or the folder is not ours.
    """

    def __init__(self, folder: Path, new: NewCollection | None = None) -> None:
        self.folder = folder
        if new is not None:
            _make_folder(folder)
        elif not (folder / CATALOG).is_file():
            raise missing(folder)
        self._lock = Lock(folder / _LOCK, self._busy)
        self._engine = open_engine(folder, writing=True)
        self._connection: Connection | None = None
        try:
            with self.transaction() as connection:
                check_structure(connection, folder, writing=True)
                migrations.migrate(connection)
                if connection.execute(select(CollectionRow.id)).first() is None:
                    if new is None:
                        raise missing(folder)
                    rows.insert_collection(connection, new)
            self._drop_wrong_vectors()
        except BaseException:
            self.close()
            raise

    @property
    def layout(self) -> Layout:
        """The layout in use."""
        with self.transaction() as connection:
            return rows.read_layout(connection)

    @property
    def detection(self) -> tuple[str, int]:
        """The detector's name and the smallest face, in pixels, that the collection was last indexed with."""
        with self.transaction() as connection:
            row = rows.read_collection(connection)
        return row.detector, row.min_face

    def known(self, paths: Sequence[str]) -> dict[str, KnownPhoto]:
        """Give what the catalogue knows of these paths, at most some hundred."""
        with self.transaction() as connection:
            found = rows.known_photos(connection, PhotoRow.path.in_(paths))
            return {photo.path: photo for photo in found}

    def knows_size(self, size: int) -> bool:
        """Tell whether the catalogue has a file of this size, in bytes."""
        with self.transaction() as connection:
            return connection.execute(select(PhotoRow.id).where(PhotoRow.size == size)).first() is not None

    def of_content(self, content: str) -> list[KnownPhoto]:
        """Give up to 50 photographs with this content (SHA-256 in hex)."""
        with self.transaction() as connection:
            return list(rows.known_photos(connection, PhotoRow.content == content, limit=50))

    def below(self, path: str) -> Iterator[list[KnownPhoto]]:
        """Yield the photographs at this path or anywhere below it, some at a time."""
        last = 0
        while True:
            with self.transaction() as connection:
                further = rows.at_or_below(path) & (PhotoRow.id > last)
                some = list(rows.known_photos(connection, further, limit=rows.ASKED))
            if not some:
                return
            last = some[-1].id
            yield some

    def store(self, photos: Sequence[NewPhoto], found_again: Sequence[KnownPhoto] = ()) -> None:
        """Store photographs, some hundred, each in place of what is known under its path.

        ``found_again`` are known ones (by id) whose path, size or time has changed, but not their content.
        """
        with self.transaction() as connection:
            rows.update_photos(connection, found_again)
            old = delete(PhotoRow).where(PhotoRow.path.in_([photo.path for photo in photos]))
            gone = connection.execute(old).rowcount
            layout = rows.read_collection(connection).layout_id
            for photo in photos:
                rows.insert_photo(connection, photo, layout)
            if gone or any(photo.faces for photo in photos):
                rows.bump(connection)

    def remove(self, photo_ids: Sequence[int]) -> None:
        """Delete photographs, some hundred, with their faces."""
        with self.transaction() as connection:
            connection.execute(delete(PhotoRow).where(PhotoRow.id.in_(photo_ids)))
            rows.bump(connection)

    def forget(self, photo_ids: Sequence[int]) -> int:
        """Delete the faces of some hundred photographs, keeping paths and checksums; returns their number."""
        with self.transaction() as connection:
            faces = connection.execute(delete(FaceRow).where(FaceRow.photo_id.in_(photo_ids))).rowcount
            known = list(rows.known_photos(connection, PhotoRow.id.in_(photo_ids)))
            blank = partial(replace, status=Status.FORGOTTEN, reason="", width=0, height=0, too_small=0)
            rows.update_photos(connection, map(blank, known))
            rows.bump(connection)
        return faces

    def remember_detection(self, detector: str, min_face: int) -> None:
        """Note what a run detects with."""
        with self.transaction() as connection:
            rows.update_collection(connection, detector=detector, min_face=min_face)

    def remember_layout(self, layout: Layout) -> None:
        """Note what may change of the layout in use: where its weights lie, and what queries look at."""
        with self.transaction() as connection:
            rows.insert_layout(connection, layout)

    def refresh_vectors(
        self, *, clean: bool = False, afresh: bool = False, progress: Progress | None = None
    ) -> bool:
        """Bring the store of vectors in line with the catalogue; returns whether it was not.

        ``clean``: leave nothing of deleted faces on the disk; ``afresh``: make all of it again.  Memory stays
        constant.  Raises OSError if it cannot be written; the old store then stays.
        """
        with self.transaction() as connection:
            state = rows.catalog_state(connection)
            ids = rows.face_ids(connection, state.layout_id)
            layout = rows.read_layout(connection)
            read = partial(rows.read_vectors, connection, state.layout_id, layout.dimension)
            return bring_in_line(
                self.folder,
                state,
                layout.importance,
                ids,
                read,
                clean=clean,
                afresh=afresh,
                progress=progress,
            )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction on the catalogue, rolled back if the block raises."""
        with plain_errors(self.folder):
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                yield self._connection

    def wipe_deleted(self) -> None:
        """Overwrite what is deleted from now on; ``empty_log`` then also clears SQLite's log of it."""
        with self.transaction() as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")

    def empty_log(self) -> None:
        """Move everything from SQLite's log into the catalogue itself, as far as readers allow."""
        self._alone("PRAGMA wal_checkpoint(TRUNCATE)")

    def shrink(self) -> None:
        """Give unused pages of the catalogue back to the disk if they are many and there is room to do it.

        SQLite does all of it or nothing.  A failure is no error: a catalogue that is too large works as well.
        """
        names = ("page_count", "freelist_count", "page_size")
        pages, unused, size = (self._alone(f"PRAGMA {name}") for name in names)
        if unused * size < _MUCH_UNUSED or unused < pages / 4:
            return
        if shutil.disk_usage(self.folder).free < 2 * (pages - unused) * size + _MUCH_UNUSED:
            return
        with suppress(CollectionError):
            self._alone("VACUUM")
            self.empty_log()

    def close(self) -> None:
        """Give the collection back to other writers."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()
        self._lock.release()

    def __enter__(self) -> CollectionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _busy(self, who: str) -> CollectionLockedError:
        what = f"{who} is writing to the collection in {self.folder}"
        return CollectionLockedError(f"{what}; wait until it has finished")

    def _alone(self, command: str) -> int:
        """Run a command outside of any transaction, which SQLAlchemy would open for it; returns a number."""
        with plain_errors(self.folder), closing(self._engine.raw_connection()) as raw:
            try:
                cursor = raw.cursor()
                cursor.execute(command)
                found = cursor.fetchone()
                return int(found[0]) if found else 0
            except sqlite3.Error as error:  # which SQLAlchemy does not see
                raise CollectionError(f"{self.folder / CATALOG}: {error}") from error

    def _drop_wrong_vectors(self) -> None:
        """Delete a store of vectors that is damaged or of an older version, or shows another collection, or a
        future of this one (the catalogue was put back), since it could be taken for a right one later."""
        store = open_store(self.folder, checked=True)
        with self.transaction() as connection:
            now = rows.catalog_state(connection)
        if store is None or not store.state.fits(now) or store.state.generation > now.generation:
            remove_store(self.folder)


class Reindexing:
    """A collection on its way to other weights or another layout.

    The new vectors grow beside the old ones, batch by batch, and are exchanged for them in one transaction at
    the end: until then readers see the old ones, and an interrupted run goes on where it was.
    """

    def __init__(self, writer: CollectionWriter, layout: Layout) -> None:
        self._writer = writer
        with writer.transaction() as connection:
            self._old = rows.read_collection(connection).layout_id
            rows.drop_damaged(connection, self._old)  # nothing can be made of these but from the photographs
            self._new = rows.insert_layout(connection, layout)
            # What an earlier run towards yet other weights has left behind.
            _delete_layouts(connection, keep=(self._old, self._new))

    @property
    def remaining(self) -> int:
        """The number of faces without new vectors."""
        with self._writer.transaction() as connection:
            return connection.execute(select(func.count(FaceRow.id)).where(~self._done())).scalar_one()

    def pending(self, count: int) -> Iterator[list[StoredFace]]:
        """The faces without new vectors, ``count`` at a time."""
        last = 0
        while True:
            wanted = select(FaceRow.id).where(FaceRow.id > last, ~self._done(), self._has(self._old))
            with self._writer.transaction() as connection:
                ids = connection.execute(wanted.order_by(FaceRow.id).limit(count)).scalars().all()
                faces = list(rows.read_faces(connection, self._old, ids))
            if not ids:
                return
            last = ids[-1]
            yield sorted(faces, key=lambda face: face.id)

    def store(self, vectors: Sequence[tuple[int, FaceVector]]) -> None:
        """Store the new vectors of some faces (by id)."""
        with self._writer.transaction() as connection:
            for face_id, new in vectors:
                rows.insert_vector(connection, self._new, face_id, new)

    def finish(self) -> int:
        """Put the new vectors in place of the old ones.

        Faces that have none are deleted, and their photographs marked for the next index run; returns the
        number of those photographs.  The catalogue shrinks if the disk has room for that.
        """
        with self._writer.transaction() as connection:
            lost = PhotoRow.id.in_(select(FaceRow.photo_id).where(~self._done()))
            known = list(rows.known_photos(connection, lost))
            rows.update_photos(connection, [replace(photo, mtime_ns=-1, content=None) for photo in known])
            connection.execute(delete(FaceRow).where(~self._done()))
            rows.update_collection(connection, layout_id=self._new)
            _delete_layouts(connection, keep=(self._new,))
            rows.bump(connection)
        self._writer.shrink()  # first, since the file of vectors may need that very space
        self._writer.refresh_vectors(clean=True)
        return len(known)

    def _done(self) -> Exists:
        return self._has(self._new)

    def _has(self, layout_id: int) -> Exists:
        return exists().where(VectorRow.face_id == FaceRow.id, VectorRow.layout_id == layout_id)


def _delete_layouts(connection: Connection, *, keep: tuple[int, ...]) -> None:
    connection.execute(delete(VectorRow).where(VectorRow.layout_id.not_in(keep)))
    connection.execute(delete(LayoutRow).where(LayoutRow.id.not_in(keep)))


def _make_folder(folder: Path) -> None:
    """Make the folder of a new collection, for its owner alone; an existing one must be empty or ours."""
    if folder.exists() and not folder.is_dir():
        raise CollectionError(f"{folder} is not a folder; name another one for the collection")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / CATALOG).exists():
        others = sorted(entry.name for entry in folder.iterdir() if entry.name != _LOCK)
        if others:
            raise CollectionError(
                f"{folder} holds other things ({others[0]}) and no collection; name an empty or a new folder"
            )
        (folder / CATALOG).touch(mode=0o600)
