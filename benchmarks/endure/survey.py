"""Everything that a collection holds and answers, so that two of them can be compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faces.errors import CollectionError, CollectionMissingError
from faces.types import Floats
from index import Collection, Snapshot, Status, StoredFace

Photo = tuple[str, str | None]
"""Path, and the SHA-256 of the file."""
Face = tuple[Photo, float, float]
"""Its photograph, and the corner of its box."""

_ASKED = 5  # faces of a collection that are searched for in it
_CLOSE = 0.02  # vectors and scores may differ by so much, since rounding depends on what is embedded together


@dataclass(frozen=True)
class Survey:
    """What a reader sees at one moment."""

    photos: Counter[Photo]
    skipped: Counter[tuple[str, str]]
    faces: Counter[Face]
    crops: dict[Face, bytes]
    vectors: dict[Face, Floats]
    answers: dict[Face, dict[Face, float]]

    @property
    def doubled(self) -> int:
        """Count what is there more than once."""
        return sum(
            counts.total() - len(counts)
            for counts in (Counter(path for path, _ in self.photos.elements()), self.faces)
        )

    def lost_since(self, before: Survey) -> int:
        """Count photographs and faces that are gone since ``before``, though their file is as it was."""
        photos = [photo for photo in before.photos - self.photos if _is_still(photo)]
        faces = [face for face in before.faces - self.faces if _is_still(face[0])]
        return len(photos) + len(faces)

    def equals(self, other: Survey) -> bool:
        """Tell whether both hold the same and answer the same, up to rounding."""
        same = (self.photos, self.skipped, self.faces, self.crops) == (
            other.photos,
            other.skipped,
            other.faces,
            other.crops,
        )
        return same and _close(self.vectors, other.vectors) and self.answers_as(other)

    def answers_as(self, other: Survey) -> bool:
        """Tell whether both give the same answers, up to rounding."""
        return self.answers.keys() == other.answers.keys() and all(
            _close(found, other.answers[asked]) for asked, found in self.answers.items()
        )


NOTHING = Survey(Counter(), Counter(), Counter(), {}, {}, {})


def survey(folder: Path) -> Survey:
    """Open a collection as a reader does, read and search it; ``NOTHING`` if none is complete yet."""
    try:
        with Collection(folder) as collection, collection.snapshot() as snapshot:
            return _survey(snapshot)
    except CollectionMissingError:
        return NOTHING
    except CollectionError as error:
        if "unfinished copy" not in str(error):
            raise
        return NOTHING


def _survey(snapshot: Snapshot) -> Survey:
    content = {photo.path: photo.content for photo in snapshot.photos(Status.OK)}
    skipped = Counter((photo.path, photo.reason) for photo in snapshot.photos(Status.SKIPPED))
    ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in snapshot.blocks())])

    def key(face: StoredFace) -> Face:
        return (face.path, content[face.path]), face.box.left, face.box.top

    keys = {face.id: key(face) for face in snapshot.faces(ids.tolist())}
    crops = {key(face): face.crop.tobytes() for face in snapshot.faces(ids.tolist())}
    vectors = dict(zip(keys.values(), snapshot.vectors(ids).astype(np.float32), strict=True))
    asked = sorted(vectors)[:_ASKED]
    answers = {}
    for face in asked:
        scores, found = snapshot.search(vectors[face][None], max(1, len(ids)))
        answers[face] = dict(zip((keys[one] for one in found[0].tolist()), scores[0].tolist(), strict=True))
    return Survey(Counter(content.items()), skipped, Counter(keys.values()), crops, vectors, answers)


def _is_still(photo: Photo) -> bool:
    path, content = photo
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() == content
    except OSError:
        return False


def _close(one: Mapping[Face, Floats | float], other: Mapping[Face, Floats | float]) -> bool:
    return one.keys() == other.keys() and all(
        np.allclose(one[key], other[key], rtol=_CLOSE, atol=_CLOSE) for key in one
    )
