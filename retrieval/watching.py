"""Keep a collection up to date with folders for as long as this runs.

The system tells what changes in the folders, and that is taken in at once.  It does not tell everything: not
what happened before, while the machine slept or a disk was elsewhere, nor what other machines do on a network
disk.  So everything is looked through at the start, after each such break, and now and then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import watchfiles

from faces.errors import CollectionLockedError, CollectionMissingError, PhotoError
from faces.photo import PHOTO_SUFFIXES
from faces.progress import Progress
from index import Collection, Place
from retrieval.engine import Engine
from retrieval.examine import DetectorFactory
from retrieval.indexing import Change, IndexSummary, index_folders
from retrieval.loading import load_engine
from retrieval.location import collection_place
from retrieval.scan import NOMEDIA, folder_key, is_below
from retrieval.workers import default_workers

EVERY = 3600.0
"""Seconds between two looks through everything."""

_QUIET, _PATIENCE = 500, 5000  # milliseconds without a change after which all are taken in, or in any case
_TICK = 2.0  # seconds between two looks whether folders have come or gone
_ASLEEP = 30.0  # seconds that only pass between two of these looks if the machine slept
_POLLED = 2000  # milliseconds between two looks at folders whose changes the system does not tell


def watch(
    folders: Sequence[Path | str],
    *,
    stop: Callable[[], bool],
    collection: Place | str | None = None,
    exclude: Sequence[str] | None = None,
    engine: Engine | None = None,
    detector: DetectorFactory | str | Path | None = None,
    workers: int | None = None,
    poll: bool = False,
    every: float = EVERY,
    progress: Progress | None = None,
    changed: Callable[[Change], None] = lambda change: None,
    looked: Callable[[IndexSummary], None] = lambda summary: None,
    remark: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Take in whatever changes in folders until ``stop`` says so; make the collection if there is none.

    ``collection``, ``exclude``, ``engine``, ``detector`` and ``workers`` are as for ``index_folders``, and
    ``changed`` is told of each photograph as there.  ``looked`` gets the summary of each look through
    everything, which is taken at the start, ``every`` so many seconds, and after a break; only that shows
    ``progress``.  ``remark`` gets sentences, such as that a folder has gone.  ``poll`` looks for changes
    every two seconds instead of being told, as network disks need it.

    A folder that is not there is waited for, and its photographs are kept.  Between two changes others may
    write to the collection; while they do, changes wait.  Raises as ``index_folders`` does, but for folders
    that do not exist.
    """
    place = collection_place(collection)
    chosen = engine or _engine_of(place)

    def index(there: Sequence[str], only: Sequence[str] | None = None) -> IndexSummary:
        count = workers
        if only is not None and count is None and not any(map(os.path.isdir, only)):
            count = min(len(only), default_workers())
        return index_folders(
            there,
            collection=place,
            exclude=exclude,
            only=only,
            engine=chosen,
            detector=detector,
            workers=count,
            progress=progress if only is None else None,
            changed=changed,
            stop=stop,
        )

    own = os.path.realpath(place) if isinstance(place, Path) else None
    named = [Path(folder).expanduser() for folder in folders]
    _Watch(named, own, index, stop, looked, remark, every, poll).go()


@dataclass
class _Watch:
    """What ``watch`` is told and has found; ``own`` is the collection's folder."""

    named: list[Path]
    own: str | None
    index: Callable[..., IndexSummary]
    stop: Callable[[], bool]
    looked: Callable[[IndexSummary], None]
    remark: Callable[[str], None]
    every: float
    poll: bool
    missing: set[str] = field(default_factory=set)
    trouble: str = ""  # what was remarked last, so that it is not repeated every two seconds

    def go(self) -> None:
        while not self.stop():
            roots = self._roots()
            there = [root for root, key in roots.items() if key is not None]
            for root in roots:
                if root not in there and root not in self.missing:
                    self.remark(f"{root} is not there; its photographs are kept until it is")
                elif root in there and root in self.missing:
                    self.remark(f"{root} is there again")
            self.missing = set(roots).difference(there)
            if there:
                self._follow(there, roots)
            else:
                time.sleep(min(_TICK, self.every))

    def _follow(self, there: list[str], roots: dict[str, tuple[int, int] | None]) -> None:
        """Look through everything, then take in what is told, until it is time to do so anew."""
        waiting: set[str] = set()
        began: float | None = None
        last = time.time()
        for told in self._told(there):
            now = time.time()
            if self.stop() or self._roots() != roots:
                return
            if began is None:
                if (summary := self._indexed(there)) is None:
                    continue
                self.looked(summary)
                began = now
            elif now - began >= self.every or now - last >= _ASLEEP:
                return
            waiting.update(filter(None, (self._concerned(kind, path, there) for kind, path in told)))
            if waiting and (summary := self._indexed(there, sorted(waiting))) is not None:
                waiting.clear()
                for folder, count in summary.unplugged.items():
                    self.remark(f"{folder} is empty or gone; {count:,} of its photographs are kept")
            last = time.time()

    def _told(self, there: list[str]) -> Iterator[set[tuple[watchfiles.Change, str]]]:
        """Give what has changed, also nothing, at least every two seconds; the first before anything has."""
        try:
            yield from watchfiles.watch(
                *there,
                watch_filter=None,
                debounce=_PATIENCE,
                step=_QUIET,
                stop_event=_Event(self.stop),
                rust_timeout=int(1000 * min(_TICK, self.every)),
                yield_on_timeout=True,
                force_polling=self.poll or None,
                poll_delay_ms=_POLLED,
                ignore_permission_denied=True,
            )
        except FileNotFoundError:  # it has gone this moment
            time.sleep(min(_TICK, self.every))
        except (OSError, RuntimeError) as error:  # RuntimeError is the library's own
            if self.poll:
                raise
            self.poll = True
            self.remark(f"the system does not tell of changes here ({error}); looking every two seconds")

    def _indexed(self, there: list[str], only: list[str] | None = None) -> IndexSummary | None:
        """Bring the collection up to date; None if that must wait."""
        try:
            summary = self.index(there, only)
        except (CollectionLockedError, PhotoError, OSError) as error:
            if str(error) != self.trouble:
                self.remark(f"{error}; trying again until it can be done")
            self.trouble = str(error)
            return None
        self.trouble = ""
        return summary

    def _concerned(self, kind: watchfiles.Change, path: str, there: list[str]) -> str | None:
        """Give what a run has to look at because of a change, if anything."""
        if self.own is not None and is_below(path, self.own):
            return None
        name = PurePath(path)
        if name.name == NOMEDIA:
            return str(name.parent)
        root = max((root for root in there if is_below(path, root)), key=len, default=None)
        if root is None or any(part.startswith(".") for part in name.relative_to(root).parts):
            return None
        if name.suffix.lower() in PHOTO_SUFFIXES or kind is watchfiles.Change.deleted:
            return path  # what is deleted may have been a folder
        return path if kind is watchfiles.Change.added and os.path.isdir(path) else None  # noqa: PTH112

    def _roots(self) -> dict[str, tuple[int, int] | None]:
        """Give the real paths of the folders, with what changes if a disk is plugged in there; None: gone."""
        paths = map(os.path.realpath, self.named)
        return {path: folder_key(path) for path in paths}


@dataclass(frozen=True, slots=True)
class _Event:
    """``stop`` as watchfiles asks it."""

    stop: Callable[[], bool]

    def is_set(self) -> bool:
        return self.stop()


def _engine_of(place: Place) -> Engine:
    """Open what made the collection, or what is to make it; its networks are loaded once, when needed."""
    try:
        with Collection(place) as collection, collection.snapshot() as snapshot:
            return load_engine(layout=snapshot.layout)
    except CollectionMissingError:
        return load_engine()
