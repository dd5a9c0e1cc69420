"""``anotheryou train``, ``train-cpi`` and ``train-rivals``: from labelled faces to what is learned."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cli.guard import INTERRUPTED, asked_to_stop
from cli.options import AttributeName

if TYPE_CHECKING:
    from facedata.labelled import Attribute, FaceSet
    from faces.progress import Progress
    from generator.training import Entry, Options, TrainingData

_ATTRIBUTES = ("pose", "light", "accessory", "tilt", "expression")  # as facedata.labelled, without loading it
_Out = Annotated[Path, typer.Option(help="Folder for the weights; the same command again goes on in it.")]
_Validate = Annotated[
    Path | None, typer.Option(help="Labelled folder or .zip to validate on, so that nobody is held out.")
]
_Cropped = Annotated[
    bool, typer.Option("--cropped", help="The pictures are ready crops; otherwise faces are detected.")
]
_Size = Annotated[int, typer.Option(help="Side of the crops in pixels.")]
_Seed = Annotated[int, typer.Option(help="Seed of everything drawn at random.")]
_Threads = Annotated[int, typer.Option(help="Threads that compute; 0: one per core.")]
_SaveEvery = Annotated[
    float, typer.Option(min=0, help="Minutes between two states on disk; a kill loses no more than that.")
]


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled folders or .zip files of one; several are joined, their people kept apart."
        ),
    ],
    out: _Out,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What shall be changed, of {', '.join(_ATTRIBUTES)}; may be repeated. all: whatever the "
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
    held_out: Annotated[
        int | None,
        typer.Option(
            help="People kept from training to validate on, drawn by the seed. Otherwise those of split val "
            "or, if there are none, one in twenty."
        ),
    ] = None,
    validate: _Validate = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of trained weights to learn on from, instead of random ones; they may have "
            "learned another attribute."
        ),
    ] = None,
    cropped: _Cropped = False,
    size: _Size = 32,
    seed: _Seed = 0,
    threads: _Threads = 0,
    save_every: _SaveEvery = 2.0,
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
    from generator.training import (
        FEW_PEOPLE,
        Budget,
        Options,
        adjusted,
        join_sets,
        prepare,
        recipe,
        restrict_people,
        varying,
    )
    from generator.training import train as run

    wanted = _attributes(attribute or ["pose"])
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
    budget = Budget(pairs=pairs, minutes=60.0 if minutes is None and pairs is None else minutes)
    budget.check()
    progress = RichProgress()
    _compute_on(threads)
    faces = join_sets([_read(path, cropped, size, progress) for path in data])
    if people is not None:
        faces = restrict_people(faces, *_range(people))
    prepared = prepare(
        faces,
        attribute=wanted or varying(faces),
        to=to,
        seed=seed,
        held_out=held_out,
        validation=_read(validate, cropped, size, progress) if validate else None,
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
            f"preset small, since a network learns {learners.people} people by heart: they are told apart "
            "less and learned more slowly; --preset default treats them as many"
        )
    if chosen.augmentation is not None and chosen.augmentation.mirror:
        say(_mirrored(prepared))
    start = load_checkpoint(start_from) if start_from else None
    _run(
        partial(run, prepared, chosen, out=out, budget=budget, seed=seed, start=start),
        Options(save_every, precision, threads, progress, _report),
        out,
    )


def train_classifier(
    data: Annotated[list[Path], typer.Argument(help="Labelled folders or .zip files of one.")],
    out: _Out,
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
    held_out: Annotated[
        int | None, typer.Option(help="People kept from training to validate on, drawn by the seed.")
    ] = None,
    validate: _Validate = None,
    cropped: _Cropped = False,
    size: _Size = 32,
    seed: _Seed = 0,
    threads: _Threads = 0,
    save_every: _SaveEvery = 2.0,
) -> None:
    """Train a classifier of what faces show, which is kept beside weights for many attributes.

    Without one, canonicalising draws every value of every attribute; with one a look is enough. Copy
    classifier.safetensors from the folder into that of weights with the same attributes and values.

    Example: anotheryou train-classifier sets/wishes --cropped --minutes 30 --out classifier
    """
    from cli.console import RichProgress, say
    from generator.training import Budget, Options, adjusted, join_sets, prepare, varying
    from generator.training.classifying import classifier_recipe
    from generator.training.classifying import train_classifier as run

    budget = Budget(pairs=pictures, minutes=30.0 if minutes is None and pictures is None else minutes)
    budget.check()
    progress = RichProgress()
    _compute_on(threads)
    faces = join_sets([_read(path, cropped, size, progress) for path in data])
    prepared = prepare(
        faces,
        attribute=_attributes(attribute or ["all"]) or varying(faces),
        seed=seed,
        held_out=held_out,
        validation=_read(validate, cropped, size, progress) if validate else None,
    )
    say(f"{len(prepared.train.faces):,} faces of {prepared.train.people:,} people")
    _run(
        partial(
            run, prepared, adjusted(classifier_recipe(), augment=augment), out=out, budget=budget, seed=seed
        ),
        Options(save_every, "float32", threads, progress, _report),
        out,
    )


def train_cpi(
    data: Annotated[Path, typer.Argument(help="Labelled folder or .zip of one, with poses and lights.")],
    out: _Out,
    minutes: Annotated[float, typer.Option(help="Length of the training in minutes.")] = 45.0,
    light: Annotated[
        str,
        typer.Option(
            help="Light of the drawings: the word of one, as published (07 is the frontal flash), or same."
        ),
    ] = "07",
    validate: _Validate = None,
    redrawn: Annotated[
        float | None, typer.Option(help="Share of examples that are turned on from a drawing.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate, instead of the recipe's.")
    ] = None,
    cropped: _Cropped = False,
    size: _Size = 32,
    seed: _Seed = 0,
    threads: _Threads = 0,
    save_every: _SaveEvery = 2.0,
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
    _compute_on(threads)
    prepared = prepare(
        _read(data, cropped, size, progress),
        attribute="pose",
        seed=seed,
        validation=_read(validate, cropped, size, progress) if validate else None,
    )
    say(f"{prepared.train.people:,} people, {len(prepared.train.faces):,} faces")
    _run(
        partial(run, prepared, settings, out=out, budget=Budget(minutes=minutes), seed=seed),
        Options(save_every, progress=progress, report=_report),
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
    cropped: _Cropped = False,
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


def _attributes(words: list[str]) -> list[Attribute]:
    """Return the attributes that are named, none for ``all``."""
    for word in words:
        if word not in (*_ATTRIBUTES, "all"):
            known = ", ".join(_ATTRIBUTES)
            raise typer.BadParameter(f"{word!r} is not one of {known} and all.", param_hint="--attribute")
    return [] if "all" in words else cast("list[Attribute]", words)


def _range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise typer.BadParameter(f"{text!r} is no range such as 0-99.", param_hint="--people")
    return int(match[1]), int(match[2])


def _compute_on(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)


def _read(path: Path, cropped: bool, size: int, progress: Progress) -> FaceSet:
    from cli.console import say
    from facedata.labelled import read_labelled
    from faces.crop import CropGeometry

    faces = read_labelled(path, cropped=cropped, geometry=CropGeometry(size=size), progress=progress)
    if faces.left_out:
        say(f"{path}: no face was found on {faces.left_out} pictures; they are left out")
    return faces


def _run(train: Callable[..., bool], options: Options, out: Path) -> None:
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


def _report(entry: Entry) -> None:
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
        *((f"{name}_accuracy", name) for name in _ATTRIBUTES),
    ):
        if key in entry.validation:
            parts.append(f"{title} {100 * entry.validation[key]:.1f} %")
    say(", ".join(parts))
