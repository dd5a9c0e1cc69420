"""A folder of what rivals learned: ``config.json`` and ``rivals.safetensors``, checked on reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from baselines.arithmetic import ValueMeans
from baselines.attribute_classifier import MODELS, AttributeClassifier
from baselines.rivals import Candidate, Rivals
from facedata.labelled import Attribute
from faces.errors import WeightsError
from faces.files import write_durably
from generator.checkpoint import find_weights

CONFIG_FILE, TENSORS_FILE = "config.json", "rivals.safetensors"
SHIPPED = Path(__file__).resolve().parent / "weights"
FORMAT = 1

_Arrays = Mapping[str, NDArray[Any]]


def save_rivals(folder: Path, rivals: Rivals) -> str:
    """Write what was learned into a folder, which is made if need be, and return its id.

    Raises OSError where the folder cannot be written to.
    """
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
            {
                "feature": candidate.feature,
                "model": candidate.model,
                "validation_accuracy": round(candidate.accuracy, 2),
            }
            for candidate in rivals.candidates
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
    """What comes with the project under a name such as ``rivals-rotation``, or lies in a folder.

    Raises WeightsError that names the file and says what to do.
    """
    folder = find_weights(
        name_or_folder, SHIPPED, holding=TENSORS_FILE, what="fitted rivals", command="train-rivals"
    )
    config, tensors = folder / CONFIG_FILE, folder / TENSORS_FILE
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        arrays = load_file(tensors)
        found = _parse(content, arrays)
        identity = content.pop("rivals_id")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).split("\n")[0]
        raise WeightsError(
            f"{folder} cannot be used ({reason}); copy the folder again, or run `anotheryou train-rivals` "
            "anew."
        ) from None
    if _identity(content, arrays) != identity:
        raise WeightsError(
            f"{config} and {tensors} do not belong together; copy the folder again, or run "
            "`anotheryou train-rivals` anew."
        )
    return replace(found, rivals_id=identity)


def _parse(content: Any, arrays: _Arrays) -> Rivals:
    """Raises ValueError, KeyError, TypeError or AttributeError for what ``save_rivals`` would not write."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r} is not known to this version, which reads {FORMAT}")
    if content["attribute"] not in get_args(Attribute) or content["model"] not in MODELS:
        raise ValueError(f"{content['attribute']!r} or {content['model']!r} is not known")
    values = tuple(str(value) for value in content["values"])
    coefficients = _array(arrays, "classifier.coefficients", np.float64, len(values), 2)
    classifier = AttributeClassifier.learned(
        model=content["model"],
        components=int(content["components"]),
        values=values,
        coefficients=coefficients,
        intercepts=_array(arrays, "classifier.intercepts", np.float64, len(values), 1),
    )
    means = {}
    for name, words in content["means"].items():
        found = _array(arrays, f"means.{name}", np.float32, len(words), 2)
        means[str(name)] = ValueMeans.learned(tuple(str(word) for word in words), found)
    feature = str(content["feature"])
    if feature in means and means[feature].means_.shape[1] != coefficients.shape[1]:
        raise ValueError(f"classifier and means of {feature} differ in length")
    return Rivals(
        attribute=content["attribute"],
        feature=feature,
        classifier=classifier,
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
    """12 hex digits of a SHA-256 over everything but themselves."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()[:12]
