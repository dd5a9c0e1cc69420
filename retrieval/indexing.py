"""Bring folders of photographs into a collection.

Workers read photographs and find faces; this process encodes the faces, a batch at a time, and stores each
batch in one transaction.  Whatever ends a run, the next one goes on from there.
"""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path

from faces.detect import MIN_FACE
from faces.errors import CollectionError, CollectionMissingError, PhotoError
from faces.progress import NoProgress, Progress
from index import CollectionWriter, KnownPhoto, NewCollection, Status
from retrieval.batch import Batch
from retrieval.engine import Engine
from retrieval.examine import DetectorFactory, Examined, content_of, detector_factory
from retrieval.forgetting import count_known
from retrieval.loading import check_layout, is_outdated, load_engine
from retrieval.location import default_collection
from retrieval.scan import Found, PathSet, Scan, is_gone, unplugged
from retrieval.workers import Examiners, default_workers

_LOOKED_UP = 256  # paths looked up in the catalogue at a time
_LISTED = 10  # skipped photographs named in the summary
_PATIENCE = 0.2  # seconds between two looks whether to stop


@dataclass(slots=True)
class IndexSummary:
    """What a run over folders did.

    ``photographs`` were found; of those ``unchanged`` cost a look at the file, ``moved`` kept their faces,
    ``read`` were read and ``skipped`` could not be, the first ten of them in ``reasons`` (path, reason).
    ``skipped_before`` are unchanged ones that could not be read in an earlier run; ``forgotten`` stay out
    because the user had them removed.  ``removed`` are no longer there.  ``unplugged`` are folders that are
    empty or gone as if their disk was not plugged in, each with the number of photographs that are kept.
    ``faces`` were added, ``too_small`` left out.  ``unreadable`` are folders (path, reason).
    ``interrupted``: the run was asked to stop; the same command goes on.
    """

    photographs: int = 0
    unchanged: int = 0
    moved: int = 0
    read: int = 0
    skipped: int = 0
    skipped_before: int = 0
    forgotten: int = 0
    removed: int = 0
    faces: int = 0
    too_small: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    reasons: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    unplugged: dict[str, int] = field(default_factory=dict)


def index_folders(
    folders: Sequence[Path | str],
    *,
    collection: Path | str | None = None,
    weights: Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    min_face: int | None = None,
    include_forgotten: bool = False,
    engine: Engine | None = None,
    detector: DetectorFactory | str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> IndexSummary:
    """Bring a collection up to date with folders (or single files); make it if there is none.

    ``collection`` is its folder, by default ``default_collection()``.  ``weights`` name the networks and
    ``identity`` the model of identity (see ``load_engine``), by default those that made it; ``engine`` gives
    them ready loaded.
    ``min_face``: the shorter side, in pixels, of the smallest face taken in, by default as in the last run.
    ``include_forgotten`` takes back what was forgotten; single files that are named always are.
    ``detector`` names one (see ``open_detector``), or is a function that opens one in each of ``workers``
    processes (by default one per core; 0: none, everything in this process).  ``stop`` is asked now and then
    whether to finish early; what is ready is stored then.

    Raises PhotoError if a folder does not exist, CollectionLockedError if another process is writing,
    CollectionWeightsError if the collection was made with other weights, CollectionError if it cannot
    be used or was made with another detector, DetectorError and WeightsError as those say.
    """
    place = default_collection() if collection is None else Path(collection).expanduser()
    try:
        scan = Scan([Path(folder) for folder in folders], leave_out=[place])
    except PhotoError as error:
        raise _with_advice(error, place) from error
    with ExitStack() as stack:
        try:
            writer = stack.enter_context(CollectionWriter(place))
        except CollectionMissingError:
            engine = engine or load_engine(weights, identity)
            new = NewCollection(engine.layout, "", min_face or MIN_FACE)
            writer = stack.enter_context(CollectionWriter(place, new))

        @cache
        def loaded() -> Engine:
            """Load the weights if needed; it takes longer than finding that nothing has changed."""
            used = engine or load_engine(weights, identity, layout=writer.layout)
            check_layout(place, writer.layout, used.layout)
            return used

        if any(one is not None for one in (engine, weights, identity)) or is_outdated(writer.layout):
            loaded()
        smallest = writer.detection[1] if min_face is None else min_face
        factory = detector_factory(detector, smallest)

        def open_examiners() -> Examiners:
            count = default_workers() if workers is None else workers
            model = loaded().identity
            cut = None if model is None else model.cut
            examiners = stack.enter_context(Examiners(factory, loaded().geometry, smallest, cut, count))
            _check_detector(writer, examiners.detector, smallest)
            return examiners

        met = stack.enter_context(closing(PathSet()))
        batch = Batch(writer, loaded, smallest)
        run = _Run(writer, scan, batch, met, smallest, include_forgotten, open_examiners, stop or _never)
        return run.go(progress or NoProgress())


class _Run:
    """One run over the files of a scan."""

    def __init__(
        self,
        writer: CollectionWriter,
        scan: Scan,
        batch: Batch,
        met: PathSet,
        min_face: int,
        include_forgotten: bool,
        open_examiners: Callable[[], Examiners],
        stop: Callable[[], bool],
    ) -> None:
        self._writer, self._scan, self._batch, self._met = writer, scan, batch, met
        self._min_face, self._include_forgotten = min_face, include_forgotten
        self._open_examiners, self._stop = open_examiners, stop
        self._examiners: Examiners | None = None  # opened for the first photograph that must be read
        self._given: dict[str, Found] = {}  # being examined
        self._summary = IndexSummary()
        self._began = time.monotonic()

    def go(self, progress: Progress) -> IndexSummary:
        summary, self._progress = self._summary, progress
        progress.start("Indexing", self._scan.count(), "photographs")
        files = iter(self._scan)
        while not self._stopped() and (some := list(islice(files, _LOOKED_UP))):
            self._take(some)
        while self._given and not self._stopped():
            self._fetch(_PATIENCE)
        self._fetch(0)
        self._batch.store()
        progress.finish()
        if not summary.interrupted:
            self._sweep()
            self._writer.remember_detection(self._writer.detection[0], self._min_face)
            self._writer.refresh_vectors(progress=progress)
        summary.unreadable = self._scan.unreadable
        summary.seconds = time.monotonic() - self._began
        return summary

    def _stopped(self) -> bool:
        if not self._summary.interrupted and self._stop():
            self._summary.interrupted = True
        return self._summary.interrupted

    def _take(self, some: list[Found]) -> None:
        """Settle each file by what is known of it, or have it read."""
        new = [found for found in some if self._met.add(found.path)]
        self._progress.advance(len(some) - len(new))
        known = self._writer.known([found.path for found in new])
        for found in new:
            if self._stopped():
                return
            self._summary.photographs += 1
            if self._is_settled(found, known.get(found.path)):
                self._progress.advance()
                self._store_if_due()
            else:
                self._read(found)

    def _is_settled(self, found: Found, known: KnownPhoto | None) -> bool:
        """Tell whether the file needs no reading."""
        if known is None:
            return self._is_moved(found)
        if known.status is Status.FORGOTTEN:
            stays_out = not self._takes_back(found)
            self._summary.forgotten += stays_out
            return stays_out
        if known.content is None or not self._fits(known) or known.size != found.size:
            return False
        if known.mtime_ns != found.mtime_ns:
            if _content(found) != known.content:
                return False
            self._batch.find_again(replace(known, mtime_ns=found.mtime_ns))
        self._summary.unchanged += 1
        self._summary.skipped_before += known.status is Status.SKIPPED
        return True

    def _is_moved(self, found: Found) -> bool:
        """Tell whether a known photograph that is gone from its old place has come to this one."""
        if not self._writer.knows_size(found.size) or (content := _content(found)) is None:
            return False
        for known in self._writer.of_content(content):
            if known.status is Status.FORGOTTEN and self._takes_back(found):
                continue
            if self._fits(known) and not self._batch.has_found(known) and is_gone(known.path):
                self._batch.find_again(
                    replace(known, path=found.path, size=found.size, mtime_ns=found.mtime_ns)
                )
                self._summary.moved += 1
                return True
        return False

    def _takes_back(self, found: Found) -> bool:
        """Tell whether the user wants this photograph although it was forgotten once."""
        return found.named or self._include_forgotten

    def _fits(self, known: KnownPhoto) -> bool:
        """Tell whether what is known still holds with today's smallest face."""
        return known.status is not Status.OK or known.min_face == self._min_face

    def _read(self, found: Found) -> None:
        if self._examiners is None:
            self._examiners = self._open_examiners()
        while self._examiners.full and not self._stopped():
            self._fetch(_PATIENCE)
        self._given[found.path] = found
        self._examiners.submit(found.path)

    def _fetch(self, timeout: float) -> None:
        """Take in what the workers have found."""
        for examined in self._examiners.results(timeout) if self._examiners is not None else ():
            found = self._given.pop(examined.path)
            if examined.content is None and is_gone(examined.path):
                self._met.discard(examined.path)  # deleted since it was found
            else:
                self._note(examined)
                self._batch.add(found, examined)
            self._progress.advance(note=self._rate())
            self._store_if_due()

    def _store_if_due(self) -> None:
        if self._batch.due:
            self._batch.store()

    def _note(self, examined: Examined) -> None:
        summary = self._summary
        if examined.reason:
            summary.skipped += 1
            if len(summary.reasons) < _LISTED:
                summary.reasons.append((examined.path, examined.reason))
        else:
            summary.read += 1
        summary.faces += len(examined.faces)
        summary.too_small += examined.too_small

    def _rate(self) -> str:
        faces, seconds = self._summary.faces, time.monotonic() - self._began
        return f"{faces:,} face{'' if faces == 1 else 's'}, {faces / max(seconds, 1e-3):,.1f} faces/s"

    def _sweep(self) -> None:
        """Remove the photographs that were deleted below the folders of this run."""
        disk_of = cache(unplugged)
        for root in self._scan.roots:
            kept: Counter[str] = Counter()
            for some in self._writer.below(root):
                gone = []
                for known in some:
                    if known.path in self._met or not is_gone(known.path):
                        continue
                    if (disk := disk_of(os.path.dirname(known.path))) is None:  # noqa: PTH120
                        gone.append(known.id)
                    elif known.status is not Status.FORGOTTEN:
                        kept[disk] += 1
                if gone:
                    self._writer.remove(gone)
                    self._summary.removed += len(gone)
            self._summary.unplugged |= kept  # roots may lie within one another: no photograph counts twice


def _with_advice(error: PhotoError, place: Path) -> PhotoError:
    """Add what can be done to the error, if the collection knows photographs in the missing folder."""
    try:
        photographs, _ = count_known(error.path, collection=place)
    except CollectionError:
        return error
    if not photographs:
        return error
    known = "a photograph" if photographs == 1 else f"{photographs:,} photographs"
    return PhotoError(
        error.path,
        f"{error.reason}, but the collection knows {known} there; if the disk is not plugged in, plug it in, "
        f"and if they were deleted, run: anotheryou forget {shlex.quote(str(error.path))}",
    )


def _check_detector(writer: CollectionWriter, detector: str, min_face: int) -> None:
    """Hold the collection to one detector, since crops depend on its landmarks."""
    before, _ = writer.detection
    if not before:
        writer.remember_detection(detector, min_face)
    elif before != detector:
        raise CollectionError(
            f"the faces of the collection in {writer.folder} were found with the detector {before}, not with "
            f"{detector}; use that one, or another collection"
        )


def _content(found: Found) -> str | None:
    try:
        return content_of(found.path)
    except OSError:
        return None


def _never() -> bool:
    return False
