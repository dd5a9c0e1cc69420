"""A checksum for each row of the catalogue, so that a damaged one is told and never answers.

Each is a CRC-32 of the row's other values, ids included, as a signed number, which the INTEGER of any
database holds.  The functions take the values in the order of the columns, as Python or SQLite has them.
SQLite itself notices damage only where it breaks the structure of a page.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from faces.errors import CollectionError

DAMAGED = "put back a copy of the collection, or delete its folder and index again"
REPAIR = "run `anotheryou reindex` and then `anotheryou index` on your folders"

# What Python says of values of another kind than they were stored as.
ODD = (ValueError, TypeError, AttributeError, KeyError, struct.error, NoResultFound, MultipleResultsFound)


def collection(
    id_: int,
    token: str,
    layout_id: int,
    detector: str,
    min_face: int,
    _generation: int,
    created: str,
    exclude: str = "",
) -> int:
    """Sum up the row about the collection.  Without the generation, which is counted up by the database; a
    wrong one only makes the file of vectors look out of date.  Without patterns as before there were any."""
    excluded = (exclude,) if exclude else ()
    return _crc(struct.pack("<3q", id_, layout_id, min_face), token, detector, created, *excluded)


def layout(
    id_: int,
    digest: str,
    crop_size: int,
    eye_y: float,
    nose_distance: float,
    dimension: int,
    description: Mapping[str, Any] | str,
) -> int:
    """Sum up a layout; the description as a mapping or its JSON."""
    content = json.loads(description) if isinstance(description, str) else description
    numbers = struct.pack("<3q2d", id_, crop_size, dimension, eye_y, nose_distance)
    return _crc(numbers, digest, json.dumps(content, sort_keys=True))


def photo(
    id_: int,
    path: str | bytes,
    size: int,
    mtime_ns: int,
    content: str | bytes | None,
    status: str,
    reason: str,
    width: int,
    height: int,
    too_small: int,
    min_face: int,
    taken: str | None = None,
    camera: str = "",
    date_ns: int = 0,
) -> int:
    """Sum up a photograph; the content's checksum as bytes or in hex.  Where ``taken`` is not known yet, as
    before it was kept."""
    numbers = struct.pack("<7q", id_, size, mtime_ns, width, height, too_small, min_face)
    digest = content.hex() if isinstance(content, bytes) else content or ""
    shot = () if taken is None else (taken, camera, str(date_ns))
    return _crc(numbers, os.fsdecode(path), digest, status, reason, *shot)


def face(
    id_: int,
    photo_id: int,
    left: float,
    top: float,
    right: float,
    bottom: float,
    landmarks: bytes,
    score: float,
) -> int:
    """Sum up a face's place."""
    return _crc(struct.pack("<2q5d", id_, photo_id, left, top, right, bottom, score) + landmarks)


def vector(_id: int, layout_id: int, face_id: int, packed: bytes) -> int:
    """Sum up a vector.  Without its own id, which nothing but the crop's refers to."""
    return _crc(struct.pack("<2q", layout_id, face_id) + packed)


def crop(id_: int, packed: bytes) -> int:
    """Sum up a crop."""
    return _crc(struct.pack("<q", id_) + packed)


def decision(id_: int, made: str, kind: str, details: str) -> int:
    """Sum up what somebody has said."""
    return _crc(struct.pack("<q", id_), made, kind, details)


@contextmanager
def checked(what: str, advice: str = DAMAGED) -> Iterator[Callable[[bool], None]]:
    """Turn what odd values make Python say into a CollectionError, and give a function that raises the same
    for what must be true."""

    def require(holds: bool) -> None:
        if not holds:
            raise ValueError(f"{what} does not fit its checksum")

    try:
        yield require
    except ODD as error:
        raise CollectionError(f"{what} is damaged in the catalogue; {advice}") from error


def _crc(packed: bytes, *texts: str) -> int:
    if texts:
        packed += "\0".join(texts).encode("utf-8", "surrogateescape")
    return zlib.crc32(packed) - (1 << 31)
