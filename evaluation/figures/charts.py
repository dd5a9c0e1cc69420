"""Charts of what was measured, in the colours of the page: figure 6, misalignment, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Plot
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from evaluation.figures.figure import Figure, sentence, value_word
from evaluation.figures.sheet import Theme
from evaluation.measurements import CHANGE_K, confusion_counts
from evaluation.methods import described
from evaluation.misalignment import AMOUNTS, UNITS
from evaluation.results import Interval, Results, Value
from faces.sheet import Colour

# As sheets are: shown at half their size in pixels.
DPI = 160
MISALIGNED_K = 1
_MARKS = ("o", "s", "^", "D", "v")


@dataclass(frozen=True)
class Curve:
    """Points from left to right, each with its 95 % interval if it has one."""

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
        """Draw the chart as an RGB picture; curves differ in marks as well as in colours."""
        plot = Plot(figsize=self.inches, dpi=DPI, layout=ConstrainedLayoutEngine(rect=(0, 0, 0.985, 1)))
        axes = np.atleast_1d(plot.subplots(1, len(self.panels), sharey=True))
        for number, (panel, axis) in enumerate(zip(self.panels, axes, strict=True)):
            _style_axes(axis, theme)
            for place, curve in enumerate(panel.curves):
                _draw_curve(axis, curve, _MARKS[place % len(_MARKS)], theme.lines[place % len(theme.lines)])
            axis.set_ylim(0, 102)
            axis.set_xlabel(panel.label, color=_hexed(theme.ink), fontsize=9)
            if panel.ticks:
                axis.set_xticks([place for place, _ in panel.ticks], [word for _, word in panel.ticks])
            if number == 0:
                axis.set_ylabel(self.label, color=_hexed(theme.ink), fontsize=9)
        lines, names = axes[0].get_legend_handles_labels()
        plot.legend(
            lines,
            names,
            loc="outside upper center",
            ncols=3 if sum(map(len, names)) < 70 else 2,
            frameon=False,
            fontsize=9,
            labelcolor=_hexed(theme.ink),
        )
        return _rendered(plot, theme)


@dataclass(frozen=True)
class HeatMap:
    """Percentages (R, C), true values down and chosen ones across."""

    percent: NDArray[np.float64]
    words: tuple[str, ...]
    down: str
    across: str

    def draw(self, theme: Theme) -> Image.Image:
        """Draw the map as an RGB picture; a number stands in every place that is not nearly zero."""
        plot = Plot(figsize=(4.1, 3.8), dpi=DPI, layout="constrained")
        axis = plot.subplots()
        shades = LinearSegmentedColormap.from_list("shades", [_hexed(theme.paper), _hexed(theme.lines[0])])
        axis.imshow(self.percent, cmap=shades, vmin=0, vmax=100)
        places = range(len(self.words))
        long = max(map(len, self.words)) > 5
        axis.set_xticks(places, self.words, rotation=40 if long else 0, ha="right" if long else "center")
        axis.set_yticks(places, self.words)
        axis.tick_params(colors=_hexed(theme.ink), length=0, labelsize=8)
        axis.set_xlabel(self.across, color=_hexed(theme.ink), fontsize=9)
        axis.set_ylabel(self.down, color=_hexed(theme.ink), fontsize=9)
        for side in axis.spines.values():
            side.set_color(_hexed(theme.plain))
        for (row, column), share in np.ndenumerate(self.percent):
            if share >= 0.05:
                colour = theme.paper if share > 55 else theme.ink
                axis.text(
                    column, row, f"{share:.1f}", ha="center", va="center", color=_hexed(colour), fontsize=9
                )
        return _rendered(plot, theme)


def pose_change_figure(results: Results, attribute: str) -> Figure | None:
    """Draw figure 6, how recall falls as the head is asked to turn further; None if nothing was measured.

    There is a panel for each criterion and a curve for each row.
    """
    found = results.find(f"recall@{CHANGE_K} by change")
    if not found:
        return None
    rows = list(dict.fromkeys(value.method for value in found))
    criteria = sorted({value.criterion for value in found})
    groups = sorted({int(value.k) for value in found})
    panels = [
        Panel(
            f"change of pose (criterion {criterion})",
            [
                _curve(values, attribute)
                for row in rows
                if (values := [v for v in found if (v.method, v.criterion) == (row, criterion)])
            ],
            [(degrees, f"{degrees}°") for degrees in groups],
        )
        for criterion in criteria
    ]
    near, far = groups[0], groups[-1]
    first = [value for value in found if value.criterion == criteria[0]]
    ends = []
    for row in rows:
        recall = {value.k: value.value for value in first if value.method == row}
        if {near, far} <= set(recall):
            ends.append(f"{described(row, attribute).words}, {recall[near]:.1f} % and {recall[far]:.1f} %")
    asked = {value.k: value.n for value in first if value.method == first[0].method}
    sizes = ", ".join(f"{asked.get(degrees, 0):,.0f}" for degrees in groups)
    return Figure(
        name="figure-6",
        part="retrieval",
        title="Figure 6. The further the turn, the harder",
        caption=(
            f"Recall@{CHANGE_K} by the difference between the pose of the query and the wished one; bands "
            f"are 95 % bootstrap intervals. At {near}° and at {far}° (criterion {criteria[0]}): "
            f"{'; '.join(ends)}. Queries in the groups: {sizes}."
        ),
        alt=f"Line chart of recall@{CHANGE_K} over the change of pose for "
        + ", ".join(described(row, attribute).words for row in rows)
        + ".",
        picture=Chart(panels, f"recall@{CHANGE_K}, percent"),
    )


def misalignment_figure(results: Results, attribute: str) -> Figure | None:
    """Draw recall against crops that are shifted, scaled or turned, under criterion 1.

    There is a panel for each motion and a curve for each row; None if nothing was measured.
    """
    found = {motion: results.find(f"recall@{MISALIGNED_K} by {motion}", criterion=1) for motion in AMOUNTS}
    found = {motion: values for motion, values in found.items() if values}
    if not found:
        return None
    rows = list(dict.fromkeys(value.method for values in found.values() for value in values))
    panels, costs = [], []
    for motion, values in found.items():
        by_row = {row: [value for value in values if value.method == row] for row in rows}
        curves = [_curve(of_row, attribute) for of_row in by_row.values()]
        panels.append(Panel(f"{motion}\n{UNITS[motion]}", curves))
        ends = sorted((float(value.k), value.value) for value in by_row[rows[0]])
        (_, start), (most, end) = ends[0], ends[-1]
        costs.append(f"{motion}, {most:g} {UNITS[motion]}: {end:.1f} % instead of {start:.1f} %")
    asked = next(iter(found.values()))[0].n
    return Figure(
        name="misalignment",
        part="misalignment",
        title="Faces that are cropped badly",
        caption=(
            f"Recall@{MISALIGNED_K} (criterion 1) when the crop of each query is moved before it is drawn "
            "from; the gallery stays as it is, bands are 95 % bootstrap intervals. "
            f"{sentence(described(rows[0], attribute).words)}: {'; '.join(costs)}. {asked:,} queries."
        ),
        alt=f"Line charts of recall@{MISALIGNED_K} over the amount of {', '.join(found)}.",
        picture=Chart(panels, f"recall@{MISALIGNED_K}, percent", inches=(7.0, 3.4)),
    )


def confusion_figure(results: Results, attribute: str, weights: str) -> Figure | None:
    """Draw which value canonicalisation takes a face for; None if it was not measured with these weights."""
    found = results.find("confusion", weights=weights)
    if not found:
        return None
    values, counts = confusion_counts(found)
    accuracy = results.find("canonicalised", weights=weights)[0].value
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    words = tuple(value_word(value, attribute) for value in values)
    wrong = percent * (1 - np.eye(len(words)))
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    worst = (
        f" Most often mistaken: {words[row]} for {words[column]}, {wrong[row, column]:.1f} % of its faces."
        if wrong.max() > 0
        else ""
    )
    return Figure(
        name="confusion",
        part="recognition",
        title=f"The {attribute} that canonicalisation chooses",
        caption=(
            f"True {attribute} down, chosen {attribute} across, in percent of each line; {counts.sum():,.0f} "
            f"faces, {accuracy:.1f} % right without having learned a classifier.{worst}"
        ),
        alt=f"Heat map of true against chosen {attribute}; {accuracy:.1f} % lie on the diagonal.",
        picture=HeatMap(percent, words, f"true {attribute}", f"chosen {attribute}"),
    )


def _curve(values: Sequence[Value], attribute: str) -> Curve:
    """The values of one row, by what they are measured over."""
    ordered = sorted(values, key=lambda value: float(value.k))
    return Curve(
        described(ordered[0].method, attribute).words,
        [float(value.k) for value in ordered],
        [value.value for value in ordered],
        [value.interval for value in ordered],
    )


def _style_axes(axis: Any, theme: Theme) -> None:
    """Axes without a box around them, with faint lines to read along."""
    axis.set_facecolor(_hexed(theme.paper))
    axis.grid(True, color=_hexed(theme.plain), linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(colors=_hexed(theme.ink), length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(_hexed(theme.faint))


def _rendered(plot: Plot, theme: Theme) -> Image.Image:
    """A plot on the paper of the theme, as an RGB picture."""
    plot.set_facecolor(_hexed(theme.paper))
    canvas: Any = FigureCanvasAgg(plot)  # matplotlib's own methods have no types
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _hexed(colour: Colour) -> str:
    """A colour as matplotlib reads it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _draw_curve(axis: Any, curve: Curve, mark: str, colour: Colour) -> None:
    held = [
        (x, *interval) for x, interval in zip(curve.xs, curve.intervals, strict=True) if interval is not None
    ]
    if held:
        places, lows, highs = zip(*held, strict=True)
        axis.fill_between(places, lows, highs, color=_hexed(colour), alpha=0.18, linewidth=0)
    axis.plot(
        curve.xs, curve.ys, marker=mark, markersize=5, linewidth=1.8, color=_hexed(colour), label=curve.name
    )
