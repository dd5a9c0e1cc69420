"""The vectors of the faces in a picture, for those who search with means of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faces.detect import MIN_FACE
from faces.types import Box, Floats, Landmarks, Pixels
from retrieval.engine import Engine
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.loading import load_engine
from retrieval.query import Picture, source_of


@dataclass(frozen=True)
class Embedded:
    """A face of a picture and where it is.

    ``crop`` (S, S) uint8 grey; ``vector`` (D,) float32 as a collection keeps it (``retrieval.engine`` says
    what its numbers are); ``estimates`` what the face seems to show.
    """

    box: Box
    landmarks: Landmarks
    crop: Pixels
    vector: Floats
    estimates: Mapping[str, str]


def embed(
    photo: Picture,
    *,
    engine: Engine | None = None,
    detector: DetectorFactory | str | Path | None = None,
    min_face: int = MIN_FACE,
) -> list[Embedded]:
    """Embed every face of a picture, the largest first; an empty list if it shows none.

    Raises PhotoError if the picture cannot be read, DetectorError and WeightsError as those say.
    """
    pixels = source_of(photo).read()
    engine = engine or load_engine()
    found = []
    for face in detector_factory(detector, min_face)().detect(pixels):
        try:
            crop, chip = engine.cut(pixels.pixels, face.landmarks)
        except ValueError:  # a false find
            continue
        vector = engine.embed(crop[None], engine.describe([] if chip is None else [chip]))[0]
        found.append(Embedded(face.box, face.landmarks, crop, vector, engine.estimates(vector)))
    return found
