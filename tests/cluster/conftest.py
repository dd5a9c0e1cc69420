"""What the tests of the parts beyond one machine share; without their packages they are skipped."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from cluster.server import Server
from index import Place, place_of

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # Not in pytest's own folder, since the path of a socket may have 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="anotheryou-") as folder:
        running = Server(Path(folder))
        yield running
        running.stop()


@pytest.fixture
def new_address(server: Server, tmp_path: Path) -> Callable[..., str]:
    """Makes empty databases, and gives the address of each with a folder of its own for the vectors."""

    def new(**more: str) -> str:
        name = f"faces{next(_numbers)}"
        server.sql(f"CREATE DATABASE {name}")
        return server.url(name, **{"vectors": str(tmp_path / name), **more})

    return new


@pytest.fixture
def place(new_address: Callable[..., str]) -> Place:
    """Where a collection can be made: an empty database."""
    return place_of(new_address())
