"""Photographs of every kind come out as upright RGB; whatever cannot be read is one plain reason."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from faces.errors import PhotoError
from faces.photo import PHOTO_SUFFIXES, read_photo

pillow_heif.register_heif_opener()


def scene() -> Image.Image:
    """48 x 32, smooth, a different colour in each corner."""
    y, x = np.mgrid[0:32, 0:48].astype(float)
    planes = np.stack([40 + 4 * x, 230 - 5 * y, 60 + 2 * x + y], axis=-1)
    return Image.fromarray(planes.astype(np.uint8))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def reason_of(path: Path, **limits: int) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, **limits)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in caught.value.reason and len(caught.value.reason) < 120
    return caught.value.reason


LOSSLESS = {"a.png": "PNG", "a.tif": "TIFF", "a.bmp": "BMP", "a.ppm": "PPM", "a.webp": "WEBP"}
LOSSY = {"a.jpg": "JPEG", "a.heic": "HEIF", "a.avif": "AVIF"}


@pytest.mark.parametrize(("name", "kind"), LOSSLESS.items())
def test_lossless_formats_come_out_exactly(tmp_path: Path, name: str, kind: str) -> None:
    scene().save(tmp_path / name, kind, **({"lossless": True} if kind == "WEBP" else {}))
    photo = read_photo(tmp_path / name)
    assert photo.pixels.dtype == np.uint8
    assert (photo.width, photo.height) == (48, 32)
    np.testing.assert_array_equal(photo.pixels, np.asarray(scene()))


@pytest.mark.parametrize(("name", "kind"), LOSSY.items())
def test_lossy_formats_come_out_closely(tmp_path: Path, name: str, kind: str) -> None:
    scene().save(tmp_path / name, kind, quality=95)
    pixels = read_photo(tmp_path / name).pixels
    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels.astype(int) - np.asarray(scene())).mean() < 4


def test_the_suffix_does_not_matter_but_the_content(tmp_path: Path) -> None:
    scene().save(tmp_path / "really-png.jpg", "PNG")
    np.testing.assert_array_equal(read_photo(tmp_path / "really-png.jpg").pixels, np.asarray(scene()))


def test_every_suffix_is_lower_case_with_its_dot() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in PHOTO_SUFFIXES)
    assert {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
        ".heic",
        ".pgm",
    } <= PHOTO_SUFFIXES


def test_only_the_first_frame_of_a_gif_is_read(tmp_path: Path) -> None:
    frames = [Image.new("P", (5, 4), color) for color in (0, 1, 2)]
    for frame in frames:
        frame.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    assert (read_photo(tmp_path / "a.gif").pixels == [250, 0, 0]).all()


@pytest.mark.parametrize("suffix", ["pgm", "png", "jpg", "tif"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    scene().convert("L").save(tmp_path / f"a.{suffix}")
    pixels = read_photo(tmp_path / f"a.{suffix}").pixels
    assert pixels.shape == (32, 48, 3)
    assert (pixels == pixels[:, :, :1]).all()
    assert pixels.std() > 10


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_parts_are_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    if mode == "PA":
        image.quantize(8).save(tmp_path / "a.png")
    else:
        image.convert(mode).save(tmp_path / "a.png")
    row = read_photo(tmp_path / "a.png").pixels[0, :, 0].astype(int)
    assert row[0] == 0 and row[1] == 255
    assert abs(row[2] - 127) <= 2


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.gif", transparency=0)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.gif").pixels[0], [[255, 255, 255], [200, 100, 50]])


def test_cmyk_keeps_its_colours(tmp_path: Path) -> None:
    scene().convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    pixels = read_photo(tmp_path / "a.jpg").pixels.astype(int)
    assert np.abs(pixels - np.asarray(scene())).mean() < 4


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels[0], [[0] * 3, [255] * 3])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_greys_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    greys = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(greys).save(tmp_path / f"a.{suffix}")
    pixels = read_photo(tmp_path / f"a.{suffix}").pixels
    np.testing.assert_array_equal(pixels[:, :, 0].ravel(), np.arange(256))


@pytest.mark.parametrize(("top", "kind"), [(65535, ">u2"), (4095, ">u2"), (255, "u1")])
def test_a_pgm_is_scaled_by_its_own_white(tmp_path: Path, top: int, kind: str) -> None:
    body = np.array([[0, top // 2, top]], kind).tobytes()
    (tmp_path / "a.pgm").write_bytes(f"P5 3 1 {top}\n".encode() + body)
    assert read_photo(tmp_path / "a.pgm").pixels[0, :, 0].tolist() in ([0, 127, 255], [0, 128, 255])


def test_sixteen_bit_colours_are_scaled(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", value, 0, 65535 - value) for value in (0, 32768, 65535))
    header = struct.pack(">IIBBBBB", 1, 3, 16, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    np.testing.assert_array_equal(
        read_photo(tmp_path / "a.png").pixels[:, 0], [[0, 0, 255], [128, 0, 127], [255, 0, 0]]
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([0.0, 500.0, 1000.0], [0, 128, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
        ([0.0, float("inf"), 1.0], [0, 0, 255]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
    ],
)
def test_floating_point_greys_fill_the_range(
    tmp_path: Path, values: list[float], expected: list[int]
) -> None:
    Image.fromarray(np.array([values], np.float32)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif").pixels[0, :, 0].tolist() == expected


def test_a_picture_without_a_single_number_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tif")
    assert reason_of(tmp_path / "a.tif").startswith("damaged")


def turned(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """How a camera stores an upright picture under each EXIF orientation, by the standard's table."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }
    return np.ascontiguousarray(stored[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp"])
def test_every_exif_orientation_comes_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = np.asarray(scene())
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(turned(upright, orientation)).save(tmp_path / f"a.{suffix}", exif=exif.tobytes())
    pixels = read_photo(tmp_path / f"a.{suffix}").pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 8


def test_a_heic_of_a_turned_phone_is_turned_once(tmp_path: Path) -> None:
    upright = np.asarray(scene())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(turned(upright, 6)).save(tmp_path / "a.heic", exif=exif.tobytes(), quality=95)
    pixels = read_photo(tmp_path / "a.heic").pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("value", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    scene().save(tmp_path / "a.png", exif=exif.tobytes())
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, np.asarray(scene()))


def test_damaged_metadata_does_not_cost_the_picture_nor_warn(tmp_path: Path) -> None:
    broken = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x07\0\xff\xff\xff\x7f" * 5
    scene().save(tmp_path / "a.jpg", exif=broken, quality=95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "a.jpg").pixels.shape == (32, 48, 3)


@pytest.mark.parametrize(("name", "kind"), [*LOSSLESS.items(), *LOSSY.items(), ("a.gif", "GIF")])
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name, kind)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    assert reason_of(tmp_path / name).startswith(("damaged", "not a picture"))


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert reason_of(tmp_path / "a.jpg") == "file is empty"


def test_a_text_named_jpg_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("Dear diary, today I forgot my camera. " * 50)
    assert reason_of(tmp_path / "a.jpg").startswith("not a picture of a known kind")


def test_a_format_that_starts_other_programs_is_not_opened(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.eps")
    assert reason_of(tmp_path / "a.eps").startswith("not a picture of a known kind")


def test_a_folder_is_named(tmp_path: Path) -> None:
    assert reason_of(tmp_path) == "is a folder, not a photograph"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert reason_of(tmp_path / "a.jpg") == "is not an ordinary file"


def test_a_vanished_file_is_named(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "gone.jpg") == "there is no such file (any more)"
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    assert reason_of(tmp_path / "link.jpg") == "there is no such file (any more)"


def test_a_forbidden_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene().save(tmp_path / "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # what a locked file gives; root may read everything

    monkeypatch.setattr(Path, "open", refuse)
    assert reason_of(tmp_path / "a.png") == "no permission to read it"


def test_a_failing_disk_is_named_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene().save(tmp_path / "a.png")

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert reason_of(tmp_path / "a.png") == "cannot be read (Input/output error)"


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene().save(tmp_path / "a.png")
    decoded: list[bool] = []
    monkeypatch.setattr("faces.photo._decode", lambda _: decoded.append(True))
    assert reason_of(tmp_path / "a.png", max_pixels=48 * 32 - 1) == (
        "too large: 48 x 32 pixels, more than the limit of 0.001535 million pixels"
    )
    assert not decoded


def test_as_many_pixels_as_the_limit_are_read(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", max_pixels=48 * 32).width == 48


@pytest.mark.parametrize("side", [13_000, 60_000])
def test_a_decompression_bomb_is_refused_without_a_warning(tmp_path: Path, side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = (
        png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert reason_of(tmp_path / "a.png").startswith("too large")


_READING = """
import sys
from pathlib import Path
from faces.photo import read_photo
def peak():  # not getrusage's, which begins with that of the process that started this one
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
read_photo(Path(sys.argv[1]))
before = peak()
read_photo(Path(sys.argv[2]))
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the peak")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_no_more_copies_are_in_memory_than_needed(tmp_path: Path, mode: str) -> None:
    side = 3000
    scene().convert(mode).save(tmp_path / "small.png")
    Image.new(mode, (side, side)).save(tmp_path / "large.png", compress_level=1)
    command = [
        sys.executable,
        "-c",
        _READING,
        *(str(tmp_path / f"{size}.png") for size in ("small", "large")),
    ]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(grown) < 12 * side**2  # bytes: a picture of Pillow's, 4 each, and its pixels twice, 3 each


@pytest.mark.parametrize("header", [b"P6 99999 99999 255\n", b"P5 1000000000 1000000000 255\n"])
def test_a_huge_claim_in_a_small_file_is_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.ppm").write_bytes(header + b"\0" * 100)
    assert reason_of(tmp_path / "a.ppm").startswith("too large")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_raises_anything_but_a_photo_error(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "HEIF"]))
    buffer = io.BytesIO()
    scene().save(buffer, kind)
    body = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    path = tmp_path / "damaged"
    path.write_bytes(bytes(body))
    try:
        pixels = read_photo(path, max_pixels=1_000_000).pixels
    except PhotoError as error:
        assert error.reason
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_at_all_raise_anything_but_a_photo_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any").write_bytes(content)
    try:
        read_photo(tmp_path / "any")
    except PhotoError as error:
        assert error.reason
