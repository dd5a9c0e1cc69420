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

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from faces.errors import WeightsError
from faces.files import write_durably
from generator.available import (
    CARD_FILE,
    CONFIG_FILE,
    REMEDY,
    WEIGHTS_FILE,
    WEIGHTS_ID,
    first_line,
    parse_config,
    read_config,
    weights_folder,
)
from generator.config import ModelConfig, essentials, model_card, to_json
from generator.model import Generator
from generator.networks import TwoStage


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
    content = {**to_json(config), WEIGHTS_ID: identity, "package": f"anotheryou {version}"}
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
    """Read a checkpoint (see ``available.find_weights``), every name, shape, type and the hash checked.

    Raises WeightsError that names the file and says what to do.
    """
    folder = weights_folder(name_or_folder)
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
        raise WeightsError(f"{weights_path} cannot be read ({first_line(error)}); {REMEDY}") from None
    if weights_id(config, tensors) != identity:
        old = identity  # if a kill kept config.json from being replaced, there is a copy beside the weights
        with contextlib.suppress(ValueError, RecursionError):
            config, identity = parse_config(words.get("config", ""))
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
    folder = loaded.folder.resolve()
    return Generator(
        loaded.network,
        loaded.config,
        name=folder.name,
        weights_id=loaded.weights_id,
        device=device,
        folder=folder,
    )


def weights_id(config: ModelConfig, tensors: Mapping[str, Tensor]) -> str:
    """Return 12 hex digits of a SHA-256 over architecture, preprocessing, vocabulary and float32 weights."""
    return digest_tensors(json.dumps(essentials(config), sort_keys=True), tensors)


def digest_tensors(words: str, tensors: Mapping[str, Tensor]) -> str:
    """Return 12 hex digits of a SHA-256 over words and weights."""
    digest = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


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


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the words in the header, and the tensors, of one moment; raises SafetensorError or OSError.

    ``safe_open(..., framework="pt")`` would open the file twice, and a training may replace it in between.
    """
    content = path.read_bytes()
    tensors = load(content)  # checks the header
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header.get("__metadata__", {}), tensors
