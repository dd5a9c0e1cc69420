"""Queries of labelled faces, composed with their drawings as searches do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from facedata.large_pictures import Pictures
from faces.crop import crop_face
from faces.landmarks import landmarks_of
from faces.progress import Progress, underway
from faces.types import Landmarks, Pixels
from retrieval.composing import compose
from retrieval.detail import enlarged
from retrieval.engine import Engine
from retrieval.parts import Query

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow


_TOGETHER = 64  # queries composed at a time, so that progress shows


def composed(
    engine: Engine,
    flow: AppearanceFlow | None,
    queries: Sequence[Query],
    pictures: Pictures,
    progress: Progress | None = None,
) -> list[Query]:
    """Compose Q queries with the drawings of their faces, if there is a flow and a share to compose.

    ``pictures`` are those of the Q faces; raises RowUnavailable if some have no larger ones.
    """
    if flow is None or not engine.composed:
        return list(queries)
    found: list[Query] = []
    with underway(progress, "composing", len(queries), "queries") as composing:
        for start in range(0, len(queries), _TOGETHER):
            part = queries[start : start + _TOGETHER]
            some = pictures.select(np.arange(start, start + len(part)))
            found += compose(engine, flow, part, list(some.crops), *_cut(engine, some))
            composing.advance(len(part))
    return found


def _cut(engine: Engine, pictures: Pictures) -> tuple[list[Pixels], list[Landmarks]]:
    """Cut faces out of their larger pictures as ``compose`` takes them, and give their landmarks there."""
    larger, wide = pictures.required_large(), enlarged(engine.geometry)
    landmarks, colours = [], []
    for place, points in enumerate(larger.points.astype(np.float64)):
        marks = landmarks_of(points)
        if marks is None:
            raise ValueError(f"the points of face {place} make no face")
        landmarks.append(marks)
        colours.append(np.repeat(crop_face(larger.load(place), marks, wide)[..., None], 3, axis=2))
    return colours, landmarks
