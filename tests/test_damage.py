"""Damage to the catalogue is told in one sentence or makes no difference: no answer is silently wrong."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from collections_made import filled, layout, photo, some_vectors

from faces.errors import AnotherYouError, CollectionError
from faces.types import Floats
from index import Collection, CollectionWriter, Reindexing, Status, sqlite
from index.sqlite import CATALOG

FACES = 120
TABLES = ("collection", "layouts", "photos", "faces", "vectors", "crops")


@pytest.fixture
def made(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Floats]:
    vectors = some_vectors(rng, FACES)
    with filled(tmp_path / "made", vectors) as writing:
        writing.refresh_vectors()
    return tmp_path / "made", vectors


def answers(folder: Path, query: Floats) -> list[object]:
    """Everything that a collection says, each part with its own reader."""
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        scores, ids = snapshot.search(query, 20)
        faces = [
            (face.path, face.box, face.landmarks, face.score) for face in snapshot.faces(ids[0].tolist())
        ]
        crops = [face.crop.tobytes() for face in snapshot.faces(ids[0].tolist())]
        vectors = snapshot.vectors(ids[0]).tobytes()
        photos = list(snapshot.photos(Status.OK))
        return [
            scores.tolist(),
            ids.tolist(),
            faces,
            crops,
            vectors,
            photos,
            snapshot.layout,
            snapshot.summary(),
        ]


def columns(folder: Path, table: str) -> list[str]:
    with sqlite3.connect(folder / CATALOG) as plain:
        return [row[1] for row in plain.execute(f"PRAGMA table_info({table})")]


def other(value: object) -> object:
    """A value of the same type that is another one."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 4, *value[1:]])
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else value
    if value is None:
        return "2023"
    return value + 10_000  # type: ignore[operator]


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("table", TABLES)
def test_a_changed_value_of_any_column_is_told_or_makes_no_difference(
    made: tuple[Path, Floats], table: str, with_file: bool
) -> None:
    folder, vectors = made
    query = vectors[:1]
    before = answers(folder, query)
    if not with_file:
        shutil.rmtree(folder / "vectors")
    told = 0
    for column in columns(folder, table):
        copy = folder.with_name(f"{table} {column}")
        shutil.copytree(folder, copy)
        with sqlite3.connect(copy / CATALOG) as plain:
            plain.execute("PRAGMA foreign_keys = OFF")
            plain.execute("PRAGMA ignore_check_constraints = ON")
            # The row of the face that is found first, so that the answer has to do with it.
            (value,) = plain.execute(f"SELECT {column} FROM {table} WHERE rowid = 1").fetchone()
            plain.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (other(value),))
        plain.close()
        try:
            assert answers(copy, query) == before, column
        except CollectionError as error:
            told += 1
            assert "damaged" in str(error)
            assert "index again" in str(error) or "anotheryou reindex" in str(error)
    assert told >= len(columns(folder, table)) - 2


@pytest.mark.parametrize("table", ["vectors", "crops"])
def test_a_reindex_and_an_index_run_repair_damaged_vectors_and_crops(
    made: tuple[Path, Floats], table: str
) -> None:
    folder, vectors = made
    shutil.rmtree(folder / "vectors")
    with sqlite3.connect(folder / CATALOG) as plain:
        plain.execute(f"UPDATE {table} SET checksum = checksum + 1 WHERE id = 5")
    plain.close()
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        with pytest.raises(CollectionError, match="`anotheryou reindex` and then `anotheryou index`"):
            snapshot.faces([4, 5])
        assert len(snapshot.faces([4, 6])) == 2
    with CollectionWriter(folder) as writing:
        reindexing = Reindexing(writing, layout())
        assert reindexing.remaining == 1
        assert list(reindexing.pending(10)) == []
        assert reindexing.finish() == 1
        (known,) = next(writing.below("/photos/00002.jpg"))
        assert (known.mtime_ns, known.content) == (-1, None)
        writing.store([photo("00002.jpg", vectors[4:6])])
        writing.refresh_vectors()
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line
        assert len(snapshot) == snapshot.summary().faces == FACES


@pytest.mark.parametrize("large", [False, True])
def test_random_flips_in_the_catalogue_are_told_or_make_no_difference(
    made: tuple[Path, Floats], monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:  # as one that is not read through when it is opened
        monkeypatch.setattr(sqlite, "_CHECKED_READING", 0)
    folder, vectors = made
    query = vectors[:1]
    shutil.rmtree(folder / "vectors")
    before = answers(folder, query)
    whole = bytearray((folder / CATALOG).read_bytes())
    chance = random.Random(9)
    places = [*range(16, 100), *(chance.randrange(len(whole)) for _ in range(250))]
    told = 0
    for place in places:
        damaged = whole.copy()
        damaged[place] ^= 1 << chance.randrange(8)
        (folder / CATALOG).write_bytes(damaged)
        for leftover in folder.glob(f"{CATALOG}-*"):
            leftover.unlink()
        try:
            assert answers(folder, query) == before, place
        except AnotherYouError as error:
            told += 1
            assert len(str(error).splitlines()) == 1
    assert told > 30


def test_a_schema_that_is_no_text_any_more_is_told(made: tuple[Path, Floats]) -> None:
    folder, _ = made
    whole = (folder / CATALOG).read_bytes()
    place = whole.index(b"CREATE TABLE crops") + len("CREATE TABL")
    (folder / CATALOG).write_bytes(whole[:place] + b"\xe0" + whole[place + 1 :])
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionError, match="damaged"):
            opening(folder)
