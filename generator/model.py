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
_SWEEPS = 5  # through all attributes, at most


@dataclass(frozen=True, slots=True)
class Drawing:
    """N faces as both stages drew them, and what to search with."""

    stage1: Pixels  # (N, S, S) uint8
    stage2: Pixels  # (N, S, S) uint8
    features: Floats  # (N, D) float32, L2-normalised


@dataclass(frozen=True, slots=True)
class Canonical:
    """N faces drawn as what they already are: of all drawings, the one that is closest."""

    values: Ints  # (N, G) the place of the value kept in each group, an estimate of what is shown
    images: Pixels  # (N, S, S) uint8, stage 2's drawings with these values
    features: Floats  # (N, D) float32, L2-normalised, of the same drawings
    distances: Floats
    """(N, A) Euclidean, in grey levels, to the face: of the unrounded drawing with each value, the other
    groups as kept."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several wishes for one face, or several faces with one wish, have in common, computed once.

    Stage 1 encodes the picture and the wish apart, and its first fusing convolution is linear, so the parts
    of both can be added: ``fuse`` (64, 64, 3, 3) are its weights for the picture, ``table`` (A, H, H, 64) the
    parts of the values, made of their ``attribute_maps`` (A, M, H, H), seven for each attribute.  What
    encodes a wish is affine: the values' parts add up, and what the biases add stands with each value of the
    first group, or as ``nothing`` (H, H, 64) if a wish leaves that group open.
    """

    network: TwoStage
    fuse: Tensor
    attribute_maps: Tensor
    table: Tensor
    nothing: Tensor


@dataclass(frozen=True, slots=True)
class _Seen:
    """F faces as the network sees them: ``x`` (F, 1, S, S) float32, standardised, ``shown`` the same in the
    network's type, ``looked`` (F, H, H, 64) their part of the first fused maps."""

    x: Tensor
    shown: Tensor
    looked: Tensor


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
        self._places = [*self.vocabulary.places.values()]
        self._every = self._all_vectors()
        self._given = network
        self._in_8_bits = precision == "auto" and bool(config.peaks) and prefers_int8(self.device)

    @cached_property
    def _shared(self) -> _Shared:
        """Prepare the network when the first face comes: a search needs one of a collection's, or none."""
        if self.device.type == "cpu":
            keep_freed_memory()
        with torch.inference_mode():
            stage1 = self._given.stage1
            size = self.vocabulary.size
            alone = torch.cat([torch.eye(size), torch.zeros(1, size)])  # each value alone, then none
            maps = stage1.encode_attribute(alone)  # (A + 1, 7, H, H)
            weights, own = stage1.fuse1.weight, maps.shape[1]  # (64, 71, 3, 3), 7 of them the wish's
            parts = functional.conv2d(maps, weights[:, -own:], stage1.fuse1.bias, padding=1)
            table = parts[:-1]
            table[self._places[0].stop :] -= parts[-1]
            with torch.device("meta"):
                network = TwoStage(self.config.architecture)
            state = {name: self._placed(value) for name, value in self._given.state_dict().items()}
            network.load_state_dict(state, assign=True)
            table, nothing = (
                one.permute(0, 2, 3, 1).to(self.device, self.dtype).contiguous()
                for one in (table, parts[-1:])
            )
            network = network.eval().requires_grad_(False)
            return _Shared(network, self._placed(weights[:, :-own]), maps[:-1], table, nothing[0])

    @cached_property
    def _quantised(self) -> QuantisedNetwork:
        return QuantisedNetwork(self._given, self.config)

    def _placed(self, weights: Tensor) -> Tensor:
        """Copy weights to the device, in its type; those of convolutions channels last."""
        order = torch.channels_last if weights.ndim == 4 else torch.preserve_format
        return weights.to(self.device, self.dtype, copy=True, memory_format=order)

    def _all_vectors(self) -> Tensor | None:
        """Give the attribute vectors (V, A) of all combinations of values if they are few, else None."""
        if not self.vocabulary.few:
            return None
        sizes = [place.stop - place.start for place in self._places]
        vectors = self.vocabulary.vectors(np.indices(sizes).reshape(len(sizes), -1).T)
        return torch.from_numpy(vectors).to(self.device)

    def draw(self, crops: Pixels, wishes: Floats, *, layer: str | None = None) -> Drawing:
        """Draw faces (N, S, S) uint8 with one wish each: attribute vectors (N, A) float32.

        ``layer`` is another of ``networks.FEATURE_LAYERS`` to take the features from.
        Raises ValueError if there is no such layer, or if an array has another form.
        """
        layer = layer or self.config.architecture.feature_layer
        if layer not in FEATURE_LAYERS:
            raise ValueError(f"there is no layer {layer!r}; there are {', '.join(FEATURE_LAYERS)}")
        self._check_crops(crops)
        self._check_vectors(wishes, len(crops))
        stage1, stage2 = np.empty_like(crops), np.empty_like(crops)
        features = np.empty((len(crops), self.config.architecture.features_of(layer)), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                x = self._standardised(crops[part]).to(self.dtype)
                first = self._look(x) + self._wished(torch.from_numpy(wishes[part]).to(self.device))
                drawn, image, layers = self._draw(x, first)
                stage1[part], stage2[part] = self._levels(drawn), self._levels(image)
                features[part] = _array(as_features(layers[layer]))
        return Drawing(stage1, stage2, features)

    def canonicalise(self, crops: Pixels) -> Canonical:
        """Draw each face (N, S, S) uint8 with every value and keep what is closest to the face itself.

        Ghodrati et al. (2015), section 4.1.2.  Of equally close drawings the lowest value is kept.  Several
        attributes have too many combinations: unless there are at most 36, one attribute after the other is
        drawn with each of its values, the others as kept so far, until no single change comes closer.  It
        begins with all values mixed evenly.  Raises ValueError if an array has another form.
        """
        self._check_crops(crops)
        values, images = np.empty((len(crops), len(self._places)), np.int64), np.empty_like(crops)
        features = np.empty((len(crops), self.feature_size), np.float32)
        distances = np.empty((len(crops), self.vocabulary.size), np.float32)
        with torch.inference_mode():
            for part in self._parts(len(crops)):
                x = self._standardised(crops[part])
                if self._every is None:
                    found = self._settled(x)
                else:
                    find = self._closest_in_8_bits if self._in_8_bits else self._closest
                    found = find(x, self._every)
                vectors, image, maps, apart = found
                kept = [vectors[:, place].argmax(1) for place in self._places]
                values[part], distances[part] = _array(torch.stack(kept, 1)), _array(apart) * self.config.std
                images[part], features[part] = self._levels(image), _array(as_features(maps))
        return Canonical(values, images, features, distances)

    def attribute_maps(self) -> Floats:
        """Return what stage 1 makes of each value alone (the paper's figure 4): (A, M, H, H) float32."""
        return _array(self._shared.attribute_maps)

    def _look(self, x: Tensor) -> Tensor:
        """Turn pictures (B, 1, S, S) into their part of the first fused maps, (B, H, H, 64)."""
        maps = functional.conv2d(self._shared.network.stage1.encode_image(x), self._shared.fuse, padding=1)
        return maps.permute(0, 2, 3, 1)

    def _wished(self, vectors: Tensor) -> Tensor:
        """Turn attribute vectors (B, A) into their part of the first fused maps, (B, H, H, 64)."""
        table = self._shared.table
        wished = (vectors.to(table.dtype) @ table.flatten(1)).view(-1, *table.shape[1:])
        left = 1 - vectors[:, self._places[0]].sum(1)
        if (left.abs() > 1e-3).any():
            wished = wished + left.to(table.dtype)[:, None, None, None] * self._shared.nothing
        return wished

    def _draw(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Both stages' pictures (B, 1, S, S), and the middle layers of stage 2, from the first fused maps."""
        drawn = self._shared.network.stage1.draw(first.permute(0, 3, 1, 2))
        return drawn, *self._shared.network.stage2(x, drawn)

    def _closest(self, x: Tensor, every: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw standardised faces (F, 1, S, S) with all combinations of values, the vectors (V, A).

        Returns, of the closest drawings, the vectors (F, A), stage 2's pictures (F, 1, S, S) and maps
        (F, C, H, W), and the distances (F, A).
        """
        faces, values = len(x), len(every)
        layer = self.config.architecture.feature_layer
        step = max(1, self._batch // faces)  # few faces: several values at once, so that no pass is small
        shown = x.to(self.dtype)
        looked, wished = self._look(shown), self._wished(every)
        apart = torch.empty(faces, values, device=x.device)
        closest, kept = torch.full((faces,), torch.inf, device=x.device), list[Tensor]()
        for first in range(0, values, step):
            some = slice(first, min(first + step, values))
            count = some.stop - some.start
            each = (looked[:, None] + wished[some][None]).flatten(0, 1)  # (F * K, H, H, 64)
            _, image, layers = self._draw(shown.repeat_interleave(count, 0), each)
            error = image.view(faces, -1, *x.shape[1:]).float() - x[:, None]  # (F, K, 1, S, S)
            apart[:, some] = error.square().flatten(2).sum(2).sqrt()
            nearest, which = apart[:, some].min(1)
            places = torch.arange(faces, device=x.device) * count + which
            closer, found = nearest < closest, [image[places], layers[layer][places]]
            closest = torch.minimum(nearest, closest)
            kept = kept or found
            kept = [
                torch.where(closer[:, None, None, None], new, old)
                for new, old in zip(found, kept, strict=True)
            ]
        vectors, by_value = self._by_value(every, apart)
        return vectors, kept[0], kept[1], by_value

    def _closest_in_8_bits(self, x: Tensor, every: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Do the same, but draw in 8 bits, and only the closest combination as ever."""
        seen, faces = self._seen(x), torch.arange(len(x))
        apart = self._apart(seen, faces, every.expand(len(x), -1, -1))
        return self._kept(seen, *self._by_value(every, apart))

    def _settled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Do the same by changing one attribute after the other, in turn, until no change comes closer."""
        seen, size = self._seen(x), self.vocabulary.size
        ones = [torch.eye(place.stop - place.start, device=x.device) for place in self._places]
        vectors = torch.cat([one.mean(0) for one in ones]).repeat(len(x), 1)
        several = torch.tensor([len(one) > 1 for one in ones], device=x.device).repeat(len(x), 1)  # (F, G)
        undecided = several.clone()
        apart = torch.full((len(x), size), torch.inf, device=x.device)
        for number, place in [*enumerate(self._places)] * _SWEEPS:
            faces = undecided[:, number].nonzero()[:, 0]
            if not len(faces):
                continue
            tried = vectors[faces, None].repeat(1, len(ones[number]), 1)  # (faces, values, A)
            tried[:, :, place] = ones[number]
            found = self._apart(seen, faces, tried)
            chosen = ones[number][found.argmin(1)]
            moved = faces[(vectors[faces, place] != chosen).any(1)]
            vectors[faces, place], apart[faces, place] = chosen, found
            undecided[moved] = several[moved]
            undecided[faces, number] = False
        return self._kept(seen, vectors, apart)

    def _seen(self, x: Tensor) -> _Seen:
        shown = x.to(self.dtype)
        return _Seen(x, shown, self._look(shown))

    def _apart(self, seen: _Seen, faces: Tensor, tried: Tensor) -> Tensor:
        """Give the distances (F, K) of ``faces`` (F,) of those seen, drawn with vectors (F, K, A).

        In 8 bits the plain network decides where several are about as close.
        """
        apart = torch.empty(tried.shape[:2], device=tried.device)
        for row, column in self._pairs(torch.ones_like(apart, dtype=torch.bool)):
            face = faces[row]
            first = seen.looked[face] + self._wished(tried[row, column])
            if self._in_8_bits:
                drawn = self._quantised.draw(seen.x[face], first)
            else:
                drawn = self._draw(seen.shown[face], first)[1]
            apart[row, column] = _distances(drawn, seen.x[face])
        if self._in_8_bits:
            close = apart <= apart.min(1, keepdim=True).values * (1 + _DOUBT)
            for row, column in self._pairs(close & (close.sum(1, keepdim=True) > 1)):
                x = seen.x[faces[row]]
                apart[row, column] = _distances(self._given(x, tried[row, column])[1], x)
        return apart

    def _pairs(self, chosen: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the rows and columns of what is true in a table, a batch at a time."""
        for some in torch.split(chosen.nonzero(), self._batch):
            yield some[:, 0], some[:, 1]

    def _by_value(self, every: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """Give the closest of all vectors (V, A) by their distances (F, V): theirs, (F, A), and the distances
        (F, A) of those that differ from them in one attribute at most."""
        vectors = every[apart.argmin(1)]
        found = torch.empty_like(vectors)
        for place in self._places:
            others = torch.ones(every.shape[1], dtype=torch.bool)
            others[place] = False
            alike = (vectors[:, None, others] == every[None, :, others]).all(2)  # (F, V)
            found[:, place] = apart[alike].view(len(apart), -1)
        return vectors, found

    def _kept(self, seen: _Seen, vectors: Tensor, apart: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw faces with the vectors (F, A) that are kept, and mend the distances (F, A)."""
        _, image, layers = self._draw(seen.shown, seen.looked + self._wished(vectors))
        kept = _distances(image, seen.x)[:, None]
        apart = torch.maximum(apart, kept * (1 + 1e-6))  # no other is closer
        apart = torch.where(vectors > 0, kept, apart)
        return vectors, image, layers[self.config.architecture.feature_layer], apart

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

    def _check_vectors(self, vectors: Floats, count: int) -> None:
        size = self.vocabulary.size
        if vectors.shape != (count, size) or vectors.dtype != np.float32:
            found = f"{vectors.dtype} {vectors.shape}"
            raise ValueError(f"attribute vectors must be ({count}, {size}) float32, not {found}")
        sums = np.add.reduceat(vectors, [place.start for place in self._places], axis=1)
        if not ((np.abs(sums - 1) < 0.01) | (np.abs(sums) < 0.01)).all():
            raise ValueError("the shares of each attribute's values must sum to one, or to nought")

    def _check_crops(self, crops: Pixels) -> None:
        size = self.geometry.size
        if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8 or crops.shape[1:] != (size, size):
            found = f"{crops.dtype} {crops.shape}" if isinstance(crops, np.ndarray) else type(crops).__name__
            raise ValueError(f"crops must be (N, {size}, {size}) uint8, not {found}")


def _distances(drawn: Tensor, x: Tensor) -> Tensor:
    """Give the Euclidean distances (B,) of pictures (B, 1, S, S)."""
    return (drawn.float() - x).flatten(1).square().sum(1).sqrt()


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu().numpy())
