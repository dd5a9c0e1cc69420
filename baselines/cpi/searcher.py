"""The row ``cpi``: faces compared by their controlled pose images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

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

CompareIn = Literal["all", "wished", "own"]
Describe = Literal["picture", "hidden"]

_CHUNK = 1024
RECOVERY = 0.05  # weight of the recovery code beside the picture, in the squared distance


@dataclass(kw_only=True, eq=False)
class CPI:
    """Search with what CPI draws of query and gallery; ``name`` is the row in the tables.

    The poses of the gallery are not known: each face has the pose that the network's pose head estimates.
    ``compare_in`` says which drawings are compared: ``all`` poses (the controlled pose images of Yim et al.)
    or the ``wished`` one alone, of faces that seem to have that; or all faces, each in its ``own`` estimated
    pose, as our gallery is canonicalised.

    A drawing is described by its pixels and, at the weight ``recovery``, by the recovery code (``picture``),
    or by the last hidden layer (``hidden``); each part is L2-normalised.  Learned by ``fit``: ``poses_`` (N,)
    estimated codes and ``features_`` (N, D) float16.
    """

    model: CPIModel
    name: str = "cpi"
    compare_in: CompareIn = "all"
    describe: Describe = "picture"
    recovery: float = RECOVERY
    stepwise: bool = False
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
        _, wanted = self._described(queries.crops, "turning the queries", wished)
        if self.compare_in == "own":
            return nearest(gallery, wanted, k, progress=self.progress)
        return rank_within(
            self.poses_, wished, k, lambda kept, asked: nearest(gallery[kept], wanted[asked], k)
        )

    def _described(
        self, crops: NDArray[np.uint8], what: str, codes: Ints | None = None
    ) -> tuple[Ints, NDArray[np.float16]]:
        """The poses (N,) of faces, estimated if they are not given, and their descriptors (N, D)."""
        told, described = [], []
        with underway(self.progress, what, len(crops), "faces") as turning:
            for start in range(0, max(len(crops), 1), _CHUNK):
                part = slice(start, start + _CHUNK)
                told.append(self.model.estimate_poses(crops[part]) if codes is None else codes[part])
                described.append(self._describe(crops[part], told[-1]))
                turning.advance(len(told[-1]))
        return np.concatenate(told), np.concatenate(described)

    def _describe(self, crops: NDArray[np.uint8], codes: Ints) -> NDArray[np.float16]:
        """(N, D) float16 descriptors of faces, drawn in the pose of their codes or in all."""
        poses = len(self.model.config.poses)
        views = [np.full(len(crops), code) for code in range(poses)] if self.compare_in == "all" else [codes]
        turn = self.model.turn_stepwise if self.stepwise else self.model.turn
        parts: list[Floats] = []
        for drawn in (turn(crops, view) for view in views):
            if self.describe == "hidden":
                parts.append(normalised(drawn.hidden))
            else:
                recovered = np.sqrt(self.recovery) * normalised(drawn.recovery)
                parts += [normalised(drawn.pictures), recovered.astype(np.float32)]
        return normalised(np.concatenate(parts, axis=1)).astype(np.float16)
