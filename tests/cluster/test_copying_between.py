"""Copies between folders and PostgreSQL, there and back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from collections_made import photo, unit_rows
from lives_made import answers, live
from numpy.random import Generator

from faces.errors import CollectionError
from index import Address, Collection, CollectionWriter, copy_collection, copying, place_of


@pytest.mark.parametrize("seed", range(2))
def test_there_and_back_nothing_changes(
    tmp_path: Path, new_address: Callable[..., str], rng: Generator, seed: int
) -> None:
    live(tmp_path / "one", seed)
    expected = answers(tmp_path / "one", seed)
    places = [tmp_path / "one", place_of(new_address()), place_of(new_address()), tmp_path / "two"]
    for source, target in pairwise(places):
        summary = copy_collection(source, target)
        assert (summary.copied, summary.faces) == (len(expected["photos"]), expected["count"])
        assert answers(target, seed) == expected
    newest = max(expected["ids"])
    new = photo("new.jpg", unit_rows(rng, 2))
    for place in places[1:]:
        with CollectionWriter(place) as writer:
            writer.store([new])
        with Collection(place) as collection, collection.snapshot() as snapshot:
            added = [face.id for face in snapshot.faces_of(None, new.content)]
        assert len(added) == 2 and min(added) > newest


def test_a_copy_into_a_database_goes_on_and_overwrites_nothing(
    tmp_path: Path, place: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_PHOTOS", 4)
    live(tmp_path / "one", 2)
    live(tmp_path / "other", 3)
    asked = iter([False, False, True])
    assert copy_collection(tmp_path / "one", place, stop=lambda: next(asked)).interrupted
    with pytest.raises(CollectionError, match="unfinished copy"):
        Collection(place)
    with pytest.raises(CollectionError, match="another collection"):
        copy_collection(tmp_path / "other", place)
    summary = copy_collection(tmp_path / "one", place)
    assert summary.copied == summary.photographs - 8
    assert answers(place, 2) == answers(tmp_path / "one", 2)
    assert copy_collection(tmp_path / "one", place).copied == 0
    with pytest.raises(CollectionError, match="another collection"):
        copy_collection(tmp_path / "other", place)
    assert answers(place, 2) == answers(tmp_path / "one", 2)
