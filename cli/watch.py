"""``anotheryou watch``: a collection that follows its folders."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import RichProgress, counted, end_drawing, printable, say
from cli.guard import asked_to_stop
from cli.index import print_index_summary
from cli.options import CollectionOption, DetectorOption, ExcludeOption, chosen_patterns

if TYPE_CHECKING:
    from retrieval.indexing import Change, IndexSummary


def watch(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of photographs.")],
    collection: CollectionOption = None,
    exclude: ExcludeOption = None,
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Look every two seconds instead of being told, for network disks."),
    ] = False,
    detector: DetectorOption = None,
) -> None:
    """Keep the collection up to date with folders of photographs until Ctrl-C.

    At first all is looked through as by `anotheryou index`; from then on whatever is added, moved or deleted
    is taken in within seconds, a line each. Everything is looked through again after the machine slept, if a
    disk comes back, and once an hour, since not all changes are told. A folder that is gone as a whole is
    waited for, and its photographs are kept. Searches and other commands go on meanwhile.

    Example:

        anotheryou watch ~/Pictures
        anotheryou watch ~/Pictures /media/camera --exclude 'screenshots/'
        anotheryou watch /mnt/nas/photos --poll
    """
    from retrieval.watching import watch as watch_folders

    def looked(summary: IndexSummary) -> None:
        end_drawing()
        print_index_summary(summary)

    with asked_to_stop(signal.SIGINT, signal.SIGTERM) as stop:
        watch_folders(
            folders,
            stop=stop,
            collection=collection,
            exclude=chosen_patterns(exclude),
            detector=detector,
            poll=poll,
            progress=RichProgress(),
            changed=_print_change,
            looked=looked,
            remark=say,
        )
    end_drawing()
    say("stopped; all that was told is stored")


def _print_change(change: Change) -> None:
    words = {
        "read": f"added, {counted(change.faces, 'face')}",
        "skipped": f"skipped: {change.why}",
        "moved": f"moved from {change.why}",
        "removed": "gone",
        "excluded": "excluded",
    }
    line = f"{time.strftime('%H:%M:%S')}  {change.path}  {words[change.what]}"
    typer.echo(printable(line))
