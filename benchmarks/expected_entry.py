"""Prints an entry of ``evaluation/expected.yaml`` from a folder of results.

    python benchmarks/expected_entry.py results --name mini --data rendered-mini --make "comes along"

The command is put together from what the results say of themselves: weights, rows, queries and seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.guard import run_script
from evaluation.journal import read_results
from evaluation.protocol import QUERIES
from evaluation.recall import KS
from evaluation.results import Results
from evaluation.tables import in_order, row_names
from faces.errors import DataError

TOLERANCES = {
    "recall": 1.0,
    "error": 5.0,
    "absolute-error": 0.2,
    "canonicalised": 0.5,
    "classifier": 0.5,
    "change": 2.0,
}


def entry(results: Results, name: str, data: str, make: str, *, cropped: bool) -> str:
    """The entry of the set that ``data`` is called, as YAML.  Raises DataError where it was not measured."""
    dataset = Path(data).stem
    found = results.of(dataset)
    if not found.sets:
        raise DataError(f"there are no results of {dataset}.")
    parts = {kind: lines for kind, lines in _parts(found).items() if lines}
    tolerances = ", ".join(f"{kind}: {TOLERANCES[kind]:g}" for kind in parts)
    lines = [f"{name}:", f"  command: {_command(found, data, cropped=cropped)}", f"  make: {make}"]
    lines.append(f"  tolerance: {{{tolerances}}}")
    for kind, numbers in parts.items():
        lines += [f"  {kind}:{numbers[0]}" if kind == "classifier" else f"  {kind}:"]
        lines += [] if kind == "classifier" else [f"    {line}" for line in numbers]
    return "\n".join(lines) + "\n"


def _parts(found: Results) -> dict[str, list[str]]:
    """The lines of each kind of number."""
    recall: dict[str, list[str]] = {}
    for row in in_order([row for row in found.rows if row.available], found.sets[0].attribute):
        values = ", ".join(f"{row.recall[k]:.1f}" for k in KS)
        recall.setdefault(row.row, []).append(f"{row.criterion}: [{values}]")
    change: dict[str, list[str]] = {}
    for one in found.changes:
        values = ", ".join(f"{size}: {value:.1f}" for size, value in one.recall.items())
        change.setdefault(one.row, []).append(f"{one.criterion}: {{{values}}}")
    return {
        "recall": [f"{row}: {{{', '.join(lines)}}}" for row, lines in recall.items()],
        "error": [_stages(one.weights, one.squared, 1) for one in found.errors],
        "absolute-error": [_stages(one.weights, one.absolute, 2) for one in found.errors],
        "canonicalised": [f"{one.weights.partition('@')[0]}: {one.accuracy:.1f}" for one in found.confusions],
        "classifier": [f" {one.accuracy:.1f}" for one in found.classifiers],
        "change": [f"{row}: {{{', '.join(lines)}}}" for row, lines in change.items()],
    }


def _stages(weights: str, errors: dict[str, float], digits: int) -> str:
    return f"{weights.partition('@')[0]}: [{', '.join(f'{value:.{digits}f}' for value in errors.values())}]"


def _command(found: Results, data: str, *, cropped: bool) -> str:
    measured = found.sets[0]
    words = ["anotheryou benchmark", data, *(["--cropped"] if cropped else [])]
    words += [f"--weights {weights.partition('@')[0]}" for weights in measured.weights]
    if measured.queries not in (0, QUERIES):
        words.append(f"--queries {measured.queries}")
    rows = list(dict.fromkeys(row.row for row in in_order(found.rows, measured.attribute)))
    if not set(rows) >= set(row_names(measured.attribute)):
        words.append(f"--rows {','.join(rows)}")
    if measured.seed:
        words.append(f"--seed {measured.seed}")
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
