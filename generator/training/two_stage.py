"""How the two networks are trained: the loss, its gradient, the examination, and what is left behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter, functional

from facedata.pairs import numbered
from faces.crop import CropGeometry
from faces.errors import TrainingError
from faces.types import Floats, Ints
from generator.architecture import Architecture
from generator.attributes import Vocabulary
from generator.checkpoint import Checkpoint, save_checkpoint
from generator.config import ModelConfig
from generator.devices import autocast, pick_device, pick_precision
from generator.networks import TwoStage, collapsed, widened
from generator.quantised import activation_peaks
from generator.training.batches import Batch, BatchesAhead, BatchMaker
from generator.training.data import PairSet, Stream, TrainingData, drawn_as
from generator.training.recipes import Budget, ErrorKind, Recipe, check_recipe
from generator.training.state import Counters, Entry
from generator.training.trainer import Measures, Options, Phase, Task, run_training

_ERRORS: dict[ErrorKind, str] = {
    "squared": "mean squared error per pixel, squared grey levels (0-255)",
    "absolute": "mean absolute error per pixel, grey levels (0-255)",
}
_PART = 32  # pictures that one thread passes forward and backward at a time, on a processor
_PAIRS, _QUERIES = 512, 300  # of people unseen
_GALLERY, _EACH = 280, 14  # faces in all and of a person: two lights of the paper's seven poses
_CHUNK = 128
_TRIED = 48  # faces whose values are told apart where there are many attributes
_MAPS = 7  # that an attribute becomes (Ghodrati et al. 2015, 3.2)
_OF_MAPS = ("stage1.attribute2.weight", "stage1.attribute2.bias", "stage1.fuse1.weight")
_WATCHED = 32  # faces by which the largest outputs of the layers are found

Drawn = tuple[Tensor, Tensor | None, Tensor | None]  # both stages' pictures and features, as far as needed


def train(
    data: TrainingData,
    recipe: Recipe,
    *,
    out: Path,
    budget: Budget,
    seed: int = 0,
    start: Checkpoint | None = None,
    options: Options | None = None,
) -> bool:
    """Train both networks and keep them as a checkpoint in the folder ``out``.

    The same call on the same folder goes on where a killed run stood; a finished training is left as it is.
    With ``start`` the networks begin as that checkpoint's, as far as it knows the values (``_begin_as``).
    Returns true if the budget is used up, false if it was stopped.
    Raises TrainingError if recipe, budget or folder do not fit, or if the loss is no longer a number.
    """
    check_recipe(recipe)
    budget.check()
    options = options or Options()
    size = data.train.faces.size
    geometry = CropGeometry(size=size)
    device = pick_device()
    dtype = pick_precision(options.precision, device)
    torch.manual_seed(seed)
    # The paper's seven maps for each attribute: in seven for all five of them, only the pose was heard.
    maps = _MAPS * len(data.vocabulary.groups)
    network = TwoStage(Architecture(size=size, attribute_size=data.vocabulary.size, attribute_maps=maps))
    if start is not None:
        _begin_as(network, start, data)
    for parameter in network.to(device).parameters():
        if parameter.ndim == 4:  # convolutions are fastest with weights in this order
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    batches = BatchesAhead(BatchMaker(data.train, data, recipe, seed, device))
    scale = grey_levels(data.std, recipe.error)
    validation = Validation(data, recipe, seed, device, dtype) if data.validation else None

    def export(network: TwoStage, counters: Counters, last: Entry | None) -> None:
        if len(data.vocabulary.groups) > 1:
            network = collapsed(network)
        metrics: dict[str, object] = {
            "pairs_seen": counters.pairs,
            "minutes": round(counters.seconds / 60, 1),
        }
        if last is not None and last.validation:
            metrics |= {"measured_after_pairs": last.pairs, "error": _ERRORS[last.error]}
            metrics |= {f"unseen_people_{name}": round(value, 4) for name, value in last.validation.items()}
        config = ModelConfig(
            architecture=network.architecture,
            geometry=geometry,
            mean=data.mean,
            std=data.std,
            vocabulary=data.vocabulary,
            preset=recipe.name,
            data={**data.description, "seed": seed},
            metrics=metrics,
        )
        faces = data.train.faces.crops
        config = replace(
            config, peaks=activation_peaks(network, config, faces[:: -(-len(faces) // _WATCHED)])
        )
        save_checkpoint(out, network, config)

    threads = options.threads or os.cpu_count() or 1
    with (
        closing(batches),
        closing(GradientMaker(recipe, threads=threads, device=device, dtype=dtype)) as gradients,
    ):

        def trained(phase: DrawingPhase) -> Phase:
            return Phase(phase.name, phase.parameters, lambda step: gradients(phase, batches(step)))

        task = Task(
            network=network,
            phases=[trained(phase) for phase in drawing_phases(network, recipe)],
            validate=validation or (lambda network: {}),
            export=export,
            scales={"stage1": scale, "stage2": scale},
            identity={
                "attribute": ", ".join(group.name for group in data.vocabulary.groups),
                "recipe": asdict(recipe),
                "budget": asdict(budget),
                "seed": seed,
                "geometry": asdict(geometry),
                "start": start.weights_id if start else None,
                "data": data.description,
            },
        )
        return run_training(task, recipe, out, budget, options)


def _begin_as(network: TwoStage, start: Checkpoint, data: TrainingData) -> None:
    """Give the network the weights of ``start``.

    Values that ``start`` knows as well keep their part in encoding a wish, and the others begin at random,
    each as large as those: from nothing they would grow so slowly that 58,000 pairs did not make them heard.
    If it knows none of them, all that encodes a wish begins at random.  So do maps that it does not have.
    """
    new = network.architecture
    sizes = replace(
        start.network.architecture,
        attribute_size=new.attribute_size,
        attribute_hidden=new.attribute_hidden,
        attribute_maps=new.attribute_maps,
    )
    hidden = start.network.architecture.attribute_hidden
    if sizes != new or hidden > new.attribute_hidden:
        raise TrainingError(f"{start.folder} has networks of other sizes; start without it.")
    weights = widened(start.network.state_dict(), new.attribute_hidden)
    fresh = network.state_dict()
    for name in _OF_MAPS:
        shared = tuple(map(slice, np.minimum(weights[name].shape, fresh[name].shape)))
        fresh[name][shared] = weights[name][shared]
        weights[name] = fresh[name]
    if start.config.vocabulary != data.vocabulary:
        own, first = network.state_dict(), "stage1.attribute1.weight"
        known = {word: place for place, word in enumerate(_words(start.config.vocabulary))}
        places = [known.get(word, -1) for word in _words(data.vocabulary)]
        if max(places) >= 0:
            kept = torch.tensor(places) >= 0
            columns = torch.where(kept, weights[first][:, places], torch.randn_like(own[first]))
            own = {first: columns * torch.where(kept, 1.0, weights[first].std())}
        weights |= {name: own[name] for name in own if name.startswith("stage1.attribute")}
    network.load_state_dict(weights)


def _words(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """What each place of an attribute vector stands for."""
    return [(group.name, value) for group in vocabulary.groups for value in group.values]


def row_errors(drawn: Tensor, target: Tensor, kind: ErrorKind = "squared") -> Tensor:
    """Return (B,) float32: the mean error over the pixels of each of the pictures (B, 1, S, S).

    The absolute error is for what can be drawn in many ways, such as what a bar hides: the squared one asks
    for the mean of them all, which is blurred (Ghodrati et al. 2015, section 4.3).
    """
    difference = drawn.float() - target.float()
    return (difference.square() if kind == "squared" else difference.abs()).flatten(1).mean(1)


def grey_levels(std: float, kind: ErrorKind) -> float:
    """Return what to multiply an error of standardised pictures by, to have grey levels or their squares."""
    return std**2 if kind == "squared" else std


def contrastive(
    queries: Tensor, positives: Tensor, same: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return InfoNCE (van den Oord et al. 2018, eq. 4) over cosines, and the share of queries that find their
    own positive: float32 scalars.

    ``queries`` and ``positives`` are (B, D) L2-normalised; row i belongs to row i. ``same`` (B, B) bool marks
    rows that show the very same target: they are no negatives of each other and are left out.
    """
    cosines = queries.float() @ positives.float().T  # (B, B)
    own = torch.arange(len(cosines), device=cosines.device)
    others = same.clone()
    others[own, own] = False
    logits = (cosines / temperature).masked_fill(others, float("-inf"))
    right = (logits.detach().argmax(1) == own).float().mean()
    return functional.cross_entropy(logits, own), right


@dataclass(frozen=True)
class DrawingPhase:
    """``draw`` pictures (B, 1, S, S) with wishes (B, A); ``parameters`` are what is trained."""

    name: str
    parameters: list[Parameter]
    draw: Callable[[Tensor, Tensor], Drawn]


def drawing_phases(network: TwoStage, recipe: Recipe) -> list[DrawingPhase]:
    """Return the phases that a recipe passes through, one after the other."""

    def first(pictures: Tensor, wish: Tensor) -> Drawn:
        return network.stage1(pictures, wish), None, None

    def second(pictures: Tensor, wish: Tensor) -> Drawn:
        with torch.no_grad():
            draft = network.stage1(pictures, wish)
        return draft, network.stage2(pictures, draft)[0], None

    if recipe.joint:
        return [DrawingPhase("both stages", list(network.parameters()), network)]
    return [
        DrawingPhase("stage 1", list(network.stage1.parameters()), first),
        DrawingPhase("stage 2", list(network.stage2.parameters()), second),
    ]


class GradientMaker:
    """Computes gradients; keep one for a whole training, and close it.

    Every part of a batch is passed forward and backward by one thread.  Parts of 32 to 64 pictures are a
    third faster than a batch of 256 in one piece, and keep their pace while other programs use the machine.
    """

    def __init__(self, recipe: Recipe, *, threads: int, device: torch.device, dtype: torch.dtype) -> None:
        self._recipe, self._device, self._dtype = recipe, device, dtype
        self._workers = threads if device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def __call__(self, phase: DrawingPhase, batch: Batch) -> tuple[float, Measures]:
        """Set ``grad`` of the phase's parameters; return the loss and what was measured on the way.

        The loss is the mean over the batch of both stages' errors, of the reconstructions and the contrastive
        term, each by its weight.  ``stage1`` and ``stage2`` are mean errors in standardised units.
        """
        recipe, count = self._recipe, len(batch.source)
        parts = self._parts(batch)
        passed = list(self._pool.map(partial(self._forward, phase), parts))
        losses, features, errors = zip(*passed, strict=True)
        loss = float(sum(part.item() for part in losses))
        measures = {
            name: float(torch.cat([part[name] for part in errors])[:count].mean()) for name in errors[0]
        }
        pulls: list[Tensor | None] = [None] * len(parts)
        if recipe.contrastive_weight:
            found = torch.cat([part.detach().float() for part in features]).requires_grad_()
            contrast, right = contrastive(found[:count], found[count:], batch.same, recipe.temperature)
            (pull,) = torch.autograd.grad(recipe.contrastive_weight * contrast, found)
            pulls = list(torch.split(pull, [len(part) for part in features]))
            loss += recipe.contrastive_weight * contrast.item()
            measures |= {"contrast": contrast.item(), "contrast_accuracy": right.item()}
        gradients = self._pool.map(_backward, repeat(phase.parameters), losses, features, pulls)
        total: list[Tensor] = next(gradients)
        for gradient in gradients:  # in order, so that the sum is the same whichever thread was first
            torch._foreach_add_(total, gradient)
        for parameter, value in zip(phase.parameters, total, strict=True):
            parameter.grad = value
        return loss, measures

    def _parts(self, batch: Batch) -> list[tuple[Tensor, ...]]:
        """Sources (and positives): what is shown, wished and wanted, and the weights (b,) of the errors."""
        count, recipe = len(batch.source), self._recipe
        weight = torch.full((count,), 1.0 / count, device=self._device)
        shown, wish, target = batch.source, batch.wish, batch.target
        if recipe.reconstruction_weight > 0 or recipe.contrastive_weight > 0:
            shown, wish = torch.cat([shown, batch.positive_shown]), torch.cat([wish, batch.own])
            target = torch.cat([target, batch.positive])
            weight = torch.cat([weight, recipe.reconstruction_weight * weight])
        size = len(shown)
        if self._device.type == "cpu":
            size = min(_PART, -(-size // self._workers))
        columns = [torch.split(column, size) for column in (shown, wish, target, weight)]
        return list(zip(*columns, strict=True))

    def _forward(
        self, phase: DrawingPhase, part: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        """Loss with gradient, features with gradient and, by stage, errors (b,) without."""
        shown, wish, target, weight = part
        with autocast(self._device, self._dtype):
            stage1, stage2, features = phase.draw(shown, wish)
        errors: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self._device)
        for name, picture in (("stage1", stage1), ("stage2", stage2)):
            if picture is None:
                continue
            mean = row_errors(picture, target, self._recipe.error)
            errors[name] = mean.detach()
            if picture.requires_grad:
                scale = float(target[0].numel()) if self._recipe.summed_error else 1.0
                loss = loss + scale * (weight * mean).sum()
        return loss, features, errors


def _backward(
    parameters: list[Parameter], loss: Tensor, features: Tensor | None, pull: Tensor | None
) -> list[Tensor]:
    """Return the gradients of a part's loss, and of its features if the contrastive term pulls at them."""
    outputs, sensitivities = [loss], [torch.ones_like(loss)]
    if pull is not None and features is not None:
        outputs.append(features)
        sensitivities.append(pull.to(features.dtype))
    return list(torch.autograd.grad(outputs, parameters, sensitivities))


class Validation:
    """A fixed, seeded examination: errors on pairs, contrast on batches, recall@1 on a small gallery, and how
    often the right value of an attribute draws a face best.

    With one attribute the gallery is canonicalised as real ones are; with several its values are told.
    """

    def __init__(
        self, data: TrainingData, recipe: Recipe, seed: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        faces = data.required_validation
        self._faces, self._data, self._recipe = faces, data, recipe
        self._device, self._dtype = device, dtype
        rng = np.random.default_rng([seed, Stream.VALIDATION])
        self._pairs = faces.pairs[rng.permutation(len(faces.pairs))[:_PAIRS]]
        self._gallery = _gallery_rows(faces, rng)
        candidates = faces.pairs[np.isin(faces.pairs[:, 1], self._gallery)]
        self._queries = candidates[rng.permutation(len(candidates))[:_QUERIES]]
        wanted = recipe.people_per_batch or 8
        each = max(1, (recipe.batch_size if recipe.people_per_batch else 64) // wanted)
        people = min(wanted, faces.people)
        plain = replace(recipe, batch_size=people * each, people_per_batch=people, augmentation=None)
        self._contrast = BatchMaker(faces, data, plain, seed, device)
        self._tried = [self._gallery]  # by attribute
        if len(data.vocabulary.groups) > 1:
            mixed = rng.permutation(self._gallery)
            self._tried = [mixed[column[mixed] >= 0][:_TRIED] for column in faces.values.T]

    @torch.no_grad()
    def __call__(self, network: TwoStage) -> Measures:
        """Return the figures named in ``state.Entry``."""
        network.eval()
        try:
            return {**self._errors(network), **self._contrast_accuracy(network), **self._retrieval(network)}
        finally:
            network.train()

    def _errors(self, network: TwoStage) -> Measures:
        sums = np.zeros(2)
        for rows in np.array_split(self._pairs, max(1, len(self._pairs) // _CHUNK)):
            target = self._standardised(drawn_as(self._faces.faces)[rows[:, 1]])
            drawn = self._drawn(network, rows)[:2]
            sums += [float(row_errors(one, target, self._recipe.error).sum()) for one in drawn]
        stage1, stage2 = sums / len(self._pairs) * grey_levels(self._data.std, self._recipe.error)
        return {"stage1": float(stage1), "stage2": float(stage2)}

    def _contrast_accuracy(self, network: TwoStage) -> Measures:
        loss, right = 0.0, 0.0
        for step in range(2):
            batch = self._contrast(step)
            with autocast(self._device, self._dtype):
                queries = network(batch.source, batch.wish)[2]
                positives = network(batch.positive_shown, batch.own)[2]
            part, share = contrastive(queries, positives, batch.same, self._recipe.temperature)
            loss, right = loss + float(part) / 2, right + float(share) / 2
        return {"contrast": loss, "contrast_accuracy": right}

    def _retrieval(self, network: TwoStage) -> Measures:
        rows, queries, groups = self._gallery, self._queries, self._data.vocabulary.groups
        right: Measures = {}
        features: Tensor | None = None
        for place, (group, tried) in enumerate(zip(groups, self._tried, strict=True)):
            if len(group.values) > 1 and len(tried):  # a single value is never named wrongly
                features, named = self._canonicalised(network, tried, place)
                right[f"{group.name}_accuracy"] = float((named == self._faces.values[tried, place]).mean())
        found = {"value_accuracy": sum(right.values()) / len(right)} if right else {}
        if len(groups) > 1:
            found |= right
        if not len(queries):
            return found
        if features is None or len(groups) > 1:
            parts = np.array_split(rows, max(1, len(rows) // _CHUNK))
            features = torch.cat([self._drawn(network, np.stack([part] * 2, 1))[2] for part in parts])
        parts = np.array_split(queries, max(1, len(queries) // _CHUNK))
        asked = torch.cat([self._drawn(network, part)[2].float() for part in parts])
        first = rows[(asked @ features.T).argmax(1).cpu().numpy()]
        wanted = queries[:, 1]
        persons, values = self._faces.faces.persons, self._faces.values
        hit = (persons[first] == persons[wanted]) & (values[first] == values[wanted]).all(1)
        return {"recall1": float(hit.mean()), "recall1_exact": float((first == wanted).mean()), **found}

    def _canonicalised(self, network: TwoStage, rows: Ints, group: int) -> tuple[Tensor, Ints]:
        """Try all values of one attribute: features (N, D) of the closest drawings, and their values (N,)."""
        kept, named = [], []
        place = list(self._data.vocabulary.places.values())[group]
        values = place.stop - place.start
        for part in np.array_split(rows, max(1, len(rows) * values // (2 * _CHUNK))):
            pictures = self._standardised(self._faces.faces.crops[part]).repeat_interleave(values, 0)
            wishes = self._faces.vectors[part].repeat(values, 0)
            wishes[:, place] = np.tile(np.eye(values, dtype=np.float32), (len(part), 1))
            _, drawn, features = self._run(network, pictures, wishes)
            best = (drawn - pictures).square().flatten(1).sum(1).view(-1, values).argmin(1)
            places = torch.arange(len(part), device=best.device) * values + best
            kept.append(features[places].float())
            named.append(best.cpu().numpy())
        return torch.cat(kept), np.concatenate(named)

    def _drawn(self, network: TwoStage, pairs: Ints) -> tuple[Tensor, Tensor, Tensor]:
        """What the network draws of the sources of pairs (P, 2) for their targets' values, and features."""
        sources = self._standardised(self._faces.faces.crops[pairs[:, 0]])
        return self._run(network, sources, self._faces.vectors[pairs[:, 1]])

    def _run(self, network: TwoStage, pictures: Tensor, wishes: Floats) -> tuple[Tensor, Tensor, Tensor]:
        with autocast(self._device, self._dtype):
            draft, drawn, features = network(pictures, torch.from_numpy(wishes).to(self._device))
        return draft.float(), drawn.float(), features

    def _standardised(self, crops: np.ndarray) -> Tensor:
        pictures = torch.from_numpy(crops).float()
        return ((pictures - self._data.mean) / self._data.std)[:, None].to(self._device)


def _gallery_rows(faces: PairSet, rng: np.random.Generator) -> Ints:
    """Rows of a small gallery: of each person in turn, a few groups (the wished values under one light)."""
    group = numbered(faces.faces.persons, faces.faces.scenes, faces.settings)
    wished = np.isin(np.arange(len(faces.faces)), faces.pairs[:, 1])
    many = faces.values.shape[1] > 1
    rows: list[Ints] = []
    taken: Counter[str] = Counter()
    for number in rng.permutation(int(group.max()) + 1):
        members = np.flatnonzero((group == number) & wished)
        person = str(faces.faces.persons[members[0]]) if len(members) else ""
        if not len(members) or taken[person] >= _EACH:
            continue
        if many:
            members = rng.permutation(members)[: _EACH - taken[person]]
        taken[person] += len(members)
        rows.append(members)
        if taken.total() >= _GALLERY:
            break
    return np.sort(np.concatenate(rows))
