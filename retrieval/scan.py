"""Find the photographs in folders, and tell which are gone."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faces.errors import PhotoError
from faces.photo import PHOTO_SUFFIXES

_NO_FILE = "is not an ordinary file"
# Folders in which the system mounts disks, each under a name that is gone with the disk.
_DISKS = re.compile(r"/mnt|/Volumes|(/run)?/media(/[^/]+)?|/run/user/[^/]+/gvfs")


@dataclass(frozen=True, slots=True)
class Found:
    """A photograph's file; ``named`` if the user named the file itself."""

    path: str
    size: int
    mtime_ns: int
    named: bool = False


class Scan:
    """Find the photographs in folders and below, each under its real path, in the order of the names.

    Links are followed, each folder is entered once, hidden files and folders are passed over unless named.
    Folders in ``leave_out`` are not entered.  After each pass ``unreadable`` and ``passed_over`` say what was
    left out and why.  Raises PhotoError if one of ``folders`` does not exist.
    """

    def __init__(self, folders: Sequence[Path], leave_out: Sequence[Path] = ()) -> None:
        self._named = [_real(folder) for folder in folders]
        self._left_out = {key for folder in leave_out if (key := _key(str(folder))) is not None}
        self.roots = list(self._named)  # everything below was looked at; links that lead elsewhere add to it
        self.unreadable: list[tuple[str, str]] = []  # folders, each with the reason
        self.passed_over: list[tuple[str, str]] = []  # what only has a photograph's name, with the reason

    def __iter__(self) -> Iterator[Found]:
        self.unreadable, self.passed_over = [], []
        entered = set(self._left_out)
        for path in self._named:
            status = Path(path).stat()
            if stat.S_ISDIR(status.st_mode):
                yield from self._folder(path, entered)
            elif stat.S_ISREG(status.st_mode):
                yield Found(path, status.st_size, status.st_mtime_ns, named=True)
            else:
                self.passed_over.append((path, _NO_FILE))

    def count(self) -> int:
        """Count the photographs; one met twice counts twice."""
        return sum(1 for _ in self)

    def _folder(self, first: str, entered: set[tuple[int, int]]) -> Iterator[Found]:
        waiting = [first]
        while waiting:
            folder = waiting.pop()
            key = _key(folder)
            if key is None or key in entered:
                continue
            entered.add(key)
            try:
                # Names alone: 100,000 of them in one folder are a few megabytes.
                names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
            except OSError as error:
                self.unreadable.append((folder, (error.strerror or str(error)).lower()))
                continue
            inner: list[str] = []
            for name in names:
                # A Path for each would take longer than looking at the file.
                path = here = os.path.join(folder, name)  # noqa: PTH118
                try:
                    status = os.lstat(path)
                    if stat.S_ISLNK(status.st_mode):
                        path = os.path.realpath(path)
                        self._reach(path)
                        status = Path(path).stat()
                except OSError as error:
                    if _may_be_photo(here) and os.path.islink(here):  # noqa: PTH114  (else it was just deleted)
                        self.passed_over.append((here, _link_fault(error)))
                    continue
                if stat.S_ISDIR(status.st_mode):
                    inner.append(path)
                elif not stat.S_ISREG(status.st_mode):
                    if _may_be_photo(here):
                        self.passed_over.append((here, _NO_FILE))
                elif _may_be_photo(path):
                    yield Found(path, status.st_size, status.st_mtime_ns)
            waiting += reversed(inner)

    def _reach(self, path: str) -> None:
        """Note that a link leads here."""
        if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in self.roots):
            self.roots.append(path)


def is_gone(path: str) -> bool:
    """Tell whether there is certainly nothing at this path; a folder that cannot be read proves nothing."""
    try:
        os.lstat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def unplugged(folder: str) -> str | None:
    """Find the disk that may be missing if photographs are gone from a folder; None if they were deleted.

    A disk that is not plugged in leaves an empty folder behind; or nothing, in a folder of disks.
    """
    here, below = Path(folder), None
    while not here.exists():
        here, below = here.parent, here
    if here.is_mount():
        return None
    if below is not None and _DISKS.fullmatch(str(here)):
        return str(below)
    try:
        return None if any(here.iterdir()) else str(here)
    except OSError:
        return None


def _real(folder: Path) -> str:
    path = os.path.realpath(folder.expanduser())
    if not os.path.exists(path):  # noqa: PTH110
        raise PhotoError(folder, "there is no such file or folder")
    return path


def _may_be_photo(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in PHOTO_SUFFIXES  # noqa: PTH122


def _link_fault(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is a link to what is not there"
    if error.errno == errno.ELOOP:
        return "is a link that leads in a circle"
    return f"is a link that cannot be followed ({(error.strerror or str(error)).lower()})"


def _key(folder: str) -> tuple[int, int] | None:
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
