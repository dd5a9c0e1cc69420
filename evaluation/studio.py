"""What a generator makes of a gallery and of queries, made once and shared by every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import QueryBatch
from facedata.labelled import Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import WeightsError, WishError
from faces.progress import NoProgress, Progress, underway
from faces.types import Ints, Pixels
from generator.model import Canonical, Drawing
from retrieval.engine import Encoder

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
    return {field.name: getattr(made, field.name) for field in fields(made)}


def _select(made: Canonical, places: Sequence[int]) -> Canonical:
    return Canonical(**{name: array[np.asarray(places)] for name, array in _arrays(made).items()})


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
        crops = gallery.crops
        return self._canonical(
            crops,
            lambda: self._made(
                "canonicalising the gallery", crops, lambda part: self.generator.canonicalise(crops[part])
            ),
        )

    def drawn(self, queries: QueryBatch) -> Drawing:
        """Return the drawings of the queries, made at the first call."""
        if self._drawn is None or self._drawn[0] is not queries:
            crops, codes = queries.crops, self.codes_of(queries.targets, queries.attribute)
            made = self._made(
                "drawing the queries", crops, lambda part: self.generator.draw(crops[part], codes[part])
            )
            self._drawn = (queries, made)
        return self._drawn[1]

    def in_all_values(self, crops: NDArray[np.uint8], attribute: Attribute) -> NDArray[np.float16]:
        """Return (N, V · D) float16: the features of N faces drawn with each of V values, side by side."""
        self._check_size(crops)
        codes = self.codes_of(np.array(self.values(attribute), dtype=np.str_), attribute)
        features: NDArray[np.float16] = np.empty((len(crops), 0), np.float16)
        with underway(self.progress, "drawing faces with every value", len(crops), "faces") as drawing:
            for start in range(0, len(crops), _FEW):
                part = crops[start : start + _FEW]
                made = self.generator.draw(np.repeat(part, len(codes), axis=0), np.tile(codes, len(part)))
                if start == 0:
                    features = np.empty((len(crops), len(codes) * made.features.shape[1]), np.float16)
                features[start : start + len(part)] = made.features.reshape(len(part), -1)
                drawing.advance(len(part))
        return features

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
