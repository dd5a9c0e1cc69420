"""``anotheryou index``, ``reindex``, ``rebuild``, ``info``, ``copy`` and ``forget``: a collection's life."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import RichProgress, counted, end_drawing, in_words, print_table, printable, say
from cli.guard import INTERRUPTED, asked_to_stop
from cli.options import (
    ClassifierOption,
    CollectionOption,
    DetectorOption,
    ExcludeOption,
    IdentityOption,
    WeightsOption,
    chosen_patterns,
)
from faces.errors import CollectionError

if TYPE_CHECKING:
    from retrieval.indexing import IndexSummary

_LISTED = 10  # of what was passed over


def index(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of photographs, or single files.")
    ],
    collection: CollectionOption = None,
    min_face: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            min=0,
            help="Leave out faces whose box has a shorter side; 0: 1/40 of the photograph's longer side, but "
            "never under 24. Otherwise as last time, 0 at first.",
        ),
    ] = None,
    include_forgotten: Annotated[
        bool, typer.Option("--include-forgotten", help="Take back the photographs that were forgotten.")
    ] = False,
    exclude: ExcludeOption = None,
    weights: WeightsOption = None,
    identity: IdentityOption = None,
    classifier: ClassifierOption = None,
    detector: DetectorOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Find and describe faces on the nodes of a Ray cluster: auto, HOST:PORT or ray://HOST:PORT.",
        ),
    ] = None,
) -> None:
    """Add the faces in folders of photographs to the collection, and keep it up to date.

    Folders are searched with all that is in them; hidden files are left out, and folders with a file .nomedia
    in them. Only what is new or has changed
    since the last run is read; photographs that were moved keep their faces, those that were deleted lose
    them. A folder that is empty now, or that is gone from a place for disks, may be a disk that is not
    plugged in: its photographs are kept until `anotheryou forget` takes them out. A run can be interrupted
    at any time (Ctrl-C) and goes on when the same command is given again.

    Example:

        anotheryou index ~/Pictures
        anotheryou index ~/Pictures /media/camera --min-face 60
        anotheryou index ~/Pictures --exclude 'screenshots/' --exclude '*.gif'
    """
    from retrieval.indexing import index_folders

    with asked_to_stop(signal.SIGINT) as stop:
        summary = index_folders(
            folders,
            collection=collection,
            weights=weights,
            identity=identity,
            classifier=classifier,
            min_face=min_face,
            include_forgotten=include_forgotten,
            exclude=chosen_patterns(exclude),
            detector=detector,
            ray=ray,
            progress=RichProgress(),
            stop=stop,
        )
    end_drawing()
    print_index_summary(summary)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)


def reindex(
    collection: CollectionOption = None,
    weights: WeightsOption = None,
    identity: IdentityOption = None,
    classifier: ClassifierOption = None,
) -> None:
    """Make the collection's vectors again, with other weights or after an update of the program.

    The faces are not looked for again. For another identity model, or weights that want faces cropped in
    another way, the photographs are read again. Searches use the old vectors until all new ones are made.

    Example:

        anotheryou reindex --weights ~/my-weights
    """
    from retrieval.reindexing import reindex as reindex_collection

    with asked_to_stop(signal.SIGINT) as stop:
        summary = reindex_collection(
            collection=collection,
            weights=weights,
            identity=identity,
            classifier=classifier,
            progress=RichProgress(),
            stop=stop,
        )
    end_drawing()
    typer.echo(f"{counted(summary.faces, 'face')} made again")
    if summary.coarse:
        coarse = counted(summary.coarse, "face")
        say(f"{coarse} of photographs that are gone: who they show was seen on the small stored crops")
    if summary.lost:
        lost = counted(summary.lost, "photograph")
        say(f"{lost} could not be cropped again; run `anotheryou index` on their folders")
    if summary.interrupted:
        say("interrupted: the collection still answers with the old weights; the same command goes on")
        raise typer.Exit(INTERRUPTED)


def rebuild(collection: CollectionOption = None) -> None:
    """Make the vectors that are searched again from the catalogue, which holds the truth.

    Searches and `anotheryou index` do so by themselves if the vectors are missing or damaged; this is for
    those who do not trust a disk. No photograph is read, and searches go on meanwhile.

    Example:

        anotheryou rebuild
    """
    from index import Collection, CollectionWriter
    from retrieval.location import collection_place

    with CollectionWriter(collection_place(collection)) as writer:
        writer.refresh_vectors(afresh=True, progress=RichProgress())
    end_drawing()
    with Collection(collection_place(collection)) as opened, opened.snapshot() as snapshot:
        typer.echo(f"the vectors of {counted(len(snapshot), 'face')} made again; {snapshot.store_kind}")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The collection's folder or URL.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="A new folder, or the URL of an empty PostgreSQL database.")
    ],
) -> None:
    """Copy a collection from a folder to a database, or the other way, and compare both sides.

    The copy is a collection of its own; the photographs stay where they are. It can be interrupted at any
    time (Ctrl-C) and goes on when the same command is given again; before it is complete nothing else can
    use it. Nothing that the target holds is ever overwritten.

    Example:

        anotheryou copy ~/collection postgresql://me@server/faces
        anotheryou copy postgresql://me@server/faces /media/backup/faces
    """
    from index import copy_collection, place_of

    with asked_to_stop(signal.SIGINT) as stop:
        summary = copy_collection(place_of(source), place_of(target), progress=RichProgress(), stop=stop)
    end_drawing()
    if summary.interrupted:
        say("interrupted: the copy is not complete; the same command goes on")
        raise typer.Exit(INTERRUPTED)
    faces, photographs = counted(summary.faces, "face"), counted(summary.photographs, "photograph")
    typer.echo(f"copied {faces} of {photographs}, and compared them")


def info(
    collection: CollectionOption = None,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List the photographs that could not be read, and why.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object (docs/json.md) instead of lines.")
    ] = False,
) -> None:
    """Show what the collection holds, what its faces seem to show, and which weights made it.

    Example:

        anotheryou info
        anotheryou info --skipped
    """
    from faces.detect import RELATIVE, SHARE, SMALLEST
    from generator.attributes import everyday
    from index import Collection, Status
    from retrieval.estimates import count_shown
    from retrieval.location import collection_place

    with Collection(collection_place(collection)) as opened, opened.snapshot() as snapshot:
        if skipped:
            rows = ((photo.path, photo.reason) for photo in snapshot.photos(Status.SKIPPED))
            print_table(("photograph", "reason"), rows)
            return
        summary = snapshot.summary()
        layout, made = summary.layout, summary.layout.description
        searched = "missing, made again by the next search or index run"
        if snapshot.store_kind:
            lacking = "lacking the newest changes, which searches add"
            searched = f"{'complete' if snapshot.in_line else lacking}; {snapshot.store_kind}"
        attributes = made.get("attributes", {})
        shown = count_shown(layout, snapshot.blocks())
        wishes = "; ".join(f"{name}: {' '.join(values)}" for name, values in attributes.items())
        weights = [
            f"{one['name']} ({one['weights_id']}) from {one['source']}"
            if "name" in one
            else str(one["source"])
            for one in made["encodings"]
        ]
        identity, classifier = made.get("identity"), made.get("classifier")
        if as_json:
            content = {
                "collection": str(opened.place),
                "photographs": summary.photos,
                "skipped": summary.skipped,
                "forgotten": summary.forgotten,
                "faces": summary.faces,
                "too_small": summary.too_small,
                "exclude": list(summary.exclude),
                "weights": [
                    {"name": one.get("name"), "weights_id": one.get("weights_id"), "source": one["source"]}
                    for one in made["encodings"]
                ],
                "identity": identity["source"] if identity else None,
                "classifier": classifier["source"] if classifier else None,
                "shown": shown,
            }
            typer.echo(json.dumps(content))
            return
        smallest = f"{summary.min_face} pixels"
        if summary.min_face == RELATIVE:
            smallest = f"1/{SHARE} of the photograph or {SMALLEST} pixels"
        lines = {
            "collection": opened.place,
            "on disk": f"{opened.size() / 1e6:,.1f} MB, since {summary.created}",
            "photographs": f"{summary.photos:,}",
            "skipped": f"{summary.skipped:,}" + (" (see --skipped)" if summary.skipped else ""),
            "forgotten": f"{summary.forgotten:,}",
            "faces": f"{summary.faces:,}",
            # Below the faces what they seem to show.
            **{
                f"  {name}": ", ".join(f"{everyday(one)} {count:,}" for one, count in counts.items() if count)
                for name, counts in shown.items()
            },
            "excluded": ", ".join(summary.exclude) or "nothing",
            "too small": f"{summary.too_small:,} (below {smallest})",
            "detector": summary.detector or "none used yet",
            "weights": ", ".join(weights),
            "identity": f"{identity['source']} ({identity['digest']})" if identity else "none",
            "classifier": f"{classifier['source']} ({classifier['digest']})" if classifier else "none",
            "wishes": wishes or "none before `anotheryou reindex`, since an older version made it",
            "crops": f"{layout.geometry.size} × {layout.geometry.size} pixels",
            "vectors": f"{layout.dimension:,} numbers each, {searched}",
        }
    width = max(map(len, lines)) + 2
    for name, value in lines.items():
        typer.echo(f"{name:{width}}{value}")


def forget(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A photograph, or a folder of them; it may be gone already."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Forget a whole folder without a question.")] = False,
    collection: CollectionOption = None,
) -> None:
    """Remove the faces of a photograph, or of all below a folder, from the collection for good.

    The photographs themselves are not touched, and later runs over their folder leave them out; to take one
    in again, name the file itself to `anotheryou index`, and for all below a folder give it
    --include-forgotten. Photographs that are gone are taken out without a trace: should they come back,
    `anotheryou index` takes them in as new ones.

    Example:

        anotheryou forget ~/Pictures/party/0042.jpg
        anotheryou forget ~/Pictures/party --yes
    """
    from retrieval.forgetting import count_known
    from retrieval.forgetting import forget as forget_photographs

    photographs, faces = count_known(path, collection=collection)
    many = photographs > 1 or (photographs == 1 and path.is_dir())
    if many and not yes and not _agrees_to_forget(path, photographs, faces):
        say("nothing was forgotten")
        raise typer.Exit(1)
    photographs, faces = forget_photographs(path, collection=collection)
    typer.echo(f"forgot {counted(faces, 'face')} of {counted(photographs, 'photograph')}")


def _agrees_to_forget(path: Path, photographs: int, faces: int) -> bool:
    """Ask whether to forget a folder; raises CollectionError if there is nobody to ask."""
    what = f"{counted(photographs, 'photograph')} with {counted(faces, 'face')}"
    if not _can_ask():
        raise CollectionError(f"there are {what} below {path}; give --yes to forget them all")
    return typer.confirm(f"Forget {what} below {printable(str(path))}?", err=True)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def print_index_summary(summary: IndexSummary) -> None:
    """Print what a run over folders did."""
    from faces.detect import SHARE, SMALLEST

    parts = {
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        "no longer there": summary.removed,
        "taken out, as they are excluded now": summary.excluded,
        "forgotten": summary.forgotten,
    }
    known = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    typer.echo(f"{counted(summary.photographs, 'photograph')}{f' ({known})' if known else ''}")
    rate = f", {summary.faces / summary.seconds:,.1f} faces/s" if summary.faces and summary.seconds else ""
    typer.echo(f"{counted(summary.faces, 'face')} added in {in_words(summary.seconds)}{rate}")
    if summary.too_small:
        typer.echo(f"{counted(summary.too_small, 'face')} left out as too small")
    if summary.coarse:
        large = f"In {counted(summary.coarse, 'large photograph')}"
        typer.echo(
            f"{large} faces narrower than 1/{SHARE} of the longer side were not looked for; "
            f"`--min-face {SMALLEST}` finds them"
        )
    if summary.skipped:
        typer.echo(f"{counted(summary.skipped, 'photograph')} skipped:")
        for path, reason in summary.reasons:
            typer.echo(f"  {printable(path)}: {printable(reason)}")
        more = summary.skipped - len(summary.reasons)
        if more:
            typer.echo(f"  and {more:,} more (see `anotheryou info --skipped`)")
    if summary.skipped_before:
        before = counted(summary.skipped_before, "photograph")
        typer.echo(f"{before} skipped before and unchanged since (see `anotheryou info --skipped`)")
    for path, reason in summary.passed_over[:_LISTED]:
        say(f"{path} {reason}")
    if len(summary.passed_over) > _LISTED:
        say(
            f"and {len(summary.passed_over) - _LISTED:,} more that are no photographs in spite of their names"
        )
    for path, reason in summary.unreadable:
        say(f"{path}: {reason}; what is in this folder was left as it was")
    for folder, count in summary.unplugged.items():
        say(
            f"{folder} is empty or gone; {counted(count, 'photograph')} of it kept in case its disk is not "
            f"plugged in; if they were deleted, run: anotheryou forget {shlex.quote(folder)}"
        )
    if summary.interrupted:
        say("interrupted: what was read is stored; the same command goes on from there")
