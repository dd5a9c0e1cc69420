"""`anotheryou data import`: sets that you hold, as labelled folders of ready crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DetectorOption

if TYPE_CHECKING:
    from facedata.readers.common import Entry, Plan
    from facedata.readers.writing import Face, Finder, Opener

_TOLD = 10  # lines about what is missing or left out before they are only counted

app = typer.Typer(help="Make a labelled folder from a set of faces that you hold.", no_args_is_help=True)

SourceArgument = Annotated[Path, typer.Argument(metavar="SRC", help="The folder of the set, as unpacked.")]
OutArgument = Annotated[Path, typer.Argument(metavar="DST", help="Folder to write the labelled set to.")]
SizeOption = Annotated[int, typer.Option(min=16, max=256, help="Side of a crop in pixels.")]
LargeOption = Annotated[
    bool, typer.Option("--large/--no-large", help="Keep larger pictures too, for networks of others.")
]
PartialOption = Annotated[
    bool, typer.Option("--partial", help="Import what is there, although the set is not complete.")
]


@app.command()
def multipie(
    source: SourceArgument,
    out: OutArgument,
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .pos or _lm.mat files; without, faces are looked for."),
    ] = None,
    size: SizeOption = 32,
    large: LargeOption = True,
    partial: PartialOption = False,
    detector: DetectorOption = None,
) -> None:
    """CMU Multi-PIE, session 1: seven poses under 20 lights.

    Takes the neutral pictures of the cameras from -45 to +45 degrees; the first 100 people get split train,
    the other 149 test. With annotations the faces are aligned by eyes and chin, as in the paper.

    Stops cleanly at Ctrl-C; the same command again goes on where it stopped.

    Example: anotheryou data import multipie Multi-Pie/data sets/multipie --annotations multipie-annotations
    """
    from cli.console import RichProgress
    from facedata.readers.multipie import best_lit_first, plan_multipie
    from facedata.readers.multipie_annotations import MultiPieMarks

    plan = plan_multipie(source, progress=RichProgress())
    if annotations is None:
        find, aligned = _detected(detector, best_lit_first(plan.entries))
    else:
        find, aligned = MultiPieMarks(annotations, progress=RichProgress()), "annotations"
    settings = {"kind": "multipie", "size": size, "large": large, "aligned": aligned}
    _import("Multi-PIE", source, out, plan, _cutter(find, size, large), settings, partial)


@app.command()
def caspeal(
    source: SourceArgument,
    out: OutArgument,
    size: SizeOption = 32,
    large: LargeOption = True,
    partial: PartialOption = False,
) -> None:
    """CAS-PEAL-R1: frontal faces without and with three hats and three pairs of glasses.

    The faces are aligned by the eyes that come with the set. The first 350 people get split train, the other
    88 test.

    Example: anotheryou data import caspeal CAS-PEAL-R1 sets/caspeal
    """
    from cli.console import RichProgress
    from facedata.readers.caspeal import plan_caspeal

    plan, find = plan_caspeal(source, progress=RichProgress())
    settings = {"kind": "caspeal", "size": size, "large": large}
    _import("CAS-PEAL-R1", source, out, plan, _cutter(find, size, large), settings, partial)


@app.command()
def pie(
    source: SourceArgument, out: OutArgument, size: SizeOption = 32, partial: PartialOption = False
) -> None:
    """CMU PIE: the crops of five poses in Deng Cai's MATLAB files.

    The crops stay as they are. The first 34 people get split train, the other 34 test.

    Example: anotheryou data import pie PIE sets/pie
    """
    from cli.console import RichProgress
    from facedata.readers.pie import PieCrops

    crops = PieCrops(source, size=size, progress=RichProgress())
    _import("CMU PIE", source, out, crops.plan, crops, {"kind": "pie", "size": size}, partial)


@app.command()
def yaleb(
    source: SourceArgument,
    out: OutArgument,
    size: SizeOption = 32,
    large: LargeOption = True,
    partial: PartialOption = False,
    detector: DetectorOption = None,
) -> None:
    """Extended Yale B: nine poses under 64 lights.

    Faces are looked for in the well lit picture of each pose. The first half of the people gets split
    train, the rest test.

    Example: anotheryou data import yaleb ExtendedYaleB sets/yaleb
    """
    from cli.console import RichProgress
    from facedata.readers.yaleb import best_lit_first, plan_yaleb

    plan = plan_yaleb(source, progress=RichProgress())
    find, aligned = _detected(detector, best_lit_first(plan.entries))
    settings = {"kind": "yaleb", "size": size, "large": large, "aligned": aligned}
    _import("Extended Yale B", source, out, plan, _cutter(find, size, large), settings, partial)


@app.command()
def celeba(
    source: SourceArgument,
    out: OutArgument,
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What becomes an accessory; may be repeated.", show_default=False),
    ] = None,
    size: SizeOption = 32,
    large: LargeOption = True,
    partial: PartialOption = False,
) -> None:
    """CelebA: photographs of celebrities, with and without glasses and hats.

    Attributes become accessories, Eyeglasses and Wearing_Hat unless others are named; faces with several of
    them are left out. The splits are CelebA's own.

    Example: anotheryou data import celeba CelebA sets/celeba --attribute Eyeglasses
    """
    from cli.console import RichProgress
    from facedata.readers.celeba import ATTRIBUTES, plan_celeba

    chosen = tuple(attribute or ATTRIBUTES)
    plan, find = plan_celeba(source, attributes=chosen, progress=RichProgress())
    settings = {"kind": "celeba", "size": size, "large": large, "attributes": chosen}
    _import("CelebA", source, out, plan, _cutter(find, size, large), settings, partial)


@app.command()
def ar(
    source: SourceArgument,
    out: OutArgument,
    expressions: Annotated[
        bool, typer.Option("--expressions", help="Take smile, anger and scream too, as accessories.")
    ] = False,
    size: SizeOption = 32,
    large: LargeOption = True,
    partial: PartialOption = False,
    detector: DetectorOption = None,
) -> None:
    """The AR face database: sunglasses and scarves under several lights.

    Faces are looked for on each picture. The first half of the people gets split train, the rest test.

    Example: anotheryou data import ar AR sets/ar
    """
    from cli.console import RichProgress
    from facedata.readers.ar import open_ar, plan_ar

    plan = plan_ar(source, expressions=expressions, progress=RichProgress())
    find, aligned = _detected(detector, {})
    settings = {"kind": "ar", "size": size, "large": large, "aligned": aligned, "expressions": expressions}
    _import("AR", source, out, plan, _cutter(find, size, large, opened=open_ar), settings, partial)


def _detected(detector: Path | None, groups: Mapping[str, Sequence[Path]]) -> tuple[Finder, str]:
    """Look for faces with a detector, in the best lit picture of each group; also returns its name."""
    from facedata.readers.landmarks import DetectedLandmarks
    from faces.detect import open_detector

    opened = open_detector(detector)
    return DetectedLandmarks(opened, groups), opened.name


def _cutter(find: Finder, size: int, large: bool, *, opened: Opener | None = None) -> Callable[[Entry], Face]:
    from facedata.readers.writing import face_cutter
    from faces.photo import read_photo

    return face_cutter(find, size=size, large=large, opened=opened or read_photo)


def _import(
    name: str,
    source: Path,
    out: Path,
    plan: Plan,
    cut: Callable[[Entry], Face],
    settings: Mapping[str, object],
    partial: bool,
) -> None:
    """Say what is missing, import the rest if that is wished, and say what came of it."""
    from cli.console import RichProgress, say
    from facedata.readers.writing import LEFT_OUT_FILE, import_faces

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
    done = import_faces(plan, out, cut, settings, progress=RichProgress())
    for path, reason in done.left_out[:_TOLD]:
        say(f"left out: {path}: {reason}")
    if len(done.left_out) > _TOLD:
        say(f"{len(done.left_out):,} pictures are left out in all; {out / LEFT_OUT_FILE} names them")
    typer.echo(f"{out}: {done.pictures:,} pictures of {done.people:,} people.")
