"""A served album for the tests of the pages: some pictures of the demo's people, indexed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from collections_made import new_collection, photo, unit_rows
from conftest import REPOSITORY
from starlette.testclient import TestClient

from index import CollectionWriter
from pages.access import Access
from pages.app import create_app
from retrieval.indexing import index_folders

HOST = "127.0.0.1:8391"
ALBUM = REPOSITORY / "demo" / "album"
NAMES = [
    "amara_pose+30_kitchen.jpg",
    "amara_pose-30_library.jpg",
    "amara_pose0_kitchen.jpg",
    "amara-and-kofi_garden.jpg",
    "chloe_pose+30_street.jpg",
    "chloe_pose-30_street.jpg",
    "chloe_pose0_window.jpg",
    "damaged_card.jpg",
]


def indexed(folder: Path) -> Path:
    """Copy some pictures of the album into two folders and index them; returns the collection."""
    for number, name in enumerate(NAMES):
        copied = folder / "photographs" / ("one" if number < 4 else "two") / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes((ALBUM / name).read_bytes())
    index_folders([folder / "photographs"], collection=folder / "collection", workers=0)
    return folder / "collection"


def listed(place: Path, count: int) -> Path:
    """Make a collection of so many photographs in seven folders, three of a time, none of them there."""
    vectors = unit_rows(np.random.default_rng(0), count)
    made = [
        replace(photo(f"{number % 7}/{number:04}.jpg", vectors[number, None]), mtime_ns=number // 3)
        for number in range(count)
    ]
    with CollectionWriter(place, new_collection()) as writer:
        writer.store(made)
        writer.refresh_vectors()
    return place


@contextmanager
def served(
    collection: Path, *, signed_in: bool = True, address: str = "127.0.0.1", password: str | None = None
) -> Iterator[TestClient]:
    """A browser of the pages, on a machine with this address; with the session unless not ``signed_in``."""
    host = "127.0.0.1" if password is None else "0.0.0.0"
    access = Access(host, 8391, password)
    app = create_app(collection, access, warm=False)
    with TestClient(
        app, base_url=f"http://{HOST}", client=(address, 40000), follow_redirects=False
    ) as client:
        if signed_in:
            answer = client.get(f"/?token={access.token}")
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield client
