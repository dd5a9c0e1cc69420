"""The parts of benchmarks/peers.py that need none of the programs which it measures."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image

from faces.errors import PhotoError
from faces.photo import read_photo


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    return importlib.import_module("peers")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Anna twice, Ben once, and a file that is no picture."""
    for name in ("anna/1.jpg", "anna/2.pgm", "ben/3.png"):
        path = tmp_path / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30), 90, np.uint8)).save(path)
    (tmp_path / "photographs" / "ben" / "4.jpg").write_text("no picture")
    return tmp_path / "photographs"


def test_gallery_holds_what_all_can_read(
    peers: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = peers.lay_out(folder, tmp_path / "gallery", 100, 0)

    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [
        "000000.jpg",
        "000001.png",
        "000002.png",
    ]
    made = tmp_path / "gallery" / "000001.png"
    assert gallery == {folder / "anna/1.jpg": "anna", made: "anna", folder / "ben/3.png": "ben"}
    assert "4.jpg" in capsys.readouterr().err


def test_labels_go_before_folders(peers: ModuleType, folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_text("file,person\nanna/1.jpg,carla\n")

    assert list(peers.lay_out(folder, tmp_path / "gallery", 100, 0).values()) == ["carla", "", ""]


def test_gallery_is_thinned_and_enlarged(peers: ModuleType, folder: Path, tmp_path: Path) -> None:
    gallery = peers.lay_out(folder, tmp_path / "gallery", 2, 0.06)

    assert list(gallery.values()) == ["anna", "ben"]
    assert {read_photo(path).pixels.shape for path in gallery} == {(200, 300, 3)}


def test_folder_without_photographs(peers: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match="no photograph"):
        peers.lay_out(tmp_path / "empty", tmp_path / "gallery", 100, 0)


def test_questions_are_of_people_with_several_photographs(
    peers: ModuleType, folder: Path, tmp_path: Path
) -> None:
    gallery = peers.lay_out(folder, tmp_path / "gallery", 100, 0)
    questions = peers.draw_questions(gallery, 100, tmp_path / "questions")

    assert peers.answerable({Path("/alone"): "anna", Path("/unknown"): "", Path("/too"): ""}) == []
    assert {gallery[own] for own in questions.values()} == {"anna"}
    assert len(questions) == 2 and not set(questions) & set(gallery)


def test_first_hit_is_judged_that_is_another_photograph_of_somebody_known(peers: ModuleType) -> None:
    own, group, same, other = map(Path, ("/own", "/group", "/same", "/other"))
    gallery = {own: "anna", group: "", same: "anna", other: "ben"}

    assert peers.judge([own, group, same, other], own, gallery)
    assert not peers.judge([own, group, other, same], own, gallery)
    assert not peers.judge([own, group], own, gallery)
    assert not peers.judge([], own, gallery)


def test_what_a_process_and_those_below_it_take_is_counted(peers: ModuleType) -> None:
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'for _ in range(3 * 10**7): pass'])"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as busy, peers.Watched(os.getpid()) as watched:
        taken = np.ones(100_000_000 // 8)
        busy.wait()
    assert taken.size and watched.peak_megabytes > 100_000_000 / 2**20
    own = time.process_time()
    assert watched.processor_seconds > own + 0.2
