"""What a user gets from the wheel."""

from __future__ import annotations

import importlib
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import REPOSITORY
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ["cli", "pages", "evaluation", "baselines", "retrieval", "index", "generator", "facedata", "faces"]
MODULES = ["anotheryou.py"]
PACKAGE_DATA = [
    "evaluation/templates/report.html",
    "evaluation/templates/style.css",
    "facedata/mini/rendered-accessories-mini.zip",
    "facedata/mini/rendered-mini.zip",
    "faces/weights/proposals.safetensors",
    "generator/weights/rotation-32/MODEL_CARD.md",
    "generator/weights/rotation-32/config.json",
    "generator/weights/accessories-32/projection.safetensors",
    "generator/weights/rotation-32/projection.safetensors",
    "generator/weights/rotation-32/weights.safetensors",
    "pages/static/style.css",
    "pages/templates/search.html",
    "retrieval/calibration.json",
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    built = next(WheelBuilder(str(REPOSITORY)).build(directory=str(folder), versions=["standard"]))
    return zipfile.ZipFile(built)


def pinned() -> dict[str, str]:
    """Distribution → version of constraints.txt."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def test_the_wheel_holds_every_file_of_every_package(wheel: zipfile.ZipFile) -> None:
    here = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here - set(wheel.namelist()) == set()


@pytest.mark.parametrize("name", PACKAGE_DATA)
def test_the_wheel_holds_the_weights_and_the_small_test_set(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_the_wheel_holds_nothing_but_the_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {*PACKAGES, *MODULES}
    assert not [
        name for name in wheel.namelist() if "test_" in name or "conftest" in name or name.endswith(".pyc")
    ]


def test_the_wheel_brings_the_program_and_the_licences(wheel: zipfile.ZipFile) -> None:
    def text(end: str) -> str:
        (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{end}"))
        return wheel.read(name).decode()

    assert "anotheryou = cli.main:main" in text("entry_points.txt")
    assert "MIT License" in text("licenses/LICENSE")
    assert "ICT-FaceKit" in text("licenses/THIRD_PARTY_NOTICES.md")


def test_every_dependency_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras if name != "gpu" for line in extras[name])]
    pins = pinned()
    assert pins["torch"] == "2.13.0"
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name != "anotheryou":
            assert requirement.specifier.contains(pins[name]), requirement


@pytest.mark.parametrize("package", ["anotheryou", *PACKAGES])
def test_public_names_exist_and_say_what_they_are(package: str) -> None:
    module = importlib.import_module(package)
    names: list[str] = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    for name in names:
        thing = getattr(module, name)
        assert not callable(thing) or thing.__doc__, f"{package}.{name} has no docstring"


def test_pictures_and_links_of_the_pages_lead_somewhere() -> None:
    lost = []
    for page in [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r"src=\"([^\"]+)\"", text)
        lost += [
            f"{page.name}: {target}"
            for target in targets
            if "://" not in target
            and not target.startswith("mailto:")
            and not (page.parent / target).exists()
        ]
    assert lost == []


def test_the_readme_shows_a_picture() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)|<img [^>]*src=\"([^\"]+)\"", text)
    local = [Path(one or other) for one, other in pictures if "://" not in (one or other)]
    assert local
    assert all((REPOSITORY / path).stat().st_size > 0 for path in local)
