"""When a photograph was taken, and with which camera, as its file says; where it was taken is not read."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from faces.photo import known_formats
from faces.text import one_line

_TIMES = (
    (Base.DateTimeOriginal, Base.OffsetTimeOriginal),
    (Base.DateTimeDigitized, Base.OffsetTimeDigitized),
)
_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")
_LONGEST = 64  # letters of a camera's name


@dataclass(frozen=True, slots=True)
class Taken:
    """``time`` in the camera's own time, ``2023-07-14T18:03:22`` with ``+02:00`` behind it if the camera knew
    that; ``camera`` its make and model.  Either is "" if the file does not say."""

    time: str = ""
    camera: str = ""


def read_taken(path: Path | str) -> Taken:
    """Read the EXIF of a photograph's file, without decoding the picture; never raises."""
    # Anybody may have written what stands there, and Pillow meets it with nearly every exception there is.
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=known_formats()) as image:
            exif = image.getexif()
            own = exif.get_ifd(IFD.Exif)
            times = (_time(own.get(time), own.get(offset)) for time, offset in _TIMES)
            return Taken(next(filter(None, times), ""), _camera(exif.get(Base.Make), exif.get(Base.Model)))
    return Taken()


def _time(value: Any, offset: Any) -> str:
    """Write a time of EXIF, ``2023:07:14 18:03:22``, as ISO 8601 does; "" if it is none."""
    found = _TIME.match(_text(value))
    if found is None:
        return ""
    known = _text(offset) if _OFFSET.fullmatch(_text(offset)) else ""
    try:
        return datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*found.groups()) + known).isoformat()
    except ValueError:  # 0000:00:00, which stands for unknown
        return ""


def _camera(make: Any, model: Any) -> str:
    """Give ``Canon EOS 80D`` for ``Canon`` and ``Canon EOS 80D``."""
    maker, name = _text(make), _text(model)
    if not name or (maker and name.lower().startswith(maker.split()[0].lower())):
        maker = maker if not name else ""
    return f"{maker} {name}".strip()[:_LONGEST]


def _text(value: Any) -> str:
    """Give what can be read of a value of EXIF on one line."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return one_line(str(value or "")[:1000])
