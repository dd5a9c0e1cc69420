"""Opening an engine: by name, by folder, or as a collection was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from faces.errors import CollectionWeightsError
from generator.deferred import DeferredClassifier, DeferredGenerator
from generator.projection import load_projection
from index import Layout, Place, outdated
from retrieval.calibration import Calibration, read_calibration
from retrieval.engine import VERSION, Engine
from retrieval.identity import Identity, open_identity
from retrieval.parts import Encoding, Telling

DEFAULT_WEIGHTS = ("rotation-32", "accessories-32")
DEFAULT_CLASSIFIER = "attributes-32"


def load_engine(
    weights: Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    classifier: str | Path | None = None,
    *,
    layout: Layout | None = None,
    calibration: Calibration | Path | None = None,
) -> Engine:
    """Open the weights, the identity model and the classifier that are named; the rest is as ``layout`` says.

    Without either: the weights that come along for poses and for accessories, dlib's descriptor, and the
    classifier that comes along, if it knows all that the weights know.
    ``calibration`` is one, or its file; by default the user's own, if there is one, or that which comes
    along.  Raises WeightsError.
    """
    made = {} if layout is None or is_outdated(layout) else layout.description
    if classifier is None and made:
        classifier = made.get("classifier", {}).get("source", "none")
    if weights is None:
        weights = [one["source"] for one in made["encodings"]] if made else DEFAULT_WEIGHTS
    if identity is None and made:
        identity = made["identity"]["source"] if made["identity"] else "none"
    if not isinstance(calibration, Calibration):
        calibration = read_calibration(calibration)
    encodings = [load_encoding(one) for one in weights]
    telling = usual_telling(encodings) if classifier is None else load_telling(classifier)
    return Engine(encodings, _calibrated(identity, calibration), calibration, telling)


def load_encoding(weights: str | Path) -> Encoding:
    """Open weights, a name or a folder, with their projection; raises WeightsError."""
    generator = DeferredGenerator(weights)
    projection = load_projection(generator.folder, generator.config.architecture.features_of()).first()
    return Encoding(generator, projection, _source(weights, generator.folder))


def load_telling(classifier: str | Path) -> Telling | None:
    """Open a classifier, a name or a folder, or "none"; raises WeightsError."""
    if str(classifier) == "none":
        return None
    opened = DeferredClassifier(classifier)
    return Telling(opened, _source(classifier, opened.folder))


def usual_telling(encodings: Iterable[Encoding]) -> Telling | None:
    """Open the classifier that comes along; None if it does not fit these encodings."""
    telling = load_telling(DEFAULT_CLASSIFIER)
    return None if telling is None or telling.unfit(encodings) else telling


def _source(named: str | Path, folder: Path) -> str:
    return str(folder) if Path(named).is_dir() else str(named)


def is_outdated(layout: Layout) -> bool:
    """Tell whether a collection was made by an older version, which knew other vectors."""
    return layout.description.get("version") != VERSION


def check_layout(place: Place, found: Layout, wanted: Layout) -> None:
    """Raise CollectionWeightsError if a collection was made by an older version or with something else."""
    if found.digest == wanted.digest:
        return
    before, now = (layout.description.get("identity") or {} for layout in (found, wanted))
    same_model = before.get("source") == now.get("source") and before.get("digest") != now.get("digest")
    if is_outdated(found) or same_model:
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
    identity, classifier = layout.description["identity"], layout.description.get("classifier")
    names.append("no identity model" if identity is None else identity["source"])
    return ", ".join([*names, *([f"the classifier {classifier['source']}"] if classifier else [])])
