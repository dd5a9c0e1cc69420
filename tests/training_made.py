"""A tiny labelled set of blobs that turn, small enough to train on within a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facedata.labelled import FaceSet, LabelRow, write_labels

POSES = ("-45", "0", "+45")


def made_faces(*, people: int = 4, lights: int = 2, size: int = 8, seed: int = 0) -> FaceSet:
    """(people · 3 · lights) crops: three blobs a person that move with the pose, lit from a side."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    crops, persons, poses, lit = [], [], [], []
    for person in range(people):
        places, strengths = rng.uniform(0.2, 0.8, (3, 2)), rng.uniform(40, 90, 3)
        for light in range(lights):
            for pose in POSES:
                picture = 60.0 + 60.0 * (columns if light % 2 else 1 - columns)
                for (down, across), strength in zip(places, strengths, strict=True):
                    across += float(pose) / 300
                    far = (rows - down) ** 2 + (columns - across) ** 2
                    picture = picture + strength * np.exp(-far / 0.02)
                crops.append(picture.clip(0, 255).astype(np.uint8))
                persons.append(f"{person:02d}")
                poses.append(pose)
                lit.append(f"{light:02d}")
    unknown = np.full(len(crops), "")
    return FaceSet(
        name="made",
        crops=np.stack(crops),
        persons=np.array(persons),
        poses=np.array(poses),
        lights=np.array(lit),
        accessories=unknown,
        splits=unknown,
        tilts=unknown,
        expressions=unknown,
        scenes=unknown,
        files=np.array([f"{number}.png" for number in range(len(crops))]),
    )


def write_faces(folder: Path, faces: FaceSet) -> Path:
    """The set as a labelled folder of ready crops."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(len(faces)):
        Image.fromarray(faces.crops[number]).save(folder / str(faces.files[number]))
        rows.append(
            LabelRow(
                file=str(faces.files[number]),
                person=str(faces.persons[number]),
                pose=str(faces.poses[number]),
                light=str(faces.lights[number]),
                accessory="",
                split=str(faces.splits[number]),
            )
        )
    write_labels(folder / "labels.csv", rows)
    return folder
