"""How well the estimates in a collection's vectors tell what faces show.

AUC is the area under the receiver operating characteristic: how often a face that shows something gets a
higher probability of it than one that does not, ties counting half.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import ATTRIBUTES, Attribute, FaceSet, Words, number_of
from faces.types import Bools, Doubles, Floats
from retrieval.engine import Engine

SPECTACLES = frozenset({"spectacles", "glasses-1", "glasses-2"})
SUNGLASSES = frozenset({"sunglasses", "glasses-3"})
HATS = frozenset({"hat-1", "hat-2", "hat-3"})
ASIDE = 15.0
"""Degrees up to which a face counts as straight."""
LEAST = 0.001
"""Probability that a label is taken to have at least, so that one certain error is not infinitely bad."""


@dataclass(frozen=True)
class Detection:
    """Something to tell faces by: those labelled ``shown`` from those labelled ``otherwise``."""

    name: str
    attribute: Attribute
    shown: Collection[str]
    otherwise: str


DETECTIONS = (
    Detection("glasses of any kind", "accessory", SPECTACLES | SUNGLASSES, "none"),
    Detection("spectacles", "accessory", SPECTACLES, "none"),
    Detection("sunglasses", "accessory", SUNGLASSES, "none"),
    Detection("hats", "accessory", HATS, "none"),
    Detection("head scarf", "accessory", {"head-scarf"}, "none"),
    Detection("mask", "accessory", {"mask"}, "none"),
    Detection("smile or laugh", "expression", {"smile", "laugh"}, "neutral"),
    Detection("eyes closed", "expression", {"eyes-closed"}, "neutral"),
    Detection("surprised", "expression", {"surprised"}, "neutral"),
    Detection("head up", "tilt", {"up"}, "level"),
    Detection("head down", "tilt", {"down"}, "level"),
)


@dataclass(frozen=True)
class Estimates:
    """What N faces are taken to show.

    ``values`` are the V words of each attribute, ``posteriors`` (N, V) their probabilities; ``yaw`` (N,) is
    the expected one in degrees, None if no weights know poses.
    """

    values: Mapping[str, tuple[str, ...]]
    posteriors: Mapping[str, Doubles]
    yaw: Doubles | None

    def likeliest(self, attribute: str) -> Words:
        """Return the likeliest words (N,) of an attribute."""
        words = np.array(self.values[attribute], np.str_)
        found: Words = words[self.posteriors[attribute].argmax(axis=1)]
        return found

    def probability(self, attribute: str, words: Collection[str]) -> Doubles:
        """Return the probability (N,) that faces show one of some words; unknown ones add nothing."""
        summed = [value in words for value in self.values[attribute]]
        return np.asarray(self.posteriors[attribute][:, summed].sum(axis=1))


@dataclass(frozen=True)
class Measured:
    """A number and over how many faces it was taken; ``unit`` is "%", "°", "AUC" or "nats"."""

    name: str
    value: float
    unit: str
    faces: int

    @property
    def row(self) -> tuple[str, str, str]:
        """What it is, the number, and the faces, for a table."""
        digits = 3 if self.unit in ("AUC", "nats") else 1
        return f"{self.name} ({self.unit})", f"{self.value:.{digits}f}", f"{self.faces:,}"


def estimates_in(engine: Engine, vectors: Floats) -> Estimates:
    """Read what the vectors (N, D) of an engine say of faces."""
    values, posteriors, yaw = {}, {}, None
    for one in engine.attributes.values():
        name = one.group.name
        values[name] = one.group.values
        likely = np.exp(vectors[:, one.posterior].astype(np.float64))
        posteriors[name] = likely / likely.sum(axis=1, keepdims=True)
        if name == "pose" and one.moments is not None:
            yaw = vectors[:, one.moments.start].astype(np.float64) * one.unit
    return Estimates(values, posteriors, yaw)


def at_most(estimates: Estimates, degrees: float) -> Estimates:
    """Count poses beyond so many degrees as the farthest up to there, for labels that know no more.

    The expected yaw stays.
    """
    poses = estimates.values.get("pose", ())
    numbers = np.array([number_of(word) for word in poses], np.float64)
    kept = np.abs(numbers) <= degrees
    if kept.all():
        return estimates
    nearest = np.abs(numbers[:, None] - numbers[kept]).argmin(axis=1)
    posterior = estimates.posteriors["pose"] @ np.eye(int(kept.sum()))[nearest]
    values = tuple(word for word, one in zip(poses, kept, strict=True) if one)
    return Estimates(
        {**estimates.values, "pose": values}, {**estimates.posteriors, "pose": posterior}, estimates.yaw
    )


def labelled_yaw(faces: FaceSet) -> Doubles:
    """Return the labelled poses (N,) in degrees, NaN where they are none."""
    return np.array([number_of(word) for word in faces.poses.tolist()], np.float64)  # None becomes NaN


def agrees(labelled: str, value: str) -> bool:
    """Tell whether an estimated value is what a label says: the same word or number, or such spectacles."""
    if labelled == "spectacles":
        return value in SPECTACLES
    number = number_of(labelled)
    return labelled == value or (number is not None and number == number_of(value))


def detected(estimates: Estimates, faces: FaceSet, wanted: Detection) -> Measured | None:
    """Measure the AUC of a detection; None without faces of both kinds, or weights that know it."""
    from sklearn.metrics import roc_auc_score

    known = estimates.values.get(wanted.attribute, ())
    labels = faces.attribute(wanted.attribute)
    shown = np.isin(labels, np.array(sorted(wanted.shown)))
    judged = shown | (labels == wanted.otherwise)
    if not set(known) & set(wanted.shown) or not shown.any() or shown[judged].all():
        return None
    scores = estimates.probability(wanted.attribute, wanted.shown)
    area = float(roc_auc_score(shown[judged], scores[judged]))
    return Measured(f"{wanted.name}, not {wanted.otherwise}", area, "AUC", int(judged.sum()))


def recognised(estimates: Estimates, faces: FaceSet, attribute: Attribute) -> list[Measured]:
    """Measure in how many faces the likeliest value is the labelled one, and the mean of its -log p.

    Of the faces labelled with a value that the weights know; nothing if there are none.
    """
    known, labels = estimates.values.get(attribute, ()), faces.attribute(attribute)
    means = {
        word: [agrees(word, value) for value in known] for word in (*faces.values(attribute), "")
    }  # which values are right of a face with that label
    right = np.array([means[word] for word in labels.tolist()], np.bool_).reshape(len(faces), len(known))
    judged = right.any(axis=1)
    if not judged.any():
        return []
    right, posterior = right[judged], estimates.posteriors[attribute][judged]
    told = right[np.arange(len(right)), posterior.argmax(axis=1)]
    losses = -np.log(np.maximum((posterior * right).sum(axis=1), LEAST))
    return [
        Measured(f"{attribute} recognised", 100 * float(told.mean()), "%", len(right)),
        Measured(f"{attribute}, log loss", float(losses.mean()), "nats", len(right)),
    ]


def bare_taken_for_worn(estimates: Estimates, faces: FaceSet) -> Measured | None:
    """Measure how many faces that wear nothing are taken to wear something; None without such faces."""
    bare = faces.accessories == "none"
    if "none" not in estimates.values.get("accessory", ()) or not bare.any():
        return None
    worn = estimates.likeliest("accessory")[bare] != "none"
    return Measured("bare faces taken for something worn", 100 * float(worn.mean()), "%", int(bare.sum()))


def yaw_error(estimates: Estimates, yaw: Doubles) -> Measured | None:
    """Measure the mean absolute error of the expected yaw, of faces of known ``yaw`` (N,), else NaN."""
    known = ~np.isnan(yaw)
    if estimates.yaw is None or not known.any():
        return None
    apart = np.abs(estimates.yaw - yaw)[known]
    return Measured("expected yaw, mean absolute error", float(apart.mean()), "°", int(known.sum()))


def side_recognised(estimates: Estimates, yaw: Doubles) -> Measured | None:
    """Measure how often the expected yaw lies on the right side of -15 and +15 degrees.

    A face is turned if its ``yaw`` (N,) is 30 degrees or more, straight if it is 0; others are not judged.
    A straight face must be expected from -15 to +15, a turned one beyond, on its side.
    """
    judged = (yaw == 0) | (np.abs(yaw) >= 2 * ASIDE)
    if estimates.yaw is None or not judged.any():
        return None
    right = sides(estimates.yaw[judged]) == sides(yaw[judged])
    return Measured("straight or turned to which side", 100 * float(right.mean()), "%", int(judged.sum()))


def sides(yaw: Doubles) -> NDArray[np.float64]:
    """Tell -1, 0 or 1 of yaws (N,): beyond -15 degrees, between, or beyond +15."""
    return np.where(np.abs(yaw) > ASIDE, np.sign(yaw), 0.0)


def measured(estimates: Estimates, faces: FaceSet, yaw: Doubles) -> list[Measured]:
    """Measure all that labels and weights allow; ``yaw`` (N,) are the true ones, NaN if not known exactly."""
    found = [
        *(detected(estimates, faces, wanted) for wanted in DETECTIONS),
        bare_taken_for_worn(estimates, faces),
        yaw_error(estimates, yaw),
        side_recognised(estimates, labelled_yaw(faces)),
        *(one for group in ATTRIBUTES for one in recognised(estimates, faces, group)),
    ]
    return [one for one in found if one is not None]


def confusion(
    estimates: Estimates, faces: FaceSet, attribute: Attribute
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Count what faces of each label are taken for: the columns, and a row for each label."""
    values, told = estimates.values[attribute], estimates.likeliest(attribute)
    rows = []
    for word in faces.values(attribute):
        taken: Bools = faces.attribute(attribute) == word
        counts = [int((told[taken] == value).sum()) for value in values]
        rows.append((word, *(str(count) for count in counts)))
    return (attribute, *values), rows
