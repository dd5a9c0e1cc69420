"""The row ``cpi``: faces compared by their controlled pose images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from baselines.cpi.model import CPIModel
from baselines.searcher import QueryBatch, normalised
from baselines.two_step import rank_within
from facedata.labelled import FaceSet
from faces.errors import DataError
from faces.progress import Progress, underway
from faces.types import Floats, Ints
from index.search import nearest

_CHUNK = 1024
RECOVERY = 0.05  # weight of the recovery code beside the picture, in the squared distance


@dataclass(kw_only=True, eq=False)
class CPI:
    """Search with what CPI draws of query and gallery; ``name`` is the row in the tables.

    The poses of the gallery are not known: each face has the pose that the network's pose head estimates.
    Faces that seem to have the wished pose are compared by their drawings in all poses, the controlled pose
    images of Yim et al.; each is described by its pixels and, at the weight ``RECOVERY``, by the recovery
    code, both L2-normalised.  Learned by ``fit``: ``poses_`` (N,) estimated codes and ``features_`` (N, D)
    float16.
    """

    model: CPIModel
    name: str = "cpi"
    progress: Progress | None = None

    def fit(self, gallery: FaceSet) -> Self:
        """Estimate the poses of N faces and describe them.  Raises WeightsError if the size does not fit."""
        self.poses_, self.features_ = self._described(gallery.crops, "turning the gallery")
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first, -1 if fewer than k faces seem to have the pose.

        Raises DataError for wishes of another attribute than the pose, WishError for a pose not learned.
        """
        if queries.attribute != "pose":
            raise DataError(f"CPI turns faces; it cannot change the {queries.attribute}.")
        wished, gallery = self.model.codes_of(queries.targets), self.features_
        _, wanted = self._described(queries.crops, "turning the queries")
        return rank_within(
            self.poses_, wished, k, lambda kept, asked: nearest(gallery[kept], wanted[asked], k)
        )

    def _described(self, crops: NDArray[np.uint8], what: str) -> tuple[Ints, NDArray[np.float16]]:
        """The estimated poses (N,) of faces, and their descriptors (N, D)."""
        told, described = [], []
        with underway(self.progress, what, len(crops), "faces") as turning:
            for start in range(0, max(len(crops), 1), _CHUNK):
                views, poses = self.model.turn_to_all(crops[start : start + _CHUNK])
                parts: list[Floats] = []
                for drawn in views:
                    recovered = np.sqrt(RECOVERY) * normalised(drawn.recovery)
                    parts += [normalised(drawn.pictures), recovered.astype(np.float32)]
                told.append(poses)
                described.append(normalised(np.concatenate(parts, axis=1)).astype(np.float16))
                turning.advance(len(poses))
        return np.concatenate(told), np.concatenate(described)
