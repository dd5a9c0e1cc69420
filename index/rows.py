"""Between rows of the catalogue and plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

import numpy as np
from sqlalchemy import Connection, Row, Select, func, select

from faces.crop import CropGeometry
from faces.errors import CollectionError
from faces.types import Box, Halves, Ints, Landmarks
from index.models import CollectionRow, CropRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.records import KnownPhoto, Layout, Status, StoredFace, Summary
from index.vectorfile import CatalogState

Item = TypeVar("Item")
PhotoRows: TypeAlias = Select[int, str, int, int, str | None, str, str, int]

STREAMED = 4096  # vectors read from the catalogue at a time, some MB
_ASKED = 500  # values in one IN (...)


def catalog_state(connection: Connection) -> CatalogState:
    """The catalogue's present state, as a file of vectors would name it."""
    row = connection.execute(
        select(CollectionRow.token, CollectionRow.layout_id, CollectionRow.generation)
    ).one()
    return CatalogState(row.token, row.layout_id, row.generation)


def read_layout(connection: Connection, layout_id: int | None = None) -> Layout:
    """The layout with this id, or the one in use."""
    wanted = select(CollectionRow.layout_id).scalar_subquery() if layout_id is None else layout_id
    row = connection.execute(select(LayoutRow.__table__).where(LayoutRow.id == wanted)).one()
    geometry = CropGeometry(row.crop_size, row.eye_y, row.nose_distance)
    return Layout(row.digest, row.description, geometry, row.dimension)


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
        layout=read_layout(connection),
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


def face_ids(connection: Connection, layout_id: int) -> Ints:
    """(n,) int64, ascending: the faces that have vectors of this layout."""
    ids = connection.execute(
        select(VectorRow.face_id).where(VectorRow.layout_id == layout_id).order_by(VectorRow.face_id)
    )
    return np.fromiter(ids.scalars(), np.int64)


def faces_of_photos(connection: Connection, photo_ids: Iterable[int]) -> Ints:
    """(n,) int64: the faces of these photographs."""
    found: list[int] = []
    for some in chunks(photo_ids, _ASKED):
        found += connection.execute(select(FaceRow.id).where(FaceRow.photo_id.in_(some))).scalars()
    return np.array(found, np.int64)


def all_vectors(connection: Connection, layout_id: int, dimension: int) -> Iterator[tuple[Ints, Halves]]:
    """Every face's vector in ascending order of the ids, ``STREAMED`` at a time."""
    rows = connection.execution_options(yield_per=STREAMED).execute(
        select(VectorRow.face_id, VectorRow.vector)
        .where(VectorRow.layout_id == layout_id)
        .order_by(VectorRow.face_id)
    )
    for part in rows.partitions():
        yield unpack([(face_id, vector) for face_id, vector in part], dimension)


def some_vectors(
    connection: Connection, layout_id: int, dimension: int, ids: Ints
) -> Iterator[tuple[Ints, Halves]]:
    """The vectors of these faces, some at a time."""
    for some in chunks(ids.tolist(), STREAMED):
        rows = connection.execute(
            select(VectorRow.face_id, VectorRow.vector)
            .where(VectorRow.layout_id == layout_id, VectorRow.face_id.in_(some))
            .order_by(VectorRow.face_id)
        )
        yield unpack([(face_id, vector) for face_id, vector in rows], dimension)


def unpack(rows: Sequence[tuple[int, bytes]], dimension: int) -> tuple[Ints, Halves]:
    """Ids (n,) int64 and vectors (n, D) float16 of rows; raises CollectionError for a vector cut short."""
    wrong = next((face_id for face_id, vector in rows if len(vector) != 2 * dimension), None)
    if wrong is not None:
        raise CollectionError(f"the vector of face {wrong} is damaged; run `anotheryou reindex`")
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), dimension)
    return np.array([face_id for face_id, _ in rows], np.int64), vectors


def read_faces(connection: Connection, layout_id: int, ids: Iterable[int]) -> Iterator[StoredFace]:
    """These faces with their photographs, in no particular order; unknown ids are left out."""
    for some in chunks(ids, _ASKED):
        found = connection.execute(
            select(FaceRow.__table__, PhotoRow.path, CropRow.crop, VectorRow.vector)
            .join(PhotoRow, PhotoRow.id == FaceRow.photo_id)
            .join(VectorRow, VectorRow.face_id == FaceRow.id)
            .join(CropRow, CropRow.id == VectorRow.id)
            .where(VectorRow.layout_id == layout_id, FaceRow.id.in_(some))
        ).all()
        together = _faces_by_photo(connection, {row.photo_id for row in found})
        for row in found:
            crop = np.frombuffer(row.crop, np.uint8)
            side = round(len(crop) ** 0.5)
            beside = together[row.photo_id]
            yield StoredFace(
                id=row.id,
                photo_id=row.photo_id,
                path=row.path,
                number=beside.index(row.id) + 1,
                count=len(beside),
                box=Box(row.box_left, row.box_top, row.box_right, row.box_bottom),
                landmarks=unpack_landmarks(row.landmarks),
                score=row.score,
                crop=crop.reshape(side, side),
                vector=np.frombuffer(row.vector, "<f2"),
            )


def _faces_by_photo(connection: Connection, photo_ids: Iterable[int]) -> dict[int, list[int]]:
    """The faces of photographs, largest first: in the order in which they were stored."""
    together: dict[int, list[int]] = {}
    for some in chunks(photo_ids, _ASKED):
        found = select(FaceRow.photo_id, FaceRow.id).where(FaceRow.photo_id.in_(some)).order_by(FaceRow.id)
        for photo_id, face_id in connection.execute(found):
            together.setdefault(photo_id, []).append(face_id)
    return together


def pack_landmarks(landmarks: Landmarks) -> bytes:
    """Landmarks as the catalogue keeps them: left eye, right eye, nose base and, if known, chin."""
    points = [landmarks.left_eye, landmarks.right_eye, landmarks.nose_base]
    points += [] if landmarks.chin is None else [landmarks.chin]
    return np.array(points, "<f4").tobytes()


def unpack_landmarks(packed: bytes) -> Landmarks:
    """The reverse of ``pack_landmarks``, to a thousandth of a pixel."""
    if len(packed) not in (24, 32):
        raise CollectionError("the landmarks of a face are damaged; delete the collection and index again")
    numbers = [round(value, 3) for value in np.frombuffer(packed, "<f4").tolist()]
    left, right, nose, *chin = zip(numbers[::2], numbers[1::2], strict=True)
    return Landmarks(left, right, nose, chin[0] if chin else None)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
