"""Exact nearest neighbours: slow, simple, and the oracle for whatever is faster."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faces.errors import DataError
from faces.progress import NoProgress, Progress
from faces.types import Floats, Ints

# Rows at a time: 1,024 vectors of 16,384 float32 are 64 MB.
QUERY_ROWS = 1024
GALLERY_ROWS = 1024

Vectors = NDArray[np.float16] | NDArray[np.float32]


def exact_search(
    gallery: Vectors, queries: Vectors, k: int, *, progress: Progress | None = None
) -> tuple[Ints, Floats]:
    """The k nearest gallery vectors of each query by Euclidean distance.

    ``gallery`` (N, D) and ``queries`` (Q, D) are float16 or float32 (memory maps do well); the arithmetic is
    float32, and squared distances are |q|² + |g|² − 2 q·g.  Returns (Q, k) int64 indices, nearest first,
    equal distances by index, and (Q, k) float32 distances; where N < k the rest is -1 and infinity.  Beside
    its arguments it needs some 200 MB at D = 16,384, whatever N and Q are.  Raises DataError for arrays
    that do not fit.
    """
    for name, vectors in (("gallery", gallery), ("queries", queries)):
        if vectors.ndim != 2 or vectors.dtype not in (np.float16, np.float32):
            raise DataError(
                f"{name} must be (rows, D) float16 or float32, not {vectors.shape} {vectors.dtype}."
            )
    if gallery.shape[1] != queries.shape[1]:
        raise DataError(f"gallery vectors have {gallery.shape[1]} numbers, query vectors {queries.shape[1]}.")
    if k < 1:
        raise DataError(f"the number of neighbours must be 1 or more, not {k}.")
    found = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.inf, np.float32)
    progress = progress or NoProgress()
    progress.start("searching", len(queries), "queries")
    try:
        for rows in _blocks(len(queries), QUERY_ROWS):
            found[rows], distances[rows] = _nearest(gallery, queries[rows], k)
            progress.advance(rows.stop - rows.start)
    finally:
        progress.finish()
    return found, distances


def _nearest(gallery: Vectors, queries: Vectors, k: int) -> tuple[Ints, Floats]:
    """The search for one block of queries."""
    wanted = queries.astype(np.float32)
    lengths = np.einsum("ij,ij->i", wanted, wanted)
    found = np.full((len(queries), k), -1, np.int64)
    nearest = np.full((len(queries), k), np.inf, np.float32)  # squared
    for block in _blocks(len(gallery), GALLERY_ROWS):
        part = gallery[block].astype(np.float32)
        squared = wanted @ part.T
        squared *= -2
        squared += lengths[:, None]
        squared += np.einsum("ij,ij->i", part, part)
        ids = np.broadcast_to(np.arange(block.start, block.stop), squared.shape)
        found, nearest = _best(
            np.concatenate([found, ids], axis=1),
            np.concatenate([nearest, np.maximum(squared, 0)], axis=1),
            k,
        )
    return found, np.sqrt(nearest)


def normalised(vectors: NDArray[np.generic]) -> Floats:
    """(N, ...) numbers as (N, D) float32 rows of length 1; a row of zeros stays as it is."""
    flat = vectors.reshape(len(vectors), -1).astype(np.float32)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _blocks(total: int, rows: int) -> Iterator[slice]:
    for start in range(0, total, rows):
        yield slice(start, min(start + rows, total))


def _best(ids: Ints, squared: Floats, k: int) -> tuple[Ints, Floats]:
    """The k smallest of each row in order; what is equal stays in the order of the columns.

    Columns stand in the order of their index, but for those kept so far, which come first and have
    smaller indices or none (-1, at infinity).
    """
    if squared.shape[1] > k:
        columns = np.sort(np.argpartition(squared, k - 1, axis=1)[:, :k], axis=1)
        worst = np.take_along_axis(squared, columns, axis=1).max(axis=1)
        # A partition picks any of those that are equal at its edge; those rows are sorted in full.
        torn = np.flatnonzero((squared <= worst[:, None]).sum(axis=1) > k)
        columns[torn] = np.argsort(squared[torn], axis=1, kind="stable")[:, :k]
        ids = np.take_along_axis(ids, columns, axis=1)
        squared = np.take_along_axis(squared, columns, axis=1)
    order = np.argsort(squared, axis=1, kind="stable")
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(squared, order, axis=1)
