"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from typer.testing import CliRunner, Result

REPOSITORY = Path(__file__).resolve().parent.parent

# No test depends on how busy the machine is, nor on chance.
settings.register_profile("anotheryou", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("anotheryou")


def _outside(variable: str, default: Path, what: str) -> Path:
    """The path of data that is not part of the project; skips the test where there is none."""
    named = os.environ.get(variable)
    path = Path(named) if named else default
    if path.exists():
        return path
    if named:
        pytest.fail(f"{variable} names {path}, which does not exist")
    pytest.skip(f"needs {what}: set {variable} to its path")


@pytest.fixture(scope="session")
def head_model_path() -> Path:
    """ICT-FaceKit: the packed archive or the published folder."""
    default = REPOSITORY.parent / "shared" / "head_model" / "ict_facekit.npz"
    return _outside("ANOTHERYOU_HEAD_MODEL", default, "the ICT-FaceKit head model")


@pytest.fixture(scope="session")
def photos_path() -> Path:
    """A folder of real photographs with ``cmu_faces/`` in it."""
    return _outside("ANOTHERYOU_PHOTOS", REPOSITORY.parent / "shared" / "photos", "the CMU face photographs")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20150101)


@pytest.fixture
def run_cli() -> Callable[..., Result]:
    """Runs the command line in this process, ``run_cli("info", folder)``, stdout and stderr kept apart."""
    from cli.main import app

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="anotheryou")

    return run
