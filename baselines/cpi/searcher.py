"""The row ``cpi``: faces compared by their controlled pose images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from baselines.cpi.model import CPIModel, Turned
from baselines.features import normalised
from baselines.searcher import QueryBatch
from facedata.labelled import FaceSet
from faces.errors import DataError
from faces.progress import NoProgress, Progress
from faces.types import Floats, Ints
from index.search import nearest

CompareIn = Literal["all", "wished", "own"]
Describe = Literal["picture", "hidden"]

_CHUNK = 1024
RECOVERY = 0.05
"""Weight of the recovery code beside the picture, in the squared distance."""


class CPI:
    """Search with what CPI draws of query and gallery; ``name`` is the row in the tables.

    The poses of the gallery are not known: each face has the pose that the network's pose head estimates.
    ``compare_in`` says which drawings are compared:

    - ``all``: faces that seem to have the wished pose are kept, and compared with the query by the drawings
      in all poses, the controlled pose images of Yim et al. together;
    - ``wished``: the same by the drawing in the wished pose alone;
    - ``own``: nothing is filtered, the query is drawn in the wished pose and each gallery face in its own
      estimated one, as our gallery is canonicalised.

    A drawing is described by its pixels and, at the weight ``recovery``, by the recovery code (``picture``),
    or by the last hidden layer (``hidden``); each part is L2-normalised.  Learned by ``fit``: ``poses_`` (N,)
    estimated codes and ``features_`` (N, D) float16.
    """

    def __init__(
        self,
        *,
        model: CPIModel,
        name: str = "cpi",
        compare_in: CompareIn = "all",
        describe: Describe = "picture",
        recovery: float = RECOVERY,
        stepwise: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.name = name
        self.compare_in = compare_in
        self.describe = describe
        self.recovery = recovery
        self.stepwise = stepwise
        self.progress = progress

    def fit(self, gallery: FaceSet) -> Self:
        """Estimate the poses of N faces and describe them.  Raises WeightsError if the size does not fit."""
        poses, features = [], []
        for part in self._parts(len(gallery), "turning the gallery"):
            poses.append(self.model.estimate_poses(gallery.crops[part]))
            features.append(self._describe(gallery.crops[part], poses[-1]))
        self.poses_, self.features_ = np.concatenate(poses), np.concatenate(features)
        return self

    def rank(self, queries: QueryBatch, k: int) -> Ints:
        """Return (Q, k) int64 gallery indices, nearest first, -1 if fewer than k faces seem to have the pose.

        Raises DataError for wishes of another attribute than the pose, WishError for a pose not learned.
        """
        if queries.attribute != "pose":
            raise DataError(f"CPI turns faces; it cannot change the {queries.attribute}.")
        wished = self.model.codes_of(queries.targets)
        parts = self._parts(len(queries), "turning the queries")
        asked = np.concatenate([self._describe(queries.crops[part], wished[part]) for part in parts])
        if self.compare_in == "own":
            return nearest(self.features_, asked, k, progress=self.progress)
        ranking = np.full((len(queries), k), -1, np.int64)
        for code in np.unique(wished):
            rows, kept = np.flatnonzero(wished == code), np.flatnonzero(self.poses_ == code)
            found = nearest(self.features_[kept], asked[rows], k)
            ranking[rows] = np.where(found >= 0, np.append(kept, -1)[found], -1)
        return ranking

    def _parts(self, count: int, what: str) -> Iterator[slice]:
        """Slices of ``count`` faces, with progress; an empty one if there are none."""
        progress = self.progress or NoProgress()
        progress.start(what, count, "faces")
        try:
            for start in range(0, max(count, 1), _CHUNK):
                part = slice(start, min(start + _CHUNK, count))
                yield part
                progress.advance(part.stop - part.start)
        finally:
            progress.finish()

    def _describe(self, crops: NDArray[np.uint8], codes: Ints) -> NDArray[np.float16]:
        """(N, D) float16 descriptors of faces, drawn in the pose of their codes or in all."""
        poses = len(self.model.config.poses)
        views = [np.full(len(crops), code) for code in range(poses)] if self.compare_in == "all" else [codes]
        described = [self._vectors(self._turn(crops, view)) for view in views]
        return normalised(np.concatenate(described, axis=1)).astype(np.float16)

    def _turn(self, crops: NDArray[np.uint8], codes: Ints) -> Turned:
        return self.model.turn_stepwise(crops, codes) if self.stepwise else self.model.turn(crops, codes)

    def _vectors(self, drawn: Turned) -> Floats:
        if self.describe == "hidden":
            return normalised(drawn.hidden)
        recovered = np.sqrt(self.recovery) * normalised(drawn.recovery)
        return np.concatenate([normalised(drawn.pictures), recovered.astype(np.float32)], axis=1)
