"""``anotheryou serve``: search, photographs and library as pages for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import say
from cli.options import CollectionOption


def serve(
    collection: CollectionOption = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="The port; 0 takes any that is free.")
    ] = 8391,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let other machines in, at this address of this one (0.0.0.0: any); needs --password-file.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file that only you can read, whose first line is the password to sign in with.",
        ),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the pages in the browser as well.")
    ] = False,
) -> None:
    """Show the collection as pages: search with a picture, turn a dial, look through the photographs.

    Only programs of this machine reach it, and only with the address that is printed: it has a token in it.
    There need not be a collection yet; the first page asks for a folder. Ctrl-C ends it.

    Example:

        anotheryou serve --open
        anotheryou serve --host 192.168.1.20 --password-file ~/.anotheryou-password
    """
    from pages.serving import serve as serve_pages

    serve_pages(
        collection,
        host=host,
        port=port,
        password_file=password_file,
        open_browser=open_browser,
        say=lambda line: typer.echo(line),
    )
    say("ended")
