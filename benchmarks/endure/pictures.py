"""Damaged and hostile pictures, the same for the same seed."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image

_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
    "PPM": ".ppm",
    "AVIF": ".avif",
}
_HUGE = ((1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (65_535, 65_535), (20_000, 20_000), (0, 0), (0, 100))
_EXIF = b"Exif\0\0"
_BOMBS = (11_400, 30_000, 60_000)  # pixels a side; the first is just above what is decoded


def hostile(folder: Path, photograph: Path, count: int, chance: random.Random) -> Counter[str]:
    """Fill a new folder with ``count`` bad files; returns how many of each kind."""
    folder.mkdir()
    whole = {kind: _encoded(photograph, kind) for kind in _SUFFIXES}
    kinds: list[Callable[[Path, int, random.Random, dict[str, bytes]], None]] = [
        _empty,
        _truncated,
        _bytes_changed,
        _no_picture,
        _random_after_magic,
        _wrong_suffix,
        _huge_png,
        _huge_of_other_kinds,
        _bomb,
        _text_bomb,
        _broken_exif,
        _odd_name,
        _circle,
        _dangling,
        _link_to_device,
        _pipe,
        _folder,
    ]
    made: Counter[str] = Counter()
    for number in range(count):
        kind = kinds[number % len(kinds)]
        kind(folder, number, chance, whole)
        made[kind.__name__[1:].replace("_", " ")] += 1
    return made


def _encoded(photograph: Path, kind: str) -> bytes:
    out = io.BytesIO()
    with Image.open(photograph) as image:
        image.convert("RGB").save(out, kind)
    return out.getvalue()


def _any(chance: random.Random, whole: dict[str, bytes]) -> tuple[str, bytes]:
    kind = chance.choice(sorted(whole))
    return _SUFFIXES[kind], whole[kind]


def _empty(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    (folder / f"{number}{chance.choice(sorted(_SUFFIXES.values()))}").touch()


def _truncated(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    suffix, data = _any(chance, whole)
    (folder / f"{number}{suffix}").write_bytes(data[: chance.randrange(1, len(data))])


def _bytes_changed(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    suffix, data = _any(chance, whole)
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 30)):
        end = min(chance.choice((64, 1024, len(data))), len(data))  # mostly in the headers, where it hurts
        changed[chance.randrange(end)] = chance.randrange(256)
    (folder / f"{number}{suffix}").write_bytes(changed)


def _no_picture(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    content = chance.choice((b"%PDF-1.7\n", b"%!PS-Adobe\n", b"<svg/>", b"PK\3\4", b"\x7fELF", b"\0"))
    (folder / f"{number}.jpg").write_bytes(content * chance.randrange(1, 1000))


def _random_after_magic(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    suffix, data = _any(chance, whole)
    (folder / f"{number}{suffix}").write_bytes(data[:32] + chance.randbytes(chance.randrange(5000)))


def _wrong_suffix(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    _, data = _any(chance, whole)
    (folder / f"{number}{_any(chance, whole)[0]}").write_bytes(data)


def _huge_png(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    width, height = chance.choice(_HUGE)
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    (folder / f"{number}.png").write_bytes(_png((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000)))))


def _huge_of_other_kinds(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    width, height = chance.choice(_HUGE)
    ppm = b"P6 %d %d 255\n" % (width, height) + bytes(100)
    bmp = bytearray(whole["BMP"])
    bmp[18:26] = struct.pack("<2i", width, -height)
    gif = bytearray(whole["GIF"])
    gif[6:10] = struct.pack("<2H", width & 0xFFFF, height & 0xFFFF)
    suffix, data = chance.choice(((".ppm", ppm), (".bmp", bytes(bmp)), (".gif", bytes(gif))))
    (folder / f"{number}{suffix}").write_bytes(data)


def _bomb(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    """Some KB that become gigabytes of pixels."""
    (folder / f"{number}.png").write_bytes(black(chance.choice(_BOMBS)))


@cache
def black(side: int) -> bytes:
    """A black PNG, packed as well as can be."""
    header = struct.pack(">2I5B", side, side, 1, 0, 0, 0, 0)
    packer, row = zlib.compressobj(9), bytes(1 + -(-side // 8))
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))


def _text_bomb(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    """A small picture with some hundred MB of text, packed, in it."""
    text = b"Comment\0\0" + zlib.compress(bytes(chance.choice((10_000, 1_000_000, 200_000_000))), 1)
    header = struct.pack(">2I5B", 32, 32, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(33) * 32)
    chunks = ((b"IHDR", header), (b"zTXt", text), (b"IDAT", pixels), (b"IEND", b""))
    (folder / f"{number}.png").write_bytes(_png(*chunks))


def _broken_exif(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    exif = _EXIF + chance.choice((b"II*\0", b"MM\0*", b"XX")) + chance.randbytes(chance.randrange(60))
    marker = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (folder / f"{number}.jpg").write_bytes(whole["JPEG"][:2] + marker + whole["JPEG"][2:])


def _odd_name(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    name = chance.choice((b"\xff\xfe", b"a\nb", b"\x1b[31m", b"'; --", "é́".encode(), b"-rf", b" "))
    suffix, data = _any(chance, whole)
    path = os.fsencode(folder) + b"/" + name + b"%d" % number + suffix.encode()
    with open(path, "wb") as file:  # noqa: PTH123  (a Path has no names in bytes)
        file.write(data[: len(data) // 2])


def _circle(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    target = chance.choice((f"{number}.jpg", ".", ".."))
    (folder / f"{number}.jpg").symlink_to(target)


def _dangling(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    (folder / f"{number}.jpg").symlink_to("/nowhere/at all.jpg")


def _link_to_device(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    (folder / f"{number}.jpg").symlink_to(chance.choice(("/dev/zero", "/dev/stdin", "/dev/null")))


def _pipe(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    os.mkfifo(folder / f"{number}.jpg")


def _folder(folder: Path, number: int, chance: random.Random, whole: dict[str, bytes]) -> None:
    (folder / f"{number}.jpg").mkdir()


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
