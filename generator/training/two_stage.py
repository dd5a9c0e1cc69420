"""How the two networks are trained: what their training is made of, and what it leaves behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import torch

from faces.crop import CropGeometry
from faces.errors import TrainingError
from faces.progress import Progress
from generator.checkpoint import Checkpoint, save_checkpoint
from generator.config import ModelConfig
from generator.devices import pick_device, pick_precision
from generator.networks import Architecture, TwoStage
from generator.training.batches import training_batches
from generator.training.data import TrainingData
from generator.training.losses import DrawingPhase, GradientMaker, drawing_phases, grey_levels
from generator.training.recipes import Budget, ErrorKind, Recipe, check_recipe
from generator.training.state import Counters, Entry
from generator.training.trainer import Options, Phase, Task, run_training
from generator.training.validate import Validation

_ERRORS: dict[ErrorKind, str] = {
    "squared": "mean squared error per pixel, squared grey levels (0-255)",
    "absolute": "mean absolute error per pixel, grey levels (0-255)",
}


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
    report: Callable[[Entry], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Train both networks and keep them as a checkpoint in the folder ``out``.

    The same call on the same folder goes on where a killed run stood; a finished training is left as it is.
    Beside the checkpoint the folder holds ``training.json`` (what is trained), ``state.safetensors``,
    ``history.jsonl`` and ``curves.png``.  With ``start`` the networks begin as that checkpoint's, not at
    random, so that trained weights learn on: other pictures, another recipe, or, what encodes the attribute
    being random then, other values.  ``report`` gets each line of history; ``stop`` is asked after each step:
    if it says true the state is kept and False returned.  True means that the budget is used up.
    Raises TrainingError if recipe, budget or folder do not fit, or if the loss is no longer a number.
    """
    check_recipe(recipe)
    budget.check()
    options = options or Options()
    geometry = geometry or CropGeometry(size=data.train.faces.size)
    device = pick_device()
    dtype = pick_precision(options.precision, device)
    torch.manual_seed(seed)
    network = TwoStage(Architecture(size=data.train.faces.size, attribute_size=data.vocabulary.size))
    if start is not None:
        _begin_as(network, start, data)
    _lay_channels_last(network.to(device))
    batches = training_batches(data, recipe, seed, device)
    threads = options.threads or os.cpu_count() or 1
    scale = grey_levels(data.std, recipe.error)
    held = data.validation
    validation = held and Validation(held, data, recipe, seed=seed, device=device, dtype=dtype)

    def export(network: TwoStage, counters: Counters, last: Entry | None) -> None:
        config = ModelConfig(
            architecture=network.architecture,
            geometry=geometry,
            mean=data.mean,
            std=data.std,
            vocabulary=data.vocabulary,
            preset=recipe.name,
            data={**data.describe(), "seed": seed},
            metrics=_measured(counters, last),
        )
        save_checkpoint(out, network, config)

    with closing(GradientMaker(recipe, threads=threads, device=device, dtype=dtype)) as gradients:

        def phase(one: DrawingPhase) -> Phase:
            return Phase(one.name, one.parameters, lambda step: gradients(one, batches(step)))

        task = Task(
            network=network,
            phases=[phase(one) for one in drawing_phases(network, recipe)],
            validate=validation or (lambda network: {}),
            export=export,
            scales={"stage1": scale, "stage2": scale},
            identity={
                "attribute": data.attribute,
                "recipe": asdict(recipe),
                "budget": asdict(budget),
                "seed": seed,
                "geometry": asdict(geometry),
                "start": start.weights_id if start else None,
                "data": data.describe(),
            },
        )
        return run_training(
            task,
            recipe,
            out=out,
            budget=budget,
            options=options,
            progress=progress,
            report=report,
            stop=stop,
        )


def _begin_as(network: TwoStage, start: Checkpoint, data: TrainingData) -> None:
    """Give the network the weights of ``start``, but for what encodes the attribute if that is another.

    Raises TrainingError if the networks are of other sizes.
    """
    sizes = replace(start.network.architecture, attribute_size=network.architecture.attribute_size)
    if sizes != network.architecture:
        raise TrainingError(f"{start.folder} has networks of other sizes; start without it.")
    weights = start.network.state_dict()
    if start.config.vocabulary != data.vocabulary:
        own = network.state_dict()
        weights |= {name: own[name] for name in weights if name.startswith("stage1.attribute")}
    network.load_state_dict(weights)


def _lay_channels_last(network: torch.nn.Module) -> None:
    """Put weights in the order in which convolutions are fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _measured(counters: Counters, last: Entry | None) -> dict[str, object]:
    """What a checkpoint tells about its training."""
    measured: dict[str, object] = {"pairs_seen": counters.pairs, "minutes": round(counters.seconds / 60, 1)}
    if last is not None and last.validation:
        measured["measured_after_pairs"] = last.pairs
        measured["error"] = _ERRORS[last.error]
        measured |= {f"unseen_people_{name}": round(value, 4) for name, value in last.validation.items()}
    return measured
