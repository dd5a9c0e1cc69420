"""The collection on disk: searches are exact, files are replaceable, the schema is what the models say."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from collections_made import (
    DIMENSION,
    check_readers_see_one_state,
    content,
    filled,
    largest,
    layout,
    new_collection,
    photo,
    some_vectors,
    stored,
    unit_rows,
)
from sqlalchemy import UniqueConstraint, create_engine, inspect

from faces.errors import (
    CollectionError,
    CollectionLockedError,
    CollectionMissingError,
)
from index import (
    Collection,
    CollectionWriter,
    Reindexing,
    Status,
    migrations,
    segment,
)
from index import rows as index_rows
from index.faiss_store import VECTORS, FaissStore
from index.models import Base
from index.sqlite import CATALOG, SqliteFolder


def ids_by_path(collection: Collection, ids: np.ndarray) -> list[str]:
    with collection.snapshot() as snapshot:
        return [face.path for face in snapshot.faces(ids.tolist())]


@pytest.mark.parametrize("queries", [1, 40])
@pytest.mark.parametrize("state", ["file", "no file", "file and newer faces", "deleted faces"])
def test_a_search_equals_plain_numpy(
    tmp_path: Path, rng: np.random.Generator, queries: int, state: str
) -> None:
    vectors = some_vectors(rng, 301)
    vectors[40:90] = vectors[17]  # copies of one picture: ties
    asked = np.concatenate([vectors[17:18], some_vectors(rng, queries - 1)]).astype(np.float32)
    with filled(tmp_path, vectors) as writing:
        if state != "no file":
            writing.refresh_vectors()
        expected, alive = vectors, np.arange(301)
        if state == "file and newer faces":
            newer = some_vectors(rng, 31)
            newer[3] = vectors[17]
            writing.store([photo("newer.jpg", newer)])
            expected = np.concatenate([vectors, newer])
            alive = np.arange(332)
        if state == "deleted faces":
            writing.remove([known.id for some in writing.below("/photos/00000.jpg") for known in some])
            writing.remove([known.id for some in writing.below("/photos/00030.jpg") for known in some])
            alive = np.delete(alive, [0, 1, 60, 61])
    with Collection(tmp_path) as collection:
        scores, ids = collection.search(asked, 30)
    wanted_scores, rows = largest(expected[alive], asked, 30)
    np.testing.assert_array_equal(ids, alive[rows] + 1)
    np.testing.assert_allclose(scores, wanted_scores, rtol=1e-12)


def test_one_query_and_many_give_the_same_answer_bit_by_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 1200)
    with filled(tmp_path, vectors, per_photo=50) as writing:
        writing.refresh_vectors()
    asked = unit_rows(rng, 40)
    with Collection(tmp_path) as collection:
        together = collection.search(asked, 5)
        for number in range(40):
            alone = collection.search(asked[number : number + 1], 5)
            np.testing.assert_array_equal(alone[0][0], together[0][number])
            np.testing.assert_array_equal(alone[1][0], together[1][number])


def test_excluded_photographs_are_passed_over(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 40)
    with filled(tmp_path, vectors) as writing:
        writing.refresh_vectors()
        writing.store([photo("newer.jpg", vectors[:1])])
        excluded = [
            next(writing.below("/photos/00000.jpg"))[0].id,
            next(writing.below("/photos/newer.jpg"))[0].id,
        ]
    with Collection(tmp_path) as collection:
        with collection.snapshot() as snapshot:
            ids = snapshot.best(vectors[0], 100, exclude_photo_ids=excluded).ids
        assert ids.shape == (38,)
        assert not {1, 2, 41} & set(ids.tolist())


def test_fewer_faces_than_asked_for_give_fewer_answers(tmp_path: Path, rng: np.random.Generator) -> None:
    with filled(tmp_path, unit_rows(rng, 3)) as writing, Collection(tmp_path) as collection:
        assert collection.search(unit_rows(rng, 2), 20)[1].shape == (2, 3)
        writing.remove([1, 2])
        assert collection.search(unit_rows(rng, 2), 20)[1].shape == (2, 0)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, 3), np.float32), np.zeros((1, DIMENSION)), np.full((1, DIMENSION), np.nan, np.float32)],
)
def test_queries_of_the_wrong_kind_are_refused(
    tmp_path: Path, rng: np.random.Generator, wrong: np.ndarray
) -> None:
    with filled(tmp_path, unit_rows(rng, 3)), Collection(tmp_path) as collection, pytest.raises(ValueError):
        collection.search(wrong, 1)


def test_a_stored_face_comes_back_as_it_was(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 1)
    with filled(tmp_path, vectors), Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        (face,) = snapshot.faces([1])
        new = photo("00000.jpg", vectors).faces[0]
        assert (face.path, face.box, face.landmarks) == ("/photos/00000.jpg", new.box, new.landmarks)
        assert (face.score, face.number, face.count) == (1.5, 1, 1)
        np.testing.assert_array_equal(face.crop, new.stored.crop)
        np.testing.assert_array_equal(face.vector, vectors[0].astype(np.float16))
        assert snapshot.layout == layout()
        summary = snapshot.summary()
        assert (summary.photos, summary.faces, summary.too_small, summary.min_face) == (1, 1, 1, 24)


def test_the_faces_of_a_photograph_are_numbered_in_the_order_they_were_stored_in(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with filled(tmp_path, unit_rows(rng, 7), per_photo=3) as writing:
        writing.store([photo("00001.jpg", unit_rows(rng, 2))])  # in place of faces 4, 5, 6
    with Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        faces = snapshot.faces([9, 2, 7, 3, 8, 1])
    assert [(face.number, face.count) for face in faces] == [(2, 2), (2, 3), (1, 1), (3, 3), (1, 2), (1, 3)]


@pytest.mark.parametrize("state", ["file", "no file", "file and newer faces"])
def test_vectors_come_back_in_the_order_asked_for(
    tmp_path: Path, rng: np.random.Generator, state: str
) -> None:
    vectors = some_vectors(rng, 12)
    with filled(tmp_path, vectors[:10]) as writing:
        if state != "no file":
            writing.refresh_vectors()
        if state == "no file":
            writing.store([photo("newer.jpg", vectors[10:])])
        if state == "file and newer faces":
            writing.store([photo("newer.jpg", vectors[10:])])
            writing.remove([2])  # faces 3 and 4
    asked = [9, 1, 9, 6] if state == "file" else [11, 9, 1, 12, 11, 6]
    with Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        found = snapshot.vectors(asked)
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, vectors[np.array(asked) - 1])
        assert snapshot.vectors([]).shape == (0, DIMENSION)
        for unknown in (0, 13, 3 if state == "file and newer faces" else -1):
            with pytest.raises(KeyError, match=str(unknown)):
                snapshot.vectors([1, unknown])


def test_the_vector_file_is_what_faiss_writes_itself(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 70)
    with filled(tmp_path, vectors) as writing:
        writing.refresh_vectors()
    (file,) = (tmp_path / VECTORS).glob("*.faiss")
    kind = (faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexIDMap(faiss.IndexScalarQuantizer(DIMENSION, *kind))
    index.add_with_ids(vectors, np.arange(1, 71))
    faiss.write_index(index, str(tmp_path / "plain.faiss"))
    plain = (tmp_path / "plain.faiss").read_bytes()
    assert file.read_bytes()[: len(plain)] == plain
    assert faiss.read_index(str(file)).ntotal == 70


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


def _nonsense(path: Path) -> None:
    path.write_bytes(b"not an index" * 1000)


def _footer(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["000001.faiss", "manifest.json"])
@pytest.mark.parametrize("damage", [Path.unlink, _cut, _flip, _nonsense, _footer])
def test_damaged_vectors_change_no_answer_and_are_made_again(
    tmp_path: Path, rng: np.random.Generator, damage: object, name: str
) -> None:
    vectors = unit_rows(rng, 50)
    with filled(tmp_path, vectors) as writing:
        writing.refresh_vectors()
    with Collection(tmp_path) as collection:
        before = collection.search(vectors[:3], 9)
    assert callable(damage)
    damage(tmp_path / VECTORS / name)
    with Collection(tmp_path) as collection:
        after = collection.search(vectors[:3], 9)
        with collection.snapshot() as snapshot:
            assert not snapshot.in_line
    np.testing.assert_array_equal(before[1], after[1])
    with CollectionWriter(tmp_path) as writing:
        assert writing.refresh_vectors()
        assert not writing.refresh_vectors()
    with Collection(tmp_path) as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line


def test_an_undamaged_copy_of_a_collection_is_used_as_it_is(tmp_path: Path, rng: np.random.Generator) -> None:
    with filled(tmp_path, unit_rows(rng, 5)) as writing:
        writing.refresh_vectors()
    shutil.copytree(tmp_path, tmp_path / "copy")
    with Collection(tmp_path / "copy") as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line


def test_a_vector_file_from_the_future_of_an_older_catalogue_is_deleted(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with filled(tmp_path, unit_rows(rng, 4)) as writing:
        writing.empty_log()
        old = (tmp_path / "catalog.sqlite").read_bytes()
        writing.store([photo("later.jpg", unit_rows(rng, 2))])
        writing.refresh_vectors()
    (tmp_path / "catalog.sqlite").write_bytes(old)
    for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with CollectionWriter(tmp_path):
        assert not (tmp_path / VECTORS).exists()


def test_a_full_disk_leaves_the_old_vector_file(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(tmp_path, unit_rows(rng, 4)) as writing:
        writing.refresh_vectors()
        writing.store([photo("later.jpg", unit_rows(rng, 2))])

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(segment._Counted, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writing.refresh_vectors()
        assert len(FaissStore(tmp_path)) == 4
        assert sorted(file.name for file in (tmp_path / VECTORS).iterdir()) == [
            "000001.faiss",
            "manifest.json",
        ]
    with Collection(tmp_path) as collection:
        assert collection.search(unit_rows(rng, 1), 99)[1].shape == (1, 6)


def test_a_few_new_faces_do_not_rewrite_many(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors, sizes = unit_rows(rng, 60), []
    with filled(tmp_path, vectors[:40]) as writing:
        for last in range(40, 61, 2):
            if last > 40:
                writing.store([photo(f"{last}.jpg", vectors[last - 2 : last])])
            assert writing.refresh_vectors()
            assert not writing.refresh_vectors()
            sizes.append([len(one) for one in FaissStore(tmp_path).segments])
    assert sizes[:5] == [[40], [40, 2], [40, 4], [40, 6], [40, 6, 2]]
    assert all(one[0] == 40 and len(one) <= 3 for one in sizes) and sum(sizes[-1]) == 60
    with Collection(tmp_path) as collection:
        np.testing.assert_array_equal(collection.search(vectors, 1)[1][:, 0], np.arange(1, 61))


def test_the_vector_file_is_written_as_a_stream(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_rows, "STREAMED", 256)
    most = 0
    original = segment._Counted.write

    def watched(self: segment._Counted, piece: bytes) -> None:
        nonlocal most
        most = max(most, len(piece))
        original(self, piece)

    monkeypatch.setattr(segment._Counted, "write", watched)
    with filled(tmp_path, unit_rows(rng, 600), per_photo=100) as writing:
        writing.refresh_vectors()
    assert most <= 256 * DIMENSION * 2


def test_readers_see_one_state_while_another_process_writes(tmp_path: Path, rng: np.random.Generator) -> None:
    check_readers_see_one_state(tmp_path, rng)


def test_a_reader_opened_after_the_file_was_renewed_but_before_the_catalogue_moved_on_agrees(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 12)
    with filled(tmp_path, vectors[:6]) as writing, Collection(tmp_path) as collection:
        with collection.snapshot() as before:
            assert len(before) == 6
        writing.store([photo("x.jpg", vectors[6:])])
        with collection.snapshot() as after:
            assert len(after) == 12
        writing.refresh_vectors()
        with collection.snapshot() as fresh:
            assert fresh.in_line


def test_a_second_writer_is_told_who_holds_the_collection(tmp_path: Path, rng: np.random.Generator) -> None:
    with filled(tmp_path, unit_rows(rng, 2)):
        with pytest.raises(CollectionLockedError, match=f"process {os.getpid()} is writing"):
            CollectionWriter(tmp_path)
        program = "import sys, pathlib, index; index.CollectionWriter(pathlib.Path(sys.argv[1]))"
        other = subprocess.run(
            [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False
        )
        assert "CollectionLockedError" in other.stderr
    CollectionWriter(tmp_path).close()


def test_folders_without_a_collection_are_named(tmp_path: Path) -> None:
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionMissingError, match="anotheryou index FOLDER"):
            opening(tmp_path)
    (tmp_path / "catalog.sqlite").touch()  # killed while it was being made
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionMissingError):
            opening(tmp_path)
    CollectionWriter(tmp_path, new_collection()).close()
    Collection(tmp_path).close()


def test_a_folder_of_other_things_is_not_made_a_collection(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(CollectionError, match=r"holiday\.jpg"):
        CollectionWriter(tmp_path, new_collection())
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(("free", "told"), [(0, "the disk is full; free some space"), (1 << 30, "disk I/O")])
def test_a_disk_too_full_for_the_index_of_the_log_is_told_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: str
) -> None:
    usage = shutil._ntuple_diskusage(1 << 30, 0, free)
    monkeypatch.setattr("index.sqlite.shutil.disk_usage", lambda _: usage)
    with pytest.raises(CollectionError, match=told), SqliteFolder(tmp_path).plain_errors():
        raise sqlite3.OperationalError("disk I/O error")  # what SQLite says of either


def test_a_damaged_catalogue_is_one_plain_error(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"nonsense" * 1000)
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionError, match="damaged"):
            opening(tmp_path)


def test_a_collection_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    CollectionWriter(tmp_path, new_collection()).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionError, match="newer version"):
            opening(tmp_path)


def assert_tables_are_the_models(folder: Path) -> None:
    engine = create_engine(f"sqlite:///{folder / CATALOG}")
    made = inspect(engine)
    assert set(made.get_table_names()) == set(Base.metadata.tables)
    for name, table in Base.metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in made.get_columns(name)}
        expected = {column.name: bool(column.nullable) for column in table.columns}
        assert columns | {"id": False} == expected
        assert {i["name"] for i in made.get_indexes(name)} == {index.name for index in table.indexes}
        keys = {(*key["constrained_columns"], key["referred_table"]) for key in made.get_foreign_keys(name)}
        assert keys == {(key.parent.name, key.column.table.name) for key in table.foreign_keys}
        unique = {tuple(each["column_names"]) for each in made.get_unique_constraints(name)}
        together = {each for each in table.constraints if isinstance(each, UniqueConstraint)}
        assert unique == {tuple(column.name for column in each.columns) for each in together}
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == migrations.latest()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    CollectionWriter(tmp_path, new_collection()).close()
    assert_tables_are_the_models(tmp_path)


def test_a_failed_batch_leaves_nothing_behind(tmp_path: Path, rng: np.random.Generator) -> None:
    bad = unit_rows(rng, 1)
    bad[0, 3] = np.inf
    with filled(tmp_path, unit_rows(rng, 4)) as writing:
        with pytest.raises(ValueError):
            writing.store([photo("good.jpg", unit_rows(rng, 1)), photo("bad.jpg", bad)])
        assert not list(writing.below("/photos/good.jpg"))
        writing.store([photo("good.jpg", unit_rows(rng, 1))])


def test_storing_a_photograph_again_replaces_it(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 5)
    with filled(tmp_path, vectors[:4]) as writing, Collection(tmp_path) as collection:
        writing.store([photo("00000.jpg", vectors[4:])])
        with collection.snapshot() as snapshot:
            assert len(snapshot) == 3
            assert len(list(snapshot.photos(Status.OK))) == 2
        assert collection.search(vectors[4:], 1)[1].tolist() == [[5]]


def test_a_result_that_arrives_twice_changes_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 3)
    results = [photo("a.jpg", vectors[:2]), photo("b.jpg", vectors[2:])]
    once, twice = tmp_path / "once", tmp_path / "twice"
    for place, batches in ((once, [results]), (twice, [results, results[:1], results + results])):
        with CollectionWriter(place, new_collection()) as writing:
            for batch in batches:
                writing.store(batch)
            writing.refresh_vectors()
    assert content(twice) == content(once)
    for place in (once, twice):
        with Collection(place) as collection, collection.snapshot() as snapshot:
            assert (len(snapshot), snapshot.summary().photos) == (3, 2)


def test_names_that_are_no_valid_text_are_kept_and_found_below_their_folder(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    odd = os.fsdecode(b"folder/\xff\xfe.jpg")
    with CollectionWriter(tmp_path, new_collection()) as writing:
        writing.store([photo(odd, unit_rows(rng, 1)), photo("folder/a.jpg", unit_rows(rng, 1))])
        writing.store([photo("folder2/a.jpg", unit_rows(rng, 1)), photo("folder", unit_rows(rng, 1))])
        below = [known.path for some in writing.below("/photos/folder") for known in some]
        assert sorted(below) == sorted([f"/photos/{odd}", "/photos/folder/a.jpg", "/photos/folder"])
        assert list(writing.known([f"/photos/{odd}"])) == [f"/photos/{odd}"]


def test_new_vectors_replace_the_old_ones_at_once_and_only_when_all_are_there(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    old, new = unit_rows(rng, 10), unit_rows(rng, 10)
    with filled(tmp_path, old) as writing, Collection(tmp_path) as collection:
        writing.refresh_vectors()
        first = Reindexing(writing, layout("ffffffffffff"))
        batches = first.pending(4)
        first.store([(face.id, stored(new[face.id - 1])) for face in next(batches)])
        assert collection.search(old[:1], 1)[1][0, 0] == 1
        again = Reindexing(writing, layout("ffffffffffff"))
        assert again.remaining == 6
        for batch in again.pending(4):
            again.store([(face.id, stored(new[face.id - 1])) for face in batch if face.id != 10])
        assert again.finish() == 1
        with collection.snapshot() as snapshot:
            assert snapshot.layout.digest == "ffffffffffff"
            assert snapshot.in_line
            assert len(snapshot) == 9
            np.testing.assert_array_equal(snapshot.search(new[:9], 1)[1][:, 0], np.arange(1, 10))


def make_unwritable(folder: Path) -> None:
    """Keep SQLite from making its file for readers, as a read-only disk does, whatever root may write."""
    (folder / "catalog.sqlite-shm").symlink_to("/nowhere/at-all")


def test_a_collection_can_be_searched_where_nothing_can_be_written(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 10)
    folder = tmp_path / "odd ?name=#%41"  # what an address would take for something else
    with filled(folder, vectors) as writing:
        writing.refresh_vectors()
    make_unwritable(folder)
    with (
        pytest.raises(sqlite3.OperationalError, match="unable to open"),
        sqlite3.connect(folder / CATALOG) as plain,
    ):
        plain.execute("SELECT * FROM photos")
    plain.close()
    with Collection(folder) as collection:
        for number in (0, 7):
            assert collection.search(vectors[number : number + 1], 3)[1][0, 0] == number + 1
        with collection.snapshot() as snapshot:
            assert snapshot.in_line
            assert snapshot.count_below("/photos") == (5, 10)
            assert snapshot.count_below("/photos/00001.jpg") == (1, 2)


def test_changes_that_cannot_be_read_are_told_instead_of_left_out(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with filled(tmp_path / "alive", unit_rows(rng, 10)):
        shutil.copytree(tmp_path / "alive", tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm"))
    make_unwritable(tmp_path / "copy")
    with pytest.raises(CollectionError, match=r"copy .* to a disk that can be written"):
        Collection(tmp_path / "copy")


def test_a_state_that_changes_under_a_reader_without_locks_is_never_shown(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 10)
    filled(tmp_path, vectors).close()
    make_unwritable(tmp_path)
    with Collection(tmp_path) as collection:
        with (
            pytest.raises(CollectionError, match="changed from elsewhere"),
            collection.snapshot() as snapshot,
        ):
            (tmp_path / "catalog.sqlite-shm").unlink()
            with CollectionWriter(tmp_path) as writing:
                writing.store([photo("newer.jpg", unit_rows(rng, 1))])
                writing.empty_log()
            snapshot.search(vectors[:1], 1)
        with collection.snapshot() as snapshot:
            assert len(snapshot) == 11


@pytest.mark.parametrize("writing_goes_on", [False, True])
def test_a_collection_on_a_read_only_disk_can_be_searched(
    tmp_path: Path, rng: np.random.Generator, writing_goes_on: bool
) -> None:
    vectors, folder, disk = unit_rows(rng, 10), tmp_path / "collection", tmp_path / "disk"
    disk.mkdir()
    writing = filled(folder, vectors)
    if not writing_goes_on:
        writing.refresh_vectors()
        writing.close()
    np.save(tmp_path / "query.npy", vectors[4:5])
    mount = 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" || exit 77; shift 2; exec "$@"'
    program = (
        "import sys, numpy, pathlib, index\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "try: (folder / 'x').touch()\n"
        "except OSError: pass\n"
        "else: sys.exit(77)\n"
        "with index.Collection(folder) as collection:\n"
        "    print(collection.search(numpy.load(sys.argv[2]), 3)[1][0, 0])\n"
    )
    python = [sys.executable, "-c", program, str(disk), str(tmp_path / "query.npy")]
    try:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount, "sh", str(folder), str(disk), *python],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("needs unshare")
    finally:
        if writing_goes_on:
            writing.close()
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("cannot mount a read-only disk here")
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
