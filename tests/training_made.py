"""Tiny labelled sets of blobs that turn, small enough to train on within a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facedata.labelled import ATTRIBUTES, WORDS, FaceSet, LabelRow, write_labels

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
    return _face_set(crops, persons=persons, poses=poses, lights=lit)


def with_mirrored_people(faces: FaceSet) -> FaceSet:
    """Faces of ``made_faces`` and, as other people, their mirrored pictures with poses and lights as they are
    then: of every value there is the exact mirror."""
    turned = replace(
        faces,
        crops=faces.crops[:, :, ::-1],
        persons=np.char.add("m", faces.persons),
        poses=np.array([{"-45": "+45", "+45": "-45"}.get(pose, pose) for pose in faces.poses]),
        lights=np.array([{"00": "01", "01": "00"}[light] for light in faces.lights]),
        files=np.char.add("m", faces.files),
    )
    both: dict[str, Any] = {
        name: np.concatenate([getattr(faces, name), getattr(turned, name)]) for name in ("crops", *WORDS)
    }
    return replace(faces, **both)


def made_wishes(*, people: int = 6, blocks: int = 2, scenes: int = 2, size: int = 8) -> FaceSet:
    """(people · scenes · 10) crops in which pose, light, accessory and expression change, one or several.

    People of one block show the same list of things, scene by scene; each scene has a background of its own.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size] / size
    shades = {"even": 0 * rows, "left": 1 - columns, "right": columns}
    plans = [[_states(rng) for _ in range(scenes)] for _ in range(blocks)]
    crops, found = [], []
    for person in range(people):
        places, strengths = rng.uniform(0.2, 0.8, (3, 2)), rng.uniform(40, 90, 3)
        for scene, states in enumerate(plans[person % blocks]):
            ground = rng.uniform(30, 90)
            for pose, light, accessory, expression in states:
                picture = ground + 60.0 * shades[light]
                for (down, across), strength in zip(places, strengths, strict=True):
                    far = (rows - down) ** 2 + (columns - across - float(pose) / 300) ** 2
                    picture = picture + strength * np.exp(-far / 0.02)
                picture[size // 4] -= 60 * (accessory == "glasses-1")
                picture[0] -= 60 * (accessory == "hat-1")
                picture[-size // 4] += 60 * (expression == "smile")
                crops.append(picture.clip(0, 255).astype(np.uint8))
                found.append((f"{person:02d}", pose, light, accessory, expression, f"s{scene}"))
    names = ("persons", "poses", "lights", "accessories", "expressions", "scenes")
    return _face_set(crops, **dict(zip(names, zip(*found, strict=True), strict=True)))


def _states(rng: np.random.Generator) -> list[tuple[str, str, str, str]]:
    """Ten different combinations, the plain one first."""
    groups = (POSES, ("even", "left", "right"), ("none", "glasses-1", "hat-1"), ("neutral", "smile"))
    states = [("0", "even", "none", "neutral")]
    while len(states) < 10:
        state = list(states[rng.integers(len(states))])
        for group in rng.permutation(4)[: rng.integers(1, 3)]:
            state[group] = str(rng.choice(groups[group]))
        if tuple(state) not in states:
            states.append((state[0], state[1], state[2], state[3]))
    return states


def _face_set(crops: list[NDArray[np.uint8]], **words: Sequence[str]) -> FaceSet:
    """A set of crops whose words are unknown where none are given."""
    files = [f"{number}.png" for number in range(len(crops))]
    columns: dict[str, Any] = {name: np.full(len(crops), "") for name in WORDS}
    columns |= {name: np.array(given) for name, given in {**words, "files": files}.items()}
    return FaceSet(name="made", crops=np.stack(crops), **columns)


def write_faces(folder: Path, faces: FaceSet) -> Path:
    """The set as a labelled folder of ready crops."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(len(faces)):
        Image.fromarray(faces.crops[number]).save(folder / str(faces.files[number]))
        words: dict[str, Any] = {name: str(faces.attribute(name)[number]) for name in ATTRIBUTES}
        rows.append(
            LabelRow(
                file=str(faces.files[number]),
                person=str(faces.persons[number]),
                split=str(faces.splits[number]),
                scene=str(faces.scenes[number]),
                **words,
            )
        )
    write_labels(folder / "labels.csv", rows)
    return folder
