"""CPI's network and preprocessing in one, and how both are kept on disk.

A folder holds ``config.json`` and ``weights.safetensors``: only what retrieval uses, the main network and
the pose head, as float16, a rounding far below what the pictures resolve.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from baselines.cpi.network import CPIArchitecture, CPINetwork
from facedata.labelled import Words, number_of
from faces.crop import CropGeometry
from faces.errors import WeightsError, WishError
from faces.files import write_durably
from faces.types import Floats, Ints
from generator.available import find_weights
from generator.checkpoint import read_tensors
from generator.devices import autocast, pick_precision

CONFIG_FILE, WEIGHTS_FILE = "config.json", "weights.safetensors"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
_FORMAT = 1
_REMEDY = "copy the whole folder again, or train anew."
_LEFT_OUT = "auxiliary."
_BATCH = 128
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class CPIConfig:
    """A network's sizes, its preprocessing and its origin.  Raises ValueError if parts disagree."""

    architecture: CPIArchitecture
    geometry: CropGeometry  # how the faces it was trained on were cropped
    mean: float  # mean grey level (0..255) of the training faces; pictures go in as (grey level - mean) / std
    std: float
    poses: tuple[str, ...]  # words of the poses, in the order of the remote code
    light: str  # light of the drawings: a word, or ``same``
    data: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.geometry.size != self.architecture.size or len(self.poses) != self.architecture.poses:
            raise ValueError("the sizes of crops, poses and network disagree")
        if not self.std > 0:
            raise ValueError("std must be above 0")


class Turned(NamedTuple):
    """N faces drawn in a pose each."""

    pictures: Floats  # (N, S · S) float32, standardised: 0 is the mean grey level of the training faces
    recovery: Floats  # (N, R) float32: what the drawing does not show of the input, its light above all
    pose_probabilities: Floats  # (N, V) float32: of each pose of the input, to the pose head


class CPIModel:
    """Turns faces and estimates their pose, on the processor, in batches of bounded memory."""

    def __init__(self, network: CPINetwork, config: CPIConfig, *, name: str, weights_id: str) -> None:
        self.network = network
        self.config = config
        self.name = name
        self.weights_id = weights_id
        self._main, self._head = network.main.eval(), network.pose.eval()
        self._remote = torch.eye(config.architecture.poses)
        self._dtype = pick_precision("auto", _CPU)

    def codes_of(self, words: Words) -> Ints:
        """Return the codes (N,) int64 of words (N,); raises WishError for a pose that was not learned."""
        keys = [(word, number_of(word)) for word in self.config.poses]
        known: dict[object, int] = {
            key: code for code, pair in enumerate(keys) for key in pair if key is not None
        }
        codes = [known.get(word, known.get(number_of(word))) for word in words.tolist()]
        if None in codes:
            word, poses = str(words[codes.index(None)]), ", ".join(self.config.poses)
            raise WishError(f"CPI has not learned the pose {word!r}; choose one of: {poses}.")
        return np.array(codes, np.int64)

    def turn(self, crops: NDArray[np.uint8], codes: Ints) -> Turned:
        """Draw faces (N, S, S) uint8, each in the pose of its code (N,) int64.

        Raises WeightsError if the faces have another size.
        """
        parts = [self._turned(x, codes[part]) for part, x in self._standardised(crops)]
        return Turned(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def turn_to_all(self, crops: NDArray[np.uint8]) -> tuple[list[Turned], Ints]:
        """Draw faces (N, S, S) uint8 in each of the V poses, and estimate their own: V drawings, codes (N,).

        The estimate is summed over the drawings, so that no pose is favoured.  Raises WeightsError for
        another S.
        """
        views = [self.turn(crops, np.full(len(crops), code)) for code in range(len(self.config.poses))]
        return views, np.sum([view.pose_probabilities for view in views], axis=0).argmax(1)

    @torch.inference_mode()
    def _turned(self, x: Tensor, codes: Ints) -> Turned:
        with autocast(_CPU, self._dtype):
            drawn, recovery, hidden = self._main(x, self._remote[torch.from_numpy(codes)])
            poses = torch.softmax(self._head(hidden).float(), 1)
        return Turned(drawn.float().flatten(1).numpy(), recovery.float().numpy(), poses.numpy())

    def _standardised(self, crops: NDArray[np.uint8]) -> Iterator[tuple[slice, Tensor]]:
        """Batches of faces: their places, and (B, S, S) float32; an empty one if there are none."""
        size = self.config.geometry.size
        if crops.ndim != 3 or crops.shape[1:] != (size, size):
            raise WeightsError(
                f"the weights {self.name} take faces of {size}×{size} pixels, not {crops.shape[1:]}; read "
                "the faces with the geometry of the weights."
            )
        for start in range(0, max(len(crops), 1), _BATCH):
            part = slice(start, start + _BATCH)
            levels = torch.from_numpy(crops[part].astype(np.float32))
            yield part, (levels - self.config.mean) / self.config.std


def load_cpi(name_or_folder: str | Path = "cpi-32") -> CPIModel:
    """Load the weights that come with the project, by name, or those in a folder, in float32.

    The auxiliary network is untrained.  Raises WeightsError that names the file and says what to do.
    """
    folder = find_weights(
        name_or_folder, SHIPPED, holding=WEIGHTS_FILE, what="CPI weights", command="train-cpi"
    )
    path, config_path = folder / WEIGHTS_FILE, folder / CONFIG_FILE
    reading = config_path
    try:
        config, identity = _parse_config(config_path.read_text(encoding="utf-8"))
        reading = path
        _, tensors = read_tensors(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{reading} cannot be used ({error}); copy the folder again, or train anew."
        ) from None
    if _identity(config, tensors) != identity:
        raise WeightsError(f"{config_path} and {path} do not belong together; {_REMEDY}")
    network = CPINetwork(config.architecture)
    untrained = {name: value for name, value in network.state_dict().items() if name.startswith(_LEFT_OUT)}
    try:
        network.load_state_dict({name: value.float() for name, value in (tensors | untrained).items()})
    except RuntimeError:
        raise WeightsError(f"{path} does not fit {CONFIG_FILE}; {_REMEDY}") from None
    network.eval().requires_grad_(False)
    return CPIModel(network, config, name=Path(name_or_folder).name, weights_id=identity)


def save_cpi(folder: Path, network: CPINetwork, config: CPIConfig) -> str:
    """Write both files into a folder, made if need be, and return the weights id: 12 hex digits."""
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


def _parse_config(text: str) -> tuple[CPIConfig, str]:
    content: Any = json.loads(text)
    if content["format"] != _FORMAT:
        raise ValueError("another version wrote it")
    values = {one.name: content[one.name] for one in fields(CPIConfig) if one.name in content}
    values["architecture"] = CPIArchitecture(**content["architecture"])
    values["geometry"] = CropGeometry(**content["geometry"])
    values["poses"] = tuple(content["poses"])
    return CPIConfig(**values), content["weights_id"]


def _identity(config: CPIConfig, tensors: Mapping[str, Tensor]) -> str:
    """A hash over what decides the features: sizes, preprocessing and weights."""
    decisive = [asdict(config.architecture), asdict(config.geometry), config.mean, config.std, config.poses]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"\n{name} {tuple(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
