"""Searches that keep to a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from fake_faces import fake_engine, open_fake_detector, save_person
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from anotheryou import Finder, index_folders
from faces.errors import FilterError
from retrieval.filters import When, beginning


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finder]:
    """Pictures of one person, named after the day; the first half is dated by its EXIF."""
    folder = tmp_path_factory.mktemp("dated")
    days = ["2022-12-31", "2023-01-01", "2023-06-30", "2023-07-01", "2023-12-31", "2024-01-01"]
    for number, day in enumerate(days):
        path = save_person(folder / "photos" / f"{day}.png", 0, seed=number)
        time = datetime.fromisoformat(f"{day}T12:00:00")
        if number < 3:
            exif = Image.Exif()
            exif[IFD.Exif] = {Base.DateTimeOriginal: time.strftime("%Y:%m:%d %H:%M:%S")}
            with Image.open(path) as image:
                image.save(path, exif=exif, compress_level=0)
        else:
            os.utime(path, (time.timestamp(), time.timestamp()))
    index_folders(
        [folder / "photos"],
        collection=folder / "c",
        engine=fake_engine(),
        detector=open_fake_detector,
        workers=0,
    )
    with Finder(folder / "c", engine=fake_engine(), detector=open_fake_detector) as opened:
        yield opened


def found(finder: Finder, **options: When) -> list[str]:
    photo = save_person(Path(str(finder.collection.place)).parent / "query.png", 0, seed=99)
    return sorted(Path(hit.path).stem for hit in finder.search(photo, **options).hits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (2023, 2023, ["2023-01-01", "2023-06-30", "2023-07-01", "2023-12-31"]),
        ("2023-07", None, ["2023-07-01", "2023-12-31", "2024-01-01"]),
        (None, "2023-06", ["2022-12-31", "2023-01-01", "2023-06-30"]),
        ("2023-06-30", "2023-07-01", ["2023-06-30", "2023-07-01"]),
        (date(2024, 1, 1), None, ["2024-01-01"]),
        (None, datetime(2022, 12, 31, 9), ["2022-12-31"]),
        ("2025", None, []),
    ],
)
def test_only_photographs_of_the_time_are_found(
    finder: Finder, since: When, until: When, days: list[str]
) -> None:
    assert found(finder, since=since, until=until) == days


@pytest.mark.parametrize(
    "when", ["", "july", "2023-13", "2023-02-30", "23", "2023-07-14-1", 20230714, "0001"]
)
def test_what_is_no_time_is_told(finder: Finder, when: When) -> None:
    with pytest.raises(FilterError, match="write 2023, 2023-07 or 2023-07-14"):
        found(finder, since=when)


def test_an_end_before_the_beginning_is_told(finder: Finder) -> None:
    with pytest.raises(FilterError, match="exchange the two"):
        found(finder, since=2024, until=2023)


@given(st.dates(date(1801, 1, 1), date(9000, 1, 1)))
def test_what_follows_a_time_is_the_day_after_its_last(day: date) -> None:
    assert beginning(day) <= day.isoformat() < beginning(day, after=True)
    assert beginning(day.year, after=True) == f"{day.year + 1}-01-01"
    month = beginning(f"{day.year}-{day.month}", after=True)
    assert month.endswith("-01") and 28 <= (date.fromisoformat(month) - day.replace(day=1)).days <= 31
