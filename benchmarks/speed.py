"""How fast faces are canonicalised, described and indexed, searched and learned from, and in how much memory.

    python benchmarks/speed.py [--faces 2000] [--gallery 20860] [--weights NAME|DIR]

Detection has a script of its own (detection.py), and so has rendering (renderer.py).  Faces come from
rendered-mini.  The machine may be shared, so each figure stands beside that of the plain way, taken in the
same run: canonicalising by the plain network, in processor time; searching with NumPy, training in float32.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cli.console import print_table
from cli.guard import run_script
from facedata.labelled import read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.types import Box, Floats, Landmarks, Pixels
from generator.checkpoint import load_checkpoint, load_generator
from generator.model import Generator
from generator.networks import UnpoolConv
from generator.training import Budget, Entry, Options, prepare, recipe
from generator.training import train as train_networks
from index import Collection, CollectionWriter, FaceVector, NewCollection, NewFace, NewPhoto, Status
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.finder import Finder
from retrieval.identity import open_identity, unit_length
from retrieval.indexing import index_folders
from retrieval.loading import load_encoding, load_engine, usual_telling

_FACE = (Box(0, 0, 32, 32), Landmarks((10, 10), (22, 10), (16, 18)), 1.0)
_BATCH = 64
_ROOT = Path(__file__).resolve().parent.parent
_PHOTOGRAPHS = sorted((_ROOT / "demo" / "album").glob("amara_pose*.jpg"))[:3]


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
    options = parser.parse_args()
    encodings = [load_encoding(options.weights)]
    engine = Engine(encodings, open_identity(), read_calibration(), usual_telling(encodings))
    mini = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry())
    crops = np.resize(mini.crops, (options.faces, *mini.crops.shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        figures = canonicalising(engine, crops, Path(folder) / "indexed")
        figures += [*describing(engine), *telling(engine, crops)]
        figures += searching(engine, mini.crops, options.gallery, Path(folder) / "searched")
        figures += asking(mini.crops, options.gallery, Path(folder) / "asked")
        figures += training(Path(folder) / "trained")
    rows = [
        [f.what, f"{f.value:,.1f} {f.unit}", f"{f.ratio:.1f} × {f.plain}" if f.ratio else ""] for f in figures
    ]
    print_table(["what", "measured", "against"], rows)


def canonicalising(engine: Engine, crops: Pixels, folder: Path) -> list[Figure]:
    """Faces per second from crop to catalogue and FAISS file, without detection and descriptors."""
    generator, some = load_generator(engine.encodings[0].source), crops[: max(_BATCH, len(crops) // 10)]
    generator.canonicalise(some)
    plain_rate = len(some) / _work(lambda: _canonicalise_plainly(generator, some))
    shared_rate = len(some) / _work(lambda: generator.canonicalise(some))
    parts = (crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH))
    batches = (zip(part, engine.embed(part, None), strict=True) for part in parts)
    rate = len(crops) / _seconds(lambda: _store(engine, batches, folder))
    return [
        Figure("canonicalise", shared_rate, "faces/s a core", shared_rate / plain_rate, "the plain network"),
        Figure("the plain network, seven passes in float32", plain_rate, "faces/s a core"),
        Figure("canonicalise and index", rate, "faces/s"),
        Figure("peak memory so far", _peak_mb(), "MB"),
    ]


def _canonicalise_plainly(generator: Generator, crops: Pixels) -> None:
    """Pass faces through the network of the paper once for every value of the one attribute, in float32."""
    network = load_checkpoint(str(generator.folder)).network
    for stage, name in ((network.stage1, "decode1"), (network.stage2, "conv7")):
        setattr(stage, name, nn.Sequential(_Unpooling(), _plain(getattr(stage, name))))
    with torch.inference_mode():
        for start in range(0, len(crops), 32):
            x = torch.from_numpy(crops[start : start + 32].astype(np.float32))[:, None]
            x = (x - generator.config.mean) / generator.config.std
            for wish in torch.eye(generator.vocabulary.size):
                network(x, wish.expand(len(x), -1))


class _Unpooling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2 H, 2 W): values at even rows and columns, zeros elsewhere."""
        out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        out[:, :, ::2, ::2] = x
        return out


def _plain(layer: UnpoolConv) -> nn.Conv2d:
    """Make a convolution of the same weights that does not unpool."""
    made = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
    made.load_state_dict(layer.state_dict())
    return made


def describing(engine: Engine, count: int = 48) -> list[Figure]:
    """Faces per second described by the model of identity, mirror images included."""
    chips = np.random.default_rng(0).integers(0, 256, (count, 150, 150, 3), np.uint8)
    engine.describe(list(chips[:1]))
    return [Figure("describe", count / _seconds(lambda: engine.describe(list(chips))), "faces/s")]


def telling(engine: Engine, crops: Pixels) -> list[Figure]:
    """Faces per second that the classifier looks at, mirror images included."""
    some = crops[:512]
    engine.tell(some[:64])
    return [Figure("tell what is shown", len(some) / _seconds(lambda: engine.tell(some)), "faces/s")]


def searching(engine: Engine, crops: Pixels, count: int, folder: Path) -> list[Figure]:
    """Milliseconds per query among ``count`` faces, whose vectors are those of ``crops`` with noise."""
    made = engine.embed(crops[:512], None)
    rng = np.random.default_rng(0)
    known: list[np.ndarray] = []

    def batches() -> Iterator[Iterable[tuple[Pixels, Floats]]]:
        for start in range(0, count, 1000):
            vectors = made[rng.integers(len(made), size=min(1000, count - start))]
            vectors = vectors + rng.normal(0, 0.02, vectors.shape).astype(np.float32)
            known.append(vectors.astype(np.float16))
            yield ((crops[0], vector) for vector in vectors)

    built = _seconds(lambda: _store(engine, batches(), folder))
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


def asking(crops: Pixels, count: int, folder: Path) -> list[Figure]:
    """Milliseconds per answer among ``count`` made-up faces, and processor seconds from the shell."""
    engine, rng = load_engine(), np.random.default_rng(0)
    index_folders(_PHOTOGRAPHS, collection=folder, engine=engine, workers=0)
    made = engine.embed(crops[:512], unit_length(rng.normal(size=(512, 128))))

    def batches() -> Iterator[Iterable[tuple[Pixels, Floats]]]:
        for start in range(0, count, 1000):
            vectors = made[rng.integers(len(made), size=min(1000, count - start))]
            yield ((crops[0], vector + rng.normal(0, 0.02, vector.shape)) for vector in vectors)

    _store(engine, batches(), folder)
    known = str(_PHOTOGRAPHS[0])
    with Finder(folder, engine=engine) as finder:
        finder.search(known, wish="+30")
        plain = _seconds(lambda: finder.search(known), times=20)
        wished = _seconds(lambda: finder.search(known, wish="+30"), times=20)
    command = (
        sys.executable,
        "-m",
        "cli.main",
        "search",
        known,
        "--pose",
        "+30",
        "--collection",
        str(folder),
    )
    alone, shell = (
        min(_processor_seconds(*words) for _ in range(3))
        for words in ((sys.executable, "-c", "import torch"), command)
    )
    return [
        Figure("answer without a wish", 1000 * plain, "ms"),
        Figure("answer to a wish", 1000 * wished, "ms"),
        Figure("search of a known photograph from the shell", shell, "s", shell / alone, "import torch"),
    ]


def training(out: Path) -> list[Figure]:
    """Pairs per second of both presets on rendered-mini."""
    faces = read_labelled(rendered_mini_path(), cropped=True, geometry=CropGeometry())
    faces = faces.select(np.arange(len(faces)))
    faces.splits[:] = "train"
    data = prepare(faces, attribute="pose", seed=0, held_out=2)
    figures = []
    for preset in ("default", "paper"):
        rates = []
        for precision in ("auto", "float32"):
            entries: list[Entry] = []
            to, budget = out / f"{preset}-{precision}", Budget(minutes=0.4)
            options = Options(precision=precision, report=entries.append)
            train_networks(data, recipe(preset), out=to, budget=budget, options=options)
            rates.append(float(np.median([entry.pairs_per_second for entry in entries])))
        rate, plain = rates
        figures.append(Figure(f"train, preset {preset}", rate, "pairs/s", rate / plain, "float32"))
    return figures


def _store(engine: Engine, batches: Iterable[Iterable[tuple[Pixels, Floats]]], folder: Path) -> None:
    """Store crops and vectors, two to a photograph; make the collection if need be."""
    new = None if folder.exists() else NewCollection(engine.layout, "none", 0)
    with CollectionWriter(folder, new) as writer:
        number = 0
        for batch in batches:
            photos = []
            faces = iter([NewFace(*_FACE, FaceVector(crop, vector)) for crop, vector in batch])
            while pair := tuple(islice(faces, 2)):
                number += 1
                file = f"/benchmark/{number}.png", 1, number, f"{number:064x}"
                photos.append(NewPhoto(*file, Status.OK, width=32, height=32, faces=pair))
            writer.store(photos)
        writer.refresh_vectors()


def _seconds(work: Callable[[], object], times: int = 1) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def _work(work: Callable[[], object]) -> float:
    """Seconds of processor time, the least of three: what one core takes, on a machine that is shared."""
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _processor_seconds(*command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=_ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(run_script(main))
