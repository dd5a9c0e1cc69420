"""Prints an entry of ``evaluation/expected.yaml`` from a folder of results.

    python benchmarks/expected_entry.py results --name mini --data rendered-mini --make "comes along"

The command is put together from what the results say of themselves: weights, rows, queries and seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.guard import run_script
from evaluation.methods import in_order, methods_for
from evaluation.protocol import QUERIES
from evaluation.recall import KS
from evaluation.results import Results, Value, read_results
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
    """The entry of the set that ``data`` is called, as YAML.  Raises DataError if it was not measured."""
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
    header = found.sets[0]
    recall = []
    for method in in_order(found.methods(), header.attribute):
        by_criterion = []
        for criterion in range(1, len(header.criteria) + 1):
            if values := found.recall(method.name, criterion):
                by_criterion.append(f"{criterion}: [{', '.join(f'{values[k].value:.1f}' for k in KS)}]")
        if by_criterion:
            recall.append(f"{method.name}: {{{', '.join(by_criterion)}}}")
    by_row: dict[str, dict[int, list[str]]] = {}
    for value in found.find("recall@5 by change"):
        by_size = by_row.setdefault(value.method, {}).setdefault(value.criterion, [])
        by_size.append(f"{value.k}: {value.value:.1f}")
    change = []
    for row, criteria in by_row.items():
        numbers = [f"{criterion}: {{{', '.join(sizes)}}}" for criterion, sizes in criteria.items()]
        change.append(f"{row}: {{{', '.join(numbers)}}}")
    canonicalised = found.find("canonicalised")
    return {
        "recall": recall,
        "error": _stages(found.find("squared error"), 1),
        "absolute-error": _stages(found.find("absolute error"), 2),
        "canonicalised": [f"{one.weights.partition('@')[0]}: {one.value:.1f}" for one in canonicalised],
        "classifier": [f" {one.value:.1f}" for one in found.find("classifier")],
        "change": change,
    }


def _stages(errors: list[Value], digits: int) -> list[str]:
    """A line for each weights: the errors of both stages."""
    lines = []
    for weights in dict.fromkeys(error.weights for error in errors):
        values = [f"{error.value:.{digits}f}" for error in errors if error.weights == weights]
        lines.append(f"{weights.partition('@')[0]}: [{', '.join(values)}]")
    return lines


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
