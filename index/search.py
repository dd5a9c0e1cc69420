"""Search by inner product: the k vectors of the largest score, equal scores in the order of the ids.

``exact_search`` is plain and needs nothing but NumPy.  ``best_of`` is what a collection does with a store's
candidates: it scores them again in float64 by vectors that were checked, and asks for more as long as
rounding may have kept a better one from being among them, so that neither rounding nor the store shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faces.progress import Progress, underway
from faces.types import Doubles, Floats, Halves, Ints

Vectors = NDArray[np.float16] | NDArray[np.float32]
Blocks = Iterable[tuple[Ints, Vectors]]
"""Ids (n,) int64, ascending over all blocks, and vectors (n, D)."""

_SPARE = 16  # more candidates than asked for, so that rounding cannot push a right one out
_WIDER = 4  # times as many candidates if those were not enough
_ROWS = 1024  # vectors unpacked at a time: 64 MB of 16,384 numbers
_UNIT = 2.0**-24  # what rounding to float32 changes, relative to the number
_LARGEST = 1e28  # in a query: beyond it, products with 16-bit numbers may overflow float32


def exact_search(
    blocks: Blocks, queries: Vectors, k: int, *, progress: Progress | None = None
) -> tuple[Floats, Ints]:
    """Find the k vectors with the largest inner product with each query (Q, D).

    The arithmetic is float32: scores that differ by less than its rounding may change places.  Returns scores
    (Q, k) float32, largest first, and ids (Q, k) int64; if there are fewer than k vectors, the rest is minus
    infinity and -1.  Raises ValueError for arrays that do not fit and for k below 1.
    """
    check_queries(queries, k)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    ids = np.full((len(queries), k), -1, np.int64)
    wanted = queries.astype(np.float32)
    with underway(progress, "searching", None, "vectors") as searching:
        for block_ids, vectors in blocks:
            if vectors.ndim != 2 or vectors.shape[1] != queries.shape[1]:
                raise ValueError(f"queries of {queries.shape[1]} numbers do not fit vectors {vectors.shape}")
            unpacked = vectors.astype(np.float32)
            for start in range(0, len(queries), _ROWS):
                part = slice(start, start + _ROWS)
                found = wanted[part] @ unpacked.T  # (q, n)
                merged = np.concatenate([scores[part], found], axis=1)
                names = np.concatenate([ids[part], np.broadcast_to(block_ids, found.shape)], axis=1)
                scores[part], ids[part] = _largest(merged, names, k)
            searching.advance(len(block_ids))
    return scores, ids


def in_blocks(vectors: Vectors) -> Iterator[tuple[Ints, Vectors]]:
    """Vectors (N, D) in memory, or mapped, as blocks with the ids 0 .. N - 1."""
    for start in range(0, len(vectors), _ROWS):
        part = vectors[start : start + _ROWS]
        yield np.arange(start, start + len(part)), part


def nearest(vectors: Vectors, queries: Vectors, k: int, *, progress: Progress | None = None) -> Ints:
    """Find the rows (Q, k) int64 of the vectors (N, D) with the largest inner product with each query, as
    ``exact_search`` does; of vectors of length one these are the nearest."""
    return exact_search(in_blocks(vectors), queries, k, progress=progress)[1]


def neighbours(vectors: Floats, k: int) -> tuple[Floats, Ints]:
    """Find the k nearest of vectors (N, D) float32 to each of them, itself included, as ``exact_search``
    does, in a sixth of its time: scores (N, k) float32 and rows (N, k) int64."""
    import faiss

    flat = faiss.IndexFlatIP(vectors.shape[1])
    contiguous = np.ascontiguousarray(vectors, np.float32)
    flat.add(contiguous)
    scores, found = flat.search(contiguous, k)
    return np.asarray(scores, np.float32), np.asarray(found, np.int64)


class Ranked(NamedTuple):
    """The best faces for one query: scores (n,) float64, largest first, equal ones in the order of the ids
    (n,) int64, and vectors (n, D) float16."""

    scores: Doubles
    ids: Ints
    vectors: Halves


def ranked(query: Floats, k: int, *parts: tuple[Ints, Halves]) -> Ranked:
    """Rank faces, ids (n,) and vectors (n, D) in one part or several, for a query (D,); the k best."""
    ids = np.concatenate([part for part, _ in parts])
    vectors = np.concatenate([part for _, part in parts])
    scores = rescore(query, vectors)
    order = np.lexsort((ids, -scores))[:k]
    return Ranked(scores[order], ids[order], vectors[order])


def best_of(
    ask: Callable[[int], tuple[Floats, Ints]],
    read: Callable[[Ints], tuple[Ints, Halves]],
    query: Floats,
    k: int,
    *,
    spare: int = 0,
) -> Ranked:
    """Find the k best faces for one query (D,).

    ``ask`` gives a store's candidates, as many as it is told or all there are: scores (1, n) and ids (1, n),
    ``spare`` of which may not count.  ``read`` gives those of some faces that do count, with their true
    vectors.
    """
    asked = k + spare + _SPARE
    while True:
        rough, found = ask(asked)
        best = ranked(query, k, read(found[0]))
        if rough.shape[1] < asked:
            return best
        if len(best.ids) == k:
            # What any vector left out may have lost to rounding, if the sums of sizes are alike.
            sizes = np.abs(best.vectors, dtype=np.float64) @ np.abs(query)
            if rough.min() < best.scores[-1] - 2 * len(query) * _UNIT * float(sizes.max()):
                return best
        asked *= _WIDER


def rescore(query: Floats, vectors: Vectors) -> Doubles:
    """(n,) inner products of one query (D,) with vectors (n, D), summed as float64."""
    products = vectors.astype(np.float64)
    products *= query
    return np.asarray(products.sum(axis=1))


def check_queries(queries: Vectors, k: int) -> None:
    """Raise ValueError unless queries are (Q, D) float16 or float32 below 1e28, and k is 1 or more."""
    if queries.ndim != 2 or queries.dtype not in (np.float16, np.float32):
        raise ValueError(f"queries must be (Q, D) float16 or float32, not {queries.shape} {queries.dtype}")
    if not (np.abs(queries, dtype=np.float64) < _LARGEST).all():  # neither is what is not a number
        raise ValueError("queries must be finite and smaller than 1e28")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")


def _largest(scores: Floats, ids: Ints, k: int) -> tuple[Floats, Ints]:
    """The k largest of each row in order, equal ones in the order of the columns, which is the ids'."""
    if scores.shape[1] > k:
        columns = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
        worst = np.take_along_axis(scores, columns, axis=1).min(axis=1)
        # A partition picks any of those that are equal at its edge; those rows are sorted in full.
        torn = np.flatnonzero((scores >= worst[:, None]).sum(axis=1) > k)
        columns[torn] = np.argsort(-scores[torn], axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(scores, columns, axis=1)
        ids = np.take_along_axis(ids, columns, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
