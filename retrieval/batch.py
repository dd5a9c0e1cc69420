"""The batch that grows while photographs are examined, and becomes one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from faces.types import Floats
from index import CollectionWriter, FaceVector, KnownPhoto, NewFace, NewPhoto, Status
from retrieval.engine import Engine
from retrieval.examine import Examined
from retrieval.scan import Found

_FACES = 64
_PHOTOS = 256
_SECONDS = 10.0


class Batch:
    """Collect until ``due``; ``store`` embeds the faces and writes everything at once.

    ``engine`` gives the engine, which is not asked for if there is no face.
    """

    def __init__(self, writer: CollectionWriter, engine: Callable[[], Engine], min_face: int) -> None:
        self._writer, self._engine, self._min_face = writer, engine, min_face
        self._clear()

    @property
    def due(self) -> bool:
        """Tell whether it is time to store."""
        photos = len(self._examined) + len(self._found_again)
        late = photos > 0 and time.monotonic() - self._began >= _SECONDS
        return late or photos >= _PHOTOS or sum(len(item.faces) for _, item in self._examined) >= _FACES

    def add(self, found: Found, examined: Examined) -> None:
        """Take in a photograph that was read, or could not be."""
        self._examined.append((found, examined))

    def find_again(self, known: KnownPhoto) -> None:
        """Take in a known photograph with another path or time, but the same content."""
        self._found_again[known.id] = known

    def has_found(self, known: KnownPhoto) -> bool:
        """Tell whether this known photograph was found again already."""
        return known.id in self._found_again

    def store(self) -> None:
        """Store everything and begin anew."""
        if self._examined or self._found_again:
            crops = [crop for _, item in self._examined for crop in item.crops]
            vectors: Iterator[Floats] = iter(())
            if crops:
                engine = self._engine()
                descriptors = engine.describe([chip for _, item in self._examined for chip in item.chips])
                vectors = iter(engine.embed(np.stack(crops), descriptors))
            photos = [self._photo(found, item, vectors) for found, item in self._examined]
            self._writer.store(photos, list(self._found_again.values()))
        self._clear()

    def _clear(self) -> None:
        self._examined: list[tuple[Found, Examined]] = []
        self._found_again: dict[int, KnownPhoto] = {}
        self._began = time.monotonic()

    def _photo(self, found: Found, item: Examined, vectors: Iterator[Floats]) -> NewPhoto:
        faces = tuple(
            NewFace(face.box, face.landmarks, face.score, FaceVector(crop, next(vectors)))
            for face, crop in zip(item.faces, item.crops, strict=True)
        )
        return NewPhoto(
            path=found.path,
            size=found.size,
            mtime_ns=found.mtime_ns,
            content=item.content,
            status=Status.SKIPPED if item.reason else Status.OK,
            reason=item.reason,
            width=item.width,
            height=item.height,
            too_small=item.too_small,
            min_face=self._min_face,
            faces=faces,
        )
