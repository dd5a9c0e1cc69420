"""The history of a training: one JSON object a line, and a picture of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from generator.training.losses import ErrorKind
from generator.training.state import replace_durably

HISTORY_FILE, CURVES_FILE = "history.jsonl", "curves.png"
PAPER_STAGE1, PAPER_STAGE2 = 380.89, 369.16  # Ghodrati et al. (2015), Table 1


@dataclass(frozen=True)
class Entry:
    """One line of history; shares lie in 0..1, errors are per pixel and of the kind ``error``: squared grey
    levels (0-255), or grey levels where it is ``absolute``.

    ``train`` holds means over the steps since the line before, ``validation`` what unseen people gave (empty
    where there are none).  Keys: ``stage1``, ``stage2``, ``contrast``, ``contrast_accuracy``; for validation
    also ``recall1`` (person and value right at rank 1), ``recall1_exact`` (the very picture) and
    ``value_accuracy`` (canonicalisation names the right value).
    """

    step: int
    pairs: int
    seconds: float
    fraction: float
    phase: str
    rate: float
    pairs_per_second: float
    train: dict[str, float]
    validation: dict[str, float]
    error: ErrorKind = "squared"


def append(folder: Path, entry: Entry) -> None:
    """Add a line."""
    with (folder / HISTORY_FILE).open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(asdict(entry)) + "\n")


def read(folder: Path) -> list[Entry]:
    """All whole lines; a line that a kill cut short is left out."""
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


def rewind(folder: Path, step: int) -> None:
    """Forget the lines after ``step``: they will be lived through again."""
    kept = [entry for entry in read(folder) if entry.step <= step]
    partial = folder / (HISTORY_FILE + ".partial")
    partial.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in kept), encoding="utf-8")
    replace_durably(partial, folder / HISTORY_FILE)


def draw_curves(folder: Path) -> None:
    """Draw ``curves.png``: errors beside the paper's, and what retrieval makes of the features."""
    entries = read(folder)
    if not entries:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    errors, shares = figure.subplots(1, 2)
    for stage, colour in (("stage1", "tab:orange"), ("stage2", "tab:blue")):
        for kind, style in (("train", "--"), ("validation", "-")):
            points = [(e.pairs, getattr(e, kind)[stage]) for e in entries if stage in getattr(e, kind)]
            if points:
                label = f"{stage[:-1]} {stage[-1]}, {'training' if kind == 'train' else 'unseen people'}"
                errors.plot(*zip(*points, strict=True), style, color=colour, label=label)
    kind_of_error = entries[-1].error
    if kind_of_error == "squared":
        errors.axhline(
            PAPER_STAGE2, color="grey", linewidth=0.8, linestyle=":", label=f"paper, stage 2 ({PAPER_STAGE2})"
        )
    label = f"{kind_of_error} error per pixel (grey levels 0-255)"
    errors.set(xlabel="pairs seen", ylabel=label, yscale="log")
    errors.legend(fontsize="small")
    for key, label in (
        ("recall1", "recall@1, person and value"),
        ("recall1_exact", "recall@1, the very picture"),
        ("contrast_accuracy", "contrast, unseen people"),
        ("value_accuracy", "canonicalised value right"),
    ):
        points = [(e.pairs, 100 * e.validation[key]) for e in entries if key in e.validation]
        if points:
            shares.plot(*zip(*points, strict=True), label=label)
    shares.set(xlabel="pairs seen", ylabel="percent", ylim=(0, 100))
    if shares.lines:
        shares.legend(fontsize="small")
    partial = folder / ("." + CURVES_FILE)
    figure.savefig(partial, format="png")
    replace_durably(partial, folder / CURVES_FILE)
