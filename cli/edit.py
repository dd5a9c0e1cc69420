"""``anotheryou edit``: the face of a photograph with something changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.console import say


def edit(
    photo: options.PhotoArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture to write (.png, .jpg, ...).")],
    pose: options.PoseOption = None,
    accessory: options.AccessoryOption = None,
    wish: options.WishOption = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Weights that come along, or a folder of them; otherwise those that know the wish.",
        ),
    ] = None,
    flow: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR|none",
            help="Appearance flow that puts the photograph's own detail and colours into the drawing; none: "
            "the drawing as it is. Otherwise flow-32 for the weights that it learned from.",
            show_default=False,
        ),
    ] = None,
    face: options.FaceOption = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="PHOTO is a ready square crop; no face is looked for.")
    ] = False,
    size: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", min=8, max=1024, help="Side of each face, which is smoothly enlarged."
        ),
    ] = 160,
    force: options.ForceOption = False,
    detector: options.DetectorOption = None,
) -> None:
    """Draw the face in PHOTO turned or changed as wished, and write it to a picture.

    What the photograph shows stays as sharp as it is; what it does not, such as the far cheek, is drawn.
    With the value "all" the picture is a strip: the face, and beside it one column for each value with the
    drawings of both networks and the picture made of them. Several wishes are drawn one after the other.

    Example:

        anotheryou edit me.jpg --pose -30 --out face.png
        anotheryou edit me.jpg --pose all --out strip.png
        anotheryou edit me.jpg --pose 0 --accessory sunglasses --out cool.png
        anotheryou edit crop.png --cropped --pose +45 --size 32 --out small.png
    """
    options.checked_picture(out, force, "--out")
    wishes = options.wished(pose, accessory, wish)
    if not wishes:
        raise typer.BadParameter("say what to change, such as --pose +30 or --pose all", param_hint="--pose")

    from faces.sheet import enlarge
    from generator.sheet import draw_strip
    from retrieval.editing import edit as edit_photo

    made = edit_photo(
        photo, wishes, weights=weights, flow=flow, face=face, cropped=cropped, detector=detector
    )
    if made.count > 1 and face is None:
        say(f"{photo} shows {made.count} faces; taking the largest (--face picks another)")
    if not made.attribute:
        picture = enlarge(made.image, size)
    else:
        captions, note = list(made.values), f"{made.attribute} seems {made.estimates[made.attribute]}"
        if len(captions) == 1:  # nothing to estimate, and nothing else names the attribute
            captions, note = [f"{made.attribute} {captions[0]}"], ""
        rows = [("stage 1", made.stage1), ("stage 2", made.stage2)]
        rows += [] if made.detailed is None else [("with its detail", made.detailed)]
        picture = draw_strip(made.crop, rows, captions, note=note, side=size)
    picture.save(out)
    say(f"drew {out}")
