"""Between rows of the catalogue and plain values, both ways."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.types import LargeBinary

from faces.crop import CropGeometry
from faces.errors import CollectionError
from faces.types import Box, Halves, Ints, Landmarks
from index import checksums
from index.models import (
    Base,
    CollectionRow,
    CropRow,
    DecisionRow,
    FaceRow,
    LayoutRow,
    PhotoRow,
    VectorRow,
)
from index.place import Place
from index.records import (
    FaceVector,
    KnownPhoto,
    Layout,
    NewCollection,
    NewFace,
    NewPhoto,
    Status,
    StoredFace,
    Summary,
)
from index.store import CatalogState

Item = TypeVar("Item")

STREAMED = 4096  # vectors read from the catalogue at a time, some MB
ASKED = 500  # values in one IN (...), rows in one answer
COPYING = "copying "  # begins the token of a copy that is not complete yet, before that of its source
# What every search asks is made once: to put a question together takes SQLAlchemy longer than to ask it.
_THESE: BindParameter[Any] = bindparam("ids", expanding=True)
_OF_LAYOUT = VectorRow.layout_id == bindparam("layout_id")
_VECTORS = (
    select(VectorRow.__table__).where(_OF_LAYOUT, VectorRow.face_id.in_(_THESE)).order_by(VectorRow.face_id)
)
_STORED = (
    select(VectorRow.__table__, CropRow.crop, CropRow.checksum.label("crop_checksum"))
    .join(CropRow, CropRow.id == VectorRow.id, isouter=True)
    .where(_OF_LAYOUT)
)
_STORED_OF = _STORED.where(VectorRow.face_id.in_(_THESE))
_FACES = select(FaceRow.__table__).where(FaceRow.id.in_(_THESE))
_TOGETHER = select(FaceRow.photo_id, FaceRow.id).where(FaceRow.photo_id.in_(_THESE)).order_by(FaceRow.id)
_PHOTOS = select(PhotoRow.__table__).where(PhotoRow.id.in_(_THESE))
_PHOTO = [column.name for column in PhotoRow.__table__.columns][1:-1]  # but the id and the checksum


def catalog_state(connection: Connection) -> CatalogState:
    """The catalogue's present state, as a file of vectors would name it."""
    row = read_collection(connection)
    return CatalogState(row.token, row.layout_id, row.generation)


def read_collection(connection: Connection) -> Row[Any]:
    """The row about the collection itself."""
    with checksums.checked("the row about the collection") as require:
        row = connection.execute(select(CollectionRow.__table__)).one()
        require(checksums.collection(*row[:-1]) == row.checksum)
    return row


def update_collection(connection: Connection, **changes: Any) -> None:
    """Change the row about the collection."""
    values = read_collection(connection)._asdict() | changes
    del values["checksum"], values["generation"]
    changes["checksum"] = checksums.collection(_generation=0, id_=values.pop("id"), **values)
    connection.execute(update(CollectionRow).values(changes))


def check_complete(connection: Connection, place: Place) -> None:
    """Raise CollectionError for a copy that is not complete yet."""
    token = connection.execute(select(CollectionRow.token)).scalar()
    if token is not None and token.startswith(COPYING):
        raise CollectionError(
            f"the collection in {place} is an unfinished copy; run the same `anotheryou copy` again"
        )


def bump(connection: Connection) -> None:
    """Note that faces or vectors have changed."""
    connection.execute(update(CollectionRow).values(generation=CollectionRow.generation + 1))


def insert_collection(connection: Connection, new: NewCollection) -> None:
    """The one row about the collection itself."""
    values: dict[str, Any] = {
        "id": 1,
        "token": uuid.uuid4().hex,
        "layout_id": insert_layout(connection, new.layout),
        "detector": new.detector,
        "min_face": new.min_face,
        "generation": 0,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "exclude": "\n".join(new.exclude),
    }
    values["checksum"] = checksums.collection(*values.values())
    connection.execute(insert(CollectionRow).values(values))


def read_layout(connection: Connection, layout_id: int | None = None) -> Layout:
    """The layout with this id, or the one in use."""
    wanted = select(CollectionRow.layout_id).scalar_subquery() if layout_id is None else layout_id
    with checksums.checked("the layout of the vectors") as require:
        row = connection.execute(select(LayoutRow.__table__).where(LayoutRow.id == wanted)).one()
        require(checksums.layout(*row[:-1]) == row.checksum)
    geometry = CropGeometry(row.crop_size, row.eye_y, row.nose_distance)
    return Layout(row.digest, row.description, geometry, row.dimension)


def insert_layout(connection: Connection, layout: Layout) -> int:
    """The id of this layout, which is added unless it is known."""
    known = connection.execute(select(LayoutRow.id).where(LayoutRow.digest == layout.digest)).scalar()
    # Ids are not given out again: a file of vectors may still name the layout that had one before.
    newest = connection.execute(select(func.max(LayoutRow.id))).scalar() or 0
    layout_id: int = newest + 1 if known is None else known
    values: dict[str, Any] = {
        "id": layout_id,
        "digest": layout.digest,
        "crop_size": layout.geometry.size,
        "eye_y": layout.geometry.eye_y,
        "nose_distance": layout.geometry.nose_distance,
        "dimension": layout.dimension,
        "description": dict(layout.description),
    }
    values["checksum"] = checksums.layout(*values.values())
    if known is None:
        connection.execute(insert(LayoutRow).values(values))
    else:  # the same weights may lie in another folder now
        connection.execute(update(LayoutRow).where(LayoutRow.id == known).values(values))
    return layout_id


def read_summary(connection: Connection) -> Summary:
    """How much the collection holds."""
    own = read_collection(connection)
    counted = select(PhotoRow.status, func.count(), func.sum(PhotoRow.too_small)).group_by(PhotoRow.status)
    statuses = connection.execute(counted).all()
    with checksums.checked("a photograph's record"):
        counts = {Status(status): number for status, number, _ in statuses}
    return Summary(
        photos=counts.get(Status.OK, 0),
        skipped=counts.get(Status.SKIPPED, 0),
        forgotten=counts.get(Status.FORGOTTEN, 0),
        faces=connection.execute(select(func.count(FaceRow.id))).scalar_one(),
        too_small=int(sum(small for _, _, small in statuses)),
        detector=own.detector,
        min_face=own.min_face,
        exclude=tuple(own.exclude.splitlines()),
        created=own.created,
        layout=read_layout(connection),
    )


def known_photos(
    connection: Connection,
    condition: ColumnElement[bool],
    *,
    order: Sequence[Any] = (PhotoRow.id,),
    limit: int | None = None,
) -> Iterator[KnownPhoto]:
    """The photographs for which a condition holds."""
    wanted = select(PhotoRow.__table__).where(condition).order_by(*order).limit(limit)
    yield from _known(connection.execute(wanted))


def _known(found: Iterable[Any]) -> Iterator[KnownPhoto]:
    """Rows of photographs as plain values, compared with their checksums."""
    with checksums.checked("a photograph's record") as require:
        for row in found:
            require(checksums.photo(*row[:-1]) == row.checksum)
            require(bool(row.taken) or row.date_ns == row.mtime_ns)
            values = row._asdict()
            del values["checksum"], values["date_ns"]
            yield KnownPhoto(**values | {"status": Status(row.status)})


def at_or_below(path: str) -> ColumnElement[bool]:
    """Match the photographs at a path or below it; SQLite sorts names that are no valid text apart."""
    inside = path.rstrip("/") + "/"
    after = inside[:-1] + "0"  # "0" follows "/"
    text = (PhotoRow.path >= inside) & (PhotoRow.path < after)
    first, last = (literal(os.fsencode(edge), LargeBinary) for edge in (inside, after))
    return (PhotoRow.path == path) | text | ((PhotoRow.path >= first) & (PhotoRow.path < last))


def dated(since: str | None, until: str | None) -> ColumnElement[bool]:
    """Match the photographs from the beginning of one time on and before that of another.

    Both are beginnings of ISO 8601, ``2023`` or ``2023-07-14``, and go by ``NewPhoto.date``.
    """
    met: ColumnElement[bool] = true()
    by_file = func.coalesce(PhotoRow.taken, "") == ""
    if since is not None:
        met &= (~by_file & (PhotoRow.taken >= since)) | (by_file & (PhotoRow.mtime_ns >= _first_ns(since)))
    if until is not None:
        met &= (~by_file & (PhotoRow.taken < until)) | (by_file & (PhotoRow.mtime_ns < _first_ns(until)))
    return met


def _first_ns(time: str) -> int:
    """When a year, month or day begins on this machine's clock, in nanoseconds since 1970."""
    year, month, day = [*map(int, time.split("-")), 1, 1][:3]
    return round(datetime(year, month, day).timestamp()) * 10**9


def insert_photos(connection: Connection, photos: Sequence[NewPhoto], layout_id: int) -> None:
    """Store some hundred photographs with their faces."""
    photo_ids = _new_ids(connection, PhotoRow, len(photos))
    own = [[getattr(photo, name) for name in _PHOTO] for photo in photos]
    _insert(connection, PhotoRow, checksums.photo, zip(photo_ids, own, strict=True))
    faces = [(id_, face) for id_, photo in zip(photo_ids, photos, strict=True) for face in photo.faces]
    insert_faces(connection, faces, layout_id)


def insert_faces(connection: Connection, faces: Sequence[tuple[int, NewFace]], layout_id: int) -> list[int]:
    """Store some hundred faces, each with the id of its photograph, and give their ids."""
    face_ids = _new_ids(connection, FaceRow, len(faces))
    places = [
        [photo_id, *asdict(face.box).values(), pack_landmarks(face.landmarks), face.score]
        for photo_id, face in faces
    ]
    _insert(connection, FaceRow, checksums.face, zip(face_ids, places, strict=True))
    stored = [face.stored for _, face in faces]
    insert_vectors(connection, layout_id, list(zip(face_ids, stored, strict=True)))
    return face_ids


def insert_decision(connection: Connection, made: str, kind: str, details: str) -> int:
    """Store what somebody has said, and give its id."""
    (id_,) = _new_ids(connection, DecisionRow, 1)
    _insert(connection, DecisionRow, checksums.decision, [(id_, [made, kind, details])])
    return id_


def update_photos(connection: Connection, photos: Iterable[KnownPhoto]) -> None:
    """Write known photographs (by id) anew."""
    for photo in photos:
        values = {name: getattr(photo, name) for name in _PHOTO}
        values["checksum"] = checksums.photo(photo.id, *values.values())
        connection.execute(update(PhotoRow).where(PhotoRow.id == photo.id).values(values))


def insert_vectors(connection: Connection, layout_id: int, faces: Sequence[tuple[int, FaceVector]]) -> None:
    """Store some hundred faces (by id) as a layout has them; raises ValueError for a vector that float16
    cannot hold."""
    vectors = [stored.vector.astype("<f2") for _, stored in faces]
    if not all(vector.ndim == 1 and np.isfinite(vector).all() for vector in vectors):
        raise ValueError("a vector must be one row of finite numbers")
    ids = _new_ids(connection, VectorRow, len(faces))
    packed = [[layout_id, id_, vector.tobytes()] for (id_, _), vector in zip(faces, vectors, strict=True)]
    _insert(connection, VectorRow, checksums.vector, zip(ids, packed, strict=True))
    crops = [[stored.crop.tobytes()] for _, stored in faces]
    _insert(connection, CropRow, checksums.crop, zip(ids, crops, strict=True))


def _insert(
    connection: Connection,
    table: type[Base],
    checksum: Callable[..., int],
    rows: Iterable[tuple[int, list[Any]]],
) -> None:
    """Insert rows, each an id and the columns between it and the checksum."""
    names = [column.name for column in table.__table__.columns]
    made = [(id_, *values, checksum(id_, *values)) for id_, values in rows]
    if made:
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in made])


def _new_ids(connection: Connection, table: type[Base], count: int) -> list[int]:
    """Ids for new rows; those of photographs and faces were never used before."""
    name, key = table.__tablename__, table.__table__.c.id
    if connection.dialect.name == "postgresql":
        given = select(func.nextval(func.pg_get_serial_sequence(name, "id")))
        each = given.select_from(func.generate_series(1, count).table_valued("number"))
        return list(connection.execute(each).scalars())
    used = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
    with checksums.checked("the list of numbers used") as require:
        last = connection.exec_driver_sql(used, (name,)).scalar_one()
        largest = connection.execute(select(func.coalesce(func.max(key), 0))).scalar_one()
        require(isinstance(last, int) and isinstance(largest, int))
    return list(range(max(last, largest) + 1, max(last, largest) + 1 + count))


def face_ids(connection: Connection, layout_id: int, *, after: int = 0) -> Ints:
    """(n,) int64, ascending: the faces above an id, each of which has a vector of the layout in use.

    Raises CollectionError if one has none.
    """
    wanted = select(VectorRow.face_id).where(VectorRow.layout_id == layout_id, VectorRow.face_id > after)
    ids = np.fromiter(connection.execute(wanted.order_by(VectorRow.face_id)).scalars(), np.int64)
    with checksums.checked("a face's vector", checksums.REPAIR) as require:
        faces = select(func.count(FaceRow.id)).where(FaceRow.id > after)
        require(len(ids) == connection.execute(faces).scalar_one())
    return ids


def count_vectors(connection: Connection, layout_id: int) -> int:
    """The number of faces that have vectors of this layout."""
    counted = select(func.count(VectorRow.face_id)).where(VectorRow.layout_id == layout_id)
    return connection.execute(counted).scalar_one()


def has_no_vectors(connection: Connection, layout_id: int) -> bool:
    """Whether no face has a vector of this layout."""
    one = select(VectorRow.face_id).where(VectorRow.layout_id == layout_id).limit(1)
    return connection.execute(one).first() is None


def read_vectors(
    connection: Connection, layout_id: int, dimension: int, ids: Ints
) -> Iterator[tuple[Ints, Halves]]:
    """Ids (n,) int64 and vectors (n, D) float16 of these faces, ascending, ``STREAMED`` at a time.

    Faces that are not there any more are left out.  Raises CollectionError for one without a whole vector.
    """
    for start in range(0, len(ids), STREAMED):
        asked = ids[start : start + STREAMED].tolist()
        with checksums.checked("a face's vector", checksums.REPAIR) as require:
            part = connection.execute(_VECTORS, {"layout_id": layout_id, "ids": asked}).all()
            for id_, layout, face_id, vector, checksum in part:
                require(checksums.vector(id_, layout, face_id, vector) == checksum)
                require(len(vector) == 2 * dimension)
            if len(part) < len(asked):
                gone = set(asked).difference(row.face_id for row in part)
                require(connection.execute(select(FaceRow.id).where(FaceRow.id.in_(gone))).first() is None)
        packed = b"".join(row.vector for row in part)
        names = np.array([row.face_id for row in part], np.int64)
        yield names, np.frombuffer(packed, "<f2").reshape(len(part), dimension)


def read_faces(connection: Connection, layout_id: int, ids: Iterable[int]) -> Iterator[StoredFace]:
    """These faces with their photographs, in no particular order; raises as ``read_vectors`` does."""
    for some in chunks(set(ids), ASKED):
        with checksums.checked("the place of a face") as require:
            faces = connection.execute(_FACES, {"ids": some}).all()
            require(len(faces) == len(some))
            for *values, checksum in faces:
                require(checksums.face(*values) == checksum)
            photo_ids = list({face.photo_id for face in faces})
            photos = {one.id: one for one in _known(connection.execute(_PHOTOS, {"ids": photo_ids}))}
            together = faces_by_photo(connection, photo_ids)
            numbers = {face.id: together[face.photo_id].index(face.id) + 1 for face in faces}
            require(len(photos) == len(photo_ids))
        with checksums.checked("a face's vector or crop", checksums.REPAIR) as require:
            asked = {"layout_id": layout_id, "ids": some}
            stored = {row.face_id: row for row in connection.execute(_STORED_OF, asked)}
            require(len(stored) == len(some) and all(map(_intact, stored.values())))
        for face_id, photo_id, left, top, right, bottom, landmarks, score, _ in faces:
            kept = stored[face_id]
            crop = np.frombuffer(kept.crop, np.uint8)
            side = round(len(crop) ** 0.5)
            photo = photos[photo_id]
            yield StoredFace(
                id=face_id,
                photo_id=photo_id,
                path=photo.path,
                date=photo.date,
                dated_by=photo.dated_by,
                camera=photo.camera,
                number=numbers[face_id],
                count=len(together[photo_id]),
                box=Box(left, top, right, bottom),
                landmarks=unpack_landmarks(landmarks),
                score=score,
                crop=crop.reshape(side, side),
                vector=np.frombuffer(kept.vector, "<f2"),
            )


def drop_damaged(connection: Connection, layout_id: int) -> None:
    """Delete the vectors of a layout that are damaged or whose crops are, with these."""
    last = 0
    while True:
        further = _STORED.where(VectorRow.id > last).order_by(VectorRow.id).limit(ASKED)
        some = connection.execute(further, {"layout_id": layout_id}).all()
        if not some:
            break
        last = some[-1].id
        damaged = [row.id for row in some if not _intact(row)]
        if damaged:
            connection.execute(delete(VectorRow).where(VectorRow.id.in_(damaged)))


def _intact(row: Row[Any]) -> bool:
    """Tell whether a vector and its crop are as they were stored."""
    try:
        whole: bool = checksums.vector(row.id, row.layout_id, row.face_id, row.vector) == row.checksum
        return whole and checksums.crop(row.id, row.crop) == row.crop_checksum
    except checksums.ODD:
        return False


def faces_by_photo(connection: Connection, photo_ids: Iterable[int]) -> dict[int, list[int]]:
    """The faces of photographs, largest first: in the order in which they were stored."""
    together: dict[int, list[int]] = {}
    for some in chunks(photo_ids, ASKED):
        for photo_id, face_id in connection.execute(_TOGETHER, {"ids": some}):
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
