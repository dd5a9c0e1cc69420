"""What a training makes small."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

ErrorKind = Literal["squared", "absolute"]
ERROR_KINDS: tuple[ErrorKind, ...] = ("squared", "absolute")


def row_errors(drawn: Tensor, target: Tensor, kind: ErrorKind = "squared") -> Tensor:
    """(B,) float32: the mean error over the pixels of each of the pictures (B, 1, S, S).

    The absolute error is for what can be drawn in many ways, such as what a bar hides: the squared one asks
    for the mean of them all, which is blurred (Ghodrati et al. 2015, section 4.3).
    """
    difference = drawn.float() - target.float()
    return (difference.square() if kind == "squared" else difference.abs()).flatten(1).mean(1)


def grey_levels(std: float, kind: ErrorKind) -> float:
    """By what an error of standardised pictures must be multiplied to be in grey levels, or their squares."""
    return std**2 if kind == "squared" else std


def contrastive(
    queries: Tensor, positives: Tensor, same: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """InfoNCE (van den Oord et al. 2018, eq. 4) over cosines, and the share of queries that find their own.

    ``queries`` and ``positives`` are (B, D) L2-normalised; row i belongs to row i. ``same`` (B, B) bool marks
    rows that show the very same target: they are no negatives of each other and are left out.
    Returns the mean loss and the accuracy, both float32 scalars.
    """
    cosines = queries.float() @ positives.float().T  # (B, B)
    own = torch.arange(len(cosines), device=cosines.device)
    others = same.clone()
    others[own, own] = False
    logits = (cosines / temperature).masked_fill(others, float("-inf"))
    loss = functional.cross_entropy(logits, own)
    right = (logits.detach().argmax(1) == own).float().mean()
    return loss, right
