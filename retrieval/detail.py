"""The photograph's own detail in drawings of its faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from faces.crop import CropGeometry
from faces.errors import WeightsError, WishError
from faces.types import Floats, Pixels
from generator.deferred import DeferredGenerator
from retrieval.identity import NONE
from retrieval.parts import Encoder, Wanted

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow

DEFAULT_FLOW, DEFAULT_RETOUCH = "flow-32", "wishes-32"
IN_PLACE = ("light", "expression")
"""The attributes whose values leave everything in its place (``generator.quotient``)."""
LARGER = 4
"""Side of a face with its own detail / side of a crop."""
_BOX = Image.Resampling.BOX


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


def retouch_for(geometry: CropGeometry) -> Retouch | None:
    """Open what draws light and expression into pictures cut so; None if it knows only others."""
    found = DeferredGenerator(DEFAULT_RETOUCH)
    return Retouch(found) if replace(found.geometry, size=geometry.size) == geometry else None


def enlarged(geometry: CropGeometry) -> CropGeometry:
    """Give the geometry of a crop with its own detail."""
    return replace(geometry, size=LARGER * geometry.size)


class Retouch:
    """Puts wishes that leave everything in its place, light and expression, into pictures of a face.

    ``generator`` draws them; see ``generator.quotient``.
    """

    def __init__(self, generator: Encoder) -> None:
        self.generator = generator

    def knows(self, wanted: Wanted) -> bool:
        """Tell whether it can draw what is wished."""
        return wanted.shown and wanted.name in IN_PLACE and self._spread(wanted.name, wanted.word) is not None

    def __call__(
        self, pictures: Pixels, own: Mapping[str, str], wishes: Sequence[Sequence[Wanted]]
    ) -> Pixels:
        """Change pictures (N, P, P, 3) RGB or (N, S, S) grey, uint8, as wished, as far as it can.

        ``own`` are the words for what the face seems to show, by attribute; of other wishes the pictures are
        taken to show them already.
        """
        from generator.quotient import quotient

        asked = [place for place, wish in enumerate(wishes) if any(map(self.knows, wish))]
        if not asked:
            return pictures
        found, size = pictures.copy(), self.generator.geometry.size
        small = (Image.fromarray(one).convert("L").resize((size, size), _BOX) for one in pictures[asked])
        crops = np.stack([np.asarray(one) for one in small])
        shown = [{one.name: one.word for one in wishes[place] if one.shown} for place in asked]
        kept = [{name: word for name, word in words.items() if name not in IN_PLACE} for words in shown]
        before, after = (
            self.generator.draw(crops, np.stack([self._vector({**own, **words}) for words in each])).stage2
            for each in (kept, shown)
        )
        found[asked] = quotient(pictures[asked], before, after)
        return found

    def _vector(self, words: Mapping[str, str]) -> Floats:
        """Give the attribute vector (A,) of words; what they leave open or it does not know is any value."""
        parts = []
        for group in self.generator.vocabulary.groups:
            spread = self._spread(group.name, words.get(group.name, ""))
            values = len(group.values)
            parts.append(np.full(values, 1 / values, np.float32) if spread is None else spread)
        return np.concatenate(parts)

    def _spread(self, name: str, word: str) -> Floats | None:
        try:
            return self.generator.vocabulary.group(name).spread(word)
        except WishError:
            return None
