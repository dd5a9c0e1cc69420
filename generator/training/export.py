"""From a running training to a checkpoint that can be used."""

from __future__ import annotations

from pathlib import Path

from faces.crop import CropGeometry
from generator.checkpoint import save_checkpoint
from generator.config import ModelConfig
from generator.networks import TwoStage
from generator.training.data import TrainingData
from generator.training.history import Entry
from generator.training.losses import ErrorKind
from generator.training.recipes import Recipe
from generator.training.state import Counters

ERRORS: dict[ErrorKind, str] = {
    "squared": "mean squared error per pixel, squared grey levels (0-255)",
    "absolute": "mean absolute error per pixel, grey levels (0-255)",
}


def export(
    folder: Path,
    *,
    network: TwoStage,
    data: TrainingData,
    recipe: Recipe,
    geometry: CropGeometry,
    seed: int,
    counters: Counters,
    last: Entry | None,
) -> str:
    """Write the network as it is now as a checkpoint, with what was last measured; returns its weights id."""
    measured: dict[str, object] = {"pairs_seen": counters.pairs, "minutes": round(counters.seconds / 60, 1)}
    if last is not None and last.validation:
        measured["measured_after_pairs"] = last.pairs
        measured["error"] = ERRORS[last.error]
        measured |= {f"unseen_people_{name}": round(value, 4) for name, value in last.validation.items()}
    config = ModelConfig(
        architecture=network.architecture,
        geometry=geometry,
        mean=data.mean,
        std=data.std,
        vocabulary=data.vocabulary,
        preset=recipe.name,
        data={**data.describe(), "seed": seed},
        metrics=measured,
    )
    return save_checkpoint(folder, network, config)
