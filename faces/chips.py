"""Faces cut from photographs as networks of others expect them: upright and at one scale, in colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faces.types import Landmarks, Pixels

Cut = Callable[[Pixels, Landmarks], Pixels]
"""Cuts a face from a photograph, (H, W) grey or (H, W, 3) RGB uint8, as a chip (C, C, 3) uint8 RGB.

The chip is black beyond the photograph.  A module's function, so that other processes can call it.
"""

DLIB_SIDE, ARCFACE_SIDE = 150, 112
"""Pixels across a chip of dlib's descriptor, and of ArcFace and its like."""
# Half an eye / distance of the eyes on the mean face to which dlib aligns five points (dlib,
# image_transforms/interpolation.h, get_face_chip_details): (0.8596 - 0.6461) / 2 / 0.5255.  Corners that
# nobody has seen must not pull that alignment; on heads of ICT-FaceKit the ratio is 0.209 ± 0.014.
EYE_HALF_WIDTH = 0.203
# How far the nose base stands before the eyes / distance of the eyes, on ICT-FaceKit's mean head.
NOSE_DEPTH = 0.42
# Places of both eyes and the nose base for ArcFace and SFace.  Their published template has the tip of the
# nose and the mouth; the base lies at 0.41 of the way between them.
_ARCFACE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0625, 80.1615)])
# And for dlib's descriptor.  It learned from chips that 68 points had aligned, which take in a little more
# than those of five points do, and more below (docs/evaluation.md, section 3).
_DLIB = np.array([(48.5, 46.3), (99.5, 46.3), (74.0, 86.0)])
_STRAIGHT = 0.72  # nose base below the line of the eyes / distance of the eyes, on a straight head


def cut_dlib_chip(pixels: Pixels, landmarks: Landmarks) -> Pixels:
    """Cut a face as dlib's descriptor wants it, (150, 150, 3).

    The eyes of a turned head stand near together, so that its chip would be cut too close.  They are set as
    far apart as the geometric mean of their distance and of what a straight head of this height would have.
    """
    left, right, nose = _marks(landmarks)
    across, down = right - left, nose - (left + right) / 2
    apart = np.hypot(*across)
    straight = abs(across[0] * down[1] - across[1] * down[0]) / (max(apart, 1e-6) * _STRAIGHT)
    spread = across * (np.sqrt(max(apart, straight) / max(apart, 1e-6)) - 1) / 2
    return _aligned(pixels, np.array([left - spread, right + spread, nose]), _DLIB, DLIB_SIDE)


def cut_arcface_chip(pixels: Pixels, landmarks: Landmarks) -> Pixels:
    """Cut a face (112, 112, 3) whose eyes and nose base lie as near to ArcFace's template as can be."""
    return _aligned(pixels, _marks(landmarks), _ARCFACE, ARCFACE_SIDE)


def _marks(landmarks: Landmarks) -> NDArray[np.float64]:
    """Eyes and nose base, (3, 2)."""
    return np.array([landmarks.left_eye, landmarks.right_eye, landmarks.nose_base], np.float64)


def _aligned(pixels: Pixels, points: NDArray[np.float64], template: NDArray[np.float64], side: int) -> Pixels:
    """Cut (side, side, 3) so that ``points`` (3, 2) come as near to those of the ``template`` as can be.

    Least squares over similarities: Umeyama 1991, *Least-squares estimation of transformation parameters
    between two point patterns*, without reflection; in two dimensions one complex number and a shift.
    """
    source, aim = (each[:, 0] + 1j * each[:, 1] for each in (points, template))
    centred = aim - aim.mean()
    turn = (np.conj(centred) @ (source - source.mean())) / (np.conj(centred) @ centred)  # chip to picture
    shift = source.mean() - turn * aim.mean()
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    shrink = int(abs(turn))  # a large face: sampling alone would alias
    if shrink > 1:
        image = image.reduce(shrink)
        turn, shift = turn / shrink, shift / shrink
    matrix = (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag)
    return np.asarray(image.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


def five_points(landmarks: Landmarks) -> NDArray[np.float64]:
    """Make up the corners of both eyes and the nose base, (5, 2), in the order of dlib's five-point model.

    Outer and inner corner of the eye on the right of the picture, of that on its left, nose base.  The
    corners are set on the eye line, half a mean eye to both sides of each eye's centre.
    """
    left, right = np.array(landmarks.left_eye), np.array(landmarks.right_eye)
    half = (right - left) * EYE_HALF_WIDTH
    return np.array([right + half, right - half, left - half, left + half, landmarks.nose_base])


def yaw_of(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tell the yaw (...,) in degrees of faces by their five points (..., 5, 2); NaN if those are.

    A turned head shows its nose base beside the middle of its eyes, by ``NOSE_DEPTH`` distances of the eyes
    times the tangent of its yaw.
    """
    points = np.asarray(points, np.float64)
    right, left, nose = points[..., :2, :].mean(-2), points[..., 2:4, :].mean(-2), points[..., 4, :]
    across = right - left
    aside = ((nose - (left + right) / 2) * across).sum(-1) / np.maximum((across**2).sum(-1), 1e-9)
    return np.asarray(np.degrees(np.arctan(aside / NOSE_DEPTH)))


def dlib_chip(pixels: Pixels, points: NDArray[np.floating], *, size: int, margin: float) -> Pixels:
    """Cut (size, size) grey or (size, size, 3) RGB uint8, as dlib's ``get_face_chip``; black beyond.

    The similarity that fits the five points best takes the mean face to the middle of the chip, with a margin
    of so many mean faces on every side.
    """
    import dlib

    height, width = pixels.shape[:2]
    # A point names a pixel, whose centre lies half a pixel further; whole pixels are near enough.
    places = [dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in points.tolist()]
    found = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), places)
    chip: Pixels = dlib.get_face_chip(np.ascontiguousarray(pixels), found, size=size, padding=margin)
    return chip
