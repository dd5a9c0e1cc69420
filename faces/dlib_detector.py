"""dlib's two face detectors, alone and together.

*hog* (gradient histograms, Dalal and Triggs 2005, under five linear filters for heads turned and tilted
differently) is fast and sees faces turned by up to some 45 degrees.  *cnn* (a network trained by max-margin
object detection, King, arXiv 1502.00046) sees nearly all of them and costs seventy times as much per pixel.
*hog+cnn* has the first propose, with a threshold so low that most turned heads are among the proposals, and
the second judge what is not sure; if nothing is left, the second looks at a small copy of the photograph.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faces.boxes import overlap
from faces.detect import Find, View, best_of_each, cut, smallest_face, views
from faces.errors import DetectorError
from faces.landmarks import FivePoints
from faces.types import Box, DetectedFace, Photo

_WINDOW = 80  # pixels: the smallest face that either detector sees
_PROMISED = 40  # pixels: faces of this size are found up to _MOST pixels; smaller ones if that is cheap
# Pixels of the finest level.  The HOG detector takes 50 ns for one, so these are 0.4 s and 5 s; the
# neural network 3.5 µs, so 3.5 s, and 0.5 s where it only looks again.
_CHEAP, _MOST = 8_000_000, 100_000_000
_CNN_MOST, _SECOND_LOOK = 1_000_000, 160_000
_INTERLEAVED = 1_000_000  # a level with fewer pixels is looked at half a pyramid step further as well
_HALF_STEP = math.sqrt(5 / 6)

_PROPOSED, _SURE = -1.0, 0.4  # HOG scores
_CONFIRMED = 0.3  # confidence of the network
_MOST_CHECKED = 24  # proposals of one photograph that the network judges, surest first
_PATCH_FACE, _PATCH_MARGIN = 96, 0.5


def model_file(name: str) -> Path:
    """Find a file of ``face_recognition_models``, whose import needs an old setuptools; or DetectorError."""
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise DetectorError(
        f"the model {name} is missing; install it with 'pip install face_recognition_models'."
    )


class HogFilters:
    """dlib's frontal face detector."""

    def __init__(self) -> None:
        import dlib

        self._detector: Any = dlib.get_frontal_face_detector()

    def find(self, grey: Image.Image, scale: float, threshold: float) -> list[Find]:
        """Find faces from 80 pixels on in a grey picture enlarged ``scale`` times, some more than once.

        ``score`` is the distance from the filter's threshold; none below ``threshold`` are given.
        """
        finds = []
        for view in views(grey, scale, window=_WINDOW):
            rectangles, scores, _ = self._detector.run(view.pixels, 0, threshold)
            finds += _finds(view, zip(rectangles, scores, strict=True))
        return finds


class DlibDetector:
    """Finds faces with dlib; deterministic, on the processor.

    ``min_face`` is the width in pixels down to which faces are looked for wherever that is cheap.  Faces of
    40 pixels are found in photographs up to 25 megapixels, by "cnn" only up to a quarter of one: beyond, the
    smallest face grows with the photograph.
    """

    def __init__(self, method: str = "hog+cnn", *, min_face: int) -> None:
        import dlib

        self.name = f"dlib-{method}"
        self._min_face = min_face
        self._hog = HogFilters() if "hog" in method else None
        self._cnn: Any = None
        if "cnn" in method:
            model = model_file("mmod_human_face_detector.dat")
            try:
                self._cnn = dlib.cnn_face_detection_model_v1(str(model))
            except RuntimeError as error:
                reason = "is not a detector that dlib can read; install the package again"
                raise DetectorError(f"{model} {reason}.") from error
        self._five_points = FivePoints(model_file("shape_predictor_5_face_landmarks.dat"))

    def detect(self, photo: Photo) -> list[DetectedFace]:
        """Find every face, largest first, also those a little smaller than ``min_face``.

        ``score`` is the HOG filter's distance from its threshold, or the network's confidence if that judged.
        """
        colour = Image.fromarray(photo.pixels)
        grey = colour.convert("L")
        if self._hog is None:
            finds = self._seen_by_cnn(colour, _CNN_MOST)
        elif self._cnn is None:
            finds = self._seen_by_hog(self._hog, grey, 0.0)
        else:
            finds = self._confirmed(colour, self._seen_by_hog(self._hog, grey, _PROPOSED))
            if not finds:
                finds = self._seen_by_cnn(colour, _SECOND_LOOK)
        faces = [
            DetectedFace(find.box, landmarks, find.score)
            for find in best_of_each(finds)
            if (landmarks := self._five_points.find(grey, find.box)) is not None
        ]
        return sorted(faces, key=lambda face: -face.box.area)

    def _seen_by_hog(self, hog: HogFilters, grey: Image.Image, threshold: float) -> list[Find]:
        pixels = grey.width * grey.height
        wished = _WINDOW / smallest_face(self._min_face, grey.width, grey.height)
        promised = min(wished, _WINDOW / _PROMISED)
        scale = min(wished, max(promised, math.sqrt(_CHEAP / pixels)), math.sqrt(_MOST / pixels))
        finds = []
        for one in (scale, scale * _HALF_STEP) if pixels * scale * scale < _INTERLEAVED else (scale,):
            finds += hog.find(grey, one, threshold)
        return best_of_each(finds)

    def _seen_by_cnn(self, colour: Image.Image, most: int) -> list[Find]:
        smallest = smallest_face(self._min_face, colour.width, colour.height)
        scale = min(_WINDOW / smallest, math.sqrt(most / (colour.width * colour.height)))
        return self._judge(cut(colour, Box(0, 0, colour.width, colour.height), scale))

    def _judge(self, view: View) -> list[Find]:
        height, width = view.pixels.shape[:2]
        if min(height, width) < _WINDOW // 2:
            return []  # half a face at best
        # Within less than one window the network's filters would not fit.
        missing = ((0, max(0, _WINDOW - height)), (0, max(0, _WINDOW - width)), (0, 0))
        pixels = np.ascontiguousarray(np.pad(view.pixels, missing))
        found = ((each.rect, each.confidence) for each in self._cnn(pixels, 0))
        return [find for find in _finds(view, found) if find.score > _CONFIRMED]

    def _confirmed(self, colour: Image.Image, proposed: list[Find]) -> list[Find]:
        """The sure proposals, and what the network sees where the others point."""
        finds = [find for find in proposed if find.score >= _SURE]
        for box in [find.box for find in proposed if find.score < _SURE][:_MOST_CHECKED]:
            margin = _PATCH_MARGIN * box.width
            around = Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
            seen = self._judge(cut(colour, around, _PATCH_FACE / box.width))
            finds += [each for each in seen if overlap(each.box, box) > 0.2]
        return finds


def _finds(view: View, found: Iterable[tuple[Any, float]]) -> list[Find]:
    """dlib's rectangles, whose right and bottom pixels are within, as boxes of the photograph."""
    return [
        Find(view.in_photo(r.left(), r.top(), r.right() + 1, r.bottom() + 1), float(score))
        for r, score in found
    ]
