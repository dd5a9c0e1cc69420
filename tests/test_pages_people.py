"""Who is who, on the pages and under /api: named, asked, taken apart and back again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages_made import indexed, served
from starlette.testclient import TestClient


@pytest.fixture
def client(made: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A fresh copy for each test, since what is said stays."""

    shutil.copytree(made, tmp_path / "collection")
    with served(tmp_path / "collection") as client:
        yield client


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return indexed(tmp_path_factory.mktemp("served"))


def groups(client: TestClient, **asked: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get("/api/people", params=asked).json()["people"]
    return found


def say(client: TestClient, kind: str, **said: object) -> None:
    answer = client.post("/api/people", json={"kind": kind, **said})
    assert answer.status_code == 200, answer.text


def test_groups_are_listed_with_their_faces(client: TestClient) -> None:
    told = client.get("/api/people").json()
    assert (told["named"], told["undoable"], told["next"]) == (0, "", None)
    assert sum(one["count"] for one in told["people"]) + told["alone"] == 8
    largest = told["people"][0]
    assert largest["count"] == len(largest["faces"]) and largest["label"] == f"#{largest['id']}"
    whole = client.get(f"/api/people/{largest['faces'][-1]['id']}").json()
    assert whole["id"] == largest["id"]
    assert client.get(largest["faces"][0]["image"]).headers["content-type"] == "image/jpeg"
    assert client.get("/api/people/999").status_code == 404


def test_a_name_is_shown_wherever_the_face_is(client: TestClient) -> None:
    chloe = next(one for one in groups(client) if one["count"] == 3)
    say(client, "name", group=chloe["id"], name="Chloë & Söhne")
    told = client.get("/api/people").json()
    assert told["people"][0]["name"] == "Chloë & Söhne"
    assert told["undoable"] == "3 faces show Chloë & Söhne"
    photo = chloe["faces"][0]["photo"]  # type: ignore[index]
    assert client.get(f"/api/photos/{photo}").json()["faces"][0]["name"] == "Chloë & Söhne"
    assert "Chloë &amp; Söhne" in client.get(f"/photo/{photo}").text
    start = client.get("/").text
    assert "/?person=Chlo%C3%AB%20%26%20S%C3%B6hne" in start
    page = client.get("/", params={"person": "Chloë & Söhne", "wish-pose": "-30"})
    assert page.status_code == 200 and '<h1 id="answer-title">Chloë &amp; Söhne' in page.text
    answer = client.get("/api/search", params={"person": "Chloë & Söhne", "k": 3}).json()
    assert {hit["face"] for hit in answer["hits"]} == {one["id"] for one in chloe["faces"]}  # type: ignore[attr-defined]
    drawn = client.get(answer["drawing"])
    assert drawn.headers["content-type"] == "image/jpeg"
    others = client.get("/api/search", params={"person": "Chloë & Söhne", "without": "Chloë & Söhne"}).json()
    assert not {hit["face"] for hit in others["hits"]} & {one["id"] for one in chloe["faces"]}  # type: ignore[attr-defined]
    assert others["filtered"] == "without Chloë & Söhne"


def test_everything_that_is_said_can_be_taken_back(client: TestClient) -> None:
    before = groups(client)
    one, other = before[0], before[1]
    say(client, "merge", group=one["id"], other=other["id"])
    assert groups(client)[0]["count"] == one["count"] + other["count"]  # type: ignore[operator]
    say(client, "undo")
    say(client, "apart", group=one["id"], other=other["id"])
    say(client, "split", group=one["id"], faces=[one["faces"][-1]["id"]])  # type: ignore[index]
    say(client, "undo")
    say(client, "undo")
    say(client, "name", group=one["id"], name="Ann")
    say(client, "reject", faces=[one["faces"][0]["id"]], name="Ann")  # type: ignore[index]
    say(client, "confirm", faces=[one["faces"][0]["id"]], name="Ann")  # type: ignore[index]
    say(client, "merge", group=other["id"], name="Ann")
    say(client, "hide", group=one["id"])
    assert "Ann" not in {each["name"] for each in groups(client)}
    assert "Ann" in {each["name"] for each in groups(client, hidden=1)}
    say(client, "show", group=one["id"])
    say(client, "no-face", faces=[one["faces"][0]["id"]])  # type: ignore[index]
    photo = one["faces"][0]["photo"]  # type: ignore[index]
    assert len(client.get(f"/api/photos/{photo}").json()["faces"]) == 0
    for _ in range(7):
        say(client, "undo")
    assert groups(client) == before
    assert client.post("/api/people", json={"kind": "undo"}).status_code == 400


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"kind": "name", "group": 1, "name": " "}, "is no name"),
        ({"kind": "name", "group": 999, "name": "Ann"}, "no group with face 999"),
        ({"kind": "name", "name": "Ann"}, "no group with face None"),
        ({"kind": "sing"}, "people can be told: name, merge"),
        ({"kind": "reject", "faces": [1], "name": "Eve"}, "nobody here is called"),
        ({"kind": "no-face", "faces": []}, "no face was named"),
        ({"kind": "split", "group": 1, "faces": [999]}, "there is no face 999"),
        ({"kind": "undo"}, "nothing has been said"),
    ],
)
def test_what_cannot_be_said_is_one_sentence(client: TestClient, said: dict[str, object], told: str) -> None:
    answer = client.post("/api/people", json=said)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    page = client.post("/people", data={key: value for key, value in said.items() if key != "faces"})
    assert page.status_code == 400


def test_forms_say_it_without_a_script_and_lead_nowhere_else(client: TestClient) -> None:
    one = groups(client)[0]
    said = {"kind": "name", "group": one["id"], "name": "Ann", "back": f"/people/{one['id']}"}
    answer = client.post("/people", data=said)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/people/{one['id']}")
    assert "Ann" in client.get(f"/people/{one['id']}").text
    for back in ("https://elsewhere.example/people", "//elsewhere.example", "/library"):
        answer = client.post("/people", data={"kind": "undo", "back": back})
        assert answer.headers.get("location", "/people") == "/people"
    assert client.get("/people", params={"alone": 1}).status_code == 200


def test_a_face_can_be_drawn(client: TestClient) -> None:
    photo = groups(client)[0]["faces"][0]["photo"]  # type: ignore[index]
    known = client.get(f"/api/photos/{photo}").json()["faces"][0]
    again = client.post(f"/api/photos/{photo}/faces", json={"box": known["box"]})
    assert again.status_code == 400 and "already" in again.json()["detail"]
    say(client, "no-face", faces=[known["id"]])
    drawn = client.post(f"/api/photos/{photo}/faces", json={"box": known["box"]}).json()
    assert drawn["id"] == known["id"]
    assert client.post(f"/api/photos/{photo}/faces", json={"box": [1, 2, 3]}).status_code == 422
    assert client.post(f"/api/photos/{photo}/faces", json={"box": [0, 0, 9e9, 10]}).status_code == 400
    assert client.post("/api/photos/999/faces", json={"box": known["box"]}).status_code == 422


def test_nobody_but_the_session_says_anything(made: Path) -> None:
    with served(made, signed_in=False) as stranger:
        assert stranger.post("/api/people", json={"kind": "undo"}).status_code == 401
        assert stranger.get("/people").status_code == 401
    with served(made) as client:
        foreign = client.post("/api/people", json={"kind": "undo"}, headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
