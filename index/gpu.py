"""A store's vectors on a graphics card, where FAISS finds one, which soon compares all of them.

That takes the GPU build of FAISS (the extra ``gpu``).  Numbers have 32 bits there, so that scores are those
of the processor up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from faces.types import Floats, Ints
from index.segment import Segment

MOST = 2048  # neighbours that FAISS finds on a card
_ROWS = 65536  # sent at a time


class GpuVectors:
    """The vectors of segments on the first card.  Raises RuntimeError, FAISS's own, if they do not fit."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        import faiss

        self._resources = cast(Any, faiss).StandardGpuResources()  # the index does not keep them alive
        self._index = cast(Any, faiss).GpuIndexFlatIP(self._resources, segments[0].dimension)
        for segment in segments:
            for start in range(0, len(segment), _ROWS):
                self._index.add(segment.vectors[start : start + _ROWS].astype(np.float32))
        self._ids: Ints = np.concatenate([segment.ids for segment in segments])

    def search(self, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Find the best k, at most ``MOST``, exactly; see ``VectorStore.search``."""
        scores, rows = self._index.search(queries, min(k, len(self._ids)))
        return np.asarray(scores), self._ids[rows]


def has_gpu() -> bool:
    """Tell whether FAISS finds a graphics card."""
    import faiss

    return bool(faiss.get_num_gpus())


def on_gpu(segments: Sequence[Segment]) -> GpuVectors | None:
    """Bring the vectors of segments onto the card; None if there is none, or too little room on it."""
    if not has_gpu():
        return None
    try:
        return GpuVectors(segments)
    except RuntimeError:
        return None
