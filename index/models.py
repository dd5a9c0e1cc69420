"""The tables of ``catalog.sqlite``; ``migrations/`` creates them, a test holds both together."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class PathText(TypeDecorator[str]):
    """A path as text; one whose name is no valid UTF-8 as its bytes, so that nothing is lost."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else storable(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return os.fsdecode(value) if isinstance(value, bytes) else value


def storable(path: str) -> str | bytes:
    """The path as SQLite keeps it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


class Base(DeclarativeBase):
    """Root of the models."""


class CollectionRow(Base):
    """The one row about the collection itself.

    ``generation`` grows with every change of faces or features; ``token`` tells collections apart.
    """

    __tablename__ = "collection"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str]
    encoding_id: Mapped[int] = mapped_column(ForeignKey("encodings.id"))
    detector: Mapped[str]
    min_face: Mapped[int]
    generation: Mapped[int]
    created: Mapped[str]


class EncodingRow(Base):
    """Weights that made features; more than one only while a reindex is under way."""

    __tablename__ = "encodings"
    id: Mapped[int] = mapped_column(primary_key=True)
    weights_id: Mapped[str] = mapped_column(unique=True)
    weights_name: Mapped[str]
    source: Mapped[str]
    vocabulary: Mapped[dict[str, list[str]]] = mapped_column(JSON)
    crop_size: Mapped[int]
    eye_y: Mapped[float]
    nose_distance: Mapped[float]
    dimension: Mapped[int]


class PhotoRow(Base):
    """A photograph's file, as it was when it was read."""

    __tablename__ = "photos"
    __table_args__ = (Index("photos_by_size", "size"), Index("photos_by_content", "content"))
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    size: Mapped[int]
    mtime_ns: Mapped[int]
    content: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    too_small: Mapped[int]
    min_face: Mapped[int]


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
    landmarks: Mapped[list[list[float] | None]] = mapped_column(JSON)
    score: Mapped[float]


class FeatureRow(Base):
    """A face as one encoding sees it; never changed once written, only added and deleted.

    ``crop`` holds S*S grey bytes, ``vector`` D float16 numbers, little-endian.
    """

    __tablename__ = "features"
    __table_args__ = (UniqueConstraint("encoding_id", "face_id"), Index("features_by_face", "face_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    encoding_id: Mapped[int] = mapped_column(ForeignKey("encodings.id"))
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id", ondelete="CASCADE"))
    estimates: Mapped[dict[str, str]] = mapped_column(JSON)
    canonical_distance: Mapped[float]
    crop: Mapped[bytes] = mapped_column(LargeBinary)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
