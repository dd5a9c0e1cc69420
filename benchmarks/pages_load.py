"""How fast the pages answer: alone, and 20 browsers at once for a minute; with how much memory.

    python benchmarks/pages_load.py [--faces 20000] [--photographs 60000] [--browsers 20] [--seconds 60]

The server runs in a process of its own, as `anotheryou serve`, and is asked over HTTP.  Each browser asks for
what people look at, one thing after the other and without a pause to think: the first page, a search with a
wish, the drawings of the dial, the pictures of the best hits, a photograph, pieces of the library.  The
collection is made up, but for the photographs of the demo's album; its people are those of rendered-mini.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import numpy as np
from playwright.sync_api import sync_playwright

from cli.console import print_table
from cli.guard import run_script
from facedata.labelled import read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.types import Box, Landmarks
from index import CollectionWriter, FaceVector, NewFace, NewPhoto, Status
from retrieval.identity import unit_length
from retrieval.indexing import index_folders
from retrieval.loading import load_engine

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "tests"))

from browsers import browser_path  # noqa: E402

_ALBUM = _ROOT / "demo" / "album"
_PLACE = Box(100, 100, 300, 300), Landmarks((160, 170), (240, 170), (200, 220)), 1.0
_YEARS = 10  # that the made-up photographs are spread over
_HOUR_NS = 3600 * 10**9
_STORED = 500  # photographs stored at a time
_TIMES = 30  # that each thing is asked for alone
_HITS = 8  # whose pictures a browser shows before anybody scrolls

_SCROLL = """async () => {
    const frames = [];
    let tiles = 0;
    for (let screen = 0; screen < 300; screen++) {
        const begun = performance.now();
        scrollBy(0, innerHeight);
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - begun);
        tiles = Math.max(tiles, document.querySelectorAll(".tile").length);
    }
    return [frames, tiles];
}"""

Seconds = dict[str, list[float]]


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=int, default=20_000, help="faces of the collection")
    parser.add_argument("--photographs", type=int, default=60_000, help="photographs of the collection")
    parser.add_argument("--browsers", type=int, default=20, help="browsers at once")
    parser.add_argument("--seconds", type=float, default=60, help="how long they ask")
    parser.add_argument("--scroll", action="store_true", help="scroll the library in a browser as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "collection"
        make_collection(place, options.faces, options.photographs)
        command = [sys.executable, "-m", "cli.main", "serve", "--port", "0", "--collection", str(place)]
        begun = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
            try:
                address = (server.stdout.readline() if server.stdout else "").removeprefix("open ").strip()
                rows = asyncio.run(measured(address, server.pid, begun, options))
                if options.scroll:
                    rows += scrolled(address)
            finally:
                server.terminate()
    print_table(["what", "median", "95 % within", "asked"], rows, right={"median", "95 % within", "asked"})


def make_collection(place: Path, faces: int, photographs: int) -> None:
    """Index the album and add made-up faces, two to a photograph, and photographs without any."""
    engine, rng = load_engine(), np.random.default_rng(0)
    index_folders([_ALBUM], collection=place, engine=engine)
    crops = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry()).crops[:512]
    known = engine.embed(crops, unit_length(rng.normal(size=(512, 128))))
    step = _YEARS * 365 * 24 * _HOUR_NS // photographs
    with CollectionWriter(place) as writer:
        for start in range(0, photographs, _STORED):
            made = []
            for number in range(start, min(start + _STORED, photographs)):
                shown: tuple[NewFace, ...] = ()
                if 2 * number < faces:
                    these = rng.integers(512, size=2)
                    vectors = known[these] + rng.normal(0, 0.02, (2, known.shape[1])).astype(np.float32)
                    shown = tuple(
                        NewFace(*_PLACE, FaceVector(crops[one], vector))
                        for one, vector in zip(these, vectors, strict=True)
                    )
                path = f"/benchmark/{number // 1000:03}/{number:06}.jpg"
                file = path, 3_000_000 + number, 10**18 + number * step, f"{number:064x}"
                made.append(NewPhoto(*file, Status.OK, width=4000, height=3000, faces=shown))
            writer.store(made)
        writer.refresh_vectors()


async def measured(
    address: str, server: int, begun: float, options: argparse.Namespace
) -> list[list[object]]:
    """Ask for each thing alone, then for all by many at once."""
    alone: Seconds = defaultdict(list)
    async with browser(address) as client:
        await timed(client, "/", alone, "first page, the server just started")
        ready = time.perf_counter() - begun
        await timed(client, "/?face=1&wish-pose=-30", alone, "first search, the server just started")
        faces = await some_faces(client, options.faces)
        pieces = (await client.get("/api/pieces")).json()
        for _ in range(_TIMES):
            face, piece = random.choice(faces), random.choice(pieces)
            await timed(client, "/", alone, "first page")
            await timed(client, f"/?face={face}&wish-pose=-30", alone, "page of a search with a wish")
            await timed(client, f"/api/search?face={face}", alone, "search")
            await timed(client, f"/api/search?face={face}&wish=pose=-30", alone, "search with a wish")
            await timed(client, strip(face), alone, "nine drawings")
            await timed(client, "/library", alone, "library")
            await timed(client, "/api/pieces", alone, "library: where all pieces begin")
            await timed(client, f"/api/photos?start={piece['start']}", alone, "library: one piece")
            await timed(client, "/api/folders", alone, "folders")
    before = memory(server)
    together: Seconds = defaultdict(list)
    wrong: list[str] = []
    until = time.perf_counter() + options.seconds
    peak = asyncio.create_task(watched(server, until))
    crowd = (look(address, faces, pieces, until, together, wrong) for _ in range(options.browsers))
    await asyncio.gather(*crowd)
    every = [one for some in together.values() for one in some]
    rows = [line(what, some) for what, some in alone.items()]
    rows.append([f"{options.browsers} browsers at once for {options.seconds:g} s", "", "", ""])
    rows += [line(f"  {what}", some) for what, some in together.items()]
    rows.append(line("  all of it", every))
    rows.append(["  errors", len(wrong), "", ""])
    rows += [[f"    {what}", "", "", ""] for what in sorted(set(wrong))[:5]]
    rows.append(["start until the first page", f"{ready:.1f} s", "", ""])
    rows.append(["memory before, and the most meanwhile", f"{before:,.0f} MB", f"{await peak:,.0f} MB", ""])
    return rows


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Ask as a browser does, which keeps its cookie and its connection."""
    base, _, query = address.partition("/?")
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        await client.get(f"/?{query}")
        yield client


async def timed(client: httpx.AsyncClient, path: str, seconds: Seconds, what: str) -> httpx.Response:
    """Ask once and note how long the whole answer took; raises httpx.HTTPError if it is an error."""
    begun = time.perf_counter()
    answer = await client.get(path)
    seconds[what].append(time.perf_counter() - begun)
    answer.raise_for_status()
    return answer


async def some_faces(client: httpx.AsyncClient, count: int) -> list[int]:
    """Give faces from all over the collection, half of them of photographs that are there."""
    newest = (await client.get("/api/faces/newest?count=100")).json()
    return [*range(1, 101), *(face["id"] for face in newest)][: max(2, count)]


def strip(face: int) -> str:
    """Give the address of the dial's drawings."""
    return f"/api/drawing?face={face}&vary=pose&values=-60,-45,-30,-15,0,15,30,45,60"


async def look(
    address: str,
    faces: list[int],
    pieces: list[dict[str, str]],
    until: float,
    seconds: Seconds,
    wrong: list[str],
) -> None:
    """Look at one thing after the other, as one browser does."""
    dice, photo = random.Random(len(seconds)), 1

    async def asked(path: str, what: str) -> httpx.Response | None:
        try:
            return await timed(client, path, seconds, what)
        except httpx.HTTPError as error:
            wrong.append(f"{type(error).__name__}: {error}"[:100])
            return None

    async with browser(address) as client:
        while time.perf_counter() < until:
            face, angle = dice.choice(faces), dice.randrange(-60, 61, 5)
            await asked("/", "first page")
            found = await asked(f"/api/search?face={face}&wish=pose={angle}", "search with a wish")
            await asked(strip(face), "nine drawings")
            for hit in found.json()["hits"][:_HITS] if found is not None else ():
                await asked(hit["image"], "picture of a face")
                photo = hit["photo"]
            await asked(f"/photo/{photo}", "photograph")
            await asked(f"/api/photos?start={dice.choice(pieces)['start']}", "library: one piece")


async def watched(server: int, until: float) -> float:
    """Give the most memory that the server has until a time, MB."""
    most = 0.0
    while time.perf_counter() < until:
        most = max(most, memory(server))
        await asyncio.sleep(0.5)
    return most


def scrolled(address: str) -> list[list[object]]:
    """Scroll through the library in a browser, a screen with each picture it draws, then to its end."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        page = playwright.chromium.launch(executable_path=browser_path(), args=arguments).new_page()
        page.goto(address)
        page.goto(address.partition("/?")[0] + "/library")
        page.wait_for_load_state("networkidle")
        frames, tiles = page.evaluate(_SCROLL)
        begun = time.perf_counter()
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.locator(".piece").last.locator(".tile img").last.wait_for()
        ended = time.perf_counter() - begun
    rows = [line("scrolling, from one picture of the screen to the next", [one / 1000 for one in frames])]
    rows.append(["  photographs that the page holds at most", f"{tiles:,}", "", ""])
    rows.append(["  to the last photograph", f"{1000 * ended:,.0f} ms", "", ""])
    return rows


def memory(process: int) -> float:
    """Give the memory of a process that is its own and resident, MB (Linux alone tells)."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return float("nan")
    fields = dict(one.split(":", 1) for one in status.read_text(encoding="ascii").splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def line(what: str, seconds: list[float]) -> list[object]:
    """Put durations together."""
    worst = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return [
        what,
        f"{1000 * statistics.median(seconds):,.0f} ms",
        f"{1000 * worst:,.0f} ms",
        f"{len(seconds):,}",
    ]


if __name__ == "__main__":
    sys.exit(run_script(main))
