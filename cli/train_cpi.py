"""``anotheryou train-cpi``: the rival network of the tables, trained on the same faces as ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from generator.training import Entry


def train_cpi(
    data: Annotated[Path, typer.Argument(help="Labelled folder or .zip of one, with poses and lights.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights; the same command again goes on in it.")],
    minutes: Annotated[float, typer.Option(help="Length of the training in minutes.")] = 45.0,
    light: Annotated[
        str,
        typer.Option(
            help="Light of the drawings: the word of one, as published (07 is the frontal flash), or same."
        ),
    ] = "07",
    validate: Annotated[
        Path | None, typer.Option(help="Labelled folder or .zip to validate on, so that nobody is held out.")
    ] = None,
    redrawn: Annotated[
        float | None, typer.Option(help="Share of examples that are turned on from a drawing.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate, instead of the recipe's.")] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops; otherwise faces are detected.")
    ] = False,
    size: Annotated[int, typer.Option(help="Side of the crops in pixels.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn at random.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads that compute; 0: one per core.")] = 0,
    save_every: Annotated[
        float, typer.Option(min=0, help="Minutes between two states on disk; a kill loses no more than that.")
    ] = 2.0,
) -> None:
    """Train CPI, the rival of the tables (Yim et al. 2015), on labelled faces.

    A killed or interrupted training goes on where it stood when the same command is given again.
    The folder then holds weights for the row cpi of the benchmark.
    People of split test are never looked at.

    Example:

        anotheryou train-cpi faces --cropped --minutes 45 --out my-cpi
    """
    from dataclasses import replace

    from baselines.cpi.network import CPIArchitecture
    from baselines.cpi.settings import CPISettings
    from baselines.cpi.training import Training
    from baselines.cpi.training import train_cpi as run
    from cli.console import RichProgress, say
    from cli.stopping import stop_on_signal, tell_end
    from facedata.labelled import read_labelled
    from faces.crop import CropGeometry
    from generator.training import Budget, prepare

    if threads:
        import torch

        torch.set_num_threads(threads)
    geometry = CropGeometry(size=size)
    progress = RichProgress()
    settings = CPISettings(light=light)
    if redrawn is not None:
        settings = replace(settings, redrawn=redrawn)
    if rate is not None:
        settings = replace(settings, recipe=replace(settings.recipe, rate=rate))
    faces = read_labelled(data, cropped=cropped, geometry=geometry, progress=progress)
    others = (
        read_labelled(validate, cropped=cropped, geometry=geometry, progress=progress) if validate else None
    )
    prepared = prepare(faces, attribute="pose", seed=seed, validation=others)
    poses = len(prepared.vocabulary.combinations)
    training = Training(
        data=prepared,
        settings=settings,
        architecture=CPIArchitecture(size=size, poses=poses),
        budget=Budget(minutes=minutes),
        seed=seed,
        geometry=geometry,
    )
    say(f"{prepared.train.pairs.people:,} people, {len(prepared.train.faces):,} faces")
    with stop_on_signal() as stopped:
        finished = run(
            training,
            out=out,
            state_minutes=save_every,
            progress=progress,
            report=lambda entry: say(_line(entry)),
            stop=stopped.is_set,
        )
    tell_end(finished, out)


def _line(entry: Entry) -> str:
    """One line of history for people to read; errors are squared grey levels."""
    parts = [
        f"{100 * entry.fraction:.0f} %",
        f"{entry.pairs:,} examples",
        f"{entry.pairs_per_second:.0f} examples/s",
    ]
    for title, figures in (("training", entry.train), ("unseen people", entry.validation)):
        if figures:
            parts.append(
                f"{title}: error {figures['error']:.1f}, made anew {figures['auxiliary']:.1f}, "
                f"pose told {100 * figures['pose_right']:.1f} %"
            )
    return ", ".join(parts)
