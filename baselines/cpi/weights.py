"""CPI on disk: a folder with ``config.json`` and ``weights.safetensors``.

Only what retrieval uses is kept, the main network and the pose head, as float16: half the size, and a
rounding far below what the pictures resolve.  Networks are computed in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from baselines.cpi.network import CPIArchitecture, CPINetwork
from faces.crop import CropGeometry
from faces.errors import WeightsError
from faces.files import write_durably
from generator.tensorfile import read_tensors

CONFIG_FILE, WEIGHTS_FILE = "config.json", "weights.safetensors"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
_FORMAT = 1
_LEFT_OUT = "auxiliary."


@dataclass(frozen=True)
class CPIConfig:
    """A network's sizes, its preprocessing and its origin.  Raises ValueError where parts disagree."""

    architecture: CPIArchitecture
    geometry: CropGeometry
    """How the faces it was trained on were cropped."""
    mean: float
    """Mean grey level (0..255) of the training faces; pictures go in as (grey level - mean) / std."""
    std: float
    poses: tuple[str, ...]
    """Words of the poses, in the order of the remote code."""
    light: str
    """Light of the drawings: a word, or ``same``."""
    data: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.geometry.size != self.architecture.size or len(self.poses) != self.architecture.poses:
            raise ValueError("the sizes of crops, poses and network disagree")
        if not self.std > 0:
            raise ValueError("std must be above 0")


def save_cpi(folder: Path, network: CPINetwork, config: CPIConfig) -> str:
    """Write both files into a folder, made if need be, and return the weights id: 12 hex digits.

    A kill leaves two files that belong together, or a pair that ``read_cpi`` refuses.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith(_LEFT_OUT)
    }
    identity = _identity(config, tensors)
    text = json.dumps(
        {"format": _FORMAT, **asdict(config), "weights_id": identity}, indent=2, ensure_ascii=False
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / WEIGHTS_FILE, save(tensors))
    write_durably(folder / CONFIG_FILE, (text + "\n").encode())
    return identity


def read_cpi(name_or_folder: str | Path) -> tuple[CPINetwork, CPIConfig, str]:
    """Network (float32, evaluation mode; its auxiliary network is untrained), configuration and weights id.

    A name without a slash that is among the shipped weights means those; anything else is a folder.  Raises
    WeightsError that names the file and says what to do.
    """
    folder = _find(name_or_folder)
    config, identity = _read_config(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    try:
        _, tensors = read_tensors(path)
    except (SafetensorError, OSError) as error:
        raise _unusable(path, error) from None
    if _identity(config, tensors) != identity:
        raise WeightsError(
            f"{folder / CONFIG_FILE} and {path} do not belong together; copy the whole folder again, or "
            "train anew."
        )
    network = CPINetwork(config.architecture)
    whole = {**tensors, **{n: v for n, v in network.state_dict().items() if n.startswith(_LEFT_OUT)}}
    try:
        network.load_state_dict({name: value.float() for name, value in whole.items()})
    except RuntimeError:
        raise WeightsError(
            f"{path} does not fit {CONFIG_FILE}; copy the whole folder again, or train anew."
        ) from None
    return network.eval().requires_grad_(False), config, identity


def _find(name_or_folder: str | Path) -> Path:
    path = Path(name_or_folder).expanduser()
    if isinstance(name_or_folder, str) and path.name == name_or_folder and (SHIPPED / path).is_dir():
        path = SHIPPED / path
    if not (path / CONFIG_FILE).is_file():
        raise WeightsError(
            f"There are no CPI weights {str(name_or_folder)!r}; name a folder that `anotheryou train-cpi` "
            "has written, or cpi-32."
        )
    return path


def _read_config(path: Path) -> tuple[CPIConfig, str]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError("another version wrote it")
        identity = content.pop("weights_id")
        known = {one.name for one in fields(CPIConfig)}
        config = CPIConfig(
            **{
                **{name: value for name, value in content.items() if name in known},
                "architecture": CPIArchitecture(**content["architecture"]),
                "geometry": CropGeometry(**content["geometry"]),
                "poses": tuple(content["poses"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(path, error) from None
    return config, identity


def _identity(config: CPIConfig, tensors: Mapping[str, Tensor]) -> str:
    """A hash over what decides the features: sizes, preprocessing and weights."""
    decisive = [asdict(config.architecture), asdict(config.geometry), config.mean, config.std, config.poses]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"\n{name} {tuple(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _unusable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} cannot be used ({error}); copy the folder again, or train anew.")
