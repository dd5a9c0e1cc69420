"""What the rivals learn from the training people, kept in one folder per attribute.

Two things are learned: the classifier that two-step retrieval filters by, on the best of several features,
and the mean vector of each value for feature arithmetic.  The folder holds ``config.json`` and
``rivals.safetensors``; reading it runs no code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from baselines.arithmetic import ValueMeans
from baselines.attribute_classifier import COMPONENTS, MODELS, AttributeClassifier, Model, reduce
from baselines.exact import Vectors
from baselines.features import Features
from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError, RowUnavailable
from faces.progress import NoProgress, Progress

HELD_OUT = 20


@dataclass(frozen=True)
class Candidate:
    """A classifier that was tried: ``accuracy`` is in percent of the validation people's faces."""

    feature: str
    model: Model
    accuracy: float


@dataclass(frozen=True)
class Rivals:
    """What was learned about one attribute.

    ``classifier`` reads the feature called ``feature``; ``means`` has means by name of feature.  ``weights``
    are name and id of the generator whose features ``features`` are, empty where they were not looked at.
    ``candidates`` are all classifiers that were tried, best first; ``data`` says what was learned from (JSON
    values), ``rivals_id`` is a hash over all that was kept, empty before.
    """

    attribute: Attribute
    feature: str
    classifier: AttributeClassifier
    means: Mapping[str, ValueMeans]
    weights: tuple[str, str]
    candidates: Sequence[Candidate]
    data: Mapping[str, object] = field(default_factory=dict)
    rivals_id: str = ""


def split_people(faces: FaceSet, *, held_out: int = HELD_OUT, seed: int = 0) -> tuple[FaceSet, FaceSet]:
    """Faces to learn from and faces of ``held_out`` other people to choose by, drawn by ``seed``.

    People of split ``test`` are left aside, and so are others than those of split ``train`` where there are
    some.  Raises DataError where nobody would be left to learn from.
    """
    learners = faces.split("train")
    if not len(learners):
        learners = faces.select(faces.splits != "test")
    people = np.unique(learners.persons)
    if not 0 < held_out < len(people):
        raise DataError(
            f"{len(people)} people are there to learn from; the number held out must be from 1 to "
            f"{max(1, len(people) - 1)}, not {held_out}."
        )
    drawn = np.random.default_rng(seed).choice(people, held_out, replace=False)
    kept_aside = np.isin(learners.persons, drawn)
    return learners.select(~kept_aside), learners.select(kept_aside)


def fit_rivals(
    learners: FaceSet,
    validation: FaceSet,
    *,
    attribute: Attribute,
    features: Sequence[Features],
    weights: tuple[str, str] = ("", ""),
    seed: int = 0,
    components: int = COMPONENTS,
    progress: Progress | None = None,
) -> Rivals:
    """Try every classifier on every feature, keep the best, and take the means.

    Each candidate learns from ``learners`` and is judged on ``validation``; the best one (the first of equal
    ones) then learns from both, and so do the means.  Features that need larger pictures are left out where
    the faces have none.  ``weights`` are name and id of the generator behind the features called
    ``features``.  Raises DataError where no feature is left or fewer than two values are shown.
    """
    progress = progress or NoProgress()
    learners = learners.select(learners.attribute(attribute) != "")
    validation = validation.select(np.isin(validation.attribute(attribute), learners.values(attribute)))
    if not len(validation):
        raise DataError(f"no face to choose by shows a known {attribute}; hold more people out.")
    candidates: list[Candidate] = []
    described: dict[str, tuple[Vectors, Vectors]] = {}
    left_out: dict[str, str] = {}
    for feature in features:
        try:
            described[feature.name] = (
                feature(learners.pictures, progress),
                feature(validation.pictures, progress),
            )
        except RowUnavailable as reason:
            left_out[feature.name] = reason.reason
    if not described:
        raise DataError("no feature is left to learn from: " + "; ".join(left_out.values()) + ".")
    words, judged = learners.attribute(attribute), validation.attribute(attribute)
    progress.start("fitting classifiers", len(described) * len(MODELS) + 1, "classifiers")
    try:
        for name, (seen, unseen) in described.items():
            reduced = reduce(seen, components=components, seed=seed)
            for model in MODELS:
                tried = AttributeClassifier(model=model, components=components, seed=seed)
                tried.fit_reduced(reduced, words)
                candidates.append(Candidate(name, model, tried.accuracy(unseen, judged)))
                progress.advance(note=f"{name}, {model}: {candidates[-1].accuracy:.1f} %")
        candidates.sort(key=lambda candidate: -candidate.accuracy)  # stable: the first of equal ones wins
        best = candidates[0]
        everybody = np.concatenate([words, judged])
        classifier = AttributeClassifier(model=best.model, components=components, seed=seed)
        classifier.fit(_joined(described[best.feature]), everybody)
        progress.advance()
    finally:
        progress.finish()
    means = {name: ValueMeans().fit(_joined(vectors), everybody) for name, vectors in described.items()}
    return Rivals(
        attribute=attribute,
        feature=best.feature,
        classifier=classifier,
        means=means,
        weights=weights if any(name == "features" for name in described) else ("", ""),
        candidates=candidates,
        data={
            "name": learners.name,
            "faces": len(learners) + len(validation),
            "people": len(np.unique(learners.persons)) + len(np.unique(validation.persons)),
            "validation_people": len(np.unique(validation.persons)),
            "sha256": _fingerprint(learners, validation, attribute),
            "seed": seed,
            "left_out": left_out,
        },
    )


def _joined(vectors: tuple[Vectors, Vectors]) -> Vectors:
    return cast(Vectors, np.concatenate(vectors))


def _fingerprint(learners: FaceSet, validation: FaceSet, attribute: Attribute) -> str:
    """SHA-256 over pictures and labels, in hexadecimal."""
    digest = hashlib.sha256()
    for faces in (learners, validation):
        labels = [faces.persons.tolist(), faces.attribute(attribute).tolist()]
        digest.update(json.dumps([list(faces.crops.shape), labels]).encode())
        digest.update(np.ascontiguousarray(faces.crops).data)
    return digest.hexdigest()
