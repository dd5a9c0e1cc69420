"""``anotheryou edit``: the face of a photograph with one thing changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AccessoryOption, DetectorOption, FaceOption, PoseOption, WishOption, wished

if TYPE_CHECKING:
    from faces.crop import CropGeometry
    from faces.types import Pixels

ALL = "all"


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
    detector: DetectorOption = None,
) -> None:
    """Draw the face in PHOTO turned or changed as wished, and write it to a picture.

    With the value "all" the picture is a strip: the face, and beside it one column for each value with the
    drawings of both networks, the first above the second.

    Example:

        anotheryou edit me.jpg --pose -30 --out face.png
        anotheryou edit me.jpg --pose all --out strip.png
        anotheryou edit me.jpg --accessory sunglasses --out cool.png
        anotheryou edit crop.png --cropped --pose +45 --size 32 --out small.png
    """
    from cli.console import say

    wishes = wished(pose, accessory, wish)
    varied = _varied(wishes)
    _check_picture(out)

    import numpy as np

    from faces.sheet import enlarge
    from generator.checkpoint import load_generator, weights_for
    from generator.sheet import draw_strip

    if weights is None:
        weights = weights_for({name: None if name == varied else value for name, value in wishes.items()})
    generator = load_generator(weights)
    vocabulary = generator.vocabulary
    named = vocabulary.named({name: value for name, value in wishes.items() if name != varied})
    group = vocabulary.group(varied) if varied else None
    if cropped:
        crop = _ready_crop(photo, generator.geometry)
    else:
        crop = _face_of(photo, generator.geometry, face, detector)
    estimate = int(generator.canonicalise(crop[None]).codes[0])  # what the wish leaves open stays as it is
    wanted = [named] if group is None else [{**named, group.name: value} for value in group.values]
    codes = np.array([vocabulary.change(estimate, one) for one in wanted], np.int64)
    drawing = generator.draw(np.repeat(crop[None], len(codes), 0), codes)
    if group is None:
        picture = enlarge(drawing.stage2[0], size)
    else:
        captions = list(group.values)
        note = f"{group.name} seems {vocabulary.label(estimate)[group.name]}"
        if len(captions) == 1:  # nothing to estimate, and nothing else names the group
            captions, note = [f"{group.name} {captions[0]}"], ""
        picture = draw_strip(crop, drawing, captions, note=note, side=size)
    picture.save(out)
    say(f"drew {out}")


def _varied(wishes: dict[str, str]) -> str:
    """The attribute of which all values are wished for, or ""."""
    if not wishes:
        raise typer.BadParameter("say what to change, such as --pose +30 or --pose all", param_hint="--pose")
    varied = [name for name, value in wishes.items() if value.casefold() == ALL]
    if len(varied) > 1:
        raise typer.BadParameter("only one attribute at a time can have all its values")
    return "".join(varied)


def _check_picture(path: Path) -> None:
    """A picture that cannot be written is better told before the work."""
    from PIL import Image

    if path.suffix.lower() not in Image.registered_extensions():
        raise typer.BadParameter(f"{path}: a picture's name ends in .png or .jpg", param_hint="--out")
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {path.absolute().parent} does not exist", param_hint="--out")


def _ready_crop(photo: Path, geometry: CropGeometry) -> Pixels:
    """A square picture as a grey crop (S, S)."""
    import numpy as np
    from PIL import Image

    from faces.errors import PhotoError
    from faces.photo import read_photo

    picture = read_photo(photo)
    if picture.width != picture.height:
        reason = f"is {picture.width} × {picture.height} pixels, but a crop is square; leave --cropped out"
        raise PhotoError(photo, reason)
    grey = Image.fromarray(picture.pixels).convert("L")
    kind = Image.Resampling.BOX if grey.width >= geometry.size else Image.Resampling.BICUBIC
    return np.asarray(grey.resize((geometry.size, geometry.size), kind))


def _face_of(photo: Path, geometry: CropGeometry, number: int | None, detector: Path | None) -> Pixels:
    """The crop (S, S) of the wished face of a photograph, by default of the largest."""
    from cli.console import say
    from faces.crop import crop_face
    from faces.detect import open_detector
    from faces.errors import NoFaceError
    from faces.photo import read_photo

    picture = read_photo(photo)
    found = open_detector(detector).detect(picture)
    if not found:
        raise NoFaceError(f"{photo}: no face was found; use a photograph in which one is large and clear")
    if number is None and len(found) > 1:
        say(f"{photo} shows {len(found)} faces; taking the largest (--face picks another)")
    if number is not None and number > len(found):
        there = "is only one face" if len(found) == 1 else f"are only {len(found)} faces"
        raise NoFaceError(f"{photo}: there is no face {number}, there {there}")
    try:
        return crop_face(picture.pixels, found[(number or 1) - 1].landmarks, geometry)
    except ValueError as error:
        reason = f"the face cannot be cropped ({error}); use another photograph"
        raise NoFaceError(f"{photo}: {reason}") from error
