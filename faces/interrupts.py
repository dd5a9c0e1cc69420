"""Ctrl-C, which reaches every process of a terminal at once: only the first process shall answer it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile; processes started within inherit that, and so ignore it from their first
    moment on, while they still import.  Does nothing outside the main thread, which alone may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
