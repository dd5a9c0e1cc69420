"""A segment: the vectors of some faces in one file, written once and never changed.

To FAISS it is an ``IndexIDMap`` over an ``IndexScalarQuantizer`` of 16-bit floats, compared by inner product,
rows in the order of their face ids.  Rows are filled up with zeros to a multiple of 16 numbers, without which
FAISS compares number by number, some thirty times slower.  Behind FAISS's own bytes, past which it does not
look, follow short codes of the rows if there are many (``index.codes``), and a footer that says whose faces
these are, with checksums.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from faces.types import Bools, Floats, Halves, Ints
from index.codes import Codes

_MAGIC = b"AYVECTR3"
_TAIL = struct.Struct("<II8s")  # CRC-32 of the footer's JSON, its length, magic
_LENGTH = struct.Struct("<Q")
_PIECE = 1 << 20
_LANES = 16  # 16-bit numbers that FAISS compares at a time
_CODED = 1 << 15  # rows from which a segment has codes
_DECODED = 1000  # rows unpacked at a time, so few that FAISS does not hand them to other threads
_CHECKED = 256 << 20  # bytes of a segment up to which all are checked at every opening; 80 ms


class SegmentError(Exception):
    """A file is missing, damaged or not what it claims to be; it must be made again."""


def write_segment(
    path: Path,
    owner: Mapping[str, Any],
    count: int,
    importance: Floats,
    blocks: Iterable[tuple[Ints, Halves]],
) -> None:
    """Write a new file, on the disk for good when this returns.

    ``blocks`` yields (ids (n,) int64, vectors (n, D) float16) in ascending order of the ids, ``count`` rows
    in all; one is in memory at a time.  ``importance`` (D,) is as for ``Codes.of``; ``owner`` is kept as it
    is.  Raises OSError, and leaves nothing behind, if it cannot be written.
    """
    dimension = len(importance)
    try:
        with path.open("x+b") as file:
            body = _write_body(file, count, dimension, blocks)
            codes = b""
            if count >= _CODED:
                file.flush()
                start, shape = len(_header(count, padded(dimension))), (count, padded(dimension))
                rows = np.memmap(file, "<f2", "r", start + _LENGTH.size, shape)
                codes = Codes.of(rows[:, :dimension], importance).packed()
                file.write(codes)
            footer = {
                "owner": dict(owner),
                "count": count,
                "dimension": dimension,
                "body": [body.size, body.checksum],  # bytes of FAISS's part, and their CRC-32
                "ids": body.ids,  # CRC-32 of the last 8 * count bytes of those
                "codes": [len(codes), zlib.crc32(codes)],
            }
            text = json.dumps(footer).encode()
            file.write(text + _TAIL.pack(zlib.crc32(text), len(text), _MAGIC))
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class Segment:
    """An opened segment.

    ``ids`` (n,) int64 ascending; ``vectors`` (n, D) float16, a view of the mapped file; ``codes`` of these
    rows, None if they are few; ``checked`` whether every byte was.  It stays usable when the file is deleted.
    ``whole``: check every byte, whatever its size.  Raises SegmentError for anything but an undamaged file.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        import faiss

        self.name = path.name
        try:
            with path.open("rb") as file:
                footer = _read_footer(file)
                count, self.dimension = footer["count"], footer["dimension"]
                self.owner: dict[str, Any] = footer["owner"]
                width, (body, checksum) = padded(self.dimension), footer["body"]
                header = _header(count, width)
                _require(_read(file, 0, len(header)) == header, "its header")
                self.checked = whole or body <= _CHECKED
                if self.checked:
                    _require(_checksum(file, body) == checksum, "its content")
                packed = _read(file, body, footer["codes"][0])
                _require(zlib.crc32(packed) == footer["codes"][1], "its codes")
                if hasattr(os, "posix_fadvise"):  # FAISS maps it for random access, which reads ahead nothing
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
                # By descriptor, so that what is mapped is what was checked, even if it was just replaced.
                name = f"/dev/fd/{file.fileno()}"
                self._whole = cast(Any, faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC))
        except (OSError, RuntimeError, KeyError, ValueError) as error:  # RuntimeError is FAISS's own
            raise SegmentError(f"{path}: {error}") from error
        self._index = cast(Any, faiss.downcast_index(self._whole.index))
        self.codes = Codes.unpacked(packed) if packed else None
        self.ids: Ints = np.array(faiss.vector_to_array(self._whole.id_map), np.int64)
        _require(zlib.crc32(self.ids.astype("<i8").tobytes()) == footer["ids"], "the list of faces")
        self._rows = np.empty((0, 2 * width), np.uint8)
        if count:
            size = self._index.codes.size()
            self._rows = faiss.rev_swig_ptr(self._index.codes.data(), size).reshape(count, 2 * width)
        self.vectors: Halves = self._rows.view(np.float16)[:, : self.dimension]

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self, queries: Floats, k: int, *, exact: bool, wanted: Bools | None = None
    ) -> tuple[Floats, Ints]:
        """Find rows of the largest inner product with each query (Q, D): scores (Q, k') float32, face ids.

        Approximate only if not ``exact`` and there are codes; then k' may differ from k, and places that are
        left are -1.  ``wanted`` (n,) tells which rows count, None all; it makes the search exact.
        """
        import faiss

        wide = np.pad(queries, ((0, 0), (0, self._index.d - self.dimension)))
        if self.codes is not None and not exact and wanted is None:
            return self._compared(wide, self.codes.shortlist(queries, k), k)
        parameters, count = None, len(self)
        if wanted is not None:
            count = int(wanted.sum())
            bits = np.packbits(wanted, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # FAISS wraps it at run time
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, rows = self._index.search(wide, max(1, min(k, count)), params=parameters)
        return np.asarray(scores), np.where(rows >= 0, self.ids[rows], -1) if len(self) else rows

    def _compared(self, wide: Floats, shortlist: Ints, k: int) -> tuple[Floats, Ints]:
        """The best k of each query's shortlist of rows (Q, R), by the whole vectors."""
        count = min(k, shortlist.shape[1])
        scores, ids = np.empty((len(wide), count), np.float32), np.empty((len(wide), count), np.int64)
        for number, (query, rows) in enumerate(zip(wide, shortlist, strict=True)):
            ordered = np.sort(rows)  # memory likes to be read in order
            pieces = [self._rows[ordered[at : at + _DECODED]] for at in range(0, len(ordered), _DECODED)]
            found = np.concatenate([self._index.sa_decode(piece) @ query for piece in pieces])
            best = np.argsort(-found, kind="stable")[:count]
            scores[number], ids[number] = found[best], self.ids[ordered[best]]
        return scores, ids


def padded(dimension: int) -> int:
    """The length of a stored row of ``dimension`` numbers."""
    return -(-dimension // _LANES) * _LANES


@dataclass(slots=True)
class _Counted:
    """Writes and keeps the size and checksums of what was written."""

    file: IO[bytes]
    size: int = 0
    checksum: int = 0
    ids: int = 0

    def write(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)
        self.checksum = zlib.crc32(piece, self.checksum)


def _write_body(
    file: IO[bytes], count: int, dimension: int, blocks: Iterable[tuple[Ints, Halves]]
) -> _Counted:
    """FAISS's own part: what FAISS writes for an empty index of this kind, its two arrays filled in."""
    width = padded(dimension)
    out, ids, done = _Counted(file), np.empty(count, "<i8"), 0
    out.write(_header(count, width) + _LENGTH.pack(count * width * 2))
    for block_ids, vectors in blocks:
        if vectors.shape != (len(block_ids), dimension) or vectors.dtype != np.float16:
            got = f"{vectors.shape} {vectors.dtype}"
            raise ValueError(f"expected (n, {dimension}) float16 vectors, got {got}")
        ids[done : done + len(block_ids)] = block_ids
        done += len(block_ids)
        out.write(np.pad(vectors, ((0, 0), (0, width - dimension))).tobytes())
    if done != count or (np.diff(ids) <= 0).any():
        raise ValueError(f"expected {count} vectors in ascending order of their ids, got {done}")
    out.write(_LENGTH.pack(count))
    out.write(ids.tobytes())
    out.ids = zlib.crc32(ids.tobytes())
    return out


def _header(count: int, width: int) -> bytes:
    """The bytes before the vectors.

    An index without rows but with its count set ends in the lengths of its two arrays, both zero; a test
    compares the whole file with the one FAISS writes itself.
    """
    import faiss

    kind = (faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    inner = faiss.IndexScalarQuantizer(width, *kind)
    outer = faiss.IndexIDMap(inner)
    inner.ntotal = outer.ntotal = count
    blob: bytes = faiss.serialize_index(outer).tobytes()
    if not blob.endswith(bytes(2 * _LENGTH.size)):
        raise RuntimeError("this version of FAISS lays its index files out in another way")
    return blob[: -2 * _LENGTH.size]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise SegmentError(f"the file of vectors is damaged: {what} is wrong")


def _read_footer(file: IO[bytes]) -> dict[str, Any]:
    size = os.fstat(file.fileno()).st_size
    _require(size >= _TAIL.size, "its length")
    file.seek(size - _TAIL.size)
    checksum, length, magic = _TAIL.unpack(file.read(_TAIL.size))
    start = size - _TAIL.size - length
    _require(magic == _MAGIC and start >= 0, "its footer")
    file.seek(start)
    text = file.read(length)
    _require(zlib.crc32(text) == checksum, "its footer")
    footer: dict[str, Any] = json.loads(text)
    _require(footer["body"][0] + footer["codes"][0] == start, "its length")
    return footer


def _read(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _checksum(file: IO[bytes], size: int) -> int:
    """CRC-32 of the first bytes of a file."""
    file.seek(0)
    checksum = 0
    for start in range(0, size, _PIECE):
        checksum = zlib.crc32(file.read(min(_PIECE, size - start)), checksum)
    return checksum
