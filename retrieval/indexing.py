"""Bring folders of photographs into a collection.

Workers read photographs and find faces; this process encodes the faces, a batch at a time, unless a Ray
cluster has done it, and stores each batch in one transaction.  Whatever ends a run, the next one goes on from
there.
"""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Literal

from faces.detect import RELATIVE, SMALLEST, method_named, smallest_face
from faces.errors import CollectionError, CollectionMissingError, PhotoError
from faces.progress import NoProgress, Progress, underway
from faces.taken import read_taken
from index import (
    Collection,
    CollectionWriter,
    FaceVector,
    KnownPhoto,
    NewCollection,
    NewFace,
    NewPhoto,
    Place,
    Status,
)
from retrieval.drawing_faces import restore_faces
from retrieval.engine import Engine
from retrieval.examine import (
    DetectorFactory,
    Examined,
    content_if_readable,
    described,
    detector_factory,
    examine,
)
from retrieval.forgetting import count_known
from retrieval.loading import check_layout, is_outdated, load_engine
from retrieval.location import collection_place
from retrieval.ray_workers import RayExaminers, Work
from retrieval.scan import Found, Scan, is_gone, unplugged
from retrieval.workers import Examiners, default_workers

_LOOKED_UP = 256  # paths looked up in the catalogue at a time
_LISTED = 10  # skipped photographs named in the summary
_PATIENCE = 0.2  # seconds between two looks whether to stop
# A batch is stored when it has so many faces or photographs, or is so many seconds old.
_FACES, _PHOTOS, _SECONDS = 64, 256, 10.0
_FIRST_SECONDS = 1.0  # of the first batch, and twice as long each time: whoever watches sees faces soon
_REFRESHED = 8192  # new faces after which searches need not read them from the catalogue any more


@dataclass(slots=True)
class IndexSummary:
    """What a run over folders did."""

    photographs: int = 0  # found
    unchanged: int = 0  # cost a look at the file
    moved: int = 0  # kept their faces
    read: int = 0
    skipped: int = 0  # could not be read
    skipped_before: int = 0  # unchanged ones that could not be read in an earlier run
    excluded: int = 0  # taken out, since they are excluded now
    dated: int = 0  # unchanged ones, of which the date and the camera were not known yet
    forgotten: int = 0  # stay out because the user had them removed
    removed: int = 0  # no longer there
    faces: int = 0  # added
    too_small: int = 0  # left out
    coarse: int = 0  # read without a look for faces of 24 pixels, since the photograph is large
    seconds: float = 0.0
    interrupted: bool = False  # the run was asked to stop; the same command goes on
    reasons: list[tuple[str, str]] = field(default_factory=list)  # (path, why) of the first ten skipped
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # folders (path, why)
    passed_over: list[tuple[str, str]] = field(default_factory=list)  # broken links, pipes (path, why)
    # Folders that are empty or gone as if their disk was not plugged in, with how many photographs are kept.
    unplugged: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a run did with one photograph, told when it is stored."""

    what: Literal["read", "skipped", "moved", "removed", "excluded"]
    path: str
    faces: int = 0  # of a photograph that was read
    why: str = ""  # it was skipped, or from where it was moved


def index_folders(
    folders: Sequence[Path | str],
    *,
    collection: Place | str | None = None,
    weights: Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    classifier: str | Path | None = None,
    min_face: int | None = None,
    include_forgotten: bool = False,
    exclude: Sequence[str] | None = None,
    only: Sequence[Path | str] | None = None,
    engine: Engine | None = None,
    detector: DetectorFactory | str | Path | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    changed: Callable[[Change], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> IndexSummary:
    """Bring a collection up to date with folders (or single files); make it if there is none.

    ``collection`` is its folder or address (see ``place_of``), by default ``default_collection()``.
    ``weights`` name the networks, ``identity`` the model of identity and ``classifier`` what tells what faces
    show (see ``load_engine``), by default those that made it; ``engine`` gives them ready loaded.
    ``min_face``: the shorter side, in pixels, of the
    smallest face taken in, or 0 for 1/40 of each photograph's longer side and never under 24; by default as
    in the last run, 0 at first.
    ``include_forgotten`` takes back what was forgotten; single files that are named always are.  ``detector``
    names one (see ``open_detector``), by default that of the last run, or is a function that opens one in
    each of ``workers`` processes (by default one per core; 0: none, everything in this process).  ``ray`` is
    the address of a Ray cluster, whose nodes then do the work (see docs/cluster.md).  ``stop`` is asked now
    and then whether to finish early; what is ready is stored then.  ``changed`` is told of each photograph
    that was read or found elsewhere, or is not kept any more.

    ``exclude`` are patterns of what is left out, each as in a .gitignore in each of the folders, by default
    those of the last run; folders with a file .nomedia in them are left out always.  ``only`` keeps to what
    is, or was, at or below some paths in the folders.

    Raises PhotoError if a folder does not exist, CollectionLockedError if another process is writing,
    CollectionWeightsError if the collection was made with other weights, FilterError for a pattern that
    cannot be read, CollectionError if it cannot be used or was made with another detector, DetectorError,
    WeightsError and ClusterError as those say.
    """
    place = collection_place(collection)
    own = [place] if isinstance(place, Path) else []
    try:
        scan = Scan([Path(folder) for folder in folders], leave_out=own, only=only)
    except PhotoError as error:
        raise _with_advice(error, place) from error
    if exclude is not None:
        scan.exclude(exclude)
    with ExitStack() as stack:
        try:
            writer = stack.enter_context(CollectionWriter(place))
        except CollectionMissingError:
            engine = engine or load_engine(weights, identity, classifier)
            new = NewCollection(engine.layout, "", RELATIVE if min_face is None else min_face)
            writer = stack.enter_context(CollectionWriter(place, new))
        if exclude is None:
            scan.exclude(writer.excluded)
        elif tuple(exclude) != writer.excluded:
            writer.excluded = exclude

        @cache
        def loaded() -> Engine:
            """Load the weights if needed; it takes longer than finding that nothing has changed."""
            used = engine or load_engine(weights, identity, classifier, layout=writer.layout)
            check_layout(place, writer.layout, used.layout)
            if writer.layout.description != used.layout.description:
                writer.remember_layout(used.layout)
            return used

        named = (engine, weights, identity, classifier)
        if any(one is not None for one in named) or is_outdated(writer.layout):
            loaded()
        used_before, smallest = writer.detection
        smallest = smallest if min_face is None else min_face
        factory = detector_factory(detector or method_named(used_before), smallest)

        @cache
        def examiners() -> Examiners | RayExaminers:
            used = loaded()
            cut = None if used.identity is None else used.identity.cut
            look = partial(examine, geometry=used.geometry, min_face=smallest, cut=cut)
            opened: Examiners | RayExaminers
            if ray is None:
                count = default_workers() if workers is None else workers
                opened = stack.enter_context(Examiners(factory, look, count))
            else:
                same = partial(load_engine, layout=used.layout, calibration=used.calibration)
                work = Work(factory, look, same, used.layout.digest)
                opened = stack.enter_context(RayExaminers(ray, work))
            _check_detector(writer, opened.detector, smallest)
            return opened

        batch = _Batch(writer, loaded, smallest, changed or (lambda change: None))
        run = _Run(writer, scan, batch, smallest, include_forgotten, examiners, stop or (lambda: False))
        summary = run.go(progress or NoProgress())
        with Collection(place) as opened, opened.snapshot() as snapshot:
            summary.faces += restore_faces(place, loaded, snapshot)
        return summary


@dataclass
class _Batch:
    """What grows while photographs are examined, and becomes one transaction."""

    writer: CollectionWriter
    engine: Callable[[], Engine]  # not called if there is no face
    min_face: int
    changed: Callable[[Change], None]
    moved: list[Change] = field(default_factory=list)
    examined: list[Examined] = field(default_factory=list)
    found_again: dict[int, KnownPhoto] = field(default_factory=dict)  # with another path or time, by id
    began: float = field(default_factory=time.monotonic)
    patience: float = _FIRST_SECONDS
    fresh: int = 0  # faces stored since the store of vectors was brought in line

    def store_if_due(self) -> None:
        photos = len(self.examined) + len(self.found_again)
        late = photos > 0 and time.monotonic() - self.began >= self.patience
        if late or photos >= _PHOTOS or sum(len(item.faces) for item in self.examined) >= _FACES:
            self.store()

    def store(self) -> None:
        """Embed the faces, write everything at once and begin anew."""
        if self.examined or self.found_again:
            if any(item.faces and item.vectors is None for item in self.examined):
                self.examined = described(self.examined, self.engine())
            photos = [self._photo(item) for item in self.examined]
            self.writer.store(photos, list(self.found_again.values()))
            for photo in photos:
                what: Literal["read", "skipped"] = "read" if photo.status is Status.OK else "skipped"
                self.changed(Change(what, photo.path, len(photo.faces), photo.reason))
            for change in self.moved:
                self.changed(change)
            self.fresh += sum(len(item.faces) for item in self.examined)
            if self.fresh >= _REFRESHED:
                self.writer.refresh_vectors()
                self.fresh = 0
            self.patience = min(2 * self.patience, _SECONDS)
        self.examined, self.found_again, self.moved, self.began = [], {}, [], time.monotonic()

    def _photo(self, item: Examined) -> NewPhoto:
        vectors = () if item.vectors is None else item.vectors
        faces = tuple(
            NewFace(face.box, face.landmarks, face.score, FaceVector(crop, vector))
            for (face, crop, _), vector in zip(item.faces, vectors, strict=True)
        )
        return replace(item.photo, min_face=self.min_face, faces=faces)


@dataclass
class _Run:
    """One run over the files of a scan; ``met`` are their paths so far, ``waiting`` how many are examined."""

    writer: CollectionWriter
    scan: Scan
    batch: _Batch
    min_face: int
    include_forgotten: bool
    examiners: Callable[[], Examiners | RayExaminers]  # opened for the first photograph that must be read
    stop: Callable[[], bool]
    met: set[str] = field(default_factory=set)
    waiting: int = 0
    summary: IndexSummary = field(default_factory=IndexSummary)
    began: float = field(default_factory=time.monotonic)

    def go(self, progress: Progress) -> IndexSummary:
        with underway(progress, "Indexing", self.scan.count(), "photographs"):
            files = iter(self.scan)
            while not self._stopped() and (some := list(islice(files, _LOOKED_UP))):
                self._take(some, progress)
            while self.waiting and not self._stopped():
                self._fetch(_PATIENCE, progress)
            self._fetch(0, progress)
            self.batch.store()
        if not self.summary.interrupted:
            self._sweep()
            self.writer.remember_detection(self.writer.detection[0], self.min_face)
            self.writer.refresh_vectors(progress=progress)
        self.summary.unreadable, self.summary.passed_over = self.scan.unreadable, self.scan.passed_over
        self.summary.seconds = time.monotonic() - self.began
        return self.summary

    def _stopped(self) -> bool:
        self.summary.interrupted = self.summary.interrupted or self.stop()
        return self.summary.interrupted

    def _take(self, some: list[Found], progress: Progress) -> None:
        """Settle each file by what is known of it, or have it read."""
        new = []
        for found in some:
            if found.path not in self.met:
                self.met.add(found.path)
                new.append(found)
        progress.advance(len(some) - len(new))
        known = self.writer.known([found.path for found in new])
        for found in new:
            if self._stopped():
                return
            self.summary.photographs += 1
            if self._is_settled(found, known.get(found.path)):
                progress.advance()
                self.batch.store_if_due()
                continue
            while self.examiners().full and not self._stopped():
                self._fetch(_PATIENCE, progress)
            self.waiting += 1
            self.examiners().submit(found)

    def _is_settled(self, found: Found, known: KnownPhoto | None) -> bool:
        """Tell whether the file needs no reading."""
        if known is None:
            return self._is_moved(found)
        if known.status is Status.FORGOTTEN:
            stays_out = not self._takes_back(found)
            self.summary.forgotten += stays_out
            return stays_out
        if known.content is None or not self._fits(known) or known.size != found.size:
            return False
        again = known
        if known.mtime_ns != found.mtime_ns:
            if content_if_readable(found.path) != known.content:
                return False
            again = replace(known, mtime_ns=found.mtime_ns)
        if known.taken is None and known.status is Status.OK:  # the collection was made before it was kept
            taken = read_taken(found.path)
            again = replace(again, taken=taken.time, camera=taken.camera)
            self.summary.dated += 1
        if again is not known:
            self.batch.found_again[known.id] = again
        self.summary.unchanged += 1
        self.summary.skipped_before += known.status is Status.SKIPPED
        return True

    def _is_moved(self, found: Found) -> bool:
        """Tell whether a known photograph that is gone from its old place has come to this one."""
        if not self.writer.knows_size(found.size) or (content := content_if_readable(found.path)) is None:
            return False
        for known in self.writer.of_content(content):
            if known.status is Status.FORGOTTEN and self._takes_back(found):
                continue
            if self._fits(known) and known.id not in self.batch.found_again and is_gone(known.path):
                here = replace(known, path=found.path, size=found.size, mtime_ns=found.mtime_ns)
                self.batch.found_again[known.id] = here
                self.summary.moved += 1
                self.batch.moved.append(Change("moved", found.path, why=known.path))
                return True
        return False

    def _takes_back(self, found: Found) -> bool:
        """Tell whether the user wants this photograph although it was forgotten once."""
        return found.named or self.include_forgotten

    def _fits(self, known: KnownPhoto) -> bool:
        """Tell whether what is known still holds with today's smallest face."""
        return known.status is not Status.OK or known.min_face == self.min_face

    def _fetch(self, timeout: float, progress: Progress) -> None:
        """Take in what the workers have found."""
        for examined in self.examiners().results(timeout) if self.waiting else ():
            self.waiting -= 1
            if examined.photo.content is None and is_gone(examined.photo.path):
                self.met.discard(examined.photo.path)  # deleted since it was found
            else:
                self._note(examined)
                self.batch.examined.append(examined)
            faces = self.summary.faces
            rate = f"{faces / max(time.monotonic() - self.began, 1e-3):,.1f} faces/s"
            progress.advance(note=f"{faces:,} face{'' if faces == 1 else 's'}, {rate}")
            self.batch.store_if_due()

    def _note(self, examined: Examined) -> None:
        summary, photo = self.summary, examined.photo
        summary.skipped += photo.status is Status.SKIPPED
        summary.read += photo.status is Status.OK
        if photo.reason and len(summary.reasons) < _LISTED:
            summary.reasons.append((photo.path, photo.reason))
        summary.faces += len(examined.faces)
        summary.too_small += photo.too_small
        if self.min_face == RELATIVE:
            summary.coarse += smallest_face(RELATIVE, photo.width, photo.height) > SMALLEST

    def _sweep(self) -> None:
        """Remove the photographs that were deleted, or are excluded now, below the folders of this run."""
        disk_of = cache(unplugged)
        for root in self.scan.swept:
            kept: Counter[str] = Counter()
            for some in self.writer.below(root):
                gone: list[tuple[int, Change]] = []
                for known in some:
                    if known.path in self.met:
                        continue
                    if not is_gone(known.path):
                        # What was forgotten is remembered, or it would come back with the pattern's end.
                        if known.status is not Status.FORGOTTEN and self.scan.excludes(known.path):
                            gone.append((known.id, Change("excluded", known.path)))
                    elif (disk := disk_of(os.path.dirname(known.path))) is None:  # noqa: PTH120
                        gone.append((known.id, Change("removed", known.path)))
                    elif known.status is not Status.FORGOTTEN:
                        kept[disk] += 1
                if gone:
                    self.writer.remove([id_ for id_, _ in gone])
                for _, change in gone:
                    self.summary.removed += change.what == "removed"
                    self.summary.excluded += change.what == "excluded"
                    self.batch.changed(change)
            self.summary.unplugged |= kept  # roots may lie within one another: no photograph counts twice


def _with_advice(error: PhotoError, place: Place) -> PhotoError:
    """Add what can be done to the error, if the collection knows photographs in the missing folder."""
    try:
        photographs, _ = count_known(error.path, collection=place)
    except CollectionError:
        return error
    if not photographs:
        return error
    known = "a photograph" if photographs == 1 else f"{photographs:,} photographs"
    advice = (
        f"the collection knows {known} there; if the disk is not plugged in, plug it in, and if they were "
        f"deleted, run: anotheryou forget {shlex.quote(str(error.path))}"
    )
    return PhotoError(error.path, f"{error.reason}, but {advice}")


def _check_detector(writer: CollectionWriter, detector: str, min_face: int) -> None:
    """Hold the collection to one detector, since crops depend on its landmarks."""
    before, _ = writer.detection
    if not before:
        writer.remember_detection(detector, min_face)
    elif before != detector:
        raise CollectionError(
            f"the faces of the collection in {writer.place} were found with the detector {before}, not with "
            f"{detector}; use that one, or another collection"
        )
