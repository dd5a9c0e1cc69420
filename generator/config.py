"""What a checkpoint says of its weights: as JSON, read with every value checked, and as a card for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from faces.crop import CropGeometry
from generator.architecture import Architecture
from generator.attributes import AttributeGroup, Vocabulary

FORMAT = 1
PEAK_LAYERS = ("fuse1", "fuse2", "fuse3", "fuse4", "decode1", *(f"conv{number}" for number in range(1, 8)))
"""Layers of both stages whose largest outputs a network in 8 bits must know (``generator.quantised``)."""
Kind = TypeVar("Kind")
_KINDS = {dict: "JSON object", list: "list", str: "text", float: "number", int: "whole number"}
_CARD = Path(__file__).with_name("model_card.md")


@dataclass(frozen=True)
class ModelConfig:
    """A network's sizes, its preprocessing and its origin.  Raises ValueError if parts disagree."""

    architecture: Architecture
    geometry: CropGeometry  # how the faces it was trained on were cropped
    mean: float  # mean grey level (0..255) of the training faces; pictures go in as (grey level - mean) / std
    std: float  # standard deviation of their grey levels
    vocabulary: Vocabulary
    preset: str = ""  # name of the training recipe
    data: Mapping[str, object] = field(default_factory=dict)  # what it was trained on, and the seed, in JSON
    metrics: Mapping[str, object] = field(default_factory=dict)  # what was measured; JSON values
    peaks: Mapping[str, float] = field(default_factory=dict)  # largest outputs by PEAK_LAYERS, or nothing

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
        if self.peaks and set(self.peaks) != set(PEAK_LAYERS):
            raise ValueError(f"peaks must have {', '.join(PEAK_LAYERS)}")
        if not all(math.isfinite(peak) and peak >= 0 for peak in self.peaks.values()):
            raise ValueError("peaks must be numbers, none below 0")


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
        "peaks": dict(config.peaks),
    }


def from_json(content: object) -> ModelConfig:
    """Read what ``to_json`` wrote, leaving unknown members aside; raises ValueError that names the member."""
    if not isinstance(content, dict):
        raise ValueError("the whole is no JSON object")
    version = content.get("format")
    if version != FORMAT or isinstance(version, bool):
        raise ValueError(f"format {version!r} is not known to this version, which reads {FORMAT}; update it")
    optional = {"preset": "", "data": {}, "metrics": {}, "peaks": {}, **content}
    crop, peaks = _member(content, "crop", dict), _member(optional, "peaks", dict)
    eye_y, nose_distance = (_member(crop, name, float, "crop.") for name in ("eye_y", "nose_distance"))
    if not (0 <= eye_y <= 1 and 0 < nose_distance <= 1):
        raise ValueError("crop.eye_y and crop.nose_distance must be fractions of the side")
    return ModelConfig(
        architecture=_architecture(_member(content, "architecture", dict)),
        geometry=CropGeometry(_member(crop, "size", int, "crop."), eye_y, nose_distance),
        mean=_member(content, "mean", float),
        std=_member(content, "std", float),
        vocabulary=_vocabulary(_member(content, "vocabulary", list)),
        preset=_member(optional, "preset", str),
        data=_member(optional, "data", dict),
        metrics=_member(optional, "metrics", dict),
        peaks={name: _member(peaks, name, float, "peaks.") for name in peaks},
    )


def _architecture(table: Mapping[str, Any]) -> Architecture:
    known = {one.name for one in fields(Architecture)}
    unknown, missing = sorted(set(table) - known), sorted(known - set(table))
    if unknown or missing:
        raise ValueError(f"architecture has {'unknown' if unknown else 'no'} {', '.join(unknown or missing)}")
    return Architecture(**table)  # checks each value itself


def _vocabulary(content: list[Any]) -> Vocabulary:
    groups = []
    for number, table in enumerate(content):
        name = f"vocabulary[{number}]"
        if not isinstance(table, dict):
            raise ValueError(f"{name} is no JSON object")
        values = _member(table, "values", list, f"{name}.")
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name}.values has something that is no text")
        groups.append(AttributeGroup(name=_member(table, "name", str, f"{name}."), values=tuple(values)))
    return Vocabulary(groups=tuple(groups))


def _member(table: Mapping[str, Any], name: str, kind: type[Kind], within: str = "") -> Kind:
    """A member of a JSON object that must be of a kind; whole numbers are numbers, true and false are not."""
    if name not in table:
        raise ValueError(f"{within}{name} is missing")
    value = table[name]
    if kind is float and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise ValueError(f"{within}{name} is out of range") from None
    if type(value) is not kind:
        raise ValueError(f"{within}{name} is no {_KINDS[kind]}")
    return value


def model_card(config: ModelConfig, *, name: str, weights_id: str, parameters: int, version: str) -> str:
    """Return the card as Markdown."""
    groups = config.vocabulary.groups
    return Template(_CARD.read_text(encoding="utf-8")).substitute(
        name=name,
        attributes=", ".join(group.name for group in groups),
        parameters=f"{parameters:,}",
        weights_id=weights_id,
        size=config.geometry.size,
        eye_y=config.geometry.eye_y,
        nose_distance=config.geometry.nose_distance,
        mean=f"{config.mean:.2f}",
        std=f"{config.std:.2f}",
        feature_layer=config.architecture.feature_layer,
        preset=config.preset or "not recorded",
        version=version,
        wishes="\n".join(f"- {group.name}: {', '.join(group.values)}" for group in groups),
        data=_listed(config.data),
        metrics=_listed(config.metrics),
    )


def _listed(table: Mapping[str, object]) -> str:
    lines = [
        f"- {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
    ]
    return "\n".join(lines) or "Not recorded."
