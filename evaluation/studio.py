"""What a generator makes of a gallery and of queries, made once and shared by every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import QueryBatch
from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import WeightsError
from faces.progress import NoProgress, Progress, underway
from faces.types import Floats, Ints, Pixels
from generator.model import Canonical, Drawing
from retrieval.parts import Encoder

# Faces handed to the generator at a time, so that progress shows; a face's features are 64 KB.
CHUNK = 256
_FEW = 32  # faces of which every value is drawn at a time

Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=Canonical | Drawing)


class Remembered(Generic[Made]):
    """What was made of the first crops that were seen, and of the last others.

    A gallery comes first, and queries are made of its faces: of crops that are, bit for bit, among the first
    what was made of those is selected.
    """

    def __init__(self, select: Callable[[Made, Sequence[int]], Made]) -> None:
        self.select = select
        self._places: dict[bytes, int] = {}
        self._first: tuple[Pixels, Made] | None = None
        self._last: tuple[Pixels, Made] | None = None

    def __call__(self, crops: Pixels, make: Callable[[], Made]) -> Made:
        """Return what was made of crops (N, S, S), or ``make`` it."""
        for kept in (self._first, self._last):
            if kept is not None and kept[0] is crops:
                return kept[1]
        if self._first is None:
            self._first = (crops, make())
            self._places = {crop.tobytes(): place for place, crop in enumerate(crops)}
            return self._first[1]
        places = [self._places.get(crop.tobytes(), -1) for crop in crops]
        made = make() if -1 in places else self.select(self._first[1], places)
        self._last = (crops, made)
        return made


def _arrays(made: Canonical | Drawing) -> dict[str, Any]:
    found = {field.name: getattr(made, field.name) for field in fields(made)}
    return {name: array for name, array in found.items() if array is not None}


def _select(made: Canonical, places: Sequence[int]) -> Canonical:
    chosen = np.asarray(places)
    return Canonical(**{name: array[chosen] for name, array in _arrays(made).items()})


class Studio:
    """A generator that remembers its first gallery, the last other faces and its last queries.

    It keeps features as float16: 20,860 × 16,384 of them take 0.7 GB, and a distance changes by less than a
    thousandth.  Raises WeightsError if the faces are not of the generator's size.
    """

    def __init__(self, generator: Encoder, *, progress: Progress | None = None) -> None:
        self.generator = generator
        self.progress = progress or NoProgress()
        self._canonical = Remembered(_select)
        self._drawn: tuple[QueryBatch, Drawing] | None = None

    @property
    def weights(self) -> str:
        """The weights as ``name@id``."""
        return f"{self.generator.name}@{self.generator.weights_id}"

    def forget(self) -> None:
        """Let go of gallery and queries, which may take gigabytes."""
        self._canonical, self._drawn = Remembered(_select), None

    def values(self, attribute: Attribute) -> tuple[str, ...]:
        """List the values of an attribute that can be drawn; raises WeightsError if it is unknown."""
        for group in self.generator.vocabulary.groups:
            if group.name == attribute:
                return tuple(group.values)
        known = ", ".join(group.name for group in self.generator.vocabulary.groups)
        raise WeightsError(f"the weights {self.generator.name} do not change the {attribute}, only {known}.")

    def vectors_of(self, wishes: Mapping[Attribute, Words], crops: Pixels) -> Floats:
        """Return the attribute vectors (Q, A) of wished words (Q,), by attribute, for faces (Q, S, S).

        Other attributes stay as the faces seem to show them.  Raises WishError for a word that cannot be
        drawn.
        """
        vocabulary = self.generator.vocabulary
        wished = np.zeros((len(crops), vocabulary.size), np.float32)
        if len(vocabulary.groups) > len(wishes):
            wished = vocabulary.vectors(self._canonicalised(crops).values)
        for attribute, words in wishes.items():
            different, which = np.unique(words, return_inverse=True)
            spreads = [vocabulary.group(attribute).spread(str(word)) for word in different]
            wished[:, vocabulary.places[attribute]] = np.reshape(spreads, (len(different), -1))[which]
        return wished

    def words_of(self, values: Ints, attribute: Attribute) -> Words:
        """Return the words (N,) of an attribute that canonicalisation's ``values`` (N, G) stand for."""
        group = [*self.generator.vocabulary.places].index(attribute)
        return np.array(self.values(attribute), dtype=np.str_)[values[:, group]]

    def canonical(self, gallery: FaceSet | Pictures) -> Canonical:
        """Return the canonicalised faces, computed at the first call."""
        return self._canonicalised(gallery.crops)

    def drawn(self, queries: QueryBatch) -> Drawing:
        """Return the drawings of the queries, made at the first call."""
        if self._drawn is None or self._drawn[0] is not queries:
            crops = queries.crops
            vectors = self.vectors_of(queries.wishes, crops)
            self._drawn = (queries, self.drawn_as(crops, vectors, "drawing the queries"))
        return self._drawn[1]

    def drawn_as(self, crops: Pixels, vectors: Floats, words: str = "drawing faces") -> Drawing:
        """Draw faces (N, S, S) with one attribute vector each, (N, A); ``words`` tell of the progress."""
        return self._made(words, crops, lambda part: self.generator.draw(crops[part], vectors[part]))

    def draw(self, crops: Pixels, words: Words, attribute: Attribute) -> Drawing:
        """Draw faces (N, S, S) with one wished word (N,) each; raises WishError as ``vectors_of`` does."""
        return self.generator.draw(crops, self.vectors_of({attribute: words}, crops))

    def in_all_values(self, crops: NDArray[np.uint8], attribute: Attribute) -> NDArray[np.float16]:
        """Return (N, V · D) float16: the features of N faces drawn with each of V values, side by side."""
        self._check_size(crops)
        wishes = [
            self.vectors_of({attribute: np.full(len(crops), word)}, crops) for word in self.values(attribute)
        ]
        vectors = np.stack(wishes, axis=1)  # (N, V, A)
        values = vectors.shape[1]
        features: NDArray[np.float16] = np.empty((len(crops), 0), np.float16)
        with underway(self.progress, "drawing faces with every value", len(crops), "faces") as drawing:
            for start in range(0, len(crops), _FEW):
                part = crops[start : start + _FEW]
                asked = vectors[start : start + _FEW].reshape(-1, vectors.shape[2])
                made = self.generator.draw(np.repeat(part, values, axis=0), asked)
                if start == 0:
                    features = np.empty((len(crops), values * made.features.shape[1]), np.float16)
                features[start : start + len(part)] = made.features.reshape(len(part), -1)
                drawing.advance(len(part))
        return features

    def _canonicalised(self, crops: Pixels) -> Canonical:
        return self._canonical(
            crops,
            lambda: self._made(
                "canonicalising the gallery", crops, lambda part: self.generator.canonicalise(crops[part])
            ),
        )

    def _made(self, words: str, crops: Pixels, make: Callable[[slice], Kind]) -> Kind:
        """Put together what ``make`` gives for one chunk of crops (N, S, S) after the other."""
        self._check_size(crops)
        whole: dict[str, Any] = {}
        with underway(self.progress, words, len(crops), "faces") as making:
            for start in range(0, max(len(crops), 1), CHUNK):
                part = slice(start, min(start + CHUNK, len(crops)))
                made = make(part)
                for name, array in _arrays(made).items():
                    if start == 0:
                        kind = np.float16 if name == "features" else array.dtype
                        whole[name] = np.empty((len(crops), *array.shape[1:]), kind)
                    whole[name][part] = array
                making.advance(part.stop - part.start)
        return replace(made, **whole)

    def _check_size(self, crops: NDArray[np.uint8]) -> None:
        size = self.generator.geometry.size
        if crops.shape[1:] != (size, size):
            side = "×".join(str(length) for length in crops.shape[1:])
            raise WeightsError(
                f"the weights {self.generator.name} take faces of {size}×{size} pixels, not {side}; "
                "read the faces with the geometry of the weights."
            )
