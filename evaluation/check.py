"""Whether the numbers that are reported come out again.

``expected.yaml`` names the commands behind them and what each must give.
"""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml

from evaluation.benchmark import Benchmark, Options, find_set, generators_named, open_set
from evaluation.measurements import STAGES
from evaluation.protocol import QUERIES
from evaluation.recall import KS
from evaluation.results import Journal, Results
from facedata.labelled import ATTRIBUTES
from faces.errors import DataError
from faces.progress import Progress

FILE = Path(__file__).parent / "expected.yaml"

Level = type | tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of number in the file; ``tolerance`` and ``digits`` are those of new entries.

    ``levels`` are what the file maps to a number: words, whole numbers, or a list for these places.
    """

    measure: str
    part: str
    words: str
    levels: tuple[Level, ...]
    tolerance: float
    digits: int = 1


_BY = "{of}, criterion {criterion}, "
KINDS = {
    "recall": Kind("recall", "tables", _BY + "recall@{k}", (str, int, KS), 1),
    "error": Kind("squared error", "errors", "{of}, squared error of stage {k}", (str, STAGES), 5),
    "absolute-error": Kind(
        "absolute error", "errors", "{of}, absolute error of stage {k}", (str, STAGES), 0.2, digits=2
    ),
    "canonicalised": Kind(
        "canonicalised", "confusion", "{of}, values told by canonicalisation, %", (str,), 0.5
    ),
    "classifier": Kind("classifier", "classifier", "values told by the classifier, %", (), 0.5),
    "change": Kind("recall@5 by change", "change", _BY + "recall@5 at {k} degrees", (str, int, int), 2),
}


@dataclass(frozen=True)
class Number:
    """One expected number of one of ``KINDS``: of a row, of weights by name, or of neither.

    ``criterion`` and ``k`` are those of ``evaluation.results.Value``.
    """

    kind: str
    of: str
    criterion: int
    k: int
    value: float
    tolerance: float

    def __str__(self) -> str:
        return KINDS[self.kind].words.format(of=self.of, criterion=self.criterion, k=self.k)

    def measured(self, results: Results) -> float:
        """What came out in the results of one set, NaN if it is not there."""
        for value in results.find(KINDS[self.kind].measure, criterion=self.criterion, k=self.k):
            if self.of in ("", value.of):
                return value.value
        return math.nan

    def verdict(self, measured: float) -> Literal["OK", "CLOSE", "FAIL"]:
        """OK within the tolerance, CLOSE within three times that, FAIL beyond or if nothing was measured."""
        apart = abs(measured - self.value) - 1e-9  # 79.9 - 79.4 is a little more than 0.5
        if apart <= self.tolerance:
            return "OK"
        return "CLOSE" if apart <= 3 * self.tolerance else "FAIL"


@dataclass(frozen=True)
class Entry:
    """One command, what it names, and its numbers; ``make`` says where its set of faces comes from."""

    name: str
    command: str
    make: str
    data: str
    weights: tuple[str, ...]
    cropped: bool
    options: Options
    numbers: tuple[Number, ...]


def chosen(entries: Sequence[Entry], names: Sequence[str] | None) -> list[Entry]:
    """Choose the entries of these names, all if None; ``quick`` means every ``quick-…`` as well.

    Raises DataError for a name that does not exist.
    """
    if names is None:
        return list(entries)
    found = []
    for name in names:
        meant = [entry for entry in entries if entry.name == name or entry.name.startswith(f"{name}-")]
        if not meant:
            known = ", ".join(one.name for one in entries)
            raise DataError(f"no entry is called {name!r}; there are {known}.")
        found += meant
    return found


def check(
    entries: Sequence[Entry], data: Sequence[str], out: Path, progress: Progress
) -> Iterator[tuple[Entry, list[float] | None]]:
    """Run the commands of the entries one by one, and tell what their numbers came out as, NaN if unmeasured.

    They are None for an entry whose set of faces is not there.  ``data`` are sets of faces by path; a
    command's set is the one of that name, wherever it lies.  Results go to ``out``, a folder for each entry,
    and what is finished there is not measured again.
    """
    for entry in entries:
        found = find_set(entry.data, data)
        if found is None:
            yield entry, None
            continue
        journal, weights = Journal(out / entry.name), generators_named(entry.weights)
        benchmark = Benchmark(weights, compare=bool(entry.weights), options=entry.options)
        read = open_set(found, cropped=entry.cropped, progress=progress)
        name = benchmark.measure(read, journal, progress).gallery.name
        results = journal.results.of(name)
        yield entry, [number.measured(results) for number in entry.numbers]


def read_expected(path: Path = FILE) -> list[Entry]:
    """Read the entries of a file; raises DataError that names the file and what is wrong in it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not YAML ({str(error).splitlines()[0]}).") from None
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{path} must map names to entries.")
    entries = []
    for name, found in content.items():
        try:
            entries.append(_entry(str(name), found))
        except ValueError as error:
            raise DataError(f"{path}, {name}: {error}.") from None
    return entries


def _entry(name: str, content: Any) -> Entry:
    """One entry; raises ValueError that says what is wrong in it."""
    if not isinstance(content, Mapping):
        raise ValueError("the entry must map words to values")
    for needed in ("command", "make", "tolerance"):
        if needed not in content:
            raise ValueError(f"the entry lacks {needed!r}")
        if needed != "tolerance" and not (isinstance(content[needed], str) and content[needed].strip()):
            raise ValueError(f"{needed} must be words")
    for other in set(content) - {"command", "make", "tolerance", *KINDS}:
        raise ValueError(f"the entry has {other!r}, which is not known")
    tolerances = {kind: value for (kind,), value in _leaves(content["tolerance"], (str,), "tolerance")}
    numbers = []
    for kind in (kind for kind in KINDS if kind in content):
        if kind not in tolerances:
            raise ValueError(f"tolerance has no {kind!r}")
        for keys, value in _leaves(content[kind], KINDS[kind].levels, kind):
            of, criterion = keys[0] if keys else "", keys[1] if len(keys) > 2 else 0
            k = keys[-1] if len(keys) > 1 else 0
            numbers.append(Number(kind, of, criterion, k, value, tolerances[kind]))
    if not numbers:
        raise ValueError("there is no number to check")
    command, make = (" ".join(content[said].split()) for said in ("command", "make"))
    named = _parsed(command)
    options = Options(
        rows=None if named.rows is None else tuple(named.rows.split(",")),
        attribute=named.attribute,
        queries=named.queries,
        seed=named.seed,
        rivals=named.rivals,
        cpi=named.cpi,
        classifier=named.classifier,
        parts={"tables", *(KINDS[number.kind].part for number in numbers)},
    )
    return Entry(
        name, command, make, named.data, tuple(named.weights), named.cropped, options, tuple(numbers)
    )


def _leaves(content: Any, levels: Sequence[Level], said: str) -> Iterator[tuple[tuple[Any, ...], float]]:
    """The numbers of nested maps and lists, each with the keys that lead to it; raises ValueError."""
    if not levels:
        if isinstance(content, bool) or not isinstance(content, int | float):
            raise ValueError(f"{said} holds {content!r}, which is no number")
        yield (), float(content)
        return
    level, *rest = levels
    if isinstance(level, tuple):
        if not isinstance(content, list) or len(content) != len(level):
            raise ValueError(f"{said} must be a list of {len(level)} numbers")
        content = dict(zip(level, content, strict=True))
    elif not isinstance(content, Mapping) or not all(type(key) is level for key in content):
        raise ValueError(f"{said} must map {'words' if level is str else 'whole numbers'} to values")
    for key, value in content.items():
        for keys, number in _leaves(value, rest, f"{said} {key}"):
            yield (key, *keys), number


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parsed(command: str) -> argparse.Namespace:
    """The options that a command names; raises ValueError."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("data")
    parser.add_argument("--weights", action="append", default=[])
    parser.add_argument("--attribute", choices=ATTRIBUTES)
    for option in ("--rows", "--rivals", "--cpi", "--classifier", "--out"):
        parser.add_argument(option)
    parser.add_argument("--cropped", action="store_true")
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--seed", type=int, default=0)
    words = shlex.split(command)
    if words[:2] != ["anotheryou", "benchmark"]:
        raise ValueError(f"the command {command!r} does not begin with anotheryou benchmark")
    try:
        return parser.parse_args(words[2:])
    except ValueError as error:
        raise ValueError(f"the command {command!r} cannot be understood ({error})") from None
