"""What was tried against the pages, and the answer to each; docs/pages.md lists the same."""

from __future__ import annotations

import io
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY
from pages_made import HOST, indexed, served
from PIL import Image
from starlette.testclient import TestClient

from faces.errors import AnotherYouError
from pages.access import Access, Throttle, read_password
from pages.guard import LARGEST_PICTURE
from pages.serving import serve
from retrieval.indexing import index_folders

ADDRESSES = ["/", "/library", "/photo/1", "/people", "/api/state", "/api/photos", "/api/faces/1/image"]
ADDRESSES += ["/api/photos/1/file", "/api/openapi.json", "/api/search?face=1", "/api/indexing/events"]
ADDRESSES += ["/people/1", "/api/people", "/api/people/questions", "/api/people/1"]
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return indexed(tmp_path_factory.mktemp("served"))


@pytest.fixture
def client(collection: Path) -> Iterator[TestClient]:
    with served(collection) as client:
        yield client


# No token


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_token_nothing_is_told(collection: Path, address: str) -> None:
    with served(collection, signed_in=False) as stranger:
        for answer in (
            stranger.get(address),
            stranger.get(address, headers={"Cookie": "anotheryou-8391=guessed"}),
            stranger.get(address, params={"token": "guessed"}),
        ):
            assert answer.status_code == 401
            assert "anotheryou serve" in answer.text


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_never_get(collection: Path) -> None:
    with served(collection, signed_in=False) as stranger:
        token = stranger.app.access.token  # type: ignore[attr-defined]
        answer = stranger.get(f"/photo/1?token={token}&face=2")
        assert (answer.status_code, answer.headers["location"]) == (303, "/photo/1?face=2")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert token not in cookie
        assert stranger.get("/photo/1").status_code == 200


def test_the_token_leads_to_no_other_machine(collection: Path) -> None:
    with served(collection, signed_in=False) as stranger:
        token = stranger.app.access.token  # type: ignore[attr-defined]
        answer = stranger.get(f"http://{HOST}//evil.example/?token={token}")
        assert answer.headers["location"] == "/evil.example/"


# Foreign Origin


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("address", ["/api/indexing/stop", "/api/pictures", "/library/index", "/pictures"])
def test_another_site_changes_nothing(client: TestClient, headers: dict[str, str], address: str) -> None:
    answer = client.post(address, headers=headers, content=b"{}")
    assert (answer.status_code, "another site" in answer.text) == (403, True)


def test_another_site_reads_nothing_and_frames_nothing(client: TestClient) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/api/faces/1/image", headers=foreign).status_code == 403
    headers = client.get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_the_own_pages_change_what_they_may(client: TestClient) -> None:
    own = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/indexing/stop", headers=own).status_code == 200


# DNS rebinding


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8391", "127.0.0.1.evil.example", "192.168.1.20:8391", "", "[::2]"]
)
def test_a_name_made_to_lead_here_is_not_served(client: TestClient, host: str) -> None:
    answer = client.get("/api/state", headers={"Host": host})
    assert (answer.status_code, "not the server's own" in answer.text) == (403, True)


@pytest.mark.parametrize("host", ["localhost:8391", "127.0.0.1:9000", "[::1]:8391"])
def test_the_names_of_this_machine_are(client: TestClient, host: str) -> None:
    assert client.get("/api/state", headers={"Host": host}).status_code == 200


def test_beyond_this_machine_only_numbers_and_the_own_name_are() -> None:
    access = Access("0.0.0.0", 8391, PASSWORD)
    assert access.names("192.168.1.20:8391")
    assert access.names("[fe80::1]:8391")
    assert not access.names("evil.example:8391")


# Path tricks


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/",
        "/api/photos/..%2f1/image",
        "/api/photos/%2fetc%2fpasswd/file",
        "/api/photos/1/image?size=../../etc/passwd",
        "/api/photos/99999/file",
        "/api/faces/99999/image",
    ],
)
def test_no_path_from_outside_is_opened(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
    assert "create_app" not in answer.text


def test_a_folder_is_only_compared_never_opened(client: TestClient) -> None:
    assert client.get("/api/photos", params={"below": "/etc"}).json()["photographs"] == []
    answer = client.get("/api/search", params={"face": 1, "below": "/etc"})
    assert (answer.status_code, "no faces in /etc" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    "folder", ["", "Pictures", "../..", "/", "/proc", "/proc/self/fd", "/sys", "/dev", "/no/such", "a\0b"]
)
def test_only_whole_paths_of_real_folders_are_indexed(client: TestClient, folder: str) -> None:
    answer = client.post("/api/indexing", json={"folders": [folder]})
    assert answer.status_code == 422
    assert client.get("/api/indexing").json()["status"] == "idle"


def test_a_link_to_the_system_is_followed_before_it_is_judged(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/proc")
    answer = client.post("/api/indexing", json={"folders": [str(tmp_path / "innocent")]})
    assert (answer.status_code, "belongs to the system" in answer.json()["detail"]) == (422, True)


def test_folders_are_named_on_the_machine_itself_only(collection: Path, tmp_path: Path) -> None:
    with served(collection, address="192.168.1.30") as elsewhere:
        for address, form in (("/api/indexing", None), ("/library/index", {"folder": str(tmp_path)})):
            answer = elsewhere.post(
                address, json={"folders": [str(tmp_path)]} if form is None else None, data=form
            )
            assert (answer.status_code, "machine itself" in answer.text) == (403, True)


def test_a_photograph_comes_as_a_file_whatever_is_in_it(client: TestClient) -> None:
    answer = client.get("/api/photos/1/file")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


# Huge uploads


def test_what_says_that_it_is_huge_is_not_read(client: TestClient) -> None:
    answer = client.post("/api/pictures", headers={"Content-Length": str(LARGEST_PICTURE + 1)}, content=b"")
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/api/pictures", "image/jpeg"),
        ("/pictures", "multipart/form-data; boundary=x"),
        ("/sign-in", "application/x-www-form-urlencoded"),
        ("/api/indexing", "application/json"),
    ],
)
def test_what_does_not_say_so_is_cut_off(client: TestClient, address: str, kind: str) -> None:
    much = (b"a" * (1 << 20) for _ in range(2 * LARGEST_PICTURE >> 20))
    answer = client.post(address, content=much, headers={"Content-Type": kind})
    assert (answer.status_code, "KB are not taken" in answer.text) == (413, True)


@pytest.mark.parametrize("length", ["-1", "many", "1e9"])
def test_a_length_that_is_none_is_refused(client: TestClient, length: str) -> None:
    assert client.post("/api/pictures", headers={"Content-Length": length}, content=b"x").status_code == 413


def test_only_the_last_pictures_are_kept(client: TestClient, collection: Path) -> None:
    content = next((collection.parent / "photographs").rglob("*.jpg")).read_bytes()
    names = [client.post("/api/pictures", content=content).json()["picture"] for _ in range(34)]
    assert client.get("/api/search", params={"picture": names[-1]}).status_code == 200
    gone = client.get("/api/search", params={"picture": names[0]})
    assert (gone.status_code, "choose it again" in gone.json()["detail"]) == (404, True)


# Hostile pictures


def bomb() -> bytes:
    """A PNG of some kilobytes that says it is 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100_000))


def cut_off() -> bytes:
    content = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(content, "JPEG")
    return content.getvalue()[:2000]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "file is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) run\n", "not a picture"),
        (b"GIF89a\x40\0\x40\0\0\0\0,", "damaged"),
        (bomb(), "too large"),
        (cut_off(), "the end of the file is missing"),
        (b"\xff\xd8\xff" + b"\0" * 5000, "picture"),
    ],
    ids=["empty", "svg", "eps", "gif", "bomb", "cut off", "zeros"],
)
@pytest.mark.parametrize("by", ["script", "form"])
def test_a_hostile_picture_is_one_clear_sentence(
    client: TestClient, content: bytes, why: str, by: str
) -> None:
    if by == "script":
        answer = client.post("/api/pictures", content=content)
        assert list(answer.json()) == ["detail"]
    else:
        answer = client.post("/pictures", files={"picture": ("a.jpg", content, "image/jpeg")})
    assert answer.status_code == 422
    assert why in answer.text
    assert client.get("/api/state").status_code == 200


def test_a_picture_without_a_face_is_told(client: TestClient) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (200, 200), "grey").save(grey, "PNG")
    answer = client.post("/api/pictures", content=grey.getvalue())
    assert (answer.status_code, "no face was found" in answer.json()["detail"]) == (422, True)


def test_names_and_paths_are_text_never_markup(tmp_path: Path) -> None:
    source = indexed(tmp_path / "made").parent / "photographs"
    odd = source / "<script>alert(1)<" / "a'\"><img src=x onerror=alert(1)>.jpg"
    odd.parent.mkdir()
    (source / "one" / "amara_pose0_kitchen.jpg").rename(odd)
    index_folders([source], collection=tmp_path / "made" / "collection", workers=0)
    with served(tmp_path / "made" / "collection") as client:
        photos = client.get("/api/photos").json()["photographs"]
        number = next(photo["id"] for photo in photos if "onerror" in photo["name"])
        for address in (f"/photo/{number}", "/library", "/library/folders", "/?face=1"):
            text = client.get(address).text
            assert "<script>alert" not in text
            assert "<img src=x" not in text


# Wrong passwords


def test_wrong_passwords_have_to_wait_longer_and_longer(collection: Path) -> None:
    with served(collection, signed_in=False, address="192.168.1.30", password=PASSWORD) as stranger:
        assert stranger.get("/").headers["location"] == "/sign-in"
        assert stranger.get("/api/state").status_code == 401
        own = {"Origin": f"http://{HOST}"}
        assert stranger.post("/sign-in", data={"password": "wrong"}, headers=own).status_code == 403
        waiting = stranger.post("/sign-in", data={"password": PASSWORD}, headers=own)
        assert (waiting.status_code, waiting.headers["retry-after"]) == (429, "1")
        now = [time.monotonic()]
        throttle = stranger.app.access.throttle  # type: ignore[attr-defined]
        throttle.clock = lambda: now[0]
        delays = []
        for _ in range(12):
            now[0] += 1000
            assert stranger.post("/sign-in", data={"password": "wrong"}, headers=own).status_code == 403
            answer = stranger.post("/sign-in", data={"password": "wrong"}, headers=own)
            delays.append(int(answer.headers["retry-after"]))
        assert delays == sorted(delays)
        assert delays[-1] == 300
        now[0] += 1000
        answer = stranger.post("/sign-in", data={"password": PASSWORD}, headers=own)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert stranger.get("/api/state").status_code == 200
        assert stranger.post("/sign-out", headers=own).status_code == 303
        assert stranger.get("/api/state").status_code == 401


def test_a_copied_cookie_is_nothing_after_signing_out(collection: Path) -> None:
    with served(collection, signed_in=False, password=PASSWORD) as one:
        answer = one.post("/sign-in", data={"password": PASSWORD})
        copied = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert one.get("/api/state", headers=copied).status_code == 200
        one.post("/sign-out")
        one.cookies.clear()
        assert one.get("/api/state", headers=copied).status_code == 401


def test_others_need_not_wait_for_whoever_guesses() -> None:
    throttle = Throttle(clock=lambda: 0.0)
    for _ in range(5):
        throttle.failed("10.0.0.1")
    assert (throttle.wait("10.0.0.1"), throttle.wait("10.0.0.2")) == (8.0, 0.0)
    for number in range(20_000):
        throttle.failed(str(number))
    assert len(throttle._failures) == 10_000


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [("long enough\n", 0o644, "chmod 600"), ("short\n", 0o600, "8 or more"), ("", 0o600, "8 or more")],
)
def test_a_password_that_is_none_is_refused(tmp_path: Path, content: str, mode: int, why: str) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(AnotherYouError, match=why):
        read_password(file)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::"])
def test_beyond_this_machine_a_password_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(AnotherYouError, match="--password-file"):
        serve(tmp_path, host=host, port=0)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AnotherYouError, match=f"{port} cannot be used .*another --port"):
            serve(tmp_path, port=port)


# What every answer says


@pytest.mark.parametrize("address", ["/", "/static/style.css", "/api/state", "/nothing", "/api/nothing"])
def test_every_answer_forbids_what_pages_do_not_need(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in [
        *(REPOSITORY / "pages" / "templates").iterdir(),
        *(REPOSITORY / "pages" / "static").iterdir(),
    ]:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, file
        assert "https://" not in text, file
        assert " style=" not in text, file
        assert "onclick" not in text, file


def test_nothing_is_told_to_anybody(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI would send traces to whatever these variables name."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with served(collection) as client:
        assert client.get("/").status_code == 200
        told = client.app.app._telemetry  # type: ignore[attr-defined]
        assert not any(told[kind] for kind in ("tracing", "metrics", "logs", "auto_configure"))


def test_a_missing_extra_is_one_plain_line() -> None:
    from cli.guard import plain_sentence

    error = ModuleNotFoundError("No module named 'fastapi'", name="fastapi")
    assert "anotheryou[serve]" in (plain_sentence(error) or "")
