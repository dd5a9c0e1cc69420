"""Larger pictures of rendered faces, for networks that were trained on larger faces than ours.

Each shows the person, the light and the expression of its crop, from the same place, a little wider and
without what a cheap camera does to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from PIL import Image

from facedata.rendered.camera import EYE_TO_NOSE_BASE, Camera, View
from facedata.rendered.mesh import Array
from faces.crop import CropGeometry
from faces.types import Floats, Pixels

SIDE = 176  # pixels: dlib's chips of 150 keep their size
WIDER = 1.15  # than the crop: what is cut by five points on a turned head reaches beyond it
RAYS_PER_PIXEL = 1.1  # in each direction; more costs more than it shows
POINTS = (45, 42, 36, 39, 33)  # of the 68, in the order of dlib's five


@dataclass(frozen=True)
class Shots:
    """Pictures of one person, in any arrangement "...", such as (poses, lights).

    ``crops`` (..., S, S) uint8; where larger pictures were wished, ``large`` (..., 176, 176) uint8 and their
    ``points`` (..., 5, 2) float32, in picture coordinates as ``facedata.pictures.LargeFace`` has them; where
    crops are as photographs are, ``clean`` (..., S, S) uint8, as they were in a studio.
    """

    crops: Pixels
    large: Pixels | None = None
    points: Floats | None = None
    clean: Pixels | None = None

    @classmethod
    def joined(cls, parts: Sequence[Self], axis: int) -> Self:
        """Several shoots as one, along an axis of their arrangement."""

        def along(pieces: list[Any]) -> Any:
            return None if pieces[0] is None else np.concatenate(pieces, axis)

        return cls(*(along([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def in_one_row(self) -> Shots:
        """The same pictures one after another: (n, S, S), (n, 176, 176), (n, 5, 2) and (n, S, S)."""
        return Shots(*(_in_row(getattr(self, field.name)) for field in fields(self)))


def larger_view(view: View, geometry: CropGeometry) -> View:
    """The same look at the same head for its larger picture."""
    side = round(SIDE * RAYS_PER_PIXEL)
    crop_width = EYE_TO_NOSE_BASE / geometry.nose_distance  # cm
    return view.again(replace(view.camera, side=side, scale=side / (WIDER * crop_width)))


def larger_picture(grey: Array) -> Pixels:
    """(176, 176) uint8 from the rays' grey 0..1 (side, side), each pixel the mean over its area."""
    picture = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(np.asarray(picture) * 255 + 0.5, np.uint8)


def larger_points(landmarks68: Array, camera: Camera) -> Floats:
    """The five points (5, 2) float32 on a larger picture, from the 68 (68, 3) of the head."""
    points = camera.project(landmarks68[list(POINTS)]) * (SIDE / camera.side)
    return np.asarray(points, np.float32)


def _in_row(pictures: Any) -> Any:
    return None if pictures is None else pictures.reshape(-1, *pictures.shape[-2:])
