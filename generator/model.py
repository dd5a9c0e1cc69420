"""Network and preprocessing in one: grey faces in, drawn faces and features out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from faces.crop import CropGeometry
from faces.errors import WeightsError
from faces.types import Floats, Ints, Pixels
from generator.attributes import Vocabulary
from generator.config import ModelConfig
from generator.devices import keep_freed_memory, multiplies_bfloat16, pick_device
from generator.networks import FEATURE_LAYERS, TwoStage, as_features
from generator.sharing import SharedWork

Precision = Literal["auto", "float32", "bfloat16"]
# Pictures of 32 x 32 in one pass. More do not make a processor faster, they only leave its caches.
_BATCH = {"cpu": 32, "cuda": 1024}


@dataclass(frozen=True, slots=True)
class Drawing:
    """N faces as both stages drew them, and what to search with."""

    stage1: Pixels
    """(N, S, S) uint8."""
    stage2: Pixels
    """(N, S, S) uint8."""
    features: Floats
    """(N, D) float32, L2-normalised."""


@dataclass(frozen=True, slots=True)
class Canonical:
    """N faces drawn as what they already are: of all values, the one whose drawing is closest."""

    codes: Ints
    """(N,) the codes kept, an estimate of the attribute."""
    images: Pixels
    """(N, S, S) uint8, stage 2's drawings with these codes."""
    features: Floats
    """(N, D) float32, L2-normalised, of the same drawings."""
    distances: Floats
    """(N, V) Euclidean distance, in grey levels, of each code's drawing (before rounding) to the face."""


class Generator:
    """Draws faces and gives their features, on the processor or CUDA, in batches of bounded memory.

    ``network`` is copied; ``folder`` is where it was read from.  ``device`` None means CUDA if there is one.
    ``precision`` "auto" means bfloat16 if the hardware multiplies it: twice as fast on a processor with
    avx512_bf16, at a cosine of more than 0.999 to the features in float32.  Raises WeightsError if network
    and configuration or device do not fit.
    """

    def __init__(
        self,
        network: TwoStage,
        config: ModelConfig,
        *,
        name: str,
        weights_id: str,
        device: str | None = None,
        precision: Precision = "auto",
        folder: Path | None = None,
    ) -> None:
        if network.architecture != config.architecture:
            raise WeightsError("The network has other sizes than its configuration says.")
        self.config = config
        self.name = name
        self.weights_id = weights_id
        self.folder = folder
        self.device = pick_device(device)
        fast = precision == "bfloat16" or (precision == "auto" and multiplies_bfloat16(self.device))
        self.dtype = torch.bfloat16 if fast else torch.float32
        if self.device.type == "cpu":
            keep_freed_memory()
        wishes = torch.from_numpy(self.vocabulary.one_hot(np.arange(len(self.vocabulary.combinations))))
        with torch.inference_mode():
            own = copy.deepcopy(network).to(self.device, torch.float32).eval().requires_grad_(False)
            self._work = SharedWork(own, wishes.to(self.device), self.dtype)
        size = config.architecture.size
        self._batch = max(1, _BATCH.get(self.device.type, 32) * 32**2 // size**2)

    @property
    def vocabulary(self) -> Vocabulary:
        """What can be wished for."""
        return self.config.vocabulary

    @property
    def geometry(self) -> CropGeometry:
        """How faces must be cropped for this network."""
        return self.config.geometry

    @property
    def feature_size(self) -> int:
        """D, the length of the features."""
        return self._layer_size(self.config.architecture.feature_layer)

    def draw(self, crops: Pixels, wishes: Ints | Floats) -> Drawing:
        """Draw faces (N, S, S) uint8 with one wish each: codes (N,) int64, or mixtures of the V codes (N, V)
        float32, as ``Vocabulary.mixture`` gives them.

        Raises ValueError if the arrays have another form or a code is unknown.
        """
        codes = self._check(crops, wishes)
        stage1, stage2 = np.empty_like(crops), np.empty_like(crops)
        features = np.empty((len(crops), self.feature_size), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                drawn, image, layers = self._draw(crops[part], codes[part])
                stage1[part], stage2[part] = self._levels(drawn), self._levels(image)
                features[part] = _array(as_features(layers[self.config.architecture.feature_layer]))
        return Drawing(stage1, stage2, features)

    def canonicalise(self, crops: Pixels) -> Canonical:
        """Draw each face (N, S, S) uint8 with every code and keep what is closest to the face itself.

        Ghodrati et al. (2015), section 4.1.2.  Of equally close drawings the lowest code is kept.
        Raises ValueError if the array has another form.
        """
        self._check(crops)
        count, values = len(crops), self._work.codes
        codes, images = np.empty(count, np.int64), np.empty_like(crops)
        features = np.empty((count, self.feature_size), np.float32)
        distances = np.empty((count, values), np.float32)
        with torch.inference_mode():
            for part in self._parts(count):
                best, image, vectors, apart = self._closest(self._standardised(crops[part]))
                codes[part], images[part] = _array(best), self._levels(image)
                features[part], distances[part] = _array(vectors), _array(apart) * self.config.std
        return Canonical(codes, images, features, distances)

    def middle_layers(self, crops: Pixels, codes: Ints, name: str) -> Floats:
        """Return another middle layer of stage 2 as features (N, D) float32, L2-normalised, to compare.

        ``name`` is one of ``networks.FEATURE_LAYERS``; faces and codes are as for ``draw``.  Raises
        ValueError if there is no such layer or an array has another form.
        """
        if name not in FEATURE_LAYERS:
            raise ValueError(f"there is no layer {name!r}; there are {', '.join(FEATURE_LAYERS)}")
        wishes = self._check(crops, codes)
        features = np.empty((len(crops), self._layer_size(name)), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                features[part] = _array(as_features(self._draw(crops[part], wishes[part])[2][name]))
        return features

    def attribute_maps(self) -> Floats:
        """Return what stage 1 makes of each of the V codes, whatever the face: (V, 7, S / 2, S / 2) float32.

        The paper's figure 4 shows them.
        """
        return _array(self._work.attribute_maps)

    def _draw(self, crops: Pixels, codes: Ints | Floats) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        x = self._standardised(crops).to(self.dtype)
        return self._work.draw_each(x, torch.from_numpy(codes).to(self.device))

    def _closest(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Codes (F,), stage 2's pictures (F, 1, S, S), features (F, D) and distances (F, V) of the closest
        drawings of standardised faces (F, 1, S, S)."""
        faces, values = len(x), self._work.codes
        layer = self.config.architecture.feature_layer
        step = max(1, self._batch // faces)  # few faces: several codes at once, so that no pass is small
        shown = x.to(self.dtype)
        looked = self._work.look(shown)
        apart = torch.empty(faces, values, device=x.device)
        kept: tuple[Tensor, Tensor, Tensor] | None = None  # distances, pictures, maps
        for first in range(0, values, step):
            codes = slice(first, min(first + step, values))
            _, image, layers = self._work.draw_all(shown, looked, codes)
            error = image.view(faces, -1, *x.shape[1:]).float() - x[:, None]  # (F, K, 1, S, S)
            apart[:, codes] = error.square().flatten(2).sum(2).sqrt()
            nearest, which = apart[:, codes].min(1)
            places = torch.arange(faces, device=x.device) * (codes.stop - first) + which
            found = (nearest, image[places], layers[layer][places])
            if kept is not None:
                closer = nearest < kept[0]
                found = (
                    torch.where(closer, found[0], kept[0]),
                    torch.where(closer[:, None, None, None], found[1], kept[1]),
                    torch.where(closer[:, None, None, None], found[2], kept[2]),
                )
            kept = found
        if kept is None:
            raise ValueError("a vocabulary without values")
        return apart.argmin(1), kept[1], as_features(kept[2]), apart

    def _standardised(self, crops: Pixels) -> Tensor:
        """(B, S, S) uint8 to (B, 1, S, S) float32 on the device."""
        x = torch.from_numpy(crops.astype(np.float32, order="C")).to(self.device)
        return ((x - self.config.mean) / self.config.std)[:, None]

    def _levels(self, pictures: Tensor) -> Pixels:
        """Standardised pictures (B, 1, S, S) to grey levels (B, S, S) uint8, rounded."""
        levels = pictures[:, 0].float() * self.config.std + self.config.mean
        return np.asarray(levels.round().clamp(0, 255).to(torch.uint8).cpu().numpy())

    def _parts(self, count: int) -> Iterator[slice]:
        for first in range(0, count, self._batch):
            yield slice(first, min(first + self._batch, count))

    def _layer_size(self, name: str) -> int:
        a = self.config.architecture
        maps = a.fused_maps if name in ("conv3", "conv4", "conv5") else a.maps
        side = a.size if name in ("conv1", "conv2", "conv7") else a.half
        return maps * side**2

    def _check(self, crops: Pixels, wishes: Ints | Floats | None = None) -> Ints | Floats:
        """Check all input; return the codes as int64, or the mixtures as float32."""
        size = self.geometry.size
        if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8 or crops.shape[1:] != (size, size):
            found = f"{crops.dtype} {crops.shape}" if isinstance(crops, np.ndarray) else type(crops).__name__
            raise ValueError(f"crops must be (N, {size}, {size}) uint8, not {found}")
        if wishes is None:
            return np.empty(0, np.int64)
        codes: np.ndarray = np.asarray(wishes)
        if codes.ndim == 2 and codes.dtype == np.float32:
            if codes.shape != (len(crops), self._work.codes) or not np.isfinite(codes).all():
                raise ValueError(f"mixtures must be ({len(crops)}, {self._work.codes}) finite float32")
            return codes
        if codes.shape != (len(crops),) or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(f"codes must be ({len(crops)},) integers, not {codes.dtype} {codes.shape}")
        if len(codes) and not 0 <= codes.min() <= codes.max() < self._work.codes:
            raise ValueError(f"codes must lie in 0..{self._work.codes - 1}")
        return codes.astype(np.int64)


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu().numpy())
