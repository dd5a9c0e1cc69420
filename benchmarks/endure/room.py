"""A disk that is full, and processes that want the same collection at once."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from endure.kills import Tally
from endure.processes import Process, run
from endure.survey import NOTHING, Survey, survey
from faces.errors import AnotherYouError

Run = Callable[[Path], None]
_ROOM = 256 << 20  # bytes of the disk once somebody has freed space
_GROWTH = 1.4  # from one size of the disk to the next


class NoDiskError(Exception):
    """A small disk cannot be made here; says why."""


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Mount a disk in memory of so many bytes; raises NoDiskError where that is not allowed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoDiskError("mounting a small disk is not allowed here; it needs root") from error
        try:
            yield Path(folder)
        finally:
            _mount("umount", folder)


def fill(what: str, command: Run, begun: Path | None, expected: Survey) -> Tally:
    """Run a command on disks that are too small, from 64 KB on, until it has enough room.

    ``begun`` is a collection to begin with.  A run that fails is to say so in one sentence; when space has
    been freed, the same command must go on and end in ``expected``.
    """
    tally, room = Tally(f"disk full during {what}"), 1 << 16
    used = sum(path.stat().st_size for path in begun.rglob("*") if path.is_file()) if begun else 0
    enough = False
    while not enough:
        with small_disk(used + room) as disk:
            collection = disk / "collection"
            if begun is not None:
                shutil.copytree(begun, collection)
            before = survey(collection) if begun else NOTHING
            ended = run(partial(command, collection))
            enough = ended.status == 0
            tally.tried += not enough
            if not enough and not (ended.one_error and "space" in ended.output):
                tally.stop(ended.output)
            _mount("mount", "-o", f"remount,size={_ROOM}", str(disk))
            now = survey(collection) if (collection / "catalog.sqlite").exists() else NOTHING
            tally.lost += now.lost_since(before)
            again = run(partial(command, collection))
            if again.status:
                tally.stop(again.output)
                continue
            end = survey(collection)
            tally.lost += end.lost_since(before) + end.lost_since(now)
            tally.doubled += end.doubled
            if not end.equals(expected):
                tally.stop("it holds or answers something else than one that always had room")
        room = int(room * _GROWTH)
    return tally


def two_writers(command: Run, place: Path, times: int, expected: Survey) -> Tally:
    """Start a command twice at once on a new collection: one does it, the other is told or finds it done."""
    tally = Tally("two writers at once")
    for number in range(times):
        collection = place / f"shared {number}"
        both = [Process(partial(command, collection)) for _ in range(2)]
        ends = [process.end() for process in both]
        tally.tried += 1
        told = [end for end in ends if end.one_error and "writing to the collection" in end.output]
        if sum(end.status == 0 for end in ends) + len(told) < 2 or len(told) == 2:
            tally.stop("\n".join(end.output for end in ends))
        now = survey(collection)
        tally.lost += (expected.faces - now.faces).total()
        tally.doubled += now.doubled
    return tally


def readers(command: Run, place: Path, times: int, expected: Survey) -> Tally:
    """Read and search a collection over and over while a command fills it: nothing seen may vanish."""
    tally = Tally("readers while writing")
    for number in range(times):
        collection, seen = place / f"read {number}", NOTHING
        process = Process(partial(command, collection))
        while process.running():
            try:
                now = survey(collection)
            except AnotherYouError as error:
                tally.stop(str(error))
                continue
            tally.tried += now is not NOTHING
            tally.lost += now.lost_since(seen)
            tally.doubled += now.doubled
            seen = now
        if process.end().status or not survey(collection).equals(expected):
            tally.stop("it holds or answers something else than one that nobody read")
    return tally


def _mount(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
