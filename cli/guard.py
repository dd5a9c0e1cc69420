"""What becomes of an error at the command line.

Errors raised on purpose, and those of the machine (a full disk, no permission), are one plain line on
stderr and exit status 1; Ctrl-C is one line and 130.  Anything else is a mistake in the program and keeps its
traceback.  ``--debug``, anywhere on the line, shows the traceback of every error.
"""

from __future__ import annotations

import gc
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from cli.console import end_drawing, say
from faces.errors import AnotherYouError

INTERRUPTED = 130
_DEBUG = "--debug"
# Modules that only some users install, and what brings them.
_EXTRAS = {"faiss": "cpu", "cv2": "yunet", "embreex": "render", "scipy": "render"}
_EXTRAS |= dict.fromkeys(("fastapi", "starlette", "uvicorn", "python_multipart"), "serve")


def plain_sentence(error: BaseException) -> str | None:
    """The one line a user should read for this error, or None if only a traceback will do."""
    if isinstance(error, AnotherYouError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (module := (error.name or "").split(".")[0]) in _EXTRAS:
        extra = _EXTRAS[module]
        return f"this needs the module {module}; install it with: pip install 'anotheryou[{extra}]'"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, BrokenPipeError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return None


def tell(error: BaseException, *, debug: bool = False) -> int:
    """Say what happened in one line, after the traceback if ``debug``, and give the exit status.

    Raises the error again if only a traceback will do.
    """
    end_drawing()
    interrupted = isinstance(error, KeyboardInterrupt | typer.Abort)  # Abort: Ctrl-C at a question
    sentence = "interrupted" if interrupted else plain_sentence(error)
    if sentence is None:
        raise error
    if debug:
        traceback.print_exception(error)
    say(sentence)
    return INTERRUPTED if interrupted else 1


def run_script(main: Callable[[], None]) -> int:
    """Run a script and give its exit status; its errors are told as the commands' are."""
    try:
        main()
    except (KeyboardInterrupt, Exception) as error:
        return tell(error)
    return 0


@contextmanager
def asked_to_stop(*signals: signal.Signals) -> Iterator[Callable[[], bool]]:
    """Give a function that turns true at the first of these signals; a second one ends the program."""
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("finishing what has begun; press Ctrl-C again to stop at once")

    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def debug_first(arguments: list[str]) -> list[str]:
    """Move ``--debug`` to the front of the arguments, so that the whole program sees it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if _DEBUG not in arguments[:end]:
        return arguments
    return [_DEBUG, *(word for word in arguments[:end] if word != _DEBUG), *arguments[end:]]


class GuardedGroup(TyperGroup):
    """The program's commands, with errors told as above; ``ctx`` is of a class that typer does not export."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, debug_first(args))

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Exception) as error:
            raise typer.Exit(tell(error, debug=bool(ctx.params.get("debug")))) from None


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage among what a short command loads: it takes a sixth of the time.

    What was loaded is not looked through afterwards either, when the process ends.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
