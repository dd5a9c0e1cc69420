"""What a generator makes of a gallery and of queries, made once and shared by every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import QueryBatch
from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import WeightsError, WishError
from faces.progress import NoProgress, Progress
from faces.types import Floats, Ints
from retrieval.engine import Encoder

# Faces handed to the generator at a time, so that progress shows; a face's features are 64 KB.
CHUNK = 256
_FEW = 32  # faces of which every value is drawn at a time


@dataclass(frozen=True)
class Canonical:
    """A gallery redrawn as itself: ``codes`` (N,) int64, ``images`` (N, S, S) uint8, ``features`` (N, D)
    float16, ``distances`` (N, V) float32 of the drawings in all codes.

    Features are L2-normalised; float16 keeps 20,860 × 16,384 of them in 0.7 GB and changes a distance by
    less than a thousandth.
    """

    codes: Ints
    images: NDArray[np.uint8]
    features: NDArray[np.float16]
    distances: Floats

    def select(self, places: Sequence[int]) -> Canonical:
        """Choose those at these places, in that order."""
        which = np.asarray(places)
        return Canonical(self.codes[which], self.images[which], self.features[which], self.distances[which])


@dataclass(frozen=True)
class Drawn:
    """Faces drawn with wished values: both stages (Q, S, S) uint8, ``features`` (Q, D) float16,
    L2-normalised."""

    stage1: NDArray[np.uint8]
    stage2: NDArray[np.uint8]
    features: NDArray[np.float16]


class Studio:
    """A generator that remembers its first gallery, the last other faces and its last queries.

    Raises WeightsError if the faces are not of the generator's size.
    """

    def __init__(self, generator: Encoder, *, progress: Progress | None = None) -> None:
        self.generator = generator
        self.progress = progress or NoProgress()
        self._canonical: list[tuple[NDArray[np.uint8], Canonical]] = []
        self._places: dict[bytes, int] = {}
        self._drawn: tuple[QueryBatch, Drawn] | None = None

    @property
    def weights(self) -> str:
        """The weights as ``name@id``."""
        return f"{self.generator.name}@{self.generator.weights_id}"

    def forget(self) -> None:
        """Let go of gallery and queries, which may take gigabytes."""
        self._canonical, self._drawn = [], None

    def values(self, attribute: Attribute) -> tuple[str, ...]:
        """List the values of an attribute that can be drawn; raises WeightsError if it is unknown."""
        for group in self.generator.vocabulary.groups:
            if group.name == attribute:
                return tuple(group.values)
        known = ", ".join(group.name for group in self.generator.vocabulary.groups)
        raise WeightsError(f"the weights {self.generator.name} do not change the {attribute}, only {known}.")

    def codes_of(self, words: Words, attribute: Attribute) -> Ints:
        """Return (Q,) int64 codes of (Q,) wished words; raises WishError for a word that cannot be drawn
        or leaves open what else is shown."""
        different, which = np.unique(words, return_inverse=True)
        codes = [self.generator.vocabulary.codes({attribute: str(word)}) for word in different]
        if any(len(found) != 1 for found in codes):
            raise WishError(
                f"The weights {self.generator.name} change more than {attribute}; give others that do not."
            )
        return np.concatenate([*codes, np.empty(0, np.int64)])[which]

    def words_of(self, codes: Ints, attribute: Attribute) -> Words:
        """Return (N,) words of (N,) int64 codes."""
        different, which = np.unique(codes, return_inverse=True)
        words = [self.generator.vocabulary.label(int(code))[attribute] for code in different]
        return np.array(words, dtype=np.str_)[which]

    def canonical(self, gallery: FaceSet | Pictures) -> Canonical:
        """Return the canonicalised faces, computed at the first call."""
        for crops, known in self._canonical:
            if crops is gallery.crops:
                return known
        if self._canonical:
            # Queries are mostly faces of the gallery.
            places = [self._places.get(crop.tobytes(), -1) for crop in gallery.crops]
        else:
            places = [-1]
            self._places = {crop.tobytes(): place for place, crop in enumerate(gallery.crops)}
        strange = -1 in places
        made = self._canonicalise(gallery.crops) if strange else self._canonical[0][1].select(places)
        self._canonical = [*self._canonical[:1], (gallery.crops, made)]
        return made

    def drawn(self, queries: QueryBatch) -> Drawn:
        """Return the drawings of the queries, made at the first call."""
        if self._drawn is None or self._drawn[0] is not queries:
            codes = self.codes_of(queries.targets, queries.attribute)
            self._drawn = (queries, self._draw(queries.crops, codes))
        return self._drawn[1]

    def in_all_values(self, crops: NDArray[np.uint8], attribute: Attribute) -> NDArray[np.float16]:
        """Return (N, V · D) float16: the features of N faces drawn with each of V values, side by side."""
        self._check_size(crops)
        codes = self.codes_of(np.array(self.values(attribute), dtype=np.str_), attribute)
        features: NDArray[np.float16] = np.empty((len(crops), 0), np.float16)
        self.progress.start("drawing faces with every value", len(crops), "faces")
        try:
            for start in range(0, len(crops), _FEW):
                part = crops[start : start + _FEW]
                made = self.generator.draw(np.repeat(part, len(codes), axis=0), np.tile(codes, len(part)))
                if start == 0:
                    features = np.empty((len(crops), len(codes) * made.features.shape[1]), np.float16)
                features[start : start + len(part)] = made.features.reshape(len(part), -1)
                self.progress.advance(len(part))
        finally:
            self.progress.finish()
        return features

    def _canonicalise(self, crops: NDArray[np.uint8]) -> Canonical:
        self._check_size(crops)
        codes = np.empty(len(crops), np.int64)
        images = np.empty_like(crops)
        features, distances = np.empty((len(crops), 0), np.float16), np.empty((len(crops), 0), np.float32)
        self.progress.start("canonicalising the gallery", len(crops), "faces")
        try:
            for start in range(0, len(crops), CHUNK):
                part = slice(start, start + CHUNK)
                made = self.generator.canonicalise(crops[part])
                if start == 0:
                    features = np.empty((len(crops), made.features.shape[1]), np.float16)
                    distances = np.empty((len(crops), made.distances.shape[1]), np.float32)
                codes[part], images[part] = made.codes, made.images
                features[part], distances[part] = made.features, made.distances
                self.progress.advance(len(made.codes))
        finally:
            self.progress.finish()
        return Canonical(codes, images, features, distances)

    def _draw(self, crops: NDArray[np.uint8], codes: Ints) -> Drawn:
        self._check_size(crops)
        stage1, stage2 = np.empty_like(crops), np.empty_like(crops)
        features = np.empty((len(crops), 0), np.float16)
        self.progress.start("drawing the queries", len(crops), "faces")
        try:
            for start in range(0, len(crops), CHUNK):
                part = slice(start, start + CHUNK)
                made = self.generator.draw(crops[part], codes[part])
                if start == 0:
                    features = np.empty((len(crops), made.features.shape[1]), np.float16)
                stage1[part], stage2[part], features[part] = made.stage1, made.stage2, made.features
                self.progress.advance(len(made.features))
        finally:
            self.progress.finish()
        return Drawn(stage1, stage2, features)

    def _check_size(self, crops: NDArray[np.uint8]) -> None:
        size = self.generator.geometry.size
        if crops.shape[1:] != (size, size):
            side = "×".join(str(length) for length in crops.shape[1:])
            raise WeightsError(
                f"the weights {self.generator.name} take faces of {size}×{size} pixels, not {side}; "
                "read the faces with the geometry of the weights."
            )
