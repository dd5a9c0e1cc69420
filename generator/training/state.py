"""The state of a training on disk: one safetensors file, replaced atomically, no pickle.

Tensors are named ``network.*``, ``average.*`` and ``optimiser.<number>.*``; counters stand as JSON in the
file's own metadata, so that tensors and counters can never be of different moments.  No state of a random
generator is needed: a batch is a function of seed and step (see ``batches``).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from faces.errors import TrainingError
from generator.tensorfile import read_metadata, read_tensors

STATE_FILE = "state.safetensors"
_FORMAT = 1


@dataclass
class Counters:
    """How far a training is."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0
    """Of training, over all resumptions."""
    phase: int = 0
    validated_at: float = 0.0
    """Share of the budget at the last validation."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the measures since the last line of history, and under ``steps`` over how many steps."""


def save_state(
    folder: Path,
    *,
    identity: dict[str, object],
    counters: Counters,
    network: nn.Module,
    average: nn.Module | None,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write the whole state; a kill at any moment leaves the old one or the new one."""
    tensors = _named("network", network)
    if average is not None:
        tensors |= _named("average", average)
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{number}.{name}"] = value.detach().cpu().contiguous()
    metadata = {
        "format": str(_FORMAT),
        "identity": json.dumps(identity, sort_keys=True),
        "counters": json.dumps(asdict(counters)),
    }
    partial = folder / (STATE_FILE + ".partial")
    save_file(tensors, partial, metadata=metadata)
    replace_durably(partial, folder / STATE_FILE)


def read_counters(folder: Path) -> tuple[Counters, dict[str, object]] | None:
    """Counters and identity of the state in a folder, or None where there is none.

    Raises TrainingError where the file is damaged.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        metadata = read_metadata(path)
        if metadata.get("format") != str(_FORMAT):
            raise ValueError("unknown format")
        stored_counters = json.loads(metadata["counters"])
        known = {one.name: stored_counters[one.name] for one in fields(Counters)}
        return Counters(**known), json.loads(metadata["identity"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None


def load_tensors(
    folder: Path, *, network: nn.Module, average: nn.Module | None, optimiser: torch.optim.Optimizer
) -> None:
    """Put the stored weights, average and optimiser state where they belong.

    Raises TrainingError where the file does not fit.
    """
    path = folder / STATE_FILE
    try:
        _, tensors = read_tensors(path)
        network.load_state_dict(_under("network", tensors))
        if average is not None:
            average.load_state_dict(_under("average", tensors))
        remembered: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimiser", tensors).items():
            number, _, key = name.partition(".")
            if value.ndim == 4:  # as the weights lie
                value = value.contiguous(memory_format=torch.channels_last)
            remembered.setdefault(int(number), {})[key] = value
        blank = optimiser.state_dict()
        optimiser.load_state_dict({"state": remembered, "param_groups": blank["param_groups"]})
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise _damaged(path, error) from None


def replace_durably(partial: Path, final: Path) -> None:
    """Move a finished file into place so that not even a power cut leaves half of it."""
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    partial.replace(final)


def _named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {
        f"{prefix}.{name}": value.detach().cpu().contiguous() for name, value in module.state_dict().items()
    }


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix + "."): value
        for name, value in tensors.items()
        if name.startswith(prefix + ".")
    }


def _damaged(path: Path, error: Exception) -> TrainingError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TrainingError(f"{path} cannot be gone on from ({reason}); delete the folder to start again.")
