"""An index run on the nodes of a Ray cluster leaves in the catalogue what a run on one machine leaves."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collections_made import Content, content
from conftest import REPOSITORY
from fake_faces import BREAK, CRASH, OTHER, fake_engine, open_fake_detector, save_photo

import retrieval.indexing
import retrieval.ray_workers
from anotheryou import IndexSummary, index_folders
from cli.guard import asked_to_stop
from faces.detect import Detector, open_detector
from faces.errors import ClusterError, DetectorError
from faces.progress import NoProgress
from faces.types import DetectedFace, Photo
from retrieval.engine import Engine
from retrieval.examine import Examined, skipped
from retrieval.ray_workers import RayExaminers, Work
from retrieval.scan import Found

# Before Ray is imported: it shall listen on the loopback alone, and tell nobody that it was used.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'anotheryou[cluster]'")

pytestmark = pytest.mark.slow

ALBUM = REPOSITORY / "demo" / "album"
_NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of one node with one processor, on the loopback."""
    from ray.cluster_utils import Cluster

    # Ray's sockets lie below this folder, and their paths must be short.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        started: Any = Cluster(initialize_head=True, head_node_args=_NODE)
        try:
            yield started
        finally:
            ray.shutdown()
            started.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


class NotedDetector:
    """The usual detector; notes in a file for each node which photographs it begins with."""

    def __init__(self, folder: Path) -> None:
        self._detector = open_detector()
        self._notes = folder / ray.get_runtime_context().get_node_id()

    @property
    def name(self) -> str:
        return self._detector.name

    def detect(self, photo: Photo) -> list[DetectedFace]:
        with self._notes.open("a", encoding="utf-8") as notes:
            notes.write(f"{os.getpid()} {hash_of(photo)}\n")
        found = self._detector.detect(photo)
        with self._notes.open("a", encoding="utf-8") as notes:
            notes.write("done\n")
        return found


def hash_of(photo: Photo) -> int:
    return int(np.dot(photo.pixels.ravel().astype(np.int64), np.arange(photo.pixels.size) % 9973))


class KillingProgress(NoProgress):
    """Kills a node that is looking at a photograph, once ten are done; as a power cut would do."""

    def __init__(self, cluster: Any, node: Any, notes: Path) -> None:
        self.cluster, self.node, self.notes = cluster, node, notes
        self.done, self.cut_off = 0, ""

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        if self.done < 10 or self.cut_off:
            return
        begun = time.monotonic()
        while time.monotonic() - begun < 60 and not self.cut_off:
            last = self.notes.read_text().splitlines()[-1:] if self.notes.exists() else []
            if last in ([], ["done"]):
                time.sleep(0.002)
                continue
            process, self.cut_off = last[0].split()
            os.kill(int(process), signal.SIGSTOP)
            self.cluster.remove_node(self.node, allow_graceful=False)
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)


@pytest.mark.parametrize(("retries", "photographs"), [(2, 121), (0, 30)])
def test_a_node_that_dies_loses_nothing_and_doubles_nothing(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: int, photographs: int
) -> None:
    """Without Ray's own retries the photograph is given in again by us."""
    monkeypatch.setattr(retrieval.ray_workers, "_RETRIES", retries)
    notes, here, there = tmp_path / "notes", tmp_path / "here", tmp_path / "there"
    notes.mkdir()
    node = cluster.add_node(**_NODE)
    cluster.wait_for_nodes()
    files = sorted(ALBUM.glob("*.*"))[:photographs]
    progress = KillingProgress(cluster, node, notes / node.node_id)
    detector = partial(NotedDetector, notes)
    killed = index_folders(files, collection=there, detector=detector, ray=cluster.address, progress=progress)
    assert progress.cut_off, "the node was not killed at work"
    other = notes / cluster.head_node.node_id
    assert progress.cut_off in other.read_text(), "its photograph was not given to the other node"
    alone = index_folders(files, collection=here, workers=0)
    assert alone.photographs == photographs
    assert alone.faces >= photographs
    for count in ("photographs", "read", "faces", "skipped", "too_small", "reasons"):
        assert getattr(killed, count) == getattr(alone, count)
    assert_same(content(there), content(here))
    again = index_folders(files, collection=there, ray=cluster.address)
    assert (again.unchanged, again.read) == (photographs, 0)


def assert_same(one: tuple[Content, Content], other: tuple[Content, Content]) -> None:
    """All the same but the last digits of vectors, which may be made in batches of other sizes."""
    assert one[0] == other[0]
    assert [face[:-1] for face in one[1]] == [face[:-1] for face in other[1]]
    for mine, yours in zip(one[1], other[1], strict=True):
        left, right = (np.frombuffer(face[-1], np.float16) for face in (mine, yours))
        np.testing.assert_allclose(left, right, atol=4e-3)


def load_fake(*_: object, **__: object) -> Engine:
    return fake_engine()


@pytest.fixture
def run(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., IndexSummary]:
    """An index run over ``photos`` on the cluster, with models that are not real."""
    monkeypatch.setattr(retrieval.indexing, "load_engine", load_fake)
    chosen = {"detector": open_fake_detector, "min_face": 16, "ray": cluster.address}
    place = {"collection": tmp_path / "collection"}
    return lambda **options: index_folders([tmp_path / "photos"], **(place | chosen | options))


def test_a_photograph_on_which_processes_crash_costs_that_photograph_alone(
    run: Callable[..., IndexSummary], tmp_path: Path
) -> None:
    for number in range(8):
        save_photo(tmp_path / "photos" / f"{number}.png", number, trouble=CRASH if number == 3 else 0)
    summary = run()
    assert (summary.read, summary.faces, summary.skipped) == (7, 7, 1)
    reason = "the search for faces crashed each time it was tried on it"
    assert summary.reasons == [(str(tmp_path / "photos" / "3.png"), reason)]
    assert run().skipped_before == 1


def test_ctrl_c_stores_what_is_ready_and_the_next_run_goes_on(
    run: Callable[..., IndexSummary], tmp_path: Path
) -> None:
    class Interrupting(NoProgress):
        done = 0

        def advance(self, count: int = 1, note: str = "") -> None:
            self.done += count
            if self.done == 5:
                os.kill(os.getpid(), signal.SIGINT)

    for number in range(40):
        save_photo(tmp_path / "photos" / f"{number}.png", number)
    with asked_to_stop(signal.SIGINT) as stop:
        summary = run(progress=Interrupting(), stop=stop)
    assert summary.interrupted
    assert 5 <= summary.faces < 40
    again = run()
    assert (again.unchanged, again.faces) == (summary.faces, 40 - summary.faces)
    alone = run(collection=tmp_path / "here", ray=None, workers=0)
    assert alone.faces == 40
    assert_same(content(tmp_path / "collection"), content(tmp_path / "here"))


def open_no_detector() -> Detector:
    raise DetectorError("the detector's model is missing")


def test_a_node_that_cannot_do_the_work_is_one_error(
    run: Callable[..., IndexSummary], tmp_path: Path
) -> None:
    save_photo(tmp_path / "photos" / "0.png", 0, trouble=BREAK)
    with pytest.raises(ClusterError, match=r"^the node \S+ cannot begin: the detector's model is missing$"):
        run(detector=open_no_detector)
    with pytest.raises(DetectorError, match="damaged"):
        run()
    with pytest.raises(
        ClusterError, match=r"cannot do the work .*No module named .*same version of anotheryou"
    ):
        run(detector=Unknown())


class Unknown:
    """What no node can open, since it is not installed there."""

    def __call__(self) -> Detector:
        return open_fake_detector()

    def __reduce__(self) -> tuple[object, ...]:
        return importlib.import_module, ("no_such_module",)


def see_nothing(found: Found, _: Detector) -> Examined:
    """Look at a photograph where it is not mounted."""
    return skipped(found, None, "no such file or directory")


def test_a_node_that_does_not_see_a_photograph_says_so_unless_it_was_deleted(
    cluster: Any, tmp_path: Path
) -> None:
    path = save_photo(tmp_path / "0.png", 0)
    found = Found(str(path), 1, 1)
    work = Work(open_fake_detector, see_nothing, load_fake, fake_engine().layout.digest)
    with RayExaminers(cluster.address, work) as examiners:
        assert examiners.detector == "fake detector"
        while not examiners.full:
            examiners.submit(found)
        with pytest.raises(ClusterError, match=rf"^the node \S+ cannot read {path} \(no such file .*mount"):
            examiners.results(60)
    path.unlink()
    with RayExaminers(cluster.address, work) as examiners:
        examiners.submit(found)
        (examined,) = examiners.results(60)
        assert (examined.photo.path, examined.photo.content) == (str(path), None)
        assert examiners.results(0) == []


def test_a_node_with_other_weights_is_refused(cluster: Any) -> None:
    work = Work(open_fake_detector, see_nothing, load_fake, fake_engine(OTHER).layout.digest)
    with pytest.raises(ClusterError, match="has other weights"):
        RayExaminers(cluster.address, work)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("local", "no address of a Ray cluster; give auto"),
        ("somewhere", "no address of a Ray cluster; give auto"),
        ("127.0.0.1:9", "no connection to a Ray cluster at 127.0.0.1:9 .*refused.*; start Ray"),
        ("ray://127.0.0.1:9", "no connection to a Ray cluster at ray://127.0.0.1:9 .*refused.*; start Ray"),
    ],
)
def test_where_there_is_no_cluster_the_error_says_what_to_do(
    run: Callable[..., IndexSummary], tmp_path: Path, address: str, message: str
) -> None:
    save_photo(tmp_path / "photos" / "0.png", 0)
    with pytest.raises(ClusterError, match=message):
        run(ray=address)
    assert not ray.is_initialized()
