"""The store of vectors beyond the size at which every vector is compared: codes, filters, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from collections_made import filled, largest, photo
from hypothesis import given
from hypothesis import strategies as st

from faces.types import Floats
from index import Collection, Snapshot, faiss_store, segment
from index.codes import Codes
from index.faiss_store import VECTORS, FaissStore
from index.gpu import has_gpu
from index.segment import Segment, SegmentError

DIMENSION = 64
FACES = 3000


def people(rng: np.random.Generator, count: int) -> Floats:
    """(count, 64) float32 of people with ten pictures each, exactly what float16 holds."""
    whose = rng.standard_normal((count // 10 + 1, DIMENSION)) * np.linspace(0.1, 0.01, DIMENSION)
    vectors = whose[np.arange(count) // 10] + 0.015 * rng.standard_normal((count, DIMENSION))
    return vectors.astype(np.float16).astype(np.float32)


@pytest.fixture
def low_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes from a thousand faces on, and few faces compared for each that is asked for."""
    monkeypatch.setattr(segment, "_CODED", 500)
    monkeypatch.setattr(faiss_store, "FLAT", 1000)
    monkeypatch.setattr("index.codes._LEAST", 200)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Floats]:
    """A collection of 3,000 faces in photographs of 50, codes included."""
    vectors, folder = people(np.random.default_rng(0), FACES), tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch, filled(folder, vectors, per_photo=50) as writing:
        patch.setattr(segment, "_CODED", 500)
        writing.refresh_vectors()
    return folder, vectors


def test_codes_find_nearly_all_of_the_best_and_exact_finds_all(
    low_ladder: None, large: tuple[Path, Floats], rng: np.random.Generator
) -> None:
    folder, vectors = large
    asked = vectors[rng.choice(FACES, 40)] + 0.1 * people(rng, 40)
    expected = largest(vectors, asked, 20)[1] + 1
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        assert snapshot.store_kind is not None and "codes of 3,000" in snapshot.store_kind
        _, ids = snapshot.search(asked, 20)
        np.testing.assert_array_equal([snapshot.best(query, 20, exact=True).ids for query in asked], expected)
    found = [len(np.intersect1d(*each)) / 20 for each in zip(ids, expected, strict=True)]
    assert np.mean(found) >= 0.98
    assert FaissStore(folder).segments[0].codes is not None


def test_what_queries_look_at_decides_what_codes_keep(rng: np.random.Generator) -> None:
    vectors = rng.standard_normal((4000, DIMENSION)) * np.repeat([1, 30], DIMENSION // 2)
    asked = np.zeros((20, DIMENSION), np.float32)
    asked[:, : DIMENSION // 2] = rng.standard_normal((20, DIMENSION // 2))
    best = largest(vectors.astype(np.float32), asked, 5)[1]
    recalls = []
    for first in (1.0, 100.0):  # how much larger queries are in the first half
        importance = np.repeat([first, 1], DIMENSION // 2).astype(np.float32)
        codes = Codes.of(vectors.astype(np.float16), importance)
        found = codes.index.search(asked @ codes.to_query, 50)[1]
        recalls.append(np.mean([np.isin(*each).mean() for each in zip(best, found, strict=True)]))
    assert recalls[1] >= 0.95 > recalls[0] + 0.2


def test_codes_come_back_from_their_bytes_and_are_the_same_each_time(rng: np.random.Generator) -> None:
    vectors = people(rng, 600).astype(np.float16)
    importance = np.linspace(0, 2, DIMENSION, dtype=np.float32)
    codes = Codes.of(vectors, importance)
    assert Codes.of(vectors, importance).packed() == codes.packed()
    again, asked = Codes.unpacked(codes.packed()), vectors[:3].astype(np.float32)
    np.testing.assert_array_equal(again.shortlist(asked, 9), codes.shortlist(asked, 9))


def put_on_card(patch: pytest.MonkeyPatch, index: Any) -> None:
    """Have FAISS find a card, whose flat index is ``index``."""
    patch.setattr(faiss, "get_num_gpus", lambda: 1)
    patch.setattr(faiss, "StandardGpuResources", object, raising=False)
    patch.setattr(faiss, "GpuIndexFlatIP", index, raising=False)


def test_a_card_compares_all_from_the_second_search_on(
    low_ladder: None, large: tuple[Path, Floats], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, vectors = large
    asked = vectors[rng.choice(FACES, 8)] + 0.1 * people(rng, 8)
    made = []

    def flat(_: object, dimension: int) -> Any:
        made.append(dimension)
        return faiss.IndexFlatIP(dimension)

    put_on_card(monkeypatch, flat)
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        assert snapshot.store_kind is not None and "on the graphics card all" in snapshot.store_kind
        snapshot.best(asked[0], 5)
        assert not made
        found = snapshot.search(asked, 20)[1]
        assert made == [DIMENSION]
        assert len(snapshot.best(asked[0], 2500).ids) == 2500  # more than a card finds
    np.testing.assert_array_equal(found, largest(vectors, asked, 20)[1] + 1)


def test_a_card_without_room_is_left_alone(
    low_ladder: None, large: tuple[Path, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:
        raise RuntimeError("out of memory")

    put_on_card(monkeypatch, full)
    with Collection(large[0]) as collection:
        for _ in range(3):
            assert collection.search(large[1][7:8], 1)[1].tolist() == [[8]]


@pytest.mark.skipif(not has_gpu(), reason="needs a graphics card and the GPU build of FAISS")
def test_the_card_that_is_here_gives_the_answers_of_the_processor(
    low_ladder: None, large: tuple[Path, Floats], rng: np.random.Generator
) -> None:
    folder, vectors = large
    asked = vectors[rng.choice(FACES, 8)] + 0.1 * people(rng, 8)
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        snapshot.best(asked[0], 5)
        np.testing.assert_array_equal(snapshot.search(asked, 20)[1], largest(vectors, asked, 20)[1] + 1)


@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.001, 0.02, 0.5, 1.0]), k=st.integers(1, 60))
def test_a_filter_gives_what_filtering_the_exact_ranking_gives(
    low_ladder_everywhere: None, large: tuple[Path, Floats], seed: int, share: float, k: int
) -> None:
    folder, vectors = large
    rng = np.random.default_rng(seed)
    asked = vectors[rng.choice(FACES, 1)] + 0.1 * people(rng, 1)
    among = np.flatnonzero(rng.random(FACES) < share) + 1
    ranking = largest(vectors, asked, FACES)[1][0] + 1
    with Collection(folder) as collection, collection.snapshot() as snapshot:
        ids = snapshot.best(asked[0], k, among=among).ids
    np.testing.assert_array_equal(ids, ranking[np.isin(ranking, among)][:k])


@pytest.fixture(scope="module")
def low_ladder_everywhere() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_store, "FLAT", 1000)
        yield


def test_new_and_deleted_faces_count_before_and_after_the_store_is_brought_in_line(
    low_ladder: None, tmp_path: Path, rng: np.random.Generator
) -> None:
    vectors = people(rng, 2100)
    with filled(tmp_path, vectors[:2000], per_photo=50) as writing, Collection(tmp_path) as collection:
        writing.refresh_vectors()
        writing.remove([1, 40])  # faces 1 to 50 and 1951 to 2000
        writing.store([photo("new.jpg", vectors[2000:])])

        def check(snapshot: Snapshot) -> None:
            alive = np.r_[50:1950, 2000:2100]
            assert len(snapshot) == len(alive)
            ids = np.concatenate([ids for ids, _ in snapshot.blocks()])
            np.testing.assert_array_equal(np.sort(ids), alive + 1)
            for face in (3, 1960, 2050):
                best = largest(vectors[alive], vectors[face : face + 1], 5)[1][0]
                found = snapshot.search(vectors[face : face + 1], 5)[1][0]
                assert len(np.intersect1d(found, alive[best] + 1)) >= 4

        with collection.snapshot() as snapshot:
            assert not snapshot.in_line
            check(snapshot)
        writing.refresh_vectors()
        with collection.snapshot() as snapshot:
            assert snapshot.in_line
            check(snapshot)


def test_every_damaged_byte_of_a_segment_is_noticed(
    large: tuple[Path, Floats], tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (large[0] / VECTORS / "000001.faiss").read_bytes()
    path, vectors = tmp_path / "000001.faiss", 200 + FACES * DIMENSION * 2
    path.write_bytes(whole)
    assert len(Segment(path)) == FACES
    places = [*range(0, 200, 7), *rng.integers(0, len(whole), 60), *range(len(whole) - 400, len(whole), 9)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(SegmentError):
            Segment(path)
    # Of a large one only what is not the vectors, unless all is asked for.
    monkeypatch.setattr(segment, "_CHECKED", 0)
    for place in (place for place in places if not 100 < place < vectors):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(SegmentError):
            Segment(path)
    damaged = bytearray(whole)
    damaged[vectors // 2] ^= 1
    path.write_bytes(damaged)
    assert len(Segment(path)) == FACES
    with pytest.raises(SegmentError):
        Segment(path, whole=True)
