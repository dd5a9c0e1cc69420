"""Drawing the face of a photograph with something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facedata.labelled import resized
from faces.crop import CropGeometry, crop_face
from faces.detect import MIN_FACE
from faces.errors import NoFaceError, PhotoError, WishError
from faces.types import Pixels
from retrieval.engine import Encoder
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.query import Picture, Source, choose_face, source_of

ALL = "all"


@dataclass(frozen=True)
class Edited:
    """A face and what was drawn from it.

    ``crop`` (S, S) uint8 grey; ``stage1`` and ``stage2`` (N, S, S) uint8 what both networks drew, one picture
    for each of the N ``values``, which is one unless all values of an attribute were wished; ``estimates``
    what the face seems to show.  ``number`` of ``count`` faces in the photograph, 0 of a ready crop.
    """

    crop: Pixels
    stage1: Pixels
    stage2: Pixels
    attribute: str
    values: tuple[str, ...]
    estimates: Mapping[str, str]
    number: int
    count: int

    @property
    def image(self) -> Pixels:
        """(S, S) uint8 grey: the first drawing of the second network."""
        first: Pixels = self.stage2[0]
        return first


def edit(
    photo: Picture,
    wish: Mapping[str, str | float],
    *,
    weights: str | Path | None = None,
    face: int | None = None,
    cropped: bool = False,
    detector: DetectorFactory | str | Path | None = None,
) -> Edited:
    """Draw the face of a photograph as wished, ``{"pose": 30}``; one value may be ``"all"``.

    ``weights`` are by default those that come along and know the wish.  ``face`` picks one of several faces,
    from 1, the largest first; ``cropped`` says that the picture is a ready square crop.  Wishes that no
    network knows together are drawn one after the other.  Raises PhotoError, NoFaceError, WishError or
    WeightsError.
    """
    from generator.checkpoint import load_generator

    words = {
        name.strip().casefold(): word if isinstance(word, str) else f"{float(word):+g}"
        for name, word in wish.items()
    }
    varied = [name for name, word in words.items() if word.casefold() == ALL]
    if not words:
        raise WishError("Say what to change, such as pose +30.")
    if len(varied) > 1:
        raise WishError("Only one attribute at a time can have all its values.")
    steps = _steps(words, varied, weights)
    source = source_of(photo)
    first = load_generator(steps[0][0])
    crop, number, count = _crop(source, first.geometry, face, cropped, detector)
    drawn, generator = crop, first
    for place, (name, part) in enumerate(steps):
        generator = first if place == 0 else load_generator(name)
        if place < len(steps) - 1:
            drawn = generator.draw(drawn[None], _mixtures(generator, drawn, [part])).stage2[0]
    group = generator.vocabulary.group(varied[0]) if varied else None
    last = steps[-1][1]
    wanted = [last] if group is None else [{**last, group.name: value} for value in group.values]
    made = generator.draw(np.repeat(drawn[None], len(wanted), 0), _mixtures(generator, drawn, wanted))
    estimates = generator.vocabulary.label(int(generator.canonicalise(crop[None]).codes[0]))
    return Edited(
        crop,
        made.stage1,
        made.stage2,
        "" if group is None else group.name,
        tuple(words.values()) if group is None else group.values,
        estimates,
        number,
        count,
    )


def _steps(
    words: dict[str, str], varied: list[str], weights: str | Path | None
) -> list[tuple[str | Path, dict[str, str]]]:
    """Give weights and the part of the wish that each draws, that with all values last; raises WishError."""
    from generator.checkpoint import weights_for

    if weights is not None:
        return [(weights, {name: word for name, word in words.items() if name not in varied})]
    asked = {name: None if name in varied else word for name, word in words.items()}
    try:
        return [(weights_for(asked), {name: word for name, word in words.items() if name not in varied})]
    except WishError:
        if len(words) == 1:
            raise
    order = sorted(words, key=lambda name: name in varied)
    return [
        (weights_for({name: asked[name]}), {} if name in varied else {name: words[name]}) for name in order
    ]


def _mixtures(generator: Encoder, crop: Pixels, wishes: list[dict[str, str]]) -> np.ndarray:
    """Give mixtures (N, V) float32; what the wishes leave open stays as the face seems to be."""
    own = int(generator.canonicalise(crop[None]).codes[0])
    return np.stack([generator.vocabulary.mixture(wish, own) for wish in wishes])


def _crop(
    source: Source,
    geometry: CropGeometry,
    number: int | None,
    cropped: bool,
    detector: DetectorFactory | str | Path | None,
) -> tuple[Pixels, int, int]:
    """Cut the crop (S, S) of the face that is meant; also returns its number and how many there are."""
    photo = source.read()
    if cropped:
        if photo.width != photo.height:
            reason = f"is {photo.width} × {photo.height} pixels, but a crop is square; leave --cropped out"
            raise PhotoError(source.name, reason)
        return np.asarray(resized(Image.fromarray(photo.pixels).convert("L"), geometry.size)), 0, 0
    face, chosen, count = choose_face(photo, source.name, detector_factory(detector, MIN_FACE)(), number)
    try:
        return crop_face(photo.pixels, face.landmarks, geometry), chosen, count
    except ValueError as error:
        reason = f"the face cannot be cropped ({error}); use another photograph"
        raise NoFaceError(f"{source.name}: {reason}") from error
