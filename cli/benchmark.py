"""``anotheryou benchmark``: the paper's experiments on sets of faces, and the report of them."""

from __future__ import annotations

import sys
import tempfile
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AttributeName

if TYPE_CHECKING:
    from evaluation.benchmark import Benchmark
    from evaluation.protocol import Experiment
    from evaluation.results import Journal, Results


def benchmark(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA...",
            help="Labelled folders (pictures and labels.csv), .zip files of such, or rendered-mini.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for results and report.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="NAME|DIR",
            help="Weights to measure, also several times: the first that fit a set are tested, the others "
            "compared with them. Otherwise those that come along.",
        ),
    ] = None,
    attribute: Annotated[
        AttributeName | None,
        typer.Option(help="What is wished for; otherwise what the weights know and the faces differ in."),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Only these rows of the tables, such as ours-features,two-step-image; otherwise all.",
        ),
    ] = None,
    rivals: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR", help="Rivals that `train-rivals` has fitted; otherwise those that come along."
        ),
    ] = None,
    cpi: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="The rival CPI that `train-cpi` has trained; otherwise the one that comes along.",
        ),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="What tells the row fused what faces show: a folder that `train-classifier` has written, or "
            "none; otherwise the one that comes along.",
        ),
    ] = None,
    vgg16: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The published weights of VGG-16.")
    ] = None,
    vgg_face: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The published weights of VGG-Face.")
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops; no detection.")
    ] = False,
    queries: Annotated[int, typer.Option(metavar="N", min=1, help="How many queries to draw.")] = 10_000,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="What the queries are drawn with.")] = 0,
    wishes: Annotated[
        bool,
        typer.Option(
            "--wishes",
            help="Ask for everything that the first weights can change, each alone and every two at once.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run the commands behind the reported numbers and compare.")
    ] = False,
    expected: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What --check compares with; otherwise what comes along."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Only these of tables, classifier, errors, confusion, change, misalignment, figures; what "
            "is left out can be added later. With --check, only these entries.",
        ),
    ] = None,
) -> None:
    """Measure how often the right face is found: recall@1, 5 and 20, for us and for every rival.

    Each query is a face of the test people and a value (a pose, an accessory) it does not have; the gallery
    is all their faces. An answer is right under criterion 1 if it shows the right person with that value,
    under criterion 2 if the light is the same as well. Beside recall the errors of the drawings are measured,
    how recall depends on the size of the change and on badly cropped queries, and what canonicalisation takes
    faces for. Every number has its 95 % interval, and if the paper has one, it stands beside ours.

    The faces of split "test" are used, or all if no split is given. What is finished is written to
    DIR/results.jsonl at once: after an interruption the same command goes on from there. DIR/report.html and
    DIR/report.md show everything. Most of the time goes into what stands beside recall: --only tables leaves
    that out.

    With --wishes each question asks for what another picture of the person shows: one attribute in which both
    differ, or two of them at once. N questions are drawn for each attribute, and N for all pairs together;
    right is the right person with all that was wished, whatever else the answer shows.

    With --check the commands behind the numbers that are reported are run again and each number is said to be
    OK, CLOSE or FAIL, as far as the sets they need are given as DATA.

    Example:

        anotheryou benchmark rendered-mini --out results
        anotheryou benchmark rendered-mini --only tables --out results
        anotheryou benchmark sets/rotation --cropped --weights my-weights --weights rotation-32 --out results
        anotheryou benchmark sets/wishes --cropped --weights my-weights --wishes --out results
        anotheryou benchmark --check sets/rotation
    """
    if check:
        _check(data or [], out, expected, only)
        return
    if not data:
        raise typer.BadParameter("name at least one set of faces, such as rendered-mini.", param_hint="DATA")
    if out is None:
        raise typer.BadParameter("name a folder for the results.", param_hint="--out")
    from cli.console import RichProgress, say
    from evaluation.benchmark import PARTS, Benchmark, Options, check_names, generators_named, open_set
    from evaluation.report import note_run, write_report
    from evaluation.results import Journal

    check_names(data)
    parts = PARTS if only is None else _names(only)
    if unknown := [part for part in parts if part not in PARTS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(PARTS)}.", param_hint="--only")
    progress = RichProgress()
    options = Options(
        rows=None if rows is None else _names(rows),
        attribute=attribute,
        queries=queries,
        seed=seed,
        rivals=rivals,
        cpi=cpi,
        classifier=classifier,
        vgg16=vgg16,
        vgg_face=vgg_face,
        parts=parts,
    )
    measuring = Benchmark(generators_named(weights or []), compare=weights is not None, options=options)
    journal = Journal(out)
    if wishes:
        _ask_every_wish(measuring, data, journal, cropped=cropped)
        say(f"the results are in {out}")
        return
    for name in data:
        experiment = measuring.measure(open_set(name, cropped=cropped, progress=progress), journal, progress)
        _say_what_is_left_out(experiment, queries)
    note_run(out, ["anotheryou", *sys.argv[1:]])
    write_report(out)
    print_results(journal.results)
    say(f"the results are in {out}, the report in {out / 'report.html'}")


def _ask_every_wish(measuring: Benchmark, data: list[str], journal: Journal, *, cropped: bool) -> None:
    """Measure every wish of each set, and print a table for each."""
    from cli.console import RichProgress, print_table
    from evaluation.benchmark import StepProgress, open_set
    from evaluation.wishes import measure_wishes, wishes_table

    options, progress = measuring.options, RichProgress()
    for name in data:
        steps = StepProgress(progress)
        faces, context = measuring.open_all(open_set(name, cropped=cropped, progress=progress), steps)
        measure_wishes(
            faces,
            context,
            journal,
            steps,
            rows=options.rows,
            count=options.queries,
            seed=options.seed,
        )
        columns, lines = wishes_table(journal.results.of(f"{faces.name}-wishes"))
        typer.echo(f"\n{faces.name}: R@1 / 5 / 20, right person with all that was wished\n")
        print_table(columns, lines, right=columns[1:])


def print_results(results: Results) -> None:
    """Print every table of every set of faces."""
    from cli.console import print_table
    from evaluation.tables import set_tables

    for header in results.sets:
        for table in chain(*set_tables(header, results.of(header.set)).values()):
            typer.echo(f"\n{header.set}: {table.title}\n")
            columns, lines = table.plain()
            print_table(columns, lines, right=columns[1:])
            if table.note:
                typer.echo(f"\n{table.note}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _check(data: list[str], out: Path | None, expected: Path | None, only: str | None) -> None:
    """Run the commands behind the expected numbers; exits with 1 if a number fails."""
    from cli.console import RichProgress, say
    from evaluation.check import FILE, check, chosen, read_expected

    entries = chosen(read_expected(expected or FILE), None if only is None else only.split(","))
    verdicts = {"OK": 0, "CLOSE": 0, "FAIL": 0, "SKIPPED": 0}
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as folder:
        for entry, measured in check(entries, data, Path(folder), RichProgress()):
            typer.echo(f"\n{entry.command}")
            if measured is None:
                verdicts["SKIPPED"] += len(entry.numbers)
                typer.echo(f"SKIPPED  {len(entry.numbers)} numbers; to check them: {entry.make}")
                continue
            for number, found in zip(entry.numbers, measured, strict=True):
                verdict = number.verdict(found)
                verdicts[verdict] += 1
                expected_words = f"expected {number.value:g} ± {number.tolerance:g}"
                typer.echo(f"{verdict:<7}  {number}: {found:.2f}, {expected_words}")
    say(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    if verdicts["FAIL"]:
        raise typer.Exit(1)


def _say_what_is_left_out(experiment: Experiment, queries: int) -> None:
    from cli.console import say

    name, left_out, asked = experiment.gallery.name, experiment.gallery.left_out, len(experiment.queries)
    if left_out:
        say(f"{name}: {left_out:,} pictures show no face that could be found and are left out")
    if not experiment.searched:
        say(f"{name}: the weights know one {experiment.attribute} only, so nothing is searched for")
        return
    if asked < queries:
        say(f"{name}: there are only {asked:,} different queries; all are asked")
    if len(experiment.criteria) < 2:
        say(f"{name}: criterion 2 is left out, as the lights are not known")
