"""Faces with a black bar over the eyes, made from any set of faces: Ghodrati et al. (2015), section 4.3.

Every face is there twice, as it is (accessory ``none``) and with a bar (``bar``).
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from facedata.labelled import ready_crop, write_picture
from facedata.labels import LABELS_FILE, parse_labels, write_labels
from facedata.sources import FileSource
from faces.claims import claimed
from faces.errors import DataError
from faces.files import write_atomically
from faces.progress import Progress, underway
from faces.types import Pixels

NONE, BAR = "none", "bar"

# As shares of the side; each is drawn evenly from its range. Eyes lie level at 0.30 and, whichever way the
# head is turned to 45 degrees, between 0.15 and 0.85 across: so the bar always hides them, and brows mostly.
_MIDDLE = (0.27, 0.31)
_HEIGHT = (0.20, 0.28)
_LEFT, _RIGHT = (0.04, 0.12), (0.88, 0.96)
_TILT = 3.0  # degrees to either side
_FINER = 8  # the bar's edges are averaged over so many samples a pixel


def bar_over_eyes(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Copy a face (S, S) uint8 with a black bar over the eyes, a little else with each draw."""
    side = len(crop)
    left, right, middle, height = (rng.uniform(*bounds) for bounds in (_LEFT, _RIGHT, _MIDDLE, _HEIGHT))
    slope = np.tan(np.radians(rng.uniform(-_TILT, _TILT)))
    ends = [(x, middle + slope * (x - 0.5)) for x in (left, right)]
    corners = [(x, y - height / 2) for x, y in ends] + [(x, y + height / 2) for x, y in reversed(ends)]
    fine = side * _FINER
    shape = Image.new("L", (fine, fine), 255)
    ImageDraw.Draw(shape).polygon([(x * fine, y * fine) for x, y in corners], fill=0)
    seen = np.asarray(shape.resize((side, side), Image.Resampling.BOX), np.float32) / 255
    return np.rint(crop * seen).astype(np.uint8)


def make_completion_set(source: Path, out: Path, *, seed: int = 0, progress: Progress | None = None) -> int:
    """Make the labelled folder ``out`` from the ready crops of ``source``; returns its number of pictures.

    ``source`` is a labelled folder or .zip; of its faces those with accessory none or unknown are taken, and
    hard links made if the disk allows it.  What an earlier, interrupted call made is kept.  The same source
    and seed give the same set.  Raises LabelError for wrong labels, DataError if there is no such face, a
    picture is no square crop, or ``out`` holds something else or cannot be written.
    """
    with FileSource(source, LABELS_FILE) as files:
        labels = files.read(LABELS_FILE)
        rows = [row for row in parse_labels(labels, files.where(LABELS_FILE)) if row.accessory in ("", NONE)]
        if not rows:
            raise DataError(f"{source} has no face without accessory to put a bar over; choose another set.")
        made = []
        try:
            # Labels alone do not tell a source from others: people of other seeds share them.
            mark = hashlib.sha256(labels + files.read(rows[0].file)).hexdigest()
            settings = {"kind": "completion", "seed": seed, "source": mark}
            with claimed(out, settings, what="completion set"):
                with underway(progress, "drawing bars", len(rows), "faces") as drawing:
                    for row in rows:
                        plain = replace(row, file=f"{NONE}/{row.file}", accessory=NONE)
                        barred_name = Path(BAR, row.file).with_suffix(".png").as_posix()
                        barred = replace(row, file=barred_name, accessory=BAR)
                        _add(files, row.file, out / plain.file, out / barred.file, seed)
                        made += [plain, barred]
                        drawing.advance()
                write_labels(out / LABELS_FILE, made)
        except OSError as error:
            raise DataError(f"{error.filename or out} cannot be used: {error.strerror or error}.") from error
    return len(made)


def _add(files: FileSource, name: str, plain: Path, barred: Path, seed: int) -> None:
    """Add both pictures of a face unless they are there."""
    if plain.is_file() and barred.is_file():
        return
    content = files.read(name)
    try:
        crop = ready_crop(content)
    except DataError as error:
        message = f"{files.where(name)} cannot get a bar: it {error}; take the picture out of the set."
        raise DataError(message) from None
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    write_picture(barred, bar_over_eyes(crop, rng), compress_level=6)
    if plain.exists():
        return
    plain.parent.mkdir(parents=True, exist_ok=True)
    try:
        if files.folder is None:
            raise OSError("a .zip has no file to link to")
        os.link(files.where(name).resolve(), plain)
    except OSError:  # also another disk, or one that knows no links
        write_atomically(plain, content)
