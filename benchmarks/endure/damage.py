"""Bytes of a collection's files changed, one at a time: repaired or told, and never a wrong answer."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from endure.processes import run
from endure.survey import Survey, survey
from faces.errors import AnotherYouError
from faces.progress import Progress, underway
from index import CollectionWriter
from index.sqlite import CATALOG

OUTCOMES = ("no difference", "made again", "told", "an earlier state", "wrong", "traceback")
_NO_DIFFERENCE, _MADE_AGAIN, _TOLD, _EARLIER, _WRONG, _TRACEBACK = range(len(OUTCOMES))
_FIRST = 100  # exit status of the first outcome
_FOOTER = struct.Struct("<II8s")  # at the end of a segment, see index/segment.py

Span = tuple[Path, int, int]
"""Bytes of a file, from the first up to but without the last."""


@dataclass
class Damages:
    """What became of changed bytes of one class."""

    what: str
    outcomes: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def damage(
    collection: Path,
    classes: dict[str, list[Span]],
    states: list[Survey],
    each: int,
    chance: random.Random,
    progress: Progress | None = None,
) -> Iterator[Damages]:
    """Change ``each`` bytes of every class of a collection's files, one at a time in a copy.

    ``states`` are what it may show: the newest first, then those of before.  A reader opens the copy, a
    writer does, and a reader again.
    """
    copy = collection.with_name("damaged")
    with underway(progress, "damage", each * len(classes), "bytes") as damaging:
        for what, spans in classes.items():
            found = Damages(what)
            for _ in range(each):
                path, start, end = chance.choices(spans, [end - start for _, start, end in spans])[0]
                place, change = chance.randrange(start, end), chance.randrange(1, 256)
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(collection, copy)  # with the files' times
                _change(copy / path, place, change)
                ended = run(partial(_report, copy, path, states))
                outcome = ended.status - _FIRST if ended.status >= _FIRST else _TRACEBACK
                found.outcomes[OUTCOMES[outcome]] += 1
                if outcome in (_WRONG, _TRACEBACK):
                    found.notes.append(f"{what}: {path} {place} ^ {change}: {ended.output.strip()[-1000:]}")
                damaging.advance()
            yield found
    shutil.rmtree(copy, ignore_errors=True)


def classes_of(collection: Path) -> dict[str, list[Span]]:
    """Sort the bytes of a collection's files by what they are."""
    classes = dict(_catalogue_classes(collection))
    for path in sorted(collection.rglob("*")):
        name = path.relative_to(collection)
        if path.suffix == ".faiss":
            for what, start, end in _segment_parts(path):
                classes.setdefault(f"vectors: {what}", []).append((name, start, end))
        elif path.name == "manifest.json":
            classes["vectors: manifest"] = [(name, 0, path.stat().st_size)]
        elif path.name == f"{CATALOG}-wal" and path.stat().st_size:
            classes["catalogue: log"] = [(name, 0, path.stat().st_size)]
    return {what: spans for what, spans in classes.items() if any(end > start for _, start, end in spans)}


def _catalogue_classes(collection: Path) -> Iterator[tuple[str, list[Span]]]:
    file = Path(CATALOG)
    yield "catalogue: header", [(file, 0, 100)]
    address = f"{(collection / CATALOG).absolute().as_uri()}?immutable=1"
    with sqlite3.connect(address, uri=True) as database:
        size = int(database.execute("PRAGMA page_size").fetchone()[0])
        count = int(database.execute("PRAGMA page_count").fetchone()[0])
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        pages = database.execute("SELECT name, pageno, pagetype, ncell FROM dbstat").fetchall()
    database.close()
    whole = (collection / CATALOG).read_bytes()
    structure: list[Span] = []
    content: dict[str, list[Span]] = {}
    for name, number, kind, cells in pages:
        start, end = (number - 1) * size, number * size
        if kind != "overflow":
            begin = start + (100 if number == 1 else 0)
            structure.append((file, begin, begin + (12 if kind == "internal" else 8) + 2 * cells))
            start += int.from_bytes(whole[begin + 5 : begin + 7])  # before it nothing is used
        what = f"rows of {name}" if name in tables else "schema" if name == "sqlite_schema" else "indexes"
        content.setdefault(what, []).append((file, start, end))
    yield "catalogue: structure of pages", structure
    for what, spans in sorted(content.items()):
        yield f"catalogue: {what}", spans
    used = {number for _, number, _, _ in pages}
    free = [(file, (n - 1) * size, n * size) for n in range(1, count + 1) if n not in used]
    yield "catalogue: free pages", free


def _segment_parts(path: Path) -> Iterator[tuple[str, int, int]]:
    """The parts of a segment: what, first byte, end."""
    data = path.read_bytes()
    _, length, _ = _FOOTER.unpack(data[-_FOOTER.size :])
    start = len(data) - _FOOTER.size - length
    footer = json.loads(data[start : start + length])
    body, count = footer["body"][0], footer["count"]
    vectors = body - 8 * count - 8 - 2 * count * -(-footer["dimension"] // 16) * 16
    yield "header", 0, vectors
    yield "vectors", vectors, body - 8 * count - 8
    yield "ids", body - 8 * count - 8, body
    yield "codes", body, start
    yield "footer", start, len(data)


def _change(path: Path, place: int, change: int) -> None:
    """Change a byte as a disk does that forgets: the file's times stay."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ change]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _report(copy: Path, changed: Path, states: list[Survey]) -> None:
    """End this process with what happened."""
    sys.exit(_FIRST + _try(copy, changed, states))


def _try(copy: Path, changed: Path, states: list[Survey]) -> int:
    """Read, write and read a damaged collection; the worst that happened."""
    worst = _read(copy, states)
    before = _bytes(copy / changed)
    try:
        with CollectionWriter(copy) as writer:
            writer.refresh_vectors()
    except AnotherYouError:
        worst = max(worst, _TOLD)
    after = _read(copy, states)
    if max(worst, after) == _NO_DIFFERENCE and changed.name != CATALOG and _bytes(copy / changed) != before:
        return _MADE_AGAIN
    return max(worst, after)


def _read(copy: Path, states: Iterable[Survey]) -> int:
    try:
        now = survey(copy)
    except AnotherYouError:
        return _TOLD
    newest, *earlier = states
    if now.equals(newest):
        return _NO_DIFFERENCE
    return _EARLIER if any(now.equals(state) for state in earlier) else _WRONG


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
