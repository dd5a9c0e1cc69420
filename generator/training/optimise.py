"""Optimiser, learning rate and the moving average of the weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import Parameter

from generator.training.recipes import Recipe


def make_optimiser(parameters: list[Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """SGD or AdamW as the recipe says; biases are not decayed."""
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def learning_rate(recipe: Recipe, fraction: float) -> float:
    """The rate after ``fraction`` (0..1) of the phase's budget: linear warm-up, then half a cosine."""
    if recipe.warm_up and fraction < recipe.warm_up:
        return recipe.rate * max(fraction / recipe.warm_up, 0.01)
    if not recipe.cosine:
        return recipe.rate
    rest = (fraction - recipe.warm_up) / (1 - recipe.warm_up)
    return recipe.rate * max(0.5 * (1 + math.cos(math.pi * rest)), 0.002)


def average_decay(recipe: Recipe, step: int) -> float:
    """The decay of the average at a step: low at first, so that the random start is soon forgotten."""
    return min(recipe.average, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """``average`` := decay · average + (1 - decay) · network, parameter by parameter."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
