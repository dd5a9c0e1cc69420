"""``vectors.faiss``: the vectors of a collection as a FAISS index on disk, compared by inner product.

An ``IndexIDMap`` over an ``IndexScalarQuantizer`` of 16-bit floats, rows in the order of their face ids;
written as a stream and memory mapped, so that memory does not grow with the collection.  Behind FAISS's own
bytes, past which FAISS does not look, a footer says which state of the catalogue it shows, with a checksum.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from faces.types import Halves, Ints

VECTORS = "vectors.faiss"
_MAGIC = b"AYVECTR2"
_TAIL = struct.Struct("<II8s")  # CRC-32 of the footer's JSON, its length, magic
_LENGTH = struct.Struct("<Q")
_PIECE = 1 << 20


class VectorFileError(Exception):
    """The file is missing, damaged or not what it claims to be; it must be made again."""


@dataclass(frozen=True, slots=True)
class CatalogState:
    """Which state of which catalogue a file of vectors shows."""

    token: str
    layout_id: int
    generation: int

    def fits(self, other: CatalogState) -> bool:
        """Whether these are states of one collection with one layout, if not of one moment."""
        return (self.token, self.layout_id) == (other.token, other.layout_id)


def write_vectors(
    folder: Path, state: CatalogState, count: int, dimension: int, blocks: Iterable[tuple[Ints, Halves]]
) -> None:
    """Replace the file, atomically: at any moment either the old one is there or the new one.

    ``blocks`` yields (ids (n,) int64, vectors (n, D) float16) in ascending order of the ids, ``count`` rows
    in all; one is in memory at a time.  Raises OSError, and keeps the old file, if it cannot be written.
    """
    temporary = folder / f"{VECTORS}.new"
    try:
        with temporary.open("wb") as file:
            body = _write_body(file, count, dimension, blocks)
            written = int(os.fstat(file.fileno()).st_mtime)
            footer = {
                "state": asdict(state),
                "count": count,
                "dimension": dimension,
                "body": body.size,  # bytes before the footer
                "checksum": body.checksum,  # CRC-32 of those
                "written": written,  # modification time that the file is given, whole seconds
            }
            text = json.dumps(footer).encode()
            file.write(text + _TAIL.pack(zlib.crc32(text), len(text), _MAGIC))
            file.flush()
            os.utime(file.fileno(), (written, written))
            os.fsync(file.fileno())
        temporary.replace(folder / VECTORS)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


class VectorFile:
    """An opened ``vectors.faiss``.

    ``ids`` (n,) int64 ascending; ``vectors`` (n, D) float16, a view of the mapped file; ``index`` the FAISS
    index over the same rows, by position.  It stays usable when the file is replaced or deleted.
    Raises VectorFileError for anything but an undamaged file.
    """

    def __init__(self, folder: Path) -> None:
        import faiss

        try:
            with (folder / VECTORS).open("rb") as file:
                self.identity = _identity(os.fstat(file.fileno()))
                footer = _read_footer(file)
                _check_body(file, footer)
                if hasattr(os, "posix_fadvise"):  # FAISS maps it for random access, which reads ahead nothing
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
                # By descriptor, so that what is mapped is what was checked, even if it was just replaced.
                name = f"/dev/fd/{file.fileno()}"
                self._whole = cast(Any, faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC))
        except (OSError, RuntimeError) as error:  # the latter are FAISS's own
            raise VectorFileError(f"{folder / VECTORS}: {error}") from error
        self.state = CatalogState(**footer["state"])
        count, dimension = footer["count"], footer["dimension"]
        self.index = cast(Any, faiss.downcast_index(self._whole.index))
        size = self.index.codes.size()
        expected = (count, dimension, 2 * count * dimension, faiss.METRIC_INNER_PRODUCT)
        found = (self._whole.ntotal, self.index.d, size, self.index.metric_type)
        _require(found == expected, "its content")
        self.ids: Ints = np.array(faiss.vector_to_array(self._whole.id_map), np.int64)
        self.vectors: Halves = np.empty((0, dimension), np.float16)
        if count:
            codes = faiss.rev_swig_ptr(self.index.codes.data(), size)
            self.vectors = codes.view(np.float16).reshape(count, dimension)

    def __len__(self) -> int:
        return len(self.ids)


def open_vectors(folder: Path) -> VectorFile | None:
    """Open the file if it is there and undamaged."""
    try:
        return VectorFile(folder)
    except VectorFileError:
        return None


def identity_on_disk(folder: Path) -> tuple[int, int, int] | None:
    """What tells whether the file was replaced since it was opened; None if there is none."""
    try:
        return _identity((folder / VECTORS).stat())
    except OSError:
        return None


def remove_vectors(folder: Path) -> None:
    """Delete the file, so that nobody takes it for another state's."""
    (folder / VECTORS).unlink(missing_ok=True)
    _sync_folder(folder)


@dataclass(slots=True)
class _Counted:
    """Writes and keeps the size and checksum of what was written."""

    file: IO[bytes]
    size: int = 0
    checksum: int = 0

    def write(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)
        self.checksum = zlib.crc32(piece, self.checksum)


def _write_body(
    file: IO[bytes], count: int, dimension: int, blocks: Iterable[tuple[Ints, Halves]]
) -> _Counted:
    """FAISS's own part: what FAISS writes for an empty index of this kind, its two arrays filled in."""
    out, ids, done = _Counted(file), np.empty(count, "<i8"), 0
    out.write(_header(count, dimension) + _LENGTH.pack(count * dimension * 2))
    for block_ids, vectors in blocks:
        if vectors.shape != (len(block_ids), dimension) or vectors.dtype != np.float16:
            got = f"{vectors.shape} {vectors.dtype}"
            raise ValueError(f"expected (n, {dimension}) float16 vectors, got {got}")
        ids[done : done + len(block_ids)] = block_ids
        done += len(block_ids)
        out.write(vectors.tobytes())
    if done != count or (np.diff(ids) <= 0).any():
        raise ValueError(f"expected {count} vectors in ascending order of their ids, got {done}")
    out.write(_LENGTH.pack(count) + ids.tobytes())
    return out


def _header(count: int, dimension: int) -> bytes:
    """The bytes before the vectors.

    An index without rows but with its count set ends in the lengths of its two arrays, both zero; a test
    compares the whole file with the one FAISS writes itself.
    """
    import faiss

    kind = (faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    inner = faiss.IndexScalarQuantizer(dimension, *kind)
    outer = faiss.IndexIDMap(inner)
    inner.ntotal = outer.ntotal = count
    blob: bytes = faiss.serialize_index(outer).tobytes()
    if not blob.endswith(bytes(2 * _LENGTH.size)):
        raise RuntimeError("this version of FAISS lays its index files out in another way")
    return blob[: -2 * _LENGTH.size]


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise VectorFileError(f"the file of vectors is damaged: {what} is wrong")


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
    _require(footer["body"] == start, "its length")
    return footer


def _check_body(file: IO[bytes], footer: Mapping[str, Any]) -> None:
    """Read everything once and compare checksums, unless nobody has touched the file since it was made."""
    if os.fstat(file.fileno()).st_mtime_ns == footer["written"] * 1_000_000_000:
        return
    file.seek(0)
    checksum = 0
    for start in range(0, footer["body"], _PIECE):
        checksum = zlib.crc32(file.read(min(_PIECE, footer["body"] - start)), checksum)
    _require(checksum == footer["checksum"], "its content")


def _sync_folder(folder: Path) -> None:
    """Make a rename or deletion outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
