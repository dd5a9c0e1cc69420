"""A query's way: photograph, face, drawing of the wish, shortlist, ranked answer."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faces.crop import crop_colours
from faces.detect import Detector, method_named
from faces.errors import CollectionError, NoFaceError, PhotoError, WishError
from faces.progress import Progress
from faces.types import DetectedFace, Ints, Photo, Pixels
from generator.attributes import everyday
from index import Collection, Place, Snapshot, StoredFace
from retrieval.answers import SHOWS, Answer, Hit, Prepared, QueryFace
from retrieval.composing import compose
from retrieval.decisions import ids_of_no_faces
from retrieval.detail import Retouch, enlarged, flow_for, retouch_for
from retrieval.engine import Engine, shortlist_size
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.filters import Filters, When, both
from retrieval.loading import check_layout, load_engine, usual_telling
from retrieval.location import default_collection, open_collection
from retrieval.parts import Query, Scores, Wanted
from retrieval.people import People
from retrieval.query import (
    Picture,
    Source,
    Unwished,
    Wish,
    check_number,
    named_unwished,
    named_wish,
    read_picture,
    source_of,
    wanted_by,
)

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow


@dataclass(frozen=True, slots=True)
class _Options:
    """What ``Finder.search`` is told besides photograph, wish and face."""

    unwished: Unwished
    k: int
    same_photo: bool
    only: bool
    at_least: float
    filters: Filters
    exact: bool


class Finder:
    """Search one collection; load weights and detector once for any number of queries.

    ``collection`` is an open one, or its folder, by default the default collection.  ``detector`` is as in
    ``index_folders``, by default that of the collection.  Raises CollectionMissingError if there is no
    collection, CollectionWeightsError if it was made by an older version or not by ``engine``, WeightsError
    and DetectorError as those say.
    """

    def __init__(
        self,
        collection: Collection | Place | str | None = None,
        *,
        engine: Engine | None = None,
        detector: DetectorFactory | str | Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        opened = isinstance(collection, Collection)
        self.collection = (
            collection
            if isinstance(collection, Collection)
            else open_collection(collection, progress=progress)
        )
        try:
            with self.collection.snapshot() as snapshot:
                layout, found_by = snapshot.layout, snapshot.detector
                if snapshot.is_empty:
                    raise CollectionError(
                        f"the collection in {self.collection.place} holds no faces yet; "
                        "add some with `anotheryou index FOLDER`"
                    )
            self.engine = engine or load_engine(layout=layout)
            check_layout(self.collection.place, layout, self.engine.layout)
        except BaseException:
            if not opened:
                self.collection.close()
            raise
        self._open_detector = detector_factory(detector or method_named(found_by))
        self._detector: Detector | None = None
        self.known_people: People | None = None
        self._known_no_faces: tuple[object, Ints] = None, np.empty(0, np.int64)

    def search(
        self,
        photo: Picture | Prepared,
        *,
        wish: Wish = None,
        not_: Unwished = (),
        k: int = 20,
        face: int | None = None,
        same_photo: bool = False,
        only: bool = False,
        at_least: float = 0.0,
        below: Path | str | None = None,
        since: When | None = None,
        until: When | None = None,
        with_: Sequence[str] = (),
        without: Sequence[str] = (),
        exact: bool = False,
    ) -> Answer:
        """Find the k faces that are most probably the person in a photograph, or a prepared face, as wished.

        ``wish`` maps attributes to values, ``{"pose": 30}``, or is a value alone, ``"+30"``; what it does not
        name may be anything.  ``not_`` are values that shall not be shown, ``"sunglasses"``.  ``face`` picks
        one of several faces, from 1, the largest first, which is the default.  Faces of the query's own
        photograph, also of copies of the file, are left out unless ``same_photo``.  ``only`` keeps to faces
        that seem to meet every wish, ``at_least`` to hits of this probability, ``below`` to photographs in
        this folder or anywhere below it, ``since`` and ``until`` to those of some time: a ``date``,
        ``"2023-07"`` or 2023, each included; ``with_`` and ``without`` to those that show all of some people
        and none of others, by name.  ``exact`` compares every vector however many there are.

        Raises PhotoError if the photograph cannot be read, NoFaceError if there is no (such) face, WishError
        for an unknown attribute or value or if wishes exclude each other, FilterError for a time that cannot
        be read, PeopleError for a name that nobody has, CollectionError if nothing is known ``below``.
        """
        filters = Filters(below, since, until, tuple(with_), tuple(without))
        options = _Options(not_, k, same_photo, only, at_least, filters, exact)
        return self._answers([(photo, wish, face)], options)[0]

    def search_many(
        self,
        photos: Sequence[Picture],
        wishes: Sequence[Wish] | Wish = None,
        *,
        not_: Unwished = (),
        k: int = 20,
        same_photo: bool = False,
        only: bool = False,
        at_least: float = 0.0,
        below: Path | str | None = None,
        since: When | None = None,
        until: When | None = None,
        with_: Sequence[str] = (),
        without: Sequence[str] = (),
        exact: bool = False,
    ) -> list[Answer]:
        """Search for the largest face of each photograph, with one wish for all or one each; see ``search``.

        Raises ValueError unless there are as many wishes as photographs.
        """
        each = [wishes] * len(photos) if wishes is None or isinstance(wishes, str | Mapping) else list(wishes)
        if len(each) != len(photos):
            raise ValueError(f"{len(photos)} photographs need as many wishes, not {len(each)}")
        if not each:
            return []
        asked = [(photo, wish, None) for photo, wish in zip(photos, each, strict=True)]
        filters = Filters(below, since, until, tuple(with_), tuple(without))
        return self._answers(asked, _Options(not_, k, same_photo, only, at_least, filters, exact))

    def prepare(self, photo: Picture) -> list[Prepared]:
        """Make every face of a photograph ready to be searched with, the largest first; an empty list if
        there is none.  Raises PhotoError if the photograph cannot be read."""
        source = source_of(photo)
        with self.collection.snapshot() as snapshot:
            known = snapshot.faces_of(source.path, source.content)
        return [self._known(one, source) for one in known] or self._seen(source)

    def prepare_face(self, face_id: int) -> Prepared:
        """Make a face of the collection ready to be searched with; its photograph may be gone.  Raises
        NoFaceError if the collection has no such face (any more)."""
        with self.collection.snapshot() as snapshot:
            stored = snapshot.face(face_id)
            if stored is None:
                raise NoFaceError(f"the collection has no face {face_id} (any more)")
            photo = snapshot.photo(stored.photo_id)
        content = None if photo is None else photo.content
        return self._known(stored, Source(Path(stored.path), stored.path, stored.path, content))

    def people(self) -> People:
        """Tell who is who in the collection; quick after the first time.  Raises CollectionError if it has
        no model of identity."""
        with self.collection.snapshot() as snapshot:
            known = self.known_people
            if known is None or known.said != snapshot.said:
                self.known_people = known = People(self.engine, snapshot, self.collection.place, known)
        return known

    def prepare_person(self, name: str) -> Prepared:
        """Make a person ready to be searched with, by name or ``#17``: their mean descriptor, and for the
        drawing their clearest face.  No photograph is left out of the answers.  Raises PeopleError."""
        people = self.people()
        group = people.find(name)
        faces = [face for face in group.faces if face in group.confirmed] or group.faces
        chosen = self.prepare_face(faces[0])
        vector = self.engine.as_person(chosen.vector, people.vector_of(group))
        source = Source(chosen.source.picture, group.label, None, None)
        return Prepared(replace(chosen.face, path=group.label), vector, source, chosen.look)

    def draw(self, prepared: Prepared, wishes: Sequence[Wish]) -> Pixels:
        """Draw a face once for each of N wishes: (N, P, P, 3) uint8 RGB with the photograph's own detail, or
        (N, S, S) uint8 grey if there is no flow for it; raises WishError."""
        wanted = [self._wanted(wish, ()) for wish in wishes]
        drawn = self.engine.drawings(prepared.face.crop, prepared.vector, wanted)
        # Some wishes are drawn alike, such as angles beyond the last that can be drawn.
        alike, places = np.unique(drawn, axis=0, return_inverse=True)
        return self._retouched(prepared, self._detailed(prepared, alike)[places], wanted)

    def draws(self, wanted: Wanted) -> bool:
        """Tell whether drawings follow a wish; what none follows person and estimates decide."""
        known = self._retouch is not None and self._retouch.knows(wanted)
        return known or self.engine.drawn_by(wanted) is not None

    def close(self) -> None:
        """Let go of the collection."""
        self.collection.close()

    def __enter__(self) -> Finder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(
        self, asked: Sequence[tuple[Picture | Prepared, Wish, int | None]], options: _Options
    ) -> list[Answer]:
        """Answer questions, each a photograph, a wish and a face, on one state of the collection."""
        if options.k < 1:
            raise ValueError(f"k must be 1 or more, not {options.k}")
        # A wrong wish is told before any work.
        wishes = [self._wanted(wish, options.unwished) for _, wish, _ in asked]
        with self.collection.snapshot() as snapshot:
            check_layout(self.collection.place, snapshot.layout, self.engine.layout)
            found = [
                photo if isinstance(photo, Prepared) else self._chosen(snapshot, source_of(photo), number)
                for photo, _, number in asked
            ]
            crops = np.stack([prepared.face.crop for prepared in found])
            queries = self.engine.queries(crops, np.stack([prepared.vector for prepared in found]), wishes)
            return [
                self._answer(snapshot, prepared, query, options)
                for prepared, query in zip(found, self._composed(found, queries), strict=True)
            ]

    def _answer(self, snapshot: Snapshot, prepared: Prepared, query: Query, options: _Options) -> Answer:
        face, source = prepared.face, prepared.source
        fulfilling = self._fulfilling(snapshot, query.wanted) if query.wanted and options.only else None
        named = options.filters.with_ or options.filters.without
        among = both(options.filters.among(snapshot, self.people() if named else None), fulfilling)
        found = snapshot.best(
            query.vector,
            shortlist_size(options.k),
            # The photographs of the collection that are the query's own, or copies of its file.
            exclude_photo_ids=[] if options.same_photo else snapshot.photos_like(source.path, source.content),
            among=among,
            exact=options.exact,
        )
        scores = self.engine.score(query, found.vectors)
        best = np.lexsort((found.ids, -scores.probability))
        best = best[~np.isin(found.ids[best], self._no_faces(snapshot))]
        remarks = []
        if query.wanted and not (scores.probability >= SHOWS).any():
            # Only then: it looks at every face of the collection.
            fulfilling = self._fulfilling(snapshot, query.wanted) if fulfilling is None else fulfilling
            remarks = self._remarks(query, scores, len(fulfilling))
        best = best[scores.probability[best] >= options.at_least][: options.k]
        stored = snapshot.faces(found.ids[best].tolist())
        hits = tuple(
            self._hit(rank, one, scores, int(place))
            for rank, (one, place) in enumerate(zip(stored, best, strict=True), 1)
        )

        def draw(detailed: bool) -> Pixels:
            drawn = self.engine.drawing_for(query, face.crop)[None]
            drawn = self._detailed(prepared, drawn) if detailed else drawn
            found: Pixels = self._retouched(prepared, drawn, [query.wanted])[0]
            return found

        wish = {wanted.name: wanted.word for wanted in query.wanted if wanted.shown}
        unwished = tuple(wanted.word for wanted in query.wanted if not wanted.shown)
        followed = tuple(wanted.name for wanted in query.wanted if self.draws(wanted))
        return Answer(face, wish, unwished, hits, tuple(remarks), followed, draw)

    def _wanted(self, wish: Wish, unwished: Unwished) -> tuple[Wanted, ...]:
        """Give what is wished; raises WishError, with advice if other weights know more attributes."""
        try:
            return wanted_by(wish, unwished, self.engine)
        except WishError as error:
            advice = _advice(wish, unwished, self.engine, self.collection.place)
            raise WishError(f"{error}{advice}") from None

    def _chosen(self, snapshot: Snapshot, source: Source, number: int | None) -> Prepared:
        """Give the face that is meant, as the collection has it, or detected."""
        known = snapshot.faces_of(source.path, source.content)
        if known:
            return self._known(known[check_number(source.name, number, len(known)) - 1], source)
        photo = read_picture(source.picture)
        found = self._detected(photo)
        return self._cut(source, photo, found, check_number(source.name, number, len(found)) - 1)

    def _known(self, stored: StoredFace, source: Source) -> Prepared:
        """Make a face of the collection ready."""
        vector = stored.vector.astype(np.float32)
        place = (stored.number, stored.count, stored.box, stored.landmarks, stored.crop)
        face = QueryFace(source.picture, source.name, *place, self.engine.estimates(vector), known=True)

        def look() -> Pixels | None:
            with suppress(PhotoError, ValueError):
                wide = enlarged(self.engine.geometry)
                return crop_colours(read_picture(face.picture).pixels, face.landmarks, wide)
            return None

        return Prepared(face, vector, source, look)

    def _seen(self, source: Source) -> list[Prepared]:
        """Detect the faces of a photograph and make those ready that can be cropped."""
        photo = read_picture(source.picture)
        found = self._detected(photo)
        ready = []
        for place in range(len(found)):
            with suppress(NoFaceError):
                ready.append(self._cut(source, photo, found, place))
        return ready

    def _detected(self, photo: Photo) -> list[DetectedFace]:
        if self._detector is None:
            self._detector = self._open_detector()
        return self._detector.detect(photo)

    def _cut(self, source: Source, photo: Photo, found: Sequence[DetectedFace], place: int) -> Prepared:
        """Make one of the detected faces ready; raises NoFaceError if it cannot be cropped."""
        face = found[place]
        try:
            crop, vector = self.engine.embed_face(photo.pixels, face.landmarks)
            colours = crop_colours(photo.pixels, face.landmarks, enlarged(self.engine.geometry))
        except ValueError as error:
            raise NoFaceError(
                f"{source.name}: the face cannot be cropped ({error}); use another photograph"
            ) from error
        known = (place + 1, len(found), face.box, face.landmarks, crop, self.engine.estimates(vector))
        seen = QueryFace(source.picture, source.name, *known, known=False)
        return Prepared(seen, vector, source, lambda: colours)

    def _composed(self, found: Sequence[Prepared], queries: Sequence[Query]) -> Sequence[Query]:
        """Compose the identities of queries with those of what was drawn for them, if there is a flow."""
        drawn = [bool(query.drawn) for query in queries]
        if not any(drawn) or not self.engine.composed or self._flow is None:
            return queries
        crops, landmarks = zip(*((one.face.crop, one.face.landmarks) for one in found), strict=True)
        colours = [one.colours if asked else None for one, asked in zip(found, drawn, strict=True)]
        return compose(self.engine, self._flow, queries, crops, colours, landmarks)

    def _detailed(self, prepared: Prepared, drawings: Pixels) -> Pixels:
        """Put the photograph's own detail into drawings (N, S, S) of a face, if there is a flow for it and
        the photograph is there: (N, P, P, 3)."""
        if self._flow is None or prepared.colours is None:
            return drawings
        count = len(drawings)
        colours, crops = (np.repeat(one[None], count, 0) for one in (prepared.colours, prepared.face.crop))
        return self._flow(colours, crops, drawings)

    def _retouched(self, prepared: Prepared, pictures: Pixels, wishes: Sequence[Sequence[Wanted]]) -> Pixels:
        """Put light and expression into pictures (N, P, P, 3) or (N, S, S) of a face, where wished."""
        if self._retouch is None:
            return pictures
        return self._retouch(pictures, prepared.face.estimates, wishes)

    @cached_property
    def _retouch(self) -> Retouch | None:
        return retouch_for(self.engine.geometry)

    @cached_property
    def _flow(self) -> AppearanceFlow | None:
        return flow_for(encoding.generator for encoding in self.engine.encodings)

    def _no_faces(self, snapshot: Snapshot) -> Ints:
        """Give the ids (n,) of what somebody has said to be no face."""
        said = snapshot.said
        if self._known_no_faces[0] != said:
            self._known_no_faces = said, ids_of_no_faces(snapshot)
        return self._known_no_faces[1]

    def _fulfilling(self, snapshot: Snapshot, wish: Sequence[Wanted]) -> Ints:
        """Give the ids (n,) of the faces of the whole collection that seem to meet every wish."""
        found = [
            ids[np.min([self.engine.met(wanted, vectors) for wanted in wish], axis=0) >= SHOWS]
            for ids, vectors in snapshot.blocks()
        ]
        return np.sort(np.concatenate([np.empty(0, np.int64), *found]))

    def _remarks(self, query: Query, scores: Scores, fulfilling: int) -> list[str]:
        """Tell what the user should know if no hit is probably right."""
        words = [
            f"{wanted.name} {everyday(wanted.word)}" if wanted.shown else wanted.name
            for wanted in query.wanted
        ]
        shown = " and ".join(words)
        count = (
            f"{fulfilling:,} face{'s' * (fulfilling != 1)} here seem{'s' * (fulfilling == 1)} to show {shown}"
        )
        none = f"no face here seems to show {shown}"
        remarks = [f"{count}; none of them is probably this person" if fulfilling else none]
        person = scores.same_person >= SHOWS
        if len(query.wanted) > 1 and person.any():
            never = [
                word
                for met, word in zip(scores.met.values(), words, strict=True)
                if (met[person] < SHOWS).all()
            ]
            if never:
                remarks.append(f"no likely picture of this person shows {' or '.join(never)}")
            else:
                remarks.append("each wish is met by some picture of this person, but no picture meets all")
        return remarks

    def _hit(self, rank: int, face: StoredFace, scores: Scores, place: int) -> Hit:
        return Hit(
            rank=rank,
            probability=float(scores.probability[place]),
            same_person=float(scores.same_person[place]),
            met={name: float(values[place]) for name, values in scores.met.items()},
            similarity=float(scores.similarity[place]),
            path=face.path,
            exists=Path(face.path).is_file(),
            date=face.date,
            dated_by=face.dated_by,
            camera=face.camera,
            number=face.number,
            count=face.count,
            face_id=face.id,
            photo_id=face.photo_id,
            box=face.box,
            landmarks=face.landmarks,
            estimates=self.engine.estimates(face.vector),
            crop=face.crop,
        )


def search(
    photo: Picture,
    *,
    wish: Wish = None,
    not_: Unwished = (),
    k: int = 20,
    face: int | None = None,
    same_photo: bool = False,
    only: bool = False,
    at_least: float = 0.0,
    below: Path | str | None = None,
    since: When | None = None,
    until: When | None = None,
    with_: Sequence[str] = (),
    without: Sequence[str] = (),
    exact: bool = False,
    collection: Path | str | None = None,
) -> Answer:
    """Search once; see ``Finder``, which is the way to search often."""
    with Finder(collection) as finder:
        return finder.search(
            photo,
            wish=wish,
            not_=not_,
            k=k,
            face=face,
            same_photo=same_photo,
            only=only,
            at_least=at_least,
            below=below,
            since=since,
            until=until,
            with_=with_,
            without=without,
            exact=exact,
        )


def _advice(wish: Wish, unwished: Unwished, engine: Engine, place: Place) -> str:
    """Give the command that teaches a collection attributes it does not know; "" if no weights know them."""
    from generator.available import weights_knowing

    told = None if engine.telling else usual_telling(engine.encodings)
    try:
        named = {**named_wish(wish, engine), **dict(named_unwished(unwished, engine))}
    except WishError:
        named = {}  # a lone word that nobody here knows
    unknown = [name for name in named if name.strip().casefold() not in engine.attributes]
    able = [weights_knowing({name: named[name]}) for name in unknown]
    words = ["anotheryou", "reindex"]
    if able and all(able):
        weights = [*(one.source for one in engine.encodings), *dict.fromkeys(found[0] for found in able)]
        words += [word for one in weights for word in ("--weights", one)]
    elif told is not None:
        try:
            wanted_by(wish, unwished, Engine(engine.encodings, engine.identity, engine.calibration, told))
        except WishError:
            return ""
        words += ["--classifier", told.source]
    else:
        return ""
    if place != default_collection():
        words += ["--collection", str(place)]
    return f" `{shlex.join(words)}` makes a collection know {' and '.join(unknown) or 'it'} as well."
