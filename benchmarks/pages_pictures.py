"""Take the pictures of docs/pages.md: from the first start to the photograph, as somebody new would go.

    python benchmarks/pages_pictures.py [--out docs/images]

A browser clicks its way through a server that has no collection yet: a folder, the first faces, a wish, the
photograph; then the same on a phone in the dark.  Prints how long each step took.  Needs a browser, see
tests/browsers.py.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "tests"))

from browsers import browser_path, serving  # noqa: E402

from cli.console import print_table  # noqa: E402
from cli.guard import run_script  # noqa: E402

_DESKTOP = ViewportSize(width=1280, height=800)
_PHONE = ViewportSize(width=390, height=844)
_QUALITY = 86


@dataclass
class Film:
    """The pictures taken so far, and when."""

    out: Path
    began: float = field(default_factory=time.monotonic)
    steps: list[tuple[str, float]] = field(default_factory=list)

    def take(self, page: Page, name: str, what: str) -> None:
        """Take a picture of what the page shows, once all of it is there."""
        self.steps.append((what, time.monotonic() - self.began))
        while not page.evaluate(
            "[...document.images].every((one) => one.complete || one.loading === 'lazy')"
        ):
            page.wait_for_timeout(50)
        page.wait_for_timeout(400)  # for what fades in
        taken = self.out / f"{name}.png"
        page.screenshot(path=taken)
        with Image.open(taken) as picture:
            picture.convert("RGB").save(taken.with_suffix(".jpg"), quality=_QUALITY, optimize=True)
        taken.unlink()


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=_ROOT / "docs" / "images", help="folder of the pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="me-") as folder, sync_playwright() as playwright:
        # A folder whose path anybody could have, since the pictures show it.
        album = Path(shutil.copytree(_ROOT / "demo" / "album", Path(folder) / "Pictures"))
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=browser_path(), args=arguments)
        film = Film(options.out)
        with serving(Path(folder) / "collection") as address:
            page = browser.new_context(viewport=_DESKTOP).new_page()
            page.goto(address)
            walk(page, film, album)
            phone = browser.new_context(
                viewport=_PHONE, device_scale_factor=2, color_scheme="dark", is_mobile=True, has_touch=True
            ).new_page()
            phone.goto(address)
            phone.locator(".faces a").nth(5).click()
            turn(phone, 30)
            film.take(phone, "pages-phone", "the same on a phone, in the dark")
        browser.close()
    print_table(
        ["step", "after"], [[what, f"{seconds:.0f} s"] for what, seconds in film.steps], right={"after"}
    )


def walk(page: Page, film: Film, album: Path) -> None:
    """Go from the first start to a photograph of the album."""
    film.take(page, "pages-1-start", "first start")
    page.get_by_label("A folder on this machine").fill(str(album))
    page.get_by_role("button", name="Look for faces").click()
    expect(page.locator("#new-faces li").nth(5)).to_be_attached(timeout=60_000)
    film.take(page, "pages-2-faces", "the first faces")
    expect(page.locator("#indexing")).to_have_attribute("data-status", "done", timeout=120_000)
    page.get_by_role("link", name="Begin to search").click()
    film.take(page, "pages-3-search", "whom to look for")
    page.get_by_role("link", name="People").click()
    page.locator("#persons input[name=name]").first.fill("Mei")
    page.locator("#persons input[name=name]").first.press("Enter")
    expect(page.get_by_text("with a name,")).to_contain_text("1 with a name")
    film.take(page, "pages-4-people", "a name")
    page.get_by_role("link", name="Search").click()
    page.set_input_files("#picture", _ROOT / "demo" / "query.jpg")
    expect(page.locator("#answer-title")).to_be_visible()
    turn(page, -30)
    film.take(page, "pages-5-wish", "a wish: the head turned")
    page.locator(".hit a").first.click()
    film.take(page, "pages-6-photograph", "the photograph")
    page.get_by_role("link", name="Library").click()
    film.take(page, "pages-7-library", "all photographs")


def turn(page: Page, angle: int) -> None:
    """Turn the head of the dial and wait for the hits."""
    expect(page.locator("#head .strip")).to_be_attached()
    page.get_by_role("slider").fill(str(angle))
    expect(page.locator("#words")).to_contain_text("turned")


if __name__ == "__main__":
    sys.exit(run_script(main))
