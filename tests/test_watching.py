"""A watched folder: what is added, moved, deleted or excluded is in the collection soon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import watchfiles
from conftest import REPOSITORY
from fake_faces import fake_engine, open_fake_detector, save_photo

from index import Collection, CollectionWriter, Status
from retrieval import watching
from retrieval.indexing import Change, IndexSummary

SOON = 20.0  # seconds; it takes one


@dataclass
class Watched:
    """A watch in a thread of its own, over ``photos``, with the collection inside of that folder."""

    folder: Path
    told: list[Change] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    summaries: list[IndexSummary] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    def run(self, **options: object) -> None:
        watching.watch(
            [self.photos],
            stop=self.ended.is_set,
            collection=self.photos / "collection",
            engine=fake_engine(),
            detector=open_fake_detector,
            workers=0,
            changed=self.told.append,
            looked=self.summaries.append,
            remark=self.remarks.append,
            **options,  # type: ignore[arg-type]
        )

    def known(self) -> list[str]:
        with Collection(self.photos / "collection") as collection, collection.snapshot() as snapshot:
            paths = [photo.path for photo in snapshot.photos(Status.OK)]
        return [str(Path(path).relative_to(os.path.realpath(self.photos))) for path in paths]

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + SOON
        while not true():
            assert time.monotonic() < end, (self.told, self.remarks)
            time.sleep(0.05)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    monkeypatch.setattr(watching, "_TICK", 0.2)
    monkeypatch.setattr(watching, "_QUIET", 100)
    monkeypatch.setattr(watching, "_POLLED", 200)
    one, threads = Watched(tmp_path), []

    def begin(**options: object) -> Watched:
        save_photo(one.photos / "a" / "1.png", 1)
        threads.append(threading.Thread(target=one.run, kwargs=options))
        threads[0].start()
        one.until(lambda: len(one.summaries) > 0)
        return one

    yield begin
    one.ended.set()
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


@pytest.mark.parametrize("poll", [False, True])
def test_changes_are_taken_in_and_told(watched: Callable[..., Watched], poll: bool) -> None:
    one = watched(poll=poll)
    assert one.known() == ["a/1.png"]
    save_photo(one.photos / "a" / "2.png", 2, faces=2)
    one.until(lambda: one.known() == ["a/1.png", "a/2.png"])
    (one.photos / "a" / "2.png").rename(one.photos / "3.png")
    one.until(lambda: one.known() == ["3.png", "a/1.png"])
    save_photo(one.folder / "elsewhere" / "deep" / "4.png", 4)
    (one.folder / "elsewhere").rename(one.photos / "b")
    one.until(lambda: one.known() == ["3.png", "a/1.png", "b/deep/4.png"])
    shutil.rmtree(one.photos / "b")
    one.until(lambda: one.known() == ["3.png", "a/1.png"])
    (one.photos / "a" / ".nomedia").touch()
    one.until(lambda: one.known() == ["3.png"])
    (one.photos / "a" / ".nomedia").unlink()
    one.until(lambda: one.known() == ["3.png", "a/1.png"])
    (one.photos / "5.jpg").write_text("no picture")
    one.until(lambda: one.told[-1].what == "skipped")
    assert one.told[-1].why.startswith("not a picture")
    told = [(change.what, Path(change.path).name, change.faces) for change in one.told]
    assert told == [
        ("read", "1.png", 1),
        ("read", "2.png", 2),
        ("moved", "3.png", 0),
        ("read", "4.png", 1),
        ("removed", "4.png", 0),
        ("excluded", "1.png", 0),
        ("read", "1.png", 1),
        ("skipped", "5.jpg", 0),
    ]
    assert len(one.summaries) == 1


def test_a_folder_that_is_gone_as_a_whole_is_waited_for(watched: Callable[..., Watched]) -> None:
    one = watched()
    one.photos.rename(one.folder / "unplugged")
    one.until(lambda: len(one.remarks) == 1)
    assert "is not there; its photographs are kept" in one.remarks[0]
    save_photo(one.folder / "unplugged" / "2.png", 2)
    (one.folder / "unplugged").rename(one.photos)
    one.until(lambda: len(one.summaries) == 2)
    assert "is there again" in one.remarks[1]
    assert (one.summaries[1].unchanged, one.summaries[1].read, one.summaries[1].removed) == (1, 1, 0)
    save_photo(one.photos / "3.png", 3)
    one.until(lambda: one.known() == ["2.png", "3.png", "a/1.png"])


def test_changes_wait_while_others_write(watched: Callable[..., Watched]) -> None:
    one = watched()
    with CollectionWriter(one.photos / "collection"):
        save_photo(one.photos / "2.png", 2)
        one.until(lambda: len(one.remarks) > 0)
    assert "trying again until it can be done" in one.remarks[0]
    one.until(lambda: one.known() == ["2.png", "a/1.png"])
    assert len(one.remarks) == 1


def test_everything_is_looked_through_after_a_sleep_and_now_and_then(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = watched(every=1.0)
    one.until(lambda: len(one.summaries) >= 3)
    monkeypatch.setattr(watching, "_ASLEEP", 0.0)  # every pause seems a sleep
    before = len(one.summaries)
    one.until(lambda: len(one.summaries) >= before + 2)


def test_a_system_that_does_not_tell_is_polled(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = watchfiles.watch

    def full(*paths: str, force_polling: bool | None, **options: object) -> object:
        if not force_polling:
            raise RuntimeError("OS file watch limit reached")
        return plain(*paths, force_polling=True, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(watchfiles, "watch", full)
    one = watched()
    assert "looking every two seconds" in one.remarks[0]
    save_photo(one.photos / "2.png", 2)
    one.until(lambda: one.known() == ["2.png", "a/1.png"])


def test_the_command_ends_cleanly_with_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "odd.jpg").write_text("no picture")
    command = [sys.executable, "-m", "cli.main", "watch", str(tmp_path / "photos")]
    with subprocess.Popen(
        [*command, "--collection", str(tmp_path / "c")],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert "odd.jpg  skipped: not a picture" in process.stdout.readline()
        assert "1 photograph" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (0, False)
    assert errors.endswith("anotheryou: stopped; all that was told is stored\n")
