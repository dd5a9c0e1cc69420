"""Prints an entry of ``evaluation/expected.yaml`` from a folder of results.

    python benchmarks/expected_entry.py results --name mini --data rendered-mini --make "comes along"

The command is put together from what the results say of themselves: weights, rows, queries and seed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cli.guard import run_script
from evaluation.check import KINDS, Level
from evaluation.methods import in_order, methods_for
from evaluation.protocol import QUERIES
from evaluation.results import Results, read_results
from faces.errors import DataError


def entry(results: Results, name: str, data: str, make: str, *, cropped: bool) -> str:
    """The entry of the set that ``data`` is called, as YAML.  Raises DataError if it was not measured."""
    found = results.of(Path(data).stem)
    if not found.sets:
        raise DataError(f"there are no results of {Path(data).stem}.")
    parts = {kind: numbers for kind in KINDS if (numbers := _numbers(found, kind))}
    tolerance = {kind: KINDS[kind].tolerance for kind in parts}
    command = _command(found, data, cropped=cropped)
    content = {"command": command, "make": make, "tolerance": tolerance, **parts}
    text: str = yaml.safe_dump({name: content}, sort_keys=False, width=math.inf, default_flow_style=None)
    return text


def _numbers(found: Results, kind: str) -> Any:
    """What was measured, nested as the levels of the kind say; nothing if it was not measured."""
    known = KINDS[kind]
    order = [method.name for method in in_order(["", *found.methods()], found.sets[0].attribute)]
    leaves = []
    for value in sorted(found.find(known.measure), key=lambda value: order.index(value.method)):
        of, k = value.of, value.k
        keys = [(), (of,), (of, k), (of, value.criterion, k)][len(known.levels)]
        leaves.append((keys, round(value.value, known.digits)))
    return _nested(leaves, known.levels) if leaves else None


def _nested(leaves: Sequence[tuple[tuple[Any, ...], float]], levels: Sequence[Level]) -> Any:
    """Numbers with the keys that lead to them as maps in maps, or lists for known places."""
    if not levels:
        return leaves[0][1]
    branches: dict[Any, Any] = {}
    for (key, *rest), number in leaves:
        branches.setdefault(key, []).append((rest, number))
    nested = {key: _nested(below, levels[1:]) for key, below in branches.items()}
    return list(nested.values()) if isinstance(levels[0], tuple) else nested


def _command(found: Results, data: str, *, cropped: bool) -> str:
    header = found.sets[0]
    words = ["anotheryou benchmark", data, *(["--cropped"] if cropped else [])]
    words += [f"--weights {weights.partition('@')[0]}" for weights in header.weights]
    if header.queries not in (0, QUERIES):
        words.append(f"--queries {header.queries}")
    rows = [method.name for method in in_order(found.methods(), header.attribute)]
    if not set(rows) >= set(methods_for(header.attribute)):
        words.append(f"--rows {','.join(rows)}")
    if header.seed:
        words.append(f"--seed {header.seed}")
    return " ".join(words)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description="Print an entry of evaluation/expected.yaml.")
    parser.add_argument("results", type=Path, metavar="DIR", help="folder of results")
    parser.add_argument("--name", required=True, help="what the entry is called")
    parser.add_argument("--data", required=True, help="the set as the command names it")
    parser.add_argument("--make", required=True, help="where the set comes from")
    parser.add_argument("--cropped", action="store_true", help="the command needs --cropped")
    wanted = parser.parse_args()
    results = read_results(wanted.results)
    print(entry(results, wanted.name, wanted.data, wanted.make, cropped=wanted.cropped), end="")


if __name__ == "__main__":
    sys.exit(run_script(main))
