"""Which face detectors there are, and what they have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from faces.errors import DetectorError
from faces.types import DetectedFace, Photo

METHODS = ("hog+cnn", "hog", "cnn")
"""Detectors that come with the project, the default first."""

MIN_FACE = 24
"""Pixels across the smallest face that is looked for by default."""


class Detector(Protocol):
    """Finds faces.  ``name`` says with what: crops of different detectors do not compare."""

    @property
    def name(self) -> str: ...

    def detect(self, photo: Photo) -> list[DetectedFace]:
        """Find every usable face of a photograph, largest first.

        Faces smaller than the detector was opened for may be among them: whoever asked for a smallest size
        counts them and leaves them out.
        """
        ...


def open_detector(model: Path | str | None = None, *, min_face: int = MIN_FACE) -> Detector:
    """Open a detector: one of ``METHODS`` (None: the first), or YuNet if ``model`` is an .onnx file.

    ``min_face`` is the width in pixels of the smallest face looked for; a larger one makes large photographs
    quicker.  Raises DetectorError if there is no such detector, or its model is missing or broken.
    """
    if min_face < 1:
        raise DetectorError(f"the smallest face must be 1 pixel or more wide, not {min_face}.")
    method = METHODS[0] if model is None else str(model)
    if method in METHODS:
        from faces.dlib_detector import DlibDetector

        return DlibDetector(method, min_face=min_face)
    if method.lower().endswith(".onnx"):
        from faces.yunet_detector import YuNetDetector

        return YuNetDetector(Path(method), min_face=min_face)
    raise DetectorError(
        f"there is no detector {method}; choose {', '.join(METHODS)} or the path of YuNet's .onnx file."
    )
