"""What ``import anotheryou`` promises: names, types, docstrings and the examples of docs/python.md."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from conftest import REPOSITORY
from generators_made import network_for, pose_config
from PIL import Image
from typer.testing import Result

import anotheryou
from faces.types import Box, DetectedFace, Landmarks, Photo
from generator.available import SHIPPED
from generator.checkpoint import save_checkpoint
from generator.projection import Projection
from retrieval.detail import DEFAULT_FLOW, DEFAULT_RETOUCH

NAMES = {
    "AnotherYouError",
    "Answer",
    "Collection",
    "Edited",
    "Embedded",
    "Finder",
    "Hit",
    "IndexSummary",
    "Prepared",
    "QueryFace",
    "ReindexSummary",
    "default_collection",
    "draw_sheet",
    "edit",
    "embed",
    "forget",
    "index_folders",
    "open_collection",
    "reindex",
    "search",
}
PYTHON, JSON = REPOSITORY / "docs" / "python.md", REPOSITORY / "docs" / "json.md"


def test_the_public_names_are_these() -> None:
    assert set(anotheryou.__all__) == NAMES
    assert anotheryou.__all__ == sorted(anotheryou.__all__)
    assert anotheryou.__doc__


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_says_what_it_is_and_has_types(name: str) -> None:
    thing = getattr(anotheryou, name)
    assert thing.__doc__
    if inspect.isclass(thing):
        methods = [
            member
            for key, member in vars(thing).items()
            if inspect.isfunction(member) and (not key.startswith("_") or key == "__init__")
        ]
    else:
        methods = [thing]
    for method in methods:
        signature = inspect.signature(method)
        assert signature.return_annotation is not inspect.Signature.empty, method
        for parameter in signature.parameters.values():
            if parameter.name != "self":
                assert parameter.annotation is not inspect.Parameter.empty, (method, parameter)
        assert method.__doc__ or method.__name__ == "__init__", method


@pytest.mark.parametrize("name", ["Answer", "Hit", "QueryFace", "Edited", "Embedded"])
def test_the_fields_of_answers_are_documented(name: str) -> None:
    text = PYTHON.read_text(encoding="utf-8")
    for field in get_type_hints(getattr(anotheryou, name), include_extras=True):
        assert f"`{field}`" in text, f"docs/python.md does not mention {name}.{field}"


def test_importing_it_is_light() -> None:
    heavy = ("torch", "sklearn", "dlib", "faiss", "cv2", "matplotlib", "onnxruntime", "typer", "rich")
    program = f"import sys, anotheryou; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]", found.stdout


def test_nothing_of_ours_imports_it() -> None:
    program = re.compile(r"^\s*(import|from) anotheryou\b", re.MULTILINE)
    packages = ("cli", "evaluation", "baselines", "retrieval", "index", "generator", "facedata", "faces")
    files = [path for package in packages for path in (REPOSITORY / package).rglob("*.py")]
    assert len(files) > 100
    assert [path for path in files if program.search(path.read_text(encoding="utf-8"))] == []


class Middle:
    """Finds one face in the middle of every photograph."""

    name = "middle"

    def detect(self, photo: Photo) -> list[DetectedFace]:
        width, height = float(photo.width), float(photo.height)
        marks = Landmarks(
            (0.35 * width, 0.4 * height), (0.65 * width, 0.4 * height), (0.5 * width, 0.6 * height)
        )
        return [DetectedFace(Box(0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height), marks, 1.0)]


def open_middle(name: object = None, *, min_face: int = 0) -> Middle:
    return Middle()


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Iterator[Path]:
    """A home with five photographs, small weights and a detector that needs no model."""
    pictures = tmp_path / "Pictures"
    pictures.mkdir()
    for number in range(5):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((160, 160), Image.Resampling.BICUBIC).save(pictures / f"{number}.png")
    Image.open(pictures / "0.png").rotate(3).save(tmp_path / "me.jpg")
    weights = tmp_path / "shipped"
    for name, two_groups in (("rotation-32", False), ("accessories-32", True)):
        config = pose_config(32, 8, two_groups=two_groups)
        save_checkpoint(weights / name, network_for((32, 8, two_groups)), config)
        features = rng.normal(size=(20, 16 * 16 * 8)).astype(np.float32)
        Projection.fit(features, 8).save(weights / name)
    for name in (DEFAULT_FLOW, DEFAULT_RETOUCH):
        shutil.copytree(SHIPPED / name, weights / name)
    monkeypatch.setattr("generator.available.SHIPPED", weights)
    monkeypatch.setattr("retrieval.examine.open_detector", open_middle)
    monkeypatch.setattr("retrieval.indexing.default_workers", lambda: 0)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(tmp_path / "collection"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def examples(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_examples_of_the_page_run(room: Path) -> None:
    scope: dict[str, Any] = {}
    blocks = examples(PYTHON, "python")
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, str(PYTHON), "exec"), scope)
    used = set(re.findall(r"anotheryou\.([A-Za-z_]+)", "\n".join(blocks)))
    assert used <= NAMES
    assert {"index_folders", "search", "Finder", "edit", "embed"} <= used


def fields_of(value: object, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            if name not in ("estimates", "wish", "met"):
                yield from fields_of(inner, f"{prefix}{name}.")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from fields_of(value[0], prefix)


def test_the_json_has_the_documented_fields_and_no_others(room: Path, run_cli: Callable[..., Result]) -> None:
    anotheryou.index_folders([room / "Pictures"], detector=open_middle)
    result = run_cli("search", room / "me.jpg", "--pose", "+30", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    text = JSON.read_text(encoding="utf-8").partition("anotheryou info --json")[0]
    documented = re.findall(r"^\| `([a-z_.]+)` \|", text, flags=re.MULTILINE)
    assert sorted(set(fields_of(found))) == sorted(documented)
    (example,) = (json.loads(block) for block in examples(JSON, "json"))
    assert sorted(set(fields_of(example))) == sorted(documented)


@pytest.mark.parametrize("own", [None, "active"])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(own: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    script = "import sys, anotheryou, os; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | ({} if own is None else {"OMP_WAIT_POLICY": own}),
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    ).stdout
    assert told.split() == [own or "passive", "False"]
