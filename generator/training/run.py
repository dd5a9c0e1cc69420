"""One training between its start and its end, a kill, or a stop."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from faces.crop import CropGeometry
from faces.errors import TrainingError
from faces.progress import Progress
from generator.checkpoint import Checkpoint
from generator.devices import pick_device
from generator.networks import Architecture, TwoStage
from generator.training import history
from generator.training.data import TrainingData
from generator.training.export import export
from generator.training.feeder import training_feeder
from generator.training.gradients import GradientMaker
from generator.training.losses import grey_levels
from generator.training.optimise import average_decay, learning_rate, make_optimiser, update_average
from generator.training.phases import Phase, phases
from generator.training.precision import pick_precision
from generator.training.recipes import Budget, Recipe
from generator.training.state import Counters, load_tensors, read_counters, save_state
from generator.training.validate import Validation

_VALIDATE_EVERY = 0.05  # of the budget
_VALIDATION_SHARE = 0.05  # of the time, at most
_NOTE_EVERY = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may change without becoming another training."""

    state_minutes: float = 2.0
    """Time between two states on disk."""
    precision: str = "auto"
    threads: int = 0
    """Threads that compute; 0: one per core."""


class Run:
    """Steps, validation, history and states; made anew whenever a training starts or goes on."""

    def __init__(
        self,
        data: TrainingData,
        recipe: Recipe,
        out: Path,
        budget: Budget,
        seed: int,
        geometry: CropGeometry,
        options: Options,
        identity: dict[str, object],
        start: Checkpoint | None,
    ) -> None:
        self._data, self._recipe, self._out, self._budget = data, recipe, out, budget
        self._seed, self._geometry, self._options = seed, geometry, options
        self._identity = identity
        device = pick_device()
        dtype = pick_precision(options.precision, device)
        torch.manual_seed(seed)
        self._network = TwoStage(
            Architecture(size=data.train.faces.size, attribute_size=data.vocabulary.size)
        )
        if start is not None:
            _begin_as(self._network, start, data)
        _lay_channels_last(self._network.to(device))
        self._average = copy.deepcopy(self._network) if recipe.average else None
        self._feeder = training_feeder(data, recipe, seed, device)
        self._phases = phases(self._network, recipe)
        threads = options.threads or os.cpu_count() or 1
        self._gradients = GradientMaker(recipe, threads=threads, device=device, dtype=dtype)
        self._validation = Validation(data, recipe, seed=seed, device=device, dtype=dtype)
        found = read_counters(out)
        self._counters = found[0] if found else Counters()
        self._optimiser = make_optimiser(self._phase.parameters, recipe)
        if found:
            load_tensors(out, network=self._network, average=self._average, optimiser=self._optimiser)
        history.rewind(out, self._counters.step)
        self._validation_seconds = 0.0
        self._started = time.monotonic() - self._counters.seconds

    def go(
        self, progress: Progress, report: Callable[[history.Entry], None], stop: Callable[[], bool]
    ) -> bool:
        """Step until the budget is used (True) or ``stop`` says so (False)."""
        self._network.train()
        counters = self._counters
        progress.advance(counters.pairs)
        if self._fraction() >= 1.0:
            self._export()  # a kill may have come between the last state and the checkpoint
        saved = noted = time.monotonic()
        first, first_seconds = counters.pairs, counters.seconds
        while self._fraction() < 1.0:
            self._enter_phase()
            self._step()
            counters.seconds = time.monotonic() - self._started
            now, finished, stopping = time.monotonic(), self._fraction() >= 1.0, stop()
            note = ""
            if now - noted > _NOTE_EVERY:
                noted = now
                note = self._note()
            progress.advance(self._recipe.batch, note)
            if finished or self._validation_due():
                report(self._validate((counters.pairs - first) / max(counters.seconds - first_seconds, 1e-9)))
                first, first_seconds = counters.pairs, counters.seconds
            if finished or stopping or now - saved > 60 * self._options.state_minutes:
                self._save()
                saved = time.monotonic()
            if stopping:
                return finished
        return True

    def close(self) -> None:
        """End the threads."""
        self._gradients.close()

    @property
    def _phase(self) -> Phase:
        return self._phases[self._counters.phase]

    def _fraction(self) -> float:
        return self._budget.fraction(self._counters.pairs, self._counters.seconds)

    def _enter_phase(self) -> None:
        due = min(int(self._fraction() * len(self._phases)), len(self._phases) - 1)
        if due > self._counters.phase:
            self._counters.phase, self._counters.sums = due, {}
            self._optimiser = make_optimiser(self._phase.parameters, self._recipe)

    def _rate(self) -> float:
        share = self._fraction() * len(self._phases) - self._counters.phase
        return learning_rate(self._recipe, min(max(share, 0.0), 1.0))

    def _step(self) -> None:
        counters, recipe = self._counters, self._recipe
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        loss, measures = self._gradients(self._phase, self._feeder(counters.step))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is no longer a number at step {counters.step}; start again with a lower --rate."
            )
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(self._phase.parameters, recipe.clip)
        self._optimiser.step()
        if self._average is not None:
            update_average(self._average, self._network, average_decay(recipe, counters.step))
        counters.step += 1
        counters.pairs += recipe.batch
        for name, value in {**measures, "steps": 1.0}.items():
            counters.sums[name] = counters.sums.get(name, 0.0) + value

    def _validation_due(self) -> bool:
        share = self._fraction() - self._counters.validated_at
        spent = self._validation_seconds / max(self._counters.seconds, 1e-9)
        return share >= _VALIDATE_EVERY and spent < _VALIDATION_SHARE

    def _means(self) -> dict[str, float]:
        """Means of the measures since the last line, errors in grey levels or their squares."""
        sums = self._counters.sums
        steps = sums.get("steps", 0.0)
        means = {name: value / steps for name, value in sums.items() if name != "steps" and steps}
        unit = grey_levels(self._data.std, self._recipe.error)
        return {name: value * unit if name.startswith("stage") else value for name, value in means.items()}

    def _note(self) -> str:
        """With a length in minutes the number of pairs is not known, so the note tells the time left."""
        means = self._means()
        errors = " / ".join(f"{means[name]:.4g}" for name in ("stage1", "stage2") if name in means)
        if self._budget.minutes is None:
            return f"{self._recipe.error} error {errors}"
        left = (1 - self._fraction()) * self._budget.minutes
        return f"{self._recipe.error} error {errors}, {left:.0f} of {self._budget.minutes:g} min left"

    def _validate(self, rate: float) -> history.Entry:
        counters = self._counters
        begun = time.monotonic()
        figures = self._validation(self._average or self._network)
        self._validation_seconds += time.monotonic() - begun
        counters.seconds = time.monotonic() - self._started
        counters.validated_at = self._fraction()
        entry = history.Entry(
            step=counters.step,
            pairs=counters.pairs,
            seconds=round(counters.seconds, 1),
            fraction=round(self._fraction(), 4),
            phase=self._phase.name,
            rate=self._rate(),
            pairs_per_second=round(rate, 1),
            train=self._means(),
            validation=figures,
            error=self._recipe.error,
        )
        counters.sums = {}
        history.append(self._out, entry)
        history.draw_curves(self._out)
        return entry

    def _save(self) -> None:
        save_state(
            self._out,
            identity=self._identity,
            counters=self._counters,
            network=self._network,
            average=self._average,
            optimiser=self._optimiser,
        )
        self._export()

    def _export(self) -> None:
        entries = history.read(self._out)
        export(
            self._out,
            network=self._average or self._network,
            data=self._data,
            recipe=self._recipe,
            geometry=self._geometry,
            seed=self._seed,
            counters=self._counters,
            last=entries[-1] if entries else None,
        )


def _lay_channels_last(network: torch.nn.Module) -> None:
    """Weights in the order in which convolutions are fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _begin_as(network: TwoStage, start: Checkpoint, data: TrainingData) -> None:
    """Give the network the weights of ``start``, but for what encodes the attribute where that is another.

    Raises TrainingError where the networks are of other sizes.
    """
    sizes = replace(start.network.architecture, attribute_size=network.architecture.attribute_size)
    if sizes != network.architecture:
        raise TrainingError(f"{start.folder} has networks of other sizes; start without it.")
    weights = start.network.state_dict()
    if start.config.vocabulary != data.vocabulary:
        own = network.state_dict()
        weights |= {name: own[name] for name in weights if name.startswith("stage1.attribute")}
    network.load_state_dict(weights)
