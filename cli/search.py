"""``anotheryou search``: one picture, one wish, the photographs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import (
    AccessoryOption,
    CollectionOption,
    DetectorOption,
    FaceOption,
    PoseOption,
    WeightsOption,
    WishOption,
    wished,
)

if TYPE_CHECKING:
    from faces.types import Box
    from retrieval import Answer, Hit


class YesNo(StrEnum):
    """What ``--same-photo`` takes."""

    YES = "yes"
    NO = "no"


def search(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photograph of the person.")],
    pose: PoseOption = None,
    accessory: AccessoryOption = None,
    wish: WishOption = None,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="How many faces to find.")] = 20,
    collection: CollectionOption = None,
    face: FaceOption = None,
    same_photo: Annotated[
        YesNo,
        typer.Option("--same-photo", help="Whether PHOTO itself and copies of it may be among the answers."),
    ] = YesNo.YES,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE",
            help="Also draw query, drawing and answers as one picture (.png, .jpg, ...).",
            show_default=False,
        ),
    ] = None,
    weights: WeightsOption = None,
    detector: DetectorOption = None,
) -> None:
    """Find the photographs of the person in PHOTO, turned or changed as wished.

    The network draws the face as wished, and the collection's faces most like the drawing are listed, the
    best first. Without a wish the face is searched for as it is. A smaller distance is a better match.
    What can be wished for depends on the weights that made the collection: rotation-32 turn heads, after
    `anotheryou reindex --weights accessories-32` hats and glasses come on and off.

    Example:

        anotheryou search me.jpg --pose +30
        anotheryou search me.jpg --accessory sunglasses
        anotheryou search me.jpg --pose -45 -k 10 --sheet answer.png
    """
    from cli.console import RichProgress, say
    from retrieval import Finder, draw_sheet

    _check_sheet(sheet)
    wishes = wished(pose, accessory, wish)
    progress = RichProgress()
    with Finder(collection, weights=weights, detector=detector, progress=progress) as finder:
        answer = finder.search(photo, wish=wishes, k=k, face=face, same_photo=same_photo is YesNo.YES)
        if answer.query.count > 1 and face is None:
            say(f"{photo} shows {answer.query.count} faces; taking the largest (--face picks another)")
        if as_json:
            _print_json(answer)
        else:
            _print_hits(answer)
        if sheet is not None:
            progress.start("Drawing the sheet", None, "pictures")
            draw_sheet(answer, sheet)
            progress.finish()
            say(f"drew {sheet}")


def _check_sheet(sheet: Path | None) -> None:
    """A picture that cannot be written is better told before the search."""
    if sheet is None:
        return
    from PIL import Image

    if sheet.suffix.lower() not in Image.registered_extensions():
        raise typer.BadParameter(f"{sheet}: a picture's name ends in .png or .jpg", param_hint="--sheet")
    if not sheet.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {sheet.absolute().parent} does not exist", param_hint="--sheet")


def _print_hits(answer: Answer) -> None:
    from cli.console import print_table, say

    if not answer.hits:
        say("nothing else is in the collection")
        return
    groups = list(answer.hits[0].estimates)
    columns = ("rank", "distance", *groups, "photograph")
    rows = (
        (hit.rank, f"{hit.distance:.4f}", *(hit.estimates.get(group, "") for group in groups), hit.path)
        for hit in answer.hits
    )
    print_table(columns, rows, right=("rank", "distance", *groups))


def _print_json(answer: Answer) -> None:
    import json

    for hit in answer.hits:
        typer.echo(json.dumps(_record(hit)))


def _record(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "photo": hit.path,
        "box": _box(hit.box),
        "distance": round(hit.distance, 6),
        "estimates": dict(hit.estimates),
        "face": hit.face_id,
    }


def _box(box: Box) -> list[float]:
    """Left, top, right, bottom in pixels of the upright photograph."""
    return [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)]
