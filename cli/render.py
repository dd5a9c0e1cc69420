"""`anotheryou data render`: sets of rendered faces."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Render a set of faces from the morphable head.", no_args_is_help=True)


class VarietyChoice(StrEnum):
    """How much rendered pictures differ beyond what is labelled."""

    none = "none"
    full = "full"


@app.command()
def rotation(
    head_model: Annotated[
        Path, typer.Option(help="ICT-FaceKit: the packed ict_facekit.npz or its published folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the labelled set to.")],
    people: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")] = 249,
    first: Annotated[int, typer.Option(min=0, max=1_000_000, help="Number of the first person.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other people.")] = 0,
    size: Annotated[int, typer.Option(min=16, max=256, help="Side of a crop in pixels.")] = 32,
    lights: Annotated[
        int, typer.Option(min=1, max=1000, help="Lights of each person; 20 are the paper's.")
    ] = 20,
    variety: Annotated[
        VarietyChoice, typer.Option(help="none: the paper's protocol; full: as photographs differ.")
    ] = VarietyChoice.none,
    train: Annotated[int, typer.Option(min=0, help="People below this number get split train.")] = 100,
    large: Annotated[
        bool,
        typer.Option("--large", help="Also a larger picture of every face, for networks of others."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; all cores unless told.")
    ] = None,
) -> None:
    """Render people in seven poses under each of several lights.

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped, and with --large adds larger
    pictures to a set that was rendered without.

    Example: anotheryou data render rotation --head-model ict_facekit.npz --out sets/rotation
    """
    from cli.console import RichProgress
    from facedata.rendered.photograph import VARIETIES
    from facedata.rendered.rotation import YAWS, RotationRecipe
    from facedata.rendered.sets import render_set
    from faces.crop import CropGeometry

    recipe = RotationRecipe(
        seed=seed, geometry=CropGeometry(size=size), lights=lights, variety=VARIETIES[variety.value]
    )
    count = render_set(
        out,
        recipe,
        head_model,
        people=people,
        first=first,
        train=train,
        large=large,
        workers=workers,
        progress=RichProgress(),
    )
    typer.echo(f"{out}: {count:,} pictures of {count // (len(YAWS) * lights):,} people.")


@app.command()
def completion(
    source: Annotated[
        Path, typer.Argument(metavar="SET", help="A labelled folder of ready crops, or a .zip of one.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the labelled set to.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed places the bars otherwise.")] = 0,
) -> None:
    """Put a black bar over the eyes of the faces of another set.

    The new set has each face twice: as it is (accessory none) and with the bar (accessory bar). Stops cleanly
    at Ctrl-C; the same command again goes on where it stopped.

    Example: anotheryou data render completion sets/rotation --out sets/completion
    """
    from cli.console import RichProgress
    from facedata.completion import make_completion_set

    count = make_completion_set(source, out, seed=seed, progress=RichProgress())
    typer.echo(f"{out}: {count:,} pictures, half of them with a bar.")
