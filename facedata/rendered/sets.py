"""Whole rendered sets on disk, as labelled folders: resumable, and the same for the same recipe."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from facedata.labels import LABELS_FILE, LabelRow, write_labels
from facedata.rendered.claim import PART, claimed
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.rotation import YAWS, RotationRecipe, render_rotation
from facedata.rendered.workers import in_processes
from faces.errors import DataError
from faces.progress import NoProgress, Progress

PROTOCOL_PEOPLE = 249
PROTOCOL_TRAIN = 100  # the first so many people train, the rest test (paper, section 4.1)

Job = tuple[Path, RotationRecipe, Path, int]  # set, recipe, head model, number of the person

_head: Head | None = None  # one per worker process: the model is 50 MB and slow to unpack


def pose_name(yaw: int) -> str:
    """How a pose is written: "-45" ... "0" ... "+45"."""
    return f"{yaw:+d}" if yaw else "0"


def person_name(index: int) -> str:
    """How a person is called: "0000", "0001", ..."""
    return f"{index:04d}"


def rotation_file(index: int, yaw: int, light: int) -> str:
    """Where a picture lies inside its set."""
    return f"{person_name(index)}/pose{pose_name(yaw)}_light{light:02d}.png"


def render_rotation_set(
    out: Path,
    recipe: RotationRecipe,
    head_model: Path,
    *,
    people: int = PROTOCOL_PEOPLE,
    first: int = 0,
    train: int = PROTOCOL_TRAIN,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Render people ``first`` .. ``first + people - 1`` into the labelled folder ``out``; returns how many
    pictures it holds then.

    People below ``train`` get split train, the others test.  ``workers`` is the number of processes, all
    cores where None.  What an earlier, interrupted call with the same recipe finished is kept, people outside
    the range too: a person is complete or absent.  Raises DataError where ``out`` holds something else or
    cannot be written, HeadModelError where the head model is missing.
    """
    if people < 1 or first < 0 or recipe.lights < 1:
        raise DataError("A rendered set needs a person and a light at least; give --people 1 or more.")
    progress = progress or NoProgress()
    load_head_model(head_model)  # complain before any process starts
    per_person = len(YAWS) * recipe.lights
    try:
        with claimed(out, {"kind": "rotation", **asdict(recipe)}):
            todo = sorted(set(range(first, first + people)) - set(finished_people(out)))
            jobs: list[Job] = [(out, recipe, head_model, index) for index in todo]
            count = max(1, min(workers or os.cpu_count() or 1, len(jobs)))
            progress.start("rendering", people * per_person, "pictures")
            try:
                progress.advance((people - len(todo)) * per_person)
                for _ in in_processes(_render_person, jobs, count):
                    progress.advance(per_person)
            finally:
                progress.finish()
            present = finished_people(out)
            write_labels(out / LABELS_FILE, rotation_rows(present, recipe.lights, train))
    except OSError as error:
        raise DataError(f"The set cannot be written to {out}: {error.strerror or error}.") from error
    return len(present) * per_person


def finished_people(out: Path) -> list[int]:
    """Numbers of the people whose pictures are complete in a set, ascending."""
    return sorted(int(p.name) for p in out.iterdir() if re.fullmatch(r"[0-9]{4,}", p.name) and p.is_dir())


def rotation_rows(people: Iterable[int], lights: int, train: int) -> Iterator[LabelRow]:
    """The lines of labels.csv of a rotation set: by person, then pose, then light."""
    for index in people:
        for yaw in YAWS:
            for light in range(lights):
                yield LabelRow(
                    file=rotation_file(index, yaw, light),
                    person=person_name(index),
                    pose=pose_name(yaw),
                    light=f"{light:02d}",
                    split="train" if index < train else "test",
                )


def _render_person(job: Job) -> None:
    """Render one person into a folder of its own, which gets its name when it is complete."""
    global _head
    out, recipe, head_model, index = job
    if _head is None:
        _head = Head(load_head_model(head_model))
    crops = render_rotation(recipe, _head, index)
    part = Path(tempfile.mkdtemp(prefix=f"{person_name(index)}.", suffix=PART, dir=out))
    part.chmod(out.stat().st_mode & 0o777)  # mkdtemp lets nobody else in
    try:
        for pose, yaw in enumerate(YAWS):
            for light in range(recipe.lights):
                name = Path(rotation_file(index, yaw, light)).name
                Image.fromarray(np.ascontiguousarray(crops[pose, light])).save(part / name, compress_level=6)
        part.rename(out / person_name(index))
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
