"""Training CPI: a loop over examples that goes on after a kill."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from baselines.cpi.examples import ExampleMaker
from baselines.cpi.losses import losses
from baselines.cpi.network import CPIArchitecture, CPINetwork
from baselines.cpi.settings import CPISettings
from baselines.cpi.weights import CPIConfig, save_cpi
from faces.crop import CropGeometry
from faces.errors import TrainingError
from faces.progress import NoProgress, Progress
from generator.devices import keep_freed_memory
from generator.training import history
from generator.training.data import TrainingData
from generator.training.folder import claimed
from generator.training.optimise import average_decay, learning_rate, make_optimiser, update_average
from generator.training.precision import autocast, pick_precision
from generator.training.recipes import Budget
from generator.training.state import Counters, load_tensors, read_counters, save_state

_TELL_EVERY = 0.05  # of the budget
_NOTE_EVERY = 5.0  # seconds
_VALIDATION_BATCHES = 8  # of other people, always the same
_REDRAW_STREAM = 12
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Training:
    """What is trained, and for how long."""

    data: TrainingData
    settings: CPISettings
    architecture: CPIArchitecture
    budget: Budget
    seed: int = 0
    geometry: CropGeometry | None = None

    def check(self) -> None:
        """Raises TrainingError where settings, budget or data do not fit each other."""
        self.settings.check()
        self.budget.check()
        size, poses = self.data.train.faces.size, len(self.data.vocabulary.combinations)
        if (self.architecture.size, self.architecture.poses) != (size, poses):
            raise TrainingError(
                f"The network must be one for {size} pixels and {poses} poses, as the faces are."
            )

    def crop(self) -> CropGeometry:
        return self.geometry or CropGeometry(size=self.architecture.size)

    def identity(self) -> dict[str, object]:
        """What makes a training this one and no other."""
        return {
            "method": "cpi",
            "settings": asdict(self.settings),
            "architecture": asdict(self.architecture),
            "budget": asdict(self.budget),
            "seed": self.seed,
            "geometry": asdict(self.crop()),
            "data": self.data.describe(),
        }


def train_cpi(
    training: Training,
    *,
    out: Path,
    state_minutes: float = 2.0,
    precision: str = "auto",
    progress: Progress | None = None,
    report: Callable[[history.Entry], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Train CPI on the processor and keep it in the folder ``out``, from which ``load_cpi`` reads it.

    The same call on the same folder goes on where a killed run stood.  ``report`` gets each line of history;
    ``stop`` is asked after each step: where it says true the state is kept and False returned.  True means
    the budget is used up.  Raises TrainingError where settings, budget, data or folder do not fit, or where
    the loss is no longer a number.
    """
    training.check()
    progress = progress or NoProgress()
    with claimed(out, training.identity()):
        run = _Run(training, out, pick_precision(precision, _CPU))
        progress.start("training", training.budget.pairs, "examples")
        try:
            return run.go(progress, report or (lambda entry: None), stop or (lambda: False), state_minutes)
        finally:
            progress.finish()


class _Run:
    """Steps, states and history; made anew whenever a training starts or goes on."""

    def __init__(self, training: Training, out: Path, dtype: torch.dtype) -> None:
        self._training, self._out, self._dtype = training, out, dtype
        self._settings, self._recipe = training.settings, training.settings.recipe
        keep_freed_memory()
        torch.manual_seed(training.seed)
        self._network = CPINetwork(training.architecture)
        self._average = copy.deepcopy(self._network)
        self._optimiser = make_optimiser(list(self._network.parameters()), self._recipe)
        self._learners = self._examples(validation=False)
        self._others = self._examples(validation=True) if training.data.validation else None
        found = read_counters(out)
        self._counters = found[0] if found else Counters()
        if found:
            load_tensors(out, network=self._network, average=self._average, optimiser=self._optimiser)
        history.rewind(out, self._counters.step)
        self._started = time.monotonic() - self._counters.seconds

    def _examples(self, *, validation: bool) -> ExampleMaker:
        data = self._training.data
        return ExampleMaker(
            data.validation if validation and data.validation else data.train,
            data,
            light=self._settings.light,
            batch=self._recipe.batch,
            seed=self._training.seed,
            mirror=self._settings.mirror and not validation,
        )

    def go(
        self,
        progress: Progress,
        report: Callable[[history.Entry], None],
        stop: Callable[[], bool],
        state_minutes: float,
    ) -> bool:
        """Step until the budget is used (True) or ``stop`` says so (False)."""
        counters = self._counters
        progress.advance(counters.pairs)
        saved = noted = time.monotonic()
        begun = (counters.pairs, counters.seconds)
        while self._fraction() < 1.0:
            self._step()
            counters.seconds = time.monotonic() - self._started
            now, finished, stopping = time.monotonic(), self._fraction() >= 1.0, stop()
            note = ""
            if now - noted > _NOTE_EVERY:
                noted, note = now, self._note()
            progress.advance(self._recipe.batch, note)
            if finished or self._fraction() - counters.validated_at >= _TELL_EVERY:
                rate = (counters.pairs - begun[0]) / max(counters.seconds - begun[1], 1e-9)
                report(self._tell(rate))
                begun = (counters.pairs, counters.seconds)
            if finished or stopping or now - saved > 60 * state_minutes:
                self._save()
                saved = time.monotonic()
            if stopping:
                return finished
        return True

    def _fraction(self) -> float:
        return self._training.budget.fraction(self._counters.pairs, self._counters.seconds)

    def _step(self) -> None:
        counters, recipe = self._counters, self._recipe
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(recipe, self._fraction())
        self._optimiser.zero_grad(set_to_none=True)
        with autocast(_CPU, self._dtype):
            loss, measures = losses(
                self._network, self._learners(counters.step), self._settings, self._redrawn(counters.step)
            )
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"The loss is no longer a number at step {counters.step}; start again with a lower --rate."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), recipe.clip)
        self._optimiser.step()
        update_average(self._average, self._network, average_decay(recipe, counters.step))
        counters.step += 1
        counters.pairs += recipe.batch
        for name, value in {**measures, "steps": 1.0}.items():
            counters.sums[name] = counters.sums.get(name, 0.0) + value

    def _redrawn(self, step: int) -> torch.Tensor:
        """Poses to which the first examples of a batch are turned beforehand."""
        count = round(self._settings.redrawn * self._recipe.batch)
        rng = np.random.default_rng([self._training.seed, _REDRAW_STREAM, step])
        return torch.from_numpy(rng.integers(0, self._training.architecture.poses, count))

    def _means(self) -> dict[str, float]:
        steps = self._counters.sums.get("steps", 0.0)
        return {
            name: self._unit(name) * value / steps
            for name, value in self._counters.sums.items()
            if name != "steps" and steps
        }

    def _unit(self, name: str) -> float:
        """What makes a squared standardised error one in squared grey levels."""
        return self._training.data.std**2 if name in ("error", "auxiliary") else 1.0

    def _note(self) -> str:
        error, minutes = self._means()["error"], self._training.budget.minutes
        left = f", {(1 - self._fraction()) * minutes:.0f} of {minutes:g} min left" if minutes else ""
        return f"squared error {error:.0f}{left}"

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """The measures on other people, none where there are none."""
        if self._others is None:
            return {}
        sums: dict[str, float] = {}
        for step in range(_VALIDATION_BATCHES):
            with autocast(_CPU, self._dtype):
                _, measures = losses(self._average, self._others(step), self._settings)
            for name, value in measures.items():
                sums[name] = sums.get(name, 0.0) + value * self._unit(name) / _VALIDATION_BATCHES
        return sums

    def _tell(self, rate: float) -> history.Entry:
        counters = self._counters
        counters.validated_at = self._fraction()
        entry = history.Entry(
            step=counters.step,
            pairs=counters.pairs,
            seconds=round(counters.seconds, 1),
            fraction=round(self._fraction(), 4),
            phase="cpi",
            rate=learning_rate(self._recipe, self._fraction()),
            pairs_per_second=round(rate, 1),
            train=self._means(),
            validation=self._validate(),
        )
        counters.sums = {}
        history.append(self._out, entry)
        return entry

    def _save(self) -> None:
        save_state(
            self._out,
            identity=self._training.identity(),
            counters=self._counters,
            network=self._network,
            average=self._average,
            optimiser=self._optimiser,
        )
        save_cpi(self._out, self._average, self._config())

    def _config(self) -> CPIConfig:
        training, entries = self._training, history.read(self._out)
        last = entries[-1].validation if entries else {}
        return CPIConfig(
            architecture=training.architecture,
            geometry=training.crop(),
            mean=training.data.mean,
            std=training.data.std,
            poses=training.data.vocabulary.groups[0].values,
            light=self._settings.light,
            data={**training.data.describe(), "seed": training.seed, "settings": asdict(self._settings)},
            metrics={
                "examples_seen": self._counters.pairs,
                "minutes": round(self._counters.seconds / 60, 1),
                **{f"unseen_people_{name}": round(value, 4) for name, value in last.items()},
            },
        )
