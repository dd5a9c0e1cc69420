"""Vectors in Milvus: the answers are those of the local exact search, whatever happens to the store."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from collections_made import filled, largest, photo, some_vectors, unit_rows
from lives_made import answers, live

from faces.errors import CollectionError
from faces.types import Ints
from index import Collection, CollectionWriter, Place, milvus, place_of
from index.store import CatalogState

pytest.importorskip("pymilvus", reason="needs pymilvus and Milvus Lite: run `make test-cluster`")
pytest.importorskip("milvus_lite", reason="needs pymilvus and Milvus Lite: run `make test-cluster`")

STATE = CatalogState("0123", 1, 5)


@pytest.fixture
def lite(tmp_path: Path, new_address: Callable[..., str]) -> Place:
    return place_of(new_address(vectors=str(tmp_path / "vectors.db")))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on loopback with the interface of Milvus."""
    folder = tmp_path_factory.mktemp("milvus")
    program = (
        "import sys\n"
        "from milvus_lite.adapter.grpc.server import start_server_in_thread\n"
        "server, _, port = start_server_in_thread(data_dir=sys.argv[1], host='127.0.0.1', port=0)\n"
        "print(port, flush=True)\n"
        "server.wait_for_termination()\n"
    )
    command = [sys.executable, "-c", program, str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


@pytest.mark.parametrize("seed", range(3))
def test_the_answers_are_those_of_a_folder(tmp_path: Path, lite: Place, seed: int) -> None:
    for where in (tmp_path / "folder", lite):
        live(where, seed)
    expected = answers(tmp_path / "folder", seed)
    for _ in range(2):
        assert answers(lite, seed) == expected
        with CollectionWriter(lite) as writer:  # the second time nothing is read from the catalogue
            writer.refresh_vectors()
        with Collection(lite) as collection, collection.snapshot() as snapshot:
            assert snapshot.in_line and "Milvus" in str(snapshot.store_kind)


@pytest.mark.parametrize("index", ["FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8"])
def test_a_server_gives_the_same_answers_with_every_index(
    url: str, new_address: Callable[..., str], rng: np.random.Generator, index: str
) -> None:
    vectors = some_vectors(rng, 600)
    with filled(place_of(new_address(vectors=f"{url}#{index}")), vectors, per_photo=50) as writer:
        assert writer.refresh_vectors()
        assert not writer.refresh_vectors()
    with Collection(writer.place) as collection, collection.snapshot() as snapshot:
        assert snapshot.store_kind == f"Milvus's index {index} ({url})"
        for query in some_vectors(rng, 4):
            scores, rows = largest(vectors, query[None], 20)
            best = snapshot.best(query, 20, exact=True)
            np.testing.assert_array_equal(best.ids, rows[0] + 1)
            np.testing.assert_allclose(best.scores, scores[0], rtol=1e-12)
            assert len(np.intersect1d(snapshot.best(query, 20).ids, best.ids)) >= 19


def test_a_store_is_brought_in_line_face_by_face(url: str, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 100).astype(np.float16)
    read: list[int] = []

    def reading(ids: Ints) -> Iterator[tuple[Ints, np.ndarray]]:
        for start in range(0, len(ids), 7):
            part = ids[start : start + 7]
            read.extend(part.tolist())
            yield part, vectors[part - 1]

    def shown(generation: int) -> Ints:
        store = milvus.open_store(url, CatalogState("0123", 1, generation))
        assert store is not None
        ids = np.concatenate([ids for ids, _ in store.blocks()])
        for block, numbers in store.blocks():
            np.testing.assert_array_equal(numbers, vectors[block - 1])
        store.close()
        return ids

    first, then = np.arange(1, 61), np.setdiff1d(np.arange(11, 101), [15, 90])
    assert milvus.bring_in_line(url, STATE, 48, first, reading)
    np.testing.assert_array_equal(shown(5), first)
    assert milvus.bring_in_line(url, CatalogState("0123", 1, 6), 48, then, reading)
    np.testing.assert_array_equal(shown(6), then)
    assert read == [*range(1, 61), *np.setdiff1d(np.arange(61, 101), [90])]
    assert milvus.open_store(url, STATE) is None  # from its future
    assert milvus.open_store(url, CatalogState("4567", 1, 6)) is None
    assert milvus.bring_in_line(url, CatalogState("0123", 2, 7), 48, first, reading, afresh=True)
    assert milvus.open_store(url, CatalogState("0123", 1, 7)) is None  # the layout of before is gone
    milvus.drop_wrong(url, CatalogState("0123", 2, 6))
    assert milvus.open_store(url, CatalogState("0123", 2, 7)) is None


def test_a_store_that_was_left_in_the_middle_is_of_use_and_goes_on(
    url: str, new_address: Callable[..., str], rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 60)
    with filled(place_of(new_address(vectors=url)), vectors[:20]) as writer:
        writer.refresh_vectors()
        writer.remove([1])
        writer.store([photo("new.jpg", vectors[20:])])

        def stopping(ids: Ints) -> Iterator[tuple[Ints, np.ndarray]]:
            yield ids[:10], vectors[ids[:10] - 1].astype(np.float16)
            raise KeyboardInterrupt

        with Collection(writer.place) as collection:
            with collection.snapshot() as snapshot:
                state = snapshot._view.state
            everything = np.arange(3, 61)
            with pytest.raises(KeyboardInterrupt):
                milvus.bring_in_line(url, state, 48, everything, stopping)
            for done in (False, True):
                with collection.snapshot() as snapshot:
                    best = snapshot.best(vectors[30], 99)
                    np.testing.assert_array_equal(np.sort(best.ids), everything)
                    assert snapshot.in_line == done
                writer.refresh_vectors()


def test_a_snapshot_from_before_a_change_still_shows_its_own_state(
    url: str, new_address: Callable[..., str], rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 30)
    with filled(place_of(new_address(vectors=url)), vectors) as writer:
        writer.refresh_vectors()
        with Collection(writer.place) as collection:
            with collection.snapshot() as snapshot:
                assert len(snapshot.best(vectors[0], 99).ids) == 30
                writer.remove([1])
                writer.refresh_vectors()
                assert snapshot.best(vectors[0], 1).ids.tolist() == [1]
                assert len(snapshot.best(vectors[0], 99).ids) == 30
            with collection.snapshot() as snapshot:
                assert len(snapshot.best(vectors[0], 99).ids) == 28


def test_a_killed_writer_loses_nothing(
    url: str, new_address: Callable[..., str], rng: np.random.Generator
) -> None:
    address, vectors = new_address(vectors=url), unit_rows(rng, 400)
    filled(place_of(address), vectors).close()
    program = (
        "import sys, index\n"
        "from index import milvus, rows\n"
        "rows.STREAMED = milvus._ROWS = 20\n"
        "print('ready', flush=True)\n"
        "index.CollectionWriter(index.place_of(sys.argv[1])).refresh_vectors()\n"
    )
    for wait in (0.2, 0.5, 0.8):
        with subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(wait)
            writer.send_signal(signal.SIGKILL)
        with Collection(place_of(address)) as collection:
            found = collection.search(vectors[:3], 9)
            np.testing.assert_array_equal(found[1], largest(vectors, vectors[:3], 9)[1] + 1)
    for _ in range(100):
        try:
            with CollectionWriter(place_of(address)) as last:
                last.refresh_vectors()
            break
        except CollectionError:
            time.sleep(0.1)
    with Collection(place_of(address)) as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line
        np.testing.assert_array_equal(snapshot.search(vectors[:3], 9)[1], found[1])


def test_a_file_is_let_go_of_and_used_by_one_process_at_a_time(
    tmp_path: Path, lite: Place, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 8)
    with filled(lite, vectors) as writer:
        writer.refresh_vectors()
    path = str(tmp_path / "vectors.db")
    program = f"from index import milvus; milvus._connect({path!r})"
    with Collection(lite) as collection:
        assert collection.search(vectors[:1], 1)[1].tolist() == [[1]]
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert "CollectionError: Milvus" in other.stderr and "by one process at a time" in other.stderr
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        ("http://me:geheim@127.0.0.1:1", r"Milvus \(http://127.0.0.1:1\).*check the address"),
        ("{url}#BEST", "there is no index BEST for Milvus; name one of FLAT, HNSW"),
    ],
)
def test_what_cannot_be_used_is_told_plainly(
    url: str, new_address: Callable[..., str], rng: np.random.Generator, vectors: str, told: str
) -> None:
    place = place_of(new_address(vectors=vectors.format(url=url)))
    with (
        pytest.raises(CollectionError, match=told) as raised,
        filled(place, np.ones((2, 48), np.float32)) as writer,
    ):
        writer.refresh_vectors()
    assert "geheim" not in str(raised.value)


def test_without_pymilvus_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(CollectionError, match=r"anotheryou\[cluster\]"):
        milvus.open_store("http://127.0.0.1:1", STATE)
