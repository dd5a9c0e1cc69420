"""How long-running library code tells whoever listens how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one piece of work; the command line draws it, tests ignore it."""

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a piece of work: ``total`` units of it, or None if nobody knows."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Note ``count`` more units done; ``note`` replaces the short text beside the bar."""

    def finish(self) -> None:
        """End the piece of work, complete or not."""


class NoProgress:
    """Says nothing."""

    def start(self, what: str, total: int | None, unit: str) -> None: ...
    def advance(self, count: int = 1, note: str = "") -> None: ...
    def finish(self) -> None: ...


@contextmanager
def underway(progress: Progress | None, what: str, total: int | None, unit: str) -> Iterator[Progress]:
    """Begin a piece of work and end it with the block, however that ends; ``progress`` None tells nobody."""
    progress = progress or NoProgress()
    progress.start(what, total, unit)
    try:
        yield progress
    finally:
        progress.finish()
