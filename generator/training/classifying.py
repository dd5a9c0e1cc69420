"""How the classifier of what faces show is trained: single pictures, altered as photographs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faces.types import Ints
from generator.classifier import Classifier, ClassifierNetwork
from generator.training.augmentation import augmentation_numbers, degrade, mirror
from generator.training.data import PairSet, Stream, TrainingData, mirrored_places
from generator.training.recipes import AUGMENTATIONS, Budget, Recipe
from generator.training.state import Counters, Entry
from generator.training.trainer import Measures, Options, Phase, Task, run_training

_SMOOTHING = 0.03  # of the labels: some pictures show hardly what they are called
_VALIDATED = 2000  # faces at most
_TEMPERATURES = np.exp(np.linspace(-1.0, 1.5, 26))


def classifier_recipe() -> Recipe:
    """Return the recipe: large batches of single pictures, AdamW, a falling rate, the average of weights."""
    return Recipe(
        name="classifier",
        batch_size=128,
        optimiser="adamw",
        learning_rate=2e-3,
        weight_decay=0.02,
        warmup=0.03,
        cosine=True,
        clip_norm=5.0,
        ema_decay=0.998,
        augmentation=AUGMENTATIONS["photographs"],
    )


def train_classifier(
    data: TrainingData,
    recipe: Recipe,
    *,
    out: Path,
    budget: Budget,
    seed: int = 0,
    options: Options | None = None,
) -> bool:
    """Train a classifier of everything that ``data`` labels and keep it in the folder ``out``.

    The same call on the same folder goes on where a killed run stood.  Returns true if the budget is used up,
    false if it was stopped.  Raises TrainingError if nobody validates, or as ``run_training`` does.
    """
    budget.check()
    unseen = data.required_validation
    torch.manual_seed(seed)
    size, vocabulary = data.train.faces.size, data.vocabulary
    network = ClassifierNetwork(size, vocabulary.size)
    mirrored = mirrored_places(data.train, vocabulary)
    batches = _Batches(data.train, data, recipe, mirrored, seed)
    validation = _Validation(_Batches(unseen, data, recipe, mirrored, seed))

    def backward(step: int) -> tuple[float, Measures]:
        pictures, vectors = batches(step)
        # Units are dropped by step as well, so that a training that was stopped goes on as it would have.
        torch.manual_seed(int(np.random.SeedSequence([seed, Stream.DROPOUT, step]).generate_state(1)[0]))
        network.zero_grad(set_to_none=True)
        loss = classification_loss(network(pictures), vectors, vocabulary.places)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), {"classified": loss.item()}

    def export(kept: ClassifierNetwork, counters: Counters, last: Entry | None) -> None:
        del counters, last
        temperatures = validation.temperatures(kept)
        out.mkdir(parents=True, exist_ok=True)
        Classifier(kept, vocabulary, data.mean, data.std, size, temperatures, mirrored).save(out)

    task = Task(
        network=network,
        phases=[Phase("classifier", list(network.parameters()), backward)],
        validate=validation,
        export=export,
        scales={},
        identity={
            "kind": "classifier",
            "recipe": asdict(recipe),
            "budget": asdict(budget),
            "seed": seed,
            "data": data.description,
        },
    )
    return run_training(task, recipe, out, budget, options or Options())


def classification_loss(logits: Tensor, vectors: Tensor, places: Mapping[str, slice]) -> Tensor:
    """Return the sum over attributes of the mean cross entropy of logits (B, A) and attribute vectors (B, A);
    rows whose part of an attribute is zeros do not count for it."""
    losses = []
    for place in places.values():
        wanted = vectors[:, place]
        known = wanted.sum(1) > 0
        if known.any():
            losses.append(
                functional.cross_entropy(logits[known, place], wanted[known], label_smoothing=_SMOOTHING)
            )
    return torch.stack(losses).sum()


@dataclass(frozen=True)
class _Batches:
    """Pictures (B, 1, S, S), standardised, and what they show (B, A), by seed and step."""

    faces: PairSet
    data: TrainingData
    recipe: Recipe
    mirrored: Ints | None
    seed: int

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        numbers = np.random.default_rng([self.seed, Stream.BATCH, step])
        return self.altered(numbers.integers(len(self.faces.faces), size=self.recipe.batch_size), step)

    def altered(self, rows: np.ndarray, step: int) -> tuple[Tensor, Tensor]:
        """Alter these faces (B,), by the numbers of a step."""
        rng = augmentation_numbers(self.seed, step)
        pictures = torch.from_numpy(self.faces.faces.crops[rows]).float()
        vectors = torch.from_numpy(self.faces.vectors[rows])
        if self.mirrored is not None:
            turned = torch.rand(len(rows), generator=rng) < 0.5
            pictures = mirror(pictures, turned)
            vectors = torch.where(turned[:, None], vectors[:, torch.from_numpy(self.mirrored)], vectors)
        if self.recipe.augmentation is not None:
            pictures = degrade(pictures, self.recipe.augmentation, rng)
        return ((pictures - self.data.mean) / self.data.std)[:, None], vectors


class _Validation:
    """How often each attribute is told rightly on altered pictures of unseen people, and how surely."""

    def __init__(self, batches: _Batches) -> None:
        rng = np.random.default_rng([batches.seed, Stream.VALIDATION])
        chosen = rng.permutation(len(batches.faces.faces))[:_VALIDATED]
        self._pictures, self._vectors = batches.altered(chosen, 0)
        self._places = batches.data.vocabulary.places

    @torch.no_grad()
    def __call__(self, network: ClassifierNetwork) -> Measures:
        logits = self._logits(network)
        found = {"classified": float(classification_loss(logits, self._vectors, self._places))}
        for name, place in self._places.items():
            known = self._vectors[:, place].sum(1) > 0
            if known.any():
                right = logits[known, place].argmax(1) == self._vectors[known, place].argmax(1)
                found[f"{name}_accuracy"] = float(right.float().mean())
        return found

    @torch.no_grad()
    def temperatures(self, network: ClassifierNetwork) -> dict[str, float]:
        """Find for each attribute what to divide its logits by, so that probabilities are the likeliest."""
        logits, found = self._logits(network), {}
        for name, place in self._places.items():
            known = self._vectors[:, place].sum(1) > 0
            wanted = self._vectors[known, place]
            losses = [
                float(functional.cross_entropy(logits[known, place] / value, wanted))
                for value in _TEMPERATURES
            ]
            found[name] = float(_TEMPERATURES[int(np.argmin(losses))]) if known.any() else 1.0
        return found

    def _logits(self, network: ClassifierNetwork) -> Tensor:
        network.eval()
        found = torch.cat([network(part) for part in torch.split(self._pictures, 256)])
        network.train()
        return found
