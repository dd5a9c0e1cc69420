"""The pages and /api, asked without a browser."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY
from pages_made import ALBUM, NAMES, indexed, listed, served
from PIL import Image
from starlette.testclient import TestClient

from faces.types import Box
from index import Collection, CollectionWriter, Thumbnails
from pages import pictures
from pages.asking import said_of, seems_of
from retrieval.editing import edit
from retrieval.finder import Finder
from retrieval.forgetting import forget
from retrieval.reindexing import reindex


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return indexed(tmp_path_factory.mktemp("served"))


@pytest.fixture
def client(collection: Path) -> Iterator[TestClient]:
    with served(collection) as client:
        yield client


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"])


def a_face(client: TestClient, name: str) -> int:
    """The largest face of a photograph, by the file's name."""
    photos = client.get("/api/photos").json()["photographs"]
    number = next(photo["id"] for photo in photos if photo["name"] == name)
    face: int = client.get(f"/api/photos/{number}").json()["faces"][0]["id"]
    return face


# Searching


def test_an_answer_is_that_of_the_finder(client: TestClient, collection: Path) -> None:
    face = a_face(client, "amara_pose0_kitchen.jpg")
    told = client.get("/api/search", params={"face": face, "wish": "pose=-30", "k": 5}).json()
    with Finder(collection) as finder:
        path = collection.parent / "photographs" / "one" / "amara_pose0_kitchen.jpg"
        answer = finder.search(path, wish={"pose": -30}, k=5)
    assert [hit["face"] for hit in told["hits"]] == [hit.face_id for hit in answer.hits]
    assert told["hits"][0]["name"] == "amara_pose-30_library.jpg"
    assert told["hits"][0]["probability"] == pytest.approx(answer.hits[0].probability, abs=1e-6)
    assert (told["words"], told["drawn"], told["probable"]) == (
        "turned 30° to the left",
        ["pose"],
        answer.probable,
    )


def test_a_new_picture_is_searched_with_as_often_as_wished(client: TestClient) -> None:
    content = (REPOSITORY / "demo" / "query.jpg").read_bytes()
    told = client.post("/api/pictures", content=content).json()
    assert len(told["faces"]) == 1
    assert picture(client.get(told["faces"][0]["image"]).content).width > 32
    for wish, first in (("pose=-30", "chloe_pose-30_street.jpg"), ("pose=30", "chloe_pose+30_street.jpg")):
        asked = {"picture": told["picture"], "wish": wish}
        hits = client.get("/api/search", params=asked).json()["hits"]
        assert hits[0]["name"] == first


def test_a_picture_that_the_collection_has_is_known(client: TestClient) -> None:
    content = (ALBUM / "amara-and-kofi_garden.jpg").read_bytes()
    told = client.post("/api/pictures", content=content).json()
    assert len(told["faces"]) == 2
    for face in told["faces"]:
        found = client.get("/api/search", params={"picture": told["picture"], "number": face["number"]})
        assert "amara-and-kofi_garden.jpg" not in [hit["name"] for hit in found.json()["hits"]]
    beyond = client.get("/api/search", params={"picture": told["picture"], "number": 3})
    assert (beyond.status_code, "no face 3" in beyond.json()["detail"]) == (404, True)


def test_the_face_is_drawn_at_every_angle_side_by_side(client: TestClient) -> None:
    face = a_face(client, "amara_pose0_kitchen.jpg")
    asked: dict[str, Any] = {"face": face, "vary": "pose", "values": "-45,0,+45", "side": 64}
    strip = picture(client.get("/api/drawing", params=asked).content)
    assert strip.size == (192, 64)
    drawn = np.split(np.asarray(strip.convert("L"), np.float32), 3, axis=1)
    assert np.abs(drawn[0] - drawn[2]).mean() > 10
    edited = edit(ALBUM / "amara_pose0_kitchen.jpg", {"pose": "all"})
    assert edited.detailed is not None
    for one, value in zip(drawn, ("-45", "0", "+45"), strict=True):
        expected = Image.fromarray(edited.detailed[edited.values.index(value)]).convert("L").resize((64, 64))
        assert np.abs(one - np.asarray(expected, np.float32)).mean() < 6
    alone = client.get("/api/drawing", params={"face": face, "wish": "pose=-45", "side": 64})
    assert np.abs(np.asarray(picture(alone.content).convert("L"), np.float32) - drawn[0]).mean() < 4


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ({"wish": "pose=-30"}, 404, "choose a face first"),
        ({"face": "99999"}, 404, "no face 99999"),
        ({"face": "1", "wish": "pose=upwards"}, 400, "no pose 'upwards'"),
        ({"face": "1", "wish": "nose=long"}, 400, "Nothing here knows 'nose'"),
        ({"face": "1", "wish": "long"}, 400, "NAME=VALUE"),
        ({"face": "one"}, 422, "face"),
        ({"face": "1", "k": "0"}, 422, "k"),
        ({"picture": "gone"}, 404, "choose it again"),
    ],
)
def test_a_question_that_is_none_gets_one_sentence(
    client: TestClient, asked: dict[str, str], status: int, why: str
) -> None:
    answer = client.get("/api/search", params=asked)
    assert list(answer.json()) == ["detail"]
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.json()


@pytest.mark.parametrize("values", [",".join(["0"] * 17), "0,upwards"])
def test_only_some_drawings_of_known_values_are_made_at_once(client: TestClient, values: str) -> None:
    answer = client.get("/api/drawing", params={"face": 1, "vary": "pose", "values": values})
    assert answer.status_code == 400


def test_what_can_be_wished_for_is_listed_with_what_is_drawn(client: TestClient) -> None:
    attributes = {one["name"]: one for one in client.get("/api/state").json()["attributes"]}
    assert (attributes["pose"]["smallest"], attributes["pose"]["largest"]) == (-60, 60)
    drawn = {one["label"]: one["drawn"] for one in attributes["accessory"]["values"]}
    assert (drawn["sunglasses"], drawn["mask"]) == (True, False)
    assert all(one["drawn"] for one in attributes["light"]["values"] + attributes["expression"]["values"])
    assert not attributes["tilt"]["drawn"]


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("pose", "-30", "turned 30° to the left"),
        ("pose", "0", "facing the camera"),
        ("accessory", "glasses-3", "with sunglasses"),
        ("accessory", "none", "without hat or glasses"),
        ("light", "left", "lit from the left"),
        ("expression", "smile", "smiling"),
        ("beard", "full", "beard full"),
    ],
)
def test_wishes_are_said_as_people_say_them(name: str, word: str, said: str) -> None:
    assert said_of(name, word) == said


def test_what_a_face_seems_to_show_leaves_out_the_usual() -> None:
    usual = {"light": "even", "accessory": "none", "tilt": "level", "expression": "neutral"}
    assert seems_of({"pose": "-31", **usual}) == "31° left"
    assert seems_of({"pose": "+3", **usual}) == "frontal"
    assert seems_of({"pose": "+15", **usual, "accessory": "glasses-1"}) == "15° right, round glasses"
    assert seems_of({"pose": "+15"}) == "15° right"
    assert seems_of(usual) == ""


def test_a_collection_that_is_made_again_meanwhile_is_searched_as_it_is_then(tmp_path: Path) -> None:
    place = indexed(tmp_path)
    with served(place) as client:
        face = a_face(client, "chloe_pose0_window.jpg")
        asked: dict[str, Any] = {"face": face, "wish": "pose=-30"}
        before = client.get("/api/search", params=asked).json()
        assert len(client.get("/api/state").json()["attributes"]) == 5
        reindex(collection=place, classifier="none")
        after = client.get("/api/search", params=asked).json()
        assert after["hits"][0]["face"] == before["hits"][0]["face"]
        assert len(client.get("/api/state").json()["attributes"]) == 2


# Pages without a script


def test_every_page_works_without_a_script(client: TestClient) -> None:
    face = a_face(client, "amara_pose0_kitchen.jpg")
    assert "Whom are you looking for?" in client.get("/").text
    text = client.get("/", params={"face": face, "wish-pose": "-30", "wish-accessory": ""}).text
    assert text.index("amara_pose-30_library.jpg") < text.index("less likely than not")
    content = (REPOSITORY / "demo" / "query.jpg").read_bytes()
    answer = client.post("/pictures", files={"picture": ("me.jpg", content, "image/jpeg")})
    assert answer.status_code == 303
    assert "chloe_pose0_window.jpg" in client.get(answer.headers["location"]).text
    found = client.get("/api/photos").json()["photographs"]
    number = next(photo["id"] for photo in found if photo["name"] == "amara-and-kofi_garden.jpg")
    opened = client.get(f"/photo/{number}")
    assert opened.text.count('class="box') == 2
    assert opened.text.count("Others of this person") == 2


def test_a_wrong_wish_is_told_on_the_page(client: TestClient) -> None:
    answer = client.get("/", params={"face": 1, "wish-pose": "upwards"})
    assert (answer.status_code, "no pose" in answer.text) == (400, True)


@pytest.mark.parametrize("address", ["/photo/99999", "/photo/x", "/nothing"])
def test_what_is_not_there_is_a_page_that_says_so(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (404, 422)
    assert "That did not work" in answer.text


# Pictures


def test_small_pictures_are_made_once_and_kept_by_browsers(client: TestClient, collection: Path) -> None:
    photos = client.get("/api/photos").json()["photographs"]
    kept = Thumbnails(collection)
    for photo in photos[:2]:
        answer = client.get(photo["image"])
        assert min(picture(answer.content).size) <= pictures.SIZES["small"]
        assert kept.read(photo["id"], "small") == answer.content
        assert "immutable" in answer.headers["cache-control"]
        again = client.get(photo["image"], headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_face_without_its_photograph_is_shown_from_the_crop(tmp_path: Path) -> None:
    place = indexed(tmp_path)
    with served(place) as client:
        face = a_face(client, "amara_pose0_kitchen.jpg")
        (tmp_path / "photographs" / "one" / "amara_pose0_kitchen.jpg").unlink()
        assert picture(client.get(f"/api/faces/{face}/image").content).width == pictures.FACE_SIDE
        hits = client.get("/api/search", params={"face": face, "wish": "pose=30"}).json()["hits"]
        assert hits[0]["name"] == "amara_pose+30_kitchen.jpg"
        assert client.get("/api/drawing", params={"face": face, "wish": "pose=30"}).status_code == 200
        photo = client.get("/api/photos").json()["photographs"]
        number = next(one["id"] for one in photo if one["name"] == "amara_pose0_kitchen.jpg")
        assert not client.get(f"/api/photos/{number}").json()["exists"]
        assert client.get(f"/api/photos/{number}/file").status_code == 404


def test_nothing_is_kept_of_what_is_forgotten(tmp_path: Path) -> None:
    place = indexed(tmp_path)
    with served(place) as client:
        photos = client.get("/api/photos").json()["photographs"]
        for photo in photos:
            client.get(photo["image"])
        assert len([*Thumbnails(place).folder.rglob("*.jpg")]) == len(photos)
        forget(tmp_path / "photographs" / "one", collection=place)
        gone = {photo["id"] for photo in photos if photo["folder"].endswith("one")}
        left = {int(file.name.partition("-")[0]) for file in Thumbnails(place).folder.rglob("*.jpg")}
        assert left == {photo["id"] for photo in photos} - gone
        assert client.get(photos[0]["image"]).status_code == (404 if photos[0]["id"] in gone else 200)
        assert all(client.get(f"/api/photos/{number}/image").status_code == 404 for number in gone)


def test_the_cache_of_small_pictures_is_bounded(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path, most_bytes=10_000)
    for number in range(100):
        kept.write(number, "small", b"x" * 500)
        assert sum(file.stat().st_size for file in kept.folder.rglob("*.jpg")) <= 10_000
    assert kept.read(99, "small") == b"x" * 500
    assert kept.read(0, "small") is None
    kept.drop([99])
    assert kept.read(99, "small") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("in the way")
    kept = Thumbnails(tmp_path)
    kept.write(1, "small", b"x")
    assert kept.read(1, "small") is None


@pytest.mark.parametrize("size", [(4000, 3000), (300, 5000), (20, 10)])
def test_photographs_of_any_shape_become_small(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.jpg")
    for name, side in pictures.SIZES.items():
        made = picture(pictures.photograph(tmp_path / "a.jpg", name))
        assert max(made.size) <= pictures.SIZES["large"]
        assert made.width / made.height == pytest.approx(size[0] / size[1], rel=0.05)
        assert (min if name == "small" else max)(made.size) <= side


def test_a_face_at_the_edge_is_within_its_square(tmp_path: Path) -> None:
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[:600, 3500:] = (0, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    made = picture(pictures.face_of_file(tmp_path / "a.jpg", Box(3500, 0, 4000, 600), 4000, 3000))
    green = np.asarray(made)[:, :, 1] > 128
    side = 2.4 * 600
    assert made.size == (pictures.FACE_SIDE,) * 2
    assert green.mean() == pytest.approx(500 * 600 / side**2, rel=0.05)
    assert green[0, -1]


# The library


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return listed(tmp_path_factory.mktemp("many") / "collection", 1003)


def test_the_list_of_photographs_has_each_once_the_newest_first(many: Path) -> None:
    with Collection(many) as collection, collection.snapshot() as snapshot:
        listing = snapshot.listing()
        for below, count in ((None, 1003), ("/photos/3", 143)):
            found, start = [], None
            pieces = listing.pieces(50, below=below)
            for piece in pieces:
                some = listing.photos(51, start=piece.start, below=below)
                assert len(some) >= piece.count
                assert start is None or (some[0].mtime_ns, some[0].id) == start
                start = (some[50].mtime_ns, some[50].id) if len(some) > 50 else None
                found += some[: piece.count]
            assert start is None
            assert len(found) == listing.count(below=below) == count
            order = [(photo.mtime_ns, photo.id) for photo in found]
            assert order == sorted(set(order), reverse=True)


def test_folders_and_faces_of_the_list(many: Path) -> None:
    with Collection(many) as collection, collection.snapshot() as snapshot:
        listing = snapshot.listing()
        folders = listing.folders()
        assert list(folders) == [f"/photos/{number}" for number in range(7)]
        assert sum(folders.values()) == 1003
        assert listing.newest_faces(3) == [1003, 1002, 1001]
        spread = listing.faces_from_all_over(10)
        assert len(spread) == 10
        assert max(np.diff(spread)) <= 101


def test_the_library_is_read_page_by_page(many: Path) -> None:
    with served(many) as client:
        seen: list[int] = []
        address: str | None = ""
        while address is not None:
            told = client.get("/api/photos", params={"start": address, "count": 120}).json()
            seen += [photo["id"] for photo in told["photographs"]]
            address = told["next"]
        assert len(seen) == len(set(seen)) == 1003
        pieces = client.get("/api/pieces").json()
        assert [piece["count"] for piece in pieces] == [120] * 8 + [43]
        assert pieces[0]["month"] == "January 1970"
        page = client.get("/library").text
        assert page.count('class="tile"') == 120
        assert "Older photographs" in page


def test_folders_and_what_was_not_read_are_told_with_reasons(client: TestClient) -> None:
    folders = client.get("/api/folders").json()
    assert [one["photographs"] for one in folders] == [4, 3]
    page = client.get("/library/folders").text
    assert folders[0]["path"] in page
    inside = client.get("/library", params={"below": folders[0]["path"]}).text
    assert inside.count('class="tile"') == 4
    skipped = client.get("/api/skipped").json()
    assert [one["reason"] for one in skipped["skipped"]] == ["damaged: the end of the file is missing"]
    assert "the end of the file is missing" in client.get("/library/skipped").text


# Indexing


def wait_for(client: TestClient, *status: str) -> dict[str, Any]:
    for _ in range(600):
        told: dict[str, Any] = client.get("/api/indexing").json()
        if told["status"] in status:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_the_first_page_asks_for_a_folder_and_indexes_it(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes((ALBUM / name).read_bytes())
    with served(tmp_path / "collection") as client:
        assert "Where are your photographs?" in client.get("/").text
        assert client.get("/library").status_code == 409
        assert client.post("/library/index", data={"folder": f" {folder} "}).status_code == 303
        again = client.post("/api/indexing", json={"folders": [str(folder)]})
        assert (again.status_code, "already" in again.json()["detail"]) == (400, True)
        told = wait_for(client, "done", "failed")
        assert (told["status"], told["message"]) == (
            "done",
            "8 photographs, 8 new faces, 1 could not be read",
        )
        assert told["total"] == told["done"] == 8
        assert "Whom are you looking for?" in client.get("/").text
        assert len(client.get("/api/faces/newest").json()) == 7


def test_indexing_is_paused_gone_on_with_and_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(400):
        Image.effect_noise((500, 400), 60 + number % 9).save(folder / f"{number}.png", compress_level=0)
    with served(tmp_path / "collection") as client:
        assert client.post("/api/indexing/resume").status_code == 400
        client.post("/api/indexing", json={"folders": [str(folder)]})
        for _ in range(600):
            if client.get("/api/indexing").json()["done"] > 3:
                break
            time.sleep(0.05)
        assert client.post("/api/indexing/pause").json()["status"] == "pausing"
        paused = wait_for(client, "paused")
        with Collection(tmp_path / "collection") as opened, opened.snapshot() as snapshot:
            read = snapshot.summary().photos
        assert 3 < read < 400
        assert client.post("/api/indexing/resume").json()["status"] == "running"
        assert client.get("/api/indexing").json()["folders"] == paused["folders"] == [str(folder)]
        for _ in range(600):
            if client.get("/api/indexing").json()["done"] > read:
                break
            time.sleep(0.05)
        client.post("/api/indexing/stop")
        wait_for(client, "done")
        with Collection(tmp_path / "collection") as opened, opened.snapshot() as snapshot:
            assert read < snapshot.summary().photos < 400
        assert client.post("/api/indexing/resume").status_code == 400


def test_indexing_ends_with_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(300):
        Image.effect_noise((500, 400), 60 + number % 9).save(folder / f"{number}.png", compress_level=0)
    with served(tmp_path / "collection") as client:
        client.post("/api/indexing", json={"folders": [str(folder)]})
        for _ in range(600):
            if client.get("/api/indexing").json()["done"] > 3:
                break
            time.sleep(0.05)
    with CollectionWriter(tmp_path / "collection"):  # nobody writes any more
        pass


def test_what_cannot_be_indexed_is_told(client: TestClient, collection: Path) -> None:
    folder = str(collection.parent / "photographs")
    with CollectionWriter(collection):
        client.post("/api/indexing", json={"folders": [folder]})
        told = wait_for(client, "failed", "done")
        assert (told["status"], "is writing to the collection" in told["message"]) == ("failed", True)


# What /api says of itself


def test_the_api_is_documented_to_the_last_answer(client: TestClient) -> None:
    told = client.get("/api/openapi.json").json()
    assert told["openapi"].startswith("3.")
    assert all(path.startswith("/api/") for path in told["paths"])
    for path, methods in told["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (method, path)
    for name, about in told["components"]["schemas"].items():
        assert about.get("description") or "Error" in name, name
