"""New rows for the catalogue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from index import rows
from index.models import CollectionRow, CropRow, FaceRow, LayoutRow, PhotoRow, VectorRow
from index.records import FaceVector, Layout, NewPhoto


@dataclass(frozen=True, slots=True)
class NewCollection:
    """What a new collection is made with: the detector's name and the smallest face in pixels."""

    layout: Layout
    detector: str
    min_face: int


def bump(connection: Connection) -> None:
    """Note that faces or vectors have changed."""
    connection.execute(update(CollectionRow).values(generation=CollectionRow.generation + 1))


def insert_layout(connection: Connection, layout: Layout) -> int:
    """The id of this layout, which is added unless it is known."""
    known = select(LayoutRow.id).where(LayoutRow.digest == layout.digest)
    found = connection.execute(known).scalar()
    if found is not None:
        described = (
            update(LayoutRow).where(LayoutRow.id == found).values(description=dict(layout.description))
        )
        connection.execute(described)  # the same weights may lie in another folder now
        return found
    # Ids are not given out again: a file of vectors may still name the layout that had one before.
    newest = connection.execute(select(func.max(LayoutRow.id))).scalar() or 0
    connection.execute(
        insert(LayoutRow).values(
            id=newest + 1,
            digest=layout.digest,
            description=dict(layout.description),
            crop_size=layout.geometry.size,
            eye_y=layout.geometry.eye_y,
            nose_distance=layout.geometry.nose_distance,
            dimension=layout.dimension,
        )
    )
    return newest + 1


def insert_vector(connection: Connection, layout_id: int, face_id: int, stored: FaceVector) -> None:
    """Store a face as a layout has it; raises ValueError for a vector that float16 cannot hold."""
    vector = stored.vector.astype("<f2")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("a vector must be one row of finite numbers")
    row = insert(VectorRow).values(layout_id=layout_id, face_id=face_id, vector=vector.tobytes())
    row_id = connection.execute(row).lastrowid
    connection.execute(insert(CropRow).values(id=row_id, crop=stored.crop.tobytes()))


def insert_collection(connection: Connection, new: NewCollection) -> None:
    """The one row about the collection itself."""
    connection.execute(
        insert(CollectionRow).values(
            id=1,
            token=uuid.uuid4().hex,
            layout_id=insert_layout(connection, new.layout),
            detector=new.detector,
            min_face=new.min_face,
            generation=0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def insert_photo(connection: Connection, photo: NewPhoto, layout_id: int) -> None:
    """Store a photograph with its faces."""
    names = (
        "path",
        "size",
        "mtime_ns",
        "content",
        "status",
        "reason",
        "width",
        "height",
        "too_small",
        "min_face",
    )
    result = connection.execute(insert(PhotoRow).values({name: getattr(photo, name) for name in names}))
    photo_id = result.lastrowid
    for face in photo.faces:
        result = connection.execute(
            insert(FaceRow).values(
                photo_id=photo_id,
                box_left=face.box.left,
                box_top=face.box.top,
                box_right=face.box.right,
                box_bottom=face.box.bottom,
                landmarks=rows.pack_landmarks(face.landmarks),
                score=face.score,
            )
        )
        insert_vector(connection, layout_id, result.lastrowid, face.stored)
