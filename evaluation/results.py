"""What a benchmark measured: the records that ``results.jsonl`` holds, one JSON object a line.

A line is a record's fields and three more: ``kind`` says which record it is, ``identity`` what it was
measured with, and ``of`` how many lines were written together (see ``evaluation.journal``).  Percentages are
0..100, numbers that do not exist (NaN) are null, and an interval is the 95 % bootstrap interval
``[low, high]`` of ``evaluation.bootstrap``, null where there are too few people for one.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

Interval = tuple[float, float]
ByK = dict[int, float]
IntervalByK = dict[int, Interval | None]


@dataclass(frozen=True)
class SetRecord:
    """One set of faces and what was asked of it; ``criteria`` says in words when an answer is right.

    ``values`` are the wished words, ``fingerprint`` is a hash of crops and labels.  ``queries`` were drawn
    with ``seed``, none where the set can only be drawn from and not searched; ``weights`` are those that were
    measured as ``name@id``, the ones under test first.
    """

    dataset: str
    fingerprint: str
    attribute: str
    values: tuple[str, ...]
    people: int
    gallery: int
    queries: int
    seed: int
    weights: tuple[str, ...]
    criteria: dict[int, str]


@dataclass(frozen=True)
class RowRecord:
    """One row of the tables under one criterion.

    ``recall`` is in percent by K; ``queries`` were asked, ``left_out`` had no right answer in the gallery.
    ``made_with`` names the weights that the row searches with, ``told`` says that it was given true labels.
    A row that could not be measured has an empty ``recall`` and says why in ``unavailable``.  ``arrays`` is
    the name of the file in ``arrays/`` with ``rankings`` (Q, 20) int32 gallery indices, -1 for no answer, and
    ``first_1``, ``first_2``, the rank of the first right answer of each query under each criterion: from 1, 0
    for none, -1 for a query without a right answer.
    """

    dataset: str
    row: str
    criterion: int
    recall: ByK
    interval: IntervalByK
    queries: int
    left_out: int
    gallery: int
    seed: int
    made_with: str
    told: bool
    seconds: float
    arrays: str = ""
    unavailable: str = ""

    @property
    def available(self) -> bool:
        return not self.unavailable


@dataclass(frozen=True)
class ErrorRecord:
    """The error of both stages on unseen people, by stage (``stage1``, ``stage2``): the paper's Table 1.

    ``squared`` is the mean squared error per pixel in squared grey levels (0..255), ``absolute`` the mean
    absolute error in grey levels.
    """

    dataset: str
    weights: str
    attribute: str
    squared: dict[str, float]
    squared_interval: dict[str, Interval | None]
    absolute: dict[str, float]
    absolute_interval: dict[str, Interval | None]
    pairs: int
    seed: int


@dataclass(frozen=True)
class ConfusionRecord:
    """True values (rows of ``counts``) against what canonicalisation took them for (columns)."""

    dataset: str
    weights: str
    attribute: str
    values: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracy: float
    interval: Interval | None


@dataclass(frozen=True)
class ClassifierRecord:
    """Percent of gallery faces whose true value the first step of the two-step rows tells.

    The classifier reads ``feature`` and is of scikit-learn's kind ``model``; ``validated`` has the accuracy
    of every candidate on the validation people it was chosen by, in percent, best first.
    """

    dataset: str
    attribute: str
    feature: str
    model: str
    accuracy: float
    interval: Interval | None
    faces: int
    validated: dict[str, float]


@dataclass(frozen=True)
class ChangeRecord:
    """Recall@``k`` of a row by the size of the wished change in degrees: the paper's Figure 6."""

    dataset: str
    row: str
    criterion: int
    k: int
    recall: ByK
    interval: IntervalByK
    queries: dict[int, int]
    """Queries by degrees."""


@dataclass(frozen=True)
class MisalignedRecord:
    """A row asked with query crops that were moved: ``motion`` is shift, scale or turn, ``amount`` how far.

    The unit of ``amount`` is ``evaluation.misalign.UNITS[motion]``; amount 0 is the same queries, unmoved.
    """

    dataset: str
    row: str
    criterion: int
    motion: str
    amount: float
    recall: ByK
    interval: IntervalByK
    queries: int


@dataclass(frozen=True)
class FiguresRecord:
    """The figures of a set were drawn into ``figures/``."""

    dataset: str


Record = (
    SetRecord
    | RowRecord
    | ErrorRecord
    | ConfusionRecord
    | ClassifierRecord
    | ChangeRecord
    | MisalignedRecord
    | FiguresRecord
)
KINDS: dict[str, type[Record]] = {
    "set": SetRecord,
    "row": RowRecord,
    "error": ErrorRecord,
    "confusion": ConfusionRecord,
    "classifier": ClassifierRecord,
    "change": ChangeRecord,
    "misaligned": MisalignedRecord,
    "figures": FiguresRecord,
}


@dataclass
class Results:
    """Everything of one folder of results, by kind, each in the order in which it was written."""

    sets: list[SetRecord] = field(default_factory=list)
    rows: list[RowRecord] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    confusions: list[ConfusionRecord] = field(default_factory=list)
    classifiers: list[ClassifierRecord] = field(default_factory=list)
    changes: list[ChangeRecord] = field(default_factory=list)
    misaligned: list[MisalignedRecord] = field(default_factory=list)
    figures: list[FiguresRecord] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Put a record among those of its kind."""
        match record:
            case SetRecord():
                self.sets.append(record)
            case RowRecord():
                self.rows.append(record)
            case ErrorRecord():
                self.errors.append(record)
            case ConfusionRecord():
                self.confusions.append(record)
            case ClassifierRecord():
                self.classifiers.append(record)
            case ChangeRecord():
                self.changes.append(record)
            case MisalignedRecord():
                self.misaligned.append(record)
            case FiguresRecord():
                self.figures.append(record)

    @property
    def all(self) -> list[Record]:
        """All records."""
        return [
            *self.sets,
            *self.rows,
            *self.errors,
            *self.confusions,
            *self.classifiers,
            *self.changes,
            *self.misaligned,
            *self.figures,
        ]

    def of(self, dataset: str) -> Results:
        """The records of one set of faces."""
        chosen = Results()
        for record in self.all:
            if record.dataset == dataset:
                chosen.add(record)
        return chosen


def kind_of(record: Record) -> str:
    """The word that a record has as its ``kind``."""
    return next(kind for kind, found in KINDS.items() if found is type(record))


def to_json(record: Record) -> dict[str, Any]:
    """A record's fields as JSON has them; floats are rounded to a ten-thousandth."""
    return {item.name: _plain(getattr(record, item.name)) for item in fields(record)}


def from_json(kind: str, content: Mapping[str, Any]) -> Record:
    """The record of ``to_json``; raises ValueError for anything else."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind of record {kind!r}")
    found = KINDS[kind]
    hints = typing.get_type_hints(found)
    names = {item.name for item in fields(found)}
    if set(content) != names:
        raise ValueError(f"a record of kind {kind!r} has the fields {', '.join(sorted(names))}")
    return found(**{name: _typed(content[name], hints[name], name) for name in names})


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _typed(value: Any, hint: Any, name: str) -> Any:
    """A JSON value as the type that a field is declared with."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # only "X | None" is used
        return None if value is None else _typed(value, arguments[0], name)
    if origin is dict and isinstance(value, dict):
        return {
            (int(key) if arguments[0] is int else key): _typed(item, arguments[1], name)
            for key, item in value.items()
        }
    if origin is tuple and isinstance(value, Sequence) and not isinstance(value, str):
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        return tuple(_typed(item, kind, name) for item, kind in zip(value, kinds, strict=True))
    if hint is float and value is None:
        return math.nan
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    raise ValueError(f"{name!r} holds {value!r}")
