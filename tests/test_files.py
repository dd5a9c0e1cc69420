"""Files that are replaced in one step, and folders that one process at a time may write to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faces.claims import Lock
from faces.errors import DataError
from faces.files import replacing, write_atomically, write_durably


@pytest.mark.parametrize("write", [write_atomically, write_durably])
def test_a_file_is_replaced_and_nothing_else_left(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    for content in (b"old", b"new"):
        write(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_atomically(path, b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path, durable=True) as part:
        part.write_bytes(b"ne")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from faces.claims import Lock; from faces.errors import DataError\n"
        "lock = Lock(pathlib.Path(sys.argv[1]), DataError); print('held', flush=True); time.sleep(60)"
    )
    path = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(DataError, match=f"^process {process.pid}$"):
        Lock(path, DataError)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = Lock(path, DataError)
    with pytest.raises(DataError, match=f"^process {os.getpid()}$"):
        Lock(path, DataError)
    lock.release()
    assert path.read_bytes() == b""
    process.stdout.close()
