"""Which weights there are and what they say of themselves, known without loading torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from faces.errors import WeightsError, WishError
from generator.attributes import AttributeGroup, Vocabulary
from generator.config import ModelConfig, from_json

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "weights.safetensors", "MODEL_CARD.md"
CLASSIFIER_FILE, FLOW_FILE = "classifier.safetensors", "flow.safetensors"
SHIPPED = Path(__file__).resolve().parent / "weights"
PREFERRED = ("rotation-32", "accessories-32")
"""For photographs.  Others are for the paper's protocols and serve if only they know a wish."""
WEIGHTS_ID = "weights_id"
REMEDY = "copy the folder again, or train anew."


def find_weights(name_or_folder: str | Path, shipped: Path, *, holding: str, what: str, command: str) -> Path:
    """Return the folder that a path means, or a word without a slash that is a folder in ``shipped``.

    Raises WeightsError that says ``what`` is not there, which ``command`` makes it, and which names there
    are: folders in ``shipped`` with a file ``holding``.
    """
    path = Path(name_or_folder).expanduser()
    bare = isinstance(name_or_folder, str) and path.name == name_or_folder
    if bare and (shipped / path).is_dir():
        return shipped / path
    if path.is_dir():
        return path
    names = sorted(path.parent.name for path in shipped.glob(f"*/{holding}"))
    known = ", ".join(names) or "none come with this installation"
    raise WeightsError(
        f"There {'are' if what.endswith('s') else 'is'} no {what} {str(name_or_folder)!r}; name a folder "
        f"that `anotheryou {command}` has written, or one of: {known}."
    )


def weights_folder(name_or_folder: str | Path) -> Path:
    """Return the folder of weights that is meant, as ``find_weights`` does; those of others draw nothing."""
    folder = find_weights(name_or_folder, SHIPPED, holding=CONFIG_FILE, what="weights", command="train")
    if not (folder / CONFIG_FILE).is_file():
        for file, what, option in (
            (CLASSIFIER_FILE, "a classifier", "--classifier"),
            (FLOW_FILE, "an appearance flow", "--flow"),
        ):
            if (folder / file).is_file():
                raise WeightsError(f"{name_or_folder} is {what} and draws nothing; give it with {option}.")
    return folder


def shipped_names() -> list[str]:
    """Return the names of the weights that come with the project, sorted."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG_FILE}"))


def weights_knowing(wish: Mapping[str, str | None]) -> list[str]:
    """List the shipped weights that know a wish, the best for photographs first; the value None is any."""
    names = sorted(shipped_names(), key=lambda name: (name not in PREFERRED, name))
    return [name for name in names if _knows(_vocabulary(name), wish)]


def weights_for(wish: Mapping[str, str | None]) -> str:
    """Return the name of the shipped weights to draw a wish with; raises WishError if none know it."""
    found = weights_knowing(wish)
    if found:
        return found[0]
    for attribute, value in wish.items():
        alone = weights_knowing({attribute: None})
        if not alone:
            known = {group.name for name in shipped_names() for group in _vocabulary(name).groups}
            raise WishError(
                f"No weights that come along know {attribute!r}; choose one of: {', '.join(sorted(known))}."
            )
        if value is not None and not weights_knowing({attribute: value}):
            _vocabulary(alone[0]).group(attribute).spread(value)  # says what there is
    raise WishError(f"No weights that come along know {' and '.join(wish)} together; wish for one at a time.")


def _knows(vocabulary: Vocabulary, wish: Mapping[str, str | None]) -> bool:
    try:
        for attribute, value in wish.items():
            group = vocabulary.group(attribute)
            group.spread(group.values[0] if value is None else value)  # numbers between two values are known
    except WishError:
        return False
    return True


def _vocabulary(name: str) -> Vocabulary:
    return read_config(SHIPPED / name / CONFIG_FILE)[0].vocabulary


def read_config(path: Path) -> tuple[ModelConfig, str]:
    """Return what a ``config.json`` says, and the weights id; raises WeightsError."""
    try:
        return parse_config(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else first_line(error)
        raise WeightsError(f"{path} cannot be used ({reason}); {REMEDY}") from None


def parse_config(text: str) -> tuple[ModelConfig, str]:
    content: Any = json.loads(text)
    config = from_json(content)
    identity = content.get(WEIGHTS_ID)
    if not isinstance(identity, str):
        raise ValueError(f"{WEIGHTS_ID} is missing")
    return config, identity


def parse_classifier(metadata: Mapping[str, str]) -> tuple[Vocabulary, int, str]:
    """Return what a classifier's file says of itself: words, side of a crop, and a hash of everything.

    Raises ValueError, KeyError, TypeError or AttributeError if it says something else.
    """
    words = json.loads(metadata["classifier"])
    groups = (AttributeGroup(name, tuple(values)) for name, values in words["values"].items())
    return Vocabulary(tuple(groups)), int(words["size"]), str(words["digest"])


def read_metadata(path: Path) -> dict[str, str]:
    """Return the words in the header; the tensors are not read.  Raises SafetensorError or OSError."""
    with safe_open(path, framework="np") as stored:
        return stored.metadata() or {}


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
