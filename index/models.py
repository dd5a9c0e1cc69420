"""The tables of a catalogue.  In SQLite ``migrations/`` creates them, and a test holds both together.

The last column of each is the checksum of the others, see ``checksums``.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Dialect, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


class PathText(TypeDecorator[str]):
    """A path, of which nothing is lost if it is no valid UTF-8.

    SQLite keeps text, or bytes if it must, which it sorts behind all text; PostgreSQL keeps bytes always.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else LargeBinary())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "sqlite":
            with suppress(UnicodeEncodeError):
                value.encode()
                return value
        return os.fsencode(value)

    def process_result_value(self, value: Any, dialect: object) -> str | None:
        return os.fsdecode(value) if isinstance(value, bytes) else value


class HexBytes(TypeDecorator[str]):
    """Hexadecimal digits as the bytes they mean, which take half the room."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: object) -> str | None:
        return None if value is None else value.hex()


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger}  # SQLite's are that large anyway


class CollectionRow(Base):
    """The one row about the collection itself."""

    __tablename__ = "collection"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str]  # tells collections apart
    layout_id: Mapped[int] = mapped_column(ForeignKey("layouts.id"))
    detector: Mapped[str]
    min_face: Mapped[int]
    generation: Mapped[int]  # grows with every change of faces or features
    created: Mapped[str]
    exclude: Mapped[str]  # patterns of what is left out, a line each
    checksum: Mapped[int]


class LayoutRow(Base):
    """What vectors mean; more than one only while a reindex is under way."""

    __tablename__ = "layouts"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    crop_size: Mapped[int]
    eye_y: Mapped[float]
    nose_distance: Mapped[float]
    dimension: Mapped[int]
    description: Mapped[dict[str, Any]] = mapped_column(JSON)
    checksum: Mapped[int]


class PhotoRow(Base):
    """A photograph's file, as it was when it was read; the columns are the fields of ``KnownPhoto``."""

    __tablename__ = "photos"
    __table_args__ = (Index("photos_by_size", "size"), Index("photos_by_content", "content"))
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    size: Mapped[int]
    mtime_ns: Mapped[int]
    content: Mapped[str | None] = mapped_column(HexBytes)
    status: Mapped[str]
    reason: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    too_small: Mapped[int]
    min_face: Mapped[int]
    taken: Mapped[str | None]
    camera: Mapped[str]
    date_ns: Mapped[int]
    checksum: Mapped[int]


class FaceRow(Base):
    """Where a face is in its photograph; ids are never used twice."""

    __tablename__ = "faces"
    __table_args__ = (Index("faces_by_photo", "photo_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"))
    box_left: Mapped[float]
    box_top: Mapped[float]
    box_right: Mapped[float]
    box_bottom: Mapped[float]
    landmarks: Mapped[bytes] = mapped_column(LargeBinary)  # see ``rows.pack_landmarks``
    score: Mapped[float]
    checksum: Mapped[int]


class VectorRow(Base):
    """A face as one layout has it, D float16 numbers, little-endian; only ever added and deleted."""

    __tablename__ = "vectors"
    __table_args__ = (UniqueConstraint("face_id", "layout_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    layout_id: Mapped[int] = mapped_column(ForeignKey("layouts.id"))
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id", ondelete="CASCADE"))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int]


class CropRow(Base):
    """The crop that a vector was made from, S*S grey bytes; apart, since vectors are read all together."""

    __tablename__ = "crops"
    id: Mapped[int] = mapped_column(ForeignKey("vectors.id", ondelete="CASCADE"), primary_key=True)
    crop: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int]


class DecisionRow(Base):
    """What somebody has said of faces, see ``decisions``; only ever added to."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[str]
    kind: Mapped[str]
    details: Mapped[str]  # a JSON object
    checksum: Mapped[int]
