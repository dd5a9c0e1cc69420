"""From a file to upright RGB pixels, or one PhotoError that says in plain words why not."""

from __future__ import annotations

import stat
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from faces.errors import PhotoError
from faces.types import Photo, Pixels

PHOTO_SUFFIXES: frozenset[str] = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib"}
    | {".gif", ".heic", ".heif", ".hif", ".avif", ".pgm", ".ppm", ".pbm", ".pnm"}
)
"""Suffixes, in lower case, of the files that ``read_photo`` is meant for; it goes by their content."""

MAX_PIXELS = 128_000_000
"""Pixels of the largest picture that is read: a 108-megapixel phone's, and 400 MB when decoded."""

# Pillow knows more formats; some start other programs (EPS) and hardly any holds photographs.
# JPEG stands for MPO too, JPEGs with further pictures behind the first.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "HEIF", "AVIF")
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_photo(path: Path, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None) -> Photo:
    """Decode one photograph: (H, W, 3) uint8 RGB, upright.

    Reads JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC/HEIF, AVIF and the PNM family by their content, whatever the
    suffix; of several frames or pages the first.  Transparent parts come out white, as on paper and in most
    viewers.  16-bit greys are scaled (65535 becomes 255), never clipped; other integers and floating point
    numbers as ``_eight_bits`` says.  ``at_least`` pixels of the shorter side are enough: JPEGs are decoded at
    1/2, 1/4 or 1/8 of their size as far as that leaves so many, which is much quicker.  Raises PhotoError for
    everything that cannot be read, and before anything is decoded for pictures of more than ``max_pixels``
    pixels.
    """
    limit = f"more than the limit of {max_pixels / 1e6:.6g} million pixels"
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise PhotoError(path, "is a folder, not a photograph")
        if not stat.S_ISREG(kind):
            raise PhotoError(path, "is not an ordinary file")
        with path.open("rb") as file:
            if not file.read(1):
                raise PhotoError(path, "file is empty")
            file.seek(0)
            # A camera's odd metadata is no concern of whoever looks for faces: Pillow's warnings stop here.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file, formats=known_formats()) as image:
                    if image.width * image.height > max_pixels:
                        size = f"{image.width} x {image.height} pixels"
                        raise PhotoError(path, f"too large: {size}, {limit}")
                    if at_least is not None:
                        image.draft(None, (at_least, at_least))
                    return Photo(_decode(image))
    except PhotoError:
        raise
    # Decoders meet damaged files with nearly every exception there is (struct.error, IndexError, zlib.error,
    # SyntaxError, RuntimeError…), and one bad file must never stop a run over a folder.
    except Exception as error:
        raise PhotoError(path, _reason(error, limit)) from error


@cache
def known_formats() -> tuple[str, ...]:
    """Load the decoders, once and late because that takes a moment; those of ``_FORMATS`` that are there."""
    import pillow_heif

    Image.init()  # with named formats, ``Image.open`` does not do it by itself
    pillow_heif.register_heif_opener()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _reason(error: Exception, limit: str) -> str:
    """Why a photograph cannot be read, in a few plain words."""
    for kinds, reason in (
        ((FileNotFoundError, NotADirectoryError), "there is no such file (any more)"),
        (PermissionError, "no permission to read it"),
        (Image.DecompressionBombError, f"too large: {limit}"),
        (UnidentifiedImageError, "not a picture of a known kind, or damaged at its beginning"),
        (MemoryError, "too large for this computer's memory"),
    ):
        if isinstance(error, kinds):
            return reason
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"cannot be read ({error.strerror})"
    words = str(error).lower()
    if "truncated" in words or "end of file" in words or isinstance(error, EOFError):
        return "damaged: the end of the file is missing"
    return "damaged: its picture cannot be decoded"


def _decode(image: Image.Image) -> Pixels:
    image.load()
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata beside a sound picture
        turn = None
    flat = _rgb(image)
    if flat is not image:
        image.close()  # each copy has half a gigabyte at most: as few at a time as can be
    return np.asarray(flat if turn is None else flat.transpose(turn))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(clear, mask=clear.getchannel("A"))
        return paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey values of any range as uint8.

    Integers within 0..65535 are 16-bit greys; floating point numbers within 0..1 go from black to white and
    within 0..255 stay; anything else has no agreed white, so its own smallest and largest value
    become black and white.  Not-a-number and infinite pixels are black.
    """
    numbers = np.asarray(values, np.float32 if values.dtype.kind == "f" else np.float64)
    finite = np.isfinite(numbers)
    if not finite.any():
        raise ValueError("no finite pixel")
    black, white = float(numbers[finite].min()), float(numbers[finite].max())
    usual = (1.0, 255.0) if values.dtype.kind == "f" else (65535.0,)
    if black >= 0 and white <= usual[-1]:
        black, white = 0.0, next(top for top in usual if white <= top)
    # Halved before subtracting, since the distance of two floats may exceed the largest one.
    share = (np.where(finite, numbers, black).astype(np.float64) / 2 - black / 2) / (white / 2 - black / 2)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
