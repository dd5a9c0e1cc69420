"""How fast work goes and how long it will take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_WINDOW = 30.0  # seconds the rate looks back: long enough to be calm, short enough to follow a change
_SAMPLE = 0.25  # seconds between two samples


class Pace:
    """Counts units and estimates their rate from the last half minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.done = 0
        self._clock = clock
        self._began = clock()
        self._samples = deque([(self._began, 0)])
        self._advanced = False

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._began

    def advance(self, count: int) -> None:
        """Note ``count`` more units done."""
        now = self._clock()
        self.done += count
        if not self._advanced and now - self._began < _SAMPLE:
            # Work taken over from an earlier run arrives at once and says nothing about the rate.
            self._samples.clear()
        self._advanced = True
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self.done))
        while len(self._samples) > 1 and now - self._samples[1][0] >= _WINDOW:
            self._samples.popleft()

    def rate(self) -> float | None:
        """Return units per second, or None while nothing can be said."""
        if not self._advanced:
            return None
        begin, before = self._samples[0]
        seconds = self._clock() - begin
        return (self.done - before) / seconds if seconds >= _SAMPLE else None

    def left(self, total: int | None) -> float | None:
        """Return the seconds until ``total`` units are done, or None while nothing can be said."""
        rate = self.rate()
        if total is None or not rate:
            return None
        return max(0, total - self.done) / rate


def in_words(seconds: float) -> str:
    """Write a duration: ``40 s``, ``12 min``, ``3 h 5 min``."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
