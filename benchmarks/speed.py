"""How fast faces are canonicalised, described and indexed, searched and learned from, and in how much memory.

    python benchmarks/speed.py [--faces 2000] [--gallery 20860] [--weights NAME|DIR] [--json OUT.json]

Detection has a script of its own (detection.py), and so has rendering (renderer.py).  Faces come from
rendered-mini.  The machine may be shared, so each figure stands beside that of the plain way, taken in the
same run: canonicalising by seven whole passes, searching with NumPy, training in float32.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cli.console import print_table
from cli.guard import run_script
from facedata.labelled import read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.types import Box, Landmarks, Pixels
from generator.training import Budget, Entry, Options, prepare, recipe
from generator.training import train as train_networks
from index import Collection, CollectionWriter, FaceVector, NewCollection, NewFace, NewPhoto, Status
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.identity import open_identity
from retrieval.loading import load_encoding

_FACE = (Box(0, 0, 32, 32), Landmarks((10, 10), (22, 10), (16, 18)), 1.0)
_BATCH = 64


@dataclass(frozen=True)
class Figure:
    """One measurement: ``value`` in ``unit``, and how many times that of the ``plain`` way it is."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    plain: str = ""


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=int, default=2000, help="faces to canonicalise and index")
    parser.add_argument("--gallery", type=int, default=20860, help="faces to search among")
    parser.add_argument("--weights", default="rotation-32", help="name or folder of weights")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    encoding = load_encoding(options.weights)
    engine = Engine([encoding], open_identity(), read_calibration())
    mini = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry())
    crops = np.resize(mini.crops, (options.faces, *mini.crops.shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        figures = canonicalising(engine, crops, Path(folder) / "indexed")
        figures += describing(engine)
        figures += searching(engine, mini.crops, options.gallery, Path(folder) / "searched")
        figures += training(Path(folder) / "trained")
    rows = [
        [f.what, f"{f.value:,.1f} {f.unit}", f"{f.ratio:.1f} × {f.plain}" if f.ratio else ""] for f in figures
    ]
    print_table(["what", "measured", "against"], rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(f) for f in figures], indent=1) + "\n", encoding="utf-8")


def canonicalising(engine: Engine, crops: Pixels, folder: Path) -> list[Figure]:
    """Faces per second from crop to catalogue and FAISS file, without detection and descriptors."""
    generator = engine.encodings[0].generator
    some = crops[: max(_BATCH, len(crops) // 10)]
    values = len(generator.vocabulary.combinations)

    def plain() -> None:
        for code in range(values):
            generator.draw(some, np.full(len(some), code))

    generator.canonicalise(some)
    plain_rate = len(some) / _seconds(plain)
    shared_rate = len(some) / _seconds(lambda: generator.canonicalise(some))
    begun = time.perf_counter()
    _index(engine, crops, folder)
    rate = len(crops) / (time.perf_counter() - begun)
    return [
        Figure("canonicalise", shared_rate, "faces/s", shared_rate / plain_rate, "seven whole passes"),
        Figure("canonicalise and index", rate, "faces/s"),
        Figure("peak memory so far", _peak_mb(), "MB"),
    ]


def describing(engine: Engine, count: int = 48) -> list[Figure]:
    """Faces per second described by the model of identity, mirror images included."""
    chips = np.random.default_rng(0).integers(0, 256, (count, 150, 150, 3), np.uint8)
    engine.describe(list(chips[:1]))
    return [Figure("describe", count / _seconds(lambda: engine.describe(list(chips))), "faces/s")]


def searching(engine: Engine, crops: Pixels, count: int, folder: Path) -> list[Figure]:
    """Milliseconds per query among ``count`` faces, whose vectors are those of ``crops`` with noise."""
    made = engine.embed(crops[:512], None)
    rng = np.random.default_rng(0)
    known: list[np.ndarray] = []
    begun = time.perf_counter()
    with CollectionWriter(folder, _new(engine)) as writer:
        for start in range(0, count, 1000):
            size = min(1000, count - start)
            vectors = made[rng.integers(len(made), size=size)]
            vectors = vectors + rng.normal(0, 0.02, vectors.shape).astype(np.float32)
            known.append(vectors.astype(np.float16))
            writer.store([_photo(start, [FaceVector(crops[0], vector) for vector in vectors])])
        writer.refresh_vectors()
    built = time.perf_counter() - begun
    on_disk = sum(file.stat().st_size for file in folder.iterdir()) / count
    stored = np.concatenate(known)
    query = made[:1]
    with Collection(folder) as collection:
        collection.search(query, 20)
        ours = _seconds(lambda: collection.search(query, 20), times=5)
        many = _seconds(lambda: collection.search(made[:64], 20)) / 64
    exact = _seconds(lambda: np.argsort(-(stored.astype(np.float32) @ query[0]), kind="stable")[:20])
    return [
        Figure(f"search among {count:,} faces", 1000 * ours, "ms", exact / ours, "faster than NumPy"),
        Figure("the same, 64 queries at once", 1000 * many, "ms/query", exact / many, "faster than NumPy"),
        Figure(f"storing {count:,} faces", built, "s"),
        Figure("a face on disk, crop included", on_disk, "bytes"),
    ]


def training(out: Path, minutes: float = 0.4) -> list[Figure]:
    """Pairs per second of both presets on rendered-mini."""
    faces = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry())
    faces = faces.select(np.arange(len(faces)))
    faces.splits[:] = "train"
    data = prepare(faces, attribute="pose", seed=0, held_out=2)
    rates: dict[tuple[str, str], float] = {}
    for preset in ("default", "paper"):
        for precision in ("auto", "float32"):
            entries: list[Entry] = []
            train_networks(
                data,
                recipe(preset),
                out=out / f"{preset}-{precision}",
                budget=Budget(minutes=minutes),
                options=Options(precision=precision, report=entries.append),
            )
            rates[preset, precision] = float(np.median([entry.pairs_per_second for entry in entries]))
    return [
        Figure(
            f"train, preset {preset}",
            rates[preset, "auto"],
            "pairs/s",
            rates[preset, "auto"] / rates[preset, "float32"],
            "float32",
        )
        for preset in ("default", "paper")
    ]


def _index(engine: Engine, crops: Pixels, folder: Path) -> None:
    with CollectionWriter(folder, _new(engine)) as writer:
        for start in range(0, len(crops), _BATCH):
            some = crops[start : start + _BATCH]
            faces = [FaceVector(*each) for each in zip(some, engine.embed(some, None), strict=True)]
            writer.store([_photo(start, faces)])
        writer.refresh_vectors()


def _new(engine: Engine) -> NewCollection:
    return NewCollection(engine.layout, "none", 0)


def _photo(number: int, stored: list[FaceVector]) -> NewPhoto:
    faces = tuple(NewFace(*_FACE, one) for one in stored)
    return NewPhoto(
        f"/benchmark/{number}.png", 1, number, f"{number:064x}", Status.OK, width=32, height=32, faces=faces
    )


def _seconds(work: Callable[[], object], times: int = 1) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(run_script(main))
