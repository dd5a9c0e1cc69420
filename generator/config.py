"""What a checkpoint says about its weights, and how that is read from JSON with every value checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from faces.crop import CropGeometry
from generator.attributes import AttributeGroup, Vocabulary
from generator.networks import Architecture

FORMAT = 1


@dataclass(frozen=True)
class ModelConfig:
    """A network's sizes, its preprocessing and its origin.  Raises ValueError if parts disagree."""

    architecture: Architecture
    geometry: CropGeometry
    """How the faces it was trained on were cropped."""
    mean: float
    """Mean grey level (0..255) of the training faces; pictures go in as (grey level - mean) / std."""
    std: float
    """Standard deviation of their grey levels."""
    vocabulary: Vocabulary
    preset: str = ""
    """Name of the training recipe."""
    data: Mapping[str, object] = field(default_factory=dict)
    """What it was trained on, with the seed; JSON values."""
    metrics: Mapping[str, object] = field(default_factory=dict)
    """What was measured; JSON values."""

    def __post_init__(self) -> None:
        if self.geometry.size != self.architecture.size:
            raise ValueError(
                f"crops of {self.geometry.size} pixels do not fit a network for {self.architecture.size}"
            )
        if self.vocabulary.size != self.architecture.attribute_size:
            raise ValueError(
                f"a vocabulary of {self.vocabulary.size} values does not fit a network for "
                f"{self.architecture.attribute_size}"
            )
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError("mean and std must be numbers, std above 0")


def essentials(config: ModelConfig) -> dict[str, object]:
    """Return what decides, together with the weights, what the network draws: JSON values."""
    return {
        "architecture": asdict(config.architecture),
        "crop": {
            "size": config.geometry.size,
            "eye_y": float(config.geometry.eye_y),
            "nose_distance": float(config.geometry.nose_distance),
        },
        "mean": float(config.mean),  # whole numbers and NumPy's would be written in another way
        "std": float(config.std),
        "vocabulary": [
            {"name": group.name, "values": list(group.values)} for group in config.vocabulary.groups
        ],
    }


def to_json(config: ModelConfig) -> dict[str, object]:
    """Return the whole configuration as JSON values; ``from_json`` reads it back."""
    return {
        "format": FORMAT,
        **essentials(config),
        "preset": config.preset,
        "data": dict(config.data),
        "metrics": dict(config.metrics),
    }


def from_json(content: object) -> ModelConfig:
    """Read what ``to_json`` wrote; members it does not know are left aside.

    Raises ValueError with a short reason that names the member.
    """
    whole = _table(content, "the whole")
    version = whole.get("format")
    if version != FORMAT or isinstance(version, bool):
        raise ValueError(f"format {version!r} is not known to this version, which reads {FORMAT}; update it")
    return ModelConfig(
        architecture=_architecture(_table(_member(whole, "architecture"), "architecture")),
        geometry=_geometry(_table(_member(whole, "crop"), "crop")),
        mean=_number(_member(whole, "mean"), "mean"),
        std=_number(_member(whole, "std"), "std"),
        vocabulary=_vocabulary(_member(whole, "vocabulary")),
        preset=_word(whole.get("preset", ""), "preset"),
        data=_table(whole.get("data", {}), "data"),
        metrics=_table(whole.get("metrics", {}), "metrics"),
    )


def _architecture(table: Mapping[str, Any]) -> Architecture:
    known = {one.name for one in fields(Architecture)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"architecture has unknown members: {', '.join(unknown)}")
    for name in known:
        _member(table, name)
    return Architecture(**table)  # checks each value itself


def _geometry(table: Mapping[str, Any]) -> CropGeometry:
    size = _member(table, "size")
    if isinstance(size, bool) or not isinstance(size, int):
        raise ValueError("crop.size is no whole number")
    eye_y = _number(_member(table, "eye_y"), "crop.eye_y")
    nose_distance = _number(_member(table, "nose_distance"), "crop.nose_distance")
    if not (0 <= eye_y <= 1 and 0 < nose_distance <= 1):
        raise ValueError("crop.eye_y and crop.nose_distance must be fractions of the side")
    return CropGeometry(size=size, eye_y=eye_y, nose_distance=nose_distance)


def _vocabulary(content: object) -> Vocabulary:
    if not isinstance(content, list):
        raise ValueError("vocabulary is no list")
    groups = []
    for number, one in enumerate(content):
        name = f"vocabulary[{number}]"
        table = _table(one, name)
        values = _member(table, "values")
        if not isinstance(values, list):
            raise ValueError(f"{name}.values is no list")
        words = tuple(_word(value, f"{name}.values") for value in values)
        groups.append(AttributeGroup(name=_word(_member(table, "name"), f"{name}.name"), values=words))
    return Vocabulary(groups=tuple(groups))


def _member(table: Mapping[str, Any], name: str) -> object:
    if name not in table:
        raise ValueError(f"{name} is missing")
    return table[name]


def _table(content: object, name: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{name} is no JSON object")
    return content


def _number(content: object, name: str) -> float:
    if isinstance(content, bool) or not isinstance(content, (int, float)):
        raise ValueError(f"{name} is no number")
    try:
        return float(content)
    except OverflowError:
        raise ValueError(f"{name} is out of range") from None


def _word(content: object, name: str) -> str:
    if not isinstance(content, str):
        raise ValueError(f"{name} is no text")
    return content
