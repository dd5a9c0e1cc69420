"""`anotheryou data import`: sets that you hold, as labelled folders of ready crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import RichProgress, say
from cli.options import DetectorOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from facedata.readers.common import Finder, Plan
    from faces.types import Photo

_TOLD = 10  # lines about what is missing or left out before they are only counted

app = typer.Typer(help="Make a labelled folder from a set of faces that you hold.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(metavar="SRC", help="The folder of the set, as unpacked.")]
Out = Annotated[Path, typer.Argument(metavar="DST", help="Folder to write the labelled set to.")]
Size = Annotated[int, typer.Option(min=16, max=256, help="Side of a crop in pixels.")]
Large = Annotated[
    bool, typer.Option("--large/--no-large", help="Keep larger pictures too, for networks of others.")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Import what is there, although the set is not complete.")
]


@app.command()
def multipie(
    source: Source,
    out: Out,
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .pos or _lm.mat files; without, faces are looked for."),
    ] = None,
    size: Size = 32,
    large: Large = True,
    partial: Partial = False,
    detector: DetectorOption = None,
) -> None:
    """CMU Multi-PIE, session 1: seven poses under 20 lights.

    Takes the neutral pictures of the cameras from -45 to +45 degrees; the first 100 people get split train,
    the other 149 test. With annotations the faces are aligned by eyes and chin, as in the paper.

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped.

    Example: anotheryou data import multipie Multi-Pie/data sets/multipie --annotations multipie-annotations
    """
    from facedata.readers.multipie import annotated_multipie, plan_multipie

    plan = plan_multipie(source, progress=RichProgress())
    if annotations is None:
        find, aligned = _detected(detector, plan)
    else:
        find, aligned = annotated_multipie(annotations, progress=RichProgress()), "annotations"
    settings = {"kind": "multipie", "size": size, "large": large, "aligned": aligned}
    _import("Multi-PIE", source, out, plan, find, partial, settings)


@app.command()
def caspeal(source: Source, out: Out, size: Size = 32, large: Large = True, partial: Partial = False) -> None:
    """CAS-PEAL-R1: frontal faces without and with three hats and three pairs of glasses.

    The faces are aligned by the eyes that come with the set. The first 350 people get split train, the other
    88 test.

    Example: anotheryou data import caspeal CAS-PEAL-R1 sets/caspeal
    """
    from facedata.readers.caspeal import annotated_eyes, plan_caspeal

    plan = plan_caspeal(source, progress=RichProgress())
    settings = {"kind": "caspeal", "size": size, "large": large}
    _import("CAS-PEAL-R1", source, out, plan, annotated_eyes, partial, settings)


@app.command()
def pie(source: Source, out: Out, size: Size = 32, partial: Partial = False) -> None:
    """CMU PIE: the crops of five poses in Deng Cai's MATLAB files.

    The crops stay as they are. The first 34 people get split train, the other 34 test.

    Example: anotheryou data import pie PIE sets/pie
    """
    from facedata.readers.common import annotated_landmarks
    from facedata.readers.pie import plan_pie

    plan = plan_pie(source, progress=RichProgress())
    _import("CMU PIE", source, out, plan, annotated_landmarks, partial, {"kind": "pie", "size": size})


@app.command()
def yaleb(
    source: Source,
    out: Out,
    size: Size = 32,
    large: Large = True,
    partial: Partial = False,
    detector: DetectorOption = None,
) -> None:
    """Extended Yale B: nine poses under 64 lights.

    Faces are looked for in the well lit picture of each pose. The first half of the people gets split
    train, the rest test.

    Example: anotheryou data import yaleb ExtendedYaleB sets/yaleb
    """
    from facedata.readers.yaleb import plan_yaleb

    plan = plan_yaleb(source, progress=RichProgress())
    find, aligned = _detected(detector, plan)
    settings = {"kind": "yaleb", "size": size, "large": large, "aligned": aligned}
    _import("Extended Yale B", source, out, plan, find, partial, settings)


@app.command()
def celeba(
    source: Source,
    out: Out,
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What becomes an accessory; may be repeated.", show_default=False),
    ] = None,
    size: Size = 32,
    large: Large = True,
    partial: Partial = False,
) -> None:
    """CelebA: photographs of celebrities, with and without glasses and hats.

    Attributes become accessories, Eyeglasses and Wearing_Hat unless others are named; faces with several of
    them are left out. The splits are CelebA's own.

    Example: anotheryou data import celeba CelebA sets/celeba --attribute Eyeglasses
    """
    from facedata.readers.celeba import ATTRIBUTES, plan_celeba
    from facedata.readers.common import annotated_landmarks

    chosen = tuple(attribute or ATTRIBUTES)
    plan = plan_celeba(source, attributes=chosen, progress=RichProgress())
    settings = {"kind": "celeba", "size": size, "large": large, "attributes": chosen}
    _import("CelebA", source, out, plan, annotated_landmarks, partial, settings)


@app.command()
def ar(
    source: Source,
    out: Out,
    expressions: Annotated[
        bool, typer.Option("--expressions", help="Take smile, anger and scream too, as accessories.")
    ] = False,
    size: Size = 32,
    large: Large = True,
    partial: Partial = False,
    detector: DetectorOption = None,
) -> None:
    """The AR face database: sunglasses and scarves under several lights.

    Faces are looked for on each picture. The first half of the people gets split train, the rest test.

    Example: anotheryou data import ar AR sets/ar
    """
    from facedata.readers.ar import open_ar, plan_ar

    plan = plan_ar(source, expressions=expressions, progress=RichProgress())
    find, aligned = _detected(detector, plan)
    settings = {"kind": "ar", "size": size, "large": large, "aligned": aligned, "expressions": expressions}
    _import("AR", source, out, plan, find, partial, settings, open_ar)


def _detected(detector: Path | None, plan: Plan) -> tuple[Finder, str]:
    """Look for faces with a detector, in the best lit picture of each group; also returns its name."""
    from facedata.readers.common import detected_landmarks
    from faces.detect import open_detector

    opened = open_detector(detector)
    return detected_landmarks(opened, plan.tried), opened.name


def _import(
    name: str,
    source: Path,
    out: Path,
    plan: Plan,
    find: Finder,
    partial: bool,
    settings: dict[str, Any],
    opened: Callable[[Path], Photo] | None = None,
) -> None:
    """Say what is missing, import the rest if that is wished, and say what came of it."""
    from facedata.readers.writing import LEFT_OUT_FILE, face_cutter, import_faces
    from faces.photo import read_photo

    if out.resolve().is_relative_to(source.resolve()):
        raise typer.BadParameter("it lies within SRC; choose a folder outside.", param_hint="DST")
    for note in plan.notes:
        say(note)
    if not partial:
        plan.require_all(name)
    for sentence in plan.missing[:_TOLD]:
        say(f"missing: {sentence}")
    if len(plan.missing) > _TOLD:
        say(f"and {len(plan.missing) - _TOLD:,} more is missing")
    cut = face_cutter(
        find, size=settings["size"], large=settings.get("large", False), opened=opened or read_photo
    )
    done = import_faces(plan, out, cut, settings, progress=RichProgress())
    for path, reason in done.left_out[:_TOLD]:
        say(f"left out: {path}: {reason}")
    if len(done.left_out) > _TOLD:
        say(f"{len(done.left_out):,} pictures are left out in all; {out / LEFT_OUT_FILE} names them")
    typer.echo(f"{out}: {done.pictures:,} pictures of {done.people:,} people.")
