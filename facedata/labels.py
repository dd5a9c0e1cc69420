"""``labels.csv``: who and what is on each picture of a labelled folder.

One line per picture, comma separated, UTF-8, first line the header.  The columns are ``file``, ``person``,
``pose``, ``light``, ``accessory``, ``split``, ``tilt``, ``expression`` and ``scene``, in any order; a column
that is missing is empty throughout, and only ``file`` and ``person`` must be filled.  ``file`` is the path of
the picture inside the folder, ``split`` one of train, val, test or empty; everything else is free words.
Pictures of one ``scene`` agree in what no other column tells, such as hair and clothes.

The clean version of ``0100/a.png`` is ``0100/clean/a.png``, what a network that is shown a photograph had
better draw: the same person in the same light, as a studio's camera would have taken them, in the labelled
pose exactly, before a plain wall, sharp and well cropped.  What a photograph shows beside person, pose and
light cannot be foretold, and a network asked for it draws the blurred mean of all there could be.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path, PurePosixPath

from faces.errors import LabelError
from faces.files import write_atomically

LABELS_FILE = "labels.csv"
CLEAN_FOLDER = "clean"
SPLITS = ("train", "val", "test")
# Words with a meaning that people know.
ACCESSORIES = (
    "none", "glasses-1", "glasses-2", "glasses-3", "hat-1", "hat-2", "hat-3", "head-scarf", "mask"
)  # fmt: skip
LIGHTS = ("even", "left", "right", "above", "below", "dim")
EXPRESSIONS = ("neutral", "smile", "laugh", "eyes-closed", "surprised")
TILTS = ("up", "level", "down")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REQUIRED = ("file", "person")


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of ``labels.csv``; empty words mean unknown."""

    file: str
    person: str
    pose: str = ""
    light: str = ""
    accessory: str = ""
    split: str = ""
    tilt: str = ""
    expression: str = ""
    scene: str = ""
    line: int = 0  # where it was read, 1-based and counting the header; 0 if it was not


COLUMNS = tuple(field.name for field in fields(LabelRow))[:-1]
_ALWAYS = 6  # the first columns are written even if nothing fills them


def number_of(word: str) -> float | None:
    """Return the number a word such as ``+30`` stands for, or None."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def pose_word(yaw: int) -> str:
    """Write a yaw in degrees as labels do: "-45" ... "0" ... "+45"."""
    return f"{yaw:+d}" if yaw else "0"


def clean_name(file: str) -> str:
    """Return where the clean version of the picture ``file`` lies inside a labelled folder."""
    path = PurePosixPath(file)
    return str(path.parent / CLEAN_FOLDER / path.name)


def parse_labels(content: bytes, path: Path) -> list[LabelRow]:
    """Parse the rows of a label file (UTF-8, with or without a byte order mark, any line ends).

    ``path`` is its name for error messages.  Words are stripped of surrounding blanks, empty lines are
    skipped and ``file`` is written with ``/``.  Raises LabelError, which names file, line and column.
    """
    rows: dict[str, LabelRow] = {}
    header: list[str] | None = None
    for line, words in csv_lines(content, path):
        if not any(words):
            continue
        if header is None:
            header = _checked_header(words, path, line)
            continue
        if len(words) > len(header):
            counts = f"the line has {len(words)} fields, the header {len(header)}"
            raise LabelError(path, line, header[-1], f"{counts}; put words with commas in quotes")
        row = _checked_row(dict(zip(header, words, strict=False)), path, line)
        if row.file in rows:
            known = f"{row.file!r} is already on line {rows[row.file].line}"
            raise LabelError(path, line, "file", known)
        rows[row.file] = row
    if header is None:
        raise LabelError(path, 1, "file", f"the file is empty; begin it with the line {','.join(COLUMNS)}")
    return list(rows.values())


def write_labels(path: Path, rows: Iterable[LabelRow]) -> None:
    """Write the file ``path`` in one step; raises LabelError as ``format_labels`` does, and OSError."""
    write_atomically(path, format_labels(rows, path))


def format_labels(rows: Iterable[LabelRow], path: Path) -> bytes:
    """Return the bytes of a label file; raises LabelError for rows that could not be read back."""
    table = [[word.strip() for word in astuple(row)[:-1]] for row in rows]
    for line, words in enumerate(table, start=2):
        _checked_row(dict(zip(COLUMNS, words, strict=True)), path, line)
    kept = [place for place in range(len(COLUMNS)) if place < _ALWAYS or any(row[place] for row in table)]
    content = csv_text([[row[place] for place in kept] for row in (COLUMNS, *table)]).encode()
    parse_labels(content, path)
    return content


def csv_lines(content: bytes, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line of comma separated text, from 1, and its words without blanks around.

    Raises LabelError if the text is no UTF-8 or not comma separated.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LabelError(path, line, "file", "the text is not UTF-8; save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for words in reader:
            yield line, [word.strip() for word in words]
            line = reader.line_num + 1
    except csv.Error as error:
        raise LabelError(path, line, "file", f"is not comma separated text ({error})") from None


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Write a table as comma separated text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _checked_header(words: list[str], path: Path, line: int) -> list[str]:
    names = [word.lower() for word in words]
    for name in names:
        if name not in COLUMNS:
            raise LabelError(path, line, name, f"is not known; the columns are {', '.join(COLUMNS)}")
        if names.count(name) > 1:
            raise LabelError(path, line, name, "is there twice")
    for name in _REQUIRED:
        if name not in names:
            raise LabelError(path, line, name, "is missing from the first line of the file")
    return names


def _checked_row(named: dict[str, str], path: Path, line: int) -> LabelRow:
    for name, word in named.items():
        if _CONTROL.search(word):
            raise LabelError(path, line, name, f"{word!r} has a line break or control character in it")
    for name in _REQUIRED:
        if not named.get(name):
            raise LabelError(path, line, name, "is empty; every picture needs it")
    split = named.get("split", "")
    if split not in ("", *SPLITS):
        raise LabelError(path, line, "split", f"{split!r} is not one of {', '.join(SPLITS)} or empty")
    plain = PurePosixPath(named["file"].replace("\\", "/"))  # without "."
    if not plain.parts:
        raise LabelError(path, line, "file", f"{named['file']!r} is not a file name")
    if plain.is_absolute() or ".." in plain.parts or plain.parts[0].endswith(":"):
        raise LabelError(path, line, "file", f"{named['file']!r} leaves the folder; give a path inside it")
    return LabelRow(**{**named, "file": plain.as_posix()}, line=line)
