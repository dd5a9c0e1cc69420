"""Indexing beside the pages: in a process of its own, so that they stay quick; paused, gone on with, stopped.

The process reads its task from its standard input and tells how far it is on its standard output, one JSON
object a line.  When its input ends, it stores what is ready and ends as well: a server that is killed leaves
nothing running.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from faces.errors import AnotherYouError, PhotoError

_TOLD_EVERY = 0.2  # seconds between two lines
_PATIENCE = 30.0  # seconds for the process to end by itself
_NO_PHOTOGRAPHS = ("/proc", "/sys", "/dev", "/")


@dataclass
class Job:
    """How far the indexing of some folders is."""

    status: str = "idle"
    folders: list[str] = field(default_factory=list)
    what: str = ""
    done: int = 0
    total: int | None = None
    note: str = ""
    faces: int = 0
    seconds: float = 0.0
    message: str = ""


class Indexing:
    """One run at a time over folders, for the collection called ``named`` (see ``collection_place``)."""

    def __init__(self, named: str | None) -> None:
        self._named = named
        self._lock = threading.Lock()
        self._job = Job()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._began = 0.0
        self.version = 0
        """Grows with every change of the state."""

    def state(self) -> dict[str, Any]:
        """Tell how far it is, as the fields of ``Job``."""
        with self._lock:
            if self._process is not None:
                self._job.seconds = time.monotonic() - self._began
            return asdict(self._job)

    def start(self, folders: list[str]) -> None:
        """Begin with folders, absolute paths; raises PhotoError or AnotherYouError if that cannot be."""
        checked = [checked_folder(folder) for folder in folders]
        with self._lock:
            if self._process is not None:
                raise AnotherYouError("folders are being indexed already; wait, or stop that first")
            self._begin(list(dict.fromkeys(checked)))

    def pause(self) -> None:
        """Finish what has begun, and keep the folders to go on with."""
        self._end("pausing")

    def stop(self) -> None:
        """Finish what has begun; what is stored stays."""
        with self._lock:
            if self._process is None and self._job.status == "paused":
                self._change(status="done", message="stopped; what was read stays")
                return
        self._end("stopping")

    def go_on(self) -> None:
        """Go on after a pause; raises AnotherYouError if there was none."""
        with self._lock:
            if self._process is not None or self._job.status != "paused":
                raise AnotherYouError("nothing is paused")
            self._begin(self._job.folders)

    def close(self) -> None:
        """Stop and wait for the end."""
        self._end("stopping")
        if (reader := self._reader) is not None:
            reader.join(_PATIENCE)
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _begin(self, folders: list[str]) -> None:
        command = [sys.executable, "-P", "-m", "pages.indexing"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        )
        if process.stdin is not None:  # it is a pipe
            process.stdin.write(json.dumps({"collection": self._named, "folders": folders}) + "\n")
            process.stdin.flush()
        self._process, self._began = process, time.monotonic()
        self._job = Job("running", folders, what="Starting")
        self.version += 1
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _end(self, status: str) -> None:
        with self._lock:
            if self._process is None or self._process.stdin is None or self._process.stdin.closed:
                return
            self._change(status=status)
            with suppress(OSError):
                self._process.stdin.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Follow what the process tells until it ends."""
        end: dict[str, Any] = {}
        with process:
            for line in process.stdout or ():
                told = json.loads(line)
                if "message" in told:
                    end = told
                else:
                    with self._lock:
                        self._change(**told)
        with self._lock:
            code, self._process = process.returncode, None
            self._job.seconds = time.monotonic() - self._began
            if not end:
                self._change(
                    status="failed", message=f"the indexing process ended (status {code}); start again"
                )
            elif not end["fine"]:
                self._change(status="failed", message=end["message"])
            else:
                paused = end["interrupted"] and self._job.status == "pausing"
                self._change(
                    status="paused" if paused else "done", message=end["message"], faces=end["faces"]
                )

    def _change(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self._job, name, value)
        self.version += 1


def checked_folder(named: str) -> str:
    """Resolve a folder that the user typed; raises PhotoError if it is none, or holds no photographs ever."""
    folder = Path(named.strip()).expanduser()
    if not named.strip() or "\0" in named or not folder.is_absolute():
        raise PhotoError(named.strip() or "the folder", "name a whole path, such as /home/me/Pictures")
    try:
        resolved = folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise PhotoError(folder, "there is no such folder") from None
    if not resolved.is_dir():
        raise PhotoError(folder, "is not a folder")
    if str(resolved) in _NO_PHOTOGRAPHS or str(resolved).startswith(("/proc/", "/sys/", "/dev/")):
        raise PhotoError(folder, "belongs to the system; name a folder of photographs")
    return str(resolved)


class _Told:
    """Tells progress as lines; see ``faces.progress.Progress``."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._last = 0.0
        self._now: dict[str, Any] = {}

    def start(self, what: str, total: int | None, unit: str) -> None:
        self._now = {"what": what, "total": total, "done": 0, "note": ""}
        self._tell()

    def advance(self, count: int = 1, note: str = "") -> None:
        self._now["done"] += count
        if note:
            self._now["note"] = note
        if time.monotonic() - self._last >= _TOLD_EVERY:
            self._tell()

    def finish(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self._last = time.monotonic()
        _say(self._out, self._now)


def _say(out: IO[str], told: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens any more
        print(json.dumps(told), file=out, flush=True)


def main() -> None:
    """Index as standard input says; stop when it ends."""
    import signal

    from retrieval.indexing import index_folders

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes our input
    out, task = sys.stdout, json.loads(sys.stdin.readline())
    sys.stdout = sys.stderr
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    try:
        summary = index_folders(
            task["folders"], collection=task["collection"], progress=_Told(out), stop=ended.is_set
        )
    except (AnotherYouError, OSError) as error:
        _say(out, {"message": str(error), "fine": False})
        return
    parts = [f"{summary.photographs:,} photographs", f"{summary.faces:,} new faces"]
    parts += [f"{summary.removed:,} no longer there"] if summary.removed else []
    parts += [f"{summary.skipped:,} could not be read"] if summary.skipped else []
    message = ", ".join(parts)
    _say(
        out,
        {"message": message, "fine": True, "interrupted": summary.interrupted, "faces": summary.faces},
    )


if __name__ == "__main__":
    main()
