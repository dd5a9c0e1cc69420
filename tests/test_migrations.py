"""Collections of older versions keep everything but their vectors, which a reindex makes anew."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from collections_made import filled, largest, layout, photo, some_vectors, stored, unit_rows
from old_collections import OLD_SOURCE, old_collection, old_crop, old_landmarks
from sqlalchemy import Engine
from test_collection import assert_tables_are_the_models

from faces.errors import CollectionError, CollectionWeightsError
from faces.types import Box, Floats, Landmarks
from index import Collection, CollectionWriter, Reindexing, Status, sqlite
from index.sqlite import CATALOG, SqliteFolder


def reindex(folder: Path, vectors: Floats) -> None:
    """Give the faces 1, 2, ... these vectors."""
    with CollectionWriter(folder) as writing:
        reindexing = Reindexing(writing, layout())
        for faces in reindexing.pending(50):
            reindexing.store([(face.id, stored(vectors[face.id - 1])) for face in faces])
        assert reindexing.finish() == 0


def catalog_bytes(folder: Path) -> int:
    """What the catalogue takes with its log."""
    return sum(path.stat().st_size for path in folder.glob(f"{CATALOG}*"))


@pytest.mark.parametrize("reindexed", [0, 9])
def test_an_old_collection_keeps_all_but_its_vectors(tmp_path: Path, reindexed: int) -> None:
    old_collection(tmp_path, 13, reindexed=reindexed)
    CollectionWriter(tmp_path).close()
    assert not (tmp_path / "vectors.faiss").exists()
    assert_tables_are_the_models(tmp_path)
    with Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        old = snapshot.layout
        assert old.digest == "before-000000000001"
        assert old.description == {"version": 1, "encodings": [{"source": OLD_SOURCE}]}
        assert (old.dimension, old.geometry.size, old.geometry.eye_y) == (0, 32, 0.4)
        summary = snapshot.summary()
        assert (summary.photos, summary.skipped, summary.forgotten, summary.faces) == (7, 1, 1, 13)
        assert (summary.detector, summary.min_face, summary.created) == ("yunet", 24, "2026-01-02T03:04:05")
        (skipped,) = snapshot.photos(Status.SKIPPED)
        assert (skipped.path, skipped.reason) == ("/photos/\udcff.jpg", "why")
        (photograph, *_) = snapshot.photos(Status.OK)
        assert (photograph.path, photograph.size, photograph.mtime_ns) == ("/photos/00001.jpg", 1000, 77)
        assert photograph.content == f"{1:064}"
        for face in snapshot.faces(list(range(1, 14))):
            first = face.id - 1 + face.id % 2
            assert face.path == f"/photos/{first:05}.jpg"
            assert (face.number, face.count) == (2 - face.id % 2, 1 if face.id == 13 else 2)
            assert (face.box, face.score) == (Box(1.5, 2.25, 40, 50), 0.75)
            points = [None if point is None else (point[0], point[1]) for point in old_landmarks(face.id)]
            assert points[0] and points[1] and points[2]
            assert face.landmarks == Landmarks(points[0], points[1], points[2], points[3])
            np.testing.assert_array_equal(face.crop, old_crop(face.id))
            assert face.vector.shape == (0,)


@pytest.mark.parametrize("reindexed", [0, 9])
def test_a_reindex_brings_an_old_collection_over_and_gives_the_space_back(
    tmp_path: Path, rng: np.random.Generator, reindexed: int
) -> None:
    old_collection(tmp_path, 200, reindexed=reindexed)
    before, vectors = catalog_bytes(tmp_path), some_vectors(rng, 200)
    reindex(tmp_path, vectors)
    assert before > 200 * 32768
    assert catalog_bytes(tmp_path) < 200 * 4096
    with Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        assert snapshot.layout == layout()
        assert snapshot.in_line
        _, ids = snapshot.search(vectors[:3], 20)
        np.testing.assert_array_equal(ids, largest(vectors, vectors[:3], 20)[1] + 1)
        assert snapshot.summary().forgotten == 1
    with sqlite3.connect(tmp_path / CATALOG) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        assert plain.execute("SELECT digest FROM layouts").fetchall() == [("0123456789ab",)]
    plain.close()


def test_an_old_collection_that_is_only_read_names_the_way_over(tmp_path: Path) -> None:
    old_collection(tmp_path, 3)
    with pytest.raises(CollectionWeightsError, match="`anotheryou reindex`"):
        Collection(tmp_path)


def test_an_old_collection_whose_migration_fails_stays_as_it_was(tmp_path: Path) -> None:
    old_collection(tmp_path, 3)
    with sqlite3.connect(tmp_path / CATALOG) as plain:
        plain.execute("CREATE TABLE vectors (x)")  # the last part of the migration trips over it
    plain.close()
    with pytest.raises(CollectionError):
        CollectionWriter(tmp_path)
    with sqlite3.connect(tmp_path / CATALOG) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (1,)
        assert plain.execute("SELECT COUNT(*), SUM(LENGTH(vector)) FROM features").fetchone() == (3, 98304)
        plain.execute("DROP TABLE vectors")
    plain.close()
    CollectionWriter(tmp_path).close()


def test_a_full_disk_does_not_fail_a_reindex(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = unit_rows(rng, 100)
    old_collection(tmp_path / "little room", 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**5))
    reindex(tmp_path / "little room", vectors)
    monkeypatch.undo()
    old_collection(tmp_path / "full", 100)
    original = SqliteFolder._alone

    def full(self: SqliteFolder, engine: Engine, command: str) -> int:
        return original(self, engine, "VACUUM INTO '/dev/full/x'" if command == "VACUUM" else command)

    monkeypatch.setattr(SqliteFolder, "_alone", full)
    reindex(tmp_path / "full", vectors)
    monkeypatch.undo()
    for name in ("little room", "full"):
        assert catalog_bytes(tmp_path / name) > 100 * 32768
        with Collection(tmp_path / name) as collection:
            assert collection.search(vectors[:1], 1)[1].tolist() == [[1]]
        with CollectionWriter(tmp_path / name) as writing:
            writing.shrink()
        assert catalog_bytes(tmp_path / name) < 100 * 8192


def test_a_reindex_killed_while_it_gives_space_back_is_whole(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 100)
    old_collection(tmp_path, 100)
    np.save(tmp_path / "vectors.npy", vectors)
    program = """
import os, pathlib, signal, sys
import numpy as np
from sqlalchemy import event
sys.path.insert(0, sys.argv[2])
from collections_made import layout, stored
from index import CollectionWriter, Reindexing
from index.sqlite import SqliteFolder
folder = pathlib.Path(sys.argv[1])
vectors = np.load(folder / "vectors.npy")
steps = 0
def step():
    global steps
    steps += 1
    if steps == 20:
        os.kill(os.getpid(), signal.SIGKILL)
original = SqliteFolder._alone
def alone(self, engine, command):
    if command == "VACUUM":
        connected = lambda connection, *_: connection.set_progress_handler(step, 100)
        event.listen(engine, "checkout", connected)
    return original(self, engine, command)
SqliteFolder._alone = alone
writing = CollectionWriter(folder)
work = Reindexing(writing, layout())
for faces in work.pending(50):
    work.store([(face.id, stored(vectors[face.id - 1])) for face in faces])
work.finish()
"""
    command = [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Collection(tmp_path) as collection:
        np.testing.assert_array_equal(collection.search(vectors, 1)[1][:, 0], np.arange(1, 101))
    with CollectionWriter(tmp_path) as writing:
        assert writing.refresh_vectors()
        writing.shrink()
    assert catalog_bytes(tmp_path) < 100 * 8192


def test_a_catalogue_shrinks_while_others_read_it_and_only_if_it_is_worth_it(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = unit_rows(rng, 400)
    monkeypatch.setattr(sqlite, "_MUCH_UNUSED", 1 << 14)
    monkeypatch.setattr(sqlite, "_WAIT_MS", 100)  # for the reader, which does not go away
    with filled(tmp_path, vectors) as writing, Collection(tmp_path) as collection:
        writing.empty_log()
        before = (tmp_path / CATALOG).stat().st_size
        writing.remove(list(range(1, 21)))
        writing.shrink()
        writing.empty_log()
        assert (tmp_path / CATALOG).stat().st_size == before
        writing.remove(list(range(21, 151)))
        with collection.snapshot() as snapshot:
            assert len(snapshot) == 100
            writing.shrink()
            assert sorted(snapshot.search(vectors[:1], 99)[1][0])[0] == 301
            writing.store([photo("newer.jpg", vectors[:1])])
            assert len(snapshot) == 100
        with collection.snapshot() as snapshot:
            assert len(snapshot) == 101
        writing.empty_log()
        assert (tmp_path / CATALOG).stat().st_size < 0.7 * before
