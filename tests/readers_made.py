"""Photographs with a face that is easy to recognise, for the tests of the readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from faces.types import Box, DetectedFace, Landmarks, Photo, Pixels

LEFT, RIGHT, NOSE, CHIN = (22.0, 20.0), (42.0, 20.0), (32.0, 34.5), (32.0, 54.0)


def photo(level: int = 120, size: tuple[int, int] = (64, 64)) -> Pixels:
    """(H, W) grey of that level with white eyes at LEFT and RIGHT."""
    width, height = size
    pixels = np.full((height, width), level, np.uint8)
    for x, y in (LEFT, RIGHT):
        pixels[int(y) - 2 : int(y) + 2, int(x) - 2 : int(x) + 2] = 255
    return pixels


def put(path: Path, pixels: Pixels | None = None) -> Path:
    """Save a photograph, in whatever format the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo() if pixels is None else pixels).save(path)
    return path


class EyesDetector:
    """Finds the face on every photograph that is not too dark, and counts how often it was asked."""

    name = "eyes"

    def __init__(self) -> None:
        self.asked = 0

    def detect(self, photo: Photo) -> list[DetectedFace]:
        self.asked += 1
        if photo.pixels.mean() < 60:
            return []
        unusable = Landmarks(LEFT, LEFT, NOSE)
        found = Landmarks(LEFT, RIGHT, NOSE)
        box = Box(10, 10, 54, 58)
        return [DetectedFace(box, unusable, 2.0), DetectedFace(box, found, 1.0)]
