"""The training itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from faces.crop import CropGeometry
from faces.progress import NoProgress, Progress
from generator.checkpoint import Checkpoint
from generator.training import history
from generator.training.data import TrainingData
from generator.training.folder import claimed
from generator.training.recipes import Budget, Recipe, check_recipe
from generator.training.run import Options, Run


def train(
    data: TrainingData,
    recipe: Recipe,
    *,
    out: Path,
    budget: Budget,
    seed: int = 0,
    geometry: CropGeometry | None = None,
    start: Checkpoint | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
    report: Callable[[history.Entry], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Train both networks and keep them as a checkpoint in the folder ``out``.

    The same call on the same folder goes on where a killed run stood; a finished training is left as it is.
    Beside the checkpoint the folder holds ``training.json`` (what is trained), ``state.safetensors``,
    ``history.jsonl`` and ``curves.png``.  With ``start`` the networks begin as that checkpoint's, not at
    random, so that trained weights learn on: other pictures, another recipe, or, what encodes the attribute
    being random then, other values.  ``report`` gets each line of
    history; ``stop`` is asked after each step, and where it says true the state is kept and False returned;
    True means the budget is used up.
    Raises TrainingError where recipe, budget or folder do not fit, or where the loss is no longer a number.
    """
    check_recipe(recipe)
    budget.check()
    options = options or Options()
    geometry = geometry or CropGeometry(size=data.train.faces.size)
    progress = progress or NoProgress()
    identity = _identity(data, recipe, budget, seed, geometry, start)
    with claimed(out, identity):
        run = Run(data, recipe, out, budget, seed, geometry, options, identity, start)
        progress.start("training", budget.pairs, "pairs")
        try:
            return run.go(progress, report or (lambda entry: None), stop or (lambda: False))
        finally:
            run.close()
            progress.finish()


def _identity(
    data: TrainingData,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    geometry: CropGeometry,
    start: Checkpoint | None,
) -> dict[str, object]:
    """What makes a training this one and no other."""
    return {
        "attribute": data.attribute,
        "recipe": asdict(recipe),
        "budget": asdict(budget),
        "seed": seed,
        "geometry": asdict(geometry),
        "start": start.weights_id if start else None,
        "data": data.describe(),
    }
