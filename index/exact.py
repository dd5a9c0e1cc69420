"""Exact nearest neighbours, in two ways that give the same answer.

Few queries go to FAISS, which compares them with the 16-bit vectors directly; many share the work of
unpacking, and each block of vectors is compared with all of them by one matrix product.  Either way the best
are measured again, directly, so that neither rounding nor the way taken shows; equal distances are in the
order of the face ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from faces.types import Floats, Ints
from index.vectorfile import Halves, VectorFile

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FEW = 16  # queries up to which FAISS's direct comparison is the faster way
_SPARE = 16  # more candidates than asked for, so that rounding cannot push a right one out
_BLOCK = 1024  # vectors unpacked at a time, 64 MB at 16,384 numbers
_AT_ONCE = 64  # vectors measured directly at a time


class Best:
    """The k nearest so far of each query: distances (Q, k) float64, ids (Q, k) int64, -1 where none."""

    def __init__(self, queries: int, k: int) -> None:
        self.distances: Doubles = np.full((queries, k), np.inf)
        self.ids: Ints = np.full((queries, k), -1, np.int64)

    def offer(self, query: int, distances: Doubles, ids: Ints) -> None:
        """Take in candidates of one query."""
        k = self.ids.shape[1]
        all_distances = np.concatenate([self.distances[query], distances])
        all_ids = np.concatenate([self.ids[query], ids])
        order = np.lexsort((all_ids, all_distances))[:k]
        self.distances[query], self.ids[query] = all_distances[order], all_ids[order]

    def reach(self) -> Doubles:
        """(Q,) the distance a candidate must not exceed to count."""
        return self.distances[:, -1]


def exact_distances(query: Floats, vectors: Halves) -> Doubles:
    """(n,) Euclidean distances of one query (D,) to vectors (n, D), squares summed as float64."""
    distances = np.empty(len(vectors))
    for start in range(0, len(vectors), _AT_ONCE):
        part = vectors[start : start + _AT_ONCE].astype(np.float32) - query
        distances[start : start + _AT_ONCE] = np.sqrt(np.square(part, dtype=np.float64).sum(axis=1))
    return distances


def search_file(best: Best, queries: Floats, file: VectorFile, wanted: Bools | None) -> None:
    """Offer ``best`` the nearest rows of a file; ``wanted`` (n,) tells which rows count, None all."""
    if len(queries) > _FEW:
        search_blocks(best, queries, _blocks(file, wanted))
        return
    import faiss

    count = len(file) if wanted is None else int(wanted.sum())
    k = min(best.ids.shape[1] + _SPARE, count)
    if not k:
        return
    parameters = None
    if wanted is not None:
        bits = np.packbits(wanted, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # FAISS wraps it at run time
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    _, positions = file.index.search(queries, k, params=parameters)
    for query, row in enumerate(positions):
        best.offer(query, exact_distances(queries[query], file.vectors[row]), file.ids[row])


def search_blocks(best: Best, queries: Floats, blocks: Iterable[tuple[Ints, Halves]]) -> None:
    """Offer ``best`` the nearest of blocks of (ids (n,), vectors (n, D)), by a matrix product each."""
    norms = np.einsum("qd,qd->q", queries, queries)
    for ids, vectors in blocks:
        unpacked = vectors.astype(np.float32)
        lengths = np.einsum("nd,nd->n", unpacked, unpacked)
        squares = queries @ unpacked.T  # (Q, n)
        squares *= -2
        squares += norms[:, None]
        squares += lengths
        slack = 2e-5 * (norms + float(lengths.max(initial=0)))  # far above the rounding of the product
        limit = np.square(best.reach())
        k = best.ids.shape[1]
        if k < len(ids):
            limit = np.minimum(limit, np.partition(squares, k - 1, axis=1)[:, k - 1])
        close = squares <= (limit + slack)[:, None]
        for query in np.flatnonzero(close.any(axis=1)):
            rows = np.flatnonzero(close[query])
            best.offer(int(query), exact_distances(queries[query], vectors[rows]), ids[rows])


def _blocks(file: VectorFile, wanted: Bools | None) -> Iterator[tuple[Ints, Halves]]:
    for start in range(0, len(file), _BLOCK):
        part = slice(start, start + _BLOCK)
        if wanted is None:
            yield file.ids[part], file.vectors[part]
        elif wanted[part].any():
            yield file.ids[part][wanted[part]], file.vectors[part][wanted[part]]
