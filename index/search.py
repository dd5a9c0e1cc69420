"""Exact search by inner product: the k vectors of the largest score, equal scores in the order of the ids.

``exact_search`` is plain and needs nothing but NumPy.  ``search_file`` is what a collection uses: few queries
go to FAISS, which compares them with the 16-bit vectors directly, many share the work of unpacking these.
Either way the best are scored again in float64, and if rounding may have kept a better one from being among
them, all are: neither rounding nor the way taken shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from faces.progress import Progress, underway
from faces.types import Floats, Ints
from index.vectorfile import VectorFile

Vectors = NDArray[np.float16] | NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Blocks = Iterable[tuple[Ints, Vectors]]
"""Ids (n,) int64, ascending over all blocks, and vectors (n, D)."""

_FEW = 16  # queries up to which FAISS's direct comparison is the faster way
_SPARE = 16  # more candidates than asked for, so that rounding cannot push a right one out
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


def search_file(file: VectorFile, wanted: Bools | None, queries: Floats, k: int) -> tuple[Doubles, Ints]:
    """Find the k best rows of a file; ``wanted`` (n,) tells which rows count, None all.

    Returns scores (Q, k') float64 and ids (Q, k') int64 with k' = min(k, rows that count).
    """
    if wanted is not None and wanted.all():
        wanted = None
    count = len(file) if wanted is None else int(wanted.sum())
    shortlisted = min(k + _SPARE, count)
    if not shortlisted:
        return np.empty((len(queries), 0)), np.empty((len(queries), 0), np.int64)
    if len(queries) > _FEW:
        rough, rows = exact_search(_kept(file, wanted), queries, shortlisted)
    else:
        rough, rows = _faiss_search(file, wanted, queries, shortlisted)
    scores = np.empty((len(queries), min(k, count)))
    ids = np.empty(scores.shape, np.int64)
    for number, query in enumerate(queries):
        vectors = file.vectors[rows[number]]
        found = rescore(query, vectors)[None], file.ids[rows[number]][None]
        scores[number], ids[number] = _best(*found, k)
        # What any vector left out may have lost to rounding, if the sums of sizes are alike.
        rounding = len(query) * _UNIT * float((np.abs(vectors, dtype=np.float64) @ np.abs(query)).max())
        if shortlisted < count and rough[number].min() >= scores[number, -1] - 2 * rounding:
            scores[number], ids[number] = _scan(file, wanted, query, scores.shape[1])
    return scores, ids


def _scan(file: VectorFile, wanted: Bools | None, query: Floats, k: int) -> tuple[Doubles, Ints]:
    """Score every row of a file that counts in float64; the k best of one query, (1, k)."""
    best: tuple[Doubles, Ints] = np.empty((1, 0)), np.empty((1, 0), np.int64)
    for rows, vectors in _kept(file, wanted):
        best = merge(best, (rescore(query, vectors)[None], file.ids[rows][None]), k)
    return best


def _kept(file: VectorFile, wanted: Bools | None) -> Blocks:
    blocks = in_blocks(file.vectors)
    return blocks if wanted is None else ((rows[wanted[rows]], part[wanted[rows]]) for rows, part in blocks)


def rescore(query: Floats, vectors: Vectors) -> Doubles:
    """(n,) inner products of one query (D,) with vectors (n, D), summed as float64."""
    products = vectors.astype(np.float64)
    products *= query
    return np.asarray(products.sum(axis=1))


def merge(one: tuple[Doubles, Ints], other: tuple[Doubles, Ints], k: int) -> tuple[Doubles, Ints]:
    """The k best of two answers to the same queries, scores (Q, ...) and ids (Q, ...)."""
    return _best(np.concatenate([one[0], other[0]], axis=1), np.concatenate([one[1], other[1]], axis=1), k)


def check_queries(queries: Vectors, k: int) -> None:
    """Raise ValueError unless queries are (Q, D) float16 or float32 below 1e28, and k is 1 or more."""
    if queries.ndim != 2 or queries.dtype not in (np.float16, np.float32):
        raise ValueError(f"queries must be (Q, D) float16 or float32, not {queries.shape} {queries.dtype}")
    if not (np.abs(queries, dtype=np.float64) < _LARGEST).all():  # neither is what is not a number
        raise ValueError("queries must be finite and smaller than 1e28")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")


def _faiss_search(file: VectorFile, wanted: Bools | None, queries: Floats, k: int) -> tuple[Floats, Ints]:
    """Scores and rows (Q, k) of the file that FAISS takes for the best; a tie may fall out either way."""
    import faiss

    parameters = None
    if wanted is not None:
        bits = np.packbits(wanted, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # FAISS wraps it at run time
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    scores, rows = file.index.search(queries, k, params=parameters)
    return np.asarray(scores), np.asarray(rows)


def _best(scores: Doubles, ids: Ints, k: int) -> tuple[Doubles, Ints]:
    order = np.lexsort((ids, -scores))[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)


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
