"""What a training of the two networks makes small, and the gradient of it for one batch.

Every part of a batch is passed forward and backward by one thread.  Measured on two cores: parts of 32 to 64
pictures are a third faster than a batch of 256 in one piece, and threads that each work on parts keep their
pace while other programs use the machine, but threads that share every single operation wait for the slowest.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter, functional

from generator.devices import autocast
from generator.networks import TwoStage
from generator.training.batches import Batch
from generator.training.recipes import ErrorKind, Recipe

_PART = 32  # pictures, on a processor


def row_errors(drawn: Tensor, target: Tensor, kind: ErrorKind = "squared") -> Tensor:
    """Return (B,) float32: the mean error over the pixels of each of the pictures (B, 1, S, S).

    The absolute error is for what can be drawn in many ways, such as what a bar hides: the squared one asks
    for the mean of them all, which is blurred (Ghodrati et al. 2015, section 4.3).
    """
    difference = drawn.float() - target.float()
    return (difference.square() if kind == "squared" else difference.abs()).flatten(1).mean(1)


def grey_levels(std: float, kind: ErrorKind) -> float:
    """Return by what to multiply an error of standardised pictures to have it in grey levels, or in their
    squares."""
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
    loss = functional.cross_entropy(logits, own)
    right = (logits.detach().argmax(1) == own).float().mean()
    return loss, right


@dataclass(frozen=True)
class Drawn:
    """What a phase makes of (B, 1, S, S) pictures: each stage's drawing, like them, and (B, D) features.

    Drawings that the phase trains carry a gradient; what it does not need it leaves out.
    """

    stage1: Tensor
    stage2: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True)
class DrawingPhase:
    """``draw`` pictures (B, 1, S, S) with wishes (B, V); ``parameters`` are what is trained."""

    name: str
    parameters: list[Parameter]
    draw: Callable[[Tensor, Tensor], Drawn]


def drawing_phases(network: TwoStage, recipe: Recipe) -> list[DrawingPhase]:
    """Return the phases that a recipe passes through, one after the other."""

    def both(pictures: Tensor, wish: Tensor) -> Drawn:
        return Drawn(*network(pictures, wish))

    def first(pictures: Tensor, wish: Tensor) -> Drawn:
        return Drawn(network.stage1(pictures, wish))

    def second(pictures: Tensor, wish: Tensor) -> Drawn:
        with torch.no_grad():
            draft = network.stage1(pictures, wish)
        return Drawn(draft, network.stage2(pictures, draft)[0])

    if recipe.joint:
        return [DrawingPhase("both stages", list(network.parameters()), both)]
    return [
        DrawingPhase("stage 1", list(network.stage1.parameters()), first),
        DrawingPhase("stage 2", list(network.stage2.parameters()), second),
    ]


@dataclass(frozen=True)
class _Part:
    """Rows of the batch: what is shown, wished and wanted, and the weights (b,) of the errors."""

    shown: Tensor
    wish: Tensor
    target: Tensor
    weight: Tensor


@dataclass(frozen=True)
class _Passed:
    """A part after its way forward: loss with gradient, features with gradient, errors (b,) without."""

    loss: Tensor
    features: Tensor | None
    errors: dict[str, Tensor]


class GradientMaker:
    """Computes gradients; keep one for a whole training, and close it."""

    def __init__(self, recipe: Recipe, *, threads: int, device: torch.device, dtype: torch.dtype) -> None:
        self._recipe, self._device, self._dtype = recipe, device, dtype
        self._workers = threads if device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def __call__(self, phase: DrawingPhase, batch: Batch) -> tuple[float, dict[str, float]]:
        """Set ``grad`` of the phase's parameters; return the loss and what was measured on the way.

        The loss is the mean over the batch of both stages' errors, of the reconstructions and the contrastive
        term, each by its weight.  Measured are ``stage1`` and ``stage2``, mean errors of the recipe's kind in
        standardised units, and ``contrast`` and ``contrast_accuracy``.
        """
        recipe, count = self._recipe, len(batch.source)
        parts = self._parts(batch)
        passed = list(self._pool.map(lambda part: self._forward(phase, part), parts))
        loss = float(sum(part.loss.item() for part in passed))
        measures = {
            name: float(torch.cat([part.errors[name] for part in passed])[:count].mean())
            for name in passed[0].errors
        }
        pulls: list[Tensor | None] = [None] * len(passed)
        if recipe.contrastive_weight:
            features = torch.cat([_features(part).detach() for part in passed]).requires_grad_()
            contrast, right = contrastive(features[:count], features[count:], batch.same, recipe.temperature)
            (pull,) = torch.autograd.grad(recipe.contrastive_weight * contrast, features)
            pulls = list(torch.split(pull, [len(part.shown) for part in parts]))
            loss += recipe.contrastive_weight * contrast.item()
            measures |= {"contrast": contrast.item(), "contrast_accuracy": right.item()}
        gradients = self._pool.map(lambda work: _backward(phase, *work), zip(passed, pulls, strict=True))
        total: list[Tensor] = []
        for gradient in gradients:  # in order, so that the sum is the same whichever thread was first
            if total:
                torch._foreach_add_(total, gradient)
            else:
                total = gradient
        for parameter, value in zip(phase.parameters, total, strict=True):
            parameter.grad = value
        return loss, measures

    def _parts(self, batch: Batch) -> list[_Part]:
        """Sources, then, if the recipe needs them, positives as sources of themselves; the target's value is
        wished for."""
        count, recipe = len(batch.source), self._recipe
        weight = torch.full((count,), 1.0 / count, device=self._device)
        shown, wish, target = batch.source, batch.wish, batch.target
        if recipe.reconstruction_weight > 0 or recipe.contrastive_weight > 0:
            shown, wish = torch.cat([shown, batch.positive_shown]), torch.cat([wish, wish])
            target = torch.cat([target, batch.positive])
            weight = torch.cat([weight, recipe.reconstruction_weight * weight])
        size = len(shown)
        if self._device.type == "cpu":
            size = min(_PART, -(-size // self._workers))
        columns = [torch.split(column, size) for column in (shown, wish, target, weight)]
        return [_Part(*column) for column in zip(*columns, strict=True)]

    def _forward(self, phase: DrawingPhase, part: _Part) -> _Passed:
        with autocast(self._device, self._dtype):
            drawn = phase.draw(part.shown, part.wish)
        errors: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self._device)
        for name, picture in (("stage1", drawn.stage1), ("stage2", drawn.stage2)):
            if picture is None:
                continue
            mean = row_errors(picture, part.target, self._recipe.error)
            errors[name] = mean.detach()
            if picture.requires_grad:
                scale = float(part.target[0].numel()) if self._recipe.summed_error else 1.0
                loss = loss + scale * (part.weight * mean).sum()
        return _Passed(loss, drawn.features, errors)


def _features(part: _Passed) -> Tensor:
    if part.features is None:
        raise ValueError("this phase has no features to contrast")
    return part.features.float()


def _backward(phase: DrawingPhase, part: _Passed, pull: Tensor | None) -> list[Tensor]:
    """Return the gradients of a part's loss, and of its features if the contrastive term pulls at them."""
    outputs, sensitivities = [part.loss], [torch.ones_like(part.loss)]
    if pull is not None and part.features is not None:
        outputs.append(part.features)
        sensitivities.append(pull.to(part.features.dtype))
    return list(torch.autograd.grad(outputs, phase.parameters, sensitivities))
