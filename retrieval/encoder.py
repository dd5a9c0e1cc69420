"""What retrieval and evaluation need of the weights: ``generator.Generator`` has it, and so have the tests'
stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from faces.crop import CropGeometry
from faces.types import Floats, Ints, Pixels
from index import Encoding

DEFAULT_WEIGHTS = "rotation-32"


class Group(Protocol):
    """A named attribute and its values."""

    @property
    def name(self) -> str: ...
    @property
    def values(self) -> tuple[str, ...]: ...


class Vocabulary(Protocol):
    """What can be wished for; a code stands for one value of every group."""

    @property
    def groups(self) -> Sequence[Group]: ...
    def codes(self, wish: Mapping[str, str], /) -> Ints: ...
    def label(self, code: int, /) -> dict[str, str]: ...


class Drawing(Protocol):
    """Faces drawn: images (N, S, S) uint8 of both stages, features (N, D) float32 of length one."""

    @property
    def stage1(self) -> Pixels: ...
    @property
    def stage2(self) -> Pixels: ...
    @property
    def features(self) -> Floats: ...


class Canonical(Protocol):
    """Faces as the network would draw them: of all codes the one that comes closest.

    Codes (N,) int64, images (N, S, S) uint8, features (N, D) float32 of length one, distances (N, V) float32.
    """

    @property
    def codes(self) -> Ints: ...
    @property
    def images(self) -> Pixels: ...
    @property
    def features(self) -> Floats: ...
    @property
    def distances(self) -> Floats: ...


class Encoder(Protocol):
    """Network and preprocessing in one."""

    @property
    def name(self) -> str: ...
    @property
    def weights_id(self) -> str: ...
    @property
    def geometry(self) -> CropGeometry: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    def draw(self, crops: Pixels, codes: Ints, /) -> Drawing: ...
    def canonicalise(self, crops: Pixels, /) -> Canonical: ...


def load_encoder(weights: str | Path | None = None, encoding: Encoding | None = None) -> Encoder:
    """The weights with this name or in this folder; without one those that made ``encoding``, or the default.

    Raises WeightsError where there are none.
    """
    from generator.checkpoint import load_generator

    chosen = weights if weights is not None else encoding.source if encoding is not None else DEFAULT_WEIGHTS
    load = cast(Callable[[str | Path], Encoder], load_generator)
    return load(chosen)


def encoding_of(encoder: Encoder, source: str | Path | None = None) -> Encoding:
    """The encoding that an encoder makes; ``source`` is the name or the folder it was loaded from."""
    size = encoder.geometry.size
    tried = encoder.canonicalise(np.zeros((1, size, size), np.uint8))
    where = encoder.name if source is None else str(source)
    if Path(where).is_dir():
        where = str(Path(where).resolve())
    groups = {group.name: tuple(group.values) for group in encoder.vocabulary.groups}
    dimension = int(tried.features.shape[1])
    return Encoding(encoder.weights_id, encoder.name, where, groups, encoder.geometry, dimension)
