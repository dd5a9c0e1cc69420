"""What people have said of faces: rows that are only ever added, so that each can be taken back.

A face is named by its photograph and its place in it, not by its number: so what was said outlives that a
photograph is moved, read again, or described by other weights.  What decisions mean is known to
``retrieval.decisions``; here they are a kind and details, and ``FacesByName`` finds the faces again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, select, update

from faces.boxes import SAME_FACE, overlap
from faces.errors import CollectionError
from faces.text import shown
from faces.types import Box
from index import checksums, rows
from index.database import database_at
from index.models import DecisionRow, PhotoRow
from index.place import Place
from index.records import NewFace


class FaceName(NamedTuple):
    """A face for decisions: ``content`` (SHA-256 of the file in hex), ``path`` and box of its photograph."""

    content: str
    path: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)

    @classmethod
    def read(cls, written: Sequence[Any]) -> Self:
        """Read what JSON made of one; raises ValueError or TypeError."""
        content, path, *box = written
        return cls(str(content), str(path), *map(float, box))


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody has said: ``made`` is when, ISO 8601; ``details`` JSON values."""

    id: int
    made: str
    kind: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedFace:
    """Where a face of the catalogue is."""

    id: int
    photo_id: int
    path: str
    content: str
    box: Box

    @property
    def name(self) -> FaceName:
        """What decisions call it."""
        return FaceName(self.content, self.path, *(round(side, 2) for side in self.box.sides))


def read_decisions(connection: Connection) -> list[Decision]:
    """Give all decisions, the oldest first; raises CollectionError for a damaged one."""
    found = []
    with checksums.checked("a decision about faces") as require:
        for row in connection.execute(select(DecisionRow.__table__).order_by(DecisionRow.id)):
            require(checksums.decision(*row[:-1]) == row.checksum)
            details = json.loads(row.details)
            require(isinstance(details, dict))
            found.append(Decision(row.id, row.made, row.kind, details))
    return found


def add_decision(place: Place, kind: str, details: Mapping[str, Any]) -> int:
    """Write a decision down and give its id; it is on the disk when this returns.

    Others may write to the collection meanwhile.  Raises CollectionMissingError or CollectionError.
    """
    database = database_at(place)
    text = json.dumps(details, ensure_ascii=False, separators=(",", ":"))
    # A path need not be valid text, and JSON would not survive it.
    text = shown(text)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    with database.beside() as engine, database.plain_errors(), engine.begin() as connection:
        return rows.insert_decision(connection, made, kind, text)


def add_face(place: Place, photo_id: int, face: NewFace) -> int:
    """Store a face of a photograph that is there already, beside whoever writes, and give its id.

    Raises CollectionError, also if the photograph is not there any more.
    """
    database = database_at(place)
    with database.beside() as engine, database.plain_errors(), engine.begin() as connection:
        if connection.execute(select(PhotoRow.id).where(PhotoRow.id == photo_id)).first() is None:
            raise CollectionError("the collection has this photograph no more; index its folder again")
        layout = rows.read_collection(connection).layout_id
        (face_id,) = rows.insert_faces(connection, [(photo_id, face)], layout)
        rows.bump(connection)
    return face_id


def drop_names(connection: Connection, contents: Iterable[str]) -> None:
    """Take what decisions say of the faces of some photographs out of them, as if it had never been said."""
    gone = set(contents)
    for decision in read_decisions(connection) if gone else ():
        kept = {name: _without(value, gone) for name, value in decision.details.items()}
        if kept != decision.details:
            text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
            checksum = checksums.decision(decision.id, decision.made, decision.kind, text)
            changed = update(DecisionRow).where(DecisionRow.id == decision.id)
            connection.execute(changed.values(details=text, checksum=checksum))


def _without(value: Any, gone: set[str]) -> Any:
    if not isinstance(value, list):
        return value
    return [one for one in value if not (isinstance(one, list) and one and one[0] in gone)]


class FacesByName:
    """Finds the faces that decisions name among those of the catalogue."""

    def __init__(self, faces: Iterable[PlacedFace]) -> None:
        self._of_content: dict[str, list[PlacedFace]] = {}
        self._of_path: dict[str, list[PlacedFace]] = {}
        for face in faces:
            self._of_content.setdefault(face.content, []).append(face)
            self._of_path.setdefault(face.path, []).append(face)

    def __call__(self, names: Iterable[FaceName]) -> Iterator[int]:
        """Give the ids of the faces that are still there, each once, in copies of a photograph too.

        By content, and if no photograph has that any more, as after it was edited, by path.
        """
        met = set()
        for name in names:
            there = self._of_content.get(name.content) or self._of_path.get(name.path, [])
            best: dict[int, tuple[float, int]] = {}  # by photograph
            for face in there:
                best[face.photo_id] = max(
                    best.get(face.photo_id, (0.0, 0)), (overlap(face.box, name.box), face.id)
                )
            for share, face_id in best.values():
                if share >= SAME_FACE and face_id not in met:
                    met.add(face_id)
                    yield face_id
