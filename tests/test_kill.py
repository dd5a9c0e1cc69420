"""Killing an indexing process at any moment loses nothing that was stored and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_faces import fake_engine, open_fake_detector, save_photo

from index import Collection
from retrieval.indexing import index_folders

KILLS = 21
PHOTOS = 180

# What a process indexes with: everything is real but the models.
_PROGRAM = """
import sys
from pathlib import Path
import retrieval.indexing
from fake_faces import fake_engine, open_fake_detector
from retrieval.indexing import index_folders

retrieval.indexing._FACES = 6
photos, collection, workers = sys.argv[1:]
index_folders(
    [photos], collection=collection, engine=fake_engine(), detector=open_fake_detector, min_face=16,
    workers=int(workers),
)
"""

Content = list[tuple[object, ...]]


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


def stored(place: Path) -> int:
    """Count the photographs in the catalogue; 0 if it does not exist yet."""
    try:
        with sqlite3.connect(place / "catalog.sqlite") as database:
            return int(database.execute("SELECT count(*) FROM photos").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def state(place: Path) -> tuple[object, ...]:
    """Something that changes with every batch, also one that only replaces photographs."""
    try:
        with sqlite3.connect(place / "catalog.sqlite") as database:
            return tuple(database.execute("SELECT count(*), total(mtime_ns), max(id) FROM photos").fetchone())
    except sqlite3.OperationalError:
        return ()


@pytest.mark.slow
def test_random_kills_and_a_finishing_run_give_the_same_collection_as_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    photos, killed, undisturbed = tmp_path / "photos", tmp_path / "killed", tmp_path / "undisturbed"
    for number in range(PHOTOS):
        save_photo(photos / str(number % 7) / f"{number}.png", number, faces=number % 4)
    (photos / "bad.jpg").write_text("no picture")
    chance = random.Random(2015)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    hits = progressed = 0
    kept = 0
    for attempt in range(KILLS * 3):  # some processes are done before they are killed
        if hits == KILLS:
            break
        # It is killed soon after its first batch, or while it writes the vectors, or is done by then.
        workers = "1" if attempt % 4 == 0 else "0"
        before = state(killed)
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, photos, killed, workers], env=environment, stderr=subprocess.PIPE
        )
        begun = time.monotonic()
        while state(killed) == before and process.poll() is None and time.monotonic() - begun < 20:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.08)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.stderr.close()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
        hits += process.returncode == -signal.SIGKILL
        now = stored(killed)
        assert now >= kept, "a photograph that was stored is gone"
        progressed += now > kept
        kept = now
        if kept == PHOTOS + 1:
            # Everything is in: change some, so that the next process has work.
            for number in chance.sample(range(PHOTOS), 50):
                path = photos / str(number % 7) / f"{number}.png"
                save_photo(path, number + 1000 * attempt, faces=(number + attempt) % 4)
                os.utime(path, ns=(attempt, attempt))
    assert hits >= 20
    assert progressed >= 3
    for place in (killed, undisturbed):
        index_folders(
            [photos],
            collection=place,
            engine=fake_engine(),
            detector=open_fake_detector,
            min_face=16,
            workers=0,
        )
    assert content(killed) == content(undisturbed)
    for place in (killed, undisturbed):
        with Collection(place) as collection, collection.snapshot() as snapshot:
            assert snapshot.in_line
            summary = snapshot.summary()
            assert len(snapshot) == summary.faces > 0
            assert (summary.photos, summary.skipped) == (PHOTOS, 1)
        assert not list(place.glob("*.new"))
