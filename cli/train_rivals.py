"""``anotheryou train-rivals``: what the rivals of the benchmark learn from the training people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_rivals(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Labelled folder or .zip of one; nobody of split test is looked at."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for what was learned.")],
    attribute: Annotated[
        str, typer.Option(help="What the rivals shall tell apart: pose, light or accessory.")
    ] = "pose",
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            metavar="NAME|DIR",
            help="Weights whose features are tried beside the others.",
        ),
    ] = "rotation-32-protocol",
    validate: Annotated[
        Path | None,
        typer.Option(
            help="Labelled folder or .zip of other people to choose the best classifier by. They should be "
            "unknown to the weights as well, whose features tell more of the people they learned from."
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(min=1, help="Training people kept aside to choose by, if no others are named.")
    ] = 20,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops; otherwise faces are detected.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything drawn at random.")] = 0,
) -> None:
    """Fit the rivals that `benchmark` compares with: a classifier, and means for feature arithmetic.

    Two-step retrieval filters the gallery by a classifier of the pose (or the accessory). Every kind of
    classifier is tried on every kind of feature, and the best on people it has not seen is kept. Feature
    arithmetic takes the mean features of each value. Faces are described by their pixels, by the features of
    the weights and, if the set keeps larger pictures, by dlib's 128 numbers.

    Example:

        anotheryou train-rivals sets/rotation --validate sets/other --cropped --out my-rivals
        anotheryou benchmark sets/rotation --cropped --rivals my-rivals --out results
    """
    from baselines.network_features import open_features
    from baselines.rivals import fit_rivals, people_to_learn_from, save_rivals, split_people
    from cli.console import RichProgress, print_table, say
    from cli.train import attribute_named
    from evaluation.ours import CanonicalFeatures
    from evaluation.studio import Studio
    from facedata.labelled import read_labelled
    from faces.errors import DataError
    from generator.checkpoint import load_generator

    name = attribute_named(attribute)
    progress = RichProgress()
    generator = load_generator(weights)
    faces = read_labelled(data, cropped=cropped, geometry=generator.geometry, progress=progress)
    learners = people_to_learn_from(faces)
    if validate is not None:
        validation = read_labelled(validate, cropped=cropped, geometry=generator.geometry, progress=progress)
    else:
        learners, validation = split_people(learners, held_out=held_out, seed=seed)
    ours = CanonicalFeatures(studio=Studio(generator, progress=progress))
    rivals = fit_rivals(
        learners,
        validation,
        attribute=name,
        features=(open_features("image"), ours, open_features("dlib-128")),
        weights=(generator.name, generator.weights_id),
        seed=seed,
        progress=progress,
    )
    try:
        save_rivals(out, rivals)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}).") from None
    rows = [(one.feature, one.model, f"{one.accuracy:.2f}") for one in rivals.candidates]
    title = f"{attribute} told rightly, %"
    print_table(("features", "classifier", title), rows, right=(title,))
    say(f"the best one is kept in {out}")
