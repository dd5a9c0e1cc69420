"""Small untrained generators for tests: seeded weights, the real code."""

from __future__ import annotations

from functools import cache

import torch

from faces.crop import CropGeometry
from generator.architecture import Architecture
from generator.attributes import AttributeGroup, Vocabulary
from generator.config import ModelConfig
from generator.model import Generator, Precision
from generator.networks import TwoStage

POSES = ("-45", "-30", "-15", "0", "+15", "+30", "+45")


def pose_config(size: int = 32, maps: int = 64, *, two_groups: bool = False) -> ModelConfig:
    """Seven poses, or three and two accessories besides."""
    groups = [AttributeGroup("pose", POSES)]
    if two_groups:
        groups = [AttributeGroup("pose", ("-30", "0", "+30")), AttributeGroup("accessory", ("none", "hat"))]
    vocabulary = Vocabulary(tuple(groups))
    return ModelConfig(
        architecture=Architecture(
            size=size,
            attribute_size=vocabulary.size,
            maps=maps,
            fused_maps=2 * maps,
            attribute_hidden=8 * maps,
        ),
        geometry=CropGeometry(size=size),
        mean=118.25,
        std=75.5,
        vocabulary=vocabulary,
        preset="default",
        data={"name": "made up", "seed": 7},
        metrics={"stage2": 123.5},
    )


@cache
def network_for(config_key: tuple[int, int, bool], seed: int = 0) -> TwoStage:
    """Seeded weights for ``pose_config(size, maps, two_groups=...)``."""
    size, maps, two_groups = config_key
    torch.manual_seed(seed)
    network = TwoStage(pose_config(size, maps, two_groups=two_groups).architecture)
    with torch.no_grad():  # wishes shall matter as much as they do after training
        network.stage1.attribute2.bias.normal_(0, 0.5)
        network.stage1.attribute1.weight.mul_(3)
    return network.eval()


def generator_made(
    size: int = 32,
    maps: int = 64,
    *,
    two_groups: bool = False,
    precision: Precision = "float32",
    seed: int = 0,
) -> Generator:
    """A generator on the processor."""
    return Generator(
        network_for((size, maps, two_groups), seed),
        pose_config(size, maps, two_groups=two_groups),
        name="made",
        weights_id="0" * 12,
        device="cpu",
        precision=precision,
    )
