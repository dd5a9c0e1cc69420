"""Features by networks that others trained on faces larger than our crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from baselines.searcher import Features, ImageFeatures, normalised
from baselines.vgg import VGG16, VGG_FACE, Vgg, load_vgg
from facedata.large_pictures import LargeFace, Pictures
from faces.chips import DLIB_SIDE, dlib_chip
from faces.dlib_detector import model_file
from faces.errors import RowUnavailable
from faces.landmarks import landmarks_of
from faces.progress import Progress, underway
from faces.types import Floats, Landmarks
from retrieval.dlib_network import load_dlib_network
from retrieval.identity import Identity as IdentityModel

BATCH = 16  # faces; more at a time is not quicker on a processor
TIGHT = 0.25  # as dlib cuts the faces that its network was trained on
LOOSE = 0.3  # about what VGG-Face was trained on: a detector's box, widened by a tenth

Describe = Callable[[Tensor], Tensor]  # (N, 3, S, S) float32 RGB 0..255 → (N, D)


@dataclass(kw_only=True, eq=False)
class NetworkFeatures:
    """Chips of the larger pictures, described by a network.

    ``load`` gives the network when it is needed; it sees grey chips of ``size`` pixels as colour
    pictures, with a margin of ``padding`` mean faces (see ``dlib_chip``).
    """

    name: str
    load: Callable[[], Describe]
    size: int
    padding: float
    needs_large = True

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Floats:
        """Return (N, D) float32, each row of length 1.

        Raises RowUnavailable if a face has no larger picture, WeightsError for a broken weight file.
        """
        return _describe_all(self.name, pictures, self._described, 0, progress)

    def _described(self, faces: list[LargeFace]) -> Floats:
        chips = [dlib_chip(face.pixels, face.points, size=self.size, margin=self.padding) for face in faces]
        with torch.inference_mode():
            grey = torch.from_numpy(np.stack(chips)).float()[:, None]  # (B, 1, S, S)
            return normalised(self.load()(grey.expand(-1, 3, -1, -1)).numpy())


class IdentityFeatures:
    """The product's model of identity, as features of larger pictures; sees them in grey."""

    needs_large = True

    def __init__(self, model: IdentityModel) -> None:
        self.model = model
        self.name = model.name

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Floats:
        """Return (N, I) float32; raises RowUnavailable if a face has no larger picture."""
        return _describe_all("identity", pictures, self._described, self.model.dimension, progress)

    def _described(self, faces: list[LargeFace]) -> Floats:
        return self.model.describe(
            np.stack([self.model.cut(face.pixels, _landmarks(face)) for face in faces])
        )


def _describe_all(
    what: str,
    pictures: Pictures,
    describe: Callable[[list[LargeFace]], Floats],
    dimension: int,
    progress: Progress | None,
) -> Floats:
    """Describe the larger pictures batch by batch; none give (0, dimension)."""
    large, parts = pictures.required_large(), []
    with underway(progress, f"describing faces ({what})", len(large), "faces") as describing:
        for start in range(0, len(large), BATCH):
            faces = [large.read(number) for number in range(start, min(start + BATCH, len(large)))]
            parts.append(describe(faces))
            describing.advance(len(faces))
    return np.concatenate(parts or [np.empty((0, dimension), np.float32)])


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
        file = "dlib_face_recognition_resnet_model_v1.dat"
        return NetworkFeatures(
            name=name, load=cache(lambda: load_dlib_network(model_file(file))), size=DLIB_SIDE, padding=TIGHT
        )
    published = {"vgg16-fc7": (vgg16, VGG16, Vgg.fc7), "vgg-face-fc6": (vgg_face, VGG_FACE, Vgg.fc6)}
    if name not in published:
        raise RowUnavailable(f"there are no features {name}")
    path, config, layer = published[name]
    if path is None:
        raise RowUnavailable("weights not given")
    return NetworkFeatures(
        name=name, load=cache(lambda: partial(layer, load_vgg(path, config))), size=config.side, padding=LOOSE
    )
