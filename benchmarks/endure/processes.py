"""Work in processes of its own that can be killed, with what they said and took."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss

Work = Callable[[], None]

_TOO_LONG = 900.0  # seconds after which work counts as stuck, and is ended
_LOOK = 0.002  # seconds between two looks at a process


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``status`` as of a shell's command, or minus the signal; ``peak`` in bytes."""

    status: int
    output: str
    seconds: float
    peak: int

    @property
    def one_error(self) -> bool:
        """Tell whether it failed with one plain sentence."""
        lines = [line for line in self.output.splitlines() if line.startswith("anotheryou: ")]
        return self.status == 1 and len(lines) == 1 and "Traceback" not in self.output


class Process:
    """A fork of this process that does some work, which begins at once."""

    def __init__(self, work: Work) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (open until the end of the process)
        self._began = time.monotonic()
        self._pid = os.fork()
        if self._pid == 0:
            _do(work, self._log.fileno())

    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        os.kill(self._pid, signal.SIGKILL)

    def end(self, seconds: float = _TOO_LONG) -> Ended:
        """Wait for its end, at most so long; it is killed then."""
        while self.running() and time.monotonic() - self._began < seconds:
            time.sleep(_LOOK)
        if self.running():
            self.kill()
        _, status, used = os.wait4(self._pid, 0)
        took = time.monotonic() - self._began
        with self._log as log:
            log.seek(0)
            output = log.read().decode(errors="replace")
        return Ended(os.waitstatus_to_exitcode(status), output, took, 1024 * used.ru_maxrss)


def run(work: Work) -> Ended:
    """Let a process do some work to its end."""
    return Process(work).end()


def run_killed(work: Work, chance: random.Random, usual: float, watched: Path) -> Ended:
    """Let a process work and kill it at a random moment of the ``usual`` seconds.

    Every other one is killed just after the file ``watched`` has changed, since little of the time is spent
    writing.
    """
    before, process = _stat(watched), Process(work)
    if chance.random() < 0.5:
        while _stat(watched) == before and process.running():
            time.sleep(_LOOK)
        usual = 0.1
    until = time.monotonic() + chance.uniform(0, usual)
    while time.monotonic() < until and process.running():
        time.sleep(_LOOK)
    if process.running():
        process.kill()
    return process.end()


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _do(work: Work, log: int) -> None:
    """Be the new process."""
    status = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # Not those of before: something may be waiting in them, or pytest may hold them.
        sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        faiss.omp_set_num_threads(1)  # threads do not survive a fork
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
