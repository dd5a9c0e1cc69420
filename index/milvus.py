"""Vectors in Milvus, through pymilvus: Milvus Lite in a file of this machine, or a server or cluster by URL.

One Milvus collection holds the vectors of one layout of one catalogue, and is named after both.  Faces come
and go in it one by one, so the row with the id -1 keeps notes: which state of the catalogue it shows, and
which one it is being brought in line with.  They are written before and after every change, and who searches
looks at them before and after, so that no answer is made of a mixture.  Numbers of 16 bits are kept as 32:
not all kinds of Milvus know the former.
"""

from __future__ import annotations

import logging
import uuid
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from faces.errors import CollectionError
from faces.progress import Progress, underway
from faces.types import Floats, Halves, Ints
from index.search import exact_search
from index.store import CatalogState, Read, StoreChangedError

_NOTES = -1  # the id of the row that tells what the others are; faces' ids begin with 1
_ROWS = 4096  # read or written at a time; Milvus gives at most 16,384
_MOST = 16384  # neighbours that Milvus gives
_PATIENCE = 20.0  # seconds for a server to answer
# What an index is built with; beside FLAT, which compares all, in words of Milvus's manual.
_INDEXES: dict[str, dict[str, int]] = {
    "FLAT": {},
    "HNSW": {"M": 16, "efConstruction": 200},
    "IVF_FLAT": {"nlist": 4096},
    "IVF_SQ8": {"nlist": 4096},
}
_LITE, _SERVER = "FLAT", "HNSW"  # unless the address ends in another one's name, as in #IVF_SQ8

_files: Counter[str] = Counter()  # how many clients of this process have a file of Milvus Lite open
_files_lock = Lock()


@dataclass(frozen=True, slots=True)
class _Notes:
    """What a Milvus collection shows."""

    generation: int  # of the catalogue, as far as all of it is here
    target: int  # another one while it is being brought in line with that
    newest: int  # face of ``generation``
    count: int  # of its faces
    index: str
    change: str  # tells one change from every other


class MilvusStore:
    """The store of one catalogue's layout, opened for searching; see ``VectorStore``.

    Raises StoreChangedError from any method if somebody changed it since it was opened, CollectionError if
    Milvus cannot be reached.
    """

    def __init__(self, address: str, notes: _Notes, state: CatalogState) -> None:
        self._address, self._notes, self._name = address, notes, _name(state)
        self._client, self.close = _connect(address)
        weakref.finalize(self, self.close)
        self.state = CatalogState(state.token, state.layout_id, notes.generation)
        self.newest = notes.newest
        self.only_alive = notes.target == notes.generation

    @property
    def kind(self) -> str:
        """How it searches, in words."""
        return f"Milvus's index {self._notes.index} ({_shown(self._address)})"

    def changed(self) -> bool:
        """Tell whether somebody changed it since it was opened."""
        with _told(self._address):
            if not self._client.has_collection(self._name):
                return True
            return _notes(self._client, self._name) != self._notes

    def search(self, queries: Floats, k: int, *, exact: bool) -> tuple[Floats, Ints]:
        """Find the k best; see ``VectorStore.search``."""
        index, count = self._notes.index, min(k, self._notes.count)
        if k <= _MOST and not (exact and index != "FLAT"):
            parameters = {"ef": max(2 * k, 128)} if index == "HNSW" else {}
            parameters |= {"nprobe": 64} if index.startswith("IVF") else {}
            with self._unchanged():
                found = self._client.search(
                    self._name,
                    data=queries.tolist(),
                    anns_field="vector",
                    limit=k,
                    filter=f"id > 0 and id <= {self.newest}",
                    output_fields=["id"],
                    search_params={"metric_type": "IP", "params": parameters},
                )
            if all(len(hits) >= count for hits in found):
                scores = np.array([[hit["distance"] for hit in hits] for hits in found], np.float32)
                ids = np.array([[hit["id"] for hit in hits] for hits in found], np.int64)
                return scores.reshape(len(queries), -1), ids.reshape(len(queries), -1)
        return _nearest(self.blocks(), queries, k)  # also if an index has not found as many as there are

    def search_among(self, queries: Floats, k: int, ids: Ints) -> tuple[Floats, Ints]:
        """Find the k best of these faces; see ``VectorStore.search_among``."""
        ids = ids[(ids > 0) & (ids <= self.newest)]
        parts = (ids[start : start + _ROWS] for start in range(0, len(ids), _ROWS))
        return _nearest((self._read(f"id in {part.tolist()}") for part in parts), queries, k)

    def vectors(self, ids: Ints) -> None:
        """Vouch for nothing; see ``VectorStore.vectors``."""

    def blocks(self) -> Iterator[tuple[Ints, Halves]]:
        """Give everything, some at a time: ids (n,) int64 and vectors (n, D) float16."""
        for condition in _ranges(self.newest):
            yield self._read(condition)

    def _read(self, condition: str) -> tuple[Ints, Halves]:
        """Give the faces, at most ``_ROWS``, for which a condition holds."""
        with self._unchanged():
            found = self._client.query(self._name, filter=condition, output_fields=["id", "vector"])
        found.sort(key=lambda row: row["id"])
        vectors = np.array([row["vector"] for row in found], np.float16)
        return np.array([row["id"] for row in found], np.int64), vectors.reshape(len(found), -1)

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Raise StoreChangedError if the store was changed since it was opened, or is during the block."""
        from pymilvus import MilvusException

        try:
            yield
        except MilvusException as error:
            if not self.changed():
                raise _error(self._address, error) from error
        if self.changed():
            raise StoreChangedError(
                "the collection was changed while it was read; run the same command again"
            )


def open_store(address: str, state: CatalogState) -> MilvusStore | None:
    """Open the store if there is one that can be read for a state of the catalogue."""
    with _client(address) as client:
        notes = _read_notes(client, _name(state))
        if notes is None or max(notes.generation, notes.target) > state.generation:
            return None
        return MilvusStore(address, notes, state)


def drop_wrong(address: str, now: CatalogState) -> None:
    """Delete a store that shows a future of the catalogue, which was put back from a copy."""
    with _client(address) as client:
        notes = _read_notes(client, _name(now))
        if notes is not None and max(notes.generation, notes.target) > now.generation:
            client.drop_collection(_name(now))


def bring_in_line(
    address: str,
    state: CatalogState,
    dimension: int,
    ids: Ints,
    read: Read,
    *,
    afresh: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Make the store show exactly the faces ``ids`` (n,) int64 ascending; returns whether it was changed.

    What it lacks is read through ``read``; ``afresh`` takes over nothing.  Whatever ends it, the next call
    goes on.  Memory stays constant, but for the ids.  Raises CollectionError if Milvus cannot be reached.
    """
    name = _name(state)
    with _client(address) as client:
        for other in client.list_collections():  # of layouts of before
            if other.startswith(name.rpartition("_")[0] + "_") and other != name:
                client.drop_collection(other)
        notes = None if afresh else _read_notes(client, name)
        if notes is not None and notes.generation == notes.target == state.generation:
            return False
        if notes is None:
            notes = _create(client, name, dimension, urlsplit(address).fragment or _default(address))
        notes = replace(notes, target=state.generation, change=uuid.uuid4().hex)
        _write_notes(client, name, notes, dimension)
        client.load_collection(name)
        here = _ids_here(client, name)
        gone, lacking = np.setdiff1d(here, ids), np.setdiff1d(ids, here)
        for start in range(0, len(gone), _ROWS):
            client.delete(name, ids=gone[start : start + _ROWS].tolist())
        with underway(progress, "Writing the vectors", len(lacking), "faces") as writing:
            for some, vectors in read(lacking):
                pairs = zip(some.tolist(), vectors.astype(np.float32), strict=True)
                client.upsert(name, [{"id": face_id, "vector": vector} for face_id, vector in pairs])
                writing.advance(len(some))
        newest = int(ids.max(initial=0))
        done = replace(notes, generation=state.generation, newest=newest, count=len(ids))
        _write_notes(client, name, done, dimension)
    return True


def _name(state: CatalogState) -> str:
    return f"anotheryou_{state.token}_{state.layout_id}"


def _create(client: Any, name: str, dimension: int, index: str) -> _Notes:
    """Make an empty Milvus collection in place of whatever has the name."""
    from pymilvus import DataType

    if index not in _INDEXES:
        raise CollectionError(f"there is no index {index} for Milvus; name one of {', '.join(_INDEXES)}")
    client.drop_collection(name)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    wanted = client.prepare_index_params()
    wanted.add_index("vector", index_type=index, metric_type="IP", params=_INDEXES[index])
    client.create_collection(name, schema=schema, index_params=wanted, consistency_level="Strong")
    return _Notes(-1, -1, 0, 0, index, "")


def _read_notes(client: Any, name: str) -> _Notes | None:
    """Read what a collection shows; None if there is none, or one that was only just made."""
    if not client.has_collection(name):
        return None
    client.load_collection(name)
    return _notes(client, name)


def _notes(client: Any, name: str) -> _Notes | None:
    found = client.get(name, ids=[_NOTES], output_fields=["notes"])
    return _Notes(**found[0]["notes"]) if found else None


def _write_notes(client: Any, name: str, notes: _Notes, dimension: int) -> None:
    vector = np.zeros(dimension, np.float32)
    client.upsert(name, [{"id": _NOTES, "vector": vector, "notes": asdict(notes)}])


def _ids_here(client: Any, name: str) -> Ints:
    """(n,) int64, ascending: the faces of a collection."""
    parts: list[int] = []
    found = client.query_iterator(name, filter="id > 0", batch_size=_ROWS, output_fields=["id"])
    while some := found.next():
        parts += [row["id"] for row in some]
    found.close()
    return np.unique(np.array(parts, np.int64))


def _ranges(newest: int) -> Iterator[str]:
    """Conditions that cut all faces into pieces."""
    for start in range(0, newest, _ROWS):
        yield f"id > {start} and id <= {min(start + _ROWS, newest)}"


def _nearest(blocks: Iterator[tuple[Ints, Halves]], queries: Floats, k: int) -> tuple[Floats, Ints]:
    """Compare all vectors; the k best, or all there are."""
    scores, ids = exact_search((block for block in blocks if len(block[0])), queries, k)
    there = int((ids[:1] >= 0).sum())
    return scores[:, :there], ids[:, :there]


def _default(address: str) -> str:
    return _SERVER if "://" in address else _LITE


def _shown(address: str) -> str:
    """The address without user, password and index."""
    place = address.partition("#")[0]
    return place if "@" not in place else f"{urlsplit(place).scheme}://{place.rpartition('@')[2]}"


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to Milvus for a moment, and tell its errors in plain words."""
    client, close = _connect(address)
    try:
        with _told(address):
            yield client
    finally:
        close()


def _connect(address: str) -> tuple[Any, Any]:
    """Connect to Milvus; returns the client and what ends it."""
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise CollectionError(
            "what is needed for Milvus is not installed; get it with pip install 'anotheryou[cluster]'"
        ) from error
    for name in ("pymilvus", "milvus_lite"):  # what they log is told as an error
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    parts = urlsplit(address)
    with _told(address):
        if "://" in address:
            token, _, host = parts.netloc.rpartition("@")
            uri = parts._replace(netloc=host, fragment="").geturl()
            client = MilvusClient(uri, token=token, timeout=_PATIENCE)
            return client, client.close
        with _files_lock:
            client = MilvusClient(parts.path, timeout=_PATIENCE)
            _files[parts.path] += 1
    done: list[bool] = []

    def close() -> None:
        """Let go of the file once the last client has."""
        from milvus_lite.server_manager import server_manager_instance

        if done:
            return
        done.append(True)
        client.close()
        with _files_lock:
            _files[parts.path] -= 1
            if not _files[parts.path]:
                server_manager_instance.release_server(parts.path)

    return client, close


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what pymilvus complains about into a CollectionError that says what to do."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        raise _error(address, error) from error


def _error(address: str, error: Exception) -> CollectionError:
    message = " ".join(str(getattr(error, "message", error)).split())[:200]
    advice = "check the address, and that the server runs"
    if "://" not in address:
        advice = "it can be used by one process at a time: close the other one, or start a Milvus server"
    return CollectionError(f"Milvus ({_shown(address)}): {message}; {advice}")
