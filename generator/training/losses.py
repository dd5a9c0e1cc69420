"""What a training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def row_errors(drawn: Tensor, target: Tensor) -> Tensor:
    """(B,) float32: the mean squared error over the pixels of each of the pictures (B, 1, S, S)."""
    return (drawn.float() - target.float()).square().flatten(1).mean(1)


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
