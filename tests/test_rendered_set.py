"""Rendered sets on disk: complete, labelled, resumable after any end, and one writer at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

pytest.importorskip("embreex", reason="rendering needs the extra 'render'")

from facedata.labelled import LabelRow, face_set, read_labelled, rendered_mini_path
from facedata.labels import parse_labels
from facedata.pairs import ordered_pairs
from facedata.rendered.head_model import load_head_model
from facedata.rendered.person import Head
from facedata.rendered.recipes import RotationRecipe
from facedata.rendered.sets import in_processes, label_rows
from faces import claims
from faces.crop import CropGeometry
from faces.errors import DataError

POSES = ("-45", "-30", "-15", "0", "+15", "+30", "+45")
SETTINGS = {"kind": "rotation", "seed": 0}
claimed = partial(claims.claimed, what="rendered set")


def protocol_rows() -> list[LabelRow]:
    return list(label_rows(RotationRecipe(), range(249), 100))


def arguments(head_model: Path, out: Path, *more: str) -> list[str]:
    """The command line that renders few and small pictures."""
    given = ["data", "render", "rotation", "--head-model", str(head_model), "--out", str(out)]
    return [*given, "--size", "16", "--lights", "2", *more]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a finished set; the lock is no part of it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


# What the protocol counts


def test_the_protocols_set_has_34860_pictures_split_by_person() -> None:
    rows = protocol_rows()
    assert len(rows) == len({row.file for row in rows}) == 249 * 7 * 20 == 34_860
    assert {row.pose for row in rows} == set(POSES)
    assert {row.light for row in rows} == {f"{light:02d}" for light in range(20)}
    people = {split: {row.person for row in rows if row.split == split} for split in ("train", "test")}
    assert (len(people["train"]), len(people["test"])) == (100, 149)
    assert not people["train"] & people["test"]
    assert sum(row.split == "test" for row in rows) == 20_860


def test_its_100_training_people_give_84000_pairs() -> None:
    rows = protocol_rows()
    faces = face_set("rotation", np.zeros((len(rows), 1, 1), np.uint8), rows).split("train")
    assert len(ordered_pairs(faces, "pose")) == 84_000


def test_the_small_set_that_comes_along_holds_24_test_people() -> None:
    faces = read_labelled(rendered_mini_path(), cropped=True)
    assert (len(faces), faces.size, faces.left_out) == (24 * 7 * 20, 32, 0)
    assert faces.values("pose") == POSES
    assert faces.values("light") == tuple(f"{light:02d}" for light in range(20))
    assert sorted(set(faces.persons.tolist())) == [f"{number:04d}" for number in range(100, 124)]
    assert set(faces.splits.tolist()) == {"test"}
    assert len(ordered_pairs(faces, "pose")) == 24 * 20 * 7 * 6
    assert (faces.crops.reshape(len(faces), -1).std(1) > 5).all()


# A set on disk


def test_a_rendered_set_is_a_labelled_folder_with_the_pictures_of_its_recipe(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    out = tmp_path / "sets" / "rotation"
    given = arguments(head_model_path, out, "--people", "2", "--first", "99", "--workers", "1")
    result = run_cli(*given)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 28 pictures of 2 people.\n"
    geometry = CropGeometry(size=16)
    faces = read_labelled(out, cropped=True, geometry=geometry)
    assert faces.values("pose") == POSES
    assert dict(zip(faces.persons.tolist(), faces.splits.tolist(), strict=True)) == {
        "0099": "train",
        "0100": "test",
    }
    recipe = RotationRecipe(geometry=geometry, lights=2)
    crops = recipe.render(Head(load_head_model(head_model_path)), 100).crops
    assert np.array_equal(faces.crops[14:].reshape(7, 2, 16, 16), crops)

    # What is lost, or was left half done, is made again, and nothing else.
    before = contents(out)
    lost = out / "0099"
    kept = (out / "0100" / "pose0_light00.png").stat().st_mtime_ns
    lost.rename(out / "0099.abc.part")
    (out / "labels.csv").unlink()
    (out / "recipe.json.part").write_bytes(b"{")
    assert run_cli(*given).exit_code == 0
    assert contents(out) == before
    assert (out / "0100" / "pose0_light00.png").stat().st_mtime_ns == kept
    assert not list(out.glob("*.part"))

    # The same folder takes more people, and no other settings.
    refused = run_cli(*given, "--seed", "1")
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"anotheryou: {out} holds another rendered set, begun with other settings (seed: 0 there, 1 here); "
        "choose another folder, or give the same settings to go on.\n"
    )
    assert contents(out) == before


def test_a_missing_head_model_is_told_before_anything_is_written(
    tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    result = run_cli(*arguments(tmp_path / "none.npz", tmp_path / "set"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"anotheryou: There is no head model at {tmp_path / 'none.npz'}; give")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("holiday.jpg", b"x", "is not empty and holds no rendered set"),
        ("recipe.json", b'{"kind": "rotation", "seed": 1}', "other settings"),
        ("recipe.json", b"\xff\x00", "is damaged"),
        ("recipe.json", b"", "is damaged"),
    ],
)
def test_a_folder_that_holds_anything_else_is_left_alone(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "mine.part").write_bytes(b"also mine")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=reason), claimed(tmp_path, SETTINGS):
        pass
    assert contents(tmp_path) == before


def test_a_second_writer_gets_a_clear_error(tmp_path: Path) -> None:
    with (
        claimed(tmp_path, SETTINGS),
        pytest.raises(DataError, match=f"Process {os.getpid()} is writing"),
        claimed(tmp_path, SETTINGS),
    ):
        pass
    with claimed(tmp_path, SETTINGS):
        assert (tmp_path / "recipe.json").is_file()


def test_a_place_that_cannot_be_written_is_one_line(
    head_model_path: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = run_cli(*arguments(head_model_path, tmp_path / "file" / "set"))
    assert result.exit_code == 1
    assert result.stderr.startswith("anotheryou: The set cannot be written to")
    assert result.stderr.count("\n") == 1


# Workers


def write_job(job: tuple[Path, int]) -> None:
    folder, number = job
    (folder / str(number)).write_text(str(os.getpid()))


def die(number: int) -> None:
    os._exit(3)


def fail(number: int) -> None:
    raise DataError(f"number {number} cannot be made.")


@pytest.mark.parametrize("count", [1, 2])
def test_every_job_is_done_once(tmp_path: Path, count: int) -> None:
    done = list(in_processes(write_job, [(tmp_path, number) for number in range(7)], count))
    assert len(done) == 7
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == list(range(7))
    here = {path.read_text() for path in tmp_path.iterdir()} == {str(os.getpid())}
    assert here == (count == 1)


def test_the_death_of_a_worker_is_one_plain_error() -> None:
    with pytest.raises(DataError, match="ended unexpectedly"):
        list(in_processes(die, range(4), 2))


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_the_work_is_raised_as_it_is(count: int) -> None:
    with pytest.raises(DataError, match=r"number \d cannot be made"):
        list(in_processes(fail, range(4), count))


# The end of the process, at any moment


def processes_of(group: int) -> list[int]:
    """The living processes of a process group; Linux only."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program in a process group of its own; what still runs in the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        for one in processes_of(process.pid):
            os.kill(one, signal.SIGKILL)
        process.communicate()


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def nothing_runs(group: int) -> bool:
    return not processes_of(group)


def something_new(folder: Path, entries: int, process: subprocess.Popen[str]) -> bool:
    return len(list(folder.glob("*"))) > entries or process.poll() is not None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_set_survives_kills_at_any_moment_and_no_worker_survives_them(
    head_model_path: Path,
    tmp_path: Path,
    run_cli: Callable[..., Result],
    start: Callable[..., subprocess.Popen[str]],
    rng: np.random.Generator,
) -> None:
    more = ("--people", "5", "--large")
    disturbed, calm = tmp_path / "disturbed", tmp_path / "calm"
    given = arguments(head_model_path, disturbed, *more, "--workers", "2")
    for kill in range(4):
        process = start(*given)
        if kill:  # the first is killed while it starts
            wait_until(partial(something_new, disturbed, len(list(disturbed.glob("*"))), process))
        time.sleep(float(rng.uniform(0, 0.4)))
        process.kill()
        process.wait()
        wait_until(partial(nothing_runs, process.pid), 20)
    finishing = start(*given)
    _, errors = finishing.communicate(timeout=120)
    assert finishing.returncode == 0, errors
    assert run_cli(*arguments(head_model_path, calm, *more, "--workers", "1")).exit_code == 0
    assert contents(disturbed) == contents(calm)
    assert len(parse_labels((calm / "labels.csv").read_bytes(), calm)) == 5 * 7 * 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_all_processes_with_one_line(
    head_model_path: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    out = tmp_path / "set"
    process = start(*arguments(head_model_path, out, "--people", "500", "--workers", "2"))
    wait_until(lambda: (out / "recipe.json").exists() and len(processes_of(process.pid)) > 2)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "anotheryou: interrupted\n")
    # multiprocessing's own tracker ends a moment after the process that it watches
    wait_until(partial(nothing_runs, process.pid), 20)
