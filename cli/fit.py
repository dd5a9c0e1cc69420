"""``anotheryou calibrate`` and ``fit-projection``: what makes a user's own models fit for search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import RichProgress, say
from cli.options import ForceOption, refuse_existing


def calibrate(
    faces: Annotated[
        Path,
        typer.Argument(
            metavar="FACES", help="A labelled folder of photographs of several people, or a .zip of one."
        ),
    ],
    identity: Annotated[str, typer.Option(metavar="FILE", help="The .onnx model, or dlib-128.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write; otherwise the one that searches look for."),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are ready crops with larger pictures beside them.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Find out when two descriptors of an identity model mean one person.

    FACES needs a labels.csv with the columns file and person: some dozen people, several photographs of
    each. All other weights stay as they come along. From then on --identity takes the model.

    Example:

        anotheryou calibrate faces --identity sface.onnx
        anotheryou index ~/Pictures --identity sface.onnx --collection ~/other
    """
    from evaluation.calibrate import calibrate_identity
    from facedata.labelled import read_labelled
    from retrieval.calibration import read_calibration, user_calibration

    path = out or user_calibration()
    if out is not None:
        refuse_existing(out, force)
    progress, known = RichProgress(), read_calibration()
    found = read_labelled(faces, cropped=cropped, progress=progress)
    made, report = calibrate_identity(known, found, identity, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)
    typer.echo(report)
    say(f"wrote {path}")


def fit_projection(
    weights: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", help="A folder that `anotheryou train` has written.")
    ],
    faces: Annotated[
        list[Path], typer.Argument(metavar="FACES...", help="Labelled sets of faces, rendered ones best.")
    ],
    count: Annotated[
        int, typer.Option("--faces", metavar="N", min=300, help="How many faces to learn from.")
    ] = 6000,
    stored: Annotated[
        int, typer.Option(metavar="P", min=1, max=256, help="How many numbers a collection keeps.")
    ] = 128,
    cropped: Annotated[bool, typer.Option("--cropped", help="The pictures are ready crops.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed chooses other faces.")] = 0,
    force: ForceOption = False,
) -> None:
    """Learn the projection that makes a network's features a few numbers, and put it beside the weights.

    A collection keeps only these of each face. It is a principal component analysis of canonical faces. One
    that is there already is kept unless --force is given, as collections were made with it.

    Example:

        anotheryou fit-projection my-weights sets/photos sets/many --cropped --stored 192
    """
    import numpy as np

    from evaluation.studio import Studio
    from facedata.labelled import read_labelled
    from facedata.large_pictures import Pictures
    from generator.checkpoint import load_generator
    from generator.projection import COMPONENTS, PROJECTION_FILE, Projection

    progress = RichProgress()
    generator = load_generator(weights)
    folder = generator.folder or weights
    refuse_existing(folder / PROJECTION_FILE, force)
    crops = [
        read_labelled(path, cropped=cropped, geometry=generator.geometry, progress=progress).crops
        for path in faces
    ]
    share = -(-count // len(crops))
    rng = np.random.default_rng(seed)
    chosen = np.concatenate([some[np.sort(rng.permutation(len(some))[:share])] for some in crops])
    features = Studio(generator, progress=progress).canonical(Pictures(chosen)).features
    # A small network has fewer features than there are components.
    dimension = min(COMPONENTS, generator.feature_size)
    projection = Projection.fit(features, dimension, stored=min(stored, dimension), seed=seed)
    projection.save(folder)
    say(f"wrote the projection of {len(chosen):,} faces beside the weights in {folder}")
