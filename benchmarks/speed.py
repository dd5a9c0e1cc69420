"""How fast faces are canonicalised and indexed, searched and learned from, and how much memory that takes.

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
from generator.checkpoint import load_generator
from generator.model import Generator
from generator.training import Budget, Entry, Options, prepare, recipe
from generator.training import train as train_networks
from index import Beginning, Collection, CollectionWriter, Encoding, Features, NewFace, NewPhoto, Status
from retrieval.batch import encode

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
    generator = load_generator(options.weights)
    mini = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry())
    crops = np.resize(mini.crops, (options.faces, *mini.crops.shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        figures = canonicalising(generator, crops, Path(folder) / "indexed")
        figures += searching(generator, mini.crops, options.gallery, Path(folder) / "searched")
        figures += training(Path(folder) / "trained")
    rows = [
        [f.what, f"{f.value:,.1f} {f.unit}", f"{f.ratio:.1f} × {f.plain}" if f.ratio else ""] for f in figures
    ]
    print_table(["what", "measured", "against"], rows)
    if options.json:
        options.json.write_text(json.dumps([asdict(f) for f in figures], indent=1) + "\n", encoding="utf-8")


def canonicalising(generator: Generator, crops: Pixels, folder: Path) -> list[Figure]:
    """Faces per second from crop to catalogue and FAISS file, without detection."""
    some = crops[: max(_BATCH, len(crops) // 10)]
    values = len(generator.vocabulary.combinations)

    def plain() -> None:
        for code in range(values):
            generator.draw(some, np.full(len(some), code))

    generator.canonicalise(some)
    plain_rate = len(some) / _seconds(plain)
    shared_rate = len(some) / _seconds(lambda: generator.canonicalise(some))
    begun = time.perf_counter()
    _index(generator, crops, folder)
    rate = len(crops) / (time.perf_counter() - begun)
    return [
        Figure("canonicalise", shared_rate, "faces/s", shared_rate / plain_rate, "seven whole passes"),
        Figure("canonicalise and index", rate, "faces/s"),
        Figure("peak memory so far", _peak_mb(), "MB"),
    ]


def searching(generator: Generator, crops: Pixels, count: int, folder: Path) -> list[Figure]:
    """Milliseconds per query among ``count`` faces, whose features are those of ``crops`` with noise."""
    features = generator.canonicalise(crops[:512]).features
    rng = np.random.default_rng(0)
    known: list[np.ndarray] = []
    begun = time.perf_counter()
    with CollectionWriter(folder, _beginning(generator)) as writer:
        for start in range(0, count, 1000):
            size = min(1000, count - start)
            vectors = features[rng.integers(len(features), size=size)]
            vectors = vectors + rng.normal(0, 0.002, vectors.shape).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            known.append(vectors.astype(np.float16))
            kept = [Features(crops[0], vector, generator.vocabulary.label(0), 0.0) for vector in vectors]
            writer.store([_photo(start, kept)])
        writer.refresh_vectors()
    built = time.perf_counter() - begun
    stored = np.concatenate(known)
    query = features[:1]
    with Collection(folder) as collection:
        collection.search(query, 20)
        ours = _seconds(lambda: collection.search(query, 20), times=5)
        many = _seconds(lambda: collection.search(features[:64], 20)) / 64
    exact = _seconds(lambda: _exact(query, stored))
    return [
        Figure(f"search among {count:,} faces", 1000 * ours, "ms", exact / ours, "faster than NumPy"),
        Figure("the same, 64 queries at once", 1000 * many, "ms/query", exact / many, "faster than NumPy"),
        Figure(f"storing {count:,} faces", built, "s"),
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
                options=Options(precision=precision),
                report=entries.append,
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


def _index(generator: Generator, crops: Pixels, folder: Path) -> None:
    with CollectionWriter(folder, _beginning(generator)) as writer:
        for start in range(0, len(crops), _BATCH):
            writer.store([_photo(start, list(encode(generator, crops[start : start + _BATCH])))])
        writer.refresh_vectors()


def _beginning(generator: Generator) -> Beginning:
    groups = {group.name: group.values for group in generator.vocabulary.groups}
    encoding = Encoding(
        generator.weights_id,
        generator.name,
        generator.name,
        groups,
        generator.geometry,
        generator.feature_size,
    )
    return Beginning(encoding, "none", 0)


def _photo(number: int, features: list[Features]) -> NewPhoto:
    faces = tuple(NewFace(*_FACE, kept) for kept in features)
    return NewPhoto(
        f"/benchmark/{number}.png", 1, number, f"{number:064x}", Status.OK, width=32, height=32, faces=faces
    )


def _exact(query: np.ndarray, stored: np.ndarray) -> np.ndarray:
    apart = np.concatenate(
        [((stored[i : i + 1000].astype(np.float32) - query) ** 2).sum(1) for i in range(0, len(stored), 1000)]
    )
    return np.argsort(apart, kind="stable")[:20]


def _seconds(work: Callable[[], object], times: int = 1) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(run_script(main))
