"""What a benchmark measured, and the folder that keeps it.

``results.jsonl`` holds one JSON object a line: a ``Value`` for each number, a ``SetHeader`` for each set of
faces, an ``Unavailable`` for each row that could not be measured.  Before a record's own fields, ``kind``
says which record it is, ``step`` what it was measured with, and ``of`` how many lines were written together.

The file is only appended to while measuring: the lines of one step go into one write that is forced onto
the disk, and a step of which a line is missing counts as not done.  ``arrays/STEP.npz`` holds the rankings
of a row and is there before its lines are.  So what is finished stays finished, whenever the run is killed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faces.errors import DataError
from faces.files import replacing, write_durably

RESULTS_FILE = "results.jsonl"
ARRAYS_FOLDER = "arrays"

Interval = tuple[float, float]
Bin = int | float | str


@dataclass(frozen=True)
class SetHeader:
    """One set of faces and what was asked of it.

    ``fingerprint`` is a hash of crops and labels, ``values`` are the wished words.  ``queries`` were drawn
    with ``seed``; there are none if the set can only be drawn from.  ``weights`` are ``name@id``, those under
    test first.  ``criteria``, from 1, say in words when an answer is right.
    """

    set: str
    fingerprint: str
    attribute: str
    values: tuple[str, ...]
    people: int
    gallery: int
    queries: int
    seed: int
    weights: tuple[str, ...]
    criteria: tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """One measured number.

    ``method`` is the row of the tables, empty for what is measured of weights alone; ``weights`` are what
    it was measured with.  ``criterion`` is 0 if the measure knows none.  ``low`` and ``high`` end the 95 %
    interval, None if there are too few people for one; ``n`` is what the number was taken over.

    The measures and their ``k``:

    - ``recall``: percent by K; n queries.
    - ``recall@5 by change``: percent by degrees between the query's value and the wished one.
    - ``recall@K by shift``, ``by scale``, ``by turn``: percent by how far the queries' crops were moved.
    - ``recall of wishes``: percent by ``wish@K``, such as "pose and light@5"; n queries.
    - ``squared error``, ``absolute error``: grey levels by stage, 1 or 2; n pairs.
    - ``canonicalised``: percent of n faces whose value canonicalisation tells.
    - ``confusion``: faces by ``true>told``, of n that show the true value.
    - ``classifier``: percent of n faces whose value the classifier of the two-step rows tells.
    - ``classifier on validation people``: percent by candidate.
    - ``seconds``: what the row took.  ``figures``: how many were drawn.
    """

    set: str
    method: str
    weights: str
    measure: str
    criterion: int
    k: Bin
    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def of(self) -> str:
        """The row, or the name of the weights."""
        return self.method or self.weights.partition("@")[0]

    @property
    def interval(self) -> Interval | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Unavailable:
    """A row that could not be measured, and why in a few words."""

    set: str
    method: str
    reason: str


Record = SetHeader | Value | Unavailable
_KINDS: dict[str, type[Record]] = {"set": SetHeader, "value": Value, "unavailable": Unavailable}


@dataclass(frozen=True)
class Results:
    """Records, in the order in which they were written."""

    records: list[Record] = field(default_factory=list)

    @property
    def sets(self) -> list[SetHeader]:
        return [record for record in self.records if isinstance(record, SetHeader)]

    @property
    def values(self) -> list[Value]:
        return [record for record in self.records if isinstance(record, Value)]

    @property
    def unavailable(self) -> list[Unavailable]:
        return [record for record in self.records if isinstance(record, Unavailable)]

    def of(self, name: str) -> Results:
        """The records of one set of faces."""
        return Results([record for record in self.records if record.set == name])

    def find(self, measure: str, **wanted: object) -> list[Value]:
        """The values of a measure whose other fields are as wanted, such as ``criterion=1``."""
        wanted["measure"] = measure
        return [one for one in self.values if all(getattr(one, name) == it for name, it in wanted.items())]

    def methods(self) -> list[str]:
        """Every row that was measured or was unavailable, each once."""
        found: list[Value | Unavailable] = [*self.find("recall"), *self.unavailable]
        return list(dict.fromkeys(one.method for one in found))

    def recall(self, method: str, criterion: int) -> dict[Bin, Value]:
        """The recall of a row by K, empty if it was not measured."""
        return {value.k: value for value in self.find("recall", method=method, criterion=criterion)}


def hash_of(**parts: object) -> str:
    """12 hexadecimal digits that stand for these named JSON values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_results(folder: Path) -> Results:
    """Everything that is finished in a folder; raises DataError if there is nothing."""
    if steps := _read(folder / RESULTS_FILE):
        return Results(list(chain(*steps.values())))
    raise DataError(f"{folder} holds no results; make them with: anotheryou benchmark DATA --out {folder}")


def read_arrays(folder: Path, step: str) -> dict[str, NDArray[Any]]:
    """The arrays of a row's step; raises DataError if they are missing or damaged.

    ``rankings`` (Q, 20) int32 are gallery indices, -1 for no answer.  ``first_1``, ``first_2`` (Q,) int32 are
    the rank of the first right answer of each query under each criterion: from 1, 0 for none, -1 for a query
    without a right answer.
    """
    path = folder / ARRAYS_FOLDER / f"{step}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove {path.parent} and measure again.") from None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Write to a folder of results in this block; raises DataError if that is not possible."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}).") from None


class Journal:
    """A folder of results being made; raises DataError if it cannot be written, or holds something else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            (folder / ARRAYS_FOLDER).mkdir(parents=True, exist_ok=True)
        self._steps = _read(folder / RESULTS_FILE)

    def __contains__(self, step: str) -> bool:
        """Whether a step is finished; what was unavailable is to be tried again."""
        records = self._steps.get(step)
        return records is not None and not any(isinstance(record, Unavailable) for record in records)

    @property
    def results(self) -> Results:
        """Everything that is finished."""
        return Results(list(chain(*self._steps.values())))

    def keep(self, name: str, valid: Collection[str]) -> None:
        """Forget what is known of a set of faces but for the steps in ``valid``, and tidy the folder.

        Results of other sets stay.
        """
        self._steps = {
            step: records
            for step, records in self._steps.items()
            if step in valid or all(record.set != name for record in records)
        }
        with writing(self.folder):
            lines = [_lines(step, records) for step, records in self._steps.items()]
            write_durably(self.folder / RESULTS_FILE, "".join(lines).encode())
            for path in (self.folder / ARRAYS_FOLDER).iterdir():
                if path.suffix != ".npz" or path.stem not in self._steps:
                    path.unlink()

    def append(self, step: str, records: Sequence[Record]) -> None:
        """Add the records of a step, on the disk when this returns."""
        with writing(self.folder), (self.folder / RESULTS_FILE).open("ab") as file:
            file.write(_lines(step, records).encode())
            file.flush()
            os.fsync(file.fileno())
        self._steps[step] = tuple(records)

    def save_arrays(self, step: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write ``arrays/STEP.npz``, whole or not at all."""
        path = self.folder / ARRAYS_FOLDER / f"{step}.npz"
        with writing(self.folder), replacing(path, durable=True) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


def _lines(step: str, records: Sequence[Record]) -> str:
    """The lines of a step; floats are rounded to a ten-thousandth, and what is no number (NaN) is null."""
    lines = []
    for record in records:
        kind = next(kind for kind, known in _KINDS.items() if isinstance(record, known))
        content = {"kind": kind, "step": step, "of": len(records), **asdict(record)}
        for name, value in content.items():
            if isinstance(value, float):
                content[name] = None if math.isnan(value) else round(value, 4)
        lines.append(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    return "".join(lines)


def _read(path: Path) -> dict[str, tuple[Record, ...]]:
    """The finished steps of a file, none if it does not exist; a torn end is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None
    found: dict[str, list[Record]] = {}
    wanted: dict[str, int] = {}
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last line break is torn
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            kind, step, of = (content.pop(name) for name in ("kind", "step", "of"))
            record = _record(_KINDS[kind], content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"{path}, line {number} is not a result of this version; choose another folder."
            ) from None
        records = found.setdefault(step, [])
        if len(records) == wanted.get(step):
            records.clear()  # it was measured again
        records.append(record)
        wanted[step] = of
    return {step: tuple(records) for step, records in found.items() if len(records) == wanted[step]}


def _record(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """Read a record; raises ValueError, KeyError or TypeError if a field is not as declared."""
    declared = {item.name: str(item.type) for item in fields(kind)}
    return kind(**{name: _field(value, declared[name]) for name, value in content.items()})


def _field(value: Any, declared: str) -> Any:
    """A JSON value as a field of a record; raises ValueError if it is not as declared."""
    match declared, value:
        case _, bool():
            pass
        case ("str" | "Bin", str()) | ("int" | "Bin", int()) | ("Bin", float()) | ("float | None", None):
            return value
        case ("float" | "float | None", int() | float()):
            return float(value)
        case ("float", None):
            return math.nan
        case ("tuple[str, ...]", [*words]) if all(isinstance(word, str) for word in words):
            return tuple(words)
    raise ValueError(f"{value!r} is no {declared}")
