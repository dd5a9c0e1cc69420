"""What a collection goes through: kills, a full disk, changed bytes, two writers, bad pictures.

    python benchmarks/endurance.py [--kills 200] [--bytes 40] [--pictures 1000] [--only PART ...]

Runs the real commands on small pictures of the demo's album, in processes that can be killed, and compares
what comes of it with a collection that nothing happened to.  Batches are smaller than usual, so that there is
something between them, and few vectors have short codes as well.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from hashlib import sha256
from io import StringIO
from pathlib import Path

from endure.damage import OUTCOMES, Damages, classes_of, damage
from endure.kills import Command, Tally, kill
from endure.pictures import black, hostile
from endure.processes import run
from endure.room import NoDiskError, fill, readers, two_writers
from endure.survey import Survey, survey
from PIL import Image, ImageEnhance

from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from faces.errors import DataError
from index import CollectionWriter

_ROOT = Path(__file__).resolve().parent.parent
_ALBUM = sorted((_ROOT / "demo" / "album").glob("*_pose*.jpg"))
_PARTS = ("pictures", "kills", "disk", "together", "bytes")
_PHOTOGRAPHS = 12  # in the folder that is indexed and killed
_WEIGHTS = (("rotation-32", "accessories-32"), ("rotation-32",))  # a reindex goes from one to the other


class Folder:
    """A folder of photographs that changes from round to round, the same for the same seed."""

    def __init__(self, path: Path, count: int, chance: random.Random) -> None:
        self.path, self._chance = path, chance
        path.mkdir()
        for number in range(count):
            self._save(number)

    def change(self, _round: int) -> None:
        """Replace some photographs, delete one and give another one another name."""
        present = sorted(self.path.iterdir())
        for path in self._chance.sample(present, 4):
            self._save(int(path.stem.split("-")[0]))
        gone, moved = self._chance.sample(sorted(self.path.iterdir()), 2)
        gone.unlink()
        moved.rename(moved.with_stem(f"{moved.stem}-{self._chance.randrange(10**6)}"))
        self._save(self._chance.randrange(len(_ALBUM)))

    def contents(self) -> list[tuple[Path, str]]:
        """Give each photograph with the SHA-256 of its file."""
        return [(path, sha256(path.read_bytes()).hexdigest()) for path in self.path.iterdir()]

    def _save(self, number: int) -> None:
        with Image.open(_ALBUM[number]) as image:
            image.thumbnail((180, 180))
            brighter = ImageEnhance.Brightness(image.convert("RGB")).enhance(self._chance.uniform(0.7, 1.3))
        brighter.save(self.path / f"{number:03}.jpg", quality=95)


def anotheryou(*words: str | Path, workers: int = 0) -> None:
    """Be the command line, with small batches; for a process of its own."""
    import retrieval.indexing
    import retrieval.reindexing
    from cli.main import main
    from index import copying, segment

    copying._PHOTOS = 3
    retrieval.indexing._FACES = retrieval.reindexing._FACES = 4
    segment._CODED = 16
    setattr(retrieval.indexing, "default_workers", lambda: workers)  # noqa: B010  (not its own name)
    sys.argv = ["anotheryou", *map(str, words)]
    main()


def commands(photographs: Folder) -> tuple[Command, ...]:
    """What is killed."""

    def index(collection: Path, number: int) -> None:
        anotheryou("index", photographs.path, "--collection", collection, workers=int(number % 4 == 0))

    def reindex(collection: Path, number: int) -> None:
        weights = [word for name in _WEIGHTS[number % 2] for word in ("--weights", name)]
        anotheryou("reindex", *weights, "--collection", collection)

    def rebuild(collection: Path, _number: int) -> None:
        anotheryou("rebuild", "--collection", collection)

    def target(collection: Path, number: int) -> Path:
        return collection.with_name(f"{collection.name}, copy {number}")

    def copy(collection: Path, number: int) -> None:
        anotheryou("copy", collection, target(collection, number))

    return (
        Command("index", index, photographs.change),
        Command("reindex", reindex),
        Command("rebuild", rebuild),
        Command("copy", copy, result=target),
    )


def main() -> None:
    """Read the command line and go through it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of all commands together")
    parser.add_argument("--bytes", type=int, default=40, help="changed of each class")
    parser.add_argument("--pictures", type=int, default=1000, help="damaged or hostile ones")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="parts to go through")
    parser.add_argument("--seed", type=int, default=2015)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    tallies: list[Tally] = []
    damages: list[Damages] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if "pictures" in options.only:  # first, since the fork of a large process counts as large
            tallies.append(pictures(place / "pictures", options.pictures, chance))
        photographs = Folder(place / "photographs", _PHOTOGRAPHS, chance)
        every = commands(photographs)
        _load(photographs, place)
        if "kills" in options.only:
            for command in every:
                tallies.append(kill(command, place, options.kills // len(every), chance, RichProgress()))
        index = partial(anotheryou, "index", photographs.path, "--collection")
        if {"disk", "together"} & set(options.only):
            whole = made(index, place / "whole")
        if "disk" in options.only:
            tallies += disk(place, index, whole)
        if "together" in options.only:
            tallies += (two_writers(index, place, 10, whole), readers(index, place, 3, whole))
        if "bytes" in options.only:
            damages += changed_bytes(place / "bytes", options.bytes, chance)
    _print(tallies, damages)


def pictures(place: Path, count: int, chance: random.Random) -> Tally:
    """Index bad pictures and some good ones, then the largest that is read, with workers."""
    place.mkdir()
    (place / "bad").mkdir()  # of its own, since some links lead to the folder above
    bad = hostile(place / "bad" / "pictures", _ALBUM[1], count, chance)
    (place / "largest.png").write_bytes(black(11_300))
    good = Folder(place / "good", 5, chance)
    tally = Tally("bad pictures", tried=bad.total())
    os.environ["PYTHONPATH"] = str(_ROOT)
    peaks = []
    for photographs in ((place / "bad", good.path), (place / "largest.png",)):
        words = ["index", *map(str, photographs), "--collection", str(place / "collection")]
        ended = run(partial(os.execv, sys.executable, (sys.executable, "-m", "cli.main", *words)))
        peaks.append(ended.peak / 1e6)
        if ended.status:
            tally.stop(ended.output)
            return tally
    found = survey(place / "collection")
    readable = sum(path.startswith(str(place / "bad")) for path, _ in found.photos)
    tally.lost = sum((str(path), content) not in found.photos for path, content in good.contents())
    tally.doubled = found.doubled
    tally.stopped = sum(not reason for _, reason in found.skipped)
    reasons = len({reason for _, reason in found.skipped})
    tally.notes.append(
        f"bad pictures: {found.skipped.total()} skipped for {reasons} reasons, {readable} could be read all "
        f"the same, the others are no files; a process had at most {peaks[0]:.0f} MB, and {peaks[1]:.0f} MB "
        "with a picture of 128 million pixels"
    )
    return tally


def disk(place: Path, index: partial[None], whole: Survey) -> Iterator[Tally]:
    """Fill the disk during index and reindex."""
    reindex = partial(anotheryou, "reindex", "--weights", "rotation-32", "--collection")
    shutil.copytree(place / "whole", place / "reindexed")
    reindexed = made(reindex, place / "reindexed")
    try:
        yield fill("index", index, None, whole)
        yield fill("reindex", reindex, place / "whole", reindexed)
    except NoDiskError as error:
        say(f"{error}; the full disk is left out")


def changed_bytes(place: Path, each: int, chance: random.Random) -> Iterator[Damages]:
    """Change bytes of a collection that has free pages, and of one whose log was left by a kill."""
    place.mkdir()
    photographs, collection = Folder(place / "photographs", 60, chance), place / "collection"
    index = partial(anotheryou, "index", photographs.path, "--collection")
    made(index, collection)
    for path in chance.sample(sorted(photographs.path.iterdir()), 35):
        path.unlink()
    before = made(index, collection)
    yield from damage(collection, classes_of(collection), [before], each, chance, RichProgress())

    def remove(folder: Path) -> None:
        writer = CollectionWriter(folder)
        writer.remove([known.id for some in writer.below("/") for known in some][:3])
        shutil.copytree(folder, place / "logged")  # with the log, which whoever is last to close it empties
        writer.close()

    states = [made(remove, collection), before]
    log = {what: spans for what, spans in classes_of(place / "logged").items() if what == "catalogue: log"}
    yield from damage(place / "logged", log, states, each, chance, RichProgress())


def _load(photographs: Folder, place: Path) -> None:
    """Do here once what the commands do, so that forks of this process need not load anything."""
    with suppress(SystemExit), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        anotheryou("index", photographs.path, "--collection", place / "first")


def made(command: Callable[[Path], None], collection: Path) -> Survey:
    """Let a command do its work on a collection, and see what it holds then."""
    ended = run(partial(command, collection))
    if ended.status:
        raise DataError(f"a command failed before anything was done to it: {ended.output}")
    return survey(collection)


def _print(tallies: list[Tally], damages: list[Damages]) -> None:
    if tallies:
        rows = [(t.what, *map(str, (t.tried, t.lost, t.doubled, t.stopped))) for t in tallies]
        print_table(("what happened", "number", "lost", "doubled", "stopped"), rows)
    if damages:
        outcomes = [name for name in OUTCOMES if any(one.outcomes[name] for one in damages)]
        rows = [
            (one.what, str(one.outcomes.total()), *(str(one.outcomes[name]) for name in outcomes))
            for one in damages
        ]
        print_table(("a byte changed in", "number", *outcomes), rows)
    for notes in (*(one.notes for one in tallies), *(one.notes for one in damages)):
        print(*notes, sep="\n", end="\n" * bool(notes))


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":  # threads would not survive a fork
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, (sys.executable, *sys.argv))
    sys.exit(run_script(main))
