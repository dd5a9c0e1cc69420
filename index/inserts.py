"""New rows for the catalogue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from index import rows
from index.models import CollectionRow, EncodingRow, FaceRow, FeatureRow, PhotoRow
from index.records import Encoding, Features, NewPhoto


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new collection is made with."""

    encoding: Encoding
    detector: str
    min_face: int


def bump(connection: Connection) -> None:
    """Note that faces or features have changed."""
    connection.execute(update(CollectionRow).values(generation=CollectionRow.generation + 1))


def insert_encoding(connection: Connection, encoding: Encoding) -> int:
    """The id of this encoding, which is added where it is not known."""
    known = select(EncodingRow.id).where(EncodingRow.weights_id == encoding.weights_id)
    found = connection.execute(known).scalar()
    if found is not None:
        moved = {"weights_name": encoding.weights_name, "source": encoding.source}
        connection.execute(update(EncodingRow).where(EncodingRow.id == found).values(moved))
        return found
    # Ids are not given out again: a file of vectors may still name the encoding that had one before.
    newest = connection.execute(select(func.max(EncodingRow.id))).scalar() or 0
    connection.execute(
        insert(EncodingRow).values(
            id=newest + 1,
            weights_id=encoding.weights_id,
            weights_name=encoding.weights_name,
            source=encoding.source,
            vocabulary={group: list(values) for group, values in encoding.vocabulary.items()},
            crop_size=encoding.geometry.size,
            eye_y=encoding.geometry.eye_y,
            nose_distance=encoding.geometry.nose_distance,
            dimension=encoding.dimension,
        )
    )
    return newest + 1


def insert_features(connection: Connection, encoding_id: int, face_id: int, features: Features) -> None:
    """Store a face as an encoding sees it; raises ValueError for a vector that is not finite."""
    vector = features.vector.astype("<f2")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("a feature vector must be one row of finite numbers")
    connection.execute(
        insert(FeatureRow).values(
            encoding_id=encoding_id,
            face_id=face_id,
            estimates=dict(features.estimates),
            canonical_distance=features.canonical_distance,
            crop=features.crop.tobytes(),
            vector=vector.tobytes(),
        )
    )


def insert_collection(connection: Connection, beginning: Beginning) -> None:
    """The one row about the collection itself."""
    connection.execute(
        insert(CollectionRow).values(
            id=1,
            token=uuid.uuid4().hex,
            encoding_id=insert_encoding(connection, beginning.encoding),
            detector=beginning.detector,
            min_face=beginning.min_face,
            generation=0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def insert_photo(connection: Connection, photo: NewPhoto, encoding_id: int) -> None:
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
        insert_features(connection, encoding_id, result.lastrowid, face.features)
