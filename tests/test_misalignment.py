from pathlib import Path

import numpy as np
import pytest
from fake_generators import PerfectGenerator, readable_faces
from numpy.typing import NDArray

from evaluation.benchmark import StepProgress, run_experiment
from evaluation.context import Context
from evaluation.measurements import AMOUNTS, UNITS, Motion, moved
from evaluation.protocol import prepare
from evaluation.recall import KS
from evaluation.results import Journal, read_results
from evaluation.studio import Studio
from faces.progress import NoProgress
from faces.types import Pixels

MOTIONS: tuple[Motion, ...] = ("shift", "scale", "turn")


def blobs(rng: np.random.Generator, count: int = 6, side: int = 32) -> Pixels:
    """Smooth pictures, of which a small motion can be told."""
    y, x = np.mgrid[:side, :side] + 0.5
    made = []
    for _ in range(count):
        at = rng.uniform(0.4 * side, 0.6 * side, 2)
        made.append(230 * np.exp(-((x - at[0]) ** 2 + 2 * (y - at[1]) ** 2) / (0.12 * side) ** 2))
    return np.asarray(np.rint(np.stack(made)), np.uint8)


def middle(crop: Pixels) -> NDArray[np.float64]:
    """The centre of gravity (x, y) of a picture."""
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]] + 0.5
    weight = crop.astype(float)
    return np.array([float((x * weight).sum()), float((y * weight).sum())]) / float(weight.sum())


@pytest.mark.parametrize("motion", MOTIONS)
def test_nothing_moves_by_nothing(motion: Motion, rng: np.random.Generator) -> None:
    crops = rng.integers(0, 256, (4, 16, 16), dtype=np.uint8)
    assert np.array_equal(moved(crops, motion, 0.0, seed=1), crops)


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_face_goes_on_in_its_own_direction(motion: Motion, rng: np.random.Generator) -> None:
    crops = blobs(rng)
    apart = [
        np.abs(moved(crops, motion, amount, seed=3).astype(float) - crops).mean(axis=(1, 2))
        for amount in AMOUNTS[motion]
    ]
    assert np.all(np.diff(apart, axis=0) > 0)


def test_a_shift_is_as_long_as_it_says(rng: np.random.Generator) -> None:
    crops = blobs(rng, count=40)
    steps = [
        middle(after) - middle(before)
        for before, after in zip(crops, moved(crops, "shift", 5, seed=0), strict=True)
    ]
    lengths = np.linalg.norm(steps, axis=1)
    assert lengths == pytest.approx(np.full(40, 0.05 * 32), abs=0.15)
    turns = np.arctan2(*np.transpose(steps))
    assert turns.min() < -1.5 and turns.max() > 1.5  # in every direction


def test_a_scaled_face_keeps_its_place_and_turns_larger_or_smaller() -> None:
    crop = np.zeros((32, 32), np.uint8)
    crop[12:20, 12:20] = 200
    areas = moved(np.stack([crop] * 30), "scale", 20, seed=0).astype(float).sum(axis=(1, 2)) / crop.sum(
        dtype=float
    )
    assert np.sort(np.unique(areas.round(1))).tolist() == [0.7, 1.4]  # 1 / 1.2 ** 2 and 1.2 ** 2


def test_a_turn_is_about_the_middle() -> None:
    crop = np.zeros((33, 33), np.uint8)
    crop[16, 16:] = 255
    made = moved(np.stack([crop] * 10), "turn", 20, seed=0)
    assert np.all(made[:, 16, 16] > 100)
    down = [middle(picture)[1] - 16.5 for picture in made]
    angle = np.rad2deg(np.arctan2(np.abs(down), [middle(picture)[0] - 16.5 for picture in made]))
    assert angle == pytest.approx(np.full(10, 20.0), abs=1.5)
    assert min(down) < 0 < max(down)


def test_edges_are_repeated_where_the_moved_crop_reaches_beyond() -> None:
    bright = np.full((5, 16, 16), 180, np.uint8)
    for motion in MOTIONS:
        assert np.all(moved(bright, motion, AMOUNTS[motion][-1], seed=2) == 180)


def test_directions_depend_on_the_seed_only(rng: np.random.Generator) -> None:
    crops = blobs(rng)
    assert np.array_equal(moved(crops, "shift", 10, seed=1), moved(crops, "shift", 10, seed=1))
    assert not np.array_equal(moved(crops, "shift", 10, seed=1), moved(crops, "shift", 10, seed=2))


def test_recall_is_measured_for_each_motion_and_amount(tmp_path: Path) -> None:
    faces, studio = readable_faces(people=3, lights=1), Studio(PerfectGenerator())
    experiment = prepare(faces, studio, "pose", count=30)
    context = Context(studio=studio, attribute="pose")
    run_experiment(
        experiment,
        context,
        Journal(tmp_path),
        StepProgress(NoProgress()),
        rows=["ours-features"],
        parts={"tables", "misalignment"},
    )
    results = read_results(tmp_path)
    found = {
        (motion, k): results.find(f"recall@{k} by {motion}", criterion=1) for motion in MOTIONS for k in KS
    }
    for motion, k in found:
        assert [value.k for value in found[motion, k]] == [0.0, *AMOUNTS[motion]]
        unmoved, *_, worst = found[motion, k]
        # The fake reads who is on a picture from its corner, so anything but the face as it is puzzles it.
        assert unmoved.value == results.recall("ours-features", 1)[k].value
        assert unmoved.interval is not None
        assert k > 1 or worst.value < 100
    assert set(UNITS) == set(AMOUNTS)
