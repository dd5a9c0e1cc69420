"""Find the photographs in folders, and tell which are gone."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from pathspec import GitIgnoreSpec

from faces.errors import FilterError, PhotoError
from faces.photo import PHOTO_SUFFIXES

NOMEDIA = ".nomedia"
"""A file of this name, which Android's programs put there, keeps a folder out."""

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
    Folders in ``leave_out`` are not entered, nor what patterns of ``exclude`` match, which are those of a
    .gitignore in each of ``folders``, nor what holds a file .nomedia.  ``only`` are the paths below the
    folders to look at; None: all.  After each pass ``unreadable`` and
    ``passed_over`` say what was left out and why.  Raises PhotoError if one of ``folders`` does not exist.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        leave_out: Sequence[Path] = (),
        only: Sequence[Path | str] | None = None,
    ) -> None:
        self._named = [_real(folder) for folder in folders]
        self._left_out = {key for folder in leave_out if (key := folder_key(str(folder))) is not None}
        self._spec: GitIgnoreSpec | None = None
        self._silent = cache(_has_nomedia)
        self._only = None if only is None else [os.path.realpath(path) for path in only]
        self.roots = list(self._named)  # everything below was looked at; links that lead elsewhere add to it
        self.unreadable: list[tuple[str, str]] = []  # folders, each with the reason
        self.passed_over: list[tuple[str, str]] = []  # what only has a photograph's name, with the reason

    def exclude(self, patterns: Sequence[str]) -> None:
        """Leave out what these match; raises FilterError for one that cannot be read."""
        for pattern in patterns:
            if "\n" in pattern:
                raise FilterError("a pattern of what to exclude is one line")
            try:
                GitIgnoreSpec.from_lines([pattern])
            except ValueError as error:
                raise FilterError(f"{pattern!r} is no pattern to exclude by: {error}") from error
        self._spec = GitIgnoreSpec.from_lines(patterns) if patterns else None

    def __iter__(self) -> Iterator[Found]:
        self.unreadable, self.passed_over = [], []
        self._silent.cache_clear()
        entered = set(self._left_out)
        for path in self._first():
            try:
                status = Path(path).stat()
            except OSError:
                if self._only is None:
                    raise
                continue  # deleted just now
            if stat.S_ISDIR(status.st_mode):
                yield from self._folder(path, entered)
            elif stat.S_ISREG(status.st_mode):
                named = self._only is None
                if named or _may_be_photo(path):
                    yield Found(path, status.st_size, status.st_mtime_ns, named)
            elif self._only is None:
                self.passed_over.append((path, _NO_FILE))

    def count(self) -> int:
        """Count the photographs; one met twice counts twice."""
        return sum(1 for _ in self)

    @property
    def swept(self) -> list[str]:
        """Where photographs that this scan has not met are gone or excluded."""
        return self.roots if self._only is None else self._only

    def excludes(self, path: str) -> bool:
        """Tell whether the photograph at this real path is to be left out."""
        root, inner = self._place(path)
        folders = [] if root in self._named else [root]
        folders += [os.path.join(root, folder) for folder in list(inner.parents)[:-1]]  # noqa: PTH118
        return any(map(self._silent, folders)) or self._matches(path)

    def _matches(self, path: str, ending: str = "") -> bool:
        """Tell whether a pattern matches; ``ending`` is "/" for a folder."""
        if self._spec is None:
            return False
        inner = self._place(path)[1]
        return inner != PurePath() and self._spec.match_file(inner.as_posix() + ending)

    def _place(self, path: str) -> tuple[str, PurePath]:
        """Give the innermost root around a path, and the path within it; of a link's target its name."""
        root = max((root for root in self.roots if is_below(path, root)), key=len, default=path)
        if root == path:
            return root, PurePath() if path in self._named else PurePath(PurePath(path).name)
        return root, PurePath(path).relative_to(root)

    def _first(self) -> Iterator[str]:
        """Where a pass begins."""
        if self._only is None:
            yield from self._named
            return
        for path in self._only:
            self._reach(path)
            hidden = any(part.startswith(".") for part in self._place(path)[1].parts)
            if os.path.exists(path) and not hidden and not self.excludes(path):  # noqa: PTH110
                yield path

    def _folder(self, first: str, entered: set[tuple[int, int]]) -> Iterator[Found]:
        waiting = [first]
        while waiting:
            folder = waiting.pop()
            key = folder_key(folder)
            if key is None or key in entered:
                continue
            entered.add(key)
            try:
                # Names alone: 100,000 of them in one folder are a few megabytes.
                found = os.listdir(folder)  # noqa: PTH208
            except OSError as error:
                self.unreadable.append((folder, (error.strerror or str(error)).lower()))
                continue
            if NOMEDIA in found and folder not in self._named:
                continue
            names = sorted(name for name in found if not name.startswith("."))
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
                if self._matches(path, "/" if stat.S_ISDIR(status.st_mode) else ""):
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
        if not any(is_below(path, root) for root in self.roots):
            self.roots.append(path)


def is_below(path: str, root: str) -> bool:
    """Tell whether a path is a folder itself, or anywhere below it."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


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


def _has_nomedia(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, NOMEDIA))  # noqa: PTH110, PTH118


def _link_fault(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is a link to what is not there"
    if error.errno == errno.ELOOP:
        return "is a link that leads in a circle"
    return f"is a link that cannot be followed ({(error.strerror or str(error)).lower()})"


def folder_key(folder: str) -> tuple[int, int] | None:
    """Give what tells a folder from every other, disk and number; None if there is none."""
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
