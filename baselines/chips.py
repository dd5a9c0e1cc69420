"""Faces cut from their larger pictures as deep networks expect them: upright and at one scale."""

from __future__ import annotations

import numpy as np

from facedata.large_pictures import LargeFace
from faces.types import Pixels


def face_chip(face: LargeFace, *, size: int, padding: float) -> Pixels:
    """(size, size) uint8 grey: a face turned upright and scaled by its five points; black beyond its picture.

    dlib's ``get_face_chip``: the similarity that fits the points best takes the mean face to the middle of
    the chip, with a margin of ``padding`` mean faces on every side.
    """
    import dlib

    height, width = face.pixels.shape
    # A point names a pixel, whose centre lies half a pixel further; whole pixels are near enough.
    points = [dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in face.points.tolist()]
    found = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), points)
    chip: Pixels = dlib.get_face_chip(np.ascontiguousarray(face.pixels), found, size=size, padding=padding)
    return chip
