"""The commands work on a collection in PostgreSQL as they do on one in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_faces import POSES, fake_models, open_fake_detector, save_person, save_photo
from typer.testing import Result

import retrieval.examine
import retrieval.indexing
from cluster.server import PASSWORD, USER, Server
from retrieval.workers import Examiners

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def made_up_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models and detector that need no time, everything in this process."""
    fake_models(monkeypatch)
    monkeypatch.setattr(retrieval.examine, "open_detector", lambda *_, **__: open_fake_detector())
    monkeypatch.setattr(retrieval.indexing, "Examiners", lambda factory, look, _: Examiners(factory, look, 0))


@pytest.mark.parametrize("vectors", ["folder", "lite.db"])
def test_every_command_answers_as_on_a_folder(
    tmp_path: Path,
    new_address: Callable[..., str],
    run_cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    vectors: str,
) -> None:
    pytest.importorskip("pymilvus", reason="needs pymilvus and Milvus Lite: run `make test-cluster`")
    photos = tmp_path / "photos"
    for number in range(6):
        save_photo(photos / f"{number}.png", number, faces=1 + number % 2)
    for pose in POSES:
        save_person(photos / f"ann{pose}.png", 0, pose)
    address = new_address(vectors=str(tmp_path / vectors))
    places = [str(tmp_path / "collection"), address]

    def told(*words: str | Path) -> str:
        """What a command says of either, which must be the same but for the time it took."""
        said = []
        for place in places:
            monkeypatch.setenv("ANOTHERYOU_COLLECTION", place)
            result = run_cli(*words)
            assert result.exit_code == 0, result.stderr
            said.append(re.sub(r" in .*faces/s", "", result.stdout))
        assert said[0] == said[1]
        return said[1]

    told("index", photos)
    for wish in ((), ("--pose", "+30"), ("--in", photos)):
        answer = json.loads(told("search", photos / "ann0.png", "--json", *wish))
        assert answer["hits"]
    (photos / "0.png").rename(photos / "moved.png")
    (photos / "1.png").unlink()
    told("index", photos)
    told("forget", photos / "3.png")
    told("reindex")
    assert "made again" in run_cli("rebuild").stdout
    told("search", photos / "ann0.png", "--json")
    info = run_cli("info").stdout
    assert "postgresql://" in info and "complete" in info
    assert run_cli("copy", address, tmp_path / "back").exit_code == 0
    places[1] = str(tmp_path / "back")
    told("search", photos / "ann0.png", "--json", "--pose", "+30")


def test_a_wrong_password_is_one_line_that_does_not_show_it(server: Server, run_cli: Cli) -> None:
    address = f"postgresql://{USER}:not{PASSWORD}@127.0.0.1:{server.port}/postgres"
    for words in (("info",), ("search", "x.jpg"), ("rebuild",), ("reindex",)):
        result = run_cli(*words, "--collection", address)
        assert result.exit_code == 1
        assert "password authentication failed" in result.stderr
        assert PASSWORD not in result.stderr and result.stderr.count("\n") == 1
