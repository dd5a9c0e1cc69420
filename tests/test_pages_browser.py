"""The pages in a real browser: drop, dial, keyboard, phone, dark, and axe's rules for who cannot see them."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import browser_path, serving
from conftest import REPOSITORY
from pages_made import ALBUM, NAMES, indexed, listed
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
CHLOE = "chloe_pose-30_street.jpg"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = browser_path()
    with sync_playwright() as playwright:
        # Its sandbox cannot be had by root, as whom tests run in a container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(indexed(tmp_path_factory.mktemp("served"))) as address:
        yield address


def opened(browser: Browser, address: str, path: str = "/", **options: Any) -> Page:
    """A page in a browser that has just been signed in; whatever it complains of fails the test."""
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}).new_page()
    page.on("pageerror", _raised)
    page.on("console", _told)
    page.goto(address)
    if path != "/":
        page.goto(address.partition("/?")[0] + path)
    return page


def _raised(error: Error) -> None:
    pytest.fail(f"the page raises {error}")


def _told(message: ConsoleMessage) -> None:
    if message.type == "error":
        pytest.fail(f"the page complains: {message.text}")


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = opened(browser, address)
    yield page
    page.context.close()


def drop(page: Page, file: Path) -> None:
    """Drop a file on the page, as the desktop does."""
    content = base64.b64encode(file.read_bytes()).decode()
    given = page.evaluate_handle(
        """async ([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
            const given = new DataTransfer();
            given.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return given;
        }""",
        [content, file.name],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": given})


def first_hit(page: Page) -> str:
    return page.locator(".hit .name").first.inner_text()


def test_a_dropped_picture_is_searched_with_and_the_head_turns_when_dragged(page: Page) -> None:
    drop(page, REPOSITORY / "demo" / "query.jpg")
    expect(page.locator("h1")).to_have_text("This person")
    head = page.locator("#head")
    box = head.bounding_box()
    assert box is not None
    expect(page.locator("#head .strip")).to_be_attached()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60, steps=8)
    page.mouse.up()
    expect(page.locator(".dial output")).to_have_text("30° left")
    expect(page.locator("#words")).to_have_text(", turned 30° to the left")
    expect(page.locator(".hit .name").first).to_have_text(CHLOE)
    assert "wish-pose=-30" in page.url
    moved = page.locator("#head .strip").evaluate("one => one.style.transform")
    assert moved.startswith("translateX(-22.2")  # the third of nine drawings
    page.get_by_label("Any way").click()
    expect(page.locator("#words")).to_have_text("")


def test_what_no_picture_shows_is_said(page: Page) -> None:
    page.goto(page.url + "?face=1")
    expect(page.locator(".worn .mini img").first).to_be_visible()
    counts = {"accessory": 8, "light": 7, "expression": 6}  # as it is, and the values that are drawn
    for name, count in counts.items():
        expect(page.locator(f"[data-name={name}] .mini")).to_have_count(count)
    page.get_by_label("sunglasses").check()
    expect(page.locator("#remarks")).to_contain_text("no face here seems to show accessory sunglasses")
    expect(page.locator("#hits li")).to_have_count(0)
    expect(page.locator("#line")).to_be_visible()


def test_a_folder_keeps_the_answer_to_it(page: Page) -> None:
    page.goto(page.url + "?face=1")
    page.get_by_text("Where to look").click()
    field = page.get_by_label("Folder, and all that is in it")
    field.focus()
    expect(page.locator("#folders option")).to_have_count(2)
    folder = page.locator("#folders option").nth(1).get_attribute("value") or ""
    field.fill(folder)
    field.blur()
    expect(page.locator("#filter")).to_have_text(f"in {folder}")
    expect(page.locator(".hit")).to_have_count(3)


def test_what_goes_wrong_is_told_where_it_was_asked(browser: Browser, address: str) -> None:
    page = browser.new_context().new_page()  # a browser complains of an answer that says no
    page.goto(address)
    drop(page, ALBUM / "nobody_sunset.jpg")
    expect(page.get_by_role("alert")).to_contain_text("no face was found")
    page.set_input_files("#picture", REPOSITORY / "README.md")
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    page.goto(page.url + "?face=1")
    page.get_by_text("Where to look").click()
    page.get_by_label("Folder, and all that is in it").fill("/no/such")
    page.keyboard.press("Tab")
    expect(page.locator("#remarks")).to_contain_text("no faces in /no/such")
    page.context.close()


def test_a_hit_leads_to_its_photograph_and_from_there_to_others(page: Page) -> None:
    page.goto(page.url + "?face=1")
    page.locator(".hit a").first.click()
    expect(page.locator(".box.chosen")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    name = page.locator("h1").inner_text()
    assert download.value.suggested_filename == name
    assert Path(download.value.path()).read_bytes() == (ALBUM / name).read_bytes()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy path").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith(f"/{name}")
    page.get_by_role("link", name="Others of this person").first.click()
    expect(page.locator("h1")).to_have_text("This person")


def test_keys_alone_are_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):  # past the button that chooses a picture, to the first face
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.faces') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("This person")
    slider = page.get_by_role("slider")
    for _ in range(12):
        page.keyboard.press("Tab")
        if slider.evaluate("one => one === document.activeElement"):
            break
    expect(slider).to_be_focused()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#words")).to_have_text(", turned 30° to the right")
    page.keyboard.press("Tab")  # any way
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#words")).to_contain_text("without hat or glasses")
    outline = page.evaluate(
        "getComputedStyle(document.activeElement.parentElement.querySelector('span')).outlineStyle"
    )
    assert outline == "solid"


PAGES = [
    "/",
    "/?face=1&wish-pose=30",
    "/photo/1",
    "/people",
    "/people/1",
    "/library",
    "/library/folders",
    "/library/skipped",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_everything_without_scrolling_sideways(
    browser: Browser, address: str, path: str
) -> None:
    page = opened(browser, address, path, **PHONE)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, nav a, summary, input[type=range]")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 36)
            .map((one) => one.outerHTML)"""
    )
    assert small == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_whoever_sees_little_or_nothing_can_use_it(
    browser: Browser, address: str, path: str, scheme: str
) -> None:
    page = opened(browser, address, path, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    red, *_ = page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g)")
    assert (int(red) < 60) == (scheme == "dark")
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 15
    page.context.close()


def test_people_are_named_with_the_keyboard_and_joined_and_taken_back(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(indexed(tmp_path)) as address:
        page = opened(browser, address, "/people")
        fields = page.locator("#persons input[name=name]")
        named, count = page.get_by_text("with a name,"), fields.count()
        assert count >= 2
        fields.first.fill("Anna")
        fields.first.press("Enter")
        expect(named).to_contain_text("1 with a name")
        expect(fields.nth(1)).to_be_focused()  # the next one is due
        page.keyboard.type("Anna")
        page.keyboard.press("Enter")
        expect(fields).to_have_count(count - 1)  # the same name joins both
        expect(page.locator("#undoable")).to_contain_text("show Anna")
        page.get_by_role("heading", name="People").click()
        page.keyboard.press("u")
        expect(fields).to_have_count(count)
        fields.nth(1).fill("Ben")
        page.get_by_role("heading", name="People").click()  # leaving a field says it too
        expect(named).to_contain_text("2 with a name")
        page.locator("#persons a").first.click()
        expect(page.locator("h1")).to_have_text("Anna")
        faces = page.locator(".chosen-faces li")
        before = faces.count()
        page.get_by_role("checkbox").first.check()
        page.get_by_role("button", name="are another person").click()
        expect(faces).to_have_count(before - 1)
        page.get_by_role("button", name="Undo").click()
        expect(faces).to_have_count(before)
        page.get_by_role("link", name="Search for Anna").click()
        expect(page.locator("h1")).to_have_text("Anna")
        page.locator(".hit a").first.click()
        expect(page.locator(".in-photo")).to_contain_text("Anna")
        page.context.close()


def test_a_face_is_drawn_with_the_mouse(browser: Browser, tmp_path: Path) -> None:
    with serving(indexed(tmp_path)) as address:
        page, base = opened(browser, address), address.partition("/?")[0]
        photos = page.request.get(f"{base}/api/photos").json()["photographs"]
        photo = next(one["id"] for one in photos if one["name"] == "chloe_pose0_window.jpg")
        (face,) = page.request.get(f"{base}/api/photos/{photo}").json()["faces"]
        page.goto(f"{base}/people/{face['id']}")
        page.locator(f"input[name=face][value='{face['id']}']").check()
        page.get_by_role("button", name="are no faces").click()
        expect(page.locator("#undoable")).to_have_text("1 find is no face")
        page.goto(f"{base}/photo/{photo}")
        expect(page.get_by_text("No face was found here.")).to_be_visible()
        page.get_by_role("button", name="Draw a face").click()
        view = page.locator("#view").bounding_box()
        assert view is not None
        # Around where the album's people have their faces.
        page.mouse.move(view["x"] + 0.3 * view["width"], view["y"] + 0.28 * view["height"])
        page.mouse.down()
        page.mouse.move(view["x"] + 0.7 * view["width"], view["y"] + 0.64 * view["height"], steps=6)
        page.mouse.up()
        expect(page.locator("#undoable")).to_have_text("a face was drawn")
        page.context.close()


def test_a_long_library_holds_only_what_is_near(browser: Browser, tmp_path: Path) -> None:
    with serving(listed(tmp_path / "collection", 1003)) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        page.goto(address)
        page.goto(address.partition("/?")[0] + "/library")
        expect(page.locator(".piece")).to_have_count(9)
        expect(page.locator("#more")).to_have_count(0)
        height = page.evaluate("document.documentElement.scrollHeight")
        seen = set()
        for top in range(0, height + 600, 600):
            page.evaluate(f"scrollTo(0, {top})")
            page.wait_for_timeout(150)
            tiles = page.locator(".tile").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
            assert len(tiles) <= 5 * 120
            seen.update(tiles)
        assert len(seen) == 1003
        assert page.evaluate("document.documentElement.scrollHeight") == pytest.approx(height, abs=4)
        page.context.close()


def test_a_first_start_shows_faces_while_it_still_reads(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes((ALBUM / name).read_bytes())
    with serving(tmp_path / "collection") as address:
        page = browser.new_context().new_page()
        page.goto(address)
        page.get_by_label("A folder on this machine").fill(str(folder / "nothing"))
        page.get_by_role("button", name="Look for faces").click()
        expect(page.locator("#folder-problem")).to_contain_text("there is no such folder")
        page.get_by_label("A folder on this machine").fill(str(folder))
        page.get_by_role("button", name="Look for faces").click()
        expect(page.locator("#new-faces li")).to_have_count(7, timeout=30_000)
        expect(page.get_by_role("status")).to_contain_text("8 photographs", timeout=30_000)
        page.get_by_role("link", name="Begin to search").click()
        expect(page.locator("h1")).to_have_text("Whom are you looking for?")
        page.context.close()
