"""What a face costs on the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from collections_made import new_collection, some_vectors

from faces.types import Box, Floats, Landmarks
from index import CollectionWriter, FaceVector, NewFace, NewPhoto, Status
from index.faiss_store import VECTORS
from index.sqlite import CATALOG

FACES = 4000
DIMENSION = 402  # what the weights and the identity model that come along make of a face
CROP = 32


def real_photo(rng: np.random.Generator, number: int, vectors: Floats) -> NewPhoto:
    """A photograph as cameras name it, its numbers as long as real ones are."""

    def face(vector: Floats) -> NewFace:
        points = (rng.random((3, 2)) * 4000).tolist()
        crop = rng.integers(0, 256, (CROP, CROP)).astype(np.uint8)
        marks = Landmarks(*((x, y) for x, y in points))
        return NewFace(Box(*(rng.random(4) * 4000).tolist()), marks, rng.random(), FaceVector(crop, vector))

    path = f"/home/somebody/Pictures/2024/Summer at the lake/IMG_{number:05}.jpg"
    content = hashlib.sha256(path.encode()).hexdigest()
    faces = tuple(face(vector) for vector in vectors)
    size, time = int(rng.integers(10**6, 10**7)), 1_700_000_000_000_000_000 + number
    return NewPhoto(path, size, time, content, Status.OK, "", 4032, 3024, 1, 24, faces)


@pytest.mark.parametrize("photos_at_once", [8, 500])
def test_a_face_takes_hardly_more_than_two_kilobytes_besides_its_crop(
    tmp_path: Path, rng: np.random.Generator, photos_at_once: int
) -> None:
    vectors = some_vectors(rng, FACES, DIMENSION)
    photos = [real_photo(rng, number, vectors[2 * number :][:2]) for number in range(FACES // 2)]
    with CollectionWriter(tmp_path, new_collection(DIMENSION)) as writing:
        for start in range(0, len(photos), photos_at_once):
            writing.store(photos[start : start + photos_at_once])
        writing.refresh_vectors()
    size = sum(file.stat().st_size for file in (tmp_path / CATALOG, *(tmp_path / VECTORS).iterdir()))
    assert size / FACES - CROP * CROP <= 2100  # with checksums, and vectors that FAISS compares fast
