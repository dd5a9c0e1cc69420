"""What the commands print and draw: answers on stdout, so that they can be piped; the rest on stderr."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar

DRAW_AFTER = 1.0  # seconds; what is over sooner is not worth a bar
LINE_EVERY = 10.0  # seconds between two lines if no bar can be drawn
_WINDOW = 30.0  # seconds the rate looks back: long enough to be calm, short enough to follow a change
_SAMPLE = 0.25  # seconds between two samples of it

_open: set[RichProgress] = set()


def say(text: str) -> None:
    """Print one plain line on stderr, ``anotheryou: text``; line breaks and the like are spelt out."""
    print(f"anotheryou: {printable(text)}", file=sys.stderr)


def printable(text: str) -> str:
    """Put the text on one line: what would move the cursor is written as Python writes it in a string."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def end_drawing() -> None:
    """Put away every bar that still stands, so that an error's line does not land in the middle of it."""
    for progress in list(_open):
        progress.finish()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[str] = ()
) -> None:
    """Print aligned columns on stdout; those named in ``right`` are set to the right.

    Nothing is ever cut to the terminal's width: a path must survive being copied or piped.
    """
    import typer
    from rich.cells import cell_len

    lines = [list(columns), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = []
        for name, cell, width in zip(columns, line, widths, strict=True):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if name in right else cell + space)
        text = "  ".join(cells).rstrip()
        typer.echo(typer.style(text, bold=True) if number == 0 else text)


def in_words(seconds: float) -> str:
    """Write a duration: ``40 s``, ``12 min``, ``3 h 5 min``."""
    if round(seconds) < 100:
        return f"{round(seconds)} s"
    minutes = round(round(seconds) / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, what: str) -> str:
    """Write how many there are: ``1 face``, ``2,000 faces``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class Pace:
    """Counts units and estimates their rate from the last half minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.done = 0
        self._clock = clock
        self._began = clock()
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._began

    def advance(self, count: int) -> None:
        """Note ``count`` more units done."""
        now = self._clock()
        self.done += count
        # Work taken over from an earlier run arrives at once and says nothing about the rate.
        if not self._samples and now - self._began >= _SAMPLE:
            self._samples.append((self._began, 0))
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self.done))
        while len(self._samples) > 1 and now - self._samples[1][0] >= _WINDOW:
            self._samples.popleft()

    def rate(self) -> float | None:
        """Return units per second, or None while nothing can be said."""
        if not self._samples:
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


class RichProgress:
    """Draws the progress of long work on stderr: bar, count, rate and time left.

    Implements ``faces.progress.Progress``.  Work that is over within a second draws nothing; if stderr
    is no terminal, a plain line appears every ten seconds instead of a bar.
    """

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw_after: float = DRAW_AFTER,
    ) -> None:
        self._stream = stream  # None: whatever sys.stderr is when something is drawn
        self._clock = clock
        self._draw_after = draw_after
        self._lock = threading.RLock()
        self._pace: Pace | None = None
        self._timer: threading.Timer | None = None
        self._bar: RichBar | None = None
        self._last_line = 0.0

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a piece of work; one that was not finished is put away."""
        self.finish()
        with self._lock:
            self._what, self._total, self._unit, self._note = what, total, unit, ""
            self._pace = Pace(self._clock)
            self._last_line = self._clock()
            _open.add(self)
            if not self._is_terminal():
                return
            if self._draw_after <= 0:
                self._draw()
            else:
                self._timer = threading.Timer(self._draw_after, self._draw)
                self._timer.daemon = True
                self._timer.start()

    def advance(self, count: int = 1, note: str = "") -> None:
        with self._lock:
            if self._pace is None:
                return
            self._pace.advance(count)
            self._note = note or self._note
            if self._bar is not None:
                figures = self._figures(self._pace)
                self._bar.update(self._bar.task_ids[0], completed=self._pace.done, figures=figures)
            elif not self._is_terminal() and self._clock() - self._last_line >= LINE_EVERY:
                self._last_line = self._clock()
                self._line(self._figures(self._pace))

    def finish(self) -> None:
        """End the piece of work, complete or not; what was drawn stays as it is."""
        with self._lock:
            pace, self._pace = self._pace, None
            _open.discard(self)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if pace is None:
                return
            closing = f"{self._count(pace)} in {in_words(pace.elapsed)}"
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], figures=closing)
                self._bar.stop()
                self._bar = None
            elif not self._is_terminal() and pace.elapsed >= LINE_EVERY:
                self._line(closing)

    def _is_terminal(self) -> bool:
        """Whether a bar can be drawn."""
        return (self._stream or sys.stderr).isatty() and os.environ.get("TERM") not in ("dumb", "unknown")

    def _line(self, figures: str) -> None:
        print(f"{self._what}: {printable(figures)}", file=self._stream or sys.stderr, flush=True)

    def _count(self, pace: Pace) -> str:
        of = "" if self._total is None else f" of {self._total:,}"
        return f"{pace.done:,}{of} {self._unit}"

    def _figures(self, pace: Pace) -> str:
        """``1,200 of 20,860 faces, 35.2 faces/s, 9 min left, sofa.jpg``."""
        rate, left = pace.rate(), pace.left(self._total)
        parts = (
            self._count(pace),
            "" if rate is None else f"{rate:,.1f} {self._unit}/s",
            "" if left is None else f"{in_words(left)} left",
            self._note,
        )
        return ", ".join(part for part in parts if part)

    def _draw(self) -> None:
        """Begin to draw, called by the timer once the work has lasted."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        with self._lock:
            if self._pace is None or self._bar is not None:
                return
            column = Column(no_wrap=True, overflow="ellipsis")
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}", markup=False, table_column=column),
                console=Console(file=self._stream or sys.stderr),
                redirect_stdout=False,  # answers stay on stdout
            )
            done, figures = self._pace.done, self._figures(self._pace)
            self._bar.add_task(self._what, total=self._total, completed=done, figures=figures)
            self._bar.start()
