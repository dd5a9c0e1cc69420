"""The command line: ``anotheryou COMMAND``.

Every command's module imports what is large inside its functions, so that ``anotheryou --help`` answers at
once: at its top only typer, the standard library, what lies beside it and the errors.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli.benchmark import benchmark
from cli.console import say
from cli.data import app as data
from cli.edit import edit
from cli.fit import calibrate, fit_projection
from cli.guard import INTERRUPTED, GuardedGroup
from cli.index import copy, forget, index, info, rebuild, reindex
from cli.people import app as people
from cli.search import search
from cli.serve import serve
from cli.train import train
from cli.train_others import train_classifier, train_cpi, train_flow, train_rivals
from cli.watch import watch

# In the order in which a user meets them: before the group `data`, and after it.
_FIRST = (index, watch, search, serve, edit, info, reindex, rebuild, copy, forget)
_LAST = (train, train_classifier, train_flow, train_rivals, train_cpi, fit_projection, calibrate, benchmark)


class Program(GuardedGroup):
    """All commands; typer itself would list the group last."""

    def list_commands(self, ctx: Any) -> list[str]:
        order = [*(one.__name__ for one in _FIRST), "data"]
        order.insert(order.index("search") + 1, "people")
        return order + [name for name in self.commands if name not in order]


app = typer.Typer(
    name="anotheryou",
    cls=Program,
    no_args_is_help=True,
    # Plain help: no markup can be misread in it, and it is there without loading rich.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def help_of(command: Callable[..., None]) -> str:
    """A command's docstring as its help; indented paragraphs and the example keep their lines."""
    paragraphs = []
    for paragraph in (inspect.getdoc(command) or "").split("\n\n"):
        beside = paragraph.removeprefix("Example:")
        if beside not in (paragraph, ""):
            paragraphs += ["Example:", f"\b\n    {' '.join(beside.split())}"]
        else:
            paragraphs.append(f"\b\n{paragraph}" if paragraph.startswith("    ") else paragraph)
    return "\n\n".join(paragraphs)


def _set_helps(program: typer.Typer) -> None:
    for command in program.registered_commands:
        if command.callback is not None:
            command.help = help_of(command.callback)
    for group in program.registered_groups:
        if group.typer_instance is not None:
            _set_helps(group.typer_instance)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"anotheryou {version('anotheryou')}")
        raise typer.Exit


def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every error.")] = False,
) -> None:
    """Find the photo of this person: turned, or wearing what you ask for.

    Index your photographs once, then search them with one picture and a wish. Everything stays on this
    machine.

    Example:

        anotheryou index ~/Pictures
        anotheryou search me.jpg --pose +30
    """


app.callback(help=help_of(program))(program)
for command in (*_FIRST, *_LAST):
    app.command()(command)
app.add_typer(people, name="people")
app.add_typer(data, name="data")
_set_helps(app)


def main() -> None:
    """Run the command line; the console script ``anotheryou``."""
    for stream in (sys.stdout, sys.stderr):
        # A file name need not be valid text, and printing it must not end the run.
        utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")  # type: ignore[union-attr]
    if not sys.warnoptions and "--debug" not in sys.argv:
        warnings.simplefilter("ignore")  # they speak to programmers
    try:
        app(prog_name="anotheryou")
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader (head, less) has seen enough; without this Python complains when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
