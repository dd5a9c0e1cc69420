"""The figures of the paper and some beyond it, made from an experiment and its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evaluation.figures import answers, charts, drawings
from evaluation.figures.drawings import Artist, cpi_artist
from evaluation.figures.figure import Figure, read_figures, remove_figures, store_figures
from evaluation.protocol import Experiment
from evaluation.recall import KS
from evaluation.results import Results
from faces.progress import Progress, underway
from faces.types import Ints

__all__ = ["Artist", "cpi_artist", "make_figures", "read_figures", "remove_figures"]


def make_figures(
    experiment: Experiment,
    results: Results,
    out: Path,
    *,
    ranks: Ints | None = None,
    artist: Artist | None = None,
    progress: Progress | None = None,
) -> None:
    """Draw every figure that an experiment has something to show in, into ``out``/figures.

    ``results`` are those of this set; what they have no numbers for is left out.  ``ranks`` (Q,) int64 are
    ours under criterion 1; ``artist`` draws for figure 8.  Raises DataError if ``out`` cannot be written.
    """
    studio, attribute = experiment.studio, experiment.attribute
    makers: list[Callable[[], Figure | None]] = [
        lambda: drawings.attribute_maps_figure(studio, attribute),
        lambda: drawings.stages_figure(experiment),
    ]
    if artist is not None:
        makers.append(lambda: drawings.rival_drawings_figure(experiment, artist))
    if experiment.searched:
        makers += [
            lambda: charts.pose_change_figure(results, attribute),
            lambda: answers.retrieval_figure(experiment),
            lambda: charts.confusion_figure(results, attribute, studio.weights),
            lambda: charts.misalignment_figure(results, attribute),
            lambda: None if ranks is None else answers.failures_figure(experiment, ranks, max(KS)),
        ]
    made = []
    with underway(progress, "drawing the figures", len(makers), "figures") as drawing:
        for make in makers:
            made.append(make())
            drawing.advance()
    store_figures(out, experiment.gallery.name, [figure for figure in made if figure is not None])
