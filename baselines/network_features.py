"""Features by networks that others trained on faces larger than our crops."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from baselines.features import Features, ImageFeatures, normalised
from baselines.vgg import VGG16, VGG_FACE, load_vgg
from facedata.large_pictures import LargeFace, Pictures
from faces.chips import DLIB_SIDE, dlib_chip
from faces.dlib_detector import model_file
from faces.errors import RowUnavailable
from faces.landmarks import landmarks_of
from faces.progress import NoProgress, Progress
from faces.types import Floats, Landmarks, Pixels
from retrieval.identity import Identity as IdentityModel

BATCH = 16  # faces; more at a time is not quicker on a processor
TIGHT = 0.25  # as dlib cuts the faces that its network was trained on
LOOSE = 0.3  # about what VGG-Face was trained on: a detector's box, widened by a tenth

Describe = Callable[[Tensor], Tensor]
"""(N, 3, S, S) float32 RGB 0..255 → (N, D)."""


class NetworkFeatures:
    """Chips of the larger pictures, described by a network.

    ``load`` gives the network when it is first needed; it sees grey chips of ``size`` pixels as colour
    pictures, with a margin of ``padding`` mean faces (see ``face_chip``).
    """

    needs_large = True

    def __init__(self, *, name: str, load: Callable[[], Describe], size: int, padding: float) -> None:
        self.name = name
        self.load = load
        self.size = size
        self.padding = padding

    @cached_property
    def _describe(self) -> Describe:
        return self.load()

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Floats:
        """Return (N, D) float32, each row of length 1.

        Raises RowUnavailable if a face has no larger picture, WeightsError for a broken weight file.
        """
        large, describe = pictures.required_large(), self._describe
        progress = progress or NoProgress()
        parts = [np.empty((0, 0), np.float32)]
        progress.start(f"describing faces ({self.name})", len(large), "faces")
        try:
            for start in range(0, len(large), BATCH):
                numbers = range(start, min(start + BATCH, len(large)))
                chips = [_chip(large.read(number), self.size, self.padding) for number in numbers]
                with torch.inference_mode():
                    grey = torch.from_numpy(np.stack(chips)).float()[:, None]  # (B, 1, S, S)
                    parts.append(normalised(describe(grey.expand(-1, 3, -1, -1)).numpy()))
                progress.advance(len(numbers))
        finally:
            progress.finish()
        return np.concatenate(parts[1:] or parts)


class IdentityFeatures:
    """The product's model of identity, as features of larger pictures.

    It sees the larger pictures in grey; photographs in a collection are described in colour.
    """

    needs_large = True

    def __init__(self, model: IdentityModel) -> None:
        self.model = model
        self.name = model.name

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Floats:
        """Return (N, I) float32; raises RowUnavailable if a face has no larger picture."""
        large, progress = pictures.required_large(), progress or NoProgress()
        parts = [np.empty((0, self.model.dimension), np.float32)]
        progress.start("describing faces (identity)", len(large), "faces")
        try:
            for start in range(0, len(large), BATCH):
                faces = [large.read(number) for number in range(start, min(start + BATCH, len(large)))]
                chips = [self.model.cut(face.pixels, _landmarks(face)) for face in faces]
                parts.append(self.model.describe(np.stack(chips)))
                progress.advance(len(faces))
        finally:
            progress.finish()
        return np.concatenate(parts)


def _landmarks(face: LargeFace) -> Landmarks:
    found = landmarks_of(face.points.astype(np.float64))
    if found is None:
        raise RowUnavailable("a larger picture has points that make no face")
    return found


def open_features(name: str, *, vgg16: Path | None = None, vgg_face: Path | None = None) -> Features:
    """Open the features called ``image``, ``dlib-128``, ``vgg16-fc7`` or ``vgg-face-fc6``.

    ``vgg16`` and ``vgg_face`` are the published weight files (``baselines.vgg``).  Raises RowUnavailable
    if one that is needed was not given, or for another name.
    """
    if name == "image":
        return ImageFeatures()
    if name == "dlib-128":
        return NetworkFeatures(name=name, load=_load_dlib, size=DLIB_SIDE, padding=TIGHT)
    if name == "vgg16-fc7":
        objects = _given(vgg16)
        return NetworkFeatures(
            name=name, load=lambda: load_vgg(objects, VGG16).fc7, size=VGG16.side, padding=LOOSE
        )
    if name == "vgg-face-fc6":
        people = _given(vgg_face)
        return NetworkFeatures(
            name=name, load=lambda: load_vgg(people, VGG_FACE).fc6, size=VGG_FACE.side, padding=LOOSE
        )
    raise RowUnavailable(f"there are no features {name}")


def _chip(face: LargeFace, size: int, padding: float) -> Pixels:
    return dlib_chip(face.pixels, face.points, size=size, margin=padding)


def _load_dlib() -> Describe:
    from retrieval.dlib_network import load_dlib_network

    return load_dlib_network(model_file("dlib_face_recognition_resnet_model_v1.dat"))


def _given(path: Path | None) -> Path:
    if path is None:
        raise RowUnavailable("weights not given")
    return path
