"""Figures as files: PNG pictures for light and dark pages, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.figures.figure import Figure
from evaluation.figures.theme import DARK, LIGHT
from faces.errors import DataError

FOLDER = "figures"


@dataclass(frozen=True)
class StoredFigure:
    """A figure on the disk: ``light`` and ``dark`` are names in ``figures/``, sizes are in pixels."""

    name: str
    part: str
    title: str
    caption: str
    alt: str
    light: str
    dark: str
    width: int
    height: int


def store_figures(folder: Path, dataset: str, figures: Iterable[Figure]) -> None:
    """Write the pictures and ``DATASET.json``, which replaces what was known of this set's figures.

    ``folder`` is the folder of results.  Raises DataError where it cannot be written.
    """
    to, start = folder / FOLDER, _file_word(dataset)
    stored = []
    try:
        to.mkdir(parents=True, exist_ok=True)
        for figure in figures:
            light, dark = figure.picture.draw(LIGHT), figure.picture.draw(DARK)
            names = f"{start}-{figure.name}.png", f"{start}-{figure.name}-dark.png"
            light.save(to / names[0], compress_level=9)
            dark.save(to / names[1], compress_level=9)
            words = figure.name, figure.part, figure.title, figure.caption, figure.alt
            stored.append(StoredFigure(*words, *names, light.width, light.height))
        text = json.dumps([asdict(one) for one in stored], ensure_ascii=False, indent=1)
        (to / f"{start}.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{to} cannot be written ({error.strerror}).") from None


def read_figures(folder: Path, dataset: str) -> list[StoredFigure]:
    """The figures of a set in their order, none where none were stored; raises DataError where damaged."""
    path = folder / FOLDER / f"{_file_word(dataset)}.json"
    try:
        return [StoredFigure(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it and measure again.") from None


def _file_word(dataset: str) -> str:
    """The name of a set as the start of file names."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", dataset).strip("-.") or "set"
