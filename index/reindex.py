"""Making a collection's vectors again, with other weights or in another layout.

The new vectors grow beside the old ones, batch by batch, and are exchanged for them in one transaction at
the end: until then readers see the old ones, and an interrupted run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Exists, delete, exists, func, select, update

from index import rows
from index.inserts import bump, insert_layout, insert_vector
from index.models import CollectionRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.records import FaceVector, Layout, StoredFace
from index.writer import CollectionWriter


class Reindexing:
    """A collection on its way from the layout in use to another one."""

    def __init__(self, writer: CollectionWriter, layout: Layout) -> None:
        self._writer = writer
        with writer.transaction() as connection:
            self._old = connection.execute(select(CollectionRow.layout_id)).scalar_one()
            self._new = insert_layout(connection, layout)
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
            with self._writer.transaction() as connection:
                ids = list(
                    connection.execute(
                        select(FaceRow.id)
                        .where(FaceRow.id > last, ~self._done())
                        .order_by(FaceRow.id)
                        .limit(count)
                    ).scalars()
                )
                faces = list(rows.read_faces(connection, self._old, ids))
            if not ids:
                return
            last = ids[-1]
            yield sorted(faces, key=lambda face: face.id)

    def store(self, vectors: Sequence[tuple[int, FaceVector]]) -> None:
        """Store the new vectors of some faces (by id)."""
        with self._writer.transaction() as connection:
            for face_id, new in vectors:
                insert_vector(connection, self._new, face_id, new)

    def finish(self) -> int:
        """Put the new vectors in place of the old ones.

        Faces that have none are deleted, and their photographs marked for the next index run; returns the
        number of those photographs.  The catalogue shrinks if the disk has room for that.
        """
        with self._writer.transaction() as connection:
            lost = select(FaceRow.photo_id).where(~self._done())
            marked = connection.execute(
                update(PhotoRow).where(PhotoRow.id.in_(lost)).values(mtime_ns=-1, content=None)
            ).rowcount
            connection.execute(delete(FaceRow).where(~self._done()))
            connection.execute(update(CollectionRow).values(layout_id=self._new))
            _delete_layouts(connection, keep=(self._new,))
            bump(connection)
        self._writer.shrink()  # first, since the file of vectors may need that very space
        self._writer.refresh_vectors(always=True)
        return marked

    def _done(self) -> Exists:
        return exists().where(VectorRow.face_id == FaceRow.id, VectorRow.layout_id == self._new)


def _delete_layouts(connection: Connection, *, keep: tuple[int, ...]) -> None:
    connection.execute(delete(VectorRow).where(VectorRow.layout_id.not_in(keep)))
    connection.execute(delete(LayoutRow).where(LayoutRow.id.not_in(keep)))
