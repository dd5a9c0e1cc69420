"""A query's way: photograph, crop, drawing of the wish, nearest faces."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faces.crop import crop_face
from faces.detect import MIN_FACE, Detector
from faces.errors import CollectionError, NoFaceError
from faces.photo import read_photo
from faces.progress import Progress
from faces.types import Box, DetectedFace, Floats, Ints, Landmarks, Pixels
from index import Collection, StoredFace, check_weights
from retrieval.encoder import Canonical, Encoder, load_encoder
from retrieval.examine import DetectorFactory, content_of, detector_factory
from retrieval.places import open_collection
from retrieval.wishes import codes_of


@dataclass(frozen=True, slots=True)
class QueryFace:
    """The face that was searched for.

    ``number`` (from 1, the largest first) of ``count`` faces in the photograph; ``crop`` (S, S) uint8 grey;
    ``estimates`` the estimated value of each attribute.
    """

    path: str
    number: int
    count: int
    box: Box
    landmarks: Landmarks
    crop: Pixels
    estimates: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the network drew: the face as wished, or, without a wish, as it is.

    ``wish`` holds the wished values, empty without a wish; ``image`` (S, S) uint8 grey.
    """

    wish: Mapping[str, str]
    image: Pixels


@dataclass(frozen=True, slots=True)
class Hit:
    """A face that was found.

    ``rank`` counts from 1; ``distance`` is the Euclidean distance of the features, 0 to 2; ``crop`` (S, S)
    uint8 grey; ``estimates`` the estimated value of each attribute.
    """

    rank: int
    path: str
    face_id: int
    box: Box
    landmarks: Landmarks
    distance: float
    estimates: Mapping[str, str]
    crop: Pixels


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a search, the best hit first."""

    query: QueryFace
    drawing: Drawn
    hits: tuple[Hit, ...]


class Finder:
    """Searches one collection; loads weights and detector once for any number of queries.

    ``collection`` is an open one, or its folder, by default the default collection.  ``weights`` name those
    to use, by default those that made it; ``detector`` is
    as in ``index_folders``.  Raises CollectionMissingError where there is no collection,
    CollectionWeightsError where it was made with other weights, WeightsError and DetectorError as those
    say.
    """

    def __init__(
        self,
        collection: Collection | Path | str | None = None,
        *,
        weights: str | Path | None = None,
        encoder: Encoder | None = None,
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
                self._encoding = encoding = snapshot.encoding
                if not len(snapshot):
                    raise CollectionError(
                        f"the collection in {self.collection.folder} holds no faces yet; "
                        "add some with `anotheryou index FOLDER`"
                    )
            self.encoder = encoder or load_encoder(weights, encoding)
            check_weights(
                self.collection.folder, encoding, self.encoder.weights_id, str(weights or self.encoder.name)
            )
        except BaseException:
            if not opened:
                self.collection.close()
            raise
        self._open_detector = detector_factory(detector, MIN_FACE)
        self._detector: Detector | None = None

    def search(
        self,
        photo: Path | str,
        *,
        wish: Mapping[str, str] | None = None,
        k: int = 20,
        face: int | None = None,
        same_photo: bool = True,
    ) -> Answer:
        """The k faces most like the one in a photograph with the wished attributes changed.

        ``wish`` maps attributes to values, ``{"pose": "+30"}``; attributes it does not name stay as they
        are estimated to be, and without a wish the face is searched for as it is.  ``face`` picks one of
        several faces, from 1, the largest first; by default the largest.  With ``same_photo`` off, faces of
        the query's own photograph, also of copies of the file, are left out.

        Raises PhotoError where the photograph cannot be read, NoFaceError where there is no (such) face,
        WishError for an unknown attribute or value.
        """
        path = Path(photo).expanduser()
        codes = self.codes(wish) if wish else None  # a wrong wish is told before any work
        query, canonical = self._query_face(path, face)
        if codes is None:
            drawing, features = Drawn({}, canonical.images[0]), canonical.features
        else:
            drawing, features = self._draw(query, codes, tuple(wish or ()))
        with self.collection.snapshot() as snapshot:
            check_weights(
                self.collection.folder, snapshot.encoding, self.encoder.weights_id, self.encoder.name
            )
            own = [] if same_photo else snapshot.photos_like(os.path.realpath(path), content_of(path))
            distances, ids = snapshot.search(features, k, exclude_photo_ids=own)
            found = snapshot.faces(ids[0].tolist())
        ranked = enumerate(zip(found, distances[0].tolist(), strict=True), 1)
        return Answer(
            query, drawing, tuple(_hit(rank, stored, distance) for rank, (stored, distance) in ranked)
        )

    def codes(self, wish: Mapping[str, str]) -> Ints:
        """All codes (K,) int64 that fulfil a wish; raises WishError, which says how to have it fulfilled."""
        return codes_of(wish, self.encoder, self.collection.folder, self._encoding)

    def close(self) -> None:
        """Let go of the collection."""
        self.collection.close()

    def __enter__(self) -> Finder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _query_face(self, path: Path, number: int | None) -> tuple[QueryFace, Canonical]:
        """The face that is meant, and as the network would draw it."""
        photo = read_photo(path)
        if self._detector is None:
            self._detector = self._open_detector()
        found = self._detector.detect(photo)
        if not found:
            raise NoFaceError(f"{path}: no face was found; use a photograph in which one is large and clear")
        if number is not None and not 1 <= number <= len(found):
            there = "is only one face" if len(found) == 1 else f"are only {len(found)} faces"
            raise NoFaceError(f"{path}: there is no face {number}, there {there}")
        chosen: DetectedFace = found[(number or 1) - 1]
        try:
            crop = crop_face(photo.pixels, chosen.landmarks, self.encoder.geometry)
        except ValueError as error:
            raise NoFaceError(
                f"{path}: the face cannot be cropped ({error}); use another photograph"
            ) from error
        canonical = self.encoder.canonicalise(crop[None])
        estimates = self.encoder.vocabulary.label(int(canonical.codes[0]))
        place = (str(path), number or 1, len(found), chosen.box, chosen.landmarks)
        return QueryFace(*place, crop, estimates), canonical

    def _draw(self, query: QueryFace, codes: Ints, wished: tuple[str, ...]) -> tuple[Drawn, Floats]:
        """The drawing and its features (1, D), for that of the codes most like the face as it is."""
        labels = {int(code): self.encoder.vocabulary.label(int(code)) for code in codes}
        code = max(labels, key=lambda code: _agreement(labels[code], query.estimates))
        drawn = self.encoder.draw(query.crop[None], np.array([code], np.int64))
        names = {name.strip().casefold() for name in wished}
        wish = {name: value for name, value in labels[code].items() if name.casefold() in names}
        return Drawn(wish, drawn.stage2[0]), drawn.features


def search(
    photo: Path | str,
    *,
    wish: Mapping[str, str] | None = None,
    k: int = 20,
    face: int | None = None,
    same_photo: bool = True,
    collection: Path | str | None = None,
) -> Answer:
    """Search once; see ``Finder``, which is the way to search often."""
    with Finder(collection) as finder:
        return finder.search(photo, wish=wish, k=k, face=face, same_photo=same_photo)


def _agreement(label: Mapping[str, str], estimates: Mapping[str, str]) -> int:
    return sum(estimates.get(name) == value for name, value in label.items())


def _hit(rank: int, face: StoredFace, distance: float) -> Hit:
    return Hit(rank, face.path, face.id, face.box, face.landmarks, distance, face.estimates, face.crop)
