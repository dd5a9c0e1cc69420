"""Charts of curves with their intervals, in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from evaluation.figures.theme import Colour, Theme
from evaluation.results import Interval

# As sheets are: shown at half their size in pixels.
DPI = 160
_MARKS = ("o", "s", "^", "D", "v")


@dataclass(frozen=True)
class Curve:
    """Points from left to right, each with its 95 % interval where it has one."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    intervals: Sequence[Interval | None]


@dataclass(frozen=True)
class Panel:
    """One field of a chart; ``ticks`` are the places and words of the axis below, or it finds its own."""

    label: str
    curves: Sequence[Curve]
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Chart:
    """Panels beside each other that share the upright axis, 0 to 100 percent; ``inches`` wide and high."""

    panels: Sequence[Panel]
    label: str
    inches: tuple[float, float] = (7.0, 3.9)

    def draw(self, theme: Theme) -> Image.Image:
        """The chart as an RGB picture; curves differ in marks as well as in colours."""
        plot = Plot(figsize=self.inches, dpi=DPI, layout=ConstrainedLayoutEngine(rect=(0, 0, 0.985, 1)))
        axes = np.atleast_1d(plot.subplots(1, len(self.panels), sharey=True))
        for number, (panel, axis) in enumerate(zip(self.panels, axes, strict=True)):
            style_axes(axis, theme)
            for place, curve in enumerate(panel.curves):
                _draw_curve(axis, curve, _MARKS[place % len(_MARKS)], theme.lines[place % len(theme.lines)])
            axis.set_ylim(0, 102)
            axis.set_xlabel(panel.label, color=hexed(theme.ink), fontsize=9)
            if panel.ticks:
                axis.set_xticks([place for place, _ in panel.ticks], [word for _, word in panel.ticks])
            if number == 0:
                axis.set_ylabel(self.label, color=hexed(theme.ink), fontsize=9)
        lines, names = axes[0].get_legend_handles_labels()
        plot.legend(
            lines,
            names,
            loc="outside upper center",
            ncols=3 if sum(map(len, names)) < 70 else 2,
            frameon=False,
            fontsize=9,
            labelcolor=hexed(theme.ink),
        )
        return rendered(plot, theme)


def style_axes(axis: Any, theme: Theme) -> None:
    """Axes without a box around them, with faint lines to read along."""
    axis.set_facecolor(hexed(theme.paper))
    axis.grid(True, color=hexed(theme.plain), linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(colors=hexed(theme.ink), length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(hexed(theme.faint))


def rendered(plot: Plot, theme: Theme) -> Image.Image:
    """A plot on the paper of the theme, as an RGB picture."""
    plot.set_facecolor(hexed(theme.paper))
    canvas: Any = FigureCanvasAgg(plot)  # matplotlib's own methods have no types
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def hexed(colour: Colour) -> str:
    """A colour as matplotlib reads it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _draw_curve(axis: Any, curve: Curve, mark: str, colour: Colour) -> None:
    held = [
        (x, *interval) for x, interval in zip(curve.xs, curve.intervals, strict=True) if interval is not None
    ]
    if held:
        places, lows, highs = zip(*held, strict=True)
        axis.fill_between(places, lows, highs, color=hexed(colour), alpha=0.18, linewidth=0)
    axis.plot(
        curve.xs, curve.ys, marker=mark, markersize=5, linewidth=1.8, color=hexed(colour), label=curve.name
    )
