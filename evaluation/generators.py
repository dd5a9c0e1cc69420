"""What the measure asks of a generator, so that a fake one can be measured as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faces.crop import CropGeometry
from faces.types import Floats, Ints


class GroupLike(Protocol):
    """A named group of values, such as ``pose``: ``-45`` to ``+45``."""

    @property
    def name(self) -> str: ...

    @property
    def values(self) -> tuple[str, ...]: ...


class VocabularyLike(Protocol):
    """What is asked of a generator's vocabulary."""

    @property
    def groups(self) -> Sequence[GroupLike]: ...

    def code(self, wish: dict[str, str], /) -> int: ...

    def label(self, code: int, /) -> Mapping[str, str]: ...


class DrawingLike(Protocol):
    """Faces as both stages drew them: (N, S, S) uint8, and (N, D) float32 L2-normalised features."""

    @property
    def stage1(self) -> NDArray[np.uint8]: ...

    @property
    def stage2(self) -> NDArray[np.uint8]: ...

    @property
    def features(self) -> Floats: ...


class CanonicalLike(Protocol):
    """Faces redrawn as themselves: (N,) int64 codes, (N, S, S) uint8 images, (N, D) float32 features."""

    @property
    def codes(self) -> Ints: ...

    @property
    def images(self) -> NDArray[np.uint8]: ...

    @property
    def features(self) -> Floats: ...


class GeneratorLike(Protocol):
    """What is asked of a generator; ``generator.model.Generator`` is one, and so are the fakes of the
    tests."""

    @property
    def name(self) -> str: ...

    @property
    def weights_id(self) -> str: ...

    @property
    def geometry(self) -> CropGeometry: ...

    @property
    def vocabulary(self) -> VocabularyLike: ...

    def draw(self, crops: NDArray[np.uint8], codes: Ints, /) -> DrawingLike: ...

    def canonicalise(self, crops: NDArray[np.uint8], /) -> CanonicalLike: ...
