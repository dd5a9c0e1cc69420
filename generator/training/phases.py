"""The phases that a recipe passes through, one after the other: what is drawn, and what of it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from generator.networks import TwoStage
from generator.training.recipes import Recipe


@dataclass(frozen=True)
class Drawn:
    """What a phase makes of (B, 1, S, S) pictures: each stage's drawing, like them, and (B, D) features.

    Drawings that the phase trains carry a gradient; what it does not need it leaves out.
    """

    stage1: Tensor
    stage2: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True)
class Phase:
    """``draw`` pictures (B, 1, S, S) with wishes (B, V); ``parameters`` are what is trained."""

    name: str
    parameters: list[Parameter]
    draw: Callable[[Tensor, Tensor], Drawn]


def phases(network: TwoStage, recipe: Recipe) -> list[Phase]:
    """The phases of a recipe, each with an equal part of the budget."""

    def both(pictures: Tensor, wish: Tensor) -> Drawn:
        return Drawn(*network(pictures, wish))

    def first(pictures: Tensor, wish: Tensor) -> Drawn:
        return Drawn(network.stage1(pictures, wish))

    def second(pictures: Tensor, wish: Tensor) -> Drawn:
        with torch.no_grad():
            draft = network.stage1(pictures, wish)
        return Drawn(draft, network.stage2(pictures, draft)[0])

    if recipe.together:
        return [Phase("both stages", list(network.parameters()), both)]
    return [
        Phase("stage 1", list(network.stage1.parameters()), first),
        Phase("stage 2", list(network.stage2.parameters()), second),
    ]
