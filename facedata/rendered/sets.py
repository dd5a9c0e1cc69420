"""Whole rendered sets on disk, as labelled folders: resumable, and the same for the same recipe."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image

from facedata.labels import CLEAN_FOLDER, LABELS_FILE, LabelRow, clean_name, write_labels
from facedata.large_pictures import LARGE_FILE, LARGE_FOLDER, format_large, large_name, parse_large
from facedata.rendered.crops import Shots
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.workers import in_processes
from faces.claims import claimed
from faces.errors import DataError
from faces.files import PART, write_atomically
from faces.progress import Progress, underway
from faces.types import Floats, Pixels


class Recipe(Protocol):
    """A kind of set: what is rendered of each person."""

    def settings(self) -> dict[str, object]:
        """Return JSON values that tell this recipe from every other; equal settings give equal pictures."""
        ...

    def rows(self, person: str) -> list[LabelRow]:
        """List who and what is on the pictures of a person; their files lie in a folder of that name."""
        ...

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render the pictures of person ``index`` in one row, in the order of ``rows``.

        With ``large``, larger ones too; the crops are the same with and without.
        """
        ...


Job = tuple[Path, Recipe, Path, int, bool]  # set, recipe, head model, number of the person, larger pictures
LARGE_QUALITY, LARGE_EFFORT = 75, 6  # of WebP: 1.4 KB a face

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
    """Render people ``first`` .. ``first + people - 1`` into the labelled folder ``out``; returns how many
    pictures it holds then.

    People below ``train`` get split train, the others test.  ``workers`` is the number of processes, all
    cores if None.  What an earlier, interrupted call with the same recipe finished is kept, people outside
    the range too: a person is complete or absent.  With ``large``, a larger picture of every face is kept as
    well (``facedata.large_pictures``), also of people whose crops are there already.  Raises DataError if
    ``out`` holds something else or cannot be written, HeadModelError if the head model is missing.
    """
    per_person = len(recipe.rows(person_name(first)))
    if people < 1 or first < 0 or per_person < 1:
        raise DataError("A rendered set needs a person and a light at least; give --people 1 or more.")
    load_head_model(head_model)  # complain before any process starts
    try:
        with claimed(out, recipe.settings(), what="rendered set"):
            finished = set(finished_people(out))
            if large:
                finished &= set(finished_people(out / LARGE_FOLDER))
            todo = sorted(set(range(first, first + people)) - finished)
            jobs: list[Job] = [(out, recipe, head_model, index, large) for index in todo]
            count = max(1, min(workers or os.cpu_count() or 1, len(jobs)))
            with underway(progress, "rendering", people * per_person, "pictures") as rendering:
                rendering.advance((people - len(todo)) * per_person)
                for _ in in_processes(_render_person, jobs, count):
                    rendering.advance(per_person)
            present = finished_people(out)
            write_labels(out / LABELS_FILE, label_rows(recipe, present, train))
            _write_points(out, present)
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


def _render_person(job: Job) -> None:
    """Render what is missing of one person."""
    global _head
    out, recipe, head_model, index, large = job
    if _head is None:
        _head = Head(load_head_model(head_model))
    person = person_name(index)
    crops_there = (out / person).is_dir()
    large = large and not (out / LARGE_FOLDER / person).is_dir()
    shots = recipe.render(_head, index, large=large)
    rows = recipe.rows(person)
    if not crops_there:
        with _complete_folder(out, out / person) as part:
            for row, crop in zip(rows, shots.crops, strict=True):
                _save_crop(crop, part / PurePosixPath(row.file).name)
            if shots.clean is not None:
                (part / CLEAN_FOLDER).mkdir()
                for row, crop in zip(rows, shots.clean, strict=True):
                    _save_crop(crop, part / PurePosixPath(clean_name(row.file)).relative_to(person))
    if shots.large is not None and shots.points is not None:
        with _complete_folder(out, out / LARGE_FOLDER / person) as part:
            for row, pixels in zip(rows, shots.large, strict=True):
                name = PurePosixPath(large_name(row.file)).name
                Image.fromarray(np.ascontiguousarray(pixels)).save(
                    part / name, quality=LARGE_QUALITY, method=LARGE_EFFORT
                )
            files = [row.file for row in rows]
            (part / LARGE_FILE).write_bytes(format_large(dict(zip(files, shots.points, strict=True))))


def _save_crop(crop: Pixels, path: Path) -> None:
    Image.fromarray(np.ascontiguousarray(crop)).save(path, compress_level=6)


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


def _write_points(out: Path, people: Iterable[int]) -> None:
    """Write ``large.csv`` of a set that keeps larger pictures, from what is kept beside those of a person."""
    points: dict[str, Floats] = {}
    for index in people:
        path = out / LARGE_FOLDER / person_name(index) / LARGE_FILE
        if path.is_file():
            points |= {file: five for file, (_, five) in parse_large(path.read_bytes(), path).items()}
    if points:
        write_atomically(out / LARGE_FILE, format_large(points))
