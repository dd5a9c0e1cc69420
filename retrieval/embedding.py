"""The vectors of the faces in a picture, for those who search with means of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faces.detect import RELATIVE
from faces.types import Box, Floats, Landmarks, Pixels
from retrieval.engine import Engine
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.loading import load_engine
from retrieval.query import Picture, read_picture


@dataclass(frozen=True)
class Embedded:
    """A face of a picture and where it is; ``retrieval.engine`` says what the numbers of its vector are."""

    box: Box
    landmarks: Landmarks
    crop: Pixels  # (S, S) uint8 grey
    vector: Floats  # (D,) float32, as a collection keeps it
    estimates: Mapping[str, str]  # what the face seems to show


def embed(
    photo: Picture,
    *,
    engine: Engine | None = None,
    detector: DetectorFactory | str | Path | None = None,
    min_face: int = RELATIVE,
) -> list[Embedded]:
    """Embed every face of a picture, the largest first; an empty list if it shows none.

    Raises PhotoError if the picture cannot be read, DetectorError and WeightsError as those say.
    """
    pixels = read_picture(photo)
    engine = engine or load_engine()
    found = []
    for face in detector_factory(detector, min_face)().detect(pixels):
        try:
            crop, vector = engine.embed_face(pixels.pixels, face.landmarks)
        except ValueError:  # a false find
            continue
        found.append(Embedded(face.box, face.landmarks, crop, vector, engine.estimates(vector)))
    return found
