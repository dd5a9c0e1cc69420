"""Charts of what was measured, in the colours of the page: figure 6, misalignment, confusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Plot
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from evaluation.figures.figure import Figure, sentence, value_word
from evaluation.figures.sheet import Theme
from evaluation.measurements import AMOUNTS, CHANGE, CHANGE_K, UNITS, confusion_counts
from evaluation.methods import described
from evaluation.results import Results, Value
from faces.sheet import Colour

DPI = 160  # as sheets are: shown at half their size in pixels
MISALIGNED_K = 1


Curves = dict[str, list[Value]]
"""By name: values in the order of their ``k``, with their 95 % intervals."""


@dataclass(frozen=True)
class Chart:
    """Curves in panels, by what is written below them, that share the upright axis, 0 to 100 percent.

    ``inches`` are wide and high; ``ticks`` the places and words of the axis below, or it finds its own.
    """

    panels: Mapping[str, Curves]
    label: str
    inches: tuple[float, float] = (7.0, 3.9)
    ticks: Sequence[tuple[float, str]] = ()

    def draw(self, theme: Theme) -> Image.Image:
        """Draw the chart as an RGB picture; curves differ in marks as well as in colours."""
        with _styled(theme):
            plot = Plot(figsize=self.inches, dpi=DPI, layout=ConstrainedLayoutEngine(rect=(0, 0, 0.985, 1)))
            axes = np.atleast_1d(plot.subplots(1, len(self.panels), sharey=True))
            for (label, curves), axis in zip(self.panels.items(), axes, strict=True):
                for name, values in curves.items():
                    places, recall = [value.k for value in values], [value.value for value in values]
                    (line,) = axis.plot(places, recall, label=name)
                    if held := [(value.k, *value.interval) for value in values if value.interval]:
                        band = zip(*held, strict=True)
                        axis.fill_between(*band, color=line.get_color(), alpha=0.18, linewidth=0)
                axis.set(ylim=(0, 102), xlabel=label)
                if self.ticks:
                    axis.set_xticks(*zip(*self.ticks, strict=True))
            axes[0].set_ylabel(self.label)
            lines, names = axes[0].get_legend_handles_labels()
            columns = 3 if sum(map(len, names)) < 70 else 2
            plot.legend(lines, names, loc="outside upper center", ncols=columns)
            return _rendered(plot)


@dataclass(frozen=True)
class HeatMap:
    """Percentages (R, C) of an attribute's values, true ones down and chosen ones across."""

    percent: NDArray[np.float64]
    words: tuple[str, ...]
    attribute: str

    def draw(self, theme: Theme) -> Image.Image:
        """Draw the map as an RGB picture; a number stands in every place that is not nearly zero."""
        with _styled(theme):
            plot = Plot(figsize=(4.1, 3.8), dpi=DPI, layout="constrained")
            axis = plot.subplots()
            axis.grid(False)
            shades = LinearSegmentedColormap.from_list("", [_hexed(theme.paper), _hexed(theme.lines[0])])
            axis.imshow(self.percent, cmap=shades, vmin=0, vmax=100)
            places = range(len(self.words))
            long = max(map(len, self.words)) > 5
            axis.set_xticks(places, self.words, rotation=40 if long else 0, ha="right" if long else "center")
            axis.set_yticks(places, self.words)
            axis.tick_params(labelsize=8)
            axis.set(xlabel=f"chosen {self.attribute}", ylabel=f"true {self.attribute}")
            axis.spines[:].set(visible=True, color=_hexed(theme.plain))
            for (row, column), share in np.ndenumerate(self.percent):
                if share >= 0.05:
                    colour = _hexed(theme.paper if share > 55 else theme.ink)
                    axis.text(column, row, f"{share:.1f}", ha="center", va="center", color=colour, fontsize=9)
            return _rendered(plot)


def pose_change_figure(results: Results, attribute: str) -> Figure | None:
    """Draw figure 6, how recall falls as the head is asked to turn further; None if nothing was measured."""
    found = results.find(CHANGE)
    if not found:
        return None
    groups = sorted({int(value.k) for value in found})
    near, far = groups[0], groups[-1]
    criteria = sorted({value.criterion for value in found})
    panels = {
        f"change of pose (criterion {criterion})": _curves(
            [value for value in found if value.criterion == criterion], attribute
        )
        for criterion in criteria
    }
    first = next(iter(panels.values()))
    ends = []
    for name, values in first.items():
        recall = {value.k: value.value for value in values}
        if {near, far} <= set(recall):
            ends.append(f"{name}, {recall[near]:.1f} % and {recall[far]:.1f} %")
    asked = {value.k: value.n for value in next(iter(first.values()))}
    sizes = ", ".join(f"{asked.get(degrees, 0):,.0f}" for degrees in groups)
    ticks = [(degrees, f"{degrees}°") for degrees in groups]
    return Figure(
        name="figure-6",
        part="retrieval",
        title="Figure 6. The further the turn, the harder",
        caption=(
            f"Recall@{CHANGE_K} by the difference between the pose of the query and the wished one; bands "
            f"are 95 % bootstrap intervals. At {near}° and at {far}° (criterion {criteria[0]}): "
            f"{'; '.join(ends)}. Queries in the groups: {sizes}."
        ),
        alt=f"Line chart of recall@{CHANGE_K} over the change of pose for {', '.join(first)}.",
        picture=Chart(panels, f"recall@{CHANGE_K}, percent", ticks=ticks),
    )


def misalignment_figure(results: Results, attribute: str) -> Figure | None:
    """Draw recall against crops that are shifted, scaled or turned; None if nothing was measured."""
    found = {motion: results.find(f"recall@{MISALIGNED_K} by {motion}", criterion=1) for motion in AMOUNTS}
    found = {motion: values for motion, values in found.items() if values}
    if not found:
        return None
    panels, costs = {}, []
    for motion, values in found.items():
        curves = panels[f"{motion}\n{UNITS[motion]}"] = _curves(values, attribute)
        start, *_, end = next(iter(curves.values()))
        costs.append(f"{motion}, {end.k:g} {UNITS[motion]}: {end.value:.1f} % instead of {start.value:.1f} %")
    return Figure(
        name="misalignment",
        part="misalignment",
        title="Faces that are cropped badly",
        caption=(
            f"Recall@{MISALIGNED_K} (criterion 1) when the crop of each query is moved before it is drawn "
            "from; the gallery stays as it is, bands are 95 % bootstrap intervals. "
            f"{sentence(next(iter(curves)))}: {'; '.join(costs)}. {start.n:,} queries."
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
    worst = ""
    if wrong.any():
        worst = f" Most often mistaken: {words[row]} for {words[column]}, {wrong.max():.1f} % of its faces."
    return Figure(
        name="confusion",
        part="recognition",
        title=f"The {attribute} that canonicalisation chooses",
        caption=(
            f"True {attribute} down, chosen {attribute} across, in percent of each line; {counts.sum():,.0f} "
            f"faces, {accuracy:.1f} % right without having learned a classifier.{worst}"
        ),
        alt=f"Heat map of true against chosen {attribute}; {accuracy:.1f} % lie on the diagonal.",
        picture=HeatMap(percent, words, attribute),
    )


def _curves(values: Sequence[Value], attribute: str) -> Curves:
    """A curve for each row, by its words."""
    rows: Curves = {}
    for value in values:
        rows.setdefault(described(value.method, attribute).words, []).append(value)
    return {words: sorted(found, key=lambda value: float(value.k)) for words, found in rows.items()}


@contextmanager
def _styled(theme: Theme) -> Iterator[None]:
    """Plots made in this block have the theme's colours, and faint lines to read along but no box."""
    paper, ink, plain = _hexed(theme.paper), _hexed(theme.ink), _hexed(theme.plain)
    style: Any = {  # matplotlib names every key in a type
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "axes.labelcolor": ink,
        "axes.labelsize": 9,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": plain,
        "grid.linewidth": 0.6,
        "axes.edgecolor": _hexed(theme.faint),
        **{f"axes.spines.{side}": False for side in ("top", "right", "left")},
        **{f"{axis}tick.color": ink for axis in "xy"},
        **{f"{axis}tick.major.size": 0 for axis in "xy"},
        "axes.prop_cycle": cycler(color=map(_hexed, theme.lines)) + cycler(marker=["o", "s", "^", "D", "v"]),
        "lines.markersize": 5,
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "legend.labelcolor": ink,
    }
    with mpl.rc_context(style):
        yield


def _rendered(plot: Plot) -> Image.Image:
    """A plot as an RGB picture."""
    canvas: Any = FigureCanvasAgg(plot)  # matplotlib's own methods have no types
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _hexed(colour: Colour) -> str:
    """A colour as matplotlib reads it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
