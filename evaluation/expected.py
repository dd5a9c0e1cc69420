"""``expected.yaml``: the commands behind the numbers that are reported, and what each must give."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from evaluation.protocol import QUERIES
from evaluation.recall import KS
from facedata.labelled import Attribute
from facedata.pairs import ATTRIBUTES
from faces.errors import DataError

FILE = Path(__file__).parent / "expected.yaml"


@dataclass(frozen=True)
class Number:
    """One number: ``kind`` is recall, error, absolute-error, canonicalised, classifier or change.

    ``of`` is the row, or the name of the weights; ``criterion`` and ``place`` say which of its numbers: K,
    the stage (1 or 2), or degrees; 0 where there is only one.
    """

    kind: str
    of: str
    criterion: int
    place: int
    value: float
    tolerance: float

    def __str__(self) -> str:
        words = {
            "recall": f"{self.of}, criterion {self.criterion}, recall@{self.place}",
            "change": f"{self.of}, criterion {self.criterion}, recall@5 at {self.place} degrees",
            "error": f"{self.of}, squared error of stage {self.place}",
            "absolute-error": f"{self.of}, absolute error of stage {self.place}",
            "canonicalised": f"{self.of}, values told by canonicalisation, %",
            "classifier": "values told by the classifier, %",
        }
        return words[self.kind]


@dataclass(frozen=True)
class Entry:
    """One command and its numbers; ``make`` says where its set of faces comes from.

    What the command names: ``data``, a set, and the options of ``anotheryou benchmark``.
    """

    name: str
    command: str
    make: str
    data: str
    weights: tuple[str, ...]
    rows: tuple[str, ...] | None
    rivals: str | None
    cpi: str | None
    attribute: Attribute | None
    cropped: bool
    queries: int
    seed: int
    numbers: tuple[Number, ...]


def read_expected(path: Path = FILE) -> list[Entry]:
    """The entries of a file; raises DataError that names the file and what is wrong in it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not YAML ({str(error).splitlines()[0]}).") from None
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{path} must map names to entries.")
    return [_Reader(path, str(name)).entry(found) for name, found in content.items()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Reader:
    """Reads one entry; every complaint names file and entry."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def entry(self, content: Any) -> Entry:
        fields = self._fields(
            content, "the entry", required=("command", "make", "tolerance"), optional=tuple(_KINDS)
        )
        command, make = self._text(fields["command"], "command"), self._text(fields["make"], "make")
        named = self._parsed(command)
        tolerances = self._numbers_by(fields["tolerance"], "tolerance")
        numbers: list[Number] = []
        for kind in _KINDS:
            if kind in fields:
                if kind not in tolerances:
                    self._refuse(f"tolerance has no {kind!r}")
                numbers += self._of_kind(kind, fields[kind], tolerances[kind])
        if not numbers:
            self._refuse("there is no number to check")
        return Entry(
            name=self._name,
            command=command,
            make=make,
            data=named.data,
            weights=tuple(named.weights),
            rows=None if named.rows is None else tuple(named.rows.split(",")),
            rivals=named.rivals,
            cpi=named.cpi,
            attribute=named.attribute,
            cropped=named.cropped,
            queries=named.queries,
            seed=named.seed,
            numbers=tuple(numbers),
        )

    def _parsed(self, command: str) -> argparse.Namespace:
        parser = _Parser(add_help=False, allow_abbrev=False)
        parser.add_argument("data")
        parser.add_argument("--weights", action="append", default=[])
        parser.add_argument("--attribute", choices=ATTRIBUTES)
        for option in ("--rows", "--rivals", "--cpi", "--out"):
            parser.add_argument(option)
        parser.add_argument("--cropped", action="store_true")
        parser.add_argument("--queries", type=int, default=QUERIES)
        parser.add_argument("--seed", type=int, default=0)
        words = shlex.split(command)
        if words[:2] != ["anotheryou", "benchmark"]:
            self._refuse(f"the command {command!r} does not begin with anotheryou benchmark")
        try:
            return parser.parse_args(words[2:])
        except ValueError as error:
            self._refuse(f"the command {command!r} cannot be understood ({error})")

    def _of_kind(self, kind: str, content: Any, tolerance: float) -> list[Number]:
        if kind == "classifier":
            return [Number(kind, "", 0, 0, self._number(content, kind), tolerance)]
        numbers = []
        for of, found in self._fields(content, kind).items():
            if kind == "canonicalised":
                numbers.append(Number(kind, of, 0, 0, self._number(found, f"{kind} {of}"), tolerance))
            elif kind in ("error", "absolute-error"):
                for stage, value in enumerate(self._list(found, 2, f"{kind} {of}"), start=1):
                    numbers.append(Number(kind, of, 0, stage, value, tolerance))
            else:
                for criterion, values in self._numbered(found, f"{kind} {of}").items():
                    where = f"{kind} {of} {criterion}"
                    places = (
                        dict(zip(KS, self._list(values, len(KS), where), strict=True))
                        if kind == "recall"
                        else {
                            place: self._number(value, where)
                            for place, value in self._numbered(values, where).items()
                        }
                    )
                    for place, value in places.items():
                        numbers.append(Number(kind, of, criterion, place, value, tolerance))
        return numbers

    def _fields(
        self, content: Any, where: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
            self._refuse(f"{where} must map words to values")
        for name in required:
            if name not in content:
                self._refuse(f"{where} lacks {name!r}")
        if required:
            for name in content:
                if name not in required and name not in optional:
                    self._refuse(f"{where} has {name!r}, which is not known")
        return dict(content)

    def _numbered(self, content: Any, where: str) -> dict[int, Any]:
        if not isinstance(content, Mapping) or not all(type(key) is int for key in content):
            self._refuse(f"{where} must map whole numbers to values")
        return dict(content)

    def _numbers_by(self, content: Any, where: str) -> dict[str, float]:
        return {name: self._number(value, where) for name, value in self._fields(content, where).items()}

    def _list(self, content: Any, length: int, where: str) -> list[float]:
        if not isinstance(content, list) or len(content) != length:
            self._refuse(f"{where} must be a list of {length} numbers")
        return [self._number(value, where) for value in content]

    def _number(self, value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(f"{where} holds {value!r}, which is no number")
        return float(value)

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self._refuse(f"{where} must be words")
        return " ".join(value.split())

    def _refuse(self, reason: str) -> NoReturn:
        raise DataError(f"{self._path}, {self._name}: {reason}.")


_KINDS = ("recall", "error", "absolute-error", "canonicalised", "classifier", "change")
