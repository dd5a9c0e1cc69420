"""What a training keeps in its folder: its state to go on from, its history, and a picture of that.

The state is one safetensors file, replaced atomically.  Tensors are named ``network.*``, ``ema.*`` and
``optimiser.<number>.*``; counters stand as JSON in the file's own metadata, so that both are of one moment.
"""

from __future__ import annotations

import io
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from faces.claims import claimed as claimed_folder
from faces.errors import TrainingError
from faces.files import write_durably
from generator.available import first_line, read_metadata
from generator.checkpoint import read_tensors
from generator.training.recipes import ErrorKind

IDENTITY_FILE, STATE_FILE = "training.json", "state.safetensors"
HISTORY_FILE, CURVES_FILE = "history.jsonl", "curves.png"
_FORMAT = 2
_PAPER_STAGE2 = 369.16  # Ghodrati et al. (2015), Table 1
_ERRORS = {
    "stage1": ("stage 1", "tab:orange"),
    "stage2": ("stage 2", "tab:blue"),
    "error": ("drawings", "tab:blue"),
    "auxiliary": ("inputs made anew", "tab:orange"),
}
_SHARES = {
    "recall1": "recall@1, person and value",
    "recall1_exact": "recall@1, the very picture",
    "contrast_accuracy": "contrast, unseen people",
    "value_accuracy": "canonicalised value right",
    "pose_right": "pose right",
}


def claimed(out: Path, identity: dict[str, object]) -> AbstractContextManager[None]:
    """Make ``out`` this training's folder and keep other processes from training in it meanwhile.

    Raises TrainingError if it is another training's, holds other things or is in use.
    """
    return claimed_folder(out, identity, file=IDENTITY_FILE, what="training", error=TrainingError)


@dataclass
class Counters:
    """How far a training is."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0  # of training, over all resumptions
    phase: int = 0
    validated_at: float = 0.0  # share of the budget at the last validation
    sums: dict[str, float] = field(default_factory=dict)  # of measures and ``steps`` since the last line


def save_state(
    folder: Path, counters: Counters, weights: nn.ModuleDict, optimiser: torch.optim.Optimizer
) -> None:
    """Write the whole state; a kill at any moment leaves the old one or the new one."""
    values = dict(weights.state_dict())
    for number, own in optimiser.state_dict()["state"].items():
        values |= {f"optimiser.{number}.{name}": value for name, value in own.items()}
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in values.items() if isinstance(value, Tensor)
    }
    metadata = {"format": str(_FORMAT), "counters": json.dumps(asdict(counters))}
    write_durably(folder / STATE_FILE, save(tensors, metadata=metadata))


def read_counters(folder: Path) -> Counters | None:
    """Return the counters of a folder's state, if there is one; raises TrainingError if it is damaged."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        metadata = read_metadata(path)
        if metadata.get("format") != str(_FORMAT):
            raise ValueError("unknown format")
        stored = json.loads(metadata["counters"])
        return Counters(**{one.name: stored[one.name] for one in fields(Counters)})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None


def load_tensors(folder: Path, weights: nn.ModuleDict, optimiser: torch.optim.Optimizer) -> None:
    """Put stored weights and optimiser's state into the objects; raises TrainingError if they do not fit."""
    path = folder / STATE_FILE
    try:
        _, tensors = read_tensors(path)
        remembered: dict[int, dict[str, Tensor]] = {}
        for name in [name for name in tensors if name.startswith("optimiser.")]:
            _, number, key = name.split(".", 2)
            value = tensors.pop(name)
            if value.ndim == 4:  # as the weights lie
                value = value.contiguous(memory_format=torch.channels_last)
            remembered.setdefault(int(number), {})[key] = value
        weights.load_state_dict(tensors)
        blank = optimiser.state_dict()
        optimiser.load_state_dict({"state": remembered, "param_groups": blank["param_groups"]})
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"{path} cannot be gone on from ({first_line(error)}); delete the folder to start again."
    )


@dataclass(frozen=True)
class Entry:
    """One line of history; shares lie in 0..1, errors are per pixel, in grey levels (0-255) or their squares.

    ``train`` holds means over the steps since the line before, ``validation`` what unseen people gave (empty
    if there are none).  Their keys are those of ``_ERRORS`` and ``_SHARES``, and ``contrast``.
    """

    step: int
    pairs: int
    seconds: float
    fraction: float
    phase: str
    learning_rate: float
    pairs_per_second: float
    train: dict[str, float]
    validation: dict[str, float]
    error: ErrorKind = "squared"


def append_entry(folder: Path, entry: Entry) -> None:
    with (folder / HISTORY_FILE).open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(asdict(entry)) + "\n")


def read_history(folder: Path) -> list[Entry]:
    """Return all whole lines; a line that a kill cut short is left out."""
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    entries: list[Entry] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return entries


def rewind_history(folder: Path, step: int) -> None:
    """Forget the lines after ``step``: they will be lived through again."""
    kept = [entry for entry in read_history(folder) if entry.step <= step]
    lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in kept)
    write_durably(folder / HISTORY_FILE, lines.encode())


def draw_curves(folder: Path) -> None:
    """Draw ``curves.png``: errors, ours beside the paper's, and shares of what was found or told rightly."""
    entries = read_history(folder)
    if not entries:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def draw(axes: Any, key: str, which: str, scale: int = 1, **style: str) -> None:
        points = [
            (one.pairs, scale * getattr(one, which)[key]) for one in entries if key in getattr(one, which)
        ]
        if points:
            axes.plot(*zip(*points, strict=True), **style)

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    errors, shares = figure.subplots(1, 2)
    for key, (label, colour) in _ERRORS.items():
        draw(errors, key, "train", linestyle="--", color=colour, label=f"{label}, training")
        draw(errors, key, "validation", linestyle="-", color=colour, label=f"{label}, unseen people")
    kind = entries[-1].error
    if kind == "squared" and "stage1" in entries[-1].train:
        label = f"paper, stage 2 ({_PAPER_STAGE2})"
        errors.axhline(_PAPER_STAGE2, color="grey", linewidth=0.8, linestyle=":", label=label)
    label = f"{kind} error per pixel (grey levels 0-255)"
    errors.set(xlabel="pairs seen", ylabel=label, yscale="log")
    for key, label in _SHARES.items():
        draw(shares, key, "validation", 100, label=label)
    shares.set(xlabel="pairs seen", ylabel="percent", ylim=(0, 100))
    for axes in (errors, shares):
        if axes.lines:
            axes.legend(fontsize="small")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_durably(folder / CURVES_FILE, content.getvalue())
