"""How well faces are grouped by who they show, before anybody has said a word.

    python benchmarks/people.py album demo/album
    python benchmarks/people.py asked demo/album
    python benchmarks/people.py cmu PHOTOS/cmu_faces [--straight]
    python benchmarks/people.py set SET [SET...]
    python benchmarks/people.py many
    python benchmarks/people.py fit PHOTOS/cmu_faces --out retrieval/common.npz

``album``: the demo's album, indexed as it is, whose files name the people (photographs of two are grouped
too, and not counted).  ``asked``: the same album, searched for each person turned, with one straight picture
and with the whole person.  ``cmu``: the CMU Face Images, each half of the people grouped with what was
learned of the others.  ``set``: labelled sets with larger pictures.  ``many``: how long 20,000
made-up faces take.

Purity is the share of faces that are of the person most of their group are of, completeness the share that
are in the largest group of their person.  Clicks are what names everybody right: one for each group, also of
one face, and one for each face in a wrong one.  Beside it DBSCAN (scikit-learn) on the plain descriptor, at
the usual distance, and at the one that is best on this very set.  ``fit`` learns what faces have in common.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import retrieval.grouping
from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from evaluation.cmu_faces import find_faces
from facedata.labelled import FaceSet, Words, read_labelled
from faces.detect import open_detector
from faces.types import Bools, Ints
from index import Collection
from retrieval.answers import Prepared
from retrieval.engine import Engine
from retrieval.finder import Finder
from retrieval.grouping import Common, FaceLooks, Grouper, known_common
from retrieval.identity import DlibIdentity, unit_length
from retrieval.indexing import index_folders
from retrieval.loading import load_engine
from retrieval.people import face_looks, looks_of

_YAWS = np.arange(-60.0, 61.0, 15.0)
_WIDTH, _WORN = 12.0, 0.2  # deviations of the kernel: degrees, and of the probability of sunglasses
_FEW = 5  # faces that pull a mean of few towards that of all
_USUAL = 0.94  # similarity of the usual distance: dlib's clustering takes 0.5 between its own vectors
_TRIED = np.arange(0.88, 0.98, 0.005)

Row = tuple[str, int, float, float, int, int]


def rate(groups: Ints, persons: Words) -> tuple[float, float, int, int]:
    """Give purity, completeness, groups and clicks of faces (N,) of these persons."""
    people, who = np.unique(persons, return_inverse=True)
    numbers, which = np.unique(groups, return_inverse=True)
    together = np.zeros((len(numbers), len(people)), np.int64)
    np.add.at(together, (which, who), 1)
    right = int(together.max(1).sum())
    clicks = len(numbers) + len(persons) - right
    return right / len(persons), int(together.max(0).sum()) / len(persons), len(numbers), clicks


def plain(looks: FaceLooks, similarity: float) -> Ints:
    """Group by DBSCAN on the descriptors; what is in no group is alone."""
    from sklearn.cluster import DBSCAN

    vectors = looks.descriptors.astype(np.float64)
    apart = np.clip(1 - vectors @ vectors.T, 0, None)
    fitted = DBSCAN(eps=1 - similarity, min_samples=2, metric="precomputed").fit(apart)
    found: Ints = fitted.labels_.astype(np.int64)
    alone = found < 0
    found[alone] = found.max(initial=0) + 1 + np.arange(alone.sum())
    return found


def rows_of(name: str, looks: FaceLooks, persons: Words, counted: Bools, digest: str) -> list[Row]:
    """Group, and group plainly."""
    ours = Grouper(looks, digest).group()
    tried = [(plain(looks, float(similarity)), similarity) for similarity in _TRIED]
    best, at = max(tried, key=lambda one: sum(rate(one[0][counted], persons[counted])[:2]))
    named = [("as it comes", ours), ("DBSCAN", plain(looks, _USUAL)), (f"DBSCAN, best ({at:.3f})", best)]
    who = persons[counted]
    return [(f"{name}: {what}", len(who), *rate(found[counted], who)) for what, found in named]


def album_rows(folder: Path, engine: Engine) -> list[Row]:
    """Measure an album whose files are called PERSON_….jpg, or ONE-and-OTHER_….jpg."""
    with TemporaryDirectory() as made:
        index_folders([folder], collection=Path(made) / "c", engine=engine, progress=RichProgress())
        with Collection(Path(made) / "c") as collection, collection.snapshot() as snapshot:
            faces, looks = looks_of(engine, snapshot)
    names = np.array([Path(face.path).name.partition("_")[0] for face in faces])
    counted = np.array(["-and-" not in name for name in names.tolist()])
    return rows_of(folder.name, looks, names, counted, digest_of(engine))


def asked_rows(folder: Path, engine: Engine) -> list[tuple[str, str, str]]:
    """Ask an album for each of its people turned to both sides, by one straight picture and by the person.

    A person is all faces that are not the answer; right is the right person, turned as wished.
    """
    rows = []
    with TemporaryDirectory() as made:
        index_folders([folder], collection=Path(made) / "c", engine=engine, progress=RichProgress())
        with Finder(Path(made) / "c", engine=engine) as finder:
            people = finder.people()
            of = {face: Path(place.path).name for face, place in people.faces.items()}
            names = sorted({name.partition("_")[0] for name in of.values() if "-and-" not in name})
            for wish in ("-30", "+30"):
                one, whole, pictures = 0, 0, 0
                for name in names:
                    right = f"{name}_pose{wish}_"
                    for face in [face for face, file in of.items() if file.startswith(f"{name}_pose0_")]:
                        one += first_of(finder, finder.prepare_face(face), wish).startswith(right)
                        pictures += 1
                    others = [
                        face
                        for face, file in of.items()
                        if file.startswith(f"{name}_") and not file.startswith(right)
                    ]
                    people.confirm(others, name)
                    whole += first_of(finder, finder.prepare_person(name), wish).startswith(right)
                    finder.people().undo()
                    people = finder.people()
                rows.append((wish, f"{one} of {pictures}", f"{whole} of {len(names)}"))
    return rows


def first_of(finder: Finder, asked: Prepared, wish: str) -> str:
    """Search, and give the name of the first photograph of one person."""
    names = [Path(hit.path).name for hit in finder.search(asked, wish={"pose": wish}).hits]
    return next(name for name in names if "-and-" not in name)


def set_looks(engine: Engine, faces: FaceSet) -> FaceLooks:
    """Look at labelled faces as at those of a collection, each in a photograph of its own."""
    larger, progress = faces.pictures.required_large(), RichProgress()
    descriptors = np.asarray(IdentityFeatures(DlibIdentity())(faces.pictures, progress), np.float32)
    vectors = engine.embed(faces.crops, descriptors, larger.points)
    widths = np.ptp(larger.points[:, :, 0], axis=1) * 2.2  # eyes' corners to the width of a box
    return face_looks(engine, vectors, np.arange(len(faces)), widths.astype(np.float64))


def learn(looks: FaceLooks) -> Common:
    """Learn what faces have in common, by a kernel over yaw and sunglasses."""
    mean = looks.descriptors.astype(np.float64).mean(0)
    shifts = np.zeros((2, len(_YAWS), len(mean)))
    for worn in (0, 1):
        for place, yaw in enumerate(_YAWS):
            near = np.exp(-((looks.yaws - yaw) ** 2) / (2 * _WIDTH**2))
            near *= np.exp(-((looks.sunglasses - worn) ** 2) / (2 * _WORN**2))
            shifts[worn, place] = near @ (looks.descriptors - mean) / (near.sum() + _FEW)
    return Common(mean, _YAWS, shifts)


def cmu(folder: Path, engine: Engine) -> tuple[FaceSet, FaceLooks]:
    """Find the faces of the CMU photographs."""
    faces = find_faces(folder, open_detector(), engine.geometry, RichProgress()).faces
    return faces, set_looks(engine, faces)


def cmu_rows(folder: Path, engine: Engine, straight: bool) -> list[Row]:
    """Measure each half of the people with what was learned of the others."""
    faces, looks = cmu(folder, engine)
    half = np.isin(faces.persons, np.random.default_rng(0).permutation(np.unique(faces.persons))[:10])
    shown = (faces.poses == "0") & (faces.accessories == "none") if straight else np.ones(len(half), np.bool_)
    rows: list[Row] = []
    known = retrieval.grouping.known_common
    for name, side in (("CMU, one half", half), ("CMU, other half", ~half)):
        learned = learn(looks.select(~side))
        retrieval.grouping.known_common = lambda _digest, learned=learned: learned  # type: ignore[assignment]
        some = side & shown
        every = np.ones(int(some.sum()), np.bool_)
        rows += rows_of(name, looks.select(some), faces.persons[some], every, digest_of(engine))
    retrieval.grouping.known_common = known
    return rows


def many_rows(count: int = 20_000, people: int = 300) -> list[tuple[str, str]]:
    """Time the grouping of made-up faces: people with few and with very many, as in a family's album."""
    rng = np.random.default_rng(0)
    sizes = rng.zipf(1.5, people).clip(1, 3000)
    who = np.repeat(np.arange(people), np.ceil(sizes / sizes.sum() * count).astype(int))[:count]
    common = known_common(DlibIdentity().digest)
    centres = rng.normal(size=(people, 128)) * 0.03 + (0 if common is None else common.mean)
    vectors = unit_length(centres[who] + rng.normal(size=(len(who), 128)) * 0.018)
    straight = rng.normal(size=len(who)) * 20
    looks = FaceLooks(vectors, np.arange(len(who)), straight, np.zeros(len(who)), np.full(len(who), 80.0))
    begun = time.perf_counter()
    grouper = Grouper(looks, DlibIdentity().digest)
    compared = time.perf_counter()
    grouper.group()
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return [
        (f"comparing {len(who):,} faces", f"{compared - begun:.1f} s"),
        ("grouping them", f"{ended - compared:.1f} s"),
        ("memory at most", f"{peak:.2f} GB"),
    ]


def digest_of(engine: Engine) -> str:
    return "" if engine.identity is None else engine.identity.digest


def measure(wanted: argparse.Namespace) -> None:
    """Do what is asked."""
    if wanted.what == "many":
        print_table(("what", "took"), many_rows(), right=("took",))
        return
    engine, rows = load_engine(), list[Row]()
    if wanted.what == "fit":
        learned = learn(cmu(wanted.data[0], engine)[1])
        kept = {name: getattr(learned, name).astype(np.float16) for name in ("mean", "yaws", "shifts")}
        np.savez_compressed(wanted.out, digest=np.array(digest_of(engine)), **kept)
        say(f"wrote {wanted.out}")
        return
    if wanted.what == "asked":
        asked = [row for path in wanted.data for row in asked_rows(path, engine)]
        print_table(("pose", "one picture", "a person"), asked, right=("one picture", "a person"))
        return
    for path in wanted.data:
        if wanted.what == "album":
            rows += album_rows(path, engine)
        elif wanted.what == "cmu":
            rows += cmu_rows(path, engine, wanted.straight)
        else:
            faces = read_labelled(path, cropped=True, geometry=engine.geometry, progress=RichProgress())
            every = np.ones(len(faces), np.bool_)
            rows += rows_of(path.name, set_looks(engine, faces), faces.persons, every, digest_of(engine))
    lines = [
        (name, f"{count:,}", f"{purity:.3f}", f"{complete:.3f}", f"{groups:,}", f"{clicks:,}")
        for name, count, purity, complete, groups, clicks in rows
    ]
    columns = ("faces", "number", "purity", "completeness", "groups", "clicks")
    print_table(columns, lines, right=columns[1:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure how faces are grouped by person.")
    parser.add_argument("what", choices=("album", "asked", "cmu", "set", "many", "fit"))
    parser.add_argument("data", type=Path, nargs="*", metavar="DATA")
    parser.add_argument("--straight", action="store_true", help="only straight faces without sunglasses")
    parser.add_argument("--out", type=Path, metavar="FILE")
    measure(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(run_script(main))
