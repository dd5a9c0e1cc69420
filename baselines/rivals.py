"""What the rivals learn from the training people, kept in one folder per attribute.

Two things are learned: the classifier that two-step retrieval filters by, on the best of several features,
and the mean vector of each value for feature arithmetic.  The folder holds ``config.json`` and
``rivals.safetensors``; reading it runs no code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.arithmetic import ValueMeans
from baselines.attribute_classifier import COMPONENTS, MODELS, AttributeClassifier, Model, reduce
from baselines.exact import Vectors
from baselines.features import Features
from facedata.labelled import Attribute, FaceSet, Words
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


def people_to_learn_from(faces: FaceSet) -> FaceSet:
    """The faces of split ``train``; where nobody is in it, of all but split ``test``."""
    chosen = faces.split("train")
    return chosen if len(chosen) else faces.select(faces.splits != "test")


def split_people(faces: FaceSet, *, held_out: int = HELD_OUT, seed: int = 0) -> tuple[FaceSet, FaceSet]:
    """``faces`` as those to learn from and those of ``held_out`` people to choose by, drawn by ``seed``.

    Raises DataError where nobody would be left to learn from.
    """
    people = np.unique(faces.persons)
    if not 0 < held_out < len(people):
        raise DataError(
            f"{len(people)} people are there to learn from; the number held out must be from 1 to "
            f"{max(1, len(people) - 1)}, not {held_out}."
        )
    drawn = np.random.default_rng(seed).choice(people, held_out, replace=False)
    kept_aside = np.isin(faces.persons, drawn)
    return faces.select(~kept_aside), faces.select(kept_aside)


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

    All learn from ``learners``; the classifier that tells most faces of ``validation`` rightly is kept, the
    first of equal ones.  Its people should be unknown to the features too: a network's features tell more
    of the people it was trained on.  Features that need larger pictures learn from the faces that have
    one; where ``validation`` has none, they still have means.  ``weights`` are name and id of the
    generator behind the features called ``features``.  Raises DataError where no feature is left, where
    fewer than two values are shown and where ``validation`` shows none of them.
    """
    progress = progress or NoProgress()
    learners = learners.select(learners.attribute(attribute) != "")
    validation = validation.select(np.isin(validation.attribute(attribute), learners.values(attribute)))
    if not len(validation):
        raise DataError(f"the faces to choose by show no {attribute} that can be learned; name other ones.")
    candidates: list[Candidate] = []
    means: dict[str, ValueMeans] = {}
    left_out: dict[str, str] = {}
    learned_from: dict[str, int] = {}
    best: tuple[Candidate, AttributeClassifier] | None = None
    for feature in features:
        shown, judged = _shown_to(feature, learners), _shown_to(feature, validation)
        words = shown.attribute(attribute)
        try:
            seen = feature(shown.pictures, progress)
            means[feature.name] = ValueMeans().fit(seen, words)
            learned_from[feature.name] = len(shown)
            unseen = feature(judged.pictures, progress)
        except RowUnavailable as reason:
            left_out[feature.name] = reason.reason
            continue
        for classifier in _fitted(seen, words, components, seed, progress):
            accuracy = classifier.accuracy(unseen, judged.attribute(attribute))
            candidates.append(Candidate(feature.name, classifier.model, accuracy))
            if best is None or candidates[-1].accuracy > best[0].accuracy:
                best = candidates[-1], classifier
    if best is None:
        raise DataError("no feature is left to learn from: " + "; ".join(left_out.values()) + ".")
    return Rivals(
        attribute=attribute,
        feature=best[0].feature,
        classifier=best[1],
        means=means,
        weights=weights if "features" in means else ("", ""),
        candidates=sorted(candidates, key=lambda candidate: -candidate.accuracy),
        data={
            **_described(learners, attribute),
            "validation": _described(validation, attribute),
            "seed": seed,
            "learned_from": learned_from,
            "left_out": left_out,
        },
    )


def _shown_to(feature: Features, faces: FaceSet) -> FaceSet:
    """The faces that a feature can describe: those with larger pictures where it needs these."""
    if not feature.needs_large or faces.large is None or not faces.large.present.any():
        return faces
    return faces.select(faces.large.present)


def _fitted(
    vectors: Vectors, words: Words, components: int, seed: int, progress: Progress
) -> Iterator[AttributeClassifier]:
    """A classifier of each kind that has learned (N, D) vectors and their (N,) words."""
    progress.start("fitting classifiers", len(MODELS), "classifiers")
    try:
        reduced = reduce(vectors, components=components, seed=seed)
        for model in MODELS:
            made = AttributeClassifier(model=model, components=components, seed=seed)
            yield made.fit_reduced(reduced, words)
            progress.advance()
    finally:
        progress.finish()


def _described(faces: FaceSet, attribute: Attribute) -> dict[str, object]:
    """Which faces they were; ``sha256`` is over pictures and labels, in hexadecimal."""
    labels = [faces.persons.tolist(), faces.attribute(attribute).tolist()]
    digest = hashlib.sha256(json.dumps([list(faces.crops.shape), labels]).encode())
    digest.update(np.ascontiguousarray(faces.crops).data)
    people = len(np.unique(faces.persons))
    return {"name": faces.name, "faces": len(faces), "people": people, "sha256": digest.hexdigest()}
