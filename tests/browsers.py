"""A real browser for the tests of the pages, and a server for it to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser_path() -> str:
    """The browser that ``ANOTHERYOU_BROWSER`` names or that is installed; skips the test where none is."""
    named = os.environ.get("ANOTHERYOU_BROWSER")
    if named and not shutil.which(named):
        pytest.fail(f"ANOTHERYOU_BROWSER names {named}, which does not exist")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        pytest.skip("needs a browser: install the package chromium, or set ANOTHERYOU_BROWSER to one")
    return found


@contextmanager
def serving(collection: Path) -> Iterator[str]:
    """Serve a collection in a process of its own; gives the address with its token."""
    command = [sys.executable, "-m", "cli.main", "serve", "--port", "0", "--collection", str(collection)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("open http://127.0.0.1:")
            yield line.removeprefix("open ").strip()
        finally:
            process.terminate()
            process.wait(30)
