"""A figure of the report: its picture, the words that belong to it, and its files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from PIL import Image

from evaluation.figures.sheet import DARK, LIGHT, Theme
from evaluation.results import writing
from facedata.labelled import Attribute, FaceSet, number_of
from faces.errors import DataError

FOLDER = "figures"

Part = Literal["drawing", "retrieval", "recognition", "misalignment", "failures"]
"""The part of the report that a figure belongs to."""


class Picture(Protocol):
    """Something that can be drawn for a light and for a dark page."""

    def draw(self, theme: Theme) -> Image.Image: ...


@dataclass(frozen=True)
class Figure:
    """A picture for the report.  ``name`` begins its file names; ``alt`` is for whoever cannot see it."""

    name: str
    part: Part
    title: str
    caption: str
    alt: str
    picture: Picture


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

    ``folder`` is the folder of results.  Raises DataError if it cannot be written.
    """
    path = _path(folder, dataset)
    stored = []
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        for one in figures:
            names = f"{path.stem}-{one.name}.png", f"{path.stem}-{one.name}-dark.png"
            for theme, name in zip((LIGHT, DARK), names, strict=True):
                picture = one.picture.draw(theme)
                picture.save(path.with_name(name), compress_level=9)
            words = one.name, one.part, one.title, one.caption, one.alt
            stored.append(asdict(StoredFigure(*words, *names, *picture.size)))
        path.write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_figures(folder: Path, dataset: str) -> list[StoredFigure]:
    """Read the figures of a set in their order, none if none were stored; raises DataError if damaged."""
    path = _path(folder, dataset)
    try:
        return [StoredFigure(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it and measure again.") from None


def remove_figures(folder: Path, dataset: str) -> None:
    """Forget the figures of a set, if there are any; raises DataError if the folder cannot be written."""
    with writing(folder):
        _path(folder, dataset).unlink(missing_ok=True)


def _path(folder: Path, dataset: str) -> Path:
    """The file that lists a set's figures; its name without the ending begins those of the pictures."""
    word = re.sub(r"[^A-Za-z0-9.-]+", "-", dataset).strip("-.") or "set"
    return folder / FOLDER / f"{word}.json"


def value_word(value: str, attribute: str) -> str:
    """Write a value as it is read: degrees for a pose, otherwise the word itself."""
    if not value:
        return "unknown"
    return f"{value.replace('-', '−')}°" if attribute == "pose" and number_of(value) is not None else value


def face_words(faces: FaceSet, index: int, attribute: Attribute) -> tuple[str, str, str]:
    """Say who is on a face, its value and its light; the light is empty if it is not known."""
    person, light = str(faces.persons[index]), str(faces.lights[index])
    value = value_word(str(faces.attribute(attribute)[index]), attribute)
    return f"person {person}" if person.isdigit() else person, value, f"light {light}" if light else ""


def sentence(text: str) -> str:
    """Write a capital letter at the start of a text; the rest stays as it is."""
    return text[:1].upper() + text[1:]
