"""Processes that examine photographs, so that one that crashes on a photograph takes nobody with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from faces.chips import Cut
from faces.crop import CropGeometry
from faces.errors import AnotherYouError, DetectorError
from faces.interrupts import interrupts_ignored
from retrieval.examine import DetectorFactory, Examined, content_of, examine

_AHEAD = 4  # photographs given to a worker at a time, so that it never waits for the network


@dataclass(frozen=True, slots=True)
class _Ready:
    detector: str


@dataclass(frozen=True, slots=True)
class _Failed:
    message: str


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    given: deque[str] = field(default_factory=deque)
    ready: bool = False


def default_workers() -> int:
    """Count one for each core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Examiners:
    """Keep a bounded number of photographs on their way through ``count`` processes.

    With a count of 0 they are examined in this process, one by one.  A photograph on which a process dies
    comes back with that as its reason, and the process is replaced.  Raises DetectorError if the detector
    cannot be opened.
    """

    def __init__(
        self, factory: DetectorFactory, geometry: CropGeometry, min_face: int, cut: Cut | None, count: int
    ) -> None:
        self._factory, self._geometry, self._min_face, self._cut = factory, geometry, min_face, cut
        self._count = count
        self._workers: list[_Worker] = []
        self._waiting: deque[str] = deque()
        self._done: list[Examined] = []
        self.detector = ""
        if count == 0:
            self._own = factory()
            self.detector = self._own.name
        else:
            self._workers = [self._start() for _ in range(count)]
            while not self.detector:
                self._collect(None)

    @property
    def busy(self) -> int:
        """Count the photographs given in and not yet back."""
        return len(self._waiting) + len(self._done) + sum(len(worker.given) for worker in self._workers)

    @property
    def full(self) -> bool:
        """Tell whether results should be fetched before more is given in."""
        return self.busy >= max(1, _AHEAD * self._count)

    def submit(self, path: str) -> None:
        """Give in a photograph."""
        if self._count == 0:
            self._done.append(examine(path, self._own, self._geometry, self._min_face, self._cut))
        else:
            self._waiting.append(path)
            self._hand_out()

    def results(self, timeout: float) -> list[Examined]:
        """Give what is back; waits up to ``timeout`` seconds if nothing is."""
        if self._workers:
            self._collect(0 if self._done else timeout)
            self._hand_out()
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """End the processes; what they were examining is dropped."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._workers = []

    def __enter__(self) -> Examiners:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, self._factory, self._geometry, self._min_face, self._cut)
        process = context.Process(target=_serve, args=arguments, daemon=True)
        with _main_left_alone(self._factory), interrupts_ignored():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=lambda worker: len(worker.given))
            if len(worker.given) >= _AHEAD:
                return
            path = self._waiting.popleft()
            worker.given.append(path)
            try:
                worker.connection.send(path)
            except OSError:
                return  # it has died; _collect finds out

    def _collect(self, timeout: float | None) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection), timeout):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            if isinstance(message, _Failed):
                raise DetectorError(message.message)
            if isinstance(message, _Ready):
                worker.ready, self.detector = True, message.detector
            else:
                worker.given.popleft()
                self._done.append(message)

    def _replace(self, worker: _Worker) -> None:
        """Replace a worker that has died: on the first of what it was given."""
        worker.connection.close()
        worker.process.join()
        how = _death(worker.process.exitcode)
        worker.process.close()
        self._workers.remove(worker)
        if not worker.ready:
            raise DetectorError(f"the process that looks for faces {how} before it had begun")
        if worker.given:
            path = worker.given.popleft()
            self._done.append(Examined(path, _content(path), f"the search for faces {how} on it"))
        self._waiting.extendleft(reversed(worker.given))
        self._workers.append(self._start())


def _serve(
    connection: Connection,
    factory: DetectorFactory,
    geometry: CropGeometry,
    min_face: int,
    cut: Cut | None,
) -> None:
    """Do a worker's work: a path comes, what was found goes, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started us
    try:
        try:
            detector = factory()
        except AnotherYouError as error:
            connection.send(_Failed(str(error)))
            return
        connection.send(_Ready(detector.name))
        while True:
            path = connection.recv()
            try:
                connection.send(examine(path, detector, geometry, min_face, cut))
            except DetectorError as error:
                connection.send(_Failed(str(error)))
                return
    except (EOFError, OSError):
        return  # the other end is gone, perhaps killed


def _content(path: str) -> str | None:
    try:
        return content_of(path)
    except OSError:
        return None


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"crashed (signal {-code})"
    return f"ended (status {code})"


@contextmanager
def _main_left_alone(factory: DetectorFactory) -> Iterator[None]:
    """Keep a new process from running the user's script again, unless the detector is defined there.

    The script then needs no ``if __name__ == "__main__"``.
    """
    main = sys.modules["__main__"]
    inner = factory.func if isinstance(factory, partial) else factory
    if getattr(inner, "__module__", "") == "__main__":
        yield
        return
    names = [name for name in ("__spec__", "__file__") if name in main.__dict__]
    kept: dict[str, Any] = {name: main.__dict__.pop(name) for name in names}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(kept)
