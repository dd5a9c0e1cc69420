"""Put the photographs of an answer into a folder, as copies or links; nothing there is ever replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

from faces.errors import PhotoError
from retrieval.answers import Hit
from retrieval.examine import content_of


def copy_photographs(hits: Iterable[Hit], folder: Path | str) -> list[Path]:
    """Copy the photographs of hits into a folder, each once, and give where they are now, the best first.

    The folder is made if there is none.  Of a name that is taken the copy gets a number, ``garden-2.jpg``;
    a photograph that is there already under its name is left as it is.  Photographs that are gone are passed
    over.  Raises PhotoError for a folder that is a file, OSError if something cannot be written.
    """
    return _deliver(hits, folder, _same_content, _copy)


def link_photographs(hits: Iterable[Hit], folder: Path | str) -> list[Path]:
    """Put symbolic links to the photographs of hits into a folder; else as ``copy_photographs``."""
    return _deliver(hits, folder, _same_target, _link)


def _deliver(
    hits: Iterable[Hit],
    folder: Path | str,
    is_there: Callable[[Path, Path], bool],
    put: Callable[[Path, Path], None],
) -> list[Path]:
    target = Path(folder).expanduser()
    if target.exists() and not target.is_dir():
        raise PhotoError(target, "is a file; name a folder for the photographs")
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for source in map(Path, dict.fromkeys(hit.path for hit in hits if hit.exists)):
        for place in _names(target / source.name):
            if is_there(source, place):
                break
            try:
                put(source, place)
            except FileExistsError:
                continue
            break
        made.append(place)
    return made


def _names(first: Path) -> Iterator[Path]:
    """Give a path, and then the same with numbers."""
    yield first
    for number in count(2):
        yield first.with_stem(f"{first.stem}-{number}")


def _copy(source: Path, place: Path) -> None:
    with source.open("rb") as content, place.open("xb") as copy:
        try:
            shutil.copyfileobj(content, copy)
            copy.close()
            shutil.copystat(source, place)
        except BaseException:
            place.unlink()
            raise


def _same_content(source: Path, place: Path) -> bool:
    return (
        place.is_file()
        and place.stat().st_size == source.stat().st_size
        and content_of(place) == content_of(source)
    )


def _link(source: Path, place: Path) -> None:
    place.symlink_to(source)


def _same_target(source: Path, place: Path) -> bool:
    return place.is_symlink() and os.readlink(place) == str(source)  # noqa: PTH115
