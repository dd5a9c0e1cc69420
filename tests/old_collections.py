"""Collections as version 1 of the catalogue had them, with 16,384 numbers a face."""

from __future__ import annotations

import json
import sqlite3
from importlib.resources import files
from pathlib import Path

import numpy as np

OLD_DIMENSION = 16384
OLD_SOURCE = "/weights/of/before"
_POINTS = [[10.125, 20.0], [30.001, 20.5], [20.0, 33.333]]


def old_landmarks(face: int) -> list[list[float] | None]:
    return [*_POINTS, None if face % 2 else [20.0, 45.678]]


def old_crop(face: int, encoding: int = 1) -> np.ndarray:
    return np.full((32, 32), (face + 100 * encoding) % 256, np.uint8)


def old_collection(folder: Path, faces: int, *, reindexed: int = 0) -> None:
    """Make a collection with two faces a photograph, and a photograph each that was skipped and forgotten.

    ``reindexed`` faces have features of other weights as well: a reindex was killed on its way.
    """
    folder.mkdir(exist_ok=True)
    database = sqlite3.connect(folder / "catalog.sqlite")
    database.execute("PRAGMA page_size = 8192")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA foreign_keys = ON")
    migration = files("index.migrations") / "0001_begin.sql"
    database.executescript(migration.read_text("utf-8"))
    database.execute("PRAGMA user_version = 1")
    vocabulary = json.dumps({"pose": ["-45", "0", "+45"]})
    for number in range(1, 3 if reindexed else 2):
        database.execute(
            "INSERT INTO encodings VALUES (?, ?, 'large', ?, ?, 32, 0.4, 0.25, ?)",
            (number, f"{number:012}", OLD_SOURCE + "/other" * (number - 1), vocabulary, OLD_DIMENSION),
        )
    database.execute("INSERT INTO collection VALUES (1, 'token', 1, 'yunet', 24, 7, '2026-01-02T03:04:05')")
    for path, status in ((b"/photos/\xff.jpg", "skipped"), ("/photos/gone.jpg", "forgotten")):
        values = (path, status, "why" if status == "skipped" else "")
        database.execute(
            "INSERT INTO photos VALUES (NULL, ?, 9, 8, NULL, ?, ?, 0, 0, 0, 24)",
            values,
        )
    rng = np.random.default_rng(1)
    for face in range(1, faces + 1):
        if face % 2:
            row = (f"/photos/{face:05}.jpg", f"{face:064}")
            photo = database.execute(
                "INSERT INTO photos VALUES (NULL, ?, 1000, 77, ?, 'ok', '', 640, 480, 1, 24)", row
            ).lastrowid
        database.execute(
            "INSERT INTO faces VALUES (?, ?, 1.5, 2.25, 40, 50, ?, 0.75)",
            (face, photo, json.dumps(old_landmarks(face))),
        )
        for encoding in (1, 2) if face <= reindexed else (1,):
            crop, vector = old_crop(face, encoding), rng.standard_normal(OLD_DIMENSION).astype("<f2")
            database.execute(
                'INSERT INTO features VALUES (NULL, ?, ?, \'{"pose": "0"}\', 12.5, ?, ?)',
                (encoding, face, crop.tobytes(), vector.tobytes()),
            )
    database.commit()
    database.close()
    (folder / "vectors.faiss").write_bytes(b"what cannot be read any more")
