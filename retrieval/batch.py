"""The batch that grows while photographs are examined, and becomes one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from faces.types import Pixels
from index import CollectionWriter, Features, KnownPhoto, NewFace, NewPhoto, Status
from retrieval.encoder import Encoder
from retrieval.examine import Examined
from retrieval.scan import Found

_FACES = 64
_PHOTOS = 256
_SECONDS = 10.0


class Batch:
    """Collects until ``due``; ``store`` encodes the faces and writes everything at once.

    ``encoder`` gives the weights, which are not asked for where there is no face.
    """

    def __init__(self, writer: CollectionWriter, encoder: Callable[[], Encoder], min_face: int) -> None:
        self._writer, self._encoder, self._min_face = writer, encoder, min_face
        self._clear()

    @property
    def due(self) -> bool:
        """Whether it is time to store."""
        photos = len(self._examined) + len(self._found_again)
        late = photos > 0 and time.monotonic() - self._began >= _SECONDS
        return late or photos >= _PHOTOS or sum(len(item.faces) for _, item in self._examined) >= _FACES

    def add(self, found: Found, examined: Examined) -> None:
        """A photograph that was read, or could not be."""
        self._examined.append((found, examined))

    def find_again(self, known: KnownPhoto) -> None:
        """A known photograph with another path or time, but the same content."""
        self._found_again[known.id] = known

    def has_found(self, known: KnownPhoto) -> bool:
        """Whether this known photograph was found again already."""
        return known.id in self._found_again

    def store(self) -> None:
        """Store everything and begin anew."""
        if self._examined or self._found_again:
            crops = [crop for _, item in self._examined for crop in item.crops]
            features = encode(self._encoder(), np.stack(crops)) if crops else iter(())
            photos = [self._photo(found, item, features) for found, item in self._examined]
            self._writer.store(photos, list(self._found_again.values()))
        self._clear()

    def _clear(self) -> None:
        self._examined: list[tuple[Found, Examined]] = []
        self._found_again: dict[int, KnownPhoto] = {}
        self._began = time.monotonic()

    def _photo(self, found: Found, item: Examined, features: Iterator[Features]) -> NewPhoto:
        faces = tuple(NewFace(face.box, face.landmarks, face.score, next(features)) for face in item.faces)
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


def encode(encoder: Encoder, crops: Pixels) -> Iterator[Features]:
    """The features of crops (N, S, S) uint8, one by one, as a collection stores them."""
    canonical = encoder.canonicalise(crops)
    for crop, code, vector, distances in zip(
        crops, canonical.codes, canonical.features, canonical.distances, strict=True
    ):
        yield Features(crop, vector, encoder.vocabulary.label(int(code)), float(distances[int(code)]))
