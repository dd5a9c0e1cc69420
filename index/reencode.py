"""Making a collection's features again with other weights.

The new features grow beside the old ones, batch by batch, and are exchanged for them in one transaction at
the end: until then readers see the old ones, and an interrupted run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Exists, delete, exists, func, select, update

from index import rows
from index.inserts import bump, insert_encoding, insert_features
from index.models import CollectionRow, EncodingRow, FaceRow, FeatureRow, PhotoRow
from index.records import Encoding, Features, StoredFace
from index.writer import CollectionWriter


class Reencoding:
    """A collection on its way from the encoding in use to another one."""

    def __init__(self, writer: CollectionWriter, encoding: Encoding) -> None:
        self._writer = writer
        with writer.transaction() as connection:
            self._old = connection.execute(select(CollectionRow.encoding_id)).scalar_one()
            self._new = insert_encoding(connection, encoding)
            # What an earlier run towards yet other weights has left behind.
            _delete_encodings(connection, keep=(self._old, self._new))

    @property
    def remaining(self) -> int:
        """The number of faces without new features."""
        with self._writer.transaction() as connection:
            return connection.execute(select(func.count(FaceRow.id)).where(~self._done())).scalar_one()

    def pending(self, count: int) -> Iterator[list[StoredFace]]:
        """The faces without new features, ``count`` at a time."""
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

    def store(self, features: Sequence[tuple[int, Features]]) -> None:
        """Store the new features of some faces (by id)."""
        with self._writer.transaction() as connection:
            for face_id, new in features:
                insert_features(connection, self._new, face_id, new)

    def finish(self) -> int:
        """Put the new features in place of the old ones.

        Faces that have none are deleted, and their photographs marked for the next index run; returns the
        number of those photographs.
        """
        with self._writer.transaction() as connection:
            lost = select(FaceRow.photo_id).where(~self._done())
            marked = connection.execute(
                update(PhotoRow).where(PhotoRow.id.in_(lost)).values(mtime_ns=-1, content=None)
            ).rowcount
            connection.execute(delete(FaceRow).where(~self._done()))
            connection.execute(update(CollectionRow).values(encoding_id=self._new))
            _delete_encodings(connection, keep=(self._new,))
            bump(connection)
        self._writer.refresh_vectors(always=True)
        return marked

    def _done(self) -> Exists:
        return exists().where(FeatureRow.face_id == FaceRow.id, FeatureRow.encoding_id == self._new)


def _delete_encodings(connection: Connection, *, keep: tuple[int, ...]) -> None:
    connection.execute(delete(FeatureRow).where(FeatureRow.encoding_id.not_in(keep)))
    connection.execute(delete(EncodingRow).where(EncodingRow.id.not_in(keep)))
