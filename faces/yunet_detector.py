"""YuNet through OpenCV, with a model file that the user names.

The model: https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet (MIT), "2023mar".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faces.detect import best_of_each, cut, smallest_face
from faces.errors import DetectorError
from faces.landmarks import landmarks_of
from faces.types import Box, DetectedFace, Photo

_SCORE, _OVERLAP, _MOST = 0.6, 0.3, 5000
# YuNet sees faces of about 10 to 300 pixels.  One look at the photograph no longer than _LONG, one
# at a small copy for the faces that fill it.
_LONG, _SHORT = 1600, 320
_SMALLEST = 20  # pixels that a face should have in the view for its landmarks to be good
# Between nose tip and mouth lies the nose base: this far down in the mean head of ICT-FaceKit.
_TIP_TO_MOUTH = 0.41


class YuNetDetector:
    """Finds faces with a YuNet model down to ``min_face`` pixels; DetectorError if it cannot be used."""

    name = "yunet"

    def __init__(self, model: Path, *, min_face: int) -> None:
        if not model.is_file():
            raise DetectorError(f"there is no detector model {model}; name YuNet's .onnx file.")
        try:
            import cv2
        except ImportError as error:
            advice = "install it with 'pip install opencv-python-headless'"
            raise DetectorError(f"YuNet needs OpenCV; {advice}.") from error
        try:
            self._net: Any = cv2.FaceDetectorYN.create(str(model), "", (320, 320), _SCORE, _OVERLAP, _MOST)
        except cv2.error as error:
            raise DetectorError(f"{model} is not a YuNet model that OpenCV can read.") from error
        self._error: type[Exception] = cv2.error
        self._model = model
        self._min_face = min_face

    def detect(self, photo: Photo) -> list[DetectedFace]:
        """Find every face, largest first, with YuNet's score, 0..1; DetectorError for another network."""
        image = Image.fromarray(photo.pixels)
        longest = max(image.size)
        smallest = smallest_face(self._min_face, image.width, image.height)
        fine = min(max(1.0, _SMALLEST / smallest), _LONG / longest)
        if longest * fine < _SHORT:  # the network's coarsest cells are 32 pixels wide
            fine = _SHORT / longest
        found = self._look(image, fine)
        if longest * fine > 2 * _SHORT:
            found += self._look(image, _SHORT / longest)
        return sorted(best_of_each(found), key=lambda face: -face.box.area)

    def _look(self, image: Image.Image, scale: float) -> list[DetectedFace]:
        view = cut(image, Box(0, 0, image.width, image.height), scale)
        height, width = view.pixels.shape[:2]
        try:
            self._net.setInputSize((width, height))
            _, rows = self._net.detect(np.ascontiguousarray(view.pixels[:, :, ::-1]))  # it wants BGR
        except self._error as error:
            raise DetectorError(f"{self._model} is not a YuNet model that OpenCV can use.") from error
        faces = (_face(np.asarray(row, np.float64), view.scale) for row in (() if rows is None else rows))
        return [face for face in faces if face is not None]


def _face(row: NDArray[np.float64], scale: float) -> DetectedFace | None:
    """One row of YuNet's answer as a face; None if its landmarks make none.

    The row holds x, y, width, height, five points (eye, eye, nose tip, two mouth corners) and the score.
    """
    if not np.isfinite(row).all():
        return None
    x, y, width, height = (row[:4] / scale).tolist()
    eye, other, tip, *mouth = row[4:14].reshape(5, 2) / scale
    base = tip + _TIP_TO_MOUTH * (np.mean(mouth, axis=0) - tip)
    landmarks = landmarks_of(np.stack([eye, eye, other, other, base]))
    if landmarks is None:
        return None
    return DetectedFace(Box(x, y, x + width, y + height), landmarks, float(row[14]))
