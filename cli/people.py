"""``anotheryou people``: who is who in the collection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.console import counted, print_table, say
from faces.errors import PeopleError

if TYPE_CHECKING:
    from retrieval.exchange import Exchanged
    from retrieval.finder import Finder
    from retrieval.people import Group, People

app = typer.Typer(
    help="Say who is who: faces are grouped by person, and you give the groups names.", no_args_is_help=True
)

GroupArgument = Annotated[
    str, typer.Argument(metavar="GROUP", help="A name, or #17 with the number of any of its faces.")
]
FacesArgument = Annotated[
    list[str], typer.Argument(metavar="#FACE...", help="Numbers of faces, as `people list --faces` shows.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md) instead of a table.")]


@app.command("list")
def list_groups(
    group: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="Only this one, with all of its faces.")
    ] = None,
    collection: options.CollectionOption = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="How many groups, the largest first.")] = 30,
    hidden: Annotated[bool, typer.Option("--hidden", help="Also those that were hidden.")] = False,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw them as one picture (.png, .jpg, ...).")
    ] = None,
    force: options.ForceOption = False,
    as_json: Json = False,
) -> None:
    """List the people and groups of the collection, the largest first.

    A group is a suggestion until it has a name. Two faces of one photograph are never in one group unless you
    say so; turned, small and covered faces join the groups of clear ones.

    Example:

        anotheryou people list --sheet people.png
        anotheryou people list Anna
    """
    options.checked_picture(sheet, force, "--sheet")
    with _opened(collection) as (finder, people):
        shown = [one for one in people.groups if hidden or not one.hidden]
        shown = [people.find(group)] if group is not None else shown[:count]
        if as_json:
            typer.echo(json.dumps([_record(people, one) for one in shown]))
        elif group is None:
            rows: list[tuple[str, ...]] = [
                (one.label, f"{len(one.faces):,}", f"{len(one.confirmed):,}", f"#{one.faces[0]}")
                for one in shown
            ]
            print_table(("who", "faces", "confirmed", "clearest"), rows, right={"faces", "confirmed"})
            more = sum(hidden or not one.hidden for one in people.groups) - len(shown)
            if more > 0:
                say(f"and {counted(more, 'smaller group')} more (--count shows more)")
        else:
            (one,) = shown
            rows = [
                (f"#{face}", "yes" if face in one.confirmed else "", people.faces[face].path)
                for face in one.faces
            ]
            print_table(("face", "confirmed", "photograph"), rows)
        if sheet is not None:
            from retrieval.people_sheet import draw_people

            draw_people(finder, shown, sheet)
            say(f"drew {sheet}")


@app.command()
def name(
    group: GroupArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    collection: options.CollectionOption = None,
) -> None:
    """Say who a group shows. A name that somebody has already joins both; a person gets another name.

    Example:

        anotheryou people name '#17' Anna
    """
    with _opened(collection) as (_, people):
        one = people.find(group)
        _done(people.name(one, name), f"{counted(len(one.faces), 'face')} of {name}")


@app.command()
def merge(one: GroupArgument, other: GroupArgument, collection: options.CollectionOption = None) -> None:
    """Say that two groups show one person, who keeps the first name that there is.

    Example:

        anotheryou people merge Anna '#93'
    """
    with _opened(collection) as (_, people):
        first, second = people.find(one), people.find(other)
        if first is second:
            raise PeopleError(f"{one} and {other} are one group already")
        _done(people.merge(first, second), f"{first.label} and {second.label} are one person")


@app.command()
def apart(one: GroupArgument, other: GroupArgument, collection: options.CollectionOption = None) -> None:
    """Say that two groups show two people, such as siblings; they are never put together again.

    Example:

        anotheryou people apart Anna '#93'
    """
    with _opened(collection) as (_, people):
        first, second = people.find(one), people.find(other)
        if first is second:
            raise PeopleError(f"{one} and {other} are one group; say which faces leave it: people split")
        _done(people.keep_apart(first, second), f"{first.label} and {second.label} are two people")


@app.command()
def split(group: GroupArgument, faces: FacesArgument, collection: options.CollectionOption = None) -> None:
    """Say that some faces of a group show another person than the rest.

    Example:

        anotheryou people split Anna '#41' '#57'
    """
    with _opened(collection) as (_, people):
        one, chosen = people.find(group), _numbers(faces)
        _done(people.split(one, chosen), f"{counted(len(chosen), 'face')} taken out of {one.label}")


@app.command()
def confirm(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom they show.")],
    faces: FacesArgument,
    collection: options.CollectionOption = None,
) -> None:
    """Say that single faces show somebody.

    Example:

        anotheryou people confirm Anna '#41'
    """
    with _opened(collection) as (_, people):
        chosen = _numbers(faces)
        _done(people.confirm(chosen, name), f"{counted(len(chosen), 'face')} of {name}")


@app.command()
def reject(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom they do not show.")],
    faces: FacesArgument,
    collection: options.CollectionOption = None,
) -> None:
    """Say that single faces do not show somebody.

    Example:

        anotheryou people reject Anna '#41'
    """
    with _opened(collection) as (_, people):
        chosen = _numbers(faces)
        _done(people.reject(chosen, name), f"{counted(len(chosen), 'face')} not of {name}")


@app.command("no-face")
def no_face(faces: FacesArgument, collection: options.CollectionOption = None) -> None:
    """Say that what was found is no face; no group and no answer has it any more.

    Example:

        anotheryou people no-face '#88'
    """
    with _opened(collection) as (_, people):
        chosen = _numbers(faces)
        _done(people.no_face(chosen), f"{counted(len(chosen), 'find')} taken for no face")


@app.command("add-face")
def add_face(
    photo: options.PhotoArgument,
    box: Annotated[
        str,
        typer.Argument(metavar="LEFT,TOP,RIGHT,BOTTOM", help="Around the face, in pixels of the photograph."),
    ],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Who it is.")] = None,
    collection: options.CollectionOption = None,
) -> None:
    """Say that there is a face where none was found, in a photograph of the collection.

    Example:

        anotheryou people add-face ~/Pictures/sea.jpg 812,240,1010,470 --name Anna
    """
    from faces.types import Box
    from retrieval.drawing_faces import draw_face

    try:
        left, top, right, bottom = map(float, box.split(","))
    except ValueError:
        raise PeopleError(f"{box!r} is no box; write four numbers, such as 812,240,1010,470") from None
    with _opened(collection) as (finder, _):
        face = draw_face(finder, photo, Box(left, top, right, bottom))
        typer.echo(f"face #{face} (`anotheryou people undo` takes it back)")
        if name is not None:
            finder.people().confirm([face], name)


@app.command()
def hide(
    group: GroupArgument,
    again: Annotated[bool, typer.Option("--show", help="List it again.")] = False,
    collection: options.CollectionOption = None,
) -> None:
    """Leave a group out of the list, such as passers-by.

    Example:

        anotheryou people hide '#204'
    """
    with _opened(collection) as (_, people):
        one = people.find(group)
        _done(people.hide(one, hidden=not again), f"{one.label} is {'listed' if again else 'hidden'}")


@app.command()
def questions(
    collection: options.CollectionOption = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="How many questions.")] = 10,
    as_json: Json = False,
) -> None:
    """List the questions whose answers help most: are these two groups one person?

    Answer yes with `people merge`, no with `people apart`.

    Example:

        anotheryou people questions
    """
    with _opened(collection) as (_, people):
        found = people.questions(count)
        if as_json:
            records = [
                {
                    "one": _record(people, one.one),
                    "other": _record(people, one.other),
                    "probability": round(one.probability, 6),
                }
                for one in found
            ]
            typer.echo(json.dumps(records))
            return
        rows = [
            (one.one.label, one.other.label, f"{100 * one.probability:.0f} %", f"{len(one.other.faces):,}")
            for one in found
        ]
        print_table(("is", "also", "probability", "faces"), rows, right={"probability", "faces"})


@app.command()
def undo(
    decision: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Which; otherwise the last that holds.")
    ] = None,
    collection: options.CollectionOption = None,
) -> None:
    """Take back what was said last, or a decision by its number (`people log`).

    Example:

        anotheryou people undo
    """
    from retrieval.decisions import words_of

    with _opened(collection) as (_, people):
        taken = people.undo(decision)
        typer.echo(f"took back {taken.id}: {words_of(taken)}")


@app.command("log")
def log_decisions(collection: options.CollectionOption = None, as_json: Json = False) -> None:
    """List all that was said and still holds, the oldest first.

    Example:

        anotheryou people log
    """
    from retrieval.decisions import holding_decisions, words_of

    with _opened(collection) as (_, people):
        holding = holding_decisions(people.decisions)
        if as_json:
            records = [
                {"number": one.id, "made": one.made, "kind": one.kind, "said": words_of(one)}
                for one in holding
            ]
            typer.echo(json.dumps(records))
            return
        rows = [(f"{one.id}", one.made, words_of(one)) for one in holding]
        print_table(("number", "made", "what was said"), rows, right={"number"})


@app.command()
def export(
    collection: options.CollectionOption = None,
    below: Annotated[
        Path | None, typer.Option("--in", metavar="FOLDER", help="Only photographs in this folder or below.")
    ] = None,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="Also faces that nobody has confirmed.")
    ] = False,
) -> None:
    """Write people's names into sidecars beside the photographs, for digiKam, Lightroom and others.

    A sidecar is PHOTO.jpg.xmp, with face regions (MWG) and the list of persons (IPTC). What it holds already
    stays as it is; the photographs are never touched.

    Example:

        anotheryou people export --in ~/Pictures/2024
    """
    from retrieval.exchange import export_names

    with _opened(collection) as (finder, people), finder.collection.snapshot() as snapshot:
        _tell(export_names(people, snapshot, below=below, suggested=suggested), "written beside")


@app.command("import")
def import_names(
    collection: options.CollectionOption = None,
    below: Annotated[
        Path | None, typer.Option("--in", metavar="FOLDER", help="Only photographs in this folder or below.")
    ] = None,
) -> None:
    """Take over names that digiKam, Lightroom, Windows or Picasa have given to faces.

    They are read from sidecars, from the photographs and from .picasa.ini, and count as said by you, so that
    they can be taken back. Names that were given here stay.

    Example:

        anotheryou people import
    """
    from retrieval import exchange

    with _opened(collection) as (finder, people), finder.collection.snapshot() as snapshot:
        _tell(exchange.import_names(people, snapshot, below=below), "read of")


@contextmanager
def _opened(collection: str | None) -> Iterator[tuple[Finder, People]]:
    from cli.console import RichProgress
    from retrieval.finder import Finder

    progress = RichProgress()
    with Finder(collection, progress=progress) as finder:
        progress.start("Grouping the faces", None, "faces")
        people = finder.people()
        progress.finish()
        yield finder, people


def _tell(done: Exchanged, how: str) -> None:
    faces, photographs = counted(done.faces, "name"), counted(done.photographs, "photograph")
    who = "1 person" if len(done.names) == 1 else f"{len(done.names):,} people"
    typer.echo(f"{faces} of {who} {how} {photographs}")
    for path, reason in done.left_alone[:10]:
        say(f"{path} was left alone: {reason}")
    if len(done.left_alone) > 10:
        say(f"and {len(done.left_alone) - 10:,} more")


def _numbers(faces: list[str]) -> list[int]:
    """Read numbers of faces, with # or without; raises PeopleError."""
    found = [face.lstrip("#") for face in faces]
    for word in found:
        if not word.isascii() or not word.isdecimal():
            raise PeopleError(f"{word!r} is no number of a face; `anotheryou people list GROUP` shows them")
    return [int(word) for word in found]


def _record(people: People, group: Group) -> dict[str, object]:
    return {
        "id": group.id,
        "name": group.name,
        "hidden": group.hidden,
        "faces": [
            {"face_id": face, "confirmed": face in group.confirmed, "photo": people.faces[face].path}
            for face in group.faces
        ],
    }


def _done(decision: int, what: str) -> None:
    typer.echo(f"{what} (decision {decision}; `anotheryou people undo` takes it back)")
