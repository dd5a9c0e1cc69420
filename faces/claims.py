"""Files and folders that one process at a time may write to; the system's locks end with their process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from faces.errors import AnotherYouError, DataError
from faces.files import PART, write_durably

LOCK_FILE, RECIPE_FILE = ".lock", "recipe.json"


class Lock:
    """Locks a file for this process, and writes its number there, until ``release``.

    If it is locked already, raises at once the error that ``busy`` makes of who holds it ("process 12", or
    "another process").  The file stays after the release, since deleting it could let two writers in.
    """

    def __init__(self, path: Path, busy: Callable[[str], AnotherYouError]) -> None:
        self._path = path
        self._lock = FileLock(
            path, blocking=False, thread_local=False, fallback_to_soft=False, on_acquired=_sign
        )
        try:
            self._lock.acquire()
        except Timeout:
            raise busy(_holder(path)) from None

    def release(self) -> None:
        """Give the lock back; does nothing the second time."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                os.truncate(self._path, 0)
            self._lock.release()


@contextlib.contextmanager
def claimed(
    folder: Path,
    settings: Mapping[str, object],
    *,
    what: str,
    file: str = RECIPE_FILE,
    error: type[AnotherYouError] = DataError,
) -> Iterator[None]:
    """Make ``folder`` the place of one piece of work, and hold it against other processes meanwhile.

    ``settings`` (JSON values) tell this work from every other; they are kept in ``file`` inside the folder,
    which is made if it is missing.  What an interrupted writer left unfinished is cleared away.  ``what``
    names the work in messages ("training").  Raises ``error`` if another process is writing to the folder,
    or if it holds work of other settings (it says which differ) or anything else; OSError if it cannot be
    written.
    """
    if folder.exists() and not folder.is_dir():
        raise error(f"{folder} is a file; choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / file

    def refuse_others() -> None:
        if kept.is_file():
            _compare(kept, settings, what, error)
        elif any(entry.name != LOCK_FILE and entry.suffix != PART for entry in folder.iterdir()):
            raise error(f"{folder} is not empty and holds no {what}; choose another folder.")

    def busy(who: str) -> AnotherYouError:
        return error(f"{who.capitalize()} is writing to {folder}; wait for it or choose another folder.")

    refuse_others()  # before anything is written there
    lock = Lock(folder / LOCK_FILE, busy)
    try:
        refuse_others()
        for leftover in folder.glob("*" + PART):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        if not kept.exists():
            write_durably(kept, json.dumps(settings, indent=1, sort_keys=True).encode())
        yield
    finally:
        lock.release()


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


def _holder(path: Path) -> str:
    try:
        number = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        number = ""
    return f"process {number}" if number.isdigit() else "another process"


def _compare(kept: Path, settings: Mapping[str, object], what: str, error: type[AnotherYouError]) -> None:
    try:
        old = json.loads(kept.read_bytes())
    except ValueError:
        raise error(f"{kept} is damaged; delete the folder to start again.") from None
    differing = _differences(old, json.loads(json.dumps(settings)))
    if differing:
        raise error(
            f"{kept.parent} holds another {what}, begun with other settings ({', '.join(differing)}); "
            "choose another folder, or give the same settings to go on."
        )


def _differences(old: object, new: object, name: str = "") -> list[str]:
    """Which settings differ, such as ``recipe.batch: 32 there, 128 here``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in _differences(old.get(key), new.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if old == new else [f"{name}: {old} there, {new} here"]
