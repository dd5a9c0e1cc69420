"""Our rows: draw the wished face, then search the canonicalised gallery with the drawing.

Of rows that compare one vector with another ``evaluation.methods`` says which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import Features, QueryBatch
from baselines.two_step import rank_within
from evaluation.composed import composed
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet
from facedata.large_pictures import Pictures
from faces.progress import Progress, underway
from faces.types import Doubles, Floats, Ints, Pixels
from index.search import Vectors, exact_search, in_blocks, nearest
from retrieval.engine import Engine, shortlist_size

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow

_ROWS = 512  # faces drawn with every value at a time
# Of ``OursPosterior``; chosen on rehearsals with few people (docs/evaluation.md, section 11).
_INDEPENDENT, _BESIDE, _LEAST = 6, 0.01, 1e-3


@dataclass(kw_only=True, eq=False)
class Nearest:
    """Rows that describe every face and every query by one vector, and answer with the nearest faces.

    ``describe`` makes the vectors (N, D) of faces, ``ask`` those (Q, D) of queries.  Learned by ``fit``:
    ``gallery_``, the vectors of the gallery.
    """

    name: str
    describe: Callable[[Pictures], Vectors]
    ask: Callable[[QueryBatch], Vectors]
    progress: Progress

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = self.describe(gallery.pictures)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first."""
        return nearest(self.gallery_, self.ask(queries), k, progress=self.progress)


@dataclass(kw_only=True, eq=False)
class OursAllValues:
    """Row ``ours-all-values``: as ``ours-features``, but each face is drawn with every value.

    Faces that canonicalisation takes for the wished value are kept, and compared with the query by their
    drawings in all values: what one drawing hides, another shows.  The squared distance is the sum of those
    of ``ours-features``.  Learned by ``fit``: ``gallery_``, the crops (N, S, S) uint8; ``taken_for_``
    (N, G) int64, the values kept for each.
    """

    studio: Studio
    name: str = "ours-all-values"

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = gallery.crops
        self.taken_for_ = self.studio.canonical(gallery).values
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first, -1 if fewer than k faces are kept."""
        studio = self.studio
        taken_for = studio.words_of(self.taken_for_, queries.attribute)

        def search(kept: Ints, asked: Ints) -> Ints:
            return nearest(
                studio.in_all_values(self.gallery_[kept], queries.attribute),
                studio.in_all_values(queries.crops[asked], queries.attribute),
                k,
                progress=studio.progress,
            )

        return rank_within(taken_for, queries.targets, k, search)


@dataclass(kw_only=True, eq=False)
class OursTold:
    """Row ``ours-told``: as ``ours-features``, but a classifier tells what gallery faces show.

    Each face is drawn once, with all values mixed as likely as ``told`` (N, A) says, so that no value is
    chosen for good where two are about as likely; and its mirror image as well, if the words allow it, as
    that of the query is.  Learned by ``fit``: ``gallery_``, the features (N, 2 D).
    """

    studio: Studio
    told: Callable[[Pixels], Floats]
    name: str = "ours-told"

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = self._features(gallery.crops, self.told(gallery.crops))
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first."""
        asked = self._features(queries.crops, self.studio.vectors_of(queries.wishes, queries.crops))
        return nearest(self.gallery_, asked, k, progress=self.studio.progress)

    def _features(self, crops: Pixels, wishes: Floats) -> NDArray[np.float16]:
        """Draw crops (N, S, S) and their mirror images, and give both features side by side."""
        mirrored = self.studio.generator.vocabulary.mirrored
        made = [self.studio.drawn_as(crops, wishes).features]
        if mirrored is not None:
            turned = np.ascontiguousarray(crops[:, :, ::-1])
            other = np.ascontiguousarray(wishes[:, mirrored])
            made.append(self.studio.drawn_as(turned, other, "drawing mirror images").features)
        return np.concatenate(made, axis=1)


@dataclass(kw_only=True, eq=False)
class OursPosterior:
    """Row ``ours-posterior``: as ``ours-features``, but canonicalisation decides nothing for good.

    A gallery face is drawn once, with all values mixed as likely as the distances d of their drawings make
    them, and to the similarity of the features the logarithm of the wished value's probability is added, a
    little of it.  Probabilities go with d ** -6: those of normal errors whose deviation is not known, as if a
    drawing erred in six places independently.  Learned by ``fit``: ``gallery_`` (N, D + A) float16, features
    and logarithms.
    """

    studio: Studio
    name: str = "ours-posterior"

    def fit(self, gallery: FaceSet) -> Self:
        studio = self.studio
        apart = np.maximum(studio.canonical(gallery).distances.astype(np.float64), 1e-9)
        likely = np.empty(apart.shape, np.float32)
        for place in studio.generator.vocabulary.places.values():
            found = (apart[:, place].min(1, keepdims=True) / apart[:, place]) ** _INDEPENDENT
            likely[:, place] = found / found.sum(1, keepdims=True)
        logs = np.log(np.maximum(likely, _LEAST)).astype(np.float16)
        drawn = studio.drawn_as(gallery.crops, likely, "drawing faces as all they may be")
        self.gallery_ = np.concatenate([drawn.features, logs], axis=1)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, best first."""
        studio, places = self.studio, self.studio.generator.vocabulary.places
        vectors = studio.vectors_of(queries.wishes, queries.crops)
        wished = np.zeros_like(vectors)
        for name in queries.wishes:
            wished[:, places[name]] = _BESIDE * vectors[:, places[name]]
        asked = np.concatenate([studio.drawn(queries).features.astype(np.float32), wished], axis=1)
        return nearest(self.gallery_, asked, k, progress=studio.progress)


@dataclass(kw_only=True, eq=False)
class Fused:
    """Rows ``fused…``: the product's engine, on what the studio has made already.

    ``engine`` has one encoding, the studio's generator; ``describe`` gives its identity descriptors, and
    ``flow``, if there is one, what drawings are composed with (``retrieval.composing``).  With
    ``all_values`` the appearance is compared in the drawings of every value, not in that of the wished one.
    Learned by ``fit``: ``vectors_`` (N, D) float16, as a collection keeps them, and ``crops_`` (N, S, S)
    uint8.
    """

    engine: Engine
    studio: Studio
    describe: Features
    name: str
    flow: AppearanceFlow | None = None
    all_values: bool = False

    def fit(self, gallery: FaceSet) -> Self:
        self.crops_ = gallery.crops
        self.vectors_ = self._vectors(gallery.pictures).astype(np.float16)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, most probable first."""
        engine, progress = self.engine, self.studio.progress
        faces = self._vectors(queries.pictures)
        made = self.studio.drawn(queries)
        drawn = engine.encodings[0].projection(made.features)
        _, first, which = np.unique(queries.joined, return_index=True, return_inverse=True)
        wishes = [engine.wanted(queries.wish(query)) for query in first.tolist()]
        asked = [
            engine.query(face, {0: looks}, wishes[number], image)
            for face, looks, number, image in zip(faces, drawn, which.tolist(), made.stage2, strict=True)
        ]
        asked = composed(engine, self.flow, asked, queries.pictures, progress)
        vectors = np.stack([query.vector for query in asked])
        size = shortlist_size(k)
        _, shortlists = exact_search(in_blocks(self.vectors_), vectors, size, progress=progress)
        alike = self._alike_in_all_values(queries) if self.all_values else None
        found = np.full((len(asked), k), -1, np.int64)
        with underway(progress, "ranking by probability", len(asked), "queries") as ranking:
            for place, (query, ids) in enumerate(zip(asked, shortlists, strict=True)):
                ids = ids[ids >= 0]
                looks = None if alike is None else alike(place, ids)
                best = np.lexsort((ids, -engine.score(query, self.vectors_[ids], looks).probability))[:k]
                found[place, : len(best)] = ids[best]
                ranking.advance()
        return found

    def _vectors(self, pictures: Pictures) -> Floats:
        made = self.studio.canonical(pictures)
        descriptors = np.asarray(self.describe(pictures, self.studio.progress), np.float32)
        points = None if pictures.large is None else pictures.large.points
        return self.engine.assemble(descriptors, [made], points, self.engine.tell(pictures.crops))

    def _alike_in_all_values(self, queries: QueryBatch) -> Callable[[int, Ints], Doubles]:
        """Tell how alike a query and faces look, on average over the drawings of all values."""
        asked = self._in_all_values(queries.crops, queries.attribute)
        faces = self._in_all_values(self.crops_, queries.attribute)
        count = len(self.studio.values(queries.attribute))

        def alike(place: int, ids: Ints) -> Doubles:
            return np.asarray(faces[ids].astype(np.float64) @ asked[place].astype(np.float64) / count)

        return alike

    def _in_all_values(self, crops: Pixels, attribute: Attribute) -> NDArray[np.float16]:
        """Return (N, V · P) float16: the appearances of N faces drawn with each value, side by side."""
        project, rows = self.engine.encodings[0].projection, []
        for start in range(0, len(crops), _ROWS):
            features = self.studio.in_all_values(crops[start : start + _ROWS], attribute)
            count = len(self.studio.values(attribute))
            parts = np.split(features, count, axis=1)
            rows.append(np.concatenate([project(part) for part in parts], axis=1).astype(np.float16))
        return np.concatenate(rows)


@dataclass(kw_only=True, eq=False)
class CanonicalFeatures:
    """Features called ``features``: the middle layer of the second network, of faces as canonicalised.

    What they show is left as it is: for rivals that search with the face itself.
    """

    studio: Studio
    name = "features"
    needs_large = False

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """Return (N, D) float16, each row of length 1; the studio tells of the progress."""
        return self.studio.canonical(pictures).features
