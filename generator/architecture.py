"""The sizes of the two networks, known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass

FEATURE_LAYERS = ("conv1", "conv2", "pool", "conv3", "conv4", "conv5", "conv6", "conv7")
"""The middle layers of stage 2 in order, each as it is after its ReLU; unpooling comes before conv7."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of both networks, by default the paper's for seven poses; raises ValueError if they make none."""

    size: int = 32  # S, side of a picture in pixels; even, because it is halved once
    attribute_size: int = 7  # A, length of the one-hot vectors together
    maps: int = 64  # maps of the narrow convolutions
    fused_maps: int = 128  # maps of the wide convolutions
    attribute_hidden: int = 512  # outputs of the attribute's first fully connected layer
    attribute_maps: int = 7  # maps that the attribute becomes
    feature_layer: str = "conv6"  # which middle layer of stage 2 is searched with, one of FEATURE_LAYERS

    def __post_init__(self) -> None:
        for name in ("size", "attribute_size", "maps", "fused_maps", "attribute_hidden", "attribute_maps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
                raise ValueError(f"{name} must be a whole number from 1 to 4096, not {value!r}")
        if self.size % 2:
            raise ValueError(f"size must be even, not {self.size}")
        if self.feature_layer not in FEATURE_LAYERS:
            raise ValueError(f"feature_layer must be one of {', '.join(FEATURE_LAYERS)}")

    @property
    def half(self) -> int:
        """H, the side of the maps after pooling."""
        return self.size // 2

    def features_of(self, layer: str | None = None) -> int:
        """Count the features of a middle layer, by default of the one that is searched with."""
        name = layer or self.feature_layer
        maps = self.fused_maps if name in ("conv3", "conv4", "conv5") else self.maps
        side = self.size if name in ("conv1", "conv2", "conv7") else self.half
        return maps * side**2
