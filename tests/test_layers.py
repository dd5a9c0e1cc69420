"""Imports point downwards only, and what is heavy is loaded late."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import pytest
from conftest import REPOSITORY
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

HEAVY = {
    "torch",
    "faiss",
    "sklearn",
    "scipy",
    "matplotlib",
    "embreex",
    "dlib",
    "cv2",
    "PIL",
    "sqlalchemy",
}


def project() -> dict[str, object]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after one statement."""
    program = (
        f"{statement}\nimport sys, json\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_the_layer_contracts_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_package_has_a_layer_is_shipped_and_is_type_checked() -> None:
    tool = project()["tool"]
    assert isinstance(tool, dict)
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    linter = tool["importlinter"]
    layers = {name.strip() for layer in linter["contracts"][0]["layers"] for name in layer.split("|")}
    assert layers == packages
    assert set(linter["root_packages"]) == packages
    assert set(tool["hatch"]["build"]["targets"]["wheel"]["only-include"]) == {*packages, "anotheryou.py"}
    assert set(tool["mypy"]["files"]) >= packages


def test_the_command_line_starts_without_anything_heavy() -> None:
    assert not loaded_by("import cli.main") & (HEAVY | {"numpy", "rich"})


def test_a_collection_opens_without_torch() -> None:
    assert "torch" not in loaded_by("import index, pkgutil, importlib\n" + WALK)


WALK = "for module in pkgutil.walk_packages(index.__path__, 'index.'): importlib.import_module(module.name)"
