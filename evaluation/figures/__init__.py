"""The figures of the paper and some beyond it, made from an experiment and its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from evaluation.experiment import Experiment
from evaluation.figures.attribute_maps import attribute_maps_figure
from evaluation.figures.confusion import confusion_figure
from evaluation.figures.failures import failures_figure
from evaluation.figures.figure import Figure
from evaluation.figures.misalignment import misalignment_figure
from evaluation.figures.pose_change import pose_change_figure
from evaluation.figures.retrieval import retrieval_figure
from evaluation.figures.rival_drawings import Artist, cpi_artist, rival_drawings_figure
from evaluation.figures.stages import stages_figure
from evaluation.figures.store import store_figures
from evaluation.journal import read_arrays
from evaluation.recall import KS
from evaluation.results import Results
from faces.progress import NoProgress, Progress
from faces.types import Ints

__all__ = ["Artist", "cpi_artist", "make_figures"]

OURS = "ours-features"
"""The row whose failures are shown."""


def make_figures(
    experiment: Experiment,
    results: Results,
    out: Path,
    *,
    artist: Artist | None = None,
    progress: Progress | None = None,
) -> None:
    """Draw every figure that an experiment has something to show in, into ``out``/figures.

    ``out`` is the folder of results, with ``arrays/`` in it; ``artist`` a rival for figure 8.  What
    ``results`` has no numbers for is left out.  Raises DataError where the folder cannot be written.
    """
    name, studio, attribute = experiment.gallery.name, experiment.studio, experiment.attribute
    own = results.of(name)
    weights = f"{studio.generator.name}@{studio.generator.weights_id}"
    confusions = [record for record in own.confusions if record.weights == weights]
    makers: list[Callable[[], Figure | None]] = [
        lambda: attribute_maps_figure(studio, attribute),
        lambda: stages_figure(experiment),
    ]
    if artist is not None:
        makers.append(lambda: rival_drawings_figure(experiment, artist))
    if experiment.searched:
        makers += [
            lambda: pose_change_figure(own.changes),
            lambda: retrieval_figure(experiment),
            lambda: confusion_figure(confusions[0]) if confusions else None,
            lambda: misalignment_figure(own.misaligned),
            lambda: _failures(experiment, own, out),
        ]
    progress = progress or NoProgress()
    made = []
    progress.start("drawing the figures", len(makers), "figures")
    try:
        for make in makers:
            made.append(make())
            progress.advance()
    finally:
        progress.finish()
    store_figures(out, name, [figure for figure in made if figure is not None])


def _failures(experiment: Experiment, own: Results, out: Path) -> Figure | None:
    first = _first_right(own, out)
    return None if first is None else failures_figure(experiment, first, max(KS))


def _first_right(own: Results, out: Path) -> Ints | None:
    for record in own.rows:
        if record.row == OURS and record.criterion == 1 and record.available:
            return read_arrays(out, record.arrays)["first_1"].astype(np.int64)
    return None
