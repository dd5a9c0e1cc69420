"""How an appearance flow is trained: drawings by finished weights, and what they should have been.

Faces come twice as large as the weights draw them.  Of a pair, the source's clean version is the photograph,
its half the crop, and the target's clean version is what photograph and drawing shall make together; both
are exposed alike, and the crop is blurred and noisy as photographs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faces.errors import TrainingError
from faces.types import Floats, Ints
from generator.appearance_flow import AppearanceFlow, FlowNetwork, enlarge, move
from generator.attributes import Vocabulary
from generator.model import Generator
from generator.training.augmentation import augmentation_numbers, degrade, mirror, shared_changes
from generator.training.data import PairSet, Stream, TrainingData, drawn_as
from generator.training.recipes import Augmentation, Budget, Recipe
from generator.training.state import Counters, Entry
from generator.training.trainer import Measures, Options, Phase, Task, run_training

LARGER = 2  # sides of the faces that it learns from / side of a drawing
_MOVED, _SMOOTH = 0.3, 0.2  # weights beside the picture's error: of what is moved, and of a rough flow
_AS_THEY_ARE = 0.1  # share of pairs in which nothing shall change
_VALIDATED = 256  # pairs


def flow_recipe() -> Recipe:
    """Return the recipe: AdamW, a falling rate, the absolute error, and no crop misplaced."""
    return Recipe(
        name="appearance-flow",
        batch_size=64,
        optimiser="adamw",
        learning_rate=2e-3,
        weight_decay=1e-4,
        warmup=0.03,
        cosine=True,
        clip_norm=1.0,
        ema_decay=0.995,
        error="absolute",
        augmentation=Augmentation(
            gain=0.3, offset=25.0, gamma=0.4, shift=0.0, turn=0.0, zoom=0.0, blur=0.7, noise=6.0
        ),
    )


def train_flow(
    data: TrainingData,
    generators: Sequence[Generator],
    *,
    out: Path,
    budget: Budget,
    seed: int = 0,
    start: AppearanceFlow | None = None,
    options: Options | None = None,
) -> bool:
    """Train an appearance flow for the drawings of ``generators`` and keep it in the folder ``out``.

    Each pair is drawn by the first of them that knows what changes.  With ``start`` it begins as that one:
    pairs in which little moves are learned sooner than turned heads, and hold those up.  The same call on the
    same folder goes on where a killed run stood.  Returns true if the budget is used up, false if it was
    stopped.  Raises TrainingError if nobody validates, if the faces are not twice as large as the drawings or
    none of them can be drawn, or as ``run_training`` does.
    """
    budget.check()
    unseen = data.required_validation
    size = data.train.faces.size // LARGER
    for generator in generators:
        if generator.geometry.size != size:
            wanted = generator.geometry.size * LARGER
            raise TrainingError(f"{generator.name} needs faces of {wanted} pixels to learn from; use --size.")
    recipe = flow_recipe()
    torch.manual_seed(seed)
    network = FlowNetwork()
    if start is not None:
        network.load_state_dict(start.network.state_dict())
    batches = _Batches(data.train, data, generators, recipe, seed)
    validation = _Validation(_Batches(unseen, data, generators, recipe, seed), data.std)
    learned = tuple(generator.weights_id for generator in generators)

    def backward(step: int) -> tuple[float, Measures]:
        network.zero_grad(set_to_none=True)
        loss, measures = flow_loss(network, *batches(step))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), measures

    def export(kept: FlowNetwork, counters: Counters, last: Entry | None) -> None:
        del counters, last
        out.mkdir(parents=True, exist_ok=True)
        AppearanceFlow(kept, data.mean, data.std, size, learned).save(out)

    task = Task(
        network=network,
        phases=[Phase("appearance flow", list(network.parameters()), backward)],
        validate=validation,
        export=export,
        scales={"error": data.std, "auxiliary": data.std},
        identity={
            "kind": "appearance flow",
            "recipe": asdict(recipe),
            "budget": asdict(budget),
            "seed": seed,
            "data": data.description,
            "weights": list(learned),
            "start": None if start is None else start.digest,
        },
    )
    return run_training(task, recipe, out, budget, options or Options())


def flow_loss(
    network: FlowNetwork, photographs: Tensor, crops: Tensor, drawings: Tensor, targets: Tensor
) -> tuple[Tensor, Measures]:
    """Return the loss, a float32 scalar, and the mean absolute errors of picture and drawing alone.

    ``photographs`` and ``targets`` are (B, 1, 2 S, 2 S), ``crops`` and ``drawings`` (B, 1, S, S).  What is
    moved counts by itself as well where it is trusted, and so does the flow's total variation, lest places
    without features be torn.
    """
    flow, surely = network(crops, drawings)
    moved, share = move(photographs, flow, surely)
    drawn = enlarge(drawings, targets.shape[-1])
    error = (share * moved + (1 - share) * drawn - targets).abs().mean()
    trusted = ((moved - targets).abs() * share.detach()).mean()
    rough = flow.diff(dim=2).abs().mean() + flow.diff(dim=3).abs().mean()
    alone = (drawn - targets).abs().mean()
    loss = error + _MOVED * trusted + _SMOOTH * rough
    return loss, {"error": error.item(), "auxiliary": alone.item()}


class _Batches:
    """Photographs, crops, drawings and targets, standardised, by seed and step."""

    def __init__(
        self,
        faces: PairSet,
        data: TrainingData,
        generators: Sequence[Generator],
        recipe: Recipe,
        seed: int,
    ) -> None:
        if recipe.augmentation is None:
            raise ValueError("a flow is trained with altered pictures")
        self._pictures, self._mean, self._std = drawn_as(faces.faces), data.mean, data.std
        self._generators, self._settings = generators, recipe.augmentation
        self._seed, self._count = seed, recipe.batch_size
        wished = faces.vectors[faces.pairs[:, 1]]  # (P, A)
        changed = np.stack(
            [
                (wished[:, place] != faces.vectors[faces.pairs[:, 0], place]).any(1)
                for place in data.vocabulary.places.values()
            ],
            axis=1,
        )
        self._words = [_translation(data.vocabulary, generator.vocabulary) for generator in generators]
        able = np.stack([_can_draw(wished, changed, data.vocabulary, words) for words in self._words])
        drawn = able.any(0)
        if not drawn.any():
            names = ", ".join(generator.name for generator in generators)
            raise TrainingError(f"{names} can draw none of the changes between these faces.")
        self.pairs, self._drawer = faces.pairs[drawn], able.argmax(0)[drawn]
        self._vectors = faces.vectors

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return batch number ``step``, as ``flow_loss`` takes it."""
        rng = np.random.default_rng([self._seed, Stream.BATCH, step])
        rows = rng.integers(len(self.pairs), size=self._count)
        return self.of(rows, rng.random(self._count) < _AS_THEY_ARE, step)

    def of(self, rows: Ints, unchanged: np.ndarray, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return these pairs (B,), altered by the numbers of a step; of the ``unchanged`` the sources."""
        sources = self.pairs[rows, 0]
        targets = np.where(unchanged, sources, self.pairs[rows, 1])
        rng = augmentation_numbers(self._seed, step)
        pictures = [torch.from_numpy(self._pictures[places]).float() for places in (sources, targets)]
        wide, wanted = shared_changes(pictures, torch.arange(len(rows)), self._settings, rng)
        crops = degrade(functional.avg_pool2d(wide[:, None], LARGER)[:, 0], self._settings, rng)
        seen = crops.round().to(torch.uint8).numpy()
        drawings = np.empty_like(seen)
        for number, (generator, words) in enumerate(zip(self._generators, self._words, strict=True)):
            own = self._drawer[rows] == number
            wishes = self._vectors[targets[own]] @ words
            drawings[own] = generator.draw(seen[own], wishes.astype(np.float32)).stage2
        turned = torch.rand(len(rows), generator=rng) < 0.5
        parts = (mirror(one, turned) for one in (wide, crops, torch.from_numpy(drawings).float(), wanted))
        photographs, small, drawn, aims = (((part - self._mean) / self._std)[:, None] for part in parts)
        return photographs, small, drawn, aims


def _translation(known: Vocabulary, drawn: Vocabulary) -> Floats:
    """Give the matrix (A, A') that turns vectors of one vocabulary into those of another."""
    words, others = (
        [(group.name, value) for group in one.groups for value in group.values] for one in (known, drawn)
    )
    return np.array([[word == other for other in others] for word in words], np.float32)


def _can_draw(wished: Floats, changed: np.ndarray, known: Vocabulary, words: Floats) -> np.ndarray:
    """Tell (P,) of which pairs every attribute that changes, (P, G), has its target among the words."""
    told = np.stack([(wished[:, place] @ words[place]).any(1) for place in known.places.values()], axis=1)
    return np.asarray((told | ~changed).all(1))


class _Validation:
    """The errors on fixed pairs of unseen people, in grey levels."""

    def __init__(self, batches: _Batches, std: float) -> None:
        self._std = std
        rng = np.random.default_rng([0, Stream.VALIDATION])
        rows = rng.permutation(len(batches.pairs))[:_VALIDATED]
        self._pictures = batches.of(rows, np.zeros(len(rows), np.bool_), 0)

    @torch.no_grad()
    def __call__(self, network: FlowNetwork) -> Measures:
        _, measures = flow_loss(network, *self._pictures)
        return {name: self._std * value for name, value in measures.items()}
