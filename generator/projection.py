"""Features of 16,384 numbers as a few: the appearance that a collection keeps of a face.

A principal component analysis, fitted on rendered faces and kept beside the weights, whose components are
divided by a power of their singular values: 1 whitens.  Half-whitened, pose weighs less beside the person.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from faces.errors import WeightsError
from faces.files import write_durably
from faces.types import Floats

PROJECTION_FILE = "projection.safetensors"
COMPONENTS = 256  # how many numbers the projections have that come along
WHITENING = 0.5
_ROWS = 512  # features projected at a time


@dataclass(frozen=True)
class Projection:
    """Projects features (N, F) to appearances (N, P).

    ``mean`` (F,) float32 is taken away first; ``components`` (P, F) float16 are already divided by the power
    of their singular values.  Of the P numbers a collection keeps the first ``stored``, all if None.
    """

    mean: Floats
    components: NDArray[np.float16]
    stored: int | None = None

    @classmethod
    def fit(
        cls,
        features: NDArray[np.floating],
        dimension: int = COMPONENTS,
        whitening: float = WHITENING,
        seed: int = 0,
        stored: int | None = None,
    ) -> Self:
        """Learn from the features (N, F) of N faces, more than ``dimension``.

        ``whitening`` is the power of the singular values, 0 to 1; ``seed`` that of the randomised SVD.
        Raises WeightsError if there are too few faces.
        """
        from sklearn.decomposition import PCA

        if len(features) <= dimension:
            raise WeightsError(
                f"{len(features)} faces are too few for a projection to {dimension} numbers; use more faces."
            )
        fitted = PCA(dimension, svd_solver="randomized", random_state=seed).fit(features.astype(np.float32))
        spread = fitted.singular_values_ / np.sqrt(len(features))
        components = fitted.components_ / spread[:, None] ** whitening
        return cls(fitted.mean_.astype(np.float32), components.astype(np.float16), stored)

    @property
    def dimension(self) -> int:
        """P, the length of an appearance."""
        return len(self.components)

    def first(self, dimension: int | None = None) -> Projection:
        """Return the projection to the first of its components, by default to those that are stored."""
        return Projection(self.mean, self.components[: dimension or self.stored])

    @cached_property
    def digest(self) -> str:
        """12 hex digits that stand for its numbers."""
        return hashlib.sha256(self.mean.tobytes() + self.components.tobytes()).hexdigest()[:12]

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Project features (N, F) to appearances (N, P) float32 of length one."""
        found = np.empty((len(features), self.dimension), np.float32)
        for start in range(0, len(features), _ROWS):
            part = slice(start, start + _ROWS)
            found[part] = (features[part].astype(np.float32) - self.mean) @ self._directions
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(lengths > 0, lengths, 1), np.float32)

    @cached_property
    def _directions(self) -> Floats:
        """(F, P) float32: the components as the product needs them, widened once and not at every query."""
        return self.components.astype(np.float32).T

    def save(self, folder: Path) -> None:
        """Write it into the folder of the weights; raises OSError if that cannot be written to."""
        # safetensors writes memory as it lies, and scikit-learn's components lie column by column.
        tensors: dict[str, np.ndarray] = {
            "mean": np.ascontiguousarray(self.mean),
            "components": np.ascontiguousarray(self.components),
        }
        words = {} if self.stored is None else {"stored": str(self.stored)}
        write_durably(folder / PROJECTION_FILE, save(tensors, metadata=words))


def load_projection(folder: Path, feature_size: int | None = None) -> Projection:
    """Read the projection beside the weights in a folder; raises WeightsError if there is none that fits."""
    path = folder / PROJECTION_FILE
    try:
        content = path.read_bytes()
        tensors = load(content)  # checks the header
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        word = header.get("__metadata__", {}).get("stored", "")
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is missing, without which these weights make no collection; fit it with "
            f"`anotheryou fit-projection {folder} FACES`."
        ) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); copy the whole folder again.") from None
    mean, components = (tensors.get(name, np.empty(0)) for name in ("mean", "components"))
    if (
        mean.shape != (feature_size or mean.size,)
        or components.ndim != 2
        or components.shape[1] != mean.size
        or mean.dtype != np.float32
        or components.dtype != np.float16
        or not (word == "" or (word.isdigit() and 0 < int(word) <= len(components)))
        or not (np.isfinite(mean).all() and np.isfinite(components).all())
    ):
        raise WeightsError(f"{path} does not fit the weights beside it; copy the whole folder again.")
    return Projection(mean, components, int(word) if word else None)
