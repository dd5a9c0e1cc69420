"""Small collections of made-up faces for the tests of the collection."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from faces.crop import CropGeometry
from faces.types import Box, Floats, Landmarks
from index import Beginning, CollectionWriter, Encoding, Features, NewFace, NewPhoto, Status

DIMENSION = 48
SIDE = 8
MARKS = Landmarks((10, 10), (30, 10), (20, 24))


def encoding(weights_id: str = "0123456789ab") -> Encoding:
    return Encoding(weights_id, "fake", "fake", {"pose": ("-45", "0", "+45")}, CropGeometry(SIDE), DIMENSION)


def beginning(weights_id: str = "0123456789ab") -> Beginning:
    return Beginning(encoding(weights_id), "fake detector", 24)


def unit_rows(rng: np.random.Generator, count: int, dimension: int = DIMENSION) -> Floats:
    """(count, dimension) float32 of length one, exactly what the float16 numbers on disk are."""
    rows = rng.standard_normal((count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16).astype(np.float32)


def features(vector: Floats) -> Features:
    crop = np.full((SIDE, SIDE), int(abs(vector[0]) * 200), np.uint8)
    return Features(crop, vector, {"pose": "0"}, 12.5)


def photo(name: str, vectors: Floats, *, size: int = 1000) -> NewPhoto:
    faces = tuple(NewFace(Box(0, 0, 40, 50), MARKS, 1.5, features(vector)) for vector in vectors)
    content = hashlib.sha256(os.fsencode(name)).hexdigest()
    return NewPhoto(f"/photos/{name}", size, 77, content, Status.OK, "", 640, 480, 1, 24, faces)


def filled(folder: Path, vectors: Floats, *, per_photo: int = 2) -> CollectionWriter:
    """A writer on a new collection with these faces, its file of vectors not yet made."""
    writer = CollectionWriter(folder, beginning())
    parts = [vectors[start : start + per_photo] for start in range(0, len(vectors), per_photo)]
    writer.store([photo(f"{number:05}.jpg", part) for number, part in enumerate(parts)])
    return writer


def nearest(vectors: Floats, queries: Floats, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and rows of the k nearest, by plain NumPy: the oracle."""
    wide, wanted = vectors.astype(np.float64), queries.astype(np.float64)
    distances = np.sqrt(((wanted[:, None] - wide[None]) ** 2).sum(-1))
    order = np.lexsort((np.broadcast_to(np.arange(len(vectors)), distances.shape), distances))[:, :k]
    return np.take_along_axis(distances, order, 1), order
