"""Work in several processes that end when the one that started them does, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from faces.errors import DataError
from faces.interrupts import interrupts_ignored

Job = TypeVar("Job")


def in_processes(work: Callable[[Job], None], jobs: Iterable[Job], count: int) -> Iterator[None]:
    """Call ``work(job)`` for every job in ``count`` processes; yields once for each that is done, as it is
    done.

    ``work`` is a function of a module, and it and the jobs can be pickled.  With a ``count`` of 1 it runs in
    this process.  An exception of ``work`` is raised here.  Leaving the loop early, Ctrl-C and even the death
    of this process end the workers in the middle of their jobs.  Raises DataError if a worker dies.
    """
    if count <= 1:
        for job in jobs:
            work(job)
            yield
        return
    # Workers hold the end that is read; the other is closed by us, or for us when we die.
    reader, writer = get_context("spawn").Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin, initargs=(reader,))
    try:
        yield from _each_done(pool, work, iter(jobs), count)
    except BrokenProcessPool as error:
        raise DataError(
            "A rendering process ended unexpectedly, perhaps for want of memory; "
            "the same command again goes on where it stopped."
        ) from error
    except BaseException:
        writer.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        writer.close()
        reader.close()


def _each_done(
    pool: ProcessPoolExecutor, work: Callable[[Job], None], jobs: Iterator[Job], count: int
) -> Iterator[None]:
    waiting: set[Future[None]] = set()
    while True:
        for job in jobs:
            with interrupts_ignored():  # inherited by the processes that this starts
                waiting.add(pool.submit(work, job))
            if len(waiting) > count:  # one more than can be worked at, so that nobody waits
                break
        if not waiting:
            return
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            yield


def _begin(reader: Connection) -> None:
    """Runs first in every worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; only the first process answers it
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()


def _end_with(reader: Connection) -> None:
    with suppress(OSError, EOFError):
        reader.recv_bytes()  # nothing is ever sent: this returns when the other end is closed
    os._exit(1)
