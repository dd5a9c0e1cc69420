"""What all readers share: what is to be imported, and what is told about what is not there."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facedata.labels import LabelRow
from faces.errors import DataError
from faces.progress import Progress, underway

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
_TOLD = 8  # names in one line before "and N more"


class LeftOutError(Exception):
    """A picture cannot be imported; the message is a short plain phrase that says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a set: where it lies, and its line in the new labels.

    ``row.file`` is its name in the new folder, which ends in .png.  Pictures of one ``group`` were taken
    together, so that the face lies at one place in all of them; "" stands for a picture of its own.
    ``number`` tells pictures within one file apart.
    """

    source: Path
    row: LabelRow
    group: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import will do.

    ``missing`` says in plain sentences what the full set has and this copy lacks; ``notes`` what else is
    worth knowing, such as pictures of other names.
    """

    entries: Sequence[Entry]
    missing: Sequence[str] = ()
    notes: Sequence[str] = ()

    def require_all(self, name: str) -> None:
        """Raise DataError, which names what is missing, unless nothing is."""
        if self.missing:
            more = len(self.missing) - _TOLD
            told = "; ".join(self.missing[:_TOLD]) + (f"; and {more:,} more" if more > 0 else "")
            raise DataError(
                f"this copy of {name} is not complete: {told}. "
                "Add what is missing, or give --partial to import the rest."
            )


def files_below(
    folder: Path,
    *,
    skip: Callable[[str], bool] = lambda name: False,
    progress: Progress | None = None,
) -> Iterator[Path]:
    """Yield all files below a folder in order of name, hidden ones left out.

    ``skip`` is asked the lower-case name of each folder, and keeps out of those for which it is true.  Raises
    DataError if the folder cannot be listed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give the one that holds the set.")

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be listed ({error.strerror}).") from error

    seen = set()
    with underway(progress, "looking for files", None, "files") as looking:
        for place, below, names in os.walk(folder, onerror=fail, followlinks=True):
            status = Path(place).stat()
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above it would never end
                below.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            below[:] = sorted(name for name in below if name[0] != "." and not skip(name.lower()))
            for name in sorted(names):
                if name[0] != ".":
                    looking.advance()
                    yield Path(place, name)


def listed(words: Iterable[str]) -> str:
    """Write ``a, b and 3 more``: enough of the words to know what to look for."""
    words = list(words)
    told = ", ".join(words[:_TOLD])
    return f"{told} and {len(words) - _TOLD:,} more" if len(words) > _TOLD else told


def people_missing(
    found: Collection[str], expected: int, where: str, absent: Iterable[str] = ()
) -> list[str]:
    """Say in one sentence if other than the expected number of people were found.

    ``absent`` are names not found.
    """
    if len(found) == expected:
        return []
    names = list(absent)
    tail = f": {listed(names)} {'is' if len(names) == 1 else 'are'} missing" if names else ""
    return [f"{where} has {expected:,} people; {len(found):,} found{tail}"]


def other_names(paths: Sequence[Path], example: str) -> list[str]:
    """Note pictures whose names are not the set's."""
    if not paths:
        return []
    return [f"left out because of names unlike {example}: {listed(path.name for path in paths)}"]


def in_halves(people: Iterable[str]) -> dict[str, str]:
    """Split a set without a protocol: in order of name the first half trains, the others test."""
    names = sorted(set(people))
    half = (len(names) + 1) // 2
    return {name: "train" if at < half else "test" for at, name in enumerate(names)}


def in_order(entries: Iterable[Entry], rank: Callable[[str], int]) -> dict[str, list[Path]]:
    """Order the pictures of each group, those whose light has the lowest rank first."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.group].append((rank(entry.row.light), entry.row.light, entry.source))
    return {group: [path for _, _, path in sorted(found)] for group, found in groups.items()}


def nothing_found(folder: Path, what: str, give: str) -> DataError:
    """Make the error for a folder in which no picture of the set lies."""
    return DataError(f"{folder} holds no pictures named as {what} are; give {give}.")


def read_mat(path: Path, *names: str) -> dict[str, Any]:
    """Read the named variables that a MATLAB file has; raises LeftOutError if it cannot be read."""
    from scipy.io import loadmat

    try:
        found: dict[str, Any] = loadmat(str(path), variable_names=names, appendmat=False)
    # A damaged file makes the reader raise nearly anything, and one bad file must never stop an import.
    except Exception as error:
        raise LeftOutError(f"{path.name} is no MATLAB file that can be read ({error})") from None
    return {name: found[name] for name in names if name in found}
