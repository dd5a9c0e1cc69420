"""The one crop function: photographs, imported sets and rendered faces all pass through it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faces.types import Landmarks, Pixels

# Chin distance / nose-base distance below the eye line, mean of 2,000 random heads of ICT-FaceKit.
CHIN_TO_NOSE_BASE = 2.369
_SMALLEST_UNIT = 1e-3  # picture pixels: shorter distances are no face
_FARTHEST = 1e7  # picture pixels: no photograph reaches as far
_LARGEST = 8  # crop side / longer side of the picture: more of it would be repeated edges than face
_SAMPLED = 4096  # crop side in picture pixels up to which every pixel is sampled; larger ones are shrunk


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """Where a face lies in its square crop, in fractions of the side; travels with the weights.

    The point midway between the eyes lies at (0.5, ``eye_y``) with the eye line level; the vertical distance
    from the eye line to the nose base is ``nose_distance``.
    """

    size: int = 32
    eye_y: float = 0.30
    nose_distance: float = 0.25


def crop_transform(landmarks: Landmarks, geometry: CropGeometry) -> NDArray[np.float64]:
    """Return the similarity from crop to picture coordinates, a (2, 3) float64 matrix.

    The angle comes from the eye line; the scale from the distance of the nose base (or of the chin if it is
    annotated) from that line, because this distance does not shrink when the head turns.  Raises ValueError
    if the landmarks leave no scale (eyes or nose base on one spot or on one line, nose above the eyes) or are
    no places in a photograph (not finite, or beyond ten million pixels).
    """
    known = (landmarks.left_eye, landmarks.right_eye, landmarks.nose_base, landmarks.chin)
    if not all(abs(value) <= _FARTHEST for point in known if point is not None for value in point):
        raise ValueError("a landmark lies nowhere in a photograph")
    left, right = np.array(landmarks.left_eye, float), np.array(landmarks.right_eye, float)
    eye_line = right - left
    length = float(np.hypot(*eye_line))
    if length < _SMALLEST_UNIT:
        raise ValueError("the eyes lie on one spot")
    across = eye_line / length
    down = np.array([-across[1], across[0]])
    middle = (left + right) / 2
    if landmarks.chin is not None:
        distance = float((np.array(landmarks.chin) - middle) @ down) / CHIN_TO_NOSE_BASE
    else:
        distance = float((np.array(landmarks.nose_base) - middle) @ down)
    if distance < _SMALLEST_UNIT:
        raise ValueError("the nose base does not lie below the eyes")
    scale = distance / (geometry.nose_distance * geometry.size)  # picture pixels per crop pixel
    linear = np.stack([across, down], axis=1) * scale
    origin = middle - linear @ np.array([0.5 * geometry.size, geometry.eye_y * geometry.size])
    return np.concatenate([linear, origin[:, None]], axis=1)


def landmarks_in_crop(landmarks: Landmarks, geometry: CropGeometry) -> Landmarks:
    """Tell where eyes and nose base lie in the crop, in its pixels; raises as ``crop_transform`` does."""
    matrix = crop_transform(landmarks, geometry)
    linear, origin = np.linalg.inv(matrix[:, :2]), matrix[:, 2]

    def moved(point: tuple[float, float]) -> tuple[float, float]:
        x, y = linear @ (np.array(point) - origin)
        return float(x), float(y)

    return Landmarks(moved(landmarks.left_eye), moved(landmarks.right_eye), moved(landmarks.nose_base))


def crop_face(pixels: Pixels, landmarks: Landmarks, geometry: CropGeometry) -> Pixels:
    """Warp a face to its crop.

    ``pixels`` is (H, W) grey or (H, W, 3) RGB uint8; the result (S, S) grey uint8.  Beyond the picture its
    nearest edge pixel is repeated.  Large faces are averaged over the area of each crop pixel, so that
    nothing aliases; values are rounded once, at the end.  Raises ValueError as ``crop_transform`` does, and
    if the crop would lie beside the picture or be more than eight times as large: that must not cost memory.
    """
    matrix = crop_transform(landmarks, geometry)
    size = geometry.size
    height, width = pixels.shape[:2]
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale * size > _LARGEST * max(width, height):
        raise ValueError("the face would be far larger than its picture")
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], float)
    reach = corners @ matrix[:, :2].T + matrix[:, 2]
    if (reach.max(0) <= 0).any() or (reach.min(0) >= (width, height)).any():
        raise ValueError("the face lies beside its picture")
    shrink = math.ceil(scale * size / _SAMPLED)
    if shrink > 1:
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(shrink))
        matrix, reach, scale = matrix / shrink, reach / shrink, scale / shrink
    low = np.floor(reach.min(0)).astype(int) - 1
    high = np.ceil(reach.max(0)).astype(int) + 1
    columns = np.clip(np.arange(low[0], high[0]), 0, pixels.shape[1] - 1)
    rows = np.clip(np.arange(low[1], high[1]), 0, pixels.shape[0] - 1)
    region = Image.fromarray(np.ascontiguousarray(pixels[rows][:, columns])).convert("L")
    steps = max(1, math.ceil(scale))  # samples per crop pixel and direction
    local = matrix.copy()
    local[:, :2] /= steps
    local[:, 2] -= low
    # In floating point: of 8-bit pictures Pillow's transform cuts fractions off, half a level on average.
    fine = region.convert("F").transform(
        (size * steps, size * steps),
        Image.Transform.AFFINE,
        tuple(float(value) for value in local.ravel()),
        Image.Resampling.BILINEAR,
    )
    exact = np.asarray(fine.reduce(steps) if steps > 1 else fine)
    crop: Pixels = np.rint(np.clip(exact, 0, 255)).astype(np.uint8)
    return crop


def crop_colours(pixels: Pixels, landmarks: Landmarks, geometry: CropGeometry) -> Pixels:
    """Warp a face of a photograph (H, W, 3) RGB uint8 as ``crop_face`` does, to (S, S, 3) RGB uint8."""
    channels = (np.ascontiguousarray(pixels[:, :, channel]) for channel in range(3))
    return np.stack([crop_face(channel, landmarks, geometry) for channel in channels], axis=2)
