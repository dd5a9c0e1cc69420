"""Whole rendered sets on disk, as labelled folders: resumable, and the same for the same recipe."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from facedata.labels import LabelRow, write_labels
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.rotation import YAWS, RotationRecipe, render_rotation
from faces.errors import DataError
from faces.progress import NoProgress, Progress

RECIPE_FILE = "recipe.json"
PROTOCOL_TRAIN = 100  # the first so many people train, the rest test (paper, section 4.1)

_head: Head | None = None  # one per worker process: the model is 30 MB and slow to unpack


def pose_name(yaw: int) -> str:
    """How a pose is written: "-45" ... "0" ... "+45"."""
    return f"{yaw:+d}" if yaw else "0"


def rotation_file(index: int, yaw: int, light: int) -> str:
    """Where a picture lies inside its set."""
    return f"{index:04d}/pose{pose_name(yaw)}_light{light:02d}.png"


def render_rotation_set(
    out: Path,
    recipe: RotationRecipe,
    head_model: Path,
    *,
    people: int,
    first: int = 0,
    train: int = PROTOCOL_TRAIN,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Render people ``first`` .. ``first + people - 1`` into the labelled folder ``out``; returns its picture count.

    People below ``train`` get split train, the others test. What an earlier, interrupted call with
    the same recipe finished is kept; a person is complete or absent. Raises DataError where ``out``
    holds something else or cannot be written, HeadModelError where the head model is missing.
    """
    if people < 1 or first < 0:
        raise DataError("A rendered set needs at least one person; give --people 1 or more.")
    progress = progress or NoProgress()
    load_head_model(head_model)  # complain before any process starts
    settings = {"kind": "rotation", **asdict(recipe)}
    try:
        _claim(out, settings)
        todo = [i for i in range(first, first + people) if not (out / f"{i:04d}").is_dir()]
        per_person = len(YAWS) * recipe.lights
        progress.start("rendering", people * per_person, "pictures")
        progress.advance((people - len(todo)) * per_person)
        for _ in _in_processes(_render_person, [(out, recipe, head_model, i) for i in todo], workers):
            progress.advance(per_person)
        progress.finish()
        present = sorted(int(p.name) for p in out.iterdir() if p.is_dir() and p.name.isdigit())
        write_labels(out / "labels.csv", rotation_rows(present, recipe.lights, train))
    except OSError as error:
        raise DataError(f"The set cannot be written to {out}: {error.strerror or error}.") from error
    return len(present) * per_person


def rotation_rows(people: list[int], lights: int, train: int) -> Iterator[LabelRow]:
    """The lines of labels.csv of a rotation set."""
    for index in people:
        for yaw in YAWS:
            for light in range(lights):
                yield LabelRow(
                    file=rotation_file(index, yaw, light),
                    person=f"{index:04d}",
                    pose=pose_name(yaw),
                    light=f"{light:02d}",
                    split="train" if index < train else "test",
                )


def _claim(out: Path, settings: dict[str, object]) -> None:
    """Make the folder, or check that it was begun with the same settings."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / RECIPE_FILE
    text = json.dumps(settings, indent=1, sort_keys=True)
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise DataError(f"{out} was begun with other settings; choose another folder or delete it.")
    elif any(out.iterdir()):
        raise DataError(f"{out} is not empty and holds no rendered set; choose another folder.")
    else:
        path.write_text(text, encoding="utf-8")
    for leftover in out.glob("*.part"):
        shutil.rmtree(leftover, ignore_errors=True)


def _render_person(job: tuple[Path, RotationRecipe, Path, int]) -> None:
    global _head
    out, recipe, head_model, index = job
    if _head is None:
        _head = Head(load_head_model(head_model))
    crops = render_rotation(recipe, _head, index)
    part = out / f"{index:04d}.part"
    part.mkdir(exist_ok=True)
    for pose, yaw in enumerate(YAWS):
        for light in range(recipe.lights):
            name = Path(rotation_file(index, yaw, light)).name
            Image.fromarray(np.ascontiguousarray(crops[pose, light])).save(part / name, compress_level=6)
    part.rename(out / f"{index:04d}")


def _in_processes(
    work: Callable[[tuple[Path, RotationRecipe, Path, int]], None],
    jobs: list[tuple[Path, RotationRecipe, Path, int]],
    workers: int | None,
) -> Iterator[None]:
    """Run the jobs in processes, a few ahead of the one that is waited for."""
    count = min(workers or os.cpu_count() or 1, max(1, len(jobs)))
    if count == 1:
        for job in jobs:
            yield work(job)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[None]] = set()
        queue = iter(jobs)
        try:
            while True:
                for job in queue:
                    waiting.add(pool.submit(work, job))
                    if len(waiting) >= 2 * count:
                        break
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
