"""Between rows of the catalogue and plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

import numpy as np
from sqlalchemy import Connection, Row, Select, func, select

from faces.crop import CropGeometry
from faces.errors import CollectionError
from faces.types import Box, Ints, Landmarks
from index.models import CollectionRow, EncodingRow, FaceRow, FeatureRow, PhotoRow
from index.records import Encoding, KnownPhoto, Status, StoredFace, Summary
from index.vectorfile import Halves, Shown

Item = TypeVar("Item")
PhotoRows: TypeAlias = Select[int, str, int, int, str | None, str, str, int]

STREAMED = 256  # vectors read from the catalogue at a time, 8 MB
_ASKED = 500  # values in one IN (...)


def shown_state(connection: Connection) -> Shown:
    """The catalogue's present state, as a file of vectors would name it."""
    row = connection.execute(
        select(CollectionRow.token, CollectionRow.encoding_id, CollectionRow.generation)
    ).one()
    return Shown(row.token, row.encoding_id, row.generation)


def read_encoding(connection: Connection, encoding_id: int | None = None) -> Encoding:
    """The encoding with this id, or the one in use."""
    wanted = select(CollectionRow.encoding_id).scalar_subquery() if encoding_id is None else encoding_id
    row = connection.execute(select(EncodingRow.__table__).where(EncodingRow.id == wanted)).one()
    return Encoding(
        weights_id=row.weights_id,
        weights_name=row.weights_name,
        source=row.source,
        vocabulary={group: tuple(values) for group, values in row.vocabulary.items()},
        geometry=CropGeometry(row.crop_size, row.eye_y, row.nose_distance),
        dimension=row.dimension,
    )


def read_summary(connection: Connection) -> Summary:
    """How much the collection holds."""
    own = connection.execute(
        select(CollectionRow.detector, CollectionRow.min_face, CollectionRow.created)
    ).one()
    statuses = connection.execute(
        select(PhotoRow.status, func.count(), func.sum(PhotoRow.too_small)).group_by(PhotoRow.status)
    ).all()
    counts: dict[str, int] = {status: number for status, number, _ in statuses}
    return Summary(
        photos=counts.get(Status.OK, 0),
        skipped=counts.get(Status.SKIPPED, 0),
        forgotten=counts.get(Status.FORGOTTEN, 0),
        faces=connection.execute(select(func.count(FaceRow.id))).scalar_one(),
        too_small=sum(small for _, _, small in statuses),
        detector=own.detector,
        min_face=own.min_face,
        created=own.created,
        encoding=read_encoding(connection),
    )


def photos() -> PhotoRows:
    """Everything that ``KnownPhoto`` holds."""
    return select(
        PhotoRow.id,
        PhotoRow.path,
        PhotoRow.size,
        PhotoRow.mtime_ns,
        PhotoRow.content,
        PhotoRow.status,
        PhotoRow.reason,
        PhotoRow.min_face,
    )


def known_photo(row: Row[int, str, int, int, str | None, str, str, int]) -> KnownPhoto:
    """A row of ``photos()`` as a plain value."""
    return KnownPhoto(
        row.id, row.path, row.size, row.mtime_ns, row.content, Status(row.status), row.reason, row.min_face
    )


def face_ids(connection: Connection, encoding_id: int) -> Ints:
    """(n,) int64, ascending: the faces that have features of this encoding."""
    ids = connection.execute(
        select(FeatureRow.face_id).where(FeatureRow.encoding_id == encoding_id).order_by(FeatureRow.face_id)
    )
    return np.fromiter(ids.scalars(), np.int64)


def faces_of_photos(connection: Connection, photo_ids: Iterable[int]) -> Ints:
    """(n,) int64: the faces of these photographs."""
    found: list[int] = []
    for some in chunks(photo_ids, _ASKED):
        found += connection.execute(select(FaceRow.id).where(FaceRow.photo_id.in_(some))).scalars()
    return np.array(found, np.int64)


def all_vectors(
    connection: Connection, encoding_id: int, dimension: int, count: int = STREAMED
) -> Iterator[tuple[Ints, Halves]]:
    """Every face's vector in ascending order of the ids, ``count`` at a time."""
    rows = connection.execution_options(yield_per=count).execute(
        select(FeatureRow.face_id, FeatureRow.vector)
        .where(FeatureRow.encoding_id == encoding_id)
        .order_by(FeatureRow.face_id)
    )
    for part in rows.partitions():
        yield unpack([(face_id, vector) for face_id, vector in part], dimension)


def some_vectors(
    connection: Connection, encoding_id: int, dimension: int, ids: Ints
) -> Iterator[tuple[Ints, Halves]]:
    """The vectors of these faces, some at a time."""
    for some in chunks(ids.tolist(), STREAMED):
        rows = connection.execute(
            select(FeatureRow.face_id, FeatureRow.vector)
            .where(FeatureRow.encoding_id == encoding_id, FeatureRow.face_id.in_(some))
            .order_by(FeatureRow.face_id)
        )
        yield unpack([(face_id, vector) for face_id, vector in rows], dimension)


def unpack(rows: Sequence[tuple[int, bytes]], dimension: int) -> tuple[Ints, Halves]:
    """Ids (n,) int64 and vectors (n, D) float16 of rows; raises CollectionError for a vector cut short."""
    wrong = next((face_id for face_id, vector in rows if len(vector) != 2 * dimension), None)
    if wrong is not None:
        raise CollectionError(f"the features of face {wrong} are damaged; run `anotheryou reindex`")
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), dimension)
    return np.array([face_id for face_id, _ in rows], np.int64), vectors


def read_faces(connection: Connection, encoding_id: int, ids: Iterable[int]) -> Iterator[StoredFace]:
    """These faces with their photographs, in no particular order; unknown ids are left out."""
    for some in chunks(ids, _ASKED):
        rows = connection.execute(
            select(FaceRow.__table__, PhotoRow.path, FeatureRow.crop, FeatureRow.estimates)
            .add_columns(FeatureRow.canonical_distance)
            .join(PhotoRow, PhotoRow.id == FaceRow.photo_id)
            .join(FeatureRow, FeatureRow.face_id == FaceRow.id)
            .where(FeatureRow.encoding_id == encoding_id, FaceRow.id.in_(some))
        )
        for row in rows:
            crop = np.frombuffer(row.crop, np.uint8)
            side = round(len(crop) ** 0.5)
            yield StoredFace(
                id=row.id,
                photo_id=row.photo_id,
                path=row.path,
                box=Box(row.box_left, row.box_top, row.box_right, row.box_bottom),
                landmarks=unpack_landmarks(row.landmarks),
                score=row.score,
                crop=crop.reshape(side, side),
                estimates=dict(row.estimates),
                canonical_distance=row.canonical_distance,
            )


def pack_landmarks(landmarks: Landmarks) -> list[list[float] | None]:
    """Landmarks as the catalogue keeps them: left eye, right eye, nose base, chin or null."""
    points = (landmarks.left_eye, landmarks.right_eye, landmarks.nose_base, landmarks.chin)
    return [None if point is None else [float(point[0]), float(point[1])] for point in points]


def unpack_landmarks(points: Sequence[Sequence[float] | None]) -> Landmarks:
    """The reverse of ``pack_landmarks``."""
    left, right, nose, chin = (None if point is None else (point[0], point[1]) for point in points)
    if left is None or right is None or nose is None:
        raise CollectionError(
            "the catalogue has a face without landmarks; delete the collection and index again"
        )
    return Landmarks(left, right, nose, chin)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
