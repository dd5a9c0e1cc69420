"""When and with what a photograph was taken: read from its EXIF, whatever that holds, and kept."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from collections_made import filled, photo, some_vectors
from fake_faces import fake_engine, open_fake_detector, save_photo, unused_detector
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from anotheryou import index_folders
from faces.taken import Taken, read_taken
from index import Collection, CollectionWriter, Status, checksums, migrations
from index.sqlite import CATALOG


def save(path: Path, own: Mapping[Any, object], first: Mapping[Any, object] | None = None) -> Path:
    exif = Image.Exif()
    exif.update({int(key): value for key, value in (first or {}).items()})
    exif[IFD.Exif] = own
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.heic"])
def test_the_time_and_the_camera_are_read_from_every_format(tmp_path: Path, name: str) -> None:
    own = {Base.DateTimeOriginal: "2023:07:14 18:03:22", Base.OffsetTimeOriginal: "+02:00"}
    made = save(tmp_path / name, own, {Base.Make: "Canon", Base.Model: "Canon EOS 80D"})
    assert read_taken(made) == Taken("2023-07-14T18:03:22+02:00", "Canon EOS 80D")


@pytest.mark.parametrize(
    ("own", "time"),
    [
        ({Base.DateTimeOriginal: "2023:07:14 18:03:22"}, "2023-07-14T18:03:22"),
        ({Base.DateTimeDigitized: "1999-12-31 23:59:59"}, "1999-12-31T23:59:59"),
        (
            {Base.DateTimeOriginal: "0000:00:00 00:00:00", Base.DateTimeDigitized: "2001:01:01 01:01:01"},
            "2001-01-01T01:01:01",
        ),
        (
            {Base.DateTimeOriginal: "2023:07:14 18:03:22", Base.OffsetTimeOriginal: "+99:00"},
            "",
        ),
        (
            {Base.DateTimeOriginal: "2023:07:14 18:03:22", Base.OffsetTimeOriginal: "somewhere"},
            "2023-07-14T18:03:22",
        ),
        ({Base.DateTimeOriginal: "2023:02:30 00:00:00"}, ""),
        ({Base.DateTimeOriginal: "yesterday"}, ""),
        ({}, ""),
    ],
)
def test_times_that_cannot_be_are_none(tmp_path: Path, own: dict[int, object], time: str) -> None:
    assert read_taken(save(tmp_path / "a.jpg", own)).time == time


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("Apple\0", "iPhone 12", "Apple iPhone 12"),
        ("Sony", "", "Sony"),
        ("", "X\n\x1b[2J", "X [2J"),
        ("a" * 500, "b" * 500, "a" * 64),
    ],
)
def test_a_camera_is_named_once_and_on_one_short_line(
    tmp_path: Path, make: str, model: str, camera: str
) -> None:
    assert read_taken(save(tmp_path / "a.jpg", {}, {Base.Make: make, Base.Model: model})).camera == camera


@given(noise=st.binary(max_size=300), at=st.integers(0, 200))
def test_damaged_metadata_never_fails(
    noise: bytes, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("noise") / "a.jpg"
    save(path, {Base.DateTimeOriginal: "2023:07:14 18:03:22"}, {Base.Make: "Canon"})
    content = path.read_bytes()
    path.write_bytes(content[:at] + noise + content[at + len(noise) :])
    taken = read_taken(path)
    assert taken.time == "" or datetime.fromisoformat(taken.time)
    assert taken.camera.isprintable()


def index(folder: Path, place: Path, **options: object) -> None:
    chosen = {"workers": 0, "detector": open_fake_detector, "engine": fake_engine(), **options}
    index_folders([folder], collection=place, **chosen)  # type: ignore[arg-type]


def with_exif(path: Path, seed: int) -> Path:
    """A photograph with a face, a time, a camera and a place."""
    save_photo(path, seed)
    exif = Image.Exif()
    exif.update({Base.Make: "Canon", Base.Model: "EOS"})
    exif[IFD.Exif] = {Base.DateTimeOriginal: "2023:07:14 18:03:22"}
    exif[IFD.GPSInfo] = {GPS.GPSLatitude: (52.0, 31.0, 12.0), GPS.GPSMapDatum: "SECRETPLACE"}
    with Image.open(path) as image:
        image.save(path, exif=exif, compress_level=0)
    assert b"SECRETPLACE" in path.read_bytes()
    return path


def test_a_collection_keeps_time_and_camera_and_no_place(tmp_path: Path) -> None:
    path, place = with_exif(tmp_path / "photos" / "a.png", 1), tmp_path / "collection"
    plain = save_photo(tmp_path / "photos" / "b.png", 2)
    os.utime(plain, (1_000_000_000, 1_000_000_000))
    index(path.parent, place)
    with Collection(place) as collection, collection.snapshot() as snapshot:
        first, second = snapshot.photos(Status.OK)
        face, other = snapshot.faces([1, 2])
    assert (first.date.isoformat(), first.dated_by, first.camera) == (
        "2023-07-14T18:03:22",
        "exif",
        "Canon EOS",
    )
    assert (face.date, face.dated_by, face.camera) == (first.date, "exif", "Canon EOS")
    assert (second.date.timestamp(), second.dated_by, second.camera) == (1_000_000_000, "file", "")
    assert other.dated_by == "file"
    everything = b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert b"Canon EOS" in everything and b"SECRETPLACE" not in everything


def of_before(place: Path) -> None:
    """Make a catalogue one of version 3, with the same rows."""
    with sqlite3.connect(place / CATALOG) as plain:
        plain.execute("DROP TABLE decisions")
        for table, column in (
            ("photos", "taken"),
            ("photos", "date_ns"),
            ("photos", "camera"),
            ("collection", "exclude"),
        ):
            plain.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        function = partial(plain.create_function, narg=-1, deterministic=True)
        function("photo_checksum", func=checksums.photo)
        function("collection_checksum", func=checksums.collection)
        own = "id, path, size, mtime_ns, content, status, reason, width, height, too_small, min_face"
        plain.execute(f"UPDATE photos SET checksum = photo_checksum({own})")
        own = "id, token, layout_id, detector, min_face, generation, created"
        plain.execute(f"UPDATE collection SET checksum = collection_checksum({own})")
        plain.execute("PRAGMA user_version = 3")
    plain.close()


def test_a_collection_of_before_is_searched_at_once_and_dated_by_the_next_run(
    tmp_path: Path,
) -> None:
    path, place = with_exif(tmp_path / "photos" / "a.png", 1), tmp_path / "collection"
    index(path.parent, place)
    of_before(place)
    with Collection(place) as collection, collection.snapshot() as snapshot:
        (face,) = snapshot.faces([1])
        assert (face.dated_by, face.date.timestamp()) == ("file", int(path.stat().st_mtime))
    summary = index_folders(
        [path.parent], collection=place, engine=fake_engine(), detector=unused_detector, workers=0
    )
    assert (summary.unchanged, summary.dated, summary.read) == (1, 1, 0)
    with Collection(place) as collection, collection.snapshot() as snapshot:
        (face,) = snapshot.faces([1])
        assert (face.id, face.dated_by, face.camera) == (1, "exif", "Canon EOS")
    again = index_folders(
        [path.parent], collection=place, engine=fake_engine(), detector=unused_detector, workers=0
    )
    assert again.dated == 0


def test_a_collection_of_before_is_brought_up_to_date_beside_a_writer(tmp_path: Path, rng: Generator) -> None:
    filled(tmp_path, some_vectors(rng, 4)).close()
    of_before(tmp_path)
    with CollectionWriter(tmp_path) as writing, Collection(tmp_path) as collection:
        writing.store([photo("new.jpg", some_vectors(rng, 1))])
        with collection.snapshot() as snapshot:
            assert len(snapshot) == 5
    with sqlite3.connect(tmp_path / CATALOG) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (migrations.latest(),)
    plain.close()
