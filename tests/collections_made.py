"""Small collections of made-up faces for the tests of the collection."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from faces.crop import CropGeometry
from faces.types import Box, Floats, Landmarks
from index import (
    Collection,
    CollectionWriter,
    FaceVector,
    Layout,
    NewCollection,
    NewFace,
    NewPhoto,
    Place,
    Status,
)

DIMENSION = 48
SIDE = 8
MARKS = Landmarks((10, 10), (30, 10), (20, 24))


def layout(digest: str = "0123456789ab", dimension: int = DIMENSION) -> Layout:
    description = {"version": 2, "parts": [{"name": "identity", "size": dimension}]}
    return Layout(digest, description, CropGeometry(SIDE), dimension)


def new_collection(dimension: int = DIMENSION) -> NewCollection:
    return NewCollection(layout(dimension=dimension), "fake detector", 24)


def some_vectors(rng: np.random.Generator, count: int, dimension: int = DIMENSION) -> Floats:
    """(count, dimension) float32 as the engine's are: a third has length one, a third are logarithms of
    probabilities, a third is large and close together; exactly what the float16 numbers on disk are."""
    part = dimension // 3
    unit = rng.standard_normal((count, dimension - 2 * part))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    logarithms = np.maximum(np.log(rng.dirichlet(np.full(part, 0.1), count) + 1e-300), -20)
    large = 30 + rng.standard_normal((count, part))
    return np.concatenate([unit, logarithms, large], axis=1).astype(np.float16).astype(np.float32)


def unit_rows(rng: np.random.Generator, count: int, dimension: int = DIMENSION) -> Floats:
    """(count, dimension) float32 of length one, exactly what the float16 numbers on disk are."""
    rows = rng.standard_normal((count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16).astype(np.float32)


def stored(vector: Floats, side: int = SIDE) -> FaceVector:
    return FaceVector(np.full((side, side), int(abs(vector[0]) * 200), np.uint8), vector)


def photo(name: str, vectors: Floats, *, size: int = 1000) -> NewPhoto:
    faces = tuple(NewFace(Box(0, 0, 40, 50), MARKS, 1.5, stored(vector)) for vector in vectors)
    content = hashlib.sha256(os.fsencode(name)).hexdigest()
    return NewPhoto(f"/photos/{name}", size, 77, content, Status.OK, "", 640, 480, 1, 24, faces)


def filled(place: Place, vectors: Floats, *, per_photo: int = 2) -> CollectionWriter:
    """A writer on a new collection with these faces, its file of vectors not yet made."""
    writer = CollectionWriter(place, new_collection(vectors.shape[1]))
    parts = [vectors[start : start + per_photo] for start in range(0, len(vectors), per_photo)]
    writer.store([photo(f"{number:05}.jpg", part) for number, part in enumerate(parts)])
    return writer


def largest(vectors: Floats, queries: Floats, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and rows of the k largest inner products, by plain NumPy in float64: the oracle."""
    products = queries[:, None].astype(np.float64) * vectors[None].astype(np.float64)
    scores = products.sum(-1)
    order = np.lexsort((np.broadcast_to(np.arange(len(vectors)), scores.shape), -scores))[:, :k]
    return np.take_along_axis(scores, order, axis=1), order


Content = list[tuple[Any, ...]]


def content(place: Path) -> tuple[Content, Content]:
    """All rows of photographs and of faces with their vectors, without the ids that depend on the order."""
    with sqlite3.connect(place / "catalog.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        photos = database.execute(
            "SELECT path, size, mtime_ns, content, status, reason, width, height, too_small, min_face "
            "FROM photos ORDER BY path"
        ).fetchall()
        faces = database.execute(
            "SELECT path, box_left, box_top, box_right, box_bottom, landmarks, score, crop, vector "
            "FROM photos JOIN faces ON photo_id = photos.id LEFT JOIN vectors ON face_id = faces.id "
            "LEFT JOIN crops ON crops.id = vectors.id ORDER BY path, box_left"
        ).fetchall()
    database.close()
    return photos, faces


def check_readers_see_one_state(place: Place, rng: np.random.Generator) -> None:
    """Hold a snapshot to the state it began with, while others write and bring the store in line."""
    vectors = unit_rows(rng, 40)
    with filled(place, vectors[:20]) as writing:
        writing.refresh_vectors()
        with Collection(place) as collection:
            with collection.snapshot() as snapshot:
                writing.store([photo("new.jpg", vectors[20:])])
                writing.remove([1])
                writing.refresh_vectors()
                assert len(snapshot) == 20
                _, ids = snapshot.search(vectors[:1], 99)
                assert sorted(ids[0].tolist()) == list(range(1, 21))
                assert len(snapshot.faces(ids[0].tolist())) == 20
            assert sorted(collection.search(vectors[:1], 99)[1][0].tolist()) == list(range(3, 41))
