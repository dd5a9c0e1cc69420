"""Drawing the face of a photograph with something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facedata.labelled import resized
from faces.crop import CropGeometry, crop_face
from faces.errors import NoFaceError, PhotoError, WishError
from faces.types import Floats, Pixels
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.parts import Encoder
from retrieval.query import Picture, Source, choose_face, read_picture, source_of

ALL = "all"


@dataclass(frozen=True)
class Edited:
    """A face and what was drawn from it, one picture for each of N values."""

    crop: Pixels  # (S, S) uint8 grey
    stage1: Pixels  # (N, S, S) uint8: what the first network drew
    stage2: Pixels  # (N, S, S) uint8: what the second made of it
    attribute: str  # of which all values were wished; "" if of none, then N is 1
    values: tuple[str, ...]
    estimates: Mapping[str, str]  # what the face seems to show
    number: int  # of the photograph's ``count`` faces, from 1; 0 of a ready crop
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
    generators = [load_generator(name) for name, _ in steps]
    crop, number, count = _crop(source, generators[0].geometry, face, cropped, detector)
    drawn = crop
    for generator, (_, part) in zip(generators[:-1], steps[:-1], strict=True):
        drawn = generator.draw(drawn[None], _vectors(generator, drawn, [part])).stage2[0]
    generator, last = generators[-1], steps[-1][1]
    attribute, values = "", tuple(words.values())
    if varied:
        group = generator.vocabulary.group(varied[0])
        attribute, values = group.name, group.values
    wanted = [{**last, attribute: value} for value in values] if varied else [last]
    made = generator.draw(np.repeat(drawn[None], len(wanted), 0), _vectors(generator, drawn, wanted))
    estimates = generator.vocabulary.words(generator.canonicalise(crop[None]).values[0])
    return Edited(crop, made.stage1, made.stage2, attribute, values, estimates, number, count)


def _steps(
    words: dict[str, str], varied: list[str], weights: str | Path | None
) -> list[tuple[str | Path, dict[str, str]]]:
    """Give weights and the part of the wish that each draws, that with all values last; raises WishError."""
    from generator.available import weights_for

    single = {name: word for name, word in words.items() if name not in varied}
    if weights is not None:
        return [(weights, single)]
    asked = {name: single.get(name) for name in words}
    try:
        return [(weights_for(asked), single)]
    except WishError:
        if len(words) == 1:
            raise
    order = [*single, *varied]
    return [
        (weights_for({name: asked[name]}), {name: single[name]} if name in single else {}) for name in order
    ]


def _vectors(generator: Encoder, crop: Pixels, wishes: list[dict[str, str]]) -> Floats:
    """Give attribute vectors (N, A); what the wishes leave open stays as the face seems to be."""
    vocabulary = generator.vocabulary
    own = vocabulary.vectors(generator.canonicalise(crop[None]).values)[0]
    return np.stack([vocabulary.vector(wish, own) for wish in wishes])


def _crop(
    source: Source,
    geometry: CropGeometry,
    number: int | None,
    cropped: bool,
    detector: DetectorFactory | str | Path | None,
) -> tuple[Pixels, int, int]:
    """Cut the crop (S, S) of the face that is meant; also returns its number and how many there are."""
    photo = read_picture(source.picture)
    if cropped:
        if photo.width != photo.height:
            reason = f"is {photo.width} × {photo.height} pixels, but a crop is square; leave --cropped out"
            raise PhotoError(source.name, reason)
        return np.asarray(resized(Image.fromarray(photo.pixels).convert("L"), geometry.size)), 0, 0
    found, chosen, count = choose_face(photo, source.name, detector_factory(detector)(), number)
    try:
        return crop_face(photo.pixels, found.landmarks, geometry), chosen, count
    except ValueError as error:
        reason = f"the face cannot be cropped ({error}); use another photograph"
        raise NoFaceError(f"{source.name}: {reason}") from error
