"""Fit the engine's calibration, and measure it on people it was not fitted on.

    python benchmarks/calibration.py cmu PHOTOS_DIR --out calibration.json
    python benchmarks/calibration.py rendered SET [SET...] --out rendered-calibration.json

``cmu``: the CMU Face Images (see ``evaluation.cmu_faces``), all their wishes together.  The people are cut
into two halves; the table shows each half measured with what was fitted on the other, among all faces; what
is written is fitted on all, and takes over what the rendered people of this project's calibration teach of
faces that are drawn as well as theirs.  ``rendered``: labelled sets of ready crops with larger pictures, each
asked for what the weights change; the table shows the weights on the people they were fitted on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from baselines.network_features import IdentityFeatures
from cli.console import RichProgress, print_table, say
from cli.guard import run_script
from evaluation.calibrate import (
    Compared,
    compare,
    domain_of,
    fit_fusion,
    fit_identity,
    learn_domain,
    totals,
)
from evaluation.cmu_faces import WISHES, find_faces, queries_for
from evaluation.composed import composed
from evaluation.context import CALIBRATIONS
from evaluation.protocol import Queries, criteria, draw_queries, in_words_of, shared_values
from evaluation.recall import KS
from facedata.labelled import ATTRIBUTES, FaceSet, read_labelled
from faces.detect import open_detector
from faces.errors import DataError
from faces.types import Doubles, Floats, Ints
from retrieval.calibration import Calibration, IdentityCalibration, read_calibration
from retrieval.detail import flow_for
from retrieval.engine import Engine
from retrieval.identity import DlibIdentity
from retrieval.loading import DEFAULT_CLASSIFIER, DEFAULT_WEIGHTS, load_encoding, load_telling

# On photographs an estimated pose is off by 8.5 degrees on average: a normal deviation of 10.
DEVIATIONS = {"pose": 10.0}
LANDMARKS = {"pose": 10.0}
TEMPERATURES = {"pose": 300.0, "accessory": 400.0}
# The classifier is a little too sure of photographs, and learned from people of whom a quarter wore nothing.
TOLD = {"accessory": 1.5}
COMMONER = {"accessory": {"none": 4.0}}
# 20 people, all photographed in one room, tell little of these: any person may have a double, whose
# descriptor is nearly as similar, and on ordinary photographs drawings know less of a person than here.
PHOTOGRAPHS = {
    "steepness": (80.0,),
    "enough": (0.96,),
    "appearance pose": (0.0, 1.0, 2.0, 3.0),
    "appearance accessory": (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
}
COMPOSED = 0.2
"""The share of the drawing's descriptor in a query: docs/evaluation.md has what others are worth."""
_SPLITS = 10
_QUERIES = 1500  # of a rendered set, whose questions are many


def compared(
    engine: Engine, faces: FaceSet, vectors: Floats, wishes: Sequence[Queries]
) -> list[tuple[Queries, Compared]]:
    """Ask each wish of all faces."""
    found, flow = [], flow_for(encoding.generator for encoding in engine.encodings)
    for queries in wishes:
        (kind, *_) = criteria(faces, queries)
        right = (kind.query_key[:, None] == kind.gallery_key) & kind.asked[:, None]
        words = {
            str(word): engine.wanted({queries.attribute: str(word)}) for word in np.unique(queries.targets)
        }
        asked = engine.queries(
            faces.crops[queries.faces],
            vectors[queries.faces],
            [words[str(word)] for word in queries.targets],
        )
        asked = composed(engine, flow, asked, faces.pictures.select(queries.faces))
        found.append((queries, compare(engine, queries.attribute, asked, vectors, right)))
    return found


def recall(sums: Doubles, right: np.ndarray) -> dict[int, np.ndarray]:
    """Tell for each K, (Q,) bool, whether a right answer is among the first K."""
    order = np.argsort(-sums, axis=1, kind="stable")[:, : max(KS)]
    found = np.take_along_axis(right, order, axis=1)
    return {k: np.asarray(found[:, :k].any(axis=1)) for k in KS}


def halves(persons: Ints, seed: int = 0) -> np.ndarray:
    """Choose, (N,) bool, the faces of one half of the people, drawn at random."""
    people = np.unique(persons)
    one = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
    return np.isin(persons, one)


def crossed(
    start: Calibration,
    digest: str,
    asked: Sequence[tuple[Queries, Compared]],
    descriptors: Floats,
    persons: Ints,
    frontal: np.ndarray,
    seed: int,
) -> list[dict[int, float]]:
    """Measure recall@K in percent of each wish, each half of the people with the fit of the other half."""
    half = halves(persons, seed)
    fitted, rendered = [], read_calibration(CALIBRATIONS["rendered"])
    for side in (half, ~half):
        seen = side & frontal
        (old,) = start.identities.values()
        own = replace(fit_identity(descriptors[seen], persons[seen]), composed=old.composed)
        known = replace(start, identities={digest: own})
        wishes = [wish.select(side[queries.faces], side) for queries, wish in asked]
        fitted.append(learn_domain(fit_fusion(known, digest, wishes, tried=PHOTOGRAPHS), rendered))
    found = []
    for queries, wish in asked:
        sums = [totals(known, digest, wish) for known in fitted]
        both = np.where(half[queries.faces][:, None], sums[1], sums[0])
        found.append({k: 100 * float(hits.mean()) for k, hits in recall(both, wish.right).items()})
    return found


def measure(wanted: argparse.Namespace) -> None:
    """Fit, measure, print and write."""
    progress, identity = RichProgress(), DlibIdentity()
    start = Calibration(
        identities={identity.digest: IdentityCalibration(60.0, 0.91, 60.0, 0.94, composed=wanted.composed)},
        temperatures=TEMPERATURES,
        landmarks=LANDMARKS,
        deviations=DEVIATIONS,
        told=TOLD,
        commoner=COMMONER,
    )
    encodings = [load_encoding(weights) for weights in wanted.weights]
    engine = Engine(encodings, identity, start, load_telling(wanted.classifier))
    describe = IdentityFeatures(identity)
    sets: list[tuple[FaceSet, Floats, list[tuple[Queries, Compared]], list[str]]] = []
    if wanted.kind == "cmu":
        faces = find_faces(wanted.data[0], open_detector(), engine.geometry, progress).faces
        points = faces.pictures.required_large().points
        vectors = engine.embed(faces.crops, describe(faces.pictures, progress), points)
        asked = compared(engine, faces, vectors, [queries_for(faces, wish) for wish in WISHES])
        sets.append((faces, vectors, asked, [wish.name for wish in WISHES]))
    else:
        for path in wanted.data:
            faces = read_labelled(path, cropped=True, geometry=engine.geometry, progress=progress)
            told = {name: engine.vocabulary[name] for name in ATTRIBUTES if name in engine.vocabulary}
            for attribute, values in told.items():
                faces = in_words_of(faces, attribute, values)
            points = faces.pictures.required_large().points
            vectors = engine.embed(faces.crops, describe(faces.pictures, progress), points)
            shown = {name: shared_values(faces, name, values) for name, values in told.items()}
            varied = [name for name, values in shown.items() if len(values) > 1]
            wishes = [draw_queries(faces, name, shown[name], count=_QUERIES) for name in varied]
            labels = [f"{faces.name}, {name}" for name in varied]
            sets.append((faces, vectors, compared(engine, faces, vectors, wishes), labels))
    size = identity.dimension
    descriptors = np.concatenate([vectors[:, :size] for _, vectors, _, _ in sets])
    names = [f"{number} {name}" for number, (faces, *_) in enumerate(sets) for name in faces.persons.tolist()]
    persons = np.unique(names, return_inverse=True)[1]
    # Faces that look elsewhere are harder to tell apart than most: a line drawn for them would be too high.
    frontal = np.concatenate(
        [np.ones(len(faces), np.bool_) if wanted.kind != "cmu" else faces.poses == "0" for faces, *_ in sets]
    )
    known = replace(fit_identity(descriptors[frontal], persons[frontal]), composed=wanted.composed)
    everything = replace(start, identities={identity.digest: known})
    answered = [wish for *_, asked, _ in sets for _, wish in asked]
    tried = PHOTOGRAPHS if wanted.kind == "cmu" else None
    whole = fit_fusion(everything, identity.digest, answered, tried=tried)
    if wanted.kind == "cmu":
        whole = learn_domain(whole, read_calibration(CALIBRATIONS["rendered"]))
    else:
        domains = {wish.attribute: domain_of(whole, wish.attribute, wish.errors) for wish in answered}
        whole = replace(whole, in_domain=domains)
    table = []
    if wanted.kind == "cmu":
        (_, _, asked, labels) = sets[0]
        found = [
            crossed(start, identity.digest, asked, descriptors, persons, frontal, seed)
            for seed in range(_SPLITS)
        ]
        for number, label in enumerate(labels):
            one = found[0][number]
            table.append((label, "other half", *(f"{one[k]:.1f}" for k in KS)))
            means = {k: np.mean([split[number][k] for split in found]) for k in KS}
            table.append((label, f"other half, mean of {_SPLITS}", *(f"{means[k]:.1f}" for k in KS)))
    for *_, asked, labels in sets:
        for (_, wish), label in zip(asked, labels, strict=True):
            hits = recall(totals(whole, identity.digest, wish), wish.right)
            table.append((label, "all", *(f"{100 * one.mean():.1f}" for one in hits.values())))
    print_table(("wish", "fitted on", *(f"R@{k}" for k in KS)), table, right=[f"R@{k}" for k in KS])
    described = "the CMU Face Images" if wanted.kind == "cmu" else "rendered people"
    replace(whole, fitted_on=described).save(wanted.out)
    say(f"wrote {wanted.out}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Fit the engine's calibration.")
    parser.add_argument("kind", choices=("cmu", "rendered"))
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA")
    parser.add_argument("--weights", nargs="+", default=DEFAULT_WEIGHTS, metavar="NAME|DIR")
    parser.add_argument("--classifier", default=DEFAULT_CLASSIFIER, metavar="NAME|DIR|none")
    parser.add_argument(
        "--composed", type=float, default=COMPOSED, help="share of the drawing's descriptor in a query"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    wanted = parser.parse_args()
    for path in wanted.data:
        if not path.exists():
            raise DataError(f"{path} does not exist; name the photographs, or labelled sets.")
    measure(wanted)


if __name__ == "__main__":
    sys.exit(run_script(main))
