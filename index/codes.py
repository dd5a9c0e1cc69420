"""Short codes of vectors: product quantisation, compared by FAISS's fast scan, 56 bytes a face.

A vector is turned to its principal axes, two of them are joined to a pair, and each pair is told by the
nearest of 16 points (Jégou et al., Product Quantization for Nearest Neighbor Search, 2011; André et al.,
Cache locality is not enough, 2015).  Codes only choose the rows that are worth an exact comparison.

Queries weigh the parts of a vector very differently, and what a query hardly looks at deserves no bits: each
number is scaled by its ``importance``, the root mean square of what queries hold in its place, before axes
and points are found, and queries are scaled the other way.
"""

from __future__ import annotations

import struct
from typing import Any, cast

import numpy as np

from faces.types import Floats, Halves, Ints

_AXES = 224  # of 402; the more the better, but the slower
_BITS = 4  # a point of a pair, as fast scan wants it
_LEARNED = 50_000  # rows that axes and points are learned from
_SEED = 0
_SHAPE = struct.Struct("<II")
# Rows compared exactly for each that is asked for, and at least so many.
_SPARE, _LEAST = 6, 3000


class Codes:
    """The codes of all rows of a segment.

    ``index`` is FAISS's, ``to_query`` (D, axes) float32 turns queries to what it compares.
    """

    def __init__(self, index: Any, to_query: Floats) -> None:
        self.index, self.to_query = index, to_query

    @classmethod
    def unpacked(cls, packed: bytes) -> Codes:
        """Read what ``packed`` gave."""
        import faiss

        dimension, axes = _SHAPE.unpack_from(packed)
        to_query = np.frombuffer(packed, "<f4", dimension * axes, _SHAPE.size).reshape(dimension, axes)
        start = _SHAPE.size + to_query.nbytes
        return cls(faiss.deserialize_index(np.frombuffer(packed, np.uint8, offset=start)), to_query)

    def packed(self) -> bytes:
        """Give everything as bytes."""
        import faiss

        shape = _SHAPE.pack(*self.to_query.shape)
        return shape + self.to_query.astype("<f4").tobytes() + faiss.serialize_index(self.index).tobytes()

    @classmethod
    def of(cls, vectors: Halves, importance: Floats) -> Codes:
        """Learn from vectors (n, D), of which there are many, and encode them; reproducible.

        ``importance`` (D,) is zero for numbers that queries do not look at.
        """
        import faiss

        rng = np.random.default_rng(_SEED)
        chosen = np.sort(rng.choice(len(vectors), min(_LEARNED, len(vectors)), replace=False))
        learned = vectors[chosen].astype(np.float64) * importance
        mean = learned.mean(axis=0)
        _, directions = np.linalg.eigh(np.cov((learned - mean).T))  # ascending
        count = min(_AXES, vectors.shape[1] // 2 * 2)
        large, small = np.arange(count // 2), np.arange(count // 2, count)[::-1]
        # A pair joins a direction in which much differs with one in which little does.
        axes = directions[:, ::-1][:, np.stack([large, small], axis=1).ravel()]
        to_code = (importance[:, None] * axes).astype(np.float32)
        middle = (mean @ axes).astype(np.float32)
        index = cast(Any, faiss.IndexPQFastScan(count, count // 2, _BITS, faiss.METRIC_INNER_PRODUCT))
        index.train(vectors[chosen].astype(np.float32) @ to_code - middle)
        for start in range(0, len(vectors), _LEARNED):
            index.add(vectors[start : start + _LEARNED].astype(np.float32) @ to_code - middle)
        back = np.divide(1, importance, out=np.zeros(importance.shape), where=importance > 0)
        return cls(index, (back[:, None] * axes).astype(np.float32))

    def shortlist(self, queries: Floats, k: int) -> Ints:
        """Choose the rows (Q, R) int64 worth an exact comparison if the best k are asked for; -1 if fewer."""
        count = min(max(_LEAST, _SPARE * k), self.index.ntotal)
        return np.asarray(self.index.search(queries @ self.to_query, count)[1])
