"""A query's identity, composed of the descriptors of the face and of its drawing.

A descriptor shall tell who somebody is whatever they wear and wherever they look, but turned or dressed faces
of one person are less alike than others.  The drawing with the photograph's own detail shows the person as
wished, so that its descriptor lies nearer to those of the photographs that are looked for.  Alone it would be
worse: much of the likeness is lost in drawing.  docs/evaluation.md tells what shares of it are worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from faces.chips import NOSE_DEPTH
from faces.crop import CropGeometry, landmarks_in_crop
from faces.types import Landmarks, Pixels
from retrieval.detail import enlarged
from retrieval.engine import Engine
from retrieval.identity import unit_length
from retrieval.parts import Query

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow

_MOST_TURNED = 60.0  # degrees: of faces that seem turned further, the eyes would be set too far apart


def compose(
    engine: Engine,
    flow: AppearanceFlow,
    queries: Sequence[Query],
    crops: Sequence[Pixels],
    colours: Sequence[Pixels | None],
    landmarks: Sequence[Landmarks],
) -> list[Query]:
    """Compose the identities of queries with those of their drawings; what draws nothing stays as it is.

    ``crops`` (S, S) uint8 are the faces, ``colours`` (P, P, 3) uint8 RGB the same as ``retrieval.detail``
    enlarges them, None if the photograph is gone; ``landmarks`` lie in the photographs.
    """
    found, share = list(queries), engine.composed
    looked_at = [(place, wide) for place, wide in enumerate(colours) if wide is not None]
    drawn = [(place, wide) for place, wide in looked_at if queries[place].drawn]
    if engine.identity is None or not share or not drawn:
        return found
    places, faces = [place for place, _ in drawn], np.stack([wide for _, wide in drawn])
    grey = np.stack([crops[place] for place in places])
    drawings = np.stack([engine.drawing_for(queries[place], crops[place]) for place in places])
    wide, chips = enlarged(engine.geometry), []
    for place, picture in zip(places, flow(faces, grey, drawings), strict=True):
        marks = drawn_landmarks(landmarks[place], wide, engine.turned(queries[place]))
        chips.append(engine.identity.cut(picture, marks))
    for place, descriptor in zip(places, engine.identity.describe(np.stack(chips)), strict=True):
        query = queries[place]
        face, size = query.face.copy(), engine.identity.dimension
        face[:size] = unit_length(((1 - share) * face[:size] + share * descriptor)[None])[0]
        found[place] = engine.query(face, query.drawn, query.wanted, query.image)
    return found


def drawn_landmarks(
    landmarks: Landmarks, geometry: CropGeometry, turned: tuple[float, float] | None
) -> Landmarks:
    """Tell where eyes and nose base of a photographed face lie in the crop of its drawing.

    ``turned`` are the yaws of the face and of the drawing, in degrees; None if the drawing is not turned.  A
    crop has the middle of the eyes and the height of the nose base in fixed places; the eyes come closer by
    the cosine of the yaw, and the nose base moves aside by its sine (``faces.chips.yaw_of``).
    """
    inside = landmarks_in_crop(landmarks, geometry)
    if turned is None:
        return inside
    own, yaw = np.radians(np.clip(turned, -_MOST_TURNED, _MOST_TURNED))
    straight = (inside.right_eye[0] - inside.left_eye[0]) / np.cos(own)
    half, aside = straight * np.cos(yaw) / 2, straight * np.sin(yaw) * NOSE_DEPTH
    middle, eyes_y = geometry.size / 2, geometry.eye_y * geometry.size
    nose_y = eyes_y + geometry.nose_distance * geometry.size
    return Landmarks((middle - half, eyes_y), (middle + half, eyes_y), (middle + aside, nose_y))
