"""The short form of ``benchmarks/endurance.py``, with stand-ins for the models."""

from __future__ import annotations

import random
import sqlite3
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from endure.damage import classes_of, damage
from endure.kills import Command, kill
from endure.pictures import hostile
from endure.processes import run
from endure.room import NoDiskError, fill, readers, two_writers
from endure.survey import NOTHING, Survey, survey
from fake_faces import OTHER, fake_engine, open_fake_detector, save_photo
from PIL import Image

import retrieval.indexing
import retrieval.reindexing
from cli.guard import tell
from faces.errors import AnotherYouError
from faces.types import DetectedFace, Photo
from index import CollectionWriter, segment
from index.sqlite import CATALOG
from retrieval.indexing import index_folders
from retrieval.reindexing import reindex

PHOTOS = 60


@pytest.fixture(autouse=True)
def many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval.indexing, "_FACES", 6)
    monkeypatch.setattr(retrieval.reindexing, "_FACES", 6)
    monkeypatch.setattr(segment, "_CODED", 16)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(PHOTOS):
        save_photo(tmp_path / "photos" / str(number % 7) / f"{number}.png", number, faces=number % 4)
    (tmp_path / "photos" / "bad.jpg").write_text("no picture")
    return tmp_path / "photos"


def as_a_command(work: Callable[[], object]) -> None:
    """End the process as the command line would."""
    try:
        work()
    except (AnotherYouError, OSError) as error:
        raise SystemExit(tell(error)) from None


def index(photos: Path, collection: Path, _round: int = 0) -> None:
    as_a_command(
        partial(
            index_folders,
            [photos],
            collection=collection,
            engine=fake_engine(),
            detector=open_fake_detector,
            min_face=16,
            workers=0,
        )
    )


def weights(collection: Path, number: int) -> None:
    engine = fake_engine(OTHER) if number % 2 else fake_engine()
    as_a_command(partial(reindex, collection=collection, engine=engine))


def whole(photos: Path, collection: Path) -> Survey:
    assert run(partial(index, photos, collection)).status == 0
    return survey(collection)


def test_commands_killed_at_any_moment_lose_and_double_nothing(tmp_path: Path, photos: Path) -> None:
    chance = random.Random(2015)

    def change(number: int) -> None:
        for place in chance.sample(range(PHOTOS), 30):
            path = photos / str(place % 7) / f"{place}.png"
            if path.exists() and number > 1:
                path.unlink() if chance.random() < 0.1 else save_photo(path, place + 1000 * number, faces=2)

    for command in (Command("index", partial(index, photos), change), Command("reindex", weights)):
        tally = kill(command, tmp_path, 15, chance)
        assert (tally.tried >= 15, tally.lost, tally.doubled, tally.stopped) == (True, 0, 0, 0), tally.notes
    end = survey(tmp_path / "killed")
    assert len(end.faces) > PHOTOS / 2
    assert end.skipped.total() == 1
    with sqlite3.connect(tmp_path / "killed" / CATALOG) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    plain.close()


def test_a_loss_and_a_double_would_be_seen(tmp_path: Path, photos: Path) -> None:
    before = whole(photos, tmp_path / "one")
    with CollectionWriter(tmp_path / "one") as writer:
        some = next(writer.below(str(photos)))
        writer.remove([known.id for known in some if known.path.endswith("/5.png")])
    now = survey(tmp_path / "one")
    assert now.lost_since(before) == 2  # the photograph and its face
    assert not now.equals(before)
    assert before.lost_since(NOTHING) == 0
    before.faces.update(list(before.faces)[:3])
    assert before.doubled == 3


def test_changed_bytes_of_every_class_are_repaired_or_told(tmp_path: Path, photos: Path) -> None:
    whole(photos, tmp_path / "one")
    for path in sorted(photos.rglob("*.png"))[::2]:
        path.unlink()
    state = whole(photos, tmp_path / "one")
    with sqlite3.connect(tmp_path / "one" / CATALOG) as plain:
        plain.execute("CREATE TABLE extra (x)")
        plain.execute("INSERT INTO extra VALUES (zeroblob(100000))")
        plain.execute("DROP TABLE extra")  # leaves free pages
    plain.close()
    classes = classes_of(tmp_path / "one")
    assert len(classes) >= 17
    found = list(damage(tmp_path / "one", classes, [state], 3, random.Random(3)))
    for one in found:
        assert not one.outcomes["wrong"] and not one.outcomes["traceback"], one.notes
        if one.what.startswith("vectors"):
            assert one.outcomes["made again"] == 3, one
    assert sum(one.outcomes["told"] for one in found) >= 15


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path: Path, photos: Path) -> None:
    expected = whole(photos, tmp_path / "one")
    try:
        tally = fill("index", partial(index, photos), None, expected)
    except NoDiskError as error:
        pytest.skip(str(error))
    assert (tally.tried >= 2, tally.lost, tally.doubled, tally.stopped) == (True, 0, 0, 0), tally.notes


def test_two_writers_and_readers_while_writing(tmp_path: Path, photos: Path) -> None:
    expected = whole(photos, tmp_path / "one")
    for tally in (
        two_writers(partial(index, photos), tmp_path, 3, expected),
        readers(partial(index, photos), tmp_path, 1, expected),
    ):
        assert (tally.tried >= 1, tally.lost, tally.doubled, tally.stopped) == (True, 0, 0, 0), tally.notes


@dataclass(frozen=True)
class NoFaces:
    name: str = "sees nobody"

    def detect(self, photo: Photo) -> list[DetectedFace]:
        return []


def test_hostile_pictures_are_skipped_for_a_reason_and_stop_nothing(tmp_path: Path, photos: Path) -> None:
    save_photo(tmp_path / "whole.png", 1)
    with Image.open(tmp_path / "whole.png") as image:
        image.resize((200, 150)).save(tmp_path / "whole.jpg")
    made = hostile(tmp_path / "bad", tmp_path / "whole.jpg", 102, random.Random(5))
    assert len(made) == 17 and made.total() == 102
    with warnings.catch_warnings(record=True):
        summary = index_folders(
            [tmp_path / "bad"],
            collection=tmp_path / "one",
            engine=fake_engine(),
            detector=NoFaces,
            workers=0,
        )
    end = survey(tmp_path / "one")
    assert summary.photographs == end.photos.total() + end.skipped.total() >= 80
    assert summary.skipped == end.skipped.total() >= 50
    assert all(reason for _, reason in end.skipped)
    assert len(summary.passed_over) >= 12
