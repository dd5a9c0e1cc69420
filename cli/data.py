"""`anotheryou data`: sets of faces to learn from and to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.console import RichProgress
from cli.imports import app as imports
from cli.options import ForceOption, refuse_existing

if TYPE_CHECKING:
    from facedata.rendered.sets import Recipe

app = typer.Typer(help="Make sets of faces to learn from and to measure with.", no_args_is_help=True)
render = typer.Typer(help="Render a set of faces from the morphable head.", no_args_is_help=True)
app.add_typer(render, name="render")
app.add_typer(imports, name="import")

HeadModel = Annotated[
    Path, typer.Option(help="ICT-FaceKit: the packed ict_facekit.npz or its published folder.")
]
Out = Annotated[Path, typer.Option(help="Folder to write the labelled set to.")]
People = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")]
First = Annotated[int, typer.Option(min=0, max=1_000_000, help="Number of the first person.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed gives other people.")]
Size = Annotated[int, typer.Option(min=16, max=256, help="Side of a crop in pixels.")]
HowVaried = Annotated[
    Literal["none", "full"], typer.Option(help="none: the paper's protocol; full: as photographs differ.")
]
Train = Annotated[int, typer.Option(min=0, help="People below this number get split train.")]
Large = Annotated[
    bool, typer.Option("--large", help="Also a larger picture of every face, for networks of others.")
]
Workers = Annotated[int | None, typer.Option(min=1, max=1024, help="Processes; all cores unless told.")]


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="A labelled folder.")],
    out: Annotated[Path, typer.Option(help="The .zip to write.")],
    people: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Only these people; all unless told.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Pack a labelled folder, or some of its people, into one .zip.

    Every command that takes a labelled folder also takes such a .zip.

    Example: anotheryou data pack sets/rotation --people 100-123 --out mini.zip
    """
    from facedata.packing import pack_labelled, parse_people

    refuse_existing(out, force)
    chosen = None if people is None else parse_people(people)
    count = pack_labelled(folder, out, people=chosen, progress=RichProgress())
    typer.echo(f"{out}: {count:,} pictures, {out.stat().st_size / 1e6:.1f} MB.")


@render.command()
def rotation(
    head_model: HeadModel,
    out: Out,
    people: People = 249,
    first: First = 0,
    seed: Seed = 0,
    size: Size = 32,
    lights: Annotated[
        int, typer.Option(min=1, max=1000, help="Lights of each person; 20 are the paper's.")
    ] = 20,
    variety: HowVaried = "none",
    train: Train = 100,
    large: Large = False,
    workers: Workers = None,
) -> None:
    """Render people in seven poses under each of several lights.

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped, and with --large adds larger
    pictures to a set that was rendered without. With full variety each person's folder has clean/ beside the
    photographs: what a training asks to be drawn in their place.

    Example: anotheryou data render rotation --head-model ict_facekit.npz --out sets/rotation
    """
    from facedata.rendered.photograph import VARIETIES
    from facedata.rendered.recipes import RotationRecipe
    from faces.crop import CropGeometry

    recipe = RotationRecipe(seed, CropGeometry(size=size), lights, VARIETIES[variety])
    _render(recipe, out, head_model, people=people, first=first, train=train, large=large, workers=workers)


@render.command()
def accessories(
    head_model: HeadModel,
    out: Out,
    people: People = 438,
    first: First = 0,
    seed: Seed = 0,
    size: Size = 32,
    lights: Annotated[
        int, typer.Option(min=1, max=20, help="Lights of each person, chosen spread over the rig's 20.")
    ] = 5,
    variety: HowVaried = "none",
    train: Train = 350,
    large: Large = False,
    workers: Workers = None,
) -> None:
    """Render people bare, in three hats and in three pairs of glasses, under each of several lights.

    hat-1 is a peaked cap, hat-2 has a brim, hat-3 is knitted; glasses-1 are of round wire, glasses-2 thick
    and square, glasses-3 dark. The five lights are no flash (00), one from the left (04), from the right
    (10) and from above (16), and all flashes (19).

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped, and with --large adds larger
    pictures to a set that was rendered without. With full variety there is clean/ as in a rotation set, and
    heads are turned by any angle, so that no pose is labelled.

    Example: anotheryou data render accessories --head-model ict_facekit.npz --out sets/accessories
    """
    from facedata.rendered.photograph import VARIETIES
    from facedata.rendered.recipes import AccessoryRecipe
    from faces.crop import CropGeometry

    recipe = AccessoryRecipe(seed, CropGeometry(size=size), lights, VARIETIES[variety])
    _render(recipe, out, head_model, people=people, first=first, train=train, large=large, workers=workers)


@render.command()
def wishes(
    head_model: HeadModel,
    out: Out,
    people: People = 2000,
    first: First = 0,
    seed: Seed = 0,
    size: Size = 32,
    scenes: Annotated[int, typer.Option(min=1, max=100, help="Scenes of each person.")] = 2,
    variety: HowVaried = "full",
    train: Train = 2000,
    large: Large = False,
    workers: Workers = None,
) -> None:
    """Render people who differ in all that can be wished for: pose, tilt, accessory, light, expression.

    A scene has twelve photographs of one person, who has the same hair and stands before the same camera;
    they differ in one or several of the attributes. With full variety each person's folder has clean/ beside
    the photographs: what a training asks to be drawn in their place.

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped, and with --large adds larger
    pictures to a set that was rendered without.

    Example: anotheryou data render wishes --head-model ict_facekit.npz --out sets/wishes
    """
    from facedata.rendered.photograph import Variety
    from facedata.rendered.wishes import VARIETY, WishesRecipe
    from faces.crop import CropGeometry

    chosen = VARIETY if variety == "full" else Variety()
    recipe = WishesRecipe(seed, CropGeometry(size=size), scenes, chosen)
    _render(recipe, out, head_model, people=people, first=first, train=train, large=large, workers=workers)


@render.command()
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
    from facedata.completion import make_completion_set

    count = make_completion_set(source, out, seed=seed, progress=RichProgress())
    typer.echo(f"{out}: {count:,} pictures, half of them with a bar.")


def _render(recipe: Recipe, out: Path, head_model: Path, **more: Any) -> None:
    """Render people of a set and say what it holds then."""
    from facedata.rendered.sets import render_set

    count = render_set(out, recipe, head_model, progress=RichProgress(), **more)
    typer.echo(f"{out}: {count:,} pictures of {count // len(recipe.rows('')):,} people.")
