"""Which value canonicalisation takes a face for, as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray
from PIL import Image

from evaluation.figures.chart import DPI, hexed, rendered
from evaluation.figures.figure import Figure
from evaluation.figures.theme import Theme
from evaluation.figures.words import value_word
from evaluation.results import ConfusionRecord


@dataclass(frozen=True)
class HeatMap:
    """Percentages (R, C), true values down and chosen ones across."""

    percent: NDArray[np.float64]
    words: tuple[str, ...]
    down: str
    across: str

    def draw(self, theme: Theme) -> Image.Image:
        """The map as an RGB picture; a number stands in every place that is not nearly zero."""
        plot = Plot(figsize=(4.1, 3.8), dpi=DPI, layout="constrained")
        axis = plot.subplots()
        shades = LinearSegmentedColormap.from_list("shades", [hexed(theme.paper), hexed(theme.lines[0])])
        axis.imshow(self.percent, cmap=shades, vmin=0, vmax=100)
        places = range(len(self.words))
        long = max(map(len, self.words)) > 5
        axis.set_xticks(places, self.words, rotation=40 if long else 0, ha="right" if long else "center")
        axis.set_yticks(places, self.words)
        axis.tick_params(colors=hexed(theme.ink), length=0, labelsize=8)
        axis.set_xlabel(self.across, color=hexed(theme.ink), fontsize=9)
        axis.set_ylabel(self.down, color=hexed(theme.ink), fontsize=9)
        for side in axis.spines.values():
            side.set_color(hexed(theme.plain))
        for (row, column), share in np.ndenumerate(self.percent):
            if share >= 0.05:
                colour = theme.paper if share > 55 else theme.ink
                axis.text(
                    column, row, f"{share:.1f}", ha="center", va="center", color=hexed(colour), fontsize=9
                )
        return rendered(plot, theme)


def confusion_figure(record: ConfusionRecord) -> Figure:
    """The confusion of canonicalised and true values."""
    attribute = record.attribute
    counts = np.array(record.counts, np.float64)
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    words = tuple(value_word(value, attribute) for value in record.values)
    wrong = percent * (1 - np.eye(len(words)))
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    worst = (
        f" Most often mistaken: {words[row]} for {words[column]}, {wrong[row, column]:.1f} % of its faces."
        if wrong.max() > 0
        else ""
    )
    return Figure(
        name="confusion",
        part="retrieval",
        title=f"The {attribute} that canonicalisation chooses",
        caption=(
            f"True {attribute} down, chosen {attribute} across, in percent of each line; {counts.sum():,.0f} "
            f"faces, {record.accuracy:.1f} % right without having learned a classifier.{worst}"
        ),
        alt=f"Heat map of true against chosen {attribute}; {record.accuracy:.1f} % lie on the diagonal.",
        picture=HeatMap(percent, words, f"true {attribute}", f"chosen {attribute}"),
    )
