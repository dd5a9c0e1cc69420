"""Between rows of the catalogue and plain values, both ways."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, literal, select, update
from sqlalchemy.types import LargeBinary

from faces.crop import CropGeometry
from faces.errors import CollectionError
from faces.types import Box, Halves, Ints, Landmarks
from index.models import CollectionRow, CropRow, FaceRow, LayoutRow, PhotoRow, VectorRow, storable
from index.records import FaceVector, KnownPhoto, Layout, NewCollection, NewPhoto, Status, StoredFace, Summary
from index.store import CatalogState

Item = TypeVar("Item")

STREAMED = 4096  # vectors read from the catalogue at a time, some MB
ASKED = 500  # values in one IN (...), rows in one answer
_VECTORS = (  # made once: a search asks it some hundred faces
    select(VectorRow.face_id, VectorRow.vector)
    .where(
        VectorRow.layout_id == bindparam("layout_id"), VectorRow.face_id.in_(bindparam("ids", expanding=True))
    )
    .order_by(VectorRow.face_id)
)


def catalog_state(connection: Connection) -> CatalogState:
    """The catalogue's present state, as a file of vectors would name it."""
    named = select(CollectionRow.token, CollectionRow.layout_id, CollectionRow.generation)
    return CatalogState(*connection.execute(named).one())


def bump(connection: Connection) -> None:
    """Note that faces or vectors have changed."""
    connection.execute(update(CollectionRow).values(generation=CollectionRow.generation + 1))


def insert_collection(connection: Connection, new: NewCollection) -> None:
    """The one row about the collection itself."""
    values = {
        "id": 1,
        "token": uuid.uuid4().hex,
        "layout_id": insert_layout(connection, new.layout),
        "detector": new.detector,
        "min_face": new.min_face,
        "generation": 0,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    connection.execute(insert(CollectionRow).values(values))


def read_layout(connection: Connection, layout_id: int | None = None) -> Layout:
    """The layout with this id, or the one in use."""
    wanted = select(CollectionRow.layout_id).scalar_subquery() if layout_id is None else layout_id
    row = connection.execute(select(LayoutRow.__table__).where(LayoutRow.id == wanted)).one()
    geometry = CropGeometry(row.crop_size, row.eye_y, row.nose_distance)
    return Layout(row.digest, row.description, geometry, row.dimension)


def insert_layout(connection: Connection, layout: Layout) -> int:
    """The id of this layout, which is added unless it is known."""
    description = dict(layout.description)
    known = connection.execute(select(LayoutRow.id).where(LayoutRow.digest == layout.digest)).scalar()
    if known is not None:  # the same weights may lie in another folder now
        connection.execute(update(LayoutRow).where(LayoutRow.id == known).values(description=description))
        return known
    # Ids are not given out again: a file of vectors may still name the layout that had one before.
    newest = connection.execute(select(func.max(LayoutRow.id))).scalar() or 0
    values = {
        "id": newest + 1,
        "digest": layout.digest,
        "description": description,
        "crop_size": layout.geometry.size,
        "eye_y": layout.geometry.eye_y,
        "nose_distance": layout.geometry.nose_distance,
        "dimension": layout.dimension,
    }
    connection.execute(insert(LayoutRow).values(values))
    return newest + 1


def read_summary(connection: Connection) -> Summary:
    """How much the collection holds."""
    own = select(CollectionRow.detector, CollectionRow.min_face, CollectionRow.created)
    counted = select(PhotoRow.status, func.count(), func.sum(PhotoRow.too_small)).group_by(PhotoRow.status)
    statuses = connection.execute(counted).all()
    counts: dict[str, int] = {status: number for status, number, _ in statuses}
    return Summary(
        photos=counts.get(Status.OK, 0),
        skipped=counts.get(Status.SKIPPED, 0),
        forgotten=counts.get(Status.FORGOTTEN, 0),
        faces=connection.execute(select(func.count(FaceRow.id))).scalar_one(),
        too_small=sum(small for _, _, small in statuses),
        layout=read_layout(connection),
        **connection.execute(own).one()._asdict(),
    )


def known_photos(
    connection: Connection,
    condition: ColumnElement[bool],
    *,
    order: Any = PhotoRow.id,
    limit: int | None = None,
) -> Iterator[KnownPhoto]:
    """The photographs for which a condition holds."""
    wanted = select(PhotoRow.__table__).where(condition).order_by(order).limit(limit)
    for row in connection.execute(wanted):
        yield KnownPhoto(**{**row._asdict(), "status": Status(row.status)})


def at_or_below(path: str) -> ColumnElement[bool]:
    """Match the photographs at a path or below it; names that are no valid text sort apart, as bytes."""
    inside = path.rstrip("/") + "/"
    low, high = storable(inside), storable(inside[:-1] + "0")  # "0" follows "/"
    text = (PhotoRow.path >= low) & (PhotoRow.path < high)
    raw = low if isinstance(low, bytes) else low.encode()
    first, last = literal(raw, LargeBinary), literal(raw[:-1] + b"0", LargeBinary)
    return (PhotoRow.path == path) | text | ((PhotoRow.path >= first) & (PhotoRow.path < last))


def insert_photo(connection: Connection, photo: NewPhoto, layout_id: int) -> None:
    """Store a photograph with its faces."""
    columns = [name for name in PhotoRow.__table__.columns.keys() if name != "id"]  # noqa: SIM118
    values = {name: getattr(photo, name) for name in columns}
    photo_id = connection.execute(insert(PhotoRow).values(values)).lastrowid
    for face in photo.faces:
        place = {f"box_{side}": value for side, value in asdict(face.box).items()}
        place |= {"landmarks": pack_landmarks(face.landmarks), "score": face.score}
        face_id = connection.execute(insert(FaceRow).values(photo_id=photo_id, **place)).lastrowid
        insert_vector(connection, layout_id, face_id, face.stored)


def insert_vector(connection: Connection, layout_id: int, face_id: int, stored: FaceVector) -> None:
    """Store a face as a layout has it; raises ValueError for a vector that float16 cannot hold."""
    vector = stored.vector.astype("<f2")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("a vector must be one row of finite numbers")
    row = insert(VectorRow).values(layout_id=layout_id, face_id=face_id, vector=vector.tobytes())
    row_id = connection.execute(row).lastrowid
    connection.execute(insert(CropRow).values(id=row_id, crop=stored.crop.tobytes()))


def face_ids(connection: Connection, layout_id: int, *, after: int = 0) -> Ints:
    """(n,) int64, ascending: the faces above an id that have vectors of this layout."""
    wanted = select(VectorRow.face_id).where(VectorRow.layout_id == layout_id, VectorRow.face_id > after)
    return np.fromiter(connection.execute(wanted.order_by(VectorRow.face_id)).scalars(), np.int64)


def count_vectors(connection: Connection, layout_id: int) -> int:
    """The number of faces that have vectors of this layout."""
    counted = select(func.count(VectorRow.face_id)).where(VectorRow.layout_id == layout_id)
    return connection.execute(counted).scalar_one()


def has_no_vectors(connection: Connection, layout_id: int) -> bool:
    """Whether no face has a vector of this layout."""
    one = select(VectorRow.face_id).where(VectorRow.layout_id == layout_id).limit(1)
    return connection.execute(one).first() is None


def read_detector(connection: Connection) -> str:
    """The name of the detector that found the faces."""
    return connection.execute(select(CollectionRow.detector)).scalar_one()


def read_vectors(
    connection: Connection, layout_id: int, dimension: int, ids: Ints
) -> Iterator[tuple[Ints, Halves]]:
    """Ids (n,) int64 and vectors (n, D) float16 of these faces, ascending, ``STREAMED`` at a time.

    Raises CollectionError for a vector cut short.
    """
    for start in range(0, len(ids), STREAMED):
        asked = {"layout_id": layout_id, "ids": ids[start : start + STREAMED].tolist()}
        part = connection.execute(_VECTORS, asked).all()
        names = np.array([face_id for face_id, _ in part], np.int64)
        wrong = names[[len(vector) != 2 * dimension for _, vector in part]]
        if len(wrong):
            raise CollectionError(f"the vector of face {wrong[0]} is damaged; run `anotheryou reindex`")
        packed = b"".join(vector for _, vector in part)
        yield names, np.frombuffer(packed, "<f2").reshape(len(part), dimension)


def read_faces(connection: Connection, layout_id: int, ids: Iterable[int]) -> Iterator[StoredFace]:
    """These faces with their photographs, in no particular order; unknown ids are left out."""
    for some in chunks(ids, ASKED):
        found = connection.execute(
            select(FaceRow.__table__, PhotoRow.path, CropRow.crop, VectorRow.vector)
            .join(PhotoRow, PhotoRow.id == FaceRow.photo_id)
            .join(VectorRow, VectorRow.face_id == FaceRow.id)
            .join(CropRow, CropRow.id == VectorRow.id)
            .where(VectorRow.layout_id == layout_id, FaceRow.id.in_(some))
        ).all()
        together = faces_by_photo(connection, {row.photo_id for row in found})
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


def faces_by_photo(connection: Connection, photo_ids: Iterable[int]) -> dict[int, list[int]]:
    """The faces of photographs, largest first: in the order in which they were stored."""
    together: dict[int, list[int]] = {}
    for some in chunks(photo_ids, ASKED):
        found = select(FaceRow.photo_id, FaceRow.id).where(FaceRow.photo_id.in_(some)).order_by(FaceRow.id)
        for photo_id, face_id in connection.execute(found):
            together.setdefault(photo_id, []).append(face_id)
    return together


def pack_landmarks(landmarks: Landmarks) -> bytes:
    """Landmarks as x, y of left eye, right eye, nose base and, if known, chin: float32, little-endian."""
    points = (landmarks.left_eye, landmarks.right_eye, landmarks.nose_base, landmarks.chin)
    return np.array([point for point in points if point is not None], "<f4").tobytes()


def unpack_landmarks(packed: bytes) -> Landmarks:
    """The reverse of ``pack_landmarks``, to a thousandth of a pixel."""
    if len(packed) not in (24, 32):
        raise CollectionError("the landmarks of a face are damaged; delete the collection and index again")
    numbers = [round(value, 3) for value in np.frombuffer(packed, "<f4").tolist()]
    return Landmarks(*zip(numbers[::2], numbers[1::2], strict=True))


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
