"""Five landmarks by dlib's shape predictor, steadied so that the crop does not hang on the exact box."""

from __future__ import annotations

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
_MARGIN = 0.8  # of the box, on each side: what the predictor sees around the face
# Shifts of the box, in parts of it, over which predictions are averaged.
_SHIFTS = ((0, 0), (0.06, 0), (-0.06, 0), (0, 0.06), (0, -0.06))
_MIRRORED = [2, 3, 0, 1, 4]  # the predictor's points of a mirrored face, in the order of the face itself

Points = NDArray[np.float64]


class FivePoints:
    """Predicts eye corners and nose base within a box.

    The prediction follows the box it starts from, and boxes are coarse.  So it is made on the face and on
    its mirror image, from a few shifted boxes, and averaged.  Setting the box anew from what was found, and
    levelling eye lines in doubt, made crops steadier still and much worse (docs/evaluation.md): a wrong nose
    point then pulls the box, and with it the scale, further off.
    """

    def __init__(self, model: Path) -> None:
        import dlib

        try:
            self._predict: Any = dlib.shape_predictor(str(model))
        except RuntimeError as error:
            reason = "is not a landmark model that dlib can read; install the package again"
            raise DetectorError(f"{model} {reason}.") from error

    def find(self, grey: Image.Image, box: Box) -> Landmarks | None:
        """Find the landmarks of the face in a box of a grey photograph; None if they make no face."""
        scale = _FACE / max(box.width, 1e-6)
        patch = _patch(grey, box, scale)
        height, width = patch.shape
        mirrored = self._predicted(np.ascontiguousarray(patch[:, ::-1]), -1)[:, _MIRRORED]
        mirrored[..., 0] = width - mirrored[..., 0]
        points = np.concatenate([self._predicted(patch, 1), mirrored]).mean(axis=0)
        origin = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])
        return landmarks_of((points - np.array([width / 2, height / 2])) / scale + origin)

    def _predicted(self, patch: NDArray[np.uint8], way: int) -> Points:
        """Points (shifted boxes, 5, 2) of a patch; ``way`` is -1 if it is mirrored, else 1."""
        import dlib

        found = []
        for x, y in _SHIFTS:
            middle = np.array([patch.shape[1] / 2, patch.shape[0] / 2]) + np.array([way * x, y]) * _FACE
            low = np.rint(middle - _FACE / 2).astype(int)
            high = np.rint(middle + _FACE / 2).astype(int) - 1
            shape = self._predict(patch, dlib.rectangle(*low.tolist(), *high.tolist()))
            # A part names a pixel; its centre lies half a pixel further.
            found.append([(shape.part(i).x + 0.5, shape.part(i).y + 0.5) for i in range(5)])
        return np.array(found)


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


def landmarks_of(points: Points) -> Landmarks | None:
    """Make landmarks of dlib's five points (5, 2): 2 corners of one eye, 2 of the other, nose base; pixels.

    Which eye is left in the picture follows from the nose: it lies below the line from left to right, also
    if the head lies on its side or stands on its head.  None if no crop fits these points.
    """
    one, other, nose = points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    line, down = other - one, nose - (one + other) / 2
    if line[0] * down[1] - line[1] * down[0] < 0:
        one, other = other, one
    found = Landmarks(*((float(x), float(y)) for x, y in (one, other, nose)))
    try:
        crop_transform(found, CropGeometry())
    except ValueError:
        return None
    return found
