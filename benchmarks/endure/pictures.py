"""Damaged and hostile pictures, the same for the same seed."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

from PIL import Image

_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}
_SUFFIXES |= {"PPM": "ppm", "AVIF": "avif"}
_FILES = (
    "empty file",
    "truncated",
    "bytes changed",
    "no picture",
    "noise after a header",
    "wrong suffix",
    "huge PNG",
    "huge PPM, BMP or GIF",
    "bomb of pixels",
    "bomb of text",
    "broken EXIF",
    "odd name",
)
_OTHERS = ("link in a circle", "link to nothing", "link to a device", "pipe", "folder")
_HUGE = ((1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (65_535, 65_535), (20_000, 20_000), (0, 0), (0, 100))
_BOMBS = (11_400, 30_000, 60_000)  # pixels a side; the first is just above what is decoded
_TEXTS = (10_000, 1_000_000, 200_000_000)  # bytes
_NO_PICTURES = (b"%PDF-1.7\n", b"%!PS-Adobe\n", b"<svg/>", b"PK\3\4", b"\x7fELF", b"\0")
_NAMES = (b"\xff\xfe", b"a\nb", b"\x1b[31m", b"'; --", "é́".encode(), b"-rf", b" ")


def hostile(folder: Path, photograph: Path, count: int, chance: random.Random) -> Counter[str]:
    """Fill a new folder with ``count`` bad files; returns how many of each kind."""
    folder.mkdir()
    whole = {kind: _encoded(photograph, kind) for kind in _SUFFIXES}
    made: Counter[str] = Counter()
    for number in range(count):
        kind = (*_FILES, *_OTHERS)[number % len(_FILES + _OTHERS)]
        made[kind] += 1
        if kind in _OTHERS:
            _make(kind, folder / f"{number}.jpg", chance)
            continue
        suffix, data = _file(kind, whole, chance)
        name = b"%d.%s" % (number, suffix.encode())
        name = chance.choice(_NAMES) + name if kind == "odd name" else name
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
    return made


@cache
def black(side: int) -> bytes:
    """A black PNG, packed as well as can be."""
    packer, row = zlib.compressobj(9), bytes(1 + -(-side // 8))
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png(side, side, 1, (b"IDAT", data), (b"IEND", b""))


def _file(kind: str, whole: dict[str, bytes], chance: random.Random) -> tuple[str, bytes]:
    """Suffix and content of a bad file."""
    picture = chance.choice(sorted(whole))
    suffix, data = _SUFFIXES[picture], whole[picture]
    width, height = chance.choice(_HUGE)
    match kind:
        case "empty file":
            data = b""
        case "truncated" | "odd name":
            data = data[: chance.randrange(1, len(data))]
        case "bytes changed":
            changed = bytearray(data)
            for _ in range(chance.randrange(1, 30)):
                end = min(chance.choice((64, 1024, len(data))), len(data))  # mostly in the headers
                changed[chance.randrange(end)] = chance.randrange(256)
            data = bytes(changed)
        case "no picture":
            data = chance.choice(_NO_PICTURES) * chance.randrange(1, 1000)
        case "noise after a header":
            data = data[:32] + chance.randbytes(chance.randrange(5000))
        case "wrong suffix":
            suffix = chance.choice(sorted(_SUFFIXES.values()))
        case "huge PNG":
            suffix, data = "png", _png(width, height, 8, (b"IDAT", zlib.compress(bytes(1000))))
        case "huge PPM, BMP or GIF":
            bmp, gif = whole["BMP"], whole["GIF"]
            suffix, data = chance.choice(
                (
                    ("ppm", b"P6 %d %d 255\n" % (width, height) + bytes(100)),
                    ("bmp", bmp[:18] + struct.pack("<2i", width, -height) + bmp[26:]),
                    ("gif", gif[:6] + struct.pack("<2H", width & 0xFFFF, height & 0xFFFF) + gif[10:]),
                )
            )
        case "bomb of pixels":
            suffix, data = "png", black(chance.choice(_BOMBS))
        case "bomb of text":
            text = b"Comment\0\0" + zlib.compress(bytes(chance.choice(_TEXTS)), 1)
            pixels = zlib.compress(bytes(33) * 32)
            suffix, data = "png", _png(32, 32, 8, (b"zTXt", text), (b"IDAT", pixels), (b"IEND", b""))
        case "broken EXIF":
            start = chance.choice((b"II*\0", b"MM\0*", b"XX"))
            exif = b"Exif\0\0" + start + chance.randbytes(chance.randrange(60))
            jpeg = whole["JPEG"]
            marker = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
            suffix, data = "jpg", jpeg[:2] + marker + jpeg[2:]
    return suffix, data


def _make(kind: str, path: Path, chance: random.Random) -> None:
    """Make what is no file."""
    match kind:
        case "link in a circle":
            path.symlink_to(chance.choice((path.name, ".", "..")))
        case "link to nothing":
            path.symlink_to("/nowhere/at all.jpg")
        case "link to a device":
            path.symlink_to(chance.choice(("/dev/zero", "/dev/stdin", "/dev/null")))
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()


def _encoded(photograph: Path, kind: str) -> bytes:
    out = io.BytesIO()
    with Image.open(photograph) as image:
        image.convert("RGB").save(out, kind)
    return out.getvalue()


def _png(width: int, height: int, bits: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = (b"IHDR", struct.pack(">2I5B", width, height, bits, 0, 0, 0, 0))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (header, *chunks)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
