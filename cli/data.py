"""`anotheryou data`: sets of faces to learn from and to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.imports import app as imports
from cli.options import ForceOption, refuse_existing
from cli.render import app as render

app = typer.Typer(help="Make sets of faces to learn from and to measure with.", no_args_is_help=True)
app.add_typer(render, name="render")
app.add_typer(imports, name="import")


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="A labelled folder.")],
    out: Annotated[Path, typer.Option(help="The .zip to write.")],
    people: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Only these people; all unless told.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Pack a labelled folder, or some of its people, into one .zip.

    Every command that takes a labelled folder also takes such a .zip.

    Example: anotheryou data pack sets/rotation --people 100-123 --out mini.zip
    """
    from cli.console import RichProgress
    from facedata.packing import pack_labelled, parse_people

    refuse_existing(out, force)
    chosen = None if people is None else parse_people(people)
    count = pack_labelled(folder, out, people=chosen, progress=RichProgress())
    typer.echo(f"{out}: {count:,} pictures, {out.stat().st_size / 1e6:.1f} MB.")
