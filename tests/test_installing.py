"""The built wheel in a clean environment: indexes, searches, groups and serves, without the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(built, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "clean"], check=True)
    python = folder / "clean" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    wanted = [*pip, "-c", str(REPOSITORY / "constraints.txt"), f"{wheel}[cpu,serve]"]
    found = subprocess.run(wanted, capture_output=True, encoding="utf-8")
    if "Connection" in found.stderr or "No matching distribution" in found.stderr:
        pytest.skip("needs PyPI")
    assert found.returncode == 0, found.stderr
    return folder / "clean" / "bin" / "anotheryou"


def run(program: Path, home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run it as a newcomer would: another folder, nothing set."""
    environment = {"HOME": str(home), "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [program, *map(str, words)], cwd=home, env=environment, capture_output=True, encoding="utf-8"
    )


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    photos = tmp_path / "Pictures"
    photos.mkdir()
    for path in sorted((REPOSITORY / "demo" / "album").glob("chloe*.jpg")):
        shutil.copy(path, photos)
    indexed = run(installed, tmp_path, "index", photos)
    assert indexed.returncode == 0, indexed.stderr
    words = ("--pose", "-30", "--wish", "light=left", "--sheet", "sheet.png", "--html", "page.html")
    found = run(installed, tmp_path, "search", REPOSITORY / "demo" / "query.jpg", *words)
    assert found.returncode == 0, found.stderr
    assert "chloe_pose-30_street.jpg" in found.stdout
    assert (tmp_path / "sheet.png").is_file() and (tmp_path / "page.html").is_file()
    listed = run(installed, tmp_path, "people", "list")
    assert listed.returncode == 0 and "#" in listed.stdout
    environment = {"HOME": str(tmp_path), "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [installed, "serve", "--port", "0"], stdout=subprocess.PIPE, encoding="utf-8", env=environment
    ) as serving:
        try:
            assert serving.stdout is not None
            address = serving.stdout.readline().removeprefix("open ").strip()
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            page = opener.open(address, timeout=60).read().decode()
            assert "Whom are you looking for?" in page
            style = opener.open(address.partition("/?")[0] + "/static/style.css", timeout=60)
            assert style.status == 200
        finally:
            serving.terminate()
            serving.wait(60)
