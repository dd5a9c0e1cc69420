"""Examining photographs on the nodes of a Ray cluster; the processes there also make the vectors."""

from __future__ import annotations

import logging
import os
import platform
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import uuid4

from faces.detect import Detector
from faces.errors import AnotherYouError, ClusterError
from retrieval.engine import Engine
from retrieval.examine import DetectorFactory, Examined, content_if_readable, described, skipped
from retrieval.scan import Found
from retrieval.workers import Look

_AHEAD = 2  # photographs given in for each processor of the cluster, so that none waits for this process
_RETRIES = 2  # of a photograph on which a process or a node dies
_PATIENCE = 10.0  # seconds for a cluster to answer
_CRASHED = "the search for faces crashed each time it was tried on it"


@dataclass(frozen=True)
class Work:
    """What the processes on the nodes do: open detector and engine once, then ``look`` at photographs.

    ``digest`` is that of the layout which the vectors must have.
    """

    factory: DetectorFactory = field(compare=False)
    look: Look = field(compare=False)
    engine: Callable[[], Engine] = field(compare=False)
    digest: str
    run: str = field(default_factory=lambda: uuid4().hex)


class RayExaminers:
    """Keep a bounded number of photographs on their way through a Ray cluster, as ``Examiners`` does here.

    ``address`` is Ray's own: ``auto``, ``host:port`` or ``ray://host:port``; if this process is connected to
    a cluster already, that one serves.  A photograph whose node dies
    is given to another; one on which process after process dies comes back with that as its reason.  Raises
    ClusterError if Ray is missing, there is no such cluster or its nodes cannot do the work.
    """

    def __init__(self, address: str, work: Work) -> None:
        self._address, self._work = address, work
        self._pending: dict[Any, Found] = {}
        self._ray, self._ours = _connect(address)
        try:
            self._processors = self._count_processors()
            self._task = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(_examine)
            name = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(_detector_name)
            self.detector: str = self._ray.get(name.remote(work))
        except BaseException as error:
            self.close()
            if isinstance(error, self._ray.exceptions.RayError):
                raise self._plain(error) from error
            raise

    @property
    def full(self) -> bool:
        """Tell whether results should be fetched before more is given in."""
        return len(self._pending) >= _AHEAD * self._processors

    def submit(self, found: Found) -> None:
        """Give in a photograph."""
        with self._connected():
            self._pending[self._task.remote(found, self._work)] = found

    def results(self, timeout: float) -> list[Examined]:
        """Give what is back; waits up to ``timeout`` seconds if nothing is."""
        with self._connected():
            self._processors = self._count_processors()  # nodes come and go
            ready, rest = self._ray.wait(list(self._pending), timeout=timeout) if self._pending else ([], [])
            if ready and rest:
                ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
            done = [self._take(reference, self._pending.pop(reference)) for reference in ready]
        return [examined for examined in done if examined is not None]

    def close(self) -> None:
        """Leave the cluster; what was being examined is dropped."""
        if self._ours:
            self._ray.shutdown()
        else:
            for reference in self._pending:
                self._ray.cancel(reference, force=True)
        self._pending = {}

    def __enter__(self) -> RayExaminers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except ConnectionError as error:
            raise ClusterError(
                f"the connection to the Ray cluster at {self._address} is lost; what is stored stays, and "
                "the same command goes on"
            ) from error

    def _take(self, reference: Any, found: Found) -> Examined | None:
        """Give what became of a photograph; None if its node died and it was given in again."""
        exceptions = self._ray.exceptions
        examined: Examined
        try:
            examined, node = self._ray.get(reference)
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError):
            return skipped(found, content_if_readable(found.path), _CRASHED)
        except (exceptions.NodeDiedError, exceptions.ObjectLostError):
            self.submit(found)
            return None
        except exceptions.RayError as error:
            raise self._plain(error) from error
        if examined.photo.content is None and content_if_readable(found.path) is not None:
            raise ClusterError(
                f"the node {node} cannot read {found.path} ({examined.photo.reason}); mount the photographs "
                "on every node where they are here"
            )
        return examined

    def _plain(self, error: Exception) -> AnotherYouError:
        """Give what went wrong on a node as an error of ours."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, AnotherYouError):
            return cause
        return ClusterError(
            f"a node of the Ray cluster at {self._address} cannot do the work ({_last_line(error)}); have "
            "the same version of anotheryou on every node"
        )

    def _count_processors(self) -> int:
        count = int(self._ray.cluster_resources().get("CPU", 0))
        if count == 0:
            raise ClusterError(
                f"no node of the Ray cluster at {self._address} has a processor for the work; start one with "
                "`ray start`, then give the same command again"
            )
        return count


def _connect(address: str) -> tuple[Any, bool]:
    """Give the module ``ray``, connected, and whether this made the connection."""
    # What nodes have to say would come between our own lines on stdout; Ray reads this when it is imported.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    try:
        import ray
    except ImportError:
        raise ClusterError(
            "indexing on many machines needs Ray; install it with: pip install 'anotheryou[cluster]'"
        ) from None
    if ray.is_initialized():
        return ray, False
    named = re.fullmatch(r"(?:ray://)?\[?([^\s/]+?)\]?:(\d{1,5})", address)
    if address != "auto" and named is None:  # such as "local", which would start a cluster
        raise ClusterError(
            f"{address!r} is no address of a Ray cluster; give auto, HOST:PORT or ray://HOST:PORT"
        )
    try:
        if named is not None:  # Ray itself would try for minutes
            socket.create_connection((named[1], int(named[2])), _PATIENCE).close()
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # every way to connect has exceptions of its own
        raise ClusterError(
            f"there is no connection to a Ray cluster at {address} ({' '.join(str(error).split())}); start "
            "Ray on its machines and on this one, with the same versions of Ray and Python"
        ) from error
    return ray, True


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


@lru_cache(maxsize=1)
def _opened(work: Work) -> tuple[Detector, Engine]:
    """Open detector and engine, once in each process."""
    try:
        detector, engine = work.factory(), work.engine()
    except AnotherYouError as error:
        raise ClusterError(f"the node {platform.node()} cannot begin: {error}") from None
    if engine.layout.digest != work.digest:
        raise ClusterError(f"the node {platform.node()} has other weights; bring the same to every node")
    return detector, engine


def _detector_name(work: Work) -> str:
    return _opened(work)[0].name


def _examine(found: Found, work: Work) -> tuple[Examined, str]:
    """Examine and describe one photograph; returns the node's name as well."""
    detector, engine = _opened(work)
    (examined,) = described([work.look(found, detector)], engine)
    return examined, platform.node()
