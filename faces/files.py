"""Files that are replaced in one step: a reader sees the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PART = ".part"
"""Ends the name of a file or folder that is not complete yet."""


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to; at the end of the block that file takes the place of ``path``.

    After an error ``path`` is as it was.  A kill never leaves a half; with ``durable``, which waits for the
    disk, neither does a power cut.  Raises OSError if the folder cannot be written to.
    """
    part = path.with_name(path.name + PART)
    try:
        yield part
        if durable:
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a kill leaves the old one or the new one; raises OSError."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that a kill or a power cut leaves the old one or the new one; raises OSError."""
    with replacing(path, durable=True) as part:
        part.write_bytes(content)
