"""Options that several commands share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

CollectionOption = Annotated[
    Path | None,
    typer.Option(
        "--collection",
        metavar="DIR",
        help="The collection's folder; otherwise $ANOTHERYOU_COLLECTION or one among your user data.",
        show_default=False,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="NAME|DIR",
        help="Weights that come along, or a folder of them; otherwise those that made the collection.",
        show_default=False,
    ),
]
DetectorOption = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="NAME|FILE",
        help="What finds the faces: hog+cnn (the default), hog (quicker), cnn, or YuNet's .onnx file.",
        show_default=False,
    ),
]


@contextmanager
def asked_to_stop(meanwhile: str) -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C only makes the given function true; the second one ends the program.

    ``meanwhile`` is said at the first.
    """
    from cli.console import say

    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say(meanwhile)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
