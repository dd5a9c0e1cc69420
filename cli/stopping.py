"""Ending a training politely."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import typer

from cli.guard import INTERRUPTED


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or SIGTERM, so that the training ends after a step; a second one interrupts."""
    stopped = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell_end(finished: bool, out: Path) -> None:
    """Say that the weights in ``out`` are trained, or how to go on; ends the program in the second case."""
    from cli.console import say

    if not finished:
        say("stopped and kept; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"trained: {out}")
