"""``anotheryou train``: from labelled faces to networks that draw."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.training import (
    ATTRIBUTES,
    Cropped,
    HeldOut,
    Out,
    SaveEvery,
    Seed,
    Size,
    Threads,
    Validate,
    attributes_of,
    budget_of,
    compute_on,
    prepare_faces,
    report,
    run_to_the_end,
)

if TYPE_CHECKING:
    from generator.training import TrainingData


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled folders or .zip files of one; several are joined, their people kept apart."
        ),
    ],
    out: Out,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What shall be changed, of {', '.join(ATTRIBUTES)}; may be repeated. all: whatever the "
            "faces differ in. Otherwise the pose.",
            show_default=False,
        ),
    ] = None,
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
        str | None,
        typer.Option(
            help="paper: the recipe of the paper; default: both stages and the search trained together; "
            "small: the latter for few people; completion: it with the mean absolute error, for faces partly "
            "hidden. If none is named: small for fewer than 64 people, otherwise default.",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Length of the training in minutes (60 if neither is given), resumptions included."
        ),
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Length of the training in pairs instead.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pairs in a batch, instead of the preset's.")] = None,
    people_per_batch: Annotated[
        int | None, typer.Option(help="People in a batch, instead of the preset's; 0: pairs as they come.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate, instead of the preset's.")
    ] = None,
    contrastive_weight: Annotated[
        float | None, typer.Option(help="Weight of the contrastive term, instead of the preset's.")
    ] = None,
    any_light: Annotated[
        float | None,
        typer.Option(
            help="Share of pairs that shall be found in any light, 0 to 1: more finds people again in other "
            "places, 0 keeps the light in the search."
        ),
    ] = None,
    any_scene: Annotated[
        float | None,
        typer.Option(help="Share of pairs that shall be found in any of the person's scenes, 0 to 1."),
    ] = None,
    attribute_dropout: Annotated[
        float | None,
        typer.Option(
            help="Share of the attributes, 0 to 1, that are not told where source and target agree, so that "
            "what a wish does not name stays as it is."
        ),
    ] = None,
    clean_sources: Annotated[
        float | None,
        typer.Option(
            help="Share of pairs, 0 to 1, whose source is a clean version too, where the faces have such: "
            "learned from sooner than photographs are."
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="How pictures are altered, instead of the preset's way: none, mirror, full or photographs."
        ),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            help="Only people FIRST-LAST of the joined sets, counted from 0 in order of name, such as 0-99."
        ),
    ] = None,
    held_out: HeldOut = None,
    validate: Validate = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of trained weights to learn on from, instead of random ones; they may have "
            "learned another attribute."
        ),
    ] = None,
    cropped: Cropped = False,
    size: Size = 32,
    seed: Seed = 0,
    threads: Threads = 0,
    save_every: SaveEvery = 2.0,
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16; auto is bfloat16 if the hardware multiplies it.")
    ] = "auto",
) -> None:
    """Train both networks on labelled faces.

    A killed or interrupted training goes on from its last state if the same command is given again.
    The folder then holds the weights (usable from the first minutes on), history.jsonl and curves.png.
    People of split test are never looked at.

    Example:

        anotheryou data render rotation --head-model model.npz --out faces
        anotheryou train faces --cropped --attribute pose --minutes 90 --out my-weights
        anotheryou benchmark faces --cropped --weights my-weights --out report
    """
    from cli.console import RichProgress, say
    from generator.checkpoint import load_checkpoint
    from generator.training import FEW_PEOPLE, Options, adjusted, recipe
    from generator.training import train as run

    wanted = attributes_of(attribute or ["pose"])
    adapt = partial(
        adjusted,
        batch_size=batch_size,
        people_per_batch=people_per_batch,
        learning_rate=learning_rate,
        contrastive_weight=contrastive_weight,
        any_light=any_light,
        any_scene=any_scene,
        attribute_dropout=attribute_dropout,
        clean_sources=clean_sources,
        augment=augment,
    )
    chosen = adapt(recipe(preset or "default"))
    budget = budget_of(minutes, pairs, usual=60.0)
    progress = RichProgress()
    compute_on(threads)
    prepared = prepare_faces(
        data,
        wanted,
        cropped=cropped,
        size=size,
        seed=seed,
        held_out=held_out,
        validate=validate,
        progress=progress,
        people=people,
        to=to,
    )
    learners, unseen = prepared.train, prepared.validation
    say(
        f"{learners.people:,} people, {len(learners.faces):,} faces, {len(learners.pairs):,} pairs; "
        + (f"validated on {unseen.people} others" if unseen else "nobody to validate on")
    )
    for group in prepared.vocabulary.groups:
        say(f"{group.name}: {', '.join(group.values)}")
    if preset is None and learners.people < FEW_PEOPLE:
        chosen = adapt(recipe("small"))
        say(
            f"preset small, since a batch of {learners.people} people is soon told apart: telling them apart "
            "counts ten times as much; --preset default treats them as many"
        )
    if chosen.augmentation is not None and chosen.augmentation.mirror:
        say(_mirrored(prepared))
    start = load_checkpoint(start_from) if start_from else None
    run_to_the_end(
        partial(run, prepared, chosen, out=out, budget=budget, seed=seed, start=start),
        Options(save_every, precision, threads, progress, report),
        out,
    )


def _mirrored(data: TrainingData) -> str:
    """Say what a mirrored picture is taken for, as far as the words do not say so."""
    from generator.training import mirrored_places

    places, usual = mirrored_places(data.train, data.vocabulary), data.vocabulary.mirrored
    if places is None or usual is None:
        return "no picture is mirrored: some would then show what no value stands for"
    words = [value for group in data.vocabulary.groups for value in group.values]
    found = [(one, other) for one, other in enumerate(places.tolist()) if one < other != usual[one]]
    swapped = ", ".join(f"{words[one]} and {words[other]}" for one, other in found)
    return "half of the pictures are mirrored" + (
        f", which swaps {swapped} by their looks" if swapped else ""
    )
