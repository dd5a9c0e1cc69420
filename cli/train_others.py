"""``anotheryou train-classifier``, ``train-flow``, ``train-cpi`` and ``train-rivals``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AttributeName
from cli.training import (
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
    read_faces,
    report,
    run_to_the_end,
)


def train_classifier(
    data: Annotated[list[Path], typer.Argument(help="Labelled folders or .zip files of one.")],
    out: Out,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What shall be told; may be repeated. All that varies unless told."
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the training in minutes (30).")] = None,
    pictures: Annotated[int | None, typer.Option(help="Length of the training in pictures instead.")] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="How pictures are altered: none, mirror, full or photographs, which is the default."
        ),
    ] = None,
    held_out: HeldOut = None,
    validate: Validate = None,
    cropped: Cropped = False,
    size: Size = 32,
    seed: Seed = 0,
    threads: Threads = 0,
    save_every: SaveEvery = 2.0,
) -> None:
    """Train a classifier of what faces show, which stands before whichever networks draw.

    Without one, canonicalising draws every value of every attribute; with one a look is enough. The option
    --classifier of index, reindex and benchmark takes the folder.

    Example: anotheryou train-classifier sets/wishes --cropped --minutes 30 --out classifier
    """
    from cli.console import RichProgress, say
    from generator.training import Options, adjusted
    from generator.training.classifying import classifier_recipe
    from generator.training.classifying import train_classifier as run

    budget = budget_of(minutes, pictures, usual=30.0)
    progress = RichProgress()
    compute_on(threads)
    prepared = prepare_faces(
        data,
        attributes_of(attribute or ["all"]),
        cropped=cropped,
        size=size,
        seed=seed,
        held_out=held_out,
        validate=validate,
        progress=progress,
    )
    say(f"{len(prepared.train.faces):,} faces of {prepared.train.people:,} people")
    run_to_the_end(
        partial(
            run, prepared, adjusted(classifier_recipe(), augment=augment), out=out, budget=budget, seed=seed
        ),
        Options(save_every, "float32", threads, progress, report),
        out,
    )


def train_flow(
    data: Annotated[list[Path], typer.Argument(help="Labelled folders or .zip files of one.")],
    out: Out,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Weights whose drawings it learns from; may be repeated. Otherwise rotation-32 and "
            "accessories-32.",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the training in minutes (30).")] = None,
    pairs: Annotated[int | None, typer.Option(help="Length of the training in pairs instead.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Name or folder of a trained flow to learn on from.")
    ] = None,
    held_out: HeldOut = None,
    validate: Validate = None,
    cropped: Cropped = False,
    size: Annotated[int, typer.Option(help="Side of the crops: twice that of a drawing.")] = 64,
    seed: Seed = 0,
    threads: Threads = 0,
    save_every: SaveEvery = 2.0,
) -> None:
    """Train an appearance flow, which puts a photograph's own detail into its drawings.

    It learns from faces with clean versions (`data render --variety full --size 64`). Turned heads should be
    learned first: accessories, with which little moves, hold them up.

    Example:

        anotheryou train-flow sets/turned-64 --weights rotation-32 --cropped --minutes 14 --out first
        anotheryou train-flow sets/turned-64 sets/dressed-64 --start-from first --cropped --out flow
    """
    from cli.console import RichProgress, say
    from generator.appearance_flow import load_flow
    from generator.available import PREFERRED
    from generator.checkpoint import load_generator
    from generator.training import Options
    from generator.training.appearance_flow import train_flow as run

    budget = budget_of(minutes, pairs, usual=30.0)
    progress = RichProgress()
    compute_on(threads)
    prepared = prepare_faces(
        data,
        [],
        cropped=cropped,
        size=size,
        seed=seed,
        held_out=held_out,
        validate=validate,
        progress=progress,
    )
    generators = [load_generator(name) for name in weights or PREFERRED]
    say(f"{len(prepared.train.faces):,} faces of {prepared.train.people:,} people")
    run_to_the_end(
        partial(
            run,
            prepared,
            generators,
            out=out,
            budget=budget,
            seed=seed,
            start=load_flow(start_from) if start_from else None,
        ),
        Options(save_every, "float32", threads, progress, report),
        out,
    )


def train_cpi(
    data: Annotated[Path, typer.Argument(help="Labelled folder or .zip of one, with poses and lights.")],
    out: Out,
    minutes: Annotated[float, typer.Option(help="Length of the training in minutes.")] = 45.0,
    light: Annotated[
        str,
        typer.Option(
            help="Light of the drawings: the word of one, as published (07 is the frontal flash), or same."
        ),
    ] = "07",
    validate: Validate = None,
    redrawn: Annotated[
        float | None, typer.Option(help="Share of examples that are turned on from a drawing.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate, instead of the recipe's.")
    ] = None,
    cropped: Cropped = False,
    size: Size = 32,
    seed: Seed = 0,
    threads: Threads = 0,
    save_every: SaveEvery = 2.0,
) -> None:
    """Train CPI, the rival of the tables (Yim et al. 2015), on labelled faces.

    A killed or interrupted training goes on from its last state if the same command is given again.
    The folder then holds weights for the row cpi of the benchmark.
    People of split test are never looked at.

    Example:

        anotheryou train-cpi faces --cropped --minutes 45 --out my-cpi
    """
    from baselines.cpi.training import CPISettings
    from baselines.cpi.training import train_cpi as run
    from cli.console import RichProgress, say
    from generator.training import Budget, Options, adjusted, prepare

    settings = CPISettings(light=light)
    settings = replace(settings, recipe=adjusted(settings.recipe, learning_rate=learning_rate))
    if redrawn is not None:
        settings = replace(settings, redrawn=redrawn)
    progress = RichProgress()
    compute_on(threads)
    prepared = prepare(
        read_faces(data, cropped, size, progress),
        attribute="pose",
        seed=seed,
        validation=read_faces(validate, cropped, size, progress) if validate else None,
    )
    say(f"{prepared.train.people:,} people, {len(prepared.train.faces):,} faces")
    run_to_the_end(
        partial(run, prepared, settings, out=out, budget=Budget(minutes=minutes), seed=seed),
        Options(save_every, progress=progress, report=report),
        out,
    )


def train_rivals(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Labelled folder or .zip of one; nobody of split test is looked at."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for what was learned.")],
    attribute: Annotated[AttributeName, typer.Option(help="What the rivals shall tell apart.")] = "pose",
    weights: Annotated[
        str,
        typer.Option(
            "--weights", metavar="NAME|DIR", help="Weights whose features are tried beside the others."
        ),
    ] = "rotation-32-protocol",
    validate: Annotated[
        Path | None,
        typer.Option(
            help="Labelled folder or .zip of other people to choose the best classifier by. They should be "
            "unknown to the weights as well, whose features tell more of the people they learned from."
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(min=1, help="Training people kept aside to choose by, if no others are named.")
    ] = 20,
    cropped: Cropped = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything drawn at random.")] = 0,
) -> None:
    """Fit the rivals that `benchmark` compares with: a classifier, and means for feature arithmetic.

    Two-step retrieval filters the gallery by a classifier of the pose (or the accessory). Every kind of
    classifier is tried on every kind of feature, and the best on people it has not seen is kept. Feature
    arithmetic takes the mean features of each value. Faces are described by their pixels, by the features of
    the weights and, if the set keeps larger pictures, by dlib's 128 numbers.

    Example:

        anotheryou train-rivals sets/rotation --validate sets/other --cropped --out my-rivals
        anotheryou benchmark sets/rotation --cropped --rivals my-rivals --out results
    """
    from baselines.network_features import open_features
    from baselines.rivals import fit_rivals, people_to_learn_from, save_rivals, split_people
    from cli.console import RichProgress, print_table, say
    from evaluation.ours import CanonicalFeatures
    from evaluation.studio import Studio
    from facedata.labelled import read_labelled
    from faces.errors import DataError
    from generator.checkpoint import load_generator

    progress = RichProgress()
    generator = load_generator(weights)
    faces = read_labelled(data, cropped=cropped, geometry=generator.geometry, progress=progress)
    learners = people_to_learn_from(faces)
    if validate is not None:
        validation = read_labelled(validate, cropped=cropped, geometry=generator.geometry, progress=progress)
    else:
        learners, validation = split_people(learners, held_out=held_out, seed=seed)
    ours = CanonicalFeatures(studio=Studio(generator, progress=progress))
    rivals = fit_rivals(
        learners,
        validation,
        attribute=attribute,
        features=(open_features("image"), ours, open_features("dlib-128")),
        weights=(generator.name, generator.weights_id),
        seed=seed,
        progress=progress,
    )
    try:
        save_rivals(out, rivals)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}).") from None
    rows = [(one.feature, one.model, f"{one.accuracy:.2f}") for one in rivals.candidates]
    title = f"{attribute} told rightly, %"
    print_table(("features", "classifier", title), rows, right=(title,))
    say(f"the best one is kept in {out}")
