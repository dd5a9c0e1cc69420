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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cast import CAST, Role
from portrait import EXPRESSIONS, Sitter, take
from scenery import NO_PEOPLE, PLACES, Place

from facedata.labels import LABELS_FILE, LabelRow, write_labels
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from faces.errors import HeadModelError
from faces.files import replacing
from faces.types import Pixels

# Three places for each person and the poses shown there: every pose once, and two of them twice.
POSES = ((-30, 0, 30), (-45, 0, 30), (-15, 15, 45))
JITTER = 2.5  # degrees; nobody looks to a mark
SINGLE, PAIR = (288, 352), (432, 336)
PIXELS_PER_CM, PAIR_PIXELS_PER_CM = 8.2, 6.6
QUALITY = 85
PAIRS = (
    ("amara", "kofi", "garden"), ("bruno", "chloe", "evening"), ("daichi", "mei", "kitchen"),
    ("elena", "hugo", "library"), ("farid", "indira", "street"), ("gerald", "jonas", "window"),
    ("chloe", "elena", "seaside"), ("kofi", "daichi", "studio"), ("mei", "amara", "street"),
    ("hugo", "bruno", "garden"),
)  # fmt: skip
# A phone held sideways or upside down: how the pixels are stored, and the EXIF orientation that undoes it.
TURNS = (
    (Image.Transpose.ROTATE_90, 6),
    (Image.Transpose.ROTATE_270, 8),
    (Image.Transpose.ROTATE_180, 3),
)
TURN_EVERY = 13
QUERY = ("chloe", 0, "kitchen", "calm")
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Shot:
    """One picture to be made, and its line in labels.csv if it shows one person."""

    file: str
    sitters: tuple[Sitter, ...]
    place: Place
    size: tuple[int, int]
    label: LabelRow | None = None


def single(role: Role, yaw: int, place: str, expression: str, file: str | None = None) -> Shot:
    """One person, head and shoulders."""
    pose = f"{yaw:+d}" if yaw else "0"
    file = file or f"{role.name}_pose{pose}_{place}.jpg"
    rng = _rng(file, 0)
    sitter = Sitter(
        role=role,
        yaw=yaw + float(np.clip(rng.normal(0, JITTER), -4, 4)),
        expression=expression,
        x=float(rng.normal(0.5, 0.025)),
        y=float(rng.normal(0.5, 0.015)),
        scale=PIXELS_PER_CM * float(rng.uniform(0.9, 1.06)),
    )
    accessory = "glasses" if role.glasses else "none"
    return Shot(file, (sitter,), PLACES[place], SINGLE, LabelRow(file, role.name, pose, place, accessory))


def pair(first: Role, second: Role, place: str) -> Shot:
    """Two people side by side who turn to each other a little."""
    file = f"{first.name}-and-{second.name}_{place}.jpg"
    rng = _rng(file, 0)
    sitters = []
    for role, x, turn in ((first, 0.29, 1), (second, 0.71, -1)):
        sitters.append(
            Sitter(
                role=role,
                yaw=turn * float(rng.uniform(-4, 26)),
                expression=str(rng.choice(["calm", "smile", "laugh"])),
                x=x + float(rng.normal(0, 0.012)),
                y=float(rng.normal(0.53, 0.02)),
                scale=PAIR_PIXELS_PER_CM * float(rng.uniform(0.95, 1.05)),
            )
        )
    return Shot(file, tuple(sitters), PLACES[place], PAIR)


def shots() -> Iterator[Shot]:
    """Every whole picture of the album."""
    places, moods = list(PLACES), list(EXPRESSIONS)
    for number, role in enumerate(CAST):
        order = _rng(role.name, 1).permutation(len(places))
        for visit, poses in enumerate(POSES):
            for turn, yaw in enumerate(poses):
                mood = moods[(number + 2 * visit + turn) % len(moods)]
                yield single(role, yaw, places[order[visit]], mood)
    by_name = {role.name: role for role in CAST}
    for first, second, place in PAIRS:
        yield pair(by_name[first], by_name[second], place)
    for name, landscape in NO_PEOPLE.items():
        yield Shot(f"nobody_{name}.jpg", (), landscape, PAIR)


def query() -> Shot:
    """A picture of one of the people that is not in the album."""
    name, yaw, place, mood = QUERY
    role = next(role for role in CAST if role.name == name)
    return single(role, yaw, place, mood, file="query.jpg")


def make(out: Path, head: Head) -> int:
    """Write all that is missing; returns how many pictures the album has."""
    album = out / "album"
    album.mkdir(parents=True, exist_ok=True)
    labels: list[LabelRow] = []
    _write(out / "query.jpg", query(), head)
    count = 0
    for count, shot in enumerate(shots(), start=1):
        turn = TURNS[count // TURN_EVERY % len(TURNS)] if count % TURN_EVERY == 0 else None
        _write(album / shot.file, shot, head, turn)
        if shot.label:
            labels.append(shot.label)
    whole = (album / labels[0].file).read_bytes()
    # What a card that was pulled out too early leaves behind.
    (album / "damaged_card.jpg").write_bytes(whole[: len(whole) * 2 // 5])
    write_labels(album / LABELS_FILE, labels)
    return count + 1


def _write(path: Path, shot: Shot, head: Head, turn: tuple[Image.Transpose, int] | None = None) -> None:
    if path.is_file():
        return
    width, height = shot.size
    pixels: Pixels = take(head, list(shot.sitters), shot.place, width, height, _rng(shot.file, 2))
    image, exif = Image.fromarray(pixels), Image.Exif()
    if turn:
        image = image.transpose(turn[0])
        exif[EXIF_ORIENTATION] = turn[1]
    with replacing(path) as part:
        image.save(part, "JPEG", quality=QUALITY, optimize=True, exif=exif)


def _rng(word: str, purpose: int) -> np.random.Generator:
    """Randomness that belongs to one picture, whatever is made before it."""
    return np.random.default_rng([zlib.crc32(word.encode()), purpose])


def main() -> int:
    """Read the arguments and make the album."""
    parser = argparse.ArgumentParser(description="Make the pictures of demo/album.")
    parser.add_argument(
        "--head-model", type=Path, required=True, help="ict_facekit.npz or ICT-FaceKit's folder"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="where album/ and query.jpg go"
    )
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
