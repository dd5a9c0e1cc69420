"""Checkpoints: a folder with ``config.json``, ``weights.safetensors`` and ``MODEL_CARD.md``.

The weights file carries a copy of the configuration, and both carry the *weights id*, a hash over weights
and preprocessing.  So what a kill while saving left is healed, and every other disagreement is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from faces.errors import WeightsError, WishError
from faces.files import write_durably
from generator.attributes import Vocabulary
from generator.config import ModelConfig, essentials, from_json, model_card, to_json
from generator.model import Generator
from generator.networks import TwoStage

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "weights.safetensors", "MODEL_CARD.md"
SHIPPED = Path(__file__).resolve().parent / "weights"
PREFERRED = ("rotation-32", "accessories-32")
"""For photographs.  Others are for the paper's protocols and serve if only they know a wish."""
_WEIGHTS_ID = "weights_id"
_REMEDY = "copy the folder again, or train anew."


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: ``network`` float32 on the processor in evaluation mode."""

    folder: Path
    network: TwoStage
    config: ModelConfig
    weights_id: str


def save_checkpoint(folder: Path, network: TwoStage, config: ModelConfig) -> str:
    """Write a checkpoint into a folder, which is made if need be, and return its weights id.

    A kill at any moment leaves the old checkpoint or the new one.  Raises WeightsError if the network does
    not fit the configuration, ValueError if ``data`` or ``metrics`` hold no JSON values, or OSError.
    """
    if network.architecture != config.architecture:
        raise WeightsError("The network has other sizes than its configuration says; save it with its own.")
    tensors = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in network.state_dict().items()
    }
    identity = weights_id(config, tensors)
    try:
        version = metadata.version("anotheryou")
    except metadata.PackageNotFoundError:  # run from a bare source tree
        version = "unknown"
    content = {**to_json(config), _WEIGHTS_ID: identity, "package": f"anotheryou {version}"}
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except TypeError as error:
        raise ValueError(f"the configuration holds something that JSON cannot: {error}") from None
    card = model_card(
        config,
        name=folder.resolve().name,
        weights_id=identity,
        parameters=sum(value.numel() for value in tensors.values()),
        version=version,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / WEIGHTS_FILE, save(tensors, metadata={"config": text}))
    write_durably(folder / CONFIG_FILE, text.encode())
    write_durably(folder / CARD_FILE, card.encode())
    return identity


def load_checkpoint(name_or_folder: str | Path) -> Checkpoint:
    """Read a checkpoint (see ``find_weights``), every name, shape, type and the hash checked.

    Raises WeightsError that names the file and says what to do.
    """
    folder = find_weights(name_or_folder, SHIPPED, holding=CONFIG_FILE, what="weights", command="train")
    config_path, weights_path = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    for path in (config_path, weights_path):
        if not path.is_file():
            raise WeightsError(
                f"{folder} is no checkpoint, {path.name} is missing; name a folder that `anotheryou train` "
                "has written."
            )
    config, identity = read_config(config_path)
    try:
        words, tensors = read_tensors(weights_path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{weights_path} cannot be read ({first_line(error)}); {_REMEDY}") from None
    if weights_id(config, tensors) != identity:
        old = identity  # if a kill kept config.json from being replaced, there is a copy beside the weights
        with contextlib.suppress(ValueError, RecursionError):
            config, identity = _parse_config(words.get("config", ""))
        if identity == old or weights_id(config, tensors) != identity:
            raise WeightsError(
                f"{config_path} and {weights_path} do not belong together, one of them was changed or is "
                "damaged; copy the whole folder again, or train anew."
            )
    with torch.device("meta"):  # no memory before the shapes are known to be right
        network = TwoStage(config.architecture)
    _check_tensors(network.state_dict(), tensors, weights_path)
    network.load_state_dict(tensors, assign=True)
    return Checkpoint(folder, network.eval().requires_grad_(False), config, identity)


def load_generator(name_or_folder: str | Path = "rotation-32", *, device: str | None = None) -> Generator:
    """Load weights by name or folder, by default on CUDA if there is one; raises WeightsError."""
    loaded = load_checkpoint(name_or_folder)
    folder, identity = loaded.folder.resolve(), loaded.weights_id
    return Generator(
        loaded.network, loaded.config, name=folder.name, weights_id=identity, device=device, folder=folder
    )


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
    raise WeightsError(
        f"There are no {what} {str(name_or_folder)!r}; name a folder that `anotheryou {command}` has written,"
        f" or one of: {', '.join(names) or 'none come with this installation'}."
    )


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


def weights_id(config: ModelConfig, tensors: Mapping[str, Tensor]) -> str:
    """Return 12 hex digits of a SHA-256 over architecture, preprocessing, vocabulary and float32 weights."""
    digest = hashlib.sha256(json.dumps(essentials(config), sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def read_config(path: Path) -> tuple[ModelConfig, str]:
    """Return what a ``config.json`` says, and the weights id; raises WeightsError."""
    try:
        return _parse_config(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else first_line(error)
        raise WeightsError(f"{path} cannot be used ({reason}); {_REMEDY}") from None


def _parse_config(text: str) -> tuple[ModelConfig, str]:
    content: Any = json.loads(text)
    config = from_json(content)
    identity = content.get(_WEIGHTS_ID)
    if not isinstance(identity, str):
        raise ValueError(f"{_WEIGHTS_ID} is missing")
    return config, identity


def _check_tensors(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    problems = [f"without {name}" for name in expected if name not in found]
    problems += [f"unknown {name}" for name in found if name not in expected]
    problems += [
        f"{name} is {found[name].dtype} {tuple(found[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and (found[name].shape != value.shape or found[name].dtype != torch.float32)
    ]
    problems += [
        f"{name} holds values that are no numbers"
        for name, value in found.items()
        if not np.isfinite(value.numpy()).all()  # thirty times as fast as torch's own
    ]
    if problems:
        raise WeightsError(
            f"{path} does not fit {CONFIG_FILE} ({problems[0]}); copy the whole folder again, or train anew."
        )


def read_metadata(path: Path) -> dict[str, str]:
    """Return the words in the header; the tensors are not read.  Raises SafetensorError or OSError."""
    with safe_open(path, framework="np") as stored:
        return stored.metadata() or {}


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the words in the header, and the tensors, of one moment; raises SafetensorError or OSError.

    ``safe_open(..., framework="pt")`` would open the file twice, and a training may replace it in between.
    """
    content = path.read_bytes()
    tensors = load(content)  # checks the header
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header.get("__metadata__", {}), tensors


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
