"""``anotheryou benchmark``: the paper's experiments on sets of faces, and the report of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evaluation.experiment import Experiment
    from evaluation.generators import GeneratorLike


def benchmark(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Labelled folders (pictures and labels.csv), .zip files of such, or rendered-mini.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="NAME|DIR",
            help="Weights to measure, also several times: the first that fit a set are tested, the others "
            "compared with them. Otherwise those that come along.",
            show_default=False,
        ),
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(
            "--attribute",
            help="What is wished for: pose, light or accessory; otherwise what the weights know and the "
            "faces differ in.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="NAME,NAME",
            help="Only these rows of the tables, such as ours-features,two-step-image; otherwise all.",
            show_default=False,
        ),
    ] = None,
    rivals: Annotated[
        str | None,
        typer.Option(
            "--rivals",
            metavar="NAME|DIR",
            help="Rivals that `train-rivals` has fitted; otherwise those that come along.",
            show_default=False,
        ),
    ] = None,
    vgg16: Annotated[
        Path | None,
        typer.Option("--vgg16", metavar="FILE", help="The published weights of VGG-16.", show_default=False),
    ] = None,
    vgg_face: Annotated[
        Path | None,
        typer.Option(
            "--vgg-face", metavar="FILE", help="The published weights of VGG-Face.", show_default=False
        ),
    ] = None,
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
    """Measure how often the right face is found: recall@1, 5 and 20, for us and for every rival.

    Each query is a face of the test people and a value (a pose, an accessory) it does not have; the gallery
    is all their faces. An answer is right under criterion 1 if it shows the right person with that value,
    under criterion 2 if the light is the same as well. Beside recall the errors of the drawings are measured,
    how recall depends on the size of the change and on badly cropped queries, and what canonicalisation takes
    faces for. Every number has its 95 % interval, and where the paper has one it stands beside ours.

    The faces of split "test" are used, or all where no split is given. What is finished is written to
    DIR/results.jsonl at once: after an interruption the same command goes on from there.

    Example:

        anotheryou benchmark rendered-mini --out results
        anotheryou benchmark sets/rotation --cropped --weights my-weights --weights rotation-32 --out results
        anotheryou benchmark faces/ --cropped --rows ours-features,two-step-image --queries 2000 --out results
    """
    from cli.console import RichProgress, print_table, say
    from cli.train import attribute_named
    from evaluation.journal import Journal
    from evaluation.run import Settings, Workshop, check_names, named, open_set
    from evaluation.tables import all_tables

    check_names(data)
    progress = RichProgress()
    workshop = Workshop(
        named(_generators(weights)),
        compare=weights is not None,
        settings=Settings(
            rows=None if rows is None else tuple(name.strip() for name in rows.split(",")),
            attribute=None if attribute is None else attribute_named(attribute),
            queries=queries,
            seed=seed,
            rivals=rivals,
            vgg16=vgg16,
            vgg_face=vgg_face,
        ),
    )
    journal = Journal(out)
    for name in data:
        experiment = workshop.measure(open_set(name, cropped=cropped, progress=progress), journal, progress)
        _say_what_is_left_out(experiment, queries)
    for table in all_tables(journal.results):
        typer.echo(f"\n{table.title}\n")
        print_table(table.columns, table.rows, right=table.columns[1:])
    say(f"the results are in {out}")


def _say_what_is_left_out(experiment: Experiment, queries: int) -> None:
    from cli.console import say

    gallery = experiment.gallery
    if gallery.left_out:
        say(
            f"{gallery.name}: {gallery.left_out:,} pictures show no face that could be found and are left out"
        )
    if not experiment.searched:
        say(f"{gallery.name}: the weights know one {experiment.attribute} only, so nothing is searched for")
        return
    if len(experiment.queries) < queries:
        say(f"{gallery.name}: there are only {len(experiment.queries):,} different queries; all are asked")
    if len(experiment.criteria) < 2:
        say(f"{gallery.name}: criterion 2 is left out, as the lights are not known")


def _generators(weights: list[str] | None) -> list[GeneratorLike]:
    from evaluation.run import DEFAULT_WEIGHTS
    from generator.checkpoint import load_generator, shipped_names

    names = weights or [name for name in DEFAULT_WEIGHTS if name in shipped_names()]
    return [load_generator(name) for name in names]
