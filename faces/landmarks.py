"""Five landmarks by dlib's shape predictor, steadied so that the crop does not hang on the exact box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faces.crop import CropGeometry, crop_transform
from faces.errors import DetectorError
from faces.types import Box, Landmarks

# The predictor compares single pixels, so a small face is enlarged first; wider than this gains nothing.
_FACE = 100
_MARGIN = 0.8  # of the box, on each side: room to move the box
# Medians of the upright CMU photographs: the box that belongs to a face, in units of its nose distance.
_BOX_WIDTH, _BOX_BELOW_EYES = 3.12, 0.77
_ROUNDS = 2
# Offsets and changes of size, in parts of the box, over which the last prediction is averaged.
_JITTER = ((0, 0, 0), (0.06, 0, 0), (-0.06, 0, 0), (0, 0.06, 0), (0, -0.06, 0))
_TILT, _TRUST = math.radians(8), 2.0
_MIRRORED = [2, 3, 0, 1, 4]  # the predictor's points of a mirrored face, in the order of the face itself

Points = NDArray[np.float64]


class FivePoints:
    """Predicts eye corners and nose base within a box.

    The prediction follows the box it starts from, and boxes are coarse.  So it is made on the face and
    on its mirror image, the box is set anew from what was found, twice, and the last prediction is
    averaged over a few shifted boxes.  Against boxes moved by up to 2 pixels on 128 x 120 photographs the
    corners of a 32-pixel crop then move by 0.4 crop pixels instead of 1.4 where the head is turned, and by
    0.2 instead of 0.8 where it is not (medians of faces found by the HOG detector; of all that the network
    finds 1.0 instead of 2.4, and 0.2 instead of 0.8).

    How much the eye line wavers over the shifted boxes also tells how far to trust its angle: see
    ``_levelled``.
    """

    def __init__(self, model: Path) -> None:
        import dlib

        try:
            self._predict: Any = dlib.shape_predictor(str(model))
        except RuntimeError as error:
            raise DetectorError(
                f"{model} is not a landmark model that dlib can read; install the package again."
            ) from error

    def find(self, grey: Image.Image, box: Box) -> Landmarks | None:
        """Landmarks of the face in a box of a grey photograph; None where they make no face."""
        side = max(box.width, 1e-6)
        scale = _FACE / side
        patch = _patch(grey, box, scale)
        seen = (patch, np.ascontiguousarray(patch[:, ::-1]))
        centre, width = np.array([patch.shape[1] / 2, patch.shape[0] / 2]), float(_FACE)
        for _ in range(_ROUNDS):
            points = self._predicted(seen, centre, width, _JITTER[:1]).mean(axis=0)
            centre, width = _box_of(points, np.array([patch.shape[1] / 2, patch.shape[0] / 2]))
        points = _levelled(self._predicted(seen, centre, width, _JITTER))
        origin = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])
        middle = np.array([patch.shape[1] / 2, patch.shape[0] / 2])
        return landmarks_of((points - middle) / scale + origin)

    def _predicted(
        self,
        seen: tuple[NDArray[np.uint8], NDArray[np.uint8]],
        centre: Points,
        width: float,
        jitter: Sequence[tuple[float, float, float]],
    ) -> Points:
        """Points of the patch, (2 · shifted boxes, 5, 2): first on it as it is, then on its mirror image."""
        import dlib

        found = []
        for way, patch in enumerate(seen):
            across = patch.shape[1]
            for x, y, grown in jitter:
                half = width * (1 + grown) / 2
                middle = centre + np.array([x, y]) * width
                if way:
                    middle = np.array([across - middle[0], middle[1]])
                low, high = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int) - 1
                shape = self._predict(patch, dlib.rectangle(*low.tolist(), *high.tolist()))
                # A part names a pixel; its centre lies half a pixel further.
                points = np.array([(shape.part(i).x + 0.5, shape.part(i).y + 0.5) for i in range(5)])
                if way:
                    points[:, 0] = across - points[:, 0]
                    points = points[_MIRRORED]
                found.append(points)
        return np.stack(found)


def _patch(grey: Image.Image, box: Box, scale: float) -> NDArray[np.uint8]:
    """The box with its margin, ``scale`` times enlarged, black beyond the photograph as dlib sees it."""
    margin = _MARGIN * box.width
    width = round((box.width + 2 * margin) * scale)
    height = round((box.height + 2 * margin) * scale)
    middle_x, middle_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    if scale < 1:  # a large face: sampling alone would alias
        factor = max(1, int(1 / scale))
        left, top = int(middle_x - width / scale / 2) - factor, int(middle_y - height / scale / 2) - factor
        area = (left, top, left + int(width / scale) + 3 * factor, top + int(height / scale) + 3 * factor)
        grey = grey.crop(area).reduce(factor)
        middle_x, middle_y, scale = (middle_x - left) / factor, (middle_y - top) / factor, scale * factor
    step = 1 / scale
    matrix = (step, 0.0, middle_x - width * step / 2, 0.0, step, middle_y - height * step / 2)
    patch = grey.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(patch)


def _box_of(points: Points, middle: Points) -> tuple[Points, float]:
    """Centre and width of the box that belongs to five points, held near the box detected first.

    The width is the geometric mean of the detected and the implied one: a wrong nose then does less harm.
    """
    eyes, nose = points[:4].mean(axis=0), points[4]
    distance = max(float(nose[1] - eyes[1]), 1.0)
    width = float(np.clip(np.sqrt(_BOX_WIDTH * distance * _FACE), 0.6 * _FACE, 1.5 * _FACE))
    centre = np.array([(eyes[0] + nose[0]) / 2, eyes[1] + _BOX_BELOW_EYES * distance])
    return np.clip(centre, middle - 0.4 * _FACE, middle + 0.4 * _FACE), width


def _levelled(predicted: Points) -> Points:
    """The mean of (2 n, 5, 2) predictions, its eye line the more level the less they agree about its angle.

    The detectors find upright heads only, tilted by some ``_TILT`` degrees; on a head that is turned far
    the far eye is a guess, and the line through it may be off by 20 degrees.  So the angle is the
    posterior mean of a normal prior and of a measurement whose deviation is that over the shifted boxes,
    ``_TRUST`` times.  On faces seen from the front, where that is below a degree, it changes nothing.
    """
    boxes = len(predicted) // 2
    points: Points = predicted.mean(axis=0)
    each = _tilt((predicted[:boxes] + predicted[boxes:]) / 2)
    tilt, doubt = float(_tilt(points[None])[0]), _TRUST * float(each.std())
    turn = tilt * doubt**2 / (_TILT**2 + doubt**2)
    middle, cosine, sine = points[:4].mean(axis=0), math.cos(turn), math.sin(turn)
    points[:4] = (points[:4] - middle) @ np.array([[cosine, -sine], [sine, cosine]]) + middle
    return points


def _tilt(points: Points) -> Points:
    """Angle of the eye line of (n, 5, 2) points, radians, positive where the right eye lies lower; (n,)."""
    line = points[:, :2].mean(axis=1) - points[:, 2:4].mean(axis=1)
    return np.asarray(np.arctan2(line[:, 1], line[:, 0]), np.float64)


def landmarks_of(points: Points) -> Landmarks | None:
    """Landmarks from dlib's five points (2 corners of one eye, 2 of the other, nose base; (5, 2), pixels).

    Which eye is left in the picture follows from the nose: it lies below the line from left to right, also
    where the head lies on its side or stands on its head.  None where no crop fits these points.
    """
    one, other, nose = points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    line, down = other - one, nose - (one + other) / 2
    if line[0] * down[1] - line[1] * down[0] < 0:
        one, other = other, one
    found = Landmarks(
        (float(one[0]), float(one[1])),
        (float(other[0]), float(other[1])),
        (float(nose[0]), float(nose[1])),
    )
    try:
        crop_transform(found, CropGeometry())
    except ValueError:
        return None
    return found
