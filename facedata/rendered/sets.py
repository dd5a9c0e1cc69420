"""Whole rendered sets on disk, as labelled folders: resumable, and the same for the same recipe."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from PIL import Image

from facedata.labels import CLEAN_FOLDER, LABELS_FILE, LabelRow, write_labels
from facedata.large_pictures import LARGE_FILE, LARGE_FOLDER, format_large, large_name, parse_large
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.recipes import Shots
from faces.claims import claimed
from faces.errors import DataError
from faces.files import PART, write_atomically
from faces.interrupts import interrupts_ignored
from faces.progress import Progress, underway
from faces.types import Floats, Pixels


class Recipe(Protocol):
    """What determines the pictures of every person of a set: two equal recipes give equal pictures."""

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other."""

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person so called, in whose folder their files lie."""

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render all pictures of person ``index``, in the order of ``rows``."""


Task = tuple[Path, Recipe, Path, int, bool]  # set, recipe, head model, number of the person, larger pictures
_WEBP: dict[str, Any] = {"quality": 75, "method": 6}  # 1.4 KB a face

_head: Head | None = None  # one per worker process: the model is 50 MB and slow to unpack


def person_name(index: int) -> str:
    """Name a person: "0000", "0001", ..."""
    return f"{index:04d}"


def render_set(
    out: Path,
    recipe: Recipe,
    head_model: Path,
    *,
    people: int,
    train: int,
    first: int = 0,
    large: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Render people from ``first`` on into the labelled folder ``out``; returns how many pictures it holds.

    People below ``train`` get split train, the others test.  ``workers`` are processes, all cores if None.
    What an earlier, interrupted call with the same recipe finished is kept, people outside the range too: a
    person is complete or absent.  ``large`` asks for larger pictures (``facedata.large_pictures``), also of
    people whose crops are there.  Raises DataError if ``out`` holds something else or cannot be written,
    HeadModelError if the head model is missing.
    """
    per_person = len(recipe.rows(""))
    if people < 1 or first < 0 or per_person < 1:
        raise DataError("A rendered set needs a person and a light at least; give --people 1 or more.")
    load_head_model(head_model)  # complain before any process starts
    try:
        with claimed(out, recipe.settings(), what="rendered set"):
            finished = set(finished_people(out))
            if large:
                finished &= set(finished_people(out / LARGE_FOLDER))
            todo = sorted(set(range(first, first + people)) - finished)
            jobs: list[Task] = [(out, recipe, head_model, index, large) for index in todo]
            count = max(1, min(workers or os.cpu_count() or 1, len(jobs)))
            with underway(progress, "rendering", people * per_person, "pictures") as rendering:
                rendering.advance((people - len(todo)) * per_person)
                for _ in in_processes(_render_person, jobs, count):
                    rendering.advance(per_person)
            present = finished_people(out)
            write_labels(out / LABELS_FILE, label_rows(recipe, present, train))
            points: dict[str, Floats] = {}
            for index in present:
                path = out / LARGE_FOLDER / person_name(index) / LARGE_FILE
                if path.is_file():
                    points |= {file: five for file, (_, five) in parse_large(path.read_bytes(), path).items()}
            if points:
                write_atomically(out / LARGE_FILE, format_large(points))
    except OSError as error:
        raise DataError(f"The set cannot be written to {out}: {error.strerror or error}.") from error
    return len(present) * per_person


def finished_people(out: Path) -> list[int]:
    """List the numbers of the people that are complete in a set (or in its ``large``), ascending."""
    if not out.is_dir():
        return []
    return sorted(int(p.name) for p in out.iterdir() if re.fullmatch(r"[0-9]{4,}", p.name) and p.is_dir())


def label_rows(recipe: Recipe, people: Iterable[int], train: int) -> Iterator[LabelRow]:
    """Yield the lines of a set's labels.csv: person by person, those below ``train`` with split train."""
    for index in people:
        split = "train" if index < train else "test"
        for row in recipe.rows(person_name(index)):
            yield replace(row, split=split)


def _render_person(task: Task) -> None:
    """Render what is missing of one person."""
    global _head
    out, recipe, head_model, index, large = task
    if _head is None:
        _head = Head(load_head_model(head_model))
    person = person_name(index)
    large = large and not (out / LARGE_FOLDER / person).is_dir()
    shots = recipe.render(_head, index, large=large).in_one_row()
    rows = recipe.rows(person)
    if not (out / person).is_dir():
        with _complete_folder(out, out / person) as part:
            _save(part, [row.file for row in rows], shots.crops, compress_level=6)
            if shots.clean is not None:
                (part / CLEAN_FOLDER).mkdir()
                _save(part / CLEAN_FOLDER, [row.file for row in rows], shots.clean, compress_level=6)
    if shots.large is not None and shots.points is not None:
        with _complete_folder(out, out / LARGE_FOLDER / person) as part:
            _save(part, [large_name(row.file) for row in rows], shots.large, **_WEBP)
            points = dict(zip((row.file for row in rows), shots.points, strict=True))
            (part / LARGE_FILE).write_bytes(format_large(points))


def _save(folder: Path, files: Iterable[str], pictures: Iterable[Pixels], **options: Any) -> None:
    for file, pixels in zip(files, pictures, strict=True):
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / PurePosixPath(file).name, **options)


@contextmanager
def _complete_folder(out: Path, folder: Path) -> Iterator[Path]:
    """A folder to fill inside the set ``out``, which becomes ``folder`` when it is complete."""
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=PART, dir=out))
    part.chmod(out.stat().st_mode & 0o777)  # mkdtemp lets nobody else in
    try:
        yield part
        folder.parent.mkdir(exist_ok=True)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def in_processes(work: Callable[[Any], None], jobs: Iterable[Any], count: int) -> Iterator[None]:
    """Call ``work(job)`` for every job in ``count`` processes (1: this one); yields for each as it is done.

    ``work`` and the jobs can be pickled.  An exception of ``work`` is raised here.  Leaving the loop early,
    Ctrl-C and even the death of this process end the workers in the middle of their jobs.  Raises DataError
    if a worker dies.
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
        with interrupts_ignored():  # inherited by the processes that this starts
            doing = [pool.submit(work, job) for job in jobs]
        for done in as_completed(doing):
            done.result()
            yield
    except BrokenExecutor as error:
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


def _begin(reader: Connection) -> None:
    """Runs first in every worker."""

    def end() -> None:
        with suppress(OSError, EOFError):
            reader.recv_bytes()  # nothing is ever sent: this returns when the other end is closed
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; only the first process answers it
    threading.Thread(target=end, daemon=True).start()
