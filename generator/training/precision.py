"""In which numbers the convolutions are computed."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from faces.errors import TrainingError
from generator.devices import multiplies_bfloat16

CHOICES = ("auto", "float32", "bfloat16")


def pick_precision(choice: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it (there it is about three times as fast), else float32.

    Raises TrainingError for a choice that is none of ``CHOICES``.
    """
    if choice not in CHOICES:
        raise TrainingError(f"There is no precision {choice!r}; choose one of: {', '.join(CHOICES)}.")
    if choice != "auto":
        return torch.bfloat16 if choice == "bfloat16" else torch.float32
    return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Runs the enclosed network in ``dtype``; weights, losses and the optimiser stay float32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)
