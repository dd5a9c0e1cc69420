"""An index run leaves in the catalogue what is in the folders, whatever happened before and meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_faces import (
    ACCESSORY,
    BREAK,
    CRASH,
    FACE,
    OTHER,
    POSE,
    RAISE,
    FakeDetector,
    FakeIdentity,
    ForbiddenIdentity,
    fake_engine,
    open_fake_detector,
    open_no_detector,
    save_photo,
    unused_detector,
)
from old_collections import old_collection, old_crop
from PIL import Image

import retrieval.scan
from anotheryou import IndexSummary, forget, index_folders, open_collection, reindex
from faces.errors import (
    CollectionError,
    CollectionLockedError,
    CollectionWeightsError,
    DetectorError,
    PhotoError,
)
from faces.types import DetectedFace, Photo
from index import Collection, CollectionWriter, Status
from index.faiss_store import FaissStore
from retrieval import indexing
from retrieval.engine import Engine
from retrieval.forgetting import count_known
from retrieval.scan import Scan, unplugged

Run = Callable[..., IndexSummary]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "collection"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven faces in four photographs."""
    folder = tmp_path / "photos"
    for number, faces in enumerate((1, 2, 1, 3)):
        save_photo(folder / ("a" if number < 2 else "b") / f"{number}.png", number, faces=faces)
    return folder


@pytest.fixture
def run(place: Path, photos: Path) -> Run:
    """An index run in this process."""

    def go(
        *folders: Path, at: Path | None = None, engine: Engine | None = None, **options: object
    ) -> IndexSummary:
        chosen = {"workers": 0, "detector": open_fake_detector, "min_face": 16, **options}
        return index_folders(
            folders or [photos],
            collection=at or place,
            engine=engine or fake_engine(),
            **chosen,  # type: ignore[arg-type]
        )

    return go


def contents(place: Path) -> dict[str, list[bytes]]:
    """The crops of each photograph's faces; every face must be searchable."""
    with Collection(place) as collection, collection.snapshot() as snapshot:
        found: dict[str, list[bytes]] = {photo.path: [] for photo in snapshot.photos(Status.OK)}
        query = np.zeros((1, snapshot.layout.dimension), np.float32)
        _, ids = snapshot.search(query, 10_000)
        for face in snapshot.faces(sorted(ids[0].tolist())):
            found[face.path].append(face.crop.tobytes())
        assert len(ids[0]) == snapshot.summary().faces
        return found


def counts(place: Path) -> dict[str, int]:
    return {os.path.basename(path): len(crops) for path, crops in contents(place).items()}  # noqa: PTH119


def skipped(place: Path) -> dict[str, str]:
    with Collection(place) as collection, collection.snapshot() as snapshot:
        return {Path(photo.path).name: photo.reason for photo in snapshot.photos(Status.SKIPPED)}


def test_all_faces_of_all_folders_are_stored(run: Run, place: Path) -> None:
    summary = run()
    assert (summary.photographs, summary.read, summary.faces, summary.skipped) == (4, 4, 7, 0)
    assert counts(place) == {"0.png": 1, "1.png": 2, "2.png": 1, "3.png": 3}
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line
        face = snapshot.faces([1])[0]
        assert face.vector.shape == (snapshot.layout.dimension,)
        assert (face.number, face.count, face.box.width) == (1, 1, FACE)


def test_unchanged_photographs_are_not_opened_again(run: Run) -> None:
    run()
    summary = run(detector=unused_detector)
    assert (summary.unchanged, summary.read, summary.faces) == (4, 0, 0)


def test_new_changed_and_deleted_photographs_are_followed(run: Run, place: Path, photos: Path) -> None:
    run()
    save_photo(photos / "new" / "4.png", 4, faces=2)
    save_photo(photos / "a" / "1.png", 9, faces=1)
    os.utime(photos / "a" / "1.png", ns=(5, 5))
    (photos / "b" / "3.png").unlink()
    summary = run()
    assert (summary.unchanged, summary.read, summary.removed, summary.faces) == (2, 2, 1, 3)
    assert counts(place) == {"0.png": 1, "1.png": 1, "2.png": 1, "4.png": 2}


def test_moved_photographs_keep_their_faces(run: Run, place: Path, photos: Path) -> None:
    run()
    before = contents(place)
    (photos / "a").rename(photos / "c")
    (photos / "b" / "3.png").rename(photos / "renamed.png")
    summary = run(detector=unused_detector)
    assert (summary.moved, summary.unchanged, summary.removed, summary.faces) == (3, 1, 0, 0)
    after = contents(place)
    assert after[str(photos / "renamed.png")] == before[str(photos / "b" / "3.png")]
    assert after[str(photos / "c" / "1.png")] == before[str(photos / "a" / "1.png")]
    assert len(after) == 4


def test_a_copy_is_a_photograph_of_its_own_and_only_one_copy_takes_over(
    run: Run, place: Path, photos: Path
) -> None:
    run()
    shutil.copy2(photos / "b" / "3.png", photos / "copy1.png")
    assert run().faces == 3
    (photos / "b" / "3.png").rename(photos / "moved.png")
    shutil.copy2(photos / "moved.png", photos / "more.png")
    summary = run()
    assert (summary.moved, summary.faces, summary.removed) == (1, 3, 0)
    assert sum(counts(place).values()) == 13


def test_a_touched_photograph_is_not_computed_again(run: Run, photos: Path) -> None:
    run()
    os.utime(photos / "a" / "0.png", ns=(7, 7))
    assert run(detector=unused_detector).unchanged == 4
    assert run(detector=unused_detector).unchanged == 4


def test_only_the_named_folders_lose_photographs(run: Run, place: Path, photos: Path) -> None:
    run()
    shutil.rmtree(photos / "a")
    assert run(photos / "b").removed == 0
    assert len(contents(place)) == 4
    assert run(photos).removed == 2


def test_photographs_that_cannot_be_read_are_skipped_by_name_and_only_tried_again_when_they_change(
    run: Run, place: Path, photos: Path
) -> None:
    (photos / "text.jpg").write_text("no picture")
    (photos / "empty.png").touch()
    save_photo(photos / "odd.png", 5, trouble=RAISE)
    summary = run()
    assert (summary.skipped, summary.read) == (3, 4)
    assert {Path(path).name for path, _ in summary.reasons} == {"text.jpg", "empty.png", "odd.png"}
    assert skipped(place)["empty.png"] == "file is empty"
    assert "odd picture" in skipped(place)["odd.png"]
    again = run(detector=unused_detector)
    assert (again.skipped, again.skipped_before) == (0, 3)
    save_photo(photos / "odd.png", 5, faces=2)
    assert run().faces == 2
    assert set(skipped(place)) == {"text.jpg", "empty.png"}


def test_the_first_ten_skipped_are_listed_and_the_rest_counted(run: Run, photos: Path) -> None:
    for number in range(13):
        (photos / f"bad{number}.jpg").write_text("no picture")
    summary = run()
    assert (summary.skipped, len(summary.reasons)) == (13, 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_photograph_without_permission_is_tried_again(run: Run, photos: Path, place: Path) -> None:
    (photos / "a" / "0.png").chmod(0)
    assert run().skipped == 1
    assert skipped(place) == {"0.png": "permission denied"}
    (photos / "a" / "0.png").chmod(0o600)
    assert run().faces == 1


def test_small_faces_are_counted_and_left_out_and_another_limit_reads_again(
    run: Run, place: Path, photos: Path
) -> None:
    save_photo(photos / "small.png", 8, faces=2, small=True)
    summary = run()
    assert (summary.faces, summary.too_small) == (8, 1)
    assert run(min_face=None).unchanged == 5
    summary = run(min_face=8)
    assert (summary.faces, summary.too_small) == (9, 0)
    assert counts(place)["small.png"] == 2
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.summary().min_face == 8


def test_by_default_the_smallest_face_grows_with_the_photograph_and_what_that_leaves_out_is_counted(
    run: Run, place: Path, photos: Path
) -> None:
    save_photo(photos / "small.png", 8, faces=2, small=True)
    with Image.open(photos / "small.png") as small:
        small.crop((0, 0, 40 * FACE + 40, small.height)).save(photos / "wide.png")
    summary = run(min_face=None)
    assert summary.coarse == 1
    assert counts(place)["wide.png"] == 0
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.summary().min_face == 0
    assert run(min_face=None, detector=unused_detector).unchanged == 6
    again = run(min_face=16)
    assert (again.coarse, counts(place)["wide.png"]) == (0, 1)


@pytest.mark.parametrize(("before", "opened"), [("dlib-hog+cnn", "hog+cnn"), ("dlib-mmod", "mmod")])
def test_a_collection_goes_on_with_the_detector_and_the_smallest_face_that_it_has(
    run: Run, place: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, before: str, opened: str
) -> None:
    asked = []

    class Known:
        name = before

        def detect(self, photo: Photo) -> list[DetectedFace]:
            return open_fake_detector().detect(photo)

    def open_known(model: str, *, min_face: int) -> Known:
        asked.append((model, min_face))
        return Known()

    monkeypatch.setattr("retrieval.examine.open_detector", open_known)
    run(detector=Known, min_face=24)
    save_photo(photos / "new.png", 30, faces=1)
    assert run(detector=None, min_face=None).read == 1
    assert asked == [(opened, 24)]


@pytest.mark.slow
def test_a_worker_that_dies_on_a_photograph_costs_that_photograph_alone(
    run: Run, place: Path, photos: Path
) -> None:
    for number in range(12):
        save_photo(photos / "c" / f"{number}.png", 20 + number, trouble=CRASH if number in (3, 4) else 0)
    summary = run(workers=2)
    assert (summary.read, summary.skipped, summary.faces) == (14, 2, 17)
    assert set(skipped(place)) == {"3.png", "4.png"}
    assert all("crashed (signal 11)" in reason for _, reason in summary.reasons)
    assert run(detector=unused_detector).skipped_before == 2


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_detector_that_cannot_be_opened_or_breaks_is_one_error(
    run: Run, photos: Path, workers: int, place: Path
) -> None:
    with pytest.raises(DetectorError, match="missing"):
        run(detector=open_no_detector, workers=workers)
    save_photo(photos / "z.png", 1, trouble=BREAK)
    with pytest.raises(DetectorError, match="damaged"):
        run(workers=workers)
    CollectionWriter(place).close()


def test_a_collection_keeps_to_its_detector(run: Run, photos: Path) -> None:
    run()
    save_photo(photos / "new.png", 77)
    with pytest.raises(CollectionError, match="fake detector"):
        run(detector=partial(FakeDetector, "another"))


def test_a_folder_that_does_not_exist_changes_nothing(run: Run, place: Path, photos: Path) -> None:
    run()
    with pytest.raises(PhotoError, match="no such"):
        run(photos / "a", photos / "nowhere")
    assert len(contents(place)) == 4


def test_links_are_followed_once_and_loops_end(tmp_path: Path, photos: Path) -> None:
    (photos / "a" / "loop").symlink_to(photos)
    (photos / "self").symlink_to(photos / "self")
    (photos / "dead.png").symlink_to(tmp_path / "nowhere.png")
    outside = save_photo(tmp_path / "outside" / "x.png", 3)
    (photos / "b" / "more").symlink_to(outside.parent)
    (photos / "link.png").symlink_to(photos / "a" / "0.png")
    found = [file.path for file in Scan([photos, photos / "b"])]
    assert set(found) == {str(photos / part) for part in ("a/0.png", "a/1.png", "b/2.png", "b/3.png")} | {
        str(outside)
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_has_a_photographs_name_and_is_no_file_is_named(run: Run, photos: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    os.mkfifo(photos / "pipe.txt")
    (photos / "a" / "circle.jpg").symlink_to(photos / "a" / "circle.jpg")
    (photos / "a" / "gone.png").symlink_to(photos / "nowhere")
    (photos / "b" / "device.jpg").symlink_to("/dev/zero")
    (photos / "b" / "notes").symlink_to(photos / "nowhere")
    found = [
        (str(photos / "pipe.jpg"), "is not an ordinary file"),
        (str(photos / "a" / "circle.jpg"), "is a link that leads in a circle"),
        (str(photos / "a" / "gone.png"), "is a link to what is not there"),
        (str(photos / "b" / "device.jpg"), "is not an ordinary file"),
    ]
    summary = run()
    assert (summary.photographs, summary.skipped, summary.passed_over) == (4, 0, found)
    assert run(photos / "pipe.jpg").passed_over == found[:1]


def test_a_photograph_reached_by_two_ways_is_stored_once(run: Run, place: Path, photos: Path) -> None:
    (photos / "link.png").symlink_to(photos / "a" / "0.png")
    (photos.parent / "other").symlink_to(photos)
    summary = run(photos, photos.parent / "other", photos / "a" / "1.png")
    assert (summary.photographs, summary.faces) == (4, 7)


def test_hidden_files_and_the_collection_itself_are_passed_over(photos: Path, place: Path) -> None:
    save_photo(photos / ".hidden" / "x.png", 1)
    save_photo(photos / "._0.png", 1)
    (photos / "notes.txt").touch()
    inside = photos / "collection"
    save_photo(inside / "x.png", 1)
    names = [Path(file.path).name for file in Scan([photos], leave_out=[inside])]
    assert names == ["0.png", "1.png", "2.png", "3.png"]
    assert [file.named for file in Scan([photos / ".hidden" / "x.png"])] == [True]


def test_photographs_of_a_hidden_folder_survive_a_run_above_it(run: Run, place: Path, photos: Path) -> None:
    save_photo(photos / ".hidden" / "x.png", 1)
    run(photos / ".hidden")
    run(photos)
    assert "x.png" in counts(place)


def test_names_that_are_no_valid_text_are_indexed(run: Run, place: Path, photos: Path) -> None:
    odd = os.fsdecode(bytes(photos / "a" / "0.png")[:-4] + b"\xff.png")
    (photos / "a" / "0.png").rename(odd)
    run()
    assert odd in contents(place)
    assert run(detector=unused_detector).unchanged == 4
    Path(odd).unlink()
    assert run().removed == 1


def test_a_run_that_is_asked_to_stop_stores_what_is_ready_and_the_next_goes_on(
    run: Run, place: Path, photos: Path
) -> None:
    asked = iter([False] * 5 + [True] * 100)
    summary = run(stop=lambda: next(asked))
    assert summary.interrupted
    stored = sum(counts(place).values())
    assert 0 < stored == summary.faces < 7
    assert not run().interrupted
    assert counts(place) == {"0.png": 1, "1.png": 2, "2.png": 1, "3.png": 3}


def test_a_stopped_run_removes_nothing(run: Run, place: Path, photos: Path) -> None:
    run()
    shutil.rmtree(photos / "a")
    assert run(stop=lambda: True).removed == 0
    assert len(contents(place)) == 4


def test_photographs_that_may_be_on_an_unplugged_disk_are_kept_until_the_user_says_so(
    run: Run, place: Path, photos: Path
) -> None:
    run()
    away = photos.parent / "away"
    (photos / "a").rename(away)
    (photos / "a").mkdir()  # what a disk that is not plugged in leaves behind
    summary = run()
    assert (summary.removed, summary.unplugged) == (0, {str(photos / "a"): 2})
    assert len(contents(place)) == 4
    (photos / "a").rmdir()
    away.rename(photos / "a")
    summary = run(detector=unused_detector)
    assert (summary.unchanged, summary.removed, summary.unplugged) == (4, 0, {})
    shutil.rmtree(photos)
    photos.mkdir()
    summary = run()
    assert (summary.removed, summary.unplugged) == (0, {str(photos): 4})
    assert forget(photos, collection=place) == (4, 7)
    assert run().unplugged == {}


def test_the_disks_of_a_system_are_told_from_deleted_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()
    assert unplugged(str(tmp_path / "deleted" / "deeper")) is None
    assert unplugged(str(tmp_path / "kept" / "deeper")) == str(tmp_path / "kept")
    disks = retrieval.scan._DISKS
    monkeypatch.setattr(retrieval.scan, "_DISKS", re.compile(re.escape(str(tmp_path))))
    assert unplugged(str(tmp_path / "camera" / "2024" / "may")) == str(tmp_path / "camera")
    (tmp_path / "camera" / "2025").mkdir(parents=True)
    assert unplugged(str(tmp_path / "camera" / "2024" / "may")) is None
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path / "kept")
    assert unplugged(str(tmp_path / "kept" / "deeper")) is None
    for folder in ("/mnt", "/media", "/media/me", "/run/media/me", "/Volumes", "/run/user/1000/gvfs"):
        assert disks.fullmatch(folder)
    for folder in ("/", "/home/me", "/media/me/camera", "/Volumes/camera", "/mnt/camera"):
        assert not disks.fullmatch(folder)


def test_a_missing_folder_that_is_known_is_told_what_can_be_done(run: Run, place: Path, photos: Path) -> None:
    run()
    shutil.rmtree(photos / "a")
    with pytest.raises(PhotoError, match=r"knows 2 photographs there.*anotheryou forget '?/.*/photos/a'?$"):
        run(photos / "b", photos / "a")
    assert len(contents(place)) == 4
    assert count_known(photos / "a", collection=place) == (2, 3)
    assert forget(photos / "a", collection=place) == (2, 3)
    with pytest.raises(PhotoError, match=r"there is no such file or folder$"):
        run(photos / "a")


def test_a_folder_that_moved_as_a_whole_keeps_its_faces(run: Run, place: Path, photos: Path) -> None:
    run()
    before = contents(place)
    elsewhere = photos.parent / "elsewhere"
    photos.rename(elsewhere)
    summary = run(elsewhere, detector=unused_detector)
    assert (summary.moved, summary.read, summary.faces) == (4, 0, 0)
    assert contents(place) == {
        path.replace(str(photos), str(elsewhere)): crops for path, crops in before.items()
    }


def test_forgotten_photographs_can_be_taken_back_below_a_folder(run: Run, place: Path, photos: Path) -> None:
    run()
    before = contents(place)
    forget(photos / "a", collection=place)
    forget(photos / "b" / "2.png", collection=place)
    (photos / "a" / "0.png").rename(photos / "a" / "renamed.png")
    assert run(include_forgotten=False).forgotten == 2  # and one that was moved meanwhile
    forget(photos / "a", collection=place)
    summary = run(photos / "a", include_forgotten=True)
    assert (summary.forgotten, summary.read, summary.faces) == (0, 2, 3)
    assert set(counts(place)) == {"renamed.png", "1.png", "3.png"}
    (photos / "b" / "2.png").rename(photos / "b" / "moved.png")
    assert run(photos / "b", include_forgotten=True).faces == 1
    assert sorted(counts(place).values()) == sorted(len(crops) for crops in before.values())


def test_a_photograph_deleted_while_it_waits_is_not_an_error(
    run: Run, place: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    save_photo(photos / "a" / "0.png", 50, faces=2)
    original = Scan.__iter__

    def vanishing(self: Scan) -> object:
        for found in original(self):
            (photos / "a" / "0.png").unlink(missing_ok=True)
            yield found

    monkeypatch.setattr(Scan, "__iter__", vanishing)
    monkeypatch.setattr(Scan, "count", lambda self: 4)
    summary = run()
    assert (summary.skipped, summary.removed) == (0, 1)
    assert set(counts(place)) == {"1.png", "2.png", "3.png"}


def test_indexing_while_another_process_writes_says_so(run: Run, place: Path) -> None:
    run()
    with CollectionWriter(place), pytest.raises(CollectionLockedError):
        run()


def test_other_weights_are_refused_until_the_collection_is_made_again(run: Run, place: Path) -> None:
    run()
    other = fake_engine(OTHER, "other")
    with pytest.raises(CollectionWeightsError, match="anotheryou reindex"):
        run(engine=other)
    before = contents(place)
    assert reindex(collection=place, engine=other).faces == 7
    assert contents(place) == before
    assert run(engine=other).unchanged == 4
    with pytest.raises(CollectionWeightsError):
        run()


def test_reindexing_gives_what_indexing_gives(run: Run, place: Path, photos: Path, tmp_path: Path) -> None:
    other = fake_engine(OTHER, "other")
    run()
    reindex(collection=place, engine=other)
    fresh = tmp_path / "fresh"
    run(at=fresh, engine=other)
    assert vectors(place) == vectors(fresh)


def vectors(place: Path) -> list[tuple[str, bytes, bytes]]:
    with CollectionWriter(place) as writer, writer.transaction() as connection:
        return [
            (path, crop, vector)
            for path, crop, vector in connection.exec_driver_sql(
                "SELECT path, crop, vector FROM vectors JOIN crops ON crops.id = vectors.id "
                "JOIN faces ON faces.id = face_id JOIN photos ON photos.id = photo_id ORDER BY path, faces.id"
            )
        ]


def test_reindexing_with_another_crop_reads_the_photographs_again(
    run: Run, place: Path, photos: Path, tmp_path: Path
) -> None:
    run()
    (photos / "a" / "1.png").unlink()
    save_photo(photos / "b" / "2.png", 60, faces=2)
    larger = fake_engine(OTHER, "larger", 12)
    summary = reindex(collection=place, engine=larger)
    assert (summary.faces, summary.lost) == (4, 2)
    again = run(engine=larger)
    assert (again.faces, again.removed) == (2, 1)
    fresh = tmp_path / "fresh"
    run(at=fresh, engine=larger)
    assert vectors(place) == vectors(fresh)


def test_an_interrupted_reindex_leaves_the_old_vectors_and_goes_on(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.reindexing._FACES", 3)
    run()
    before = vectors(place)
    other = fake_engine(OTHER, "other")
    asked = iter([False, True])
    assert reindex(collection=place, engine=other, stop=lambda: next(asked)).interrupted
    assert run().unchanged == 4
    assert sum(counts(place).values()) == 7
    assert reindex(collection=place, engine=other).faces == 4
    assert [row[:2] for row in vectors(place)] == [row[:2] for row in before]
    assert vectors(place) != before


def test_a_forgotten_photograph_leaves_no_trace_and_stays_out(run: Run, place: Path, photos: Path) -> None:
    run()
    crop = contents(place)[str(photos / "b" / "2.png")][0]
    assert any(crop in file.read_bytes() for file in place.rglob("*.*"))
    assert forget(photos / "b" / "2.png", collection=place) == (1, 1)
    assert not any(crop in file.read_bytes() for file in place.rglob("*.*"))
    summary = run()
    assert (summary.forgotten, summary.faces) == (1, 0)
    assert "2.png" not in counts(place)
    assert run(photos / "b" / "2.png").faces == 1


def test_a_folder_can_be_forgotten_and_what_is_unknown_is_named(run: Run, place: Path, photos: Path) -> None:
    run()
    shutil.rmtree(photos / "a")
    assert forget(photos / "a", collection=place) == (2, 3)
    assert run().removed == 0
    with pytest.raises(CollectionError, match="no photograph"):
        forget(photos / "nowhere", collection=place)


def test_a_run_notes_what_queries_look_at(run: Run, place: Path, photos: Path) -> None:
    run()
    with CollectionWriter(place) as writer:
        known = writer.layout
        before = {name: value for name, value in known.description.items() if name != "importance"}
        writer.remember_layout(replace(known, description=before))
        assert "importance" not in writer.layout.description
        assert (writer.layout.importance == 1).all()
    save_photo(photos / "new.png", 90)
    run()
    with CollectionWriter(place) as writer:
        assert writer.layout == known


def test_long_runs_bring_the_vectors_in_line_now_and_then(
    run: Run, place: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_REFRESHED", 3)
    monkeypatch.setattr(indexing, "_FACES", 1)
    seen = []
    refresh = CollectionWriter.refresh_vectors

    def counted(self: CollectionWriter, *args: Any, **options: Any) -> bool:
        done = refresh(self, *args, **options)
        seen.append(len(FaissStore(place)))
        return done

    monkeypatch.setattr(CollectionWriter, "refresh_vectors", counted)
    run()
    assert len(seen) >= 3 and seen == sorted(seen) and seen[-1] == 7


def test_opening_a_collection_mends_its_vector_file_unless_somebody_writes(run: Run, place: Path) -> None:
    run()
    shutil.rmtree(place / "vectors")
    with CollectionWriter(place), open_collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.store_kind is None
        assert len(snapshot) == 7
    with open_collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.in_line


def test_the_work_in_flight_is_bounded(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        save_photo(photos / "many" / f"{number}.png", number)
    monkeypatch.setattr("retrieval.indexing._FACES", 10)
    waiting: list[int] = []
    original = CollectionWriter.store

    def watched(self: CollectionWriter, stored: list[object], *rest: object) -> None:
        waiting.append(len(stored))
        original(self, stored, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CollectionWriter, "store", watched)
    run()
    assert len(waiting) > 4
    assert max(waiting) <= 10


def test_reindexing_for_more_wishes_keeps_crops_and_describes_nobody_again(
    run: Run, place: Path, tmp_path: Path
) -> None:
    run()
    before = contents(place)
    more = fake_engine(OTHER, vocabularies=(POSE, ACCESSORY), identity=ForbiddenIdentity())
    summary = reindex(collection=place, engine=more)
    assert (summary.faces, summary.lost, summary.coarse) == (7, 0, 0)
    assert contents(place) == before
    fresh = tmp_path / "fresh"
    run(at=fresh, engine=fake_engine(OTHER, vocabularies=(POSE, ACCESSORY)))
    assert vectors(place) == vectors(fresh)


def test_another_identity_is_seen_on_the_photographs_and_keeps_the_crops(
    run: Run, place: Path, tmp_path: Path
) -> None:
    run(engine=fake_engine(identity=None))
    before = contents(place)
    for number, digest in enumerate(("cafe", "beef")):
        other = fake_engine(identity=FakeIdentity("another", digest))
        summary = reindex(collection=place, engine=other)
        assert (summary.faces, summary.lost, summary.coarse) == (7, 0, 0)
        assert contents(place) == before
        run(at=tmp_path / f"fresh{number}", engine=other)
        assert vectors(place) == vectors(tmp_path / f"fresh{number}")
    nobody = fake_engine(identity=None)
    assert reindex(collection=place, engine=nobody).faces == 7
    run(at=tmp_path / "without", engine=nobody)
    assert vectors(place) == vectors(tmp_path / "without")


def test_who_is_on_photographs_that_are_gone_is_seen_on_their_crops(
    run: Run, place: Path, photos: Path
) -> None:
    run(engine=fake_engine(identity=None))
    before = contents(place)
    shutil.rmtree(photos / "a")
    save_photo(photos / "b" / "2.png", 60)  # another photograph now
    summary = reindex(collection=place, engine=fake_engine())
    assert (summary.faces, summary.lost, summary.coarse) == (7, 0, 4)
    assert contents(place) == before
    with Collection(place) as collection, collection.snapshot() as snapshot:
        described = snapshot.vectors(range(1, 8))[:, :48].astype(np.float32)
    assert np.linalg.norm(described, axis=1) == pytest.approx(1, abs=1e-2)


def test_a_collection_of_an_older_version_is_brought_over_by_one_reindex(
    run: Run, place: Path, photos: Path, tmp_path: Path
) -> None:
    old_collection(place, 6)
    with sqlite3.connect(place / "catalog.sqlite") as database:
        database.execute("UPDATE encodings SET eye_y = 0.3")  # cropped as today
    database.close()
    with pytest.raises(CollectionWeightsError, match=r"older version .*`anotheryou reindex`"):
        open_collection(place)
    with pytest.raises(CollectionWeightsError, match=r"older version .*`anotheryou reindex`"):
        run()
    engine = fake_engine(side=32)
    summary = reindex(collection=place, engine=engine)
    assert (summary.faces, summary.lost, summary.coarse) == (6, 0, 6)
    with Collection(place) as collection, collection.snapshot() as snapshot:
        kept = snapshot.summary()
        assert (kept.photos, kept.skipped, kept.forgotten, kept.faces) == (3, 1, 1, 6)
        assert [face.crop.tobytes() for face in snapshot.faces([1, 2])] == [
            old_crop(face).tobytes() for face in (1, 2)
        ]
        assert snapshot.layout == engine.layout
    detector = partial(FakeDetector, "yunet")
    assert run(engine=engine, detector=detector).faces == 7
