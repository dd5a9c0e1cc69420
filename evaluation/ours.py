"""Our rows: draw the wished face, then search the canonicalised gallery with the drawing."""

from __future__ import annotations

from typing import Self

from baselines.exact import Vectors, exact_search, normalised
from baselines.searcher import QueryBatch
from baselines.two_step import Label, rank_within
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.progress import Progress
from faces.types import Ints


class OursFeatures:
    """Row ``ours-features``: the middle layer of the second network, for drawings and gallery alike.

    Learned by ``fit``: ``gallery_``, the canonicalised gallery.
    """

    def __init__(self, *, studio: Studio, name: str = "ours-features") -> None:
        self.studio = studio
        self.name = name

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = self.studio.canonical(gallery)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """(Q, k) int64 gallery indices, nearest first."""
        return exact_search(
            self.gallery_.features, self.studio.drawn(queries).features, k, progress=self.studio.progress
        )[0]


class OursImage:
    """Row ``ours-image``: L2-normalised pixels of the second stage, against the canonical pictures.

    Learned by ``fit``: ``images_`` (N, S · S) float32.
    """

    def __init__(self, *, studio: Studio, name: str = "ours-image") -> None:
        self.studio = studio
        self.name = name

    def fit(self, gallery: FaceSet) -> Self:
        self.images_ = normalised(self.studio.canonical(gallery).images)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """(Q, k) int64 gallery indices, nearest first."""
        return exact_search(
            self.images_, normalised(self.studio.drawn(queries).stage2), k, progress=self.studio.progress
        )[0]


class OursAllValues:
    """Row ``ours-all-values``: as ``ours-features``, but each face is drawn with every value.

    Faces that canonicalisation takes for the wished value are kept, and compared with the query by their
    drawings in all values: what one drawing hides, another shows.  The squared distance is the sum of those
    of ``ours-features``.  Learned by ``fit``: ``gallery_``, the crops (N, S, S) uint8, and ``codes_`` (N,)
    int64, what each is taken for.
    """

    def __init__(self, *, studio: Studio, name: str = "ours-all-values") -> None:
        self.studio = studio
        self.name = name

    def fit(self, gallery: FaceSet) -> Self:
        self.gallery_ = gallery.crops
        self.codes_ = self.studio.canonical(gallery).codes
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """(Q, k) int64 gallery indices, nearest first, -1 where fewer than k faces are kept."""
        studio = self.studio
        wished = studio.codes_of(queries.targets, queries.attribute)

        def search(kept: Ints, asked: Ints) -> Ints:
            return exact_search(
                studio.in_all_values(self.gallery_[kept], queries.attribute),
                studio.in_all_values(queries.crops[asked], queries.attribute),
                k,
                progress=studio.progress,
            )[0]

        return rank_within(self.codes_, wished, k, search)


class CanonicalFeatures:
    """Features called ``features``: the middle layer of the second network, of faces as canonicalised.

    What they show is left as it is: for rivals that search with the face itself.
    """

    name = "features"
    needs_large = False

    def __init__(self, *, studio: Studio) -> None:
        self.studio = studio

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """(N, D) float16, each row of length 1; the studio tells of the progress."""
        return self.studio.canonical(pictures).features


def canonical_label(studio: Studio, attribute: Attribute) -> Label:
    """A first step for two-step retrieval that needs no labels: the value canonicalisation chose."""

    def label(gallery: FaceSet) -> Words:
        return studio.words_of(studio.canonical(gallery).codes, attribute)

    return label
