"""One training of any network, from its start to its end, a stop, or a kill.

What is trained comes as a ``Task``: a network, how to get a gradient, how to validate and what to write.  The
loop, the optimiser, the average of the weights, states and history are the same for all.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.nn import Parameter

from faces.errors import TrainingError
from faces.progress import Progress, underway
from generator.training import state
from generator.training.recipes import Budget, Recipe
from generator.training.state import Counters, Entry

_VALIDATE_EVERY = 0.05  # of the budget
_VALIDATION_SHARE = 0.05  # of the time, at most
_NOTE_EVERY = 5.0  # seconds

Measures = dict[str, float]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may change without becoming another training."""

    state_minutes: float = 2.0  # time between two states on disk
    precision: str = "auto"
    threads: int = 0  # threads that compute; 0: one per core
    progress: Progress | None = None
    report: Callable[[Entry], None] = lambda entry: None  # gets each line of history
    stop: Callable[[], bool] = lambda: False  # is asked after each step whether to keep the state and end


@dataclass(frozen=True)
class Phase:
    """A part of a training; ``backward`` sets a step's gradients and returns loss and mean measures."""

    name: str
    parameters: list[Parameter]
    backward: Callable[[int], tuple[float, Measures]]


@dataclass(frozen=True)
class Task(Generic[Network]):
    """What is trained."""

    network: Network
    phases: Sequence[Phase]  # one after the other, each with an equal part of the budget
    validate: Callable[[Network], Measures]  # of the network that is kept: the average, if there is one
    export: Callable[[Network, Counters, Entry | None], object]  # writes usable weights
    scales: Mapping[str, float]  # the measures that are errors: by what to multiply them to have grey levels
    identity: dict[str, object]  # what makes a training this one and no other: JSON values


def run_training(task: Task[Network], recipe: Recipe, out: Path, budget: Budget, options: Options) -> bool:
    """Train in the folder ``out``, going on from the state that a killed or stopped run left there.

    Returns true if the budget is used up, false if ``options.stop`` ended it before.
    Raises TrainingError if the folder holds something else, or if the loss is no longer a number.
    """
    with (
        state.claimed(out, task.identity),
        underway(options.progress, "training", budget.pairs, "pairs") as progress,
    ):
        return _Trainer(task, recipe, out, budget, options).run(progress)


class _Trainer(Generic[Network]):
    """Steps, validation, history and states; made anew whenever a training starts or goes on."""

    def __init__(
        self, task: Task[Network], recipe: Recipe, out: Path, budget: Budget, options: Options
    ) -> None:
        self._task, self._recipe, self._out = task, recipe, out
        self._budget, self._options = budget, options
        self._network = self._kept = task.network
        self._weights = nn.ModuleDict({"network": self._network})
        if recipe.ema_decay:
            self._weights["ema"] = self._kept = copy.deepcopy(task.network)
        found = state.read_counters(out)
        self._counters = found or Counters()
        self._optimiser = make_optimiser(self._phase.parameters, recipe)
        if found:
            state.load_tensors(out, self._weights, self._optimiser)
        state.rewind_history(out, self._counters.step)
        self._validation_seconds = 0.0
        self._started = time.monotonic() - self._counters.seconds

    def run(self, progress: Progress) -> bool:
        """Step until the budget is used (true) or ``options.stop`` says so (false)."""
        self._network.train()
        counters, options = self._counters, self._options
        progress.advance(counters.pairs)
        if self._fraction() >= 1.0:
            self._export()  # a kill may have come between the last state and the weights
        saved = noted = time.monotonic()
        first, first_seconds = counters.pairs, counters.seconds
        while self._fraction() < 1.0:
            self._step()
            counters.seconds = time.monotonic() - self._started
            now, finished, stopping = time.monotonic(), self._fraction() >= 1.0, options.stop()
            note = ""
            if now - noted > _NOTE_EVERY:
                noted, note = now, self._note()
            progress.advance(self._recipe.batch_size, note)
            due = self._fraction() - counters.validated_at >= _VALIDATE_EVERY
            if finished or (due and self._validation_seconds < _VALIDATION_SHARE * counters.seconds):
                speed = (counters.pairs - first) / max(counters.seconds - first_seconds, 1e-9)
                options.report(self._validate(speed))
                first, first_seconds = counters.pairs, counters.seconds
            finished = self._fraction() >= 1.0  # validation takes time too
            if finished or stopping or now - saved > 60 * options.state_minutes:
                state.save_state(self._out, counters, self._weights, self._optimiser)
                self._export()
                saved = time.monotonic()
            if stopping:
                return finished
        return True

    @property
    def _phase(self) -> Phase:
        return self._task.phases[self._counters.phase]

    def _fraction(self) -> float:
        return self._budget.fraction(self._counters.pairs, self._counters.seconds)

    def _learning_rate(self) -> float:
        share = self._fraction() * len(self._task.phases) - self._counters.phase
        return learning_rate_at(self._recipe, min(max(share, 0.0), 1.0))

    def _step(self) -> None:
        counters, recipe, count = self._counters, self._recipe, len(self._task.phases)
        due = min(int(self._fraction() * count), count - 1)
        if due > counters.phase:
            counters.phase, counters.sums = due, {}
            self._optimiser = make_optimiser(self._phase.parameters, recipe)
        phase = self._phase
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        loss, measures = phase.backward(counters.step)
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is no longer a number at step {counters.step}; start again with a lower "
                "--learning-rate."
            )
        if recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(phase.parameters, recipe.clip_norm)
        self._optimiser.step()
        if recipe.ema_decay:
            update_ema(self._kept, self._network, ema_decay_at(recipe, counters.step))
        counters.step += 1
        counters.pairs += recipe.batch_size
        for name, value in {**measures, "steps": 1.0}.items():
            counters.sums[name] = counters.sums.get(name, 0.0) + value

    def _means(self) -> Measures:
        """Means of the measures since the last line of history, errors in grey levels or their squares."""
        sums, scales = self._counters.sums, self._task.scales
        means = {name: value / sums["steps"] for name, value in sums.items() if name != "steps"}
        return {name: value * scales.get(name, 1.0) for name, value in means.items()}

    def _note(self) -> str:
        """The errors and, with a length in minutes, which tells no number of pairs, the time left."""
        means = self._means()
        errors = " / ".join(f"{means[name]:.4g}" for name in self._task.scales if name in means)
        notes = [f"{self._recipe.error} error {errors}"] if errors else []
        if self._budget.minutes is not None:
            left = (1 - self._fraction()) * self._budget.minutes
            notes.append(f"{left:.0f} of {self._budget.minutes:g} min left")
        return ", ".join(notes)

    def _validate(self, pairs_per_second: float) -> Entry:
        counters = self._counters
        begun = time.monotonic()
        figures = self._task.validate(self._kept)
        self._validation_seconds += time.monotonic() - begun
        counters.seconds = time.monotonic() - self._started
        counters.validated_at = self._fraction()
        entry = Entry(
            step=counters.step,
            pairs=counters.pairs,
            seconds=round(counters.seconds, 1),
            fraction=round(self._fraction(), 4),
            phase=self._phase.name,
            learning_rate=self._learning_rate(),
            pairs_per_second=round(pairs_per_second, 1),
            train=self._means(),
            validation=figures,
            error=self._recipe.error,
        )
        counters.sums = {}
        state.append_entry(self._out, entry)
        state.draw_curves(self._out)
        return entry

    def _export(self) -> None:
        entries = state.read_history(self._out)
        self._task.export(self._kept, self._counters, entries[-1] if entries else None)


def make_optimiser(parameters: list[Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Return SGD or AdamW as the recipe says; biases are not decayed."""
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def learning_rate_at(recipe: Recipe, fraction: float) -> float:
    """Return the rate after ``fraction`` (0..1) of the phase's budget: linear warm-up, then half a cosine."""
    if recipe.warmup and fraction < recipe.warmup:
        return recipe.learning_rate * max(fraction / recipe.warmup, 0.01)
    if not recipe.cosine:
        return recipe.learning_rate
    rest = (fraction - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * max(0.5 * (1 + math.cos(math.pi * rest)), 0.002)


def ema_decay_at(recipe: Recipe, step: int) -> float:
    """Return the decay of the average at a step: low at first, so that the random start is soon forgotten."""
    return min(recipe.ema_decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, decay: float) -> None:
    """``ema`` := decay · ema + (1 - decay) · network; torch's AveragedModel would keep one decay.

    Statistics of batches are averages already, and taken over.
    """
    torch._foreach_lerp_(list(ema.parameters()), list(network.parameters()), 1 - decay)
    for kept, found in zip(ema.buffers(), network.buffers(), strict=True):
        kept.copy_(found)
