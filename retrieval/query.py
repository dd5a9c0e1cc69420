"""What is searched for: a picture in whatever form, the face in it that is meant, the wish in plain words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faces.detect import Detector
from faces.errors import NoFaceError, PhotoError, WishError
from faces.photo import read_photo
from faces.types import DetectedFace, Photo
from generator.attributes import parse_wishes
from retrieval.engine import Engine
from retrieval.examine import content_of
from retrieval.parts import Wanted

Picture = Path | str | bytes | Image.Image | NDArray[np.uint8]
"""A photograph: its file, the content of one, a PIL picture, or (H, W) grey or (H, W, 3) RGB uint8."""
Wish = Mapping[str, str | float] | str | None
"""``{"pose": "+30"}``, ``{"pose": 30}``, ``"pose=+30"``, or only the value: ``"+30"``, ``"sunglasses"``."""
Unwished = Sequence[str] | str
"""What shall not be shown: values, ``"sunglasses"``, or ``"accessory=sunglasses"``; one or several."""
_UNNAMED = "the picture"  # in messages, if it is no file


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that was handed in.

    ``name`` is for messages; ``path`` the real one if it is a file; ``content`` the SHA-256 in hex of its
    file.
    """

    picture: Picture
    name: str
    path: str | None
    content: str | None


def read_picture(picture: Picture) -> Photo:
    """Decode a picture; raises PhotoError."""
    if isinstance(picture, bytes):
        # Decoders are given files alone, each with all checks; this one never gets a name that stays.
        with NamedTemporaryFile(suffix=".picture") as file:
            file.write(picture)
            file.flush()
            try:
                return read_photo(Path(file.name))
            except PhotoError as error:
                raise PhotoError(_UNNAMED, error.reason) from None
    if isinstance(picture, Image.Image):
        return Photo(np.asarray((ImageOps.exif_transpose(picture) or picture).convert("RGB")))
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or 0 in picture.shape:
            raise PhotoError(_UNNAMED, f"must be (H, W) or (H, W, 3) uint8, not {picture.shape}")
        if picture.ndim == 3 and picture.shape[2] != 3:
            raise PhotoError(_UNNAMED, f"must be (H, W) or (H, W, 3) uint8, not {picture.shape}")
        return Photo(picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2))
    return read_photo(Path(picture).expanduser())


def source_of(picture: Picture) -> Source:
    """Look at a picture without decoding it; raises PhotoError if it is a file that cannot be read."""
    if isinstance(picture, bytes):
        return Source(picture, _UNNAMED, None, hashlib.sha256(picture).hexdigest())
    if isinstance(picture, Image.Image | np.ndarray):
        return Source(picture, _UNNAMED, None, None)
    path = Path(picture).expanduser()
    try:
        return Source(picture, str(path), os.path.realpath(path), content_of(path))
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if gone else f"cannot be read ({error.strerror or error})"
        raise PhotoError(path, reason) from None


def choose_face(
    photo: Photo, name: str, detector: Detector, number: int | None
) -> tuple[DetectedFace, int, int]:
    """Find the face of a photograph that is meant, its number from 1 and how many there are.

    ``number`` counts from the largest, which is taken unless one is named.  Raises NoFaceError if there is no
    such face.
    """
    found = detector.detect(photo)
    chosen = check_number(name, number, len(found))
    return found[chosen - 1], chosen, len(found)


def check_number(name: str, number: int | None, count: int) -> int:
    """Give the number of the face that is meant, 1 unless named; raises NoFaceError if there is none."""
    if not count:
        raise NoFaceError(f"{name}: no face was found; use a photograph in which one is large and clear")
    if number is not None and not 1 <= number <= count:
        there = "is only one face" if count == 1 else f"are only {count} faces"
        raise NoFaceError(f"{name}: there is no face {number}, there {there}")
    return number or 1


def named_wish(wish: Wish, engine: Engine) -> dict[str, str]:
    """Give a wish as attributes and words; raises WishError if a lone value belongs to no attribute."""
    if wish is None:
        return {}
    if isinstance(wish, Mapping):
        return {name: word if isinstance(word, str) else f"{float(word):+g}" for name, word in wish.items()}
    parts = [part for part in wish.split(",") if part.strip()]
    return parse_wishes([part if "=" in part else f"{_attribute_of(part, engine)}={part}" for part in parts])


def named_unwished(unwished: Unwished, engine: Engine) -> list[tuple[str, str]]:
    """Give the attribute and the word of what shall not be shown; raises WishError as ``named_wish`` does."""
    texts = [unwished] if isinstance(unwished, str) else unwished
    parts = [part for text in texts for part in text.split(",") if part.strip()]
    return [pair for part in parts for pair in named_wish(part, engine).items()]


def wanted_by(wish: Wish, unwished: Unwished, engine: Engine) -> tuple[Wanted, ...]:
    """Give what is wanted of an engine; raises WishError."""
    return engine.wanted(named_wish(wish, engine), named_unwished(unwished, engine))


def _attribute_of(word: str, engine: Engine) -> str:
    """Find the attribute that has this value; raises WishError if none has, or several have."""
    found = []
    for attribute in engine.attributes.values():
        try:
            attribute.group.spread(word)
        except WishError:
            continue
        found.append(attribute.group.name)
    word = word.strip()
    if found == ["light"] and word in ("left", "right") and "pose" in engine.attributes:
        turned = "-30" if word == "left" else "+30"
        raise WishError(f"{word!r} may mean light or pose; say light={word} or pose={turned}.")
    if len(found) > 1:
        named = " or ".join(f"{name}={word}" for name in found)
        raise WishError(f"{word!r} may mean {' or '.join(found)}; say {named}.")
    if found:
        return found[0]
    known = "; ".join(f"{name}: {', '.join(values)}" for name, values in engine.vocabulary.items())
    raise WishError(f"There is no value {word!r}; choose one of {known}.")
