"""Copies of collections: complete, resumable, compared in the end, and never over something else."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from collections_made import filled, layout, photo, some_vectors, stored, unit_rows
from lives_made import answers, live
from sqlalchemy import Connection
from typer.testing import Result

from faces.errors import CollectionError, CollectionLockedError, CollectionMissingError
from index import Collection, CollectionWriter, Place, Reindexing, copy_collection, copying


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_PHOTOS", 4)


def after(pieces: int) -> Callable[[], bool]:
    """Asks to stop after so many pieces."""
    asked = count()
    return lambda: next(asked) >= pieces


@pytest.mark.parametrize("seed", range(2))
def test_a_copy_gives_the_same_answers_and_lives_on_its_own(tmp_path: Path, seed: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    live(one, seed)
    expected = answers(one, seed)
    summary = copy_collection(one, two)
    assert answers(two, seed) == expected
    assert (summary.photographs, summary.copied) == (len(expected["photos"]),) * 2
    assert summary.faces == expected["count"]
    with Collection(one) as old, old.snapshot() as before, Collection(two) as new, new.snapshot() as now:
        assert now.summary() == before.summary()
        assert now._view.state.token != before._view.state.token
        assert now.in_line
    with CollectionWriter(two) as writer:
        writer.store([photo("new.jpg", some_vectors(np.random.default_rng(0), 2))])
    assert answers(one, seed) == expected
    assert answers(two, seed)["count"] == expected["count"] + 2


def test_an_interrupted_copy_cannot_be_used_and_goes_on(tmp_path: Path, rng: np.random.Generator) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    filled(one, unit_rows(rng, 40)).close()
    assert copy_collection(one, two, stop=after(2)).interrupted
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionError, match="unfinished copy"):
            opening(two)
    summary = copy_collection(one, two)
    assert (summary.photographs, summary.copied, summary.interrupted) == (20, 12, False)
    assert answers(two, 0) == answers(one, 0)


def test_a_copy_that_goes_on_takes_the_changes_over(tmp_path: Path, rng: np.random.Generator) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    vectors = unit_rows(rng, 60)
    filled(one, vectors[:40]).close()
    copy_collection(one, two, stop=after(4))
    with CollectionWriter(one) as writer:
        known = {int(each.path[-9:-4]): each for some in writer.below("/") for each in some}
        writer.remove([known[9].id])
        moved = replace(known[1], path=known[9].path)
        writer.store([photo("00003.jpg", vectors[40:43])], [moved])
        writer.forget([known[5].id])
        writer.remove([known[19].id, known[0].id])
    assert copy_collection(one, two, stop=after(4)).interrupted
    with CollectionWriter(one) as writer:
        work = Reindexing(writer, layout("ffffffffffff"))
        for faces in work.pending(7):
            work.store([(face.id, stored(vectors[face.id % 7])) for face in faces])
        work.finish()
    copy_collection(one, two)
    assert answers(two, 0) == answers(one, 0)


def test_a_killed_copy_goes_on(tmp_path: Path, rng: np.random.Generator) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    filled(one, unit_rows(rng, 100)).close()
    program = """
import os, pathlib, signal, sys
from sqlalchemy import Connection, event
from index import copy_collection, copying
copying._PHOTOS, steps = 4, 0
@event.listens_for(Connection, "before_cursor_execute")
def step(_connection, _cursor, statement, *_):
    global steps
    steps += statement.startswith("INSERT INTO vectors")
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
copy_collection(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
"""
    for steps in (1, 3, 7):
        killed = subprocess.run([sys.executable, "-c", program, one, two, str(steps)])
        assert killed.returncode == -signal.SIGKILL
    assert 0 < copy_collection(one, two).copied < 50
    assert answers(two, 0) == answers(one, 0)


def test_a_copy_that_differs_in_the_end_is_not_taken(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    filled(one, unit_rows(rng, 10)).close()
    original = copying._reading

    def flipping(place: Place) -> AbstractContextManager[Connection]:
        if place == two and two.exists():
            with sqlite3.connect(two / "catalog.sqlite") as plain:
                plain.execute("UPDATE faces SET score = 1.5000000000000002 WHERE id = 7")
            plain.close()
        return original(place)

    monkeypatch.setattr(copying, "_reading", flipping)
    with pytest.raises(CollectionError, match="differs from"):
        copy_collection(one, two)
    monkeypatch.undo()
    with pytest.raises(CollectionError, match="unfinished copy"):
        Collection(two)
    copy_collection(one, two)
    assert answers(two, 0) == answers(one, 0)


def test_nothing_else_is_ever_overwritten(tmp_path: Path, rng: np.random.Generator) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for place in (one, other):
        filled(place, unit_rows(rng, 20)).close()
    before = answers(other, 0)
    for source in (one, other):
        with pytest.raises(CollectionError, match="another collection"):
            copy_collection(source, other)
    assert answers(other, 0) == before
    copy_collection(one, two, stop=after(1))
    with pytest.raises(CollectionError, match="another collection"):
        copy_collection(other, two)
    with pytest.raises(CollectionError, match="unfinished copy"):
        copy_collection(two, tmp_path / "three")
    with pytest.raises(CollectionMissingError):
        copy_collection(tmp_path / "nowhere", tmp_path / "three")
    assert not (tmp_path / "three").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(CollectionError, match=r"holds other things \(a\.jpg\)"):
        copy_collection(one, tmp_path / "photos")
    with CollectionWriter(one), pytest.raises(CollectionLockedError):
        copy_collection(other, one)


def test_a_copy_ended_before_its_vectors_were_there_goes_on(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with filled(one, unit_rows(rng, 20)) as writer:
        writer.refresh_vectors()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(CollectionWriter, "refresh_vectors", interrupted)
        copy_collection(one, two)
    assert copy_collection(one, two).copied == 0
    assert answers(two, 0) == answers(one, 0)
    with Collection(two) as copied, copied.snapshot() as snapshot:
        assert snapshot.in_line
    with CollectionWriter(two) as writer:
        writer.remove([1])
    with pytest.raises(CollectionError, match="another collection"):
        copy_collection(one, two)


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_command_tells_what_it_did(
    tmp_path: Path, rng: np.random.Generator, run_cli: Callable[..., Result]
) -> None:
    filled(tmp_path / "one", unit_rows(rng, 20)).close()
    done = run_cli("copy", tmp_path / "one", tmp_path / "two")
    assert (done.exit_code, done.stdout) == (0, "copied 20 faces of 10 photographs, and compared them\n")
    filled(tmp_path / "other", unit_rows(rng, 20)).close()
    again = run_cli("copy", tmp_path / "other", tmp_path / "two")
    assert again.exit_code == 1
    assert "there is another collection in" in again.stderr
