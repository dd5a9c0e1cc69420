"""The files of a labelled folder, on disk or inside a .zip that is read in place."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Self

from faces.errors import DataError

# Bounds on what a .zip may ask of memory: a picture of a face, and all of them together.
MAX_FILE_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 8 * 2**30
# Deflate reaches about 1,000; pictures, which are compressed already, stay near 1, label files below 50.
MAX_RATIO = 200
_RATIO_MATTERS_FROM = 2**20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, NotImplementedError)


class FileSource:
    """Named files of a folder, or of a .zip, there beside the one called ``marker``; names use ``/``.

    ``folder`` is the folder on disk, None for a .zip.  Raises DataError if there is neither, or if the .zip
    is damaged, lacks the marker, or would unpack to an unreasonable size.
    """

    def __init__(self, path: Path, marker: str) -> None:
        self.folder = path if path.is_dir() else None
        self._archive: zipfile.ZipFile | None = None
        self._root: Path | zipfile.Path = path
        if self.folder is not None:
            return
        give = f"give a folder with pictures and {marker}"
        if not path.exists():
            raise DataError(f"{path} does not exist; {give}, or a .zip of one.")
        if not path.is_file() or path.suffix.lower() != ".zip":
            raise DataError(f"{path} is neither a folder nor a .zip; {give}.")
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as a .zip ({error}); make it anew.") from None
        try:
            entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
            _refuse_bombs(path, entries)
            named = [entry.filename for entry in entries if f"/{entry.filename}".endswith(f"/{marker}")]
            if not named:
                raise DataError(f"{path} holds no {marker}; put it into the .zip beside the pictures.")
            highest = min(named, key=lambda name: (name.count("/"), name))
            self._root = zipfile.Path(self._archive, highest.removesuffix(marker))
        except BaseException:
            self._archive.close()
            raise

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return (self._root / name).is_file()

    def read(self, name: str) -> bytes:
        """Read the whole file; raises DataError if that cannot be done."""
        try:
            if self._archive is None:
                return self.where(name).read_bytes()
            with (self._root / name).open("rb") as file:
                content: bytes = file.read(MAX_FILE_BYTES + 1)  # whatever size the directory claims
        except OSError as error:
            raise DataError(f"{self.where(name)} cannot be read ({error.strerror}).") from None
        except _DAMAGED as error:
            raise DataError(f"{self.where(name)} cannot be unpacked ({error}).") from None
        if len(content) > MAX_FILE_BYTES:
            raise DataError(f"{self.where(name)} is larger than {MAX_FILE_BYTES // 2**20} MB.")
        return content

    def where(self, name: str) -> Path:
        """Name the file to a person; on disk also its path."""
        return Path(str(self._root), name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()


def _refuse_bombs(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        ratio = entry.file_size / max(1, entry.compress_size)
        dense = entry.file_size > _RATIO_MATTERS_FROM and ratio > MAX_RATIO
        if dense or entry.file_size > MAX_FILE_BYTES:
            raise DataError(
                f"{path}: {entry.filename} unpacks to {entry.file_size // 2**20} MB; "
                f"a file may have {MAX_FILE_BYTES // 2**20} MB and be packed {MAX_RATIO}-fold."
            )
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise DataError(
            f"{path} unpacks to {total // 2**30} GB, more than {MAX_TOTAL_BYTES // 2**30}; "
            "unpack it and give the folder."
        )
