"""``anotheryou benchmark``: the paper's retrieval experiment on a set of faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MINI = "rendered-mini"


def benchmark(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A labelled folder (pictures and labels.csv), a .zip of one, or rendered-mini.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    weights: Annotated[
        str,
        typer.Option("--weights", metavar="NAME|DIR", help="Weights that come along, or a folder of them."),
    ] = "rotation-32",
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops; no detection.")
    ] = False,
    queries: Annotated[
        int, typer.Option("--queries", metavar="N", min=1, help="How many queries to draw.")
    ] = 10_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="What the queries are drawn with.")
    ] = 0,
) -> None:
    """Measure how often the right face is found: recall@1, 5 and 20.

    Each query is a face of the test people and a pose it does not have; the gallery is all their faces. An
    answer is right under criterion 1 if it shows the right person in that pose, under criterion 2 if the
    light is the same as well. The tables show the paper's numbers beside the measured ones; the results are
    also written to DIR/results.jsonl, one line for each row and criterion.

    The faces of split "test" are used, or all where no split is given.

    Example:

        anotheryou benchmark rendered-mini --out results
        anotheryou benchmark faces/ --cropped --weights my-weights --queries 2000 --out results
    """
    from cli.console import RichProgress, print_table, say
    from evaluation.benchmark import prepare, run_benchmark
    from evaluation.studio import Studio
    from evaluation.tables import confusion_table, error_table, recall_tables
    from facedata.labelled import read_labelled, rendered_mini_path
    from generator.checkpoint import load_generator

    progress = RichProgress()
    generator = load_generator(weights)
    mini = data == MINI
    faces = read_labelled(
        rendered_mini_path() if mini else Path(data),
        cropped=cropped or mini,
        geometry=generator.geometry,
        progress=progress,
    )
    if faces.left_out:
        say(f"{faces.left_out:,} pictures show no face that could be found and are left out")
    experiment = prepare(faces, Studio(generator, progress=progress), count=queries, seed=seed)
    if len(experiment.queries) < queries:
        say(f"there are only {len(experiment.queries):,} different queries; all are asked")
    if not experiment.knows_lights:
        say("criterion 2 is left out: the lights are not known")
    measured = run_benchmark(experiment, out)
    tables = recall_tables(measured.results, experiment.attribute)
    if measured.errors is not None:
        tables.append(error_table(measured.errors, experiment.attribute))
    tables.append(confusion_table(measured.confusion))
    for table in tables:
        typer.echo(f"\n{table.title}\n")
        print_table(table.columns, table.rows, right=table.columns[1:])
    say(f"the results are in {out}")
