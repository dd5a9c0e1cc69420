"""Small pictures that are kept beside a collection, so that pages show at once what was shown before."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from faces.files import replacing
from index.place import Place

MOST_BYTES = 2 << 30
"""What all of them together may take; the oldest go first."""
_TOGETHER = 1000  # photographs whose pictures share a folder
_KEPT = 0.75  # of the most bytes, after the oldest are gone


class Thumbnails:
    """A cache of small pictures by photograph; all of it may be deleted at any time.

    They lie in the collection's folder, those of a database in the user's cache folder.  What cannot be
    written is not kept.
    """

    def __init__(self, place: Place, *, most_bytes: int = MOST_BYTES) -> None:
        self.folder = _folder(place)
        self._most = most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None  # not counted yet

    def read(self, photo_id: int, what: str) -> bytes | None:
        """Give a picture of a photograph; ``what`` tells which, in letters, digits and hyphens."""
        try:
            return self._file(photo_id, what).read_bytes()
        except OSError:
            return None

    def write(self, photo_id: int, what: str, content: bytes) -> None:
        """Keep a picture of a photograph."""
        file = self._file(photo_id, what)
        with suppress(OSError), self._lock:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(file) as part:
                part.write_bytes(content)
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._all())
            else:
                self._bytes += len(content)
            if self._bytes > self._most:
                self._drop_oldest()

    def drop(self, photo_ids: Iterable[int]) -> None:
        """Overwrite and delete the pictures of photographs."""
        for photo_id in photo_ids:
            for file in self._file(photo_id, "").parent.glob(f"{photo_id}-*"):
                with suppress(FileNotFoundError):
                    with file.open("r+b") as content:
                        content.write(bytes(file.stat().st_size))
                    file.unlink()

    def _file(self, photo_id: int, what: str) -> Path:
        return self.folder / str(photo_id // _TOGETHER) / f"{photo_id}-{what}.jpg"

    def _all(self) -> list[tuple[int, int, Path]]:
        """List all files: when each was written, its bytes, the path."""
        found = []
        for file in self.folder.glob("*/*.jpg"):
            with suppress(OSError):
                status = file.stat()
                found.append((status.st_mtime_ns, status.st_size, file))
        return found

    def _drop_oldest(self) -> None:
        every = sorted(self._all())
        left = sum(size for _, size, _ in every)
        for _, size, file in every:
            if left <= self._most * _KEPT:
                break
            file.unlink(missing_ok=True)
            left -= size
        self._bytes = left


def _folder(place: Place) -> Path:
    if isinstance(place, Path):
        return place / "thumbnails"
    name = hashlib.sha256(str(place).encode()).hexdigest()[:16]
    return user_cache_path("anotheryou", appauthor=False) / "thumbnails" / name
