"""``anotheryou edit``: the face of a photograph with something changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    AccessoryOption,
    DetectorOption,
    FaceOption,
    ForceOption,
    PoseOption,
    WishOption,
    checked_picture,
    wished,
)


def edit(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photograph of the person.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The picture to write (.png, .jpg, ...).")
    ],
    pose: PoseOption = None,
    accessory: AccessoryOption = None,
    wish: WishOption = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="NAME|DIR",
            help="Weights that come along, or a folder of them; otherwise those that know the wish.",
            show_default=False,
        ),
    ] = None,
    face: FaceOption = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="PHOTO is a ready square crop; no face is looked for.")
    ] = False,
    size: Annotated[
        int,
        typer.Option(
            "--size", metavar="PIXELS", min=8, max=1024, help="Side of each face, which is smoothly enlarged."
        ),
    ] = 160,
    force: ForceOption = False,
    detector: DetectorOption = None,
) -> None:
    """Draw the face in PHOTO turned or changed as wished, and write it to a picture.

    With the value "all" the picture is a strip: the face, and beside it one column for each value with the
    drawings of both networks, the first above the second. Several wishes are drawn one after the other.

    Example:

        anotheryou edit me.jpg --pose -30 --out face.png
        anotheryou edit me.jpg --pose all --out strip.png
        anotheryou edit me.jpg --pose 0 --accessory sunglasses --out cool.png
        anotheryou edit crop.png --cropped --pose +45 --size 32 --out small.png
    """
    from cli.console import say

    checked_picture(out, force, "--out")
    wishes = wished(pose, accessory, wish)
    if not wishes:
        raise typer.BadParameter("say what to change, such as --pose +30 or --pose all", param_hint="--pose")

    from faces.sheet import enlarge
    from generator.sheet import draw_strip
    from retrieval.editing import edit as edit_photo

    made = edit_photo(photo, wishes, weights=weights, face=face, cropped=cropped, detector=detector)
    if made.count > 1 and face is None:
        say(f"{photo} shows {made.count} faces; taking the largest (--face picks another)")
    if not made.attribute:
        picture = enlarge(made.image, size)
    else:
        captions, note = list(made.values), f"{made.attribute} seems {made.estimates[made.attribute]}"
        if len(captions) == 1:  # nothing to estimate, and nothing else names the attribute
            captions, note = [f"{made.attribute} {captions[0]}"], ""
        picture = draw_strip(made.crop, made.stage1, made.stage2, captions, note=note, side=size)
    picture.save(out)
    say(f"drew {out}")
