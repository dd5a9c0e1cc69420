"""Where a collection is: folders and addresses, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faces.errors import CollectionError
from index import Address, Collection, place_of
from retrieval.location import collection_place


def test_a_folder_stays_a_folder(tmp_path: Path) -> None:
    for named in (tmp_path, str(tmp_path)):
        assert place_of(named) == tmp_path
    assert place_of("~/photos") == Path.home() / "photos"
    assert place_of("odd:name/x") == Path("odd:name/x")


def test_an_address_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = place_of("postgresql://me:geheim@host/db?password=geheim&sslmode=require")
    assert str(place) == "postgresql://me:***@host/db?sslmode=require"
    assert isinstance(place, Address) and "geheim" not in repr(place)
    assert Path(place.vectors).parent == tmp_path / "anotheryou" / "vectors"


def test_addresses_that_mean_the_same_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = place_of("postgres://me@host/db?vectors=/fast/disk")
    assert isinstance(first, Address) and first.vectors == Path("/fast/disk")
    assert place_of(first) == place_of("postgresql+psycopg://me@host/db?vectors=%2Ffast%2Fdisk") == first
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", "postgresql://me@host/db?vectors=/fast/disk")
    assert collection_place(None) == first


@pytest.mark.parametrize("milvus", ["http://me:geheim@host:19530#IVF_SQ8", "faces.db", "/data/faces.db#HNSW"])
def test_what_milvus_understands_is_left_as_it_is(milvus: str) -> None:
    place = place_of(f"postgresql://me@host/db?vectors={milvus}")
    assert isinstance(place, Address) and place.vectors == milvus
    assert "geheim" not in f"{place} {place!r}"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("mysql://me:geheim@127.0.0.1/x", "cannot be kept in mysql"),
        ("postgresql://me:geheim@127.0.0.1:geheim/x", "write postgresql://USER@HOST/DATABASE"),
        ("postgresql://me@host/x?vectors=a&vectors=b", "name one"),
    ],
)
def test_other_addresses_are_refused_without_a_word_of_the_password(address: str, told: str) -> None:
    with pytest.raises(CollectionError, match=told) as raised:
        place_of(address)
    assert "geheim" not in str(raised.value)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CollectionError, match=r"pip install 'anotheryou\[cluster\]'"):
        Collection(place_of("postgresql://me:geheim@host/db"))


def test_a_folder_needs_nothing_of_the_cluster(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "import numpy as np\n"
        "from collections_made import filled\n"
        "from index import Collection\n"
        "folder, vectors = pathlib.Path(sys.argv[1]), np.ones((2, 48), np.float32)\n"
        "with filled(folder, vectors) as writer: writer.refresh_vectors()\n"
        "with Collection(folder) as collection: collection.search(vectors, 1)\n"
        "names = {'index.postgresql', 'index.milvus', 'psycopg', 'pymilvus', 'milvus_lite', 'ray'}\n"
        "sys.exit(', '.join(names & set(sys.modules)) or None)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
