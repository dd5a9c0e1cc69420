"""Where the files of a labelled folder lie: on disk, or inside a .zip that is read in place."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from faces.errors import DataError

# Bounds on what a .zip may ask of memory: a picture of a face, and all of them together.
MAX_FILE_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 8 * 2**30
# Deflate reaches about 1,000; pictures, which are compressed already, stay near 1, label files below 50.
MAX_RATIO = 200
_RATIO_MATTERS_FROM = 2**20


class FileSource(Protocol):
    """Named files to read; names use ``/`` and are relative to the labelled folder."""

    def has(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes:
        """The whole file; raises OSError or DataError where it cannot be read."""

    def where(self, name: str) -> Path:
        """How to name the file to a person."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(path: Path, marker: str) -> FileSource:
    """The files of a folder, or of a .zip, that holds pictures beside the file ``marker``.

    Raises DataError where there is neither.
    """
    if path.is_dir():
        return FolderSource(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return ZipSource(path, marker)
    if path.exists():
        raise DataError(f"{path} is neither a folder nor a .zip; give a folder with pictures and {marker}.")
    raise DataError(f"{path} does not exist; give a folder with pictures and {marker}, or a .zip of one.")


class FolderSource:
    """The files of a folder on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def where(self, name: str) -> Path:
        return self._folder / name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class ZipSource:
    """The files of a .zip; ``marker`` names the file beside which the others lie.

    The marker may be at the top or in one folder of the archive.  Raises DataError where the file is no
    .zip, is encrypted, lacks the marker, or would unpack to an unreasonable size.
    """

    def __init__(self, path: Path, marker: str) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as a .zip ({error}); make it anew.") from None
        try:
            entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
            self._refuse_bombs(entries)
            self._prefix = self._prefix_of(marker, [entry.filename for entry in entries])
        except BaseException:
            self._archive.close()
            raise
        self._names = {entry.filename for entry in entries}

    def has(self, name: str) -> bool:
        return self._prefix + name in self._names

    def read(self, name: str) -> bytes:
        try:
            with self._archive.open(self._prefix + name) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            KeyError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise DataError(f"{self.where(name)} cannot be unpacked ({error}).") from None
        if len(content) > MAX_FILE_BYTES:
            raise DataError(f"{self.where(name)} is larger than {MAX_FILE_BYTES // 2**20} MB.")
        return content

    def where(self, name: str) -> Path:
        return self._path / (self._prefix + name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def _refuse_bombs(self, entries: list[zipfile.ZipInfo]) -> None:
        for entry in entries:
            ratio = entry.file_size / max(1, entry.compress_size)
            large = entry.file_size > MAX_FILE_BYTES
            if large or (entry.file_size > _RATIO_MATTERS_FROM and ratio > MAX_RATIO):
                raise DataError(
                    f"{self._path}: {entry.filename} unpacks to {entry.file_size // 2**20} MB; "
                    f"a file may have {MAX_FILE_BYTES // 2**20} MB and be packed {MAX_RATIO}-fold."
                )
        total = sum(entry.file_size for entry in entries)
        if total > MAX_TOTAL_BYTES:
            raise DataError(
                f"{self._path} unpacks to {total // 2**30} GB, more than {MAX_TOTAL_BYTES // 2**30}; "
                "unpack it and give the folder."
            )

    def _prefix_of(self, marker: str, names: list[str]) -> str:
        places = [name for name in names if name == marker or name.endswith("/" + marker)]
        if not places:
            raise DataError(f"{self._path} holds no {marker}; put it into the .zip beside the pictures.")
        return min(places, key=lambda name: (name.count("/"), name))[: -len(marker)]
