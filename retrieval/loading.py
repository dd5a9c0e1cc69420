"""Opening an engine: by name, by folder, or as a collection was made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from faces.errors import CollectionWeightsError
from generator.available import CLASSIFIER_FILE
from generator.deferred import DeferredGenerator
from generator.projection import load_projection
from index import Layout, Place, outdated
from retrieval.calibration import Calibration, read_calibration
from retrieval.engine import VERSION, Encoding, Engine
from retrieval.identity import Identity, open_identity

DEFAULT_WEIGHTS = ("rotation-32", "accessories-32")


def load_engine(
    weights: Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    *,
    layout: Layout | None = None,
    calibration: Calibration | Path | None = None,
) -> Engine:
    """Open the weights and the identity model that are named; what is not named is as ``layout`` says.

    Without either: the weights that come along for poses and for accessories, and dlib's descriptor.
    ``calibration`` is one, or its file; by default the user's own, if there is one, or that which comes
    along.  Raises WeightsError.
    """
    made = {} if layout is None or is_outdated(layout) else layout.description
    if weights is None:
        weights = [one["source"] for one in made["encodings"]] if made else DEFAULT_WEIGHTS
    if identity is None and made:
        identity = made["identity"]["source"] if made["identity"] else "none"
    if not isinstance(calibration, Calibration):
        calibration = read_calibration(calibration)
    return Engine([load_encoding(one) for one in weights], _calibrated(identity, calibration), calibration)


def load_encoding(weights: str | Path) -> Encoding:
    """Open weights, a name or a folder, with their projection; raises WeightsError."""
    generator = DeferredGenerator(weights)
    projection = load_projection(generator.folder, generator.config.architecture.features_of()).first()
    classifier = generator.folder / CLASSIFIER_FILE
    return Encoding(
        generator,
        projection,
        str(generator.folder) if Path(weights).is_dir() else str(weights),
        hashlib.sha256(classifier.read_bytes()).hexdigest()[:12] if classifier.is_file() else "",
    )


def is_outdated(layout: Layout) -> bool:
    """Tell whether a collection was made by an older version, which knew other vectors."""
    return layout.description.get("version") != VERSION


def check_layout(place: Place, found: Layout, wanted: Layout) -> None:
    """Raise CollectionWeightsError if a collection was made by an older version or with something else."""
    if found.digest == wanted.digest:
        return
    if is_outdated(found):
        raise outdated(place)
    raise CollectionWeightsError(
        f"the collection in {place} was made with {_words(found)}, not with {_words(wanted)}; use those, or "
        "make its vectors again with `anotheryou reindex`"
    )


def _calibrated(identity: str | Path | None, calibration: Calibration) -> Identity | None:
    """Open the model, which takes pictures as its calibration found out."""
    opened = open_identity(identity)
    if opened is None:
        return None
    known = calibration.identity(opened.digest, opened.name)
    return opened if known.scaled else open_identity(identity, scaled=False)


def _words(layout: Layout) -> str:
    names = [f"{one['name']} ({one['weights_id']})" for one in layout.description["encodings"]]
    identity = layout.description["identity"]
    return ", ".join([*names, "no identity model" if identity is None else identity["source"]])
