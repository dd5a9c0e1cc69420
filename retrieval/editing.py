"""Drawing the face of a photograph with something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facedata.labelled import resized
from faces.crop import CropGeometry, crop_colours, crop_face
from faces.errors import NoFaceError, PhotoError, WishError
from faces.types import Floats, Pixels
from retrieval.detail import IN_PLACE, LARGER, enlarged, flow_for
from retrieval.examine import DetectorFactory, detector_factory
from retrieval.identity import NONE
from retrieval.parts import Encoder
from retrieval.query import Picture, Source, choose_face, read_picture, source_of

if TYPE_CHECKING:
    from generator.model import Drawing, Generator

ALL = "all"


@dataclass(frozen=True)
class Edited:
    """A face and what was drawn from it, one picture for each of N values."""

    crop: Pixels  # (S, S) uint8 grey
    face: Pixels  # (P, P, 3) uint8 RGB: the same, four times as large
    stage1: Pixels  # (N, S, S) uint8: what the first network drew
    stage2: Pixels  # (N, S, S) uint8: what the second made of it
    detailed: Pixels | None
    """(N, P, P, 3) uint8 RGB: the same with the photograph's own detail, unless there is no flow for it."""
    attribute: str  # of which all values were wished; "" if of none, then N is 1
    values: tuple[str, ...]
    estimates: Mapping[str, str]  # what the face seems to show
    number: int  # of the photograph's ``count`` faces, from 1; 0 of a ready crop
    count: int

    @property
    def image(self) -> Pixels:
        """The first drawing: (P, P, 3) uint8 RGB with the photograph's own detail, else (S, S) uint8 grey."""
        first: Pixels = (self.stage2 if self.detailed is None else self.detailed)[0]
        return first


def edit(
    photo: Picture,
    wish: Mapping[str, str | float],
    *,
    weights: str | Path | None = None,
    flow: str | Path | None = None,
    face: int | None = None,
    cropped: bool = False,
    detector: DetectorFactory | str | Path | None = None,
) -> Edited:
    """Draw the face of a photograph as wished, ``{"pose": 30}``; one value may be ``"all"``.

    ``weights`` are by default those that come along and know the wish, ``flow`` is the appearance flow that
    comes along, if it learned from drawings by these weights; ``"none"`` leaves drawings as they are.
    ``face`` picks one of several faces, from 1, the largest first; ``cropped`` says that the picture is a
    ready square crop.  Wishes that no network knows together are drawn one after the other.  Raises
    PhotoError, NoFaceError, WishError or WeightsError.
    """
    from generator.checkpoint import load_generator
    from generator.quotient import quotient

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
    seen, wide, number, count = _crop(source, generators[0].geometry, face, cropped, detector)
    crop, whole = seen, wide

    def drawn(generator: Generator, wanted: list[dict[str, str]]) -> tuple[Drawing, Pixels | None]:
        crops, faces = (np.repeat(one[None], len(wanted), 0) for one in (crop, whole))
        own = _own(generator, crop)
        made = generator.draw(crops, np.stack([generator.vocabulary.vector(one, own) for one in wanted]))
        if flow != NONE and all({*one} <= {*IN_PLACE} for one in wanted):
            before = np.repeat(generator.draw(crop[None], own[None]).stage2, len(wanted), 0)
            return made, quotient(faces, before, made.stage2)
        moving = flow_for([generator], flow)
        return made, None if moving is None else moving(faces, crops, made.stage2)

    for generator, (_, part) in zip(generators[:-1], steps[:-1], strict=True):
        made, detailed = drawn(generator, [part])
        crop = made.stage2[0]
        if detailed is not None:
            whole = detailed[0]
            crop = np.asarray(Image.fromarray(whole).convert("L").reduce(LARGER))
    generator, last = generators[-1], steps[-1][1]
    attribute, values = "", tuple(words.values())
    if varied:
        group = generator.vocabulary.group(varied[0])
        attribute, values = group.name, group.values
    made, detailed = drawn(generator, [{**last, attribute: value} for value in values] if varied else [last])
    estimates = generator.vocabulary.words(generator.canonicalise(seen[None]).values[0])
    return Edited(seen, wide, made.stage1, made.stage2, detailed, attribute, values, estimates, number, count)


def _steps(
    words: dict[str, str], varied: list[str], weights: str | Path | None
) -> list[tuple[str | Path, dict[str, str]]]:
    """Give weights and the part of the wish that each draws, that with all values last; raises WishError."""
    from generator.available import weights_for

    if weights is not None:
        return [(weights, {name: word for name, word in words.items() if name not in varied})]
    # What leaves everything in its place is drawn into what has been moved.
    order = sorted(words, key=lambda name: (name in varied, name in IN_PLACE))
    return [
        (weights_for({name: None}), {})
        if name in varied
        else (weights_for({name: words[name]}), {name: words[name]})
        for name in order
    ]


def _own(generator: Encoder, crop: Pixels) -> Floats:
    """Give the attribute vector (A,) of what a face seems to show."""
    own: Floats = generator.vocabulary.vectors(generator.canonicalise(crop[None]).values)[0]
    return own


def _crop(
    source: Source,
    geometry: CropGeometry,
    number: int | None,
    cropped: bool,
    detector: DetectorFactory | str | Path | None,
) -> tuple[Pixels, Pixels, int, int]:
    """Cut the face that is meant, as the crop (S, S) and in colour, (P, P, 3), four times as large; also
    returns its number and how many there are."""
    photo = read_picture(source.picture)
    large = enlarged(geometry)
    if cropped:
        if photo.width != photo.height:
            reason = f"is {photo.width} × {photo.height} pixels, but a crop is square; leave --cropped out"
            raise PhotoError(source.name, reason)
        picture = Image.fromarray(photo.pixels)
        crop = np.asarray(resized(picture.convert("L"), geometry.size))
        return crop, np.asarray(resized(picture.convert("RGB"), large.size)), 0, 0
    found, chosen, count = choose_face(photo, source.name, detector_factory(detector)(), number)
    try:
        crop = crop_face(photo.pixels, found.landmarks, geometry)
        return crop, crop_colours(photo.pixels, found.landmarks, large), chosen, count
    except ValueError as error:
        reason = f"the face cannot be cropped ({error}); use another photograph"
        raise NoFaceError(f"{source.name}: {reason}") from error
