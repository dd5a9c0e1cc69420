"""The one process that may change a collection, and the change of all its vectors for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, Exists, delete, exists, func, select

from faces.progress import Progress
from index import migrations, rows
from index.database import database_at
from index.decisions import drop_names
from index.models import CollectionRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.place import Place, missing
from index.records import FaceVector, KnownPhoto, Layout, NewCollection, NewPhoto, Status, StoredFace
from index.stores import bring_in_line, drop_wrong
from index.thumbnails import Thumbnails


class CollectionWriter:
    """A collection, opened for writing; hold it no longer than needed, and close it.

    With a ``new`` the collection is made if there is none; one of an older version is brought up to date,
    without vectors until a reindex.  Every method that changes something is one transaction.  Raises
    CollectionLockedError if another process writes, CollectionMissingError if there is no collection,
    CollectionError if the catalogue cannot be used or the place holds other things.
    """

    def __init__(self, place: Place, new: NewCollection | None = None) -> None:
        self.place = place
        self._database = database_at(place)
        self._thumbnails = Thumbnails(place)
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._engine = self._stack.enter_context(self._database.writing(make=new is not None))
        try:
            with self.transaction() as connection:
                self._database.check(connection)
                migrations.migrate(connection)
                if connection.execute(select(CollectionRow.id)).first() is None:
                    if new is None:
                        raise missing(place)
                    rows.insert_collection(connection, new)
                rows.check_complete(connection, place)
                drop_wrong(self._database.vectors, rows.catalog_state(connection))
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

        So storing one twice changes nothing, also within ``photos``, where the last of a path counts.
        ``found_again`` are known ones (by id) whose path, size or time has changed, but not their content.
        """
        with self.transaction() as connection:
            rows.update_photos(connection, found_again)
            by_path = {photo.path: photo for photo in photos}
            old = delete(PhotoRow).where(PhotoRow.path.in_(list(by_path))).returning(PhotoRow.id)
            gone = list(connection.execute(old).scalars())
            layout = rows.read_collection(connection).layout_id
            rows.insert_photos(connection, list(by_path.values()), layout)
            if gone or any(photo.faces for photo in photos):
                rows.bump(connection)
        self._thumbnails.drop(gone)

    def remove(self, photo_ids: Sequence[int]) -> None:
        """Delete photographs, some hundred, with their faces."""
        with self.transaction() as connection:
            connection.execute(delete(PhotoRow).where(PhotoRow.id.in_(photo_ids)))
            rows.bump(connection)
        self._thumbnails.drop(photo_ids)

    def forget(self, photo_ids: Sequence[int]) -> int:
        """Delete the faces of some hundred photographs, keeping paths and checksums; returns their number."""
        with self.transaction() as connection:
            faces = connection.execute(delete(FaceRow).where(FaceRow.photo_id.in_(photo_ids))).rowcount
            known = list(rows.known_photos(connection, PhotoRow.id.in_(photo_ids)))
            drop_names(connection, [photo.content for photo in known if photo.content])
            blank = partial(replace, status=Status.FORGOTTEN, reason="", width=0, height=0, too_small=0)
            rows.update_photos(connection, map(blank, known))
            rows.bump(connection)
        self._thumbnails.drop(photo_ids)
        return faces

    def remember_detection(self, detector: str, min_face: int) -> None:
        """Note what a run detects with."""
        with self.transaction() as connection:
            rows.update_collection(connection, detector=detector, min_face=min_face)

    @property
    def excluded(self) -> tuple[str, ...]:
        """The patterns of what is left out; they can be set."""
        with self.transaction() as connection:
            return tuple(rows.read_collection(connection).exclude.splitlines())

    @excluded.setter
    def excluded(self, patterns: Sequence[str]) -> None:
        with self.transaction() as connection:
            rows.update_collection(connection, exclude="\n".join(patterns))

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
            where = self._database.vectors
            return bring_in_line(
                where, state, layout, ids, read, clean=clean, afresh=afresh, progress=progress
            )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction on the catalogue, rolled back if the block raises."""
        with self._database.plain_errors():
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                yield self._connection

    def wipe_deleted(self) -> None:
        """Overwrite what is deleted from now on; ``empty_log`` then also clears the database's log of it."""
        with self.transaction() as connection:
            self._database.wipe_deleted(connection)

    def empty_log(self) -> None:
        """Clear out what the database still keeps of deleted rows, as far as readers allow."""
        self._database.empty_log(self._engine)

    def shrink(self) -> None:
        """Give unused space back to the disk if it is much and there is room to do it."""
        self._database.shrink(self._engine)

    def close(self) -> None:
        """Give the collection back to other writers."""
        if self._connection is not None:
            self._connection.close()
        self._stack.close()

    def __enter__(self) -> CollectionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
            rows.insert_vectors(connection, self._new, vectors)

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
