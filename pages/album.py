"""The collection behind the pages: opened when there is one, searched by one thread, pictures cached."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from faces.errors import AnotherYouError, CollectionMissingError, NoFaceError, PhotoError
from faces.types import Box
from index import Collection, KnownPhoto, Place, Snapshot, Status, StoredFace, Thumbnails
from pages import pictures
from retrieval.answers import Answer, Prepared
from retrieval.drawing_faces import draw_face
from retrieval.finder import Finder
from retrieval.people import People
from retrieval.query import read_picture, source_of

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.query import Unwished, Wish

_KEPT_PICTURES = 32  # uploaded ones, each up to 8 MB in memory
_LONGEST_SIDE = 1600  # pixels of an uploaded picture that are looked at
_FEW_FACES = 2000  # that are grouped while somebody waits
_KEPT_FACES = 64  # of the collection, ready to be searched with again


class Album:
    """What the pages know of a collection; every method may be called by several threads at once.

    Searches are made one at a time.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.thumbnails = Thumbnails(place)
        self._opening = threading.Lock()
        self._searching = threading.Lock()
        self._collection: Collection | None = None
        self.token = ""
        self._finder: Finder | None = None
        self._people: People | None = None
        self._grouping = threading.Lock()
        self._uploads: OrderedDict[str, list[Prepared]] = OrderedDict()
        self._ready: OrderedDict[int, Prepared] = OrderedDict()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Show one state of the collection; raises CollectionMissingError if there is none yet."""
        with self._opening:
            if self._collection is None:
                self._collection = Collection(self.place)
                with self._collection.snapshot() as snapshot:
                    self.token = snapshot.token[:12]
            collection = self._collection
        with collection.snapshot() as snapshot:
            yield snapshot

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be searched yet: no collection, or none with faces.  Raises CollectionError if
        there is one that cannot be used."""
        try:
            with self.snapshot() as snapshot:
                return snapshot.is_empty
        except CollectionMissingError:
            return True

    @contextmanager
    def finder(self) -> Iterator[Finder]:
        """Give the finder to one thread at a time; it is opened when it is first needed, and anew after a
        reindex.  Raises as ``Finder`` does."""
        with self._searching:
            with self.snapshot() as snapshot:
                digest = snapshot.layout.digest
            if self._finder is not None and self._finder.engine.layout.digest != digest:
                self._let_go()
            if self._finder is None:
                self._finder = Finder(self.place)
            yield self._finder

    @property
    def engine(self) -> Engine:
        """The engine that the collection was made with; raises as ``Finder`` does."""
        with self.finder() as opened:
            return opened.engine

    def warm(self) -> None:
        """Load what the first search needs, if there is anything to search."""
        if self.is_empty:
            return
        with self.snapshot() as snapshot:
            newest = snapshot.listing().newest_faces(1)
        if newest:
            self.draw(self.face(newest[0]), [{}])
            self.people_so_far()

    def upload(self, content: bytes) -> tuple[str, list[Prepared]]:
        """Find the faces of a picture that was handed in and keep them under a name.

        Raises PhotoError if it cannot be read, NoFaceError if it shows no face.
        """
        with self.snapshot() as snapshot:
            known = [face.id for face in snapshot.faces_of(None, source_of(content).content)]
        if known:
            found = [self.face(face_id) for face_id in known]
        else:
            picture = Image.fromarray(read_picture(content).pixels)
            picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
            with self.finder() as finder:
                found = finder.prepare(picture)
        if not found:
            raise NoFaceError("no face was found in this picture; use one in which a face is large and clear")
        name = secrets.token_urlsafe(12)
        self._uploads[name] = found
        while len(self._uploads) > _KEPT_PICTURES:
            self._uploads.popitem(last=False)
        return name, found

    def uploaded(self, name: str) -> list[Prepared]:
        """Give the faces of a picture that was handed in; raises NoFaceError if it is not kept any more."""
        try:
            self._uploads.move_to_end(name)
            return self._uploads[name]
        except KeyError:
            raise NoFaceError("this picture is not kept any more; choose it again") from None

    def face(self, face_id: int) -> Prepared:
        """Make a face of the collection ready to be searched with; raises NoFaceError."""
        ready = self._ready.get(face_id)
        if ready is None:
            with self.finder() as finder:
                ready = self._ready[face_id] = finder.prepare_face(face_id)
            while len(self._ready) > _KEPT_FACES:
                self._ready.popitem(last=False)
        return ready

    def people(self) -> People:
        """Tell who is who; quick unless something has changed.  Searches go on while faces are grouped."""
        engine = self.engine
        with self.snapshot() as snapshot:
            known = self._people
            if known is None or known.said != snapshot.said:
                known = People(engine, snapshot, self.place, known)
        with self.finder() as finder:
            self._people = finder.known_people = known
        return known

    def draw_face(self, photo_id: int, box: Box) -> int:
        """Take in a face where none was found, and give its id; raises as ``drawing_faces.draw_face``."""
        photo = self._shown(photo_id)
        with self.finder() as finder:
            return draw_face(finder, photo.path, box)

    def people_so_far(self) -> People | None:
        """Tell who is who as far as that is known without waiting: of many faces what was last known, or
        None, while they are grouped in the background."""
        with self.snapshot() as snapshot:
            if self._people is not None and self._people.said == snapshot.said:
                return self._people
            few = len(snapshot) <= _FEW_FACES
        if few:
            return self.people()
        if self._grouping.acquire(blocking=False):
            threading.Thread(target=self._group, daemon=True).start()
        return self._people

    def _group(self) -> None:
        try:
            with suppress(AnotherYouError):
                self.people()
        finally:
            self._grouping.release()

    def person(self, name: str) -> Prepared:
        """Make somebody with a name ready to be searched with; raises PeopleError."""
        with self.finder() as finder:
            return finder.prepare_person(name)

    def search(
        self,
        prepared: Prepared,
        wish: Wish,
        *,
        not_: Unwished = (),
        k: int = 24,
        only: bool = False,
        below: str | None = None,
        since: str | None = None,
        until: str | None = None,
        with_: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> Answer:
        """Search for a prepared face; see ``Finder.search``."""
        with self.finder() as finder:
            return finder.search(
                prepared,
                wish=wish,
                not_=not_,
                k=k,
                only=only,
                below=below,
                since=since,
                until=until,
                with_=with_,
                without=without,
            )

    def draw(self, prepared: Prepared, wishes: Sequence[Wish], side: int = 256) -> bytes:
        """Draw a face once for each wish: one JPEG, the drawings side by side, each ``side`` pixels wide."""
        with self.finder() as finder:
            pass
        drawn = finder.draw(prepared, wishes)
        return pictures.strip(drawn, side)

    def photo(self, photo_id: int) -> tuple[KnownPhoto, list[StoredFace]]:
        """Give a photograph with its faces; raises PhotoError if the collection has none of that id."""
        photo = self._shown(photo_id)
        with self.snapshot() as snapshot:
            return photo, snapshot.faces_in(photo_id)

    def photo_image(self, photo_id: int, size: str) -> bytes:
        """Give a photograph as a JPEG of one of ``pictures.SIZES``; raises PhotoError."""
        photo = self._shown(photo_id)
        return self._cached(photo, size, lambda: pictures.photograph(Path(photo.path), size))

    def face_image(self, face_id: int) -> bytes:
        """Give the square around a face of a photograph as a JPEG; raises PhotoError or NoFaceError."""
        what = f"face{face_id}"
        with self.snapshot() as snapshot:
            photo_id = snapshot.photo_of(face_id)
        if photo_id is not None and (kept := self.thumbnails.read(photo_id, what)) is not None:
            return kept
        face = self.face_of(face_id)
        photo = self._shown(face.photo_id)
        size = (photo.width, photo.height)
        try:
            return self._cached(photo, what, lambda: pictures.face_of_file(Path(photo.path), face.box, *size))
        except PhotoError:  # gone, or its disk is; what was stored of it is better than nothing
            return pictures.strip(face.crop[None], pictures.FACE_SIDE)

    def face_of(self, face_id: int) -> StoredFace:
        """Give a face of the collection; raises NoFaceError."""
        with self.snapshot() as snapshot:
            found = snapshot.face(face_id)
        if found is None:
            raise NoFaceError(f"the collection has no face {face_id} (any more)")
        return found

    def _shown(self, photo_id: int) -> KnownPhoto:
        """Give a photograph that may be shown; raises PhotoError."""
        with self.snapshot() as snapshot:
            photo = snapshot.photo(photo_id)
        if photo is None or photo.status is not Status.OK:
            raise PhotoError(f"photograph {photo_id}", "is not in the collection (any more)")
        return photo

    def _cached(self, photo: KnownPhoto, what: str, make: Callable[[], bytes]) -> bytes:
        """Give a small picture of a photograph, made if it is not kept yet."""
        kept = self.thumbnails.read(photo.id, what)
        if kept is None:
            kept = make()
            self._shown(photo.id)  # nothing is kept of what was forgotten meanwhile
            self.thumbnails.write(photo.id, what, kept)
        return kept

    def _let_go(self) -> None:
        """Close the finder and what was made ready with it."""
        if self._finder is not None:
            self._finder.close()
        self._finder = self._people = None
        self._ready.clear()
        self._uploads.clear()

    def close(self) -> None:
        """Let go of the collection."""
        with self._searching, self._opening:
            self._let_go()
            if self._collection is not None:
                self._collection.close()
