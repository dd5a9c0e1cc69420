"""Make the pictures of demo/album: photographs of a dozen people who do not exist.

    python demo/make_album.py --head-model PATH [--out demo]

PATH is the packed ICT-FaceKit head model or its published folder.  The same model gives the same
pictures; those already there are kept, so that an interrupted run goes on.  Writes OUT/album and
OUT/query.jpg.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cast import Role, make_person, read_cast
from colour import LUMINANCE, shade
from outfit import dressed, with_strands
from scenery import NO_PEOPLE, PLACES, Place, background

from facedata.labels import LABELS_FILE, LabelRow, pose_word, write_labels
from facedata.rendered.camera import Camera, View
from facedata.rendered.head_model import load_head_model
from facedata.rendered.mesh import Array, Material, Rng
from facedata.rendered.person import Head, Posed, both_sides, pose_person
from faces.errors import HeadModelError
from faces.files import replacing
from faces.types import Pixels

# Three places for each person and the poses shown there: every pose once, and two of them twice.
POSES = ((-30, 0, 30), (-45, 0, 30), (-15, 15, 45))
JITTER = 2.5  # degrees; nobody looks to a mark
SINGLE, PAIR = (288, 352), (432, 336)
PIXELS_PER_CM, PAIR_PIXELS_PER_CM = 8.2, 6.6
PAIRS = (
    ("amara", "kofi", "garden"), ("bruno", "chloe", "evening"), ("daichi", "mei", "kitchen"),
    ("elena", "hugo", "library"), ("farid", "indira", "street"), ("gerald", "jonas", "window"),
    ("chloe", "elena", "seaside"), ("kofi", "daichi", "studio"), ("mei", "amara", "street"),
    ("hugo", "bruno", "garden"),
)  # fmt: skip
# A phone held sideways or upside down: how the pixels are stored, and the EXIF orientation that undoes it.
TURNS = ((Image.Transpose.ROTATE_90, 6), (Image.Transpose.ROTATE_270, 8), (Image.Transpose.ROTATE_180, 3))
TURN_EVERY = 13
RAYS = 2  # per pixel and direction; averaged in linear light, so that edges are smooth
STRANDS = 16000

EXPRESSIONS = {
    "calm": both_sides(mouthSmile=0.12),
    "smile": both_sides(mouthSmile=0.65, cheekRaiser=0.4, eyeSquint=0.25),
    "laugh": both_sides(mouthSmile=0.8, jawOpen=0.2, mouthUpperUp=0.35, cheekRaiser=0.5, eyeSquint=0.3),
    "serious": both_sides(browDown=0.45, mouthPress=0.3),
    "surprised": both_sides(jawOpen=0.15, browOuterUp=0.6, browInnerUp=0.4, eyeWide=0.4),
}
CAST = {role.name: role for role in read_cast()}


class Sitter(NamedTuple):
    """A person in a photograph."""

    role: Role
    yaw: float  # degrees
    expression: str
    x: float  # where the middle of the head lies, shares of width and height
    y: float
    scale: float  # pixels per cm there


class Shot(NamedTuple):
    """One picture to be made, and its line in labels.csv if it shows one person."""

    file: str
    sitters: tuple[Sitter, ...]
    place: Place
    size: tuple[int, int]
    label: LabelRow | None = None


def single(role: Role, yaw: int, place: str, expression: str, file: str | None = None) -> Shot:
    """One person, head and shoulders."""
    pose = pose_word(yaw)
    file = file or f"{role.name}_pose{pose}_{place}.jpg"
    rng = _rng(file, 0)
    sitter = Sitter(
        role=role,
        yaw=yaw + float(np.clip(rng.normal(0, JITTER), -4, 4)),
        expression=expression,
        x=rng.normal(0.5, 0.025),
        y=rng.normal(0.5, 0.015),
        scale=PIXELS_PER_CM * rng.uniform(0.9, 1.06),
    )
    accessory = "glasses" if role.glasses else "none"
    return Shot(file, (sitter,), PLACES[place], SINGLE, LabelRow(file, role.name, pose, place, accessory))


def pair(first: Role, second: Role, place: str) -> Shot:
    """Two people side by side who turn to each other a little."""
    file = f"{first.name}-and-{second.name}_{place}.jpg"
    rng = _rng(file, 0)
    sitters = tuple(
        Sitter(
            role=role,
            yaw=turn * rng.uniform(-4, 26),
            expression=str(rng.choice(["calm", "smile", "laugh"])),
            x=x + rng.normal(0, 0.012),
            y=rng.normal(0.53, 0.02),
            scale=PAIR_PIXELS_PER_CM * rng.uniform(0.95, 1.05),
        )
        for role, x, turn in ((first, 0.29, 1), (second, 0.71, -1))
    )
    return Shot(file, sitters, PLACES[place], PAIR)


def shots() -> Iterator[Shot]:
    """Every whole picture of the album."""
    places, moods = list(PLACES), list(EXPRESSIONS)
    for number, role in enumerate(CAST.values()):
        order = _rng(role.name, 1).permutation(len(places))
        for visit, poses in enumerate(POSES):
            for turn, yaw in enumerate(poses):
                mood = moods[(number + 2 * visit + turn) % len(moods)]
                yield single(role, yaw, places[order[visit]], mood)
    for first, second, place in PAIRS:
        yield pair(CAST[first], CAST[second], place)
    for name, landscape in NO_PEOPLE.items():
        yield Shot(f"nobody_{name}.jpg", (), landscape, PAIR)


def make(out: Path, head: Head) -> int:
    """Write all that is missing; returns how many pictures the album has."""
    album = out / "album"
    album.mkdir(parents=True, exist_ok=True)
    _write(out / "query.jpg", single(CAST["chloe"], 0, "kitchen", "calm", file="query.jpg"), head)
    made = list(shots())
    for count, shot in enumerate(made, start=1):
        turn = TURNS[count // TURN_EVERY % len(TURNS)] if count % TURN_EVERY == 0 else None
        _write(album / shot.file, shot, head, turn)
    labels = [shot.label for shot in made if shot.label]
    whole = (album / labels[0].file).read_bytes()
    # What a card that was pulled out too early leaves behind.
    (album / "damaged_card.jpg").write_bytes(whole[: len(whole) * 2 // 5])
    write_labels(album / LABELS_FILE, labels)
    return len(made) + 1


def _place_sitter(scene: Array, head: Head, sitter: Sitter, place: Place, rng: Rng) -> None:
    posed, roots = _posed(head, sitter, rng)
    height, width = scene.shape[:2]
    reach = max(max(sitter.x, 1 - sitter.x) * width, max(sitter.y, 1 - sitter.y) * height)
    side = 2 * round(min(reach, 30 * sitter.scale * RAYS))
    pitch, roll = rng.normal(0, 3), rng.normal(0, 2.5)
    middle = np.zeros(3, np.float32)
    view = View(posed, Camera(sitter.yaw, pitch, roll, 130.0, side, sitter.scale * RAYS, middle))
    radiance = shade(view, sitter.role.palette, roots, place.lighting, rng)
    # A camera makes faces so bright.
    face = (view.hits.material == Material.SKIN) & (view.hits.rest[:, 2] > 4) & (view.hits.rest[:, 1] > -7)
    bright = float(np.percentile(radiance[face] @ LUMINANCE, 75)) if face.any() else 0.4
    radiance *= (0.13 + 0.62 * sitter.role.tone) / max(bright, 1e-3) * place.exposure
    row, column = np.divmod(view.hits.ray, side)
    row = row + round(sitter.y * height) - side // 2
    column = column + round(sitter.x * width) - side // 2
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    scene[row[inside], column[inside]] = radiance[inside]


def _posed(head: Head, sitter: Sitter, rng: Rng) -> tuple[Posed, Array]:
    """The sitter's head and shirt, and where hair leaves the skin (n, 3)."""
    amount = rng.uniform(0.8, 1.1)
    weights = {name: value * amount for name, value in EXPRESSIONS[sitter.expression].items()}
    for lid in ("eyeBlink_L", "eyeBlink_R"):
        weights[lid] = rng.uniform(0.14, 0.26)
    # Eyes lead the way back to the camera; the subject's left is the picture's right.
    glance = float(np.clip(-sitter.yaw / 60 + rng.normal(0, 0.1), -0.6, 0.6))
    for eye, inward in (("L", -1.0), ("R", 1.0)):
        weights["eyeLookIn_" + eye] = max(0.0, glance * inward)
        weights["eyeLookOut_" + eye] = max(0.0, -glance * inward)
    role = sitter.role
    posed = pose_person(make_person(role, head), head, weights)
    posed, roots = with_strands(posed, np.random.default_rng(role.seed), count=STRANDS, back=role.back)
    # People turn their heads more than their shoulders.
    return dressed(posed, role.palette.shirt, twist=-0.45 * sitter.yaw + rng.normal(0, 4)), roots


def _develop(light: Array, rng: Rng) -> Pixels:
    """White balance, a tone curve with a soft shoulder, vignette and noise."""
    height, width = light.shape[:2]
    warmth = rng.normal(0, 0.025)
    light = light * np.array([1 + warmth, 1.0, 1 - 1.3 * warmth]) * float(np.exp(rng.normal(0, 0.06)))
    y, x = np.mgrid[0:height, 0:width]
    off = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    light = light * (1 - 0.16 * off**2)[:, :, None]
    knee = 0.72
    over = np.maximum(light - knee, 0)
    light = np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    grey = light ** (1 / 2.2)
    grey = grey + 0.12 * (grey * grey * (3 - 2 * grey) - grey)
    grain = rng.normal(0, 0.009, (height, width, 1)) + rng.normal(0, 0.004, light.shape)
    return np.clip((grey + grain) * 255 + 0.5, 0, 255).astype(np.uint8)


def _write(path: Path, shot: Shot, head: Head, turn: tuple[Image.Transpose, int] | None = None) -> None:
    if path.is_file():
        return
    (width, height), rng = shot.size, _rng(shot.file, 2)
    scene = background(shot.place, width, height, rng).repeat(RAYS, 0).repeat(RAYS, 1)
    for sitter in shot.sitters:  # later ones stand before earlier ones
        _place_sitter(scene, head, sitter, shot.place, rng)
    light = scene.reshape(height, RAYS, width, RAYS, 3).mean((1, 3))
    image, exif = Image.fromarray(_develop(light, rng)), Image.Exif()
    if turn:
        image = image.transpose(turn[0])
        exif[ExifTags.Base.Orientation] = turn[1]
    with replacing(path) as part:
        image.save(part, "JPEG", quality=85, optimize=True, exif=exif)


def _rng(word: str, purpose: int) -> Rng:
    """Randomness that belongs to one picture, whatever is made before it."""
    return np.random.default_rng([zlib.crc32(word.encode()), purpose])


def main() -> int:
    """Read the arguments and make the album."""
    parser = argparse.ArgumentParser(description="Make the pictures of demo/album.")
    add = parser.add_argument
    add("--head-model", type=Path, required=True, help="ict_facekit.npz or ICT-FaceKit's folder")
    add("--out", type=Path, default=Path(__file__).parent, help="where album/ and query.jpg go")
    arguments = parser.parse_args()
    try:
        head = Head(load_head_model(arguments.head_model))
        count = make(arguments.out, head)
    except (HeadModelError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} pictures in {arguments.out / 'album'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
