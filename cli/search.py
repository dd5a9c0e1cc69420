"""``anotheryou search``: one picture, one wish, the photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.console import RichProgress, counted, print_table, say
from cli.guard import uncollected

if TYPE_CHECKING:
    from faces.types import Box
    from retrieval.answers import Answer, Hit


@uncollected()
def search(
    photo: Annotated[
        Path | None, typer.Argument(metavar="[PHOTO]", help="A photograph of the person; or name --person.")
    ] = None,
    pose: options.PoseOption = None,
    accessory: options.AccessoryOption = None,
    wish: options.WishOption = None,
    not_: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            metavar="VALUE",
            help="What shall not be shown, such as sunglasses or accessory=hat; may be repeated.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", metavar="K", min=1, help="How many faces to find; otherwise 20.")
    ] = None,
    collection: options.CollectionOption = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Somebody with a name (see `anotheryou people`), instead of PHOTO."
        ),
    ] = None,
    face: options.FaceOption = None,
    only: Annotated[bool, typer.Option("--only", help="Keep to faces that seem to meet every wish.")] = False,
    at_least: Annotated[
        float,
        typer.Option(metavar="P", min=0, max=1, help="Keep to hits of this probability, 0 to 1."),
    ] = 0.0,
    below: Annotated[
        Path | None,
        typer.Option("--in", metavar="FOLDER", help="Keep to photographs in this folder or below it."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Keep to photographs from this year, month or day on: 2023-07."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Keep to photographs up to this year, month or day, all of it."),
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="Keep to photographs that show this person too."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out photographs that show this person."),
    ] = None,
    same_photo: Annotated[
        bool, typer.Option("--same-photo", help="PHOTO itself and copies of it may be among the answers.")
    ] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Compare every face, also where there are so many that codes choose some."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object (docs/json.md) instead of a table.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also draw query, drawing and answers as one picture (.png, .jpg, ...)."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the answer as a page that needs nothing beside it."),
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also copy the photographs of the probable hits there, or of all if -k is given; nothing "
            "there is replaced.",
        ),
    ] = None,
    link_to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="As --copy-to, with symbolic links instead of copies."),
    ] = None,
    open_first: Annotated[
        bool, typer.Option("--open", help="Also show the first photograph in the system's viewer.")
    ] = False,
    force: options.ForceOption = False,
    detector: options.DetectorOption = None,
) -> None:
    """Find the photographs of the person in PHOTO, turned or changed as wished.

    The network draws the face as wished, and the collection's faces are listed by how probably each is the
    right person, as wished, the best first.  Without a wish only the person counts.  The hits that are
    probably right stand above the others.  Several wishes go together.

    Example:

        anotheryou search me.jpg --pose +30
        anotheryou search me.jpg --accessory sunglasses --only
        anotheryou search me.jpg --wish smile --wish light=left
        anotheryou search me.jpg --pose 0 --not glasses
        anotheryou search --person Anna --pose -30 --accessory sunglasses --with Ben
        anotheryou search me.jpg --in ~/Pictures/2024
        anotheryou search me.jpg --since 2023 --until 2024-06-30 --copy-to ~/found
        anotheryou search in-my-hat.jpg --pose 0 --accessory none
        anotheryou search me.jpg --pose -20 -k 10 --sheet answer.png --html answer.html
    """
    from retrieval.delivering import copy_photographs, link_photographs
    from retrieval.finder import Finder
    from retrieval.sheet import draw_sheet

    options.checked_picture(sheet, force, "--sheet")
    if html is not None:
        options.refuse_existing(html, force)
    if (photo is None) == (person is None):
        raise typer.BadParameter("name a photograph, or somebody with --person", param_hint="PHOTO")
    named = [*options.short_wishes(pose, accessory), *(wish or [])]
    progress = RichProgress()
    with Finder(collection, detector=detector, progress=progress) as finder:
        answer = finder.search(
            photo if person is None else finder.prepare_person(person),  # type: ignore[arg-type]
            wish=",".join(named) or None,
            not_=not_ or (),
            k=k or 20,
            face=face,
            same_photo=same_photo,
            only=only,
            at_least=at_least,
            below=below,
            since=since,
            until=until,
            with_=with_ or (),
            without=without or (),
            exact=exact,
        )
        if answer.query.count > 1 and face is None and person is None:
            say(f"{photo} shows {answer.query.count} faces; taking the largest (--face picks another)")
        if as_json:
            _print_json(answer)
        else:
            _print_hits(answer)
        for remark in answer.remarks:
            say(remark)
        if sheet is not None:
            progress.start("Drawing the sheet", None, "pictures")
            draw_sheet(answer, sheet)
            progress.finish()
            say(f"drew {sheet}")
        if html is not None:
            from retrieval.answer_page import write_page

            write_page(answer, html)
            say(f"wrote {html}")
        wanted = answer.hits[: answer.probable] if k is None else answer.hits
        for folder, deliver, done in (
            (copy_to, copy_photographs, "copied to"),
            (link_to, link_photographs, "linked in"),
        ):
            if folder is not None:
                say(f"{counted(len(deliver(wanted, folder)), 'photograph')} {done} {folder}")
        there = next((hit.path for hit in answer.hits if hit.exists), None)
        if open_first and there is not None and typer.launch(there):
            say(f"no program shows pictures here; the first photograph is {there}")


def _print_hits(answer: Answer) -> None:
    from retrieval.estimates import worth_saying
    from retrieval.sheet import percent

    if not answer.hits:
        say("nothing to show: the collection has no other face that fits")
        return
    met = [f"{name} met" for name in answer.hits[0].met]
    columns = ("rank", "probability", "person", *met, "seems", "taken", "face", "photograph")
    rows: list[list[object]] = []
    for hit in answer.hits:
        if hit.rank == answer.probable + 1:
            rows.append(["", "-- less likely than not --", *[""] * (len(columns) - 2)])
        chances = (hit.probability, hit.same_person, *hit.met.values())
        face = f"{hit.number} of {hit.count}"
        path = hit.path if hit.exists else f"{hit.path} (not there any more)"
        taken = hit.date.date().isoformat()
        rows.append([hit.rank, *map(percent, chances), worth_saying(hit.estimates), taken, face, path])
    print_table(columns, rows, right=columns[:-1])
    if answer.doubt:
        say(answer.doubt)


def _print_json(answer: Answer) -> None:
    query = answer.query
    content = {
        "query": {
            "photo": query.path,
            "face": query.number,
            "faces": query.count,
            "box": _box(query.box),
            "estimates": dict(query.estimates),
            "known": query.known,
        },
        "wish": dict(answer.wish),
        "unwished": list(answer.unwished),
        "probable": answer.probable,
        "remarks": list(answer.remarks),
        "hits": [_record(hit) for hit in answer.hits],
    }
    typer.echo(json.dumps(content))


def _record(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "photo": hit.path,
        "exists": hit.exists,
        "date": hit.date.isoformat(),
        "dated_by": hit.dated_by,
        "camera": hit.camera,
        "face": hit.number,
        "faces": hit.count,
        "box": _box(hit.box),
        "probability": round(hit.probability, 6),
        "same_person": round(hit.same_person, 6),
        "met": {name: round(value, 6) for name, value in hit.met.items()},
        "similarity": None if hit.similarity != hit.similarity else round(hit.similarity, 6),
        "estimates": dict(hit.estimates),
        "face_id": hit.face_id,
    }


def _box(box: Box) -> list[float]:
    """Give left, top, right, bottom in pixels of the upright photograph."""
    return [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)]
