"""Network and preprocessing in one: grey faces in, drawn faces and features out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faces.errors import WeightsError
from faces.types import Floats, Ints, Pixels
from generator.architecture import FEATURE_LAYERS
from generator.config import ModelConfig
from generator.devices import keep_freed_memory, pick_device, pick_precision, prefers_int8
from generator.networks import TwoStage, as_features
from generator.quantised import QuantisedNetwork

Precision = Literal["auto", "float32", "bfloat16"]
# Pictures of 32 x 32 in one pass. More do not make a processor faster, they only leave its caches.
_BATCH = {"cpu": 32, "cuda": 1024}
_DOUBT = 0.015  # by which part distances of drawings in 8 bits may be off


@dataclass(frozen=True, slots=True)
class Drawing:
    """N faces as both stages drew them, and what to search with."""

    stage1: Pixels  # (N, S, S) uint8
    stage2: Pixels  # (N, S, S) uint8
    features: Floats  # (N, D) float32, L2-normalised


@dataclass(frozen=True, slots=True)
class Canonical:
    """N faces drawn as what they already are: of all values, the one whose drawing is closest."""

    codes: Ints  # (N,) the codes kept, an estimate of the attribute
    images: Pixels  # (N, S, S) uint8, stage 2's drawings with these codes
    features: Floats  # (N, D) float32, L2-normalised, of the same drawings
    distances: Floats  # (N, V) Euclidean, in grey levels, of each code's unrounded drawing to the face


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several wishes for one face, or several faces with one wish, have in common, computed once.

    Stage 1 encodes the picture and the wish apart, and its first fusing convolution is linear, so the parts
    of both can be added: ``fuse`` (64, 64, 3, 3) are its weights for the picture, ``table`` (V, H, H, 64) the
    wishes' part, made of their ``attribute_maps`` (V, 7, H, H).
    """

    network: TwoStage
    fuse: Tensor
    attribute_maps: Tensor
    table: Tensor


class Generator:
    """Draws faces and gives their features, on the processor or CUDA, in batches of bounded memory.

    ``network`` must not change any more; ``folder`` is where it was read from.  ``device`` None means CUDA if
    there is one.
    ``vocabulary`` is what can be wished for, ``geometry`` how faces must be cropped, ``feature_size`` is D.
    ``precision`` "auto" means bfloat16 if that is quicker here (see ``devices.prefers_bfloat16``), at a
    cosine of more than 0.999 to the features in float32; and where numbers of 8 bits are the quickest, that
    canonicalising measures its distances in those, if the configuration has the peaks for it.  Raises
    WeightsError if network and configuration or device do not fit.
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
        self.vocabulary = config.vocabulary
        self.geometry = config.geometry
        self.feature_size = config.architecture.features_of()
        self.name = name
        self.weights_id = weights_id
        self.folder = folder
        self.device = pick_device(device)
        self.dtype = pick_precision(precision, self.device)
        size = config.architecture.size
        self._batch = max(1, _BATCH.get(self.device.type, 32) * 32**2 // size**2)
        self._codes = len(self.vocabulary.one_hots)
        self._given = network
        self._in_8_bits = precision == "auto" and bool(config.peaks) and prefers_int8(self.device)

    @cached_property
    def _shared(self) -> _Shared:
        """Prepare the network when the first face comes: a search needs one of a collection's, or none."""
        if self.device.type == "cpu":
            keep_freed_memory()
        with torch.inference_mode():
            stage1 = self._given.stage1
            maps = stage1.encode_attribute(torch.from_numpy(self.vocabulary.one_hots))  # (V, 7, H, H)
            weights, own = stage1.fuse1.weight, maps.shape[1]  # (64, 71, 3, 3), 7 of them the wish's
            table = functional.conv2d(maps, weights[:, -own:], stage1.fuse1.bias, padding=1)
            with torch.device("meta"):
                network = TwoStage(self.config.architecture)
            state = {name: self._placed(value) for name, value in self._given.state_dict().items()}
            network.load_state_dict(state, assign=True)
            table = table.permute(0, 2, 3, 1).to(self.device, self.dtype).contiguous()
            return _Shared(network.eval().requires_grad_(False), self._placed(weights[:, :-own]), maps, table)

    @cached_property
    def _quantised(self) -> QuantisedNetwork:
        return QuantisedNetwork(self._given, self.config)

    def _placed(self, weights: Tensor) -> Tensor:
        """Copy weights to the device, in its type; those of convolutions channels last."""
        order = torch.channels_last if weights.ndim == 4 else torch.preserve_format
        return weights.to(self.device, self.dtype, copy=True, memory_format=order)

    def draw(self, crops: Pixels, wishes: Ints | Floats, *, layer: str | None = None) -> Drawing:
        """Draw faces (N, S, S) uint8 with one wish each: codes (N,) int64, or mixtures of the V codes (N, V)
        float32, as ``Vocabulary.mixture`` gives them.

        ``layer`` is another of ``networks.FEATURE_LAYERS`` to take the features from.
        Raises ValueError if there is no such layer, an array has another form or a code is unknown.
        """
        layer = layer or self.config.architecture.feature_layer
        if layer not in FEATURE_LAYERS:
            raise ValueError(f"there is no layer {layer!r}; there are {', '.join(FEATURE_LAYERS)}")
        codes = self._check(crops, wishes)
        stage1, stage2 = np.empty_like(crops), np.empty_like(crops)
        features = np.empty((len(crops), self.config.architecture.features_of(layer)), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                x = self._standardised(crops[part]).to(self.dtype)
                first = self._look(x) + self._wished(torch.from_numpy(codes[part]).to(self.device))
                drawn, image, layers = self._draw(x, first)
                stage1[part], stage2[part] = self._levels(drawn), self._levels(image)
                features[part] = _array(as_features(layers[layer]))
        return Drawing(stage1, stage2, features)

    def canonicalise(self, crops: Pixels) -> Canonical:
        """Draw each face (N, S, S) uint8 with every code and keep what is closest to the face itself.

        Ghodrati et al. (2015), section 4.1.2.  Of equally close drawings the lowest code is kept.
        Raises ValueError if the array has another form.
        """
        self._check_crops(crops)
        codes, images = np.empty(len(crops), np.int64), np.empty_like(crops)
        features = np.empty((len(crops), self.feature_size), np.float32)
        distances = np.empty((len(crops), self._codes), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                x = self._standardised(crops[part])
                image, maps, apart = self._closest_in_8_bits(x) if self._in_8_bits else self._closest(x)
                codes[part], distances[part] = _array(apart.argmin(1)), _array(apart) * self.config.std
                images[part], features[part] = self._levels(image), _array(as_features(maps))
        return Canonical(codes, images, features, distances)

    def attribute_maps(self) -> Floats:
        """Return what stage 1 makes of each code (the paper's figure 4): (V, 7, S / 2, S / 2) float32."""
        return _array(self._shared.attribute_maps)

    def _look(self, x: Tensor) -> Tensor:
        """Turn pictures (B, 1, S, S) into their part of the first fused maps, (B, H, H, 64)."""
        maps = functional.conv2d(self._shared.network.stage1.encode_image(x), self._shared.fuse, padding=1)
        return maps.permute(0, 2, 3, 1)

    def _wished(self, wishes: Tensor) -> Tensor:
        """Turn codes (B,), or mixtures of them (B, V), into their part of the first fused maps."""
        if wishes.ndim == 1:
            return self._shared.table[wishes]
        table = self._shared.table.flatten(1)  # what encodes a wish is linear, so that its maps can be mixed
        return (wishes.to(table.dtype) @ table).view(-1, *self._shared.table.shape[1:])

    def _draw(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Both stages' pictures (B, 1, S, S), and the middle layers of stage 2, from the first fused maps."""
        drawn = self._shared.network.stage1.draw(first.permute(0, 3, 1, 2))
        return drawn, *self._shared.network.stage2(x, drawn)

    def _closest(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stage 2's pictures (F, 1, S, S) and maps (F, C, H, W) of the closest drawings of standardised faces
        (F, 1, S, S), and the distances (F, V) of all."""
        faces, values = len(x), self._codes
        layer = self.config.architecture.feature_layer
        step = max(1, self._batch // faces)  # few faces: several codes at once, so that no pass is small
        shown = x.to(self.dtype)
        looked = self._look(shown)
        apart = torch.empty(faces, values, device=x.device)
        closest, kept = torch.full((faces,), torch.inf, device=x.device), list[Tensor]()
        for first in range(0, values, step):
            codes = slice(first, min(first + step, values))
            count = codes.stop - codes.start
            each = (looked[:, None] + self._shared.table[codes][None]).flatten(0, 1)  # (F * K, H, H, 64)
            _, image, layers = self._draw(shown.repeat_interleave(count, 0), each)
            error = image.view(faces, -1, *x.shape[1:]).float() - x[:, None]  # (F, K, 1, S, S)
            apart[:, codes] = error.square().flatten(2).sum(2).sqrt()
            nearest, which = apart[:, codes].min(1)
            places = torch.arange(faces, device=x.device) * count + which
            closer, found = nearest < closest, [image[places], layers[layer][places]]
            closest = torch.minimum(nearest, closest)
            kept = kept or found
            kept = [
                torch.where(closer[:, None, None, None], new, old)
                for new, old in zip(found, kept, strict=True)
            ]
        return kept[0], kept[1], apart

    def _closest_in_8_bits(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Do the same, but draw in 8 bits, and only the closest value as ever.

        Where several values are about as close, the plain network decides.
        """
        shown, rows, values = x.to(self.dtype), torch.arange(len(x)), self._codes
        looked = self._look(shown)
        apart = torch.empty(len(x), values)
        for some in torch.split(rows, max(1, self._batch // values)):
            first = (looked[some, None] + self._shared.table[None]).flatten(0, 1)
            faces = x[some].repeat_interleave(values, 0)
            apart[some] = _apart(self._quantised.draw(faces, first), faces).view(-1, values)
        close = apart <= apart.min(1, keepdim=True).values * (1 + _DOUBT)
        one_hots = torch.from_numpy(self.vocabulary.one_hots)
        pairs = (close & (close.sum(1, keepdim=True) > 1)).nonzero()
        for face, code in (some.T for some in torch.split(pairs, self._batch)):
            apart[face, code] = _apart(self._given(x[face], one_hots[code])[1], x[face])
        codes = apart.argmin(1)
        _, image, layers = self._draw(shown, looked + self._wished(codes))
        kept = _apart(image, x)
        apart = torch.maximum(apart, kept[:, None] * (1 + 1e-6))  # no other is closer
        apart[rows, codes] = kept
        return image, layers[self.config.architecture.feature_layer], apart

    def _standardised(self, crops: Pixels) -> Tensor:
        """(B, S, S) uint8 to (B, 1, S, S) float32 on the device."""
        x = torch.from_numpy(crops.astype(np.float32, order="C")).to(self.device)
        return ((x - self.config.mean) / self.config.std)[:, None]

    def _levels(self, pictures: Tensor) -> Pixels:
        """Standardised pictures (B, 1, S, S) to grey levels (B, S, S) uint8, rounded."""
        levels = pictures[:, 0].float() * self.config.std + self.config.mean
        return _array(levels.round().clamp(0, 255).to(torch.uint8))

    def _parts(self, count: int) -> Iterator[slice]:
        for first in range(0, count, self._batch):
            yield slice(first, min(first + self._batch, count))

    def _check(self, crops: Pixels, wishes: Ints | Floats) -> Ints | Floats:
        """Check all input; return the codes as int64, or the mixtures as float32."""
        self._check_crops(crops)
        values = self._codes
        codes: np.ndarray = np.asarray(wishes)
        if codes.ndim == 2 and codes.dtype == np.float32:
            if codes.shape != (len(crops), values) or not np.isfinite(codes).all():
                raise ValueError(f"mixtures must be ({len(crops)}, {values}) finite float32")
            return codes
        if codes.shape != (len(crops),) or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(f"codes must be ({len(crops)},) integers, not {codes.dtype} {codes.shape}")
        if len(codes) and not 0 <= codes.min() <= codes.max() < values:
            raise ValueError(f"codes must lie in 0..{values - 1}")
        return codes.astype(np.int64)

    def _check_crops(self, crops: Pixels) -> None:
        size = self.geometry.size
        if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8 or crops.shape[1:] != (size, size):
            found = f"{crops.dtype} {crops.shape}" if isinstance(crops, np.ndarray) else type(crops).__name__
            raise ValueError(f"crops must be (N, {size}, {size}) uint8, not {found}")


def _apart(drawn: Tensor, x: Tensor) -> Tensor:
    """Give the Euclidean distances (B,) of pictures (B, 1, S, S)."""
    return (drawn.float() - x).flatten(1).square().sum(1).sqrt()


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu().numpy())
