"""A collection in PostgreSQL answers as one in a folder does, has one writer, and tells errors plainly."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from collections_made import check_readers_see_one_state, filled, new_collection, photo, unit_rows
from lives_made import answers, live
from sqlalchemy import create_engine, inspect

from cluster.server import PASSWORD, USER, Server
from faces.errors import CollectionError, CollectionLockedError, CollectionMissingError
from index import Address, Collection, CollectionWriter, Place, Status, add_decision, migrations, place_of
from index.models import Base

NewAddress = Callable[..., str]


@pytest.mark.parametrize("seed", range(6))
def test_the_answers_are_those_of_a_folder(tmp_path: Path, place: Place, seed: int) -> None:
    for where in (tmp_path / "folder", place):
        live(where, seed)
    expected = answers(tmp_path / "folder", seed)
    assert expected["count"] > 10
    assert answers(place, seed) == expected


def test_new_tables_are_the_models_at_the_newest_migration(place: Address) -> None:
    CollectionWriter(place, new_collection()).close()
    engine = create_engine(place.url)
    made = inspect(engine)
    assert set(made.get_table_names()) == {*Base.metadata.tables, "anotheryou_migrations"}
    for name, table in Base.metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in made.get_columns(name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}
        assert {"INTEGER", "REAL"}.isdisjoint(str(column["type"]) for column in made.get_columns(name))
    with engine.connect() as connection:
        assert migrations.current(connection) == migrations.latest()
    engine.dispose()


def test_later_migrations_are_applied_from_scripts_of_their_own(
    place: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    CollectionWriter(place, new_collection()).close()
    newer = migrations.latest() + 1
    scripts = {
        "sqlite": [(newer, "")],
        "postgresql": [(newer, "ALTER TABLE photos ADD COLUMN newest text;\n")],
    }
    monkeypatch.setattr(migrations, "_migrations", lambda dialect="sqlite": scripts[dialect])
    with Collection(place) as collection, collection._database.reading(collection._engine) as connection:
        assert migrations.current(connection) == newer
        assert "newest" in [column["name"] for column in inspect(connection).get_columns("photos")]
    monkeypatch.undo()
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionError, match="newer version"):
            opening(place)


def test_a_catalogue_of_before_is_brought_up_to_date_when_it_is_opened(
    place: Address, rng: np.random.Generator
) -> None:
    filled(place, unit_rows(rng, 4)).close()
    engine = create_engine(place.url)
    with engine.begin() as connection:
        for change in (
            "DROP TABLE decisions",
            "ALTER TABLE photos DROP COLUMN taken, DROP COLUMN camera, DROP COLUMN date_ns",
            "ALTER TABLE collection DROP COLUMN exclude",
            "UPDATE anotheryou_migrations SET number = 3",
        ):
            connection.exec_driver_sql(change)
    engine.dispose()
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert len(snapshot) == 4
        (one, *_) = snapshot.photos(Status.OK)
        assert (one.taken, one.camera, one.dated_by) == (None, "", "file")
        assert snapshot.decisions() == []
    test_new_tables_are_the_models_at_the_newest_migration(place)


def test_what_is_said_of_faces_is_kept_beside_a_writer(place: Address, rng: np.random.Generator) -> None:
    writing = filled(place, unit_rows(rng, 4))
    try:
        numbers = [add_decision(place, "name", {"faces": [], "name": name}) for name in ("Ann", "Zoë")]
    finally:
        writing.close()
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert [one.id for one in snapshot.decisions()] == numbers
        assert [one.details["name"] for one in snapshot.decisions()] == ["Ann", "Zoë"]
        assert snapshot.said[-1] == numbers[-1]
        assert len(snapshot.placed_faces()) == 4


def test_readers_see_one_state_while_another_process_writes(place: Place, rng: np.random.Generator) -> None:
    check_readers_see_one_state(place, rng)


def test_a_second_writer_is_told_who_holds_the_collection_until_that_one_is_gone(
    new_address: NewAddress, rng: np.random.Generator
) -> None:
    address = new_address()
    filled(place_of(address), unit_rows(rng, 4)).close()
    program = (
        "import sys, time, index\n"
        "writer = index.CollectionWriter(index.place_of(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"ready\n"
        with pytest.raises(CollectionLockedError, match=f"process {other.pid} on .* is writing"):
            CollectionWriter(place_of(address))
        Collection(place_of(address)).close()
        other.send_signal(signal.SIGKILL)
        other.wait()
    for _ in range(100):  # the server notices when it next looks
        try:
            CollectionWriter(place_of(address)).close()
            return
        except CollectionLockedError:
            time.sleep(0.1)
    pytest.fail("the lock outlived its process")


def test_two_schemas_of_a_database_are_two_collections(
    server: Server, new_address: NewAddress, tmp_path: Path, rng: np.random.Generator
) -> None:
    address = new_address()
    database = str(place_of(address).url.database)  # type: ignore[union-attr]
    vectors = unit_rows(rng, 2)
    places = []
    for number, name in enumerate(("mine", "yours")):
        server.sql(f"CREATE SCHEMA {name}", database)
        options = {"options": f"-csearch_path={name}", "vectors": str(tmp_path / name)}
        places.append(place_of(server.url(database, **options)))
        filled(places[-1], vectors[number : number + 1]).close()
    with CollectionWriter(places[0]), CollectionWriter(places[1]):
        for place, vector in zip(places, vectors, strict=True):
            with Collection(place) as collection, collection.snapshot() as snapshot:
                np.testing.assert_array_equal(snapshot.vectors([1]), vector[None])


def test_a_writer_that_was_cut_off_goes_on_only_with_the_lock(
    server: Server, place: Address, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 6)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'anotheryou%'"
    with filled(place, vectors[:2]) as writing:
        server.sql(cut, str(place.url.database))
        with pytest.raises(CollectionError, match="run the same command again"):
            writing.store([photo("lost.jpg", vectors[2:4])])
        writing.store([photo("kept.jpg", vectors[4:])])
        with pytest.raises(CollectionLockedError):
            CollectionWriter(place)
        server.sql(cut, str(place.url.database))
        with pytest.raises(CollectionError):
            writing.remove([1])
        with CollectionWriter(place), pytest.raises(CollectionLockedError):
            writing.remove([1])
    with Collection(place) as collection:
        assert collection.search(vectors, 9)[1].shape == (6, 4)


def test_a_reader_outlives_a_restart_of_the_server(
    server: Server, place: Place, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 6)
    filled(place, vectors).close()
    with Collection(place) as collection:
        before = collection.search(vectors, 3)
        server.stop()
        with pytest.raises(CollectionError, match="check the address, and that the server runs"):
            collection.search(vectors, 3)
        server.start()
        np.testing.assert_array_equal(collection.search(vectors, 3)[1], before[1])


def test_forgotten_faces_are_vacuumed(server: Server, place: Address, rng: np.random.Generator) -> None:
    with filled(place, unit_rows(rng, 40)) as writing:
        writing.forget([1, 2])
        writing.empty_log()
        vacuumed = "SELECT n_dead_tup, vacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'vectors'"
        for _ in range(50):  # the server counts with some delay
            if (found := server.sql(vacuumed, str(place.url.database))) == [(0, True)]:
                break
            time.sleep(0.1)
        assert found == [(0, True)]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://{user}:wrong@127.0.0.1:{port}/postgres", "password authentication failed.*PGPASSWORD"),
        ("postgresql://{user}@127.0.0.1:{port}/postgres", "password.*PGPASSWORD"),
        ("postgresql://{user}:{password}@127.0.0.1:{port}/nowhere", '"nowhere" does not exist.*createdb'),
        (
            "postgresql://stranger@/postgres?host={folder}&port={port}",
            "stranger.*name a user that the server knows",
        ),
        ("postgresql://{user}:{password}@127.0.0.1:1/postgres", "refused; check the address"),
        ("postgresql://{user}:{password}@nowhere.invalid/postgres", "check the host's name"),
        ("postgresql://{user}:{password}@127.0.0.1:{port}/postgres?sslmode=no", "sslmode"),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_plain_sentence_without_the_password(
    server: Server, address: str, told: str
) -> None:
    named = {"user": USER, "password": PASSWORD, "port": server.port, "folder": server.folder}
    for opening in (Collection, lambda place: CollectionWriter(place, new_collection())):
        with pytest.raises(CollectionError, match=told) as raised:
            opening(place_of(address.format(**named)))
        assert PASSWORD not in str(raised.value) and "\n" not in str(raised.value)


def test_a_database_without_a_collection_or_with_other_things_is_named(
    server: Server, place: Address
) -> None:
    for opening in (Collection, CollectionWriter):
        with pytest.raises(CollectionMissingError, match="anotheryou index FOLDER"):
            opening(place)
    server.sql("CREATE TABLE photos (name text)", str(place.url.database))
    with pytest.raises(CollectionError, match=r"other things \(a table photos\)"):
        CollectionWriter(place, new_collection())
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(CollectionError, match="--encoding UTF8"):
        CollectionWriter(place_of(server.url("latin")), new_collection())


def test_a_failed_batch_leaves_nothing_behind(place: Place, rng: np.random.Generator) -> None:
    bad = unit_rows(rng, 1)
    bad[0, 3] = np.inf
    with filled(place, unit_rows(rng, 4)) as writing:
        with pytest.raises(ValueError):
            writing.store([photo("good.jpg", unit_rows(rng, 1)), photo("bad.jpg", bad)])
        assert not list(writing.below("/photos/good.jpg"))
        writing.store([photo("good.jpg", unit_rows(rng, 1))])
