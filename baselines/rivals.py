"""What the rivals learn from the training people, kept in one folder per attribute.

Two things are learned: the classifier that two-step retrieval filters by, on the best of several features,
and the mean vector of each value for feature arithmetic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from baselines.arithmetic import ValueMeans
from baselines.attribute_classifier import MODELS, AttributeClassifier, Model, reduce
from baselines.features import Features
from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError, RowUnavailable, WeightsError
from faces.files import write_durably
from faces.progress import Progress, underway
from generator.checkpoint import find_weights

CONFIG_FILE, TENSORS_FILE = "config.json", "rivals.safetensors"
SHIPPED = Path(__file__).resolve().parent / "weights"
FORMAT = 1
_REMEDY = "copy the folder again, or run `anotheryou train-rivals` anew."

_Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Candidate:
    """A classifier that was tried: ``accuracy`` is in percent of the validation people's faces."""

    feature: str
    model: Model
    accuracy: float


@dataclass(frozen=True)
class Rivals:
    """What was learned about one attribute."""

    attribute: Attribute
    feature: str  # name of what the classifier reads
    classifier: AttributeClassifier
    means: Mapping[str, ValueMeans]  # by name of feature
    weights: tuple[str, str]  # name and id of the generator behind ``features``, empty without them
    candidates: Sequence[Candidate]  # all classifiers that were tried, best first
    data: Mapping[str, object]  # what was learned from, JSON values
    rivals_id: str = ""  # a hash over all that was kept, empty before


def people_to_learn_from(faces: FaceSet) -> FaceSet:
    """Choose the faces of split ``train``; if nobody is in it, of all but split ``test``."""
    chosen = faces.split("train")
    return chosen if len(chosen) else faces.select(faces.splits != "test")


def split_people(faces: FaceSet, *, held_out: int, seed: int = 0) -> tuple[FaceSet, FaceSet]:
    """Split off the faces of ``held_out`` people, drawn by ``seed``; raises DataError if nobody were left."""
    people = np.unique(faces.persons)
    if not 0 < held_out < len(people):
        raise DataError(
            f"{len(people)} people are there to learn from; the number held out must be from 1 to "
            f"{max(1, len(people) - 1)}, not {held_out}."
        )
    drawn = np.random.default_rng(seed).choice(people, held_out, replace=False)
    kept_aside = np.isin(faces.persons, drawn)
    return faces.select(~kept_aside), faces.select(kept_aside)


def fit_rivals(
    learners: FaceSet,
    validation: FaceSet,
    *,
    attribute: Attribute,
    features: Sequence[Features],
    weights: tuple[str, str] = ("", ""),
    seed: int = 0,
    progress: Progress | None = None,
) -> Rivals:
    """Try every classifier on every feature, keep the best, and take the means.

    All learn from ``learners``; the classifier that tells most faces of ``validation`` rightly is kept, the
    first of equal ones.  Its people should be unknown to the features too.  Features that need larger
    pictures learn from the faces that have one; if ``validation`` has none, they still have means.
    ``weights`` are name and id of the generator behind the features called ``features``.  Raises DataError if
    no feature is left, if fewer than two values are shown or if ``validation`` shows none of them.
    """
    learners = learners.select(learners.attribute(attribute) != "")
    validation = validation.select(np.isin(validation.attribute(attribute), learners.values(attribute)))
    if not len(validation):
        raise DataError(f"the faces to choose by show no {attribute} that can be learned; name other ones.")
    tried: list[tuple[Candidate, AttributeClassifier]] = []
    means: dict[str, ValueMeans] = {}
    left_out: dict[str, str] = {}
    learned_from: dict[str, int] = {}
    for feature in features:
        shown, judged = _shown_to(feature, learners), _shown_to(feature, validation)
        words = shown.attribute(attribute)
        try:
            seen = feature(shown.pictures, progress)
            means[feature.name] = ValueMeans().fit(seen, words)
            learned_from[feature.name] = len(shown)
            unseen = feature(judged.pictures, progress)
        except RowUnavailable as reason:
            left_out[feature.name] = reason.reason
            continue
        with underway(progress, "fitting classifiers", len(MODELS), "classifiers") as fitting:
            reduced = reduce(seen, seed=seed)
            for model in MODELS:
                classifier = AttributeClassifier(model=model, seed=seed).fit_reduced(reduced, words)
                accuracy = classifier.accuracy(unseen, judged.attribute(attribute))
                tried.append((Candidate(feature.name, model, accuracy), classifier))
                fitting.advance()
    if not tried:
        raise DataError("no feature is left to learn from: " + "; ".join(left_out.values()) + ".")
    tried.sort(key=lambda one: -one[0].accuracy)  # the first of equal ones stays the first
    return Rivals(
        attribute=attribute,
        feature=tried[0][0].feature,
        classifier=tried[0][1],
        means=means,
        weights=weights if "features" in means else ("", ""),
        candidates=[candidate for candidate, _ in tried],
        data={
            **_described(learners, attribute),
            "validation": _described(validation, attribute),
            "seed": seed,
            "learned_from": learned_from,
            "left_out": left_out,
        },
    )


def save_rivals(folder: Path, rivals: Rivals) -> str:
    """Write what was learned into a folder, made if need be, and return its id; may raise OSError."""
    arrays: dict[str, NDArray[Any]] = {
        "classifier.coefficients": rivals.classifier.coefficients_,
        "classifier.intercepts": rivals.classifier.intercepts_,
        **{f"means.{name}": means.means_ for name, means in rivals.means.items()},
    }
    content = {
        "format": FORMAT,
        "attribute": rivals.attribute,
        "feature": rivals.feature,
        "model": rivals.classifier.model,
        "components": rivals.classifier.components,
        "values": list(rivals.classifier.values_),
        "means": {name: list(means.values_) for name, means in rivals.means.items()},
        "weights": {"name": rivals.weights[0], "id": rivals.weights[1]},
        "candidates": [
            {"feature": one.feature, "model": one.model, "validation_accuracy": round(one.accuracy, 2)}
            for one in rivals.candidates
        ],
        "data": dict(rivals.data),
    }
    identity = _identity(content, arrays)
    text = json.dumps({**content, "rivals_id": identity}, indent=2, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / TENSORS_FILE, save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))
    write_durably(folder / CONFIG_FILE, text.encode())
    return identity


def load_rivals(name_or_folder: str | Path) -> Rivals:
    """Read what comes along under a name, such as ``rivals-rotation``, or a folder; raises WeightsError."""
    folder = find_weights(
        name_or_folder, SHIPPED, holding=TENSORS_FILE, what="fitted rivals", command="train-rivals"
    )
    config, tensors = folder / CONFIG_FILE, folder / TENSORS_FILE
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        arrays = load_file(tensors)
        found = _parse_rivals(content, arrays)
        identity = content.pop("rivals_id")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).split("\n")[0]
        raise WeightsError(f"{folder} cannot be used ({reason}); {_REMEDY}") from None
    if _identity(content, arrays) != identity:
        raise WeightsError(f"{config} and {tensors} do not belong together; {_REMEDY}")
    return replace(found, rivals_id=identity)


def _shown_to(feature: Features, faces: FaceSet) -> FaceSet:
    """Choose the faces that a feature can describe: those with larger pictures if it needs these."""
    if not feature.needs_large or faces.large is None or not faces.large.present.any():
        return faces
    return faces.select(faces.large.present)


def _described(faces: FaceSet, attribute: Attribute) -> dict[str, object]:
    """Tell which faces they were; ``sha256`` is over pictures and labels, in hexadecimal."""
    labels = [faces.persons.tolist(), faces.attribute(attribute).tolist()]
    digest = hashlib.sha256(json.dumps([list(faces.crops.shape), labels]).encode())
    digest.update(np.ascontiguousarray(faces.crops).data)
    people = len(np.unique(faces.persons))
    return {"name": faces.name, "faces": len(faces), "people": people, "sha256": digest.hexdigest()}


def _parse_rivals(content: Any, arrays: _Arrays) -> Rivals:
    """Raises ValueError, KeyError, TypeError or AttributeError for what ``save_rivals`` would not write."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r} is not known to this version, which reads {FORMAT}")
    if content["attribute"] not in get_args(Attribute) or content["model"] not in MODELS:
        raise ValueError(f"{content['attribute']!r} or {content['model']!r} is not known")
    values = tuple(str(value) for value in content["values"])
    coefficients = _array(arrays, "classifier.coefficients", np.float64, len(values), 2)
    intercepts = _array(arrays, "classifier.intercepts", np.float64, len(values), 1)
    classifier = AttributeClassifier(model=content["model"], components=int(content["components"]))
    means = {}
    for name, words in content["means"].items():
        found = _array(arrays, f"means.{name}", np.float32, len(words), 2)
        means[str(name)] = ValueMeans().learned(tuple(str(word) for word in words), found)
    feature = str(content["feature"])
    if feature in means and means[feature].means_.shape[1] != coefficients.shape[1]:
        raise ValueError(f"classifier and means of {feature} differ in length")
    return Rivals(
        attribute=content["attribute"],
        feature=feature,
        classifier=classifier.learned(values, coefficients, intercepts),
        means=means,
        weights=(str(content["weights"]["name"]), str(content["weights"]["id"])),
        candidates=[
            Candidate(str(one["feature"]), one["model"], float(one["validation_accuracy"]))
            for one in content["candidates"]
        ],
        data=dict(content["data"]),
    )


def _array(arrays: _Arrays, name: str, dtype: type, rows: int, dimensions: int) -> NDArray[Any]:
    found = arrays[name]
    if found.dtype != dtype or found.ndim != dimensions or len(found) != rows or not np.isfinite(found).all():
        raise ValueError(f"{name} is {found.dtype} {found.shape}, or holds values that are no numbers")
    return found


def _identity(content: Mapping[str, Any], arrays: _Arrays) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()[:12]
