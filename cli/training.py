"""What all trainings from the shell have in common: options, faces to read, and the run itself."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cli.guard import INTERRUPTED, asked_to_stop

if TYPE_CHECKING:
    from facedata.labelled import Attribute, FaceSet
    from faces.progress import Progress
    from generator.training import Budget, Entry, Options, TrainingData

ATTRIBUTES = ("pose", "light", "accessory", "tilt", "expression")  # as facedata.labelled, without loading it
Out = Annotated[Path, typer.Option(help="Folder for the weights; the same command again goes on in it.")]
HeldOut = Annotated[
    int | None,
    typer.Option(
        help="People kept from training to validate on, drawn by the seed. Otherwise those of split val or, "
        "if there are none, one in twenty."
    ),
]
Validate = Annotated[
    Path | None, typer.Option(help="Labelled folder or .zip to validate on, so that nobody is held out.")
]
Cropped = Annotated[
    bool, typer.Option("--cropped", help="The pictures are ready crops; otherwise faces are detected.")
]
Size = Annotated[int, typer.Option(help="Side of the crops in pixels.")]
Seed = Annotated[int, typer.Option(help="Seed of everything drawn at random.")]
Threads = Annotated[int, typer.Option(help="Threads that compute; 0: one per core.")]
SaveEvery = Annotated[
    float, typer.Option(min=0, help="Minutes between two states on disk; a kill loses no more than that.")
]


def attributes_of(words: list[str]) -> list[Attribute]:
    """Return the attributes that are named, none for ``all``."""
    for word in words:
        if word not in (*ATTRIBUTES, "all"):
            known = ", ".join(ATTRIBUTES)
            raise typer.BadParameter(f"{word!r} is not one of {known} and all.", param_hint="--attribute")
    return [] if "all" in words else cast("list[Attribute]", words)


def compute_on(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)


def read_faces(path: Path, cropped: bool, size: int, progress: Progress) -> FaceSet:
    from cli.console import say
    from facedata.labelled import read_labelled
    from faces.crop import CropGeometry

    faces = read_labelled(path, cropped=cropped, geometry=CropGeometry(size=size), progress=progress)
    if faces.left_out:
        say(f"{path}: no face was found on {faces.left_out} pictures; they are left out")
    return faces


def budget_of(minutes: float | None, pairs: int | None, *, usual: float) -> Budget:
    """Give the length of a training, ``usual`` minutes if neither is named; raises TrainingError."""
    from generator.training import Budget

    budget = Budget(pairs=pairs, minutes=usual if minutes is None and pairs is None else minutes)
    budget.check()
    return budget


def prepare_faces(
    data: list[Path],
    attributes: list[Attribute],
    *,
    cropped: bool,
    size: int,
    seed: int,
    held_out: int | None,
    validate: Path | None,
    progress: Progress,
    people: str | None = None,
    to: list[str] | None = None,
) -> TrainingData:
    """Read the sets, joined, and decide what is learned of them: these attributes, or all that vary."""
    from generator.training import join_sets, prepare, restrict_people, varying

    faces = join_sets([read_faces(path, cropped, size, progress) for path in data])
    if people is not None:
        faces = restrict_people(faces, *_range(people))
    return prepare(
        faces,
        attribute=attributes or varying(faces),
        to=to,
        seed=seed,
        held_out=held_out,
        validation=read_faces(validate, cropped, size, progress) if validate else None,
    )


def _range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise typer.BadParameter(f"{text!r} is no range such as 0-99.", param_hint="--people")
    return int(match[1]), int(match[2])


def run_to_the_end(train: Callable[..., bool], options: Options, out: Path) -> None:
    """Train to the end, or to the step in which the user asks to stop.

    Says that the weights in ``out`` are trained, or how to go on; ends the program in the second case.
    """
    from cli.console import say

    with asked_to_stop(signal.SIGINT, signal.SIGTERM) as stop:
        finished = train(options=replace(options, stop=stop))
    if not finished:
        say("stopped and kept; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"trained: {out}")


def report(entry: Entry) -> None:
    """Say one line of history; errors are of the kind the recipe makes small."""
    from cli.console import say

    parts = [f"{100 * entry.fraction:.0f} %, {entry.pairs:,} pairs, {entry.pairs_per_second:.0f} pairs/s"]
    for title, figures in (("training", entry.train), ("unseen people", entry.validation)):
        known = ("stage1", "stage2", "error", "auxiliary")  # the last two are CPI's
        errors = [f"{figures[name]:.1f}" for name in known if name in figures]
        if errors:
            parts.append(f"{title}: {entry.error} error {' / '.join(errors)}")
    for key, title in (
        ("contrast_accuracy", "contrast"),
        ("recall1", "recall@1"),
        ("recall1_exact", "same light"),
        ("value_accuracy", "value recognised"),
        ("pose_right", "pose recognised"),
        *((f"{name}_accuracy", name) for name in ATTRIBUTES),
    ):
        if key in entry.validation:
            parts.append(f"{title} {100 * entry.validation[key]:.1f} %")
    say(", ".join(parts))
