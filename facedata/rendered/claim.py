"""The folder that a rendered set is written to: one writer at a time, one recipe for ever."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from faces.errors import DataError

RECIPE_FILE = "recipe.json"
LOCK_FILE = ".lock"
PART = ".part"  # ends the name of what is not complete


@contextmanager
def claimed(out: Path, settings: Mapping[str, object]) -> Iterator[None]:
    """Hold the folder ``out`` for writing the set that ``settings`` (JSON values) describe.

    Makes it where it is missing and clears away what an interrupted writer left unfinished.  Raises DataError
    where another process is writing to it, or where it holds another set or anything else; OSError where it
    cannot be written.
    """
    text = json.dumps(settings, indent=1, sort_keys=True).encode()
    out.mkdir(parents=True, exist_ok=True)
    _refuse_others(out, text)
    with (out / LOCK_FILE).open("ab") as lock:
        if not _locked(lock):
            raise DataError(f"Another process is writing to {out}; wait for it or choose another folder.")
        for leftover in out.glob("*" + PART):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        _refuse_others(out, text)
        if not (out / RECIPE_FILE).exists():
            part = out / (RECIPE_FILE + PART)
            part.write_bytes(text)
            part.replace(out / RECIPE_FILE)
        yield


def _refuse_others(out: Path, text: bytes) -> None:
    path = out / RECIPE_FILE
    if path.is_file():
        if path.read_bytes() != text:
            raise DataError(f"{out} was begun with other settings; choose another folder or delete it.")
    elif any(entry.name != LOCK_FILE and entry.suffix != PART for entry in out.iterdir()):
        raise DataError(f"{out} is not empty and holds no rendered set; choose another folder.")


if sys.platform == "win32":
    import msvcrt

    def _locked(lock: IO[bytes]) -> bool:
        """Take the lock that the system frees when this process ends; False where another has it."""
        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(lock: IO[bytes]) -> bool:
        """Take the lock that the system frees when this process ends; False where another has it."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
