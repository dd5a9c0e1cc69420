"""One writer at a time: a lock that the system releases even when its holder is killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from faces.errors import CollectionLockedError

LOCK = "write.lock"


class WriteLock:
    """Holds ``write.lock`` in a collection's folder; the file names the process that does.

    Raises CollectionLockedError at once where another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            by = f"process {holder}" if holder.isdigit() else "another process"
            raise CollectionLockedError(
                f"{by} is writing to the collection in {folder}; wait until it has finished"
            ) from None
        except OSError:
            os.close(self._file)
            raise
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; the file stays, since deleting it could let two writers in."""
        os.ftruncate(self._file, 0)
        os.close(self._file)

    def __enter__(self) -> WriteLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
