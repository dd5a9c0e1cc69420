"""The photograph's own detail in drawings of its faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faces.crop import CropGeometry
from faces.errors import WeightsError
from retrieval.identity import NONE
from retrieval.parts import Encoder

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow

DEFAULT_FLOW = "flow-32"
LARGER = 4
"""Side of a face with its own detail / side of a crop."""


def flow_for(drawers: Iterable[Encoder], named: str | Path | None = None) -> AppearanceFlow | None:
    """Open the appearance flow for the drawings of these networks; None for ``none``.

    Without a name it is the one that comes along, or None if it has not learned from drawings of all of them.
    Raises WeightsError if there is no such flow or it draws in another size.
    """
    from generator.appearance_flow import load_flow

    if named == NONE:
        return None
    found, drawers = load_flow(DEFAULT_FLOW if named is None else named), list(drawers)
    if named is None:
        return found if {drawer.weights_id for drawer in drawers} <= {*found.learned} else None
    for drawer in drawers:
        if drawer.geometry.size != found.size:
            raise WeightsError(
                f"{named} is for drawings of {found.size} pixels, and {drawer.name} draws "
                f"{drawer.geometry.size}; use another, or none."
            )
    return found


def enlarged(geometry: CropGeometry) -> CropGeometry:
    """Give the geometry of a crop with its own detail."""
    return replace(geometry, size=LARGER * geometry.size)
