"""Processes that examine photographs, so that one that crashes on a photograph takes nobody with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from faces.detect import Detector
from faces.errors import AnotherYouError, DetectorError
from faces.interrupts import interrupts_ignored
from retrieval.examine import DetectorFactory, Examined, content_if_readable, skipped
from retrieval.scan import Found

Look = Callable[[Found, Detector], Examined]
"""Examines a photograph, as ``examine`` does; other processes can call it."""

_AHEAD = 4  # photographs given to a worker at a time, so that it never waits for the network


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    given: deque[Found] = field(default_factory=deque)
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

    def __init__(self, factory: DetectorFactory, look: Look, count: int) -> None:
        self._factory, self._look, self._count = factory, look, count
        self._workers: list[_Worker] = []
        self._waiting: deque[Found] = deque()
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
    def full(self) -> bool:
        """Tell whether results should be fetched before more is given in."""
        busy = len(self._waiting) + len(self._done) + sum(len(worker.given) for worker in self._workers)
        return busy >= max(1, _AHEAD * self._count)

    def submit(self, found: Found) -> None:
        """Give in a photograph."""
        if self._count == 0:
            self._done.append(self._look(found, self._own))
        else:
            self._waiting.append(found)
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
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._factory, self._look), daemon=True)
        with _main_left_alone(self._factory), interrupts_ignored():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=lambda worker: len(worker.given))
            if len(worker.given) >= _AHEAD:
                return
            worker.given.append(self._waiting.popleft())
            try:
                worker.connection.send(worker.given[-1])
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
            if isinstance(message, DetectorError):
                raise message
            if isinstance(message, str):
                worker.ready, self.detector = True, message
            else:
                worker.given.popleft()
                self._done.append(message)

    def _replace(self, worker: _Worker) -> None:
        """Replace a worker that has died: on the first of what it was given."""
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"crashed (signal {-code})" if code < 0 else f"ended (status {code})"
        worker.process.close()
        self._workers.remove(worker)
        if not worker.ready:
            raise DetectorError(f"the process that looks for faces {how} before it had begun")
        if worker.given:
            found = worker.given.popleft()
            reason = f"the search for faces {how} on it"
            self._done.append(skipped(found, content_if_readable(found.path), reason))
        self._waiting.extendleft(reversed(worker.given))
        self._workers.append(self._start())


def _context() -> ForkServerContext | SpawnContext:
    """Give what starts processes: on Linux a server that has loaded what all of them need, so that they begin
    at once and share its memory.  Elsewhere libraries do not survive a fork, or there is none."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faces.mmod_detector", __name__])
    return context


def _serve(connection: Connection, factory: DetectorFactory, look: Look) -> None:
    """Do a worker's work: tell the detector's name, or what is wrong with it; then examine what comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started us
    with suppress(EOFError, OSError):  # the other end is gone, perhaps killed
        try:
            detector = factory()
            connection.send(detector.name)
            while True:
                connection.send(look(connection.recv(), detector))
        except AnotherYouError as error:
            connection.send(DetectorError(str(error)))


@contextmanager
def _main_left_alone(factory: DetectorFactory) -> Iterator[None]:
    """Keep a new process from running the user's script again, unless the detector is defined there."""
    main = sys.modules["__main__"]
    if getattr(getattr(factory, "func", factory), "__module__", "") == "__main__":
        yield
        return
    names = {"__spec__", "__file__"} & main.__dict__.keys()
    kept = {name: main.__dict__.pop(name) for name in names}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(kept)
