"""``anotheryou train``: from labelled faces to weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facedata.labelled import Attribute, FaceSet
    from generator.training import Entry


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled folders or .zip files of one; several are joined, their people kept apart."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the weights; the same command again goes on in it.")],
    attribute: Annotated[str, typer.Option(help="What shall be changed: pose, light or accessory.")] = "pose",
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE",
            help="Change faces only to this value, whatever they show, such as none; may be repeated. "
            "Otherwise to every value there is.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            help="paper: the recipe of the paper; default: both stages and the search trained together; "
            "completion: the latter with the mean absolute error, for faces partly hidden."
        ),
    ] = "default",
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Length of the training in minutes (60 where neither is given), resumptions included."
        ),
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Length of the training in pairs instead.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in a batch, instead of the preset's.")] = None,
    batch_people: Annotated[
        int | None, typer.Option(help="People in a batch, instead of the preset's; 0: pairs as they come.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate, instead of the preset's.")] = None,
    contrast: Annotated[
        float | None, typer.Option(help="Weight of the contrastive term, instead of the preset's.")
    ] = None,
    any_light: Annotated[
        float | None,
        typer.Option(
            help="Share of pairs that shall be found in any light, 0 to 1: more finds people again in other "
            "places, 0 keeps the light in the search."
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(help="How pictures are altered, instead of the preset's way: none, mirror or full."),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            help="Only people FIRST-LAST of the joined sets, counted from 0 in order of name, such as 0-99."
        ),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            help="People kept from training to validate on, drawn by the seed. Otherwise those of split val "
            "or, where there are none, one in twenty."
        ),
    ] = None,
    validate: Annotated[
        Path | None, typer.Option(help="Labelled folder or .zip to validate on, so that nobody is held out.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of trained weights to learn on from, instead of random ones; they may have "
            "learned another attribute."
        ),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops; otherwise faces are detected.")
    ] = False,
    size: Annotated[int, typer.Option(help="Side of the crops in pixels.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn at random.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads that compute; 0: one per core.")] = 0,
    save_every: Annotated[
        float, typer.Option(min=0, help="Minutes between two states on disk; a kill loses no more than that.")
    ] = 2.0,
    precision: Annotated[
        str,
        typer.Option(help="auto, float32 or bfloat16; auto is bfloat16 where the hardware multiplies it."),
    ] = "auto",
) -> None:
    """Train both networks on labelled faces.

    A killed or interrupted training goes on where it stood when the same command is given again.
    The folder then holds the weights (usable from the first minutes on), history.jsonl and curves.png.
    People of split test are never looked at.

    Example:

        anotheryou data render rotation --head-model model.npz --out faces
        anotheryou train faces --cropped --attribute pose --minutes 90 --out my-weights
        anotheryou benchmark faces --cropped --weights my-weights --out report
    """
    from cli.console import RichProgress, say
    from cli.stopping import stop_on_signal, tell_end
    from facedata.labelled import read_labelled
    from faces.crop import CropGeometry
    from generator.checkpoint import find_checkpoint, load_checkpoint
    from generator.training import (
        Budget,
        Options,
        adjusted,
        join_sets,
        prepare,
        recipe,
        restrict_people,
    )
    from generator.training import train as run

    if threads:
        import torch

        torch.set_num_threads(threads)
    chosen = adjusted(
        recipe(preset),
        batch=batch,
        people=batch_people,
        rate=rate,
        contrast=contrast,
        any_light=any_light,
        augment=augment,
    )
    budget = Budget(pairs=pairs, minutes=60.0 if minutes is None and pairs is None else minutes)
    budget.check()
    name = attribute_named(attribute)
    geometry = CropGeometry(size=size)
    progress = RichProgress()

    def read(path: Path) -> FaceSet:
        faces = read_labelled(path, cropped=cropped, geometry=geometry, progress=progress)
        if faces.left_out:
            say(f"{path}: no face was found on {faces.left_out} pictures; they are left out")
        return faces

    faces = join_sets([read(path) for path in data])
    if people is not None:
        faces = restrict_people(faces, *_range(people))
    prepared = prepare(
        faces,
        attribute=name,
        to=to,
        seed=seed,
        held_out=held_out,
        validation=read(validate) if validate else None,
    )
    learners, unseen = prepared.train, prepared.validation
    say(
        f"{learners.pairs.people:,} people, {len(learners.faces):,} faces, {len(learners.pairs):,} pairs; "
        + (f"validated on {unseen.pairs.people} others" if unseen else "nobody to validate on")
    )
    with stop_on_signal() as stopped:
        finished = run(
            prepared,
            chosen,
            out=out,
            budget=budget,
            seed=seed,
            geometry=geometry,
            start=load_checkpoint(find_checkpoint(start_from)) if start_from else None,
            options=Options(state_minutes=save_every, precision=precision, threads=threads),
            progress=progress,
            report=lambda entry: say(_line(entry)),
            stop=stopped.is_set,
        )
    tell_end(finished, out)


def attribute_named(name: str) -> Attribute:
    """The attribute that ``--attribute`` names; raises BadParameter that lists them."""
    from facedata.pairs import ATTRIBUTES

    for known in ATTRIBUTES:
        if known == name:
            return known
    raise typer.BadParameter(f"{name!r} is none of: {', '.join(ATTRIBUTES)}.", param_hint="--attribute")


def _range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise typer.BadParameter(f"{text!r} is no range such as 0-99.", param_hint="--people")
    return int(match[1]), int(match[2])


def _line(entry: Entry) -> str:
    """One line of history for people to read; errors are of the kind the recipe makes small."""
    parts = [
        f"{100 * entry.fraction:.0f} %",
        f"{entry.pairs:,} pairs",
        f"{entry.pairs_per_second:.0f} pairs/s",
    ]
    for title, figures in (("training", entry.train), ("unseen people", entry.validation)):
        errors = [f"{figures[stage]:.1f}" for stage in ("stage1", "stage2") if stage in figures]
        if errors:
            parts.append(f"{title}: {entry.error} error {' / '.join(errors)}")
    for key, title in (
        ("contrast_accuracy", "contrast"),
        ("recall1", "recall@1"),
        ("recall1_exact", "same light"),
        ("value_accuracy", "value recognised"),
    ):
        if key in entry.validation:
            parts.append(f"{title} {100 * entry.validation[key]:.1f} %")
    return ", ".join(parts)
