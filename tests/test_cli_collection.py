"""The commands of the collection: answers on stdout, all else on stderr, one line for every known error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from fake_faces import (
    ACCESSORY,
    POSE,
    POSES,
    WORN,
    fake_engine,
    fake_models,
    open_fake_detector,
    save_person,
    save_photo,
)
from old_collections import old_collection
from PIL import Image
from typer.testing import CliRunner, Result

import cli.index as cli_index
import retrieval.examine
import retrieval.finder
import retrieval.indexing
from cli.main import app
from cli.options import refuse_existing
from faces.errors import AnotherYouError, CollectionMissingError
from index import Collection, CollectionWriter
from retrieval.workers import Examiners

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def made_up_faces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Models and detector that need no time, everything in this process, and a collection of its own."""
    fake_models(monkeypatch)
    monkeypatch.setattr(retrieval.examine, "open_detector", lambda *_, **__: open_fake_detector())
    monkeypatch.setattr(retrieval.indexing, "Examiners", _here)
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(tmp_path / "collection"))


def _here(factory: object, look: object, _count: int) -> Examiners:
    return Examiners(factory, look, 0)  # type: ignore[arg-type]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine strangers, and three pictures of one person without anything on."""
    for number in range(6):
        save_photo(tmp_path / "photos" / f"{number}.png", number, faces=1 + number % 2)
    for pose in POSES:
        save_person(tmp_path / "photos" / f"ann{pose}.png", 0, pose)
    return tmp_path / "photos"


@pytest.fixture
def cli(run_cli: Cli, photos: Path) -> Cli:
    """The command line after `anotheryou index`."""
    assert run_cli("index", photos).exit_code == 0
    return run_cli


def test_index_on_a_ray_cluster_says_how_to_install_ray_where_it_is_missing(
    run_cli: Cli, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run_cli("index", photos, "--ray", "auto")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("needs Ray; install it with: pip install 'anotheryou[cluster]'\n")


def test_index_sums_up_what_it_did(run_cli: Cli, photos: Path) -> None:
    for number in range(12):
        (photos / f"bad{number:02}.jpg").write_text("no picture")
    first = run_cli("index", photos)
    assert first.exit_code == 0
    assert first.stdout.startswith("21 photographs\n12 faces added in 0 s")
    assert "12 photographs skipped:" in first.stdout
    assert "bad09.jpg: not a picture" in first.stdout
    assert "bad10.jpg" not in first.stdout
    assert "and 2 more" in first.stdout
    (photos / "0.png").unlink()
    second = run_cli("index", photos)
    assert second.stdout.startswith("20 photographs (20 unchanged, 1 no longer there)\n0 faces added")
    listed = run_cli("info", "--skipped")
    assert listed.stdout.count("bad") == 12


def test_search_prints_a_table_and_nothing_else_on_stdout(cli: Cli, photos: Path) -> None:
    result = cli("search", photos / "ann0.png", "--pose", "+45", "-k", "3")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    head = "rank probability person pose met seems taken face photograph"
    assert lines[0].split() == head.split()
    assert lines[1].split()[0] == "1" and lines[1].split()[2] == "%"
    assert lines[1].split()[-4:] == ["1", "of", "1", str(photos / "ann+45.png")]
    assert lines[2].strip() == "-- less likely than not --"
    assert [line.split()[0] for line in lines[3:]] == ["2", "3"]
    (photos / "ann+45.png").unlink()
    gone = cli("search", photos / "ann0.png", "--pose", "+45", "-k", "1")
    assert "ann+45.png (not there any more)" in gone.stdout


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("form", ["{0} {1}", "{0}={1}", "wish"])
def test_a_pose_is_understood_in_every_way_of_writing_it(
    cli: Cli, photos: Path, pose: str, form: str
) -> None:
    words = ["--wish", f"pose={pose}"] if form == "wish" else form.format("--pose", pose).split()
    result = cli("search", photos / "4.png", *words, "-k", "1", "--json")
    assert result.exit_code == 0
    expected = cli("search", photos / "4.png", f"--pose={pose}", "-k", "1", "--json")
    assert result.stdout == expected.stdout


def test_a_pose_between_the_values_is_understood(cli: Cli, photos: Path) -> None:
    found = json.loads(cli("search", photos / "ann-45.png", "--pose", "-10", "--json").stdout)
    assert found["wish"] == {"pose": "-10"}
    assert found["hits"][0]["photo"] == str(photos / "ann0.png")


def test_several_wishes_are_told_together(cli: Cli, photos: Path) -> None:
    result = cli("search", photos / "ann0.png", "--pose", "+45", "--wish", "accessory = none", "--json")
    found = json.loads(result.stdout)
    assert found["wish"] == {"pose": "+45", "accessory": "none"}
    assert found["hits"][0]["photo"] == str(photos / "ann+45.png") and found["probable"] == 1
    result = cli("search", photos / "ann0.png", "--not", "none", "--not=pose=0", "--json")
    found = json.loads(result.stdout)
    assert (found["wish"], found["unwished"]) == ({}, ["none", "0"])
    assert set(found["hits"][0]["met"]) == {"not none", "not 0"}
    result = cli("search", photos / "ann0.png", "--pose", "0", "--not", "0")
    assert result.exit_code == 1
    assert "pose 0 is wished for and not wished for at once; leave one out." in result.stderr
    result = cli("search", photos / "ann0.png", "--pose", "+45", "--accessory", "cap")
    remark = "faces here seem to show pose +45 and accessory cap; none of them is probably this person"
    assert remark in result.stderr
    assert "no likely picture of this person shows accessory cap" in result.stderr
    assert "this person is here, but probably not as wished: every hit is less likely" in result.stderr


def test_json_holds_everything(cli: Cli, photos: Path) -> None:
    result = cli("search", photos / "ann0.png", "--pose", "45", "--json")
    found = json.loads(result.stdout)
    assert set(found) == {"query", "wish", "unwished", "probable", "remarks", "hits"}
    assert found["query"] == {
        "photo": str(photos / "ann0.png"),
        "face": 1,
        "faces": 1,
        "box": [0.0, 0.0, 32.0, 32.0],
        "estimates": {"pose": "0", "accessory": "none"},
        "known": True,
    }
    assert (found["wish"], found["probable"], found["remarks"]) == ({"pose": "+45"}, 1, [])
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, 12))
    first = found["hits"][0]
    numbers = {name: first.pop(name) for name in ("probability", "same_person", "similarity", "face_id")}
    taken = datetime.fromisoformat(first.pop("date"))
    assert int(taken.timestamp()) == int((photos / "ann+45.png").stat().st_mtime)
    assert first.pop("met") == {"pose": pytest.approx(1, abs=0.01)}
    assert first == {
        "rank": 1,
        "photo": str(photos / "ann+45.png"),
        "exists": True,
        "dated_by": "file",
        "camera": "",
        "face": 1,
        "faces": 1,
        "box": [0.0, 0.0, 32.0, 32.0],
        "estimates": {"pose": "+45", "accessory": "none"},
    }
    assert 0.5 < numbers["probability"] < numbers["same_person"] <= 1
    assert numbers["similarity"] == pytest.approx(1, abs=1e-3)
    second = json.loads(cli("search", photos / "3.png", "--face", "2", "--same-photo", "--json").stdout)
    assert (second["query"]["face"], second["hits"][0]["face"], second["hits"][0]["faces"]) == (2, 2, 2)


def test_only_what_is_as_wished_or_probable_is_listed_on_request(cli: Cli, photos: Path) -> None:
    words = ("search", photos / "ann0.png", "--pose", "+45", "--json")
    for option in (["--only"], ["--at-least", "0.5"]):
        hits = json.loads(cli(*words, *option).stdout)["hits"]
        assert 0 < len(hits) < 11
        assert all(hit["met"]["pose"] >= 0.5 or hit["probability"] >= 0.5 for hit in hits)
    nobody = cli("search", photos / "4.png", "--at-least", "0.9")
    assert nobody.exit_code == 0 and not nobody.stdout
    assert "nothing to show: the collection has no other face that fits" in nobody.stderr
    strangers = cli("search", photos / "4.png", "-k", "2")
    assert "probably nobody here: every hit is less likely than not" in strangers.stderr
    assert cli("search", photos / "4.png", "--at-least", "2").exit_code == 2


def test_several_faces_are_mentioned_on_stderr_alone(cli: Cli, photos: Path) -> None:
    result = cli("search", photos / "3.png")
    assert "shows 2 faces; taking the largest (--face picks another)" in result.stderr
    assert "taking" not in result.stdout
    assert "faces" not in cli("search", photos / "3.png", "--face", "2").stderr


def test_the_query_photograph_is_left_out_unless_asked_for(cli: Cli, photos: Path) -> None:
    assert str(photos / "3.png") not in cli("search", photos / "3.png").stdout
    assert str(photos / "3.png") in cli("search", photos / "3.png", "--same-photo").stdout


def test_a_sheet_is_drawn_beside_the_answer(cli: Cli, photos: Path, tmp_path: Path) -> None:
    result = cli("search", photos / "4.png", "--sheet", tmp_path / "out.png")
    assert result.exit_code == 0
    assert "out.png" in result.stderr
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.width > 500
    for wrong in ("out.xyz", "no/folder/out.png"):
        result = cli("search", photos / "4.png", "--sheet", tmp_path / wrong)
        assert result.exit_code == 2
        assert not result.stdout


def test_a_sheet_never_replaces_a_photograph_unless_forced(cli: Cli, photos: Path) -> None:
    before = (photos / "4.png").read_bytes()
    result = cli("search", photos / "4.png", "--sheet", photos / "4.png")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "4.png exists already; name another file, or give --force to replace it" in result.stderr
    assert (photos / "4.png").read_bytes() == before
    assert cli("search", photos / "4.png", "--sheet", photos / "4.png", "--force").exit_code == 0
    assert (photos / "4.png").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["search", "nowhere.jpg"], "nowhere.jpg"),
        (["search", "{photos}/4.png", "--pose", "+50"], "choose one of: -45, 0, +45"),
        (["search", "{photos}/4.png", "--pose", "0", "--wish", "pose=0"], "pose is wished for twice"),
        (["search", "{photos}/4.png", "--wish", "nonsense"], "no value 'nonsense'"),
        (["search", "{photos}/4.png", "--accessory", "scarf"], "choose one of: none, hat-1 (cap)"),
        (["search", "{photos}/4.png", "--wish", "smile=broad"], "choose one of: pose, accessory"),
        (["search", "{photos}/4.png", "--face", "3"], "there is no face 3"),
        (["search", "{photos}/none.png"], "no face was found"),
        (["search", "{photos}/4.png", "--collection", "{photos}/no"], "anotheryou index FOLDER"),
        (["index", "{photos}/nowhere"], "no such file or folder"),
        (["index", "{photos}", "--weights", "other"], "not with other (ffffffffffff)"),
        (["index", "{photos}", "--weights", "other"], "make its vectors again with `anotheryou reindex`"),
        (["index", "{photos}", "--weights", "nothing"], "there are no weights 'nothing'"),
        (["index", "{photos}", "--identity", "none"], "no identity model"),
        (["index", "{photos}", "--collection", "{photos}"], "holds other things"),
        (["info", "--collection", "{photos}"], "there is no collection"),
        (["forget", "{photos}/nowhere.png"], "no photograph at or below"),
        (["reindex", "--collection", "{photos}/no"], "there is no collection"),
    ],
)
def test_known_errors_are_one_line_on_stderr(cli: Cli, photos: Path, words: list[str], sentence: str) -> None:
    save_photo(photos / "none.png", 3, faces=0)
    result = cli(*(word.format(photos=photos) for word in words))
    assert result.exit_code == 1
    assert not result.stdout
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_second_writer_is_told_in_one_line(cli: Cli, photos: Path, tmp_path: Path) -> None:
    with CollectionWriter(tmp_path / "collection"):
        for words in (["index", photos], ["reindex"], ["forget", photos / "0.png"]):
            result = cli(*words)
            assert result.exit_code == 1
            assert f"process {os.getpid()} is writing" in result.stderr
        assert cli("search", photos / "4.png").exit_code == 0


def test_info_shows_the_collection_and_its_weights(cli: Cli, tmp_path: Path) -> None:
    result = cli("info")
    assert result.exit_code == 0
    for part in (
        str(tmp_path / "collection"),
        "rotation-32 (0123456789ab) from rotation-32, accessories-32 (0123456789ab) from accessories-32",
        "fake identity (cafe)",
        "pose: -45 0 +45; accessory: none hat-1 glasses-3",
        "complete",
    ):
        assert part in result.stdout
    assert "faces        12" in result.stdout
    seen = dict(line.strip().split(maxsplit=1) for line in result.stdout.splitlines())
    found = json.loads(cli("info", "--json").stdout)
    assert (found["faces"], found["photographs"], found["identity"]) == (12, 9, "fake identity")
    assert [one["name"] for one in found["weights"]] == ["rotation-32", "accessories-32"]
    shown = found["shown"]
    with Collection(tmp_path / "collection") as collection, collection.snapshot() as snapshot:
        engine = fake_engine(vocabularies=(POSE, ACCESSORY))
        vectors = [vector for _, block in snapshot.blocks() for vector in block]
        estimates = [engine.estimates(vector) for vector in vectors]
    for name, values in {"pose": POSES, "accessory": WORN}.items():
        assert shown[name] == {value: sum(one[name] == value for one in estimates) for value in values}
        assert sum(shown[name].values()) == 12 and len(set(shown[name].values())) > 1
    assert seen["pose"] == ", ".join(f"{value} {count}" for value, count in shown["pose"].items() if count)
    assert f"sunglasses {shown['accessory']['glasses-3']}" in seen["accessory"]


def test_reindex_changes_the_weights_and_index_and_search_then_use_them(cli: Cli, photos: Path) -> None:
    result = cli("reindex", "--weights", "other")
    assert result.exit_code == 0
    assert result.stdout == "12 faces made again\n"
    assert "other (ffffffffffff)" in cli("info").stdout
    assert cli("index", photos).exit_code == 0
    assert cli("search", photos / "4.png").exit_code == 0
    asked = cli("search", photos / "4.png", "--accessory", "cap")
    assert asked.exit_code == 1
    assert "`anotheryou reindex --weights other --weights accessories-32`" in asked.stderr
    assert cli("reindex", "--weights", "other", "--weights", "accessories-32").exit_code == 0
    assert cli("search", photos / "4.png", "--accessory", "cap").exit_code == 0


def test_reindex_changes_the_identity_model_and_says_what_is_coarse(cli: Cli, photos: Path) -> None:
    (photos / "5.png").unlink()
    result = cli("reindex", "--identity", "other.onnx")
    assert (result.exit_code, result.stdout) == (0, "12 faces made again\n")
    assert "2 faces of photographs that are gone: who they show was seen on the small" in result.stderr
    assert "other.onnx (beef)" in cli("info").stdout
    assert cli("reindex", "--identity", "none").exit_code == 0
    assert "identity     none" in cli("info").stdout
    found = json.loads(cli("search", photos / "ann0.png", "--json").stdout)
    assert all(hit["similarity"] is None for hit in found["hits"])


def test_rebuild_makes_the_vectors_again_and_changes_no_answer(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    before = cli("search", photos / "4.png", "--json").stdout
    segments = tmp_path / "collection" / "vectors"
    (old,) = (file.name for file in segments.glob("*.faiss"))
    result = cli("rebuild")
    assert result.exit_code == 0
    assert result.stdout == "the vectors of 12 faces made again; every vector compared\n"
    (new,) = (file.name for file in segments.glob("*.faiss"))
    assert new != old
    assert cli("search", photos / "4.png", "--json").stdout == before


def test_a_collection_of_an_older_version_says_what_to_run(
    run_cli: Cli, photos: Path, tmp_path: Path
) -> None:
    old_collection(tmp_path / "collection", 4)
    # An index run brings the catalogue over, but says that the vectors have to be made again.
    for words in (["info"], ["search", photos / "4.png"], ["index", photos], ["search", photos / "4.png"]):
        result = run_cli(*words)
        assert result.exit_code == 1 and "`anotheryou reindex`" in result.stderr, words
        assert len(result.stderr.splitlines()) == 1
    assert "none before `anotheryou reindex`, since an older version made it" in run_cli("info").stdout
    assert run_cli("reindex").exit_code == 0
    assert "pose: -45 0 +45" in run_cli("info").stdout


def test_forget_removes_a_photograph_from_the_answers(cli: Cli, photos: Path) -> None:
    result = cli("forget", photos / "4.png")
    assert (result.exit_code, result.stdout) == (0, "forgot 1 face of 1 photograph\n")
    assert "4.png" not in cli("search", photos / "4.png").stdout
    assert "1 forgotten" in cli("index", photos).stdout


def test_a_folder_is_forgotten_only_after_a_question(
    cli: Cli, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = cli("forget", photos)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"anotheryou: there are 9 photographs with 12 faces below {photos}; give --yes to forget them all\n"
    )
    monkeypatch.setattr(cli_index, "_can_ask", lambda: True)
    for answer, status in (("n\n", 1), ("\n", 1), ("", 130)):
        result = CliRunner().invoke(app, ["forget", str(photos)], input=answer)
        assert result.exit_code == status
        assert f"Forget 9 photographs with 12 faces below {photos}? [y/N]" in result.stderr
        assert "faces        12" in cli("info").stdout
    result = CliRunner().invoke(app, ["forget", str(photos)], input="y\n")
    assert result.exit_code == 0
    assert result.stdout.endswith("forgot 12 faces of 9 photographs\n")  # after what was typed
    assert "9 forgotten" in cli("index", photos).stdout
    assert "12 faces added" in cli("index", photos, "--include-forgotten").stdout
    assert cli("forget", photos, "--yes").exit_code == 0


def test_an_empty_folder_is_told_and_can_be_swept(cli: Cli, photos: Path) -> None:
    for photo in photos.iterdir():
        photo.unlink()
    result = cli("index", photos)
    assert result.exit_code == 0
    assert "no longer there" not in result.stdout
    assert "is empty or gone; 9 photographs of it kept" in result.stderr
    assert f"run: anotheryou forget {photos}" in result.stderr
    photos.rmdir()
    assert f"run: anotheryou forget {photos}" in cli("index", photos).stderr
    assert cli("forget", photos).exit_code == 1
    assert cli("forget", photos, "--yes").stdout == "forgot 12 faces of 9 photographs\n"


def test_a_file_that_exists_is_only_replaced_by_force(tmp_path: Path) -> None:
    picture = tmp_path / "me.jpg"
    refuse_existing(picture, force=False)
    picture.touch()
    with pytest.raises(AnotherYouError, match=r"me.jpg exists already; name another file, or give --force"):
        refuse_existing(picture, force=False)
    refuse_existing(picture, force=True)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(AnotherYouError, match="exists already"):
        refuse_existing(tmp_path / "link.jpg", force=False)
    for force in (False, True):
        with pytest.raises(AnotherYouError, match="is a folder"):
            refuse_existing(tmp_path, force=force)


def stored_photographs(place: Path) -> int:
    """Count the photographs in the catalogue; 0 if it does not exist yet."""
    try:
        with Collection(place) as collection, collection.snapshot() as snapshot:
            return snapshot.summary().photos
    except CollectionMissingError:
        return 0


@pytest.mark.slow
def test_ctrl_c_finishes_the_batch_and_says_how_to_go_on(tmp_path: Path, photos: Path) -> None:
    for number in range(1000):
        save_photo(photos / "many" / f"{number}.png", number)
    program = tmp_path / "program.py"
    program.write_text(
        "import fake_faces, pytest\n"
        "from cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    fake_faces.fake_models(pytest.MonkeyPatch())\n"
        "    import retrieval.indexing\n"
        "    retrieval.indexing.detector_factory = lambda *_: fake_faces.open_fake_detector\n"
        "    main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    start = partial(
        subprocess.Popen,
        [sys.executable, program, "index", photos],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process = start()
    while process.poll() is None and not stored_photographs(tmp_path / "collection"):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted: what was read is stored; the same command goes on from there" in errors
    assert "Traceback" not in errors
    stored = int(output.splitlines()[1].split()[0].replace(",", ""))
    assert 0 < stored < 1012
    process = start()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert int(output.splitlines()[1].split()[0].replace(",", "")) == 1012 - stored
