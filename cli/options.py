"""Options that several commands share, and what is checked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from faces.errors import AnotherYouError

AttributeName = Literal["pose", "light", "accessory"]
"""``facedata.labelled.Attribute``, known without loading what is large."""

PhotoArgument = Annotated[Path, typer.Argument(metavar="PHOTO", help="A photograph of the person.")]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|URL",
        help="The collection's folder, or postgresql://USER@HOST/DATABASE; otherwise $ANOTHERYOU_COLLECTION "
        "or a folder among your user data.",
    ),
]
WeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|DIR",
        help="Weights that come along, or a folder of them; several may be named; otherwise those that made "
        "the collection, at first rotation-32 and accessories-32.",
        show_default=False,
    ),
]
IdentityOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="What tells people apart: dlib-128 (the default), none, or a calibrated .onnx file.",
    ),
]
ClassifierOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="What tells what faces show: attributes-32 (the default unless weights are named), none, or a "
        "folder that `train-classifier` has written.",
        show_default=False,
    ),
]
DetectorOption = Annotated[
    Path | None,
    typer.Option(
        metavar="NAME|FILE",
        help="What finds the faces: mmod, dlib's own hog+cnn, hog and cnn, or YuNet's .onnx file; otherwise "
        "what the collection was made with, mmod at first.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="What to leave out, written as in a .gitignore in each folder, such as 'screenshots/' or "
        "'*.gif'; may be repeated. What the collection has of it is taken out. Otherwise as last time; '' "
        "excludes nothing any more.",
        show_default=False,
    ),
]
PoseOption = Annotated[
    str | None,
    typer.Option(
        metavar="DEGREES",
        help="How the head shall be turned, such as +30: any angle from -45 to +45, in searches to +60; + is "
        "towards the right side of the picture.",
    ),
]
AccessoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What shall be worn: none, hat-1 (cap), hat-2 (brimmed), hat-3 (knitted), glasses-1 (round), "
        "glasses-2 (square) or glasses-3 (sunglasses), in searches head-scarf and mask too; hat, spectacles "
        "or glasses mean any of them.",
    ),
]
WishOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Anything that is known (see `anotheryou info`), such as expression=smile or pose=+30; in "
        "searches smile alone will do; may be repeated.",
        show_default=False,
    ),
]
FaceOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Which face of the photograph, 1 being the largest; otherwise that one."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that exists already.")]


def refuse_existing(path: Path, force: bool) -> None:
    """Raise AnotherYouError if there is a file (it may be a photograph) and no ``force``, or a folder."""
    if path.is_dir():
        raise AnotherYouError(f"{path} is a folder; name a file")
    if not force and (path.exists() or path.is_symlink()):
        raise AnotherYouError(f"{path} exists already; name another file, or give --force to replace it")


def checked_picture(path: Path | None, force: bool, option: str) -> None:
    """Refuse a picture that cannot be written before the work begins; None is none to be written."""
    if path is None:
        return
    from PIL import Image

    if path.suffix.lower() not in Image.registered_extensions():
        raise typer.BadParameter(f"{path}: a picture's name ends in .png or .jpg", param_hint=option)
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {path.absolute().parent} does not exist", param_hint=option)
    refuse_existing(path, force)


def chosen_patterns(exclude: list[str] | None) -> list[str] | None:
    """Give the patterns of ``--exclude``; None if it was not given."""
    return None if exclude is None else [pattern for pattern in exclude if pattern.strip()]


def wished(pose: str | None, accessory: str | None, wish: list[str] | None) -> dict[str, str]:
    """Collect what the options wish for, ``{"pose": "+30"}``; raises WishError as ``parse_wishes`` does."""
    from generator.attributes import parse_wishes

    return parse_wishes([*short_wishes(pose, accessory), *(wish or [])])


def short_wishes(pose: str | None, accessory: str | None) -> list[str]:
    """Write the wishes that have options of their own as the others: ``["pose=+30"]``."""
    short = {"pose": pose, "accessory": accessory}
    return [f"{name}={value}" for name, value in short.items() if value is not None]
