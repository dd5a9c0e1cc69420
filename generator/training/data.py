"""From labelled sets of faces to what a training reads: who learns, who validates, and in what units."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import ATTRIBUTES, WORDS, Attribute, FaceSet
from facedata.pairs import ordered_pairs
from faces.errors import TrainingError
from faces.types import Ints
from generator.attributes import AttributeGroup, Vocabulary

_HELD_OUT_SHARE, _HELD_OUT_MOST = 0.05, 20


@unique
class Stream(IntEnum):
    """The streams of random numbers that a training draws from, each with the seed before it."""

    EPOCH = 1
    BATCH = 2
    HELD_OUT = 3
    AUGMENTATION = 4
    ANY_LIGHT = 5
    VALIDATION = 6
    CPI_EXAMPLE = 11
    CPI_REDRAW = 12


@dataclass(frozen=True)
class PairSet:
    """Faces, what each shows of the attribute, and the pairs among them that one may train on."""

    faces: FaceSet
    codes: Ints  # (N,) the code of each face's value; -1 if it is only changed from, never to
    settings: Ints  # (N,) equal numbers for faces that agree in all other attributes, whoever they are
    pairs: Ints  # (P, 2) source and target, indices of faces, sorted by person
    starts: Ints  # (people + 1,): the pairs of person p are ``pairs[starts[p]:starts[p + 1]]``

    @property
    def people(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class TrainingData:
    """All that a training reads; ``mean`` and ``std`` are of the grey levels of the training faces."""

    attribute: Attribute
    vocabulary: Vocabulary
    train: PairSet
    validation: PairSet | None
    mean: float
    std: float

    @cached_property
    def description(self) -> dict[str, object]:
        """Which data exactly it is, as JSON values."""
        train, held = self.train, self.validation
        digest = hashlib.sha256(np.ascontiguousarray(train.faces.crops).data)
        if train.faces.clean is not None:
            digest.update(np.ascontiguousarray(train.faces.clean).data)
        digest.update(train.codes.tobytes())
        digest.update(train.pairs.tobytes())
        return {
            "name": train.faces.name,
            "crops": len(train.faces),
            "people": train.people,
            "pairs": len(train.pairs),
            "sha256": digest.hexdigest(),
            "validation_name": held.faces.name if held else None,
            "validation_crops": len(held.faces) if held else 0,
            "validation_people": held.people if held else 0,
        }


def join_sets(sets: Sequence[FaceSet]) -> FaceSet:
    """Join sets, keeping their people apart; raises TrainingError if there is none or the crops differ."""
    if not sets:
        raise TrainingError("There are no faces to train on; name at least one labelled folder.")
    if len(sets) == 1:
        return sets[0]
    sizes = {faces.size for faces in sets}
    if len(sizes) > 1:
        raise TrainingError(f"All sets must have crops of one size, not {sorted(sizes)} pixels.")
    joined = ("crops", *(name for name in WORDS if name != "persons"))
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(faces, name) for faces in sets]) for name in joined
    }
    cleaned = any(faces.clean is not None for faces in sets)
    return FaceSet(
        name="+".join(faces.name for faces in sets),
        persons=np.concatenate(
            [np.char.add(f"{number}/", faces.persons) for number, faces in enumerate(sets)]
        ),
        left_out=sum(faces.left_out for faces in sets),
        clean=np.concatenate([drawn_as(faces) for faces in sets]) if cleaned else None,
        **columns,
    )


def drawn_as(faces: FaceSet) -> NDArray[np.uint8]:
    """Return (N, S, S) uint8: what shall be drawn of each face, its clean version if there is one."""
    return faces.crops if faces.clean is None else faces.clean


def restrict_people(faces: FaceSet, first: int, last: int) -> FaceSet:
    """Keep people ``first`` to ``last``, from 0 in order of name; raises TrainingError if that is nobody."""
    people = np.unique(faces.persons)
    chosen = people[max(first, 0) : last + 1]
    if not len(chosen):
        raise TrainingError(
            f"There are no people {first} to {last}; the set has {len(people)}, counted from 0."
        )
    return faces.select(np.isin(faces.persons, chosen))


def prepare(
    faces: FaceSet,
    *,
    attribute: Attribute,
    seed: int,
    to: Sequence[str] | None = None,
    held_out: int | None = None,
    validation: FaceSet | None = None,
) -> TrainingData:
    """Decide who trains and who validates, by the labels' splits.

    Faces are changed to all the values that they show, or to those of ``to``, in that order.
    People of split ``test`` are never looked at.  People of split ``val`` validate and everybody else trains;
    if nobody is of split ``val``, one in twenty validates, drawn by ``seed``, 20 at most.  ``held_out`` draws
    that many instead, whatever the splits.  ``validation`` gives other faces to validate on.
    Raises TrainingError if there are fewer than two values, no face shows one of ``to`` or nobody is left.
    """
    usable = faces.select((faces.splits != "test") & (faces.attribute(attribute) != ""))
    values = usable.values(attribute)
    if len(values) < 2:
        raise TrainingError(
            f"The faces to train on show {len(values)} known values of {attribute}; a change needs two."
        )
    chosen = values if to is None else tuple(to)
    unknown = [word for word in chosen if word not in values]
    if unknown or not chosen or len(set(chosen)) < len(chosen):
        what = f"there is no {unknown[0]!r}" if unknown else "they must be named, each once"
        raise TrainingError(f"Of the values to change to, {what}; the faces show: {', '.join(values)}.")
    group = AttributeGroup(name=attribute, values=chosen)
    if validation is None:
        unseen = _unseen(usable, seed, held_out)
        learners, others = usable.select(~unseen), usable.select(unseen)
    else:
        learners = usable.select(usable.splits != "val")
        others = validation.select(np.isin(validation.attribute(attribute), values))
        if validation.size != faces.size or not len(others):
            raise TrainingError(
                f"The faces to validate on must have crops of {faces.size} pixels and the same values of "
                f"{attribute}."
            )
    if not len(learners):
        raise TrainingError("Nobody is left to train on; name a set with people of split train or of none.")
    mean, std = _moments(learners.crops)
    if std <= 0:
        raise TrainingError("All the faces to train on are of one grey level; the pictures must be wrong.")
    return TrainingData(
        attribute=attribute,
        vocabulary=Vocabulary(groups=(group,)),
        train=_pair_set(learners, attribute, group),
        validation=_pair_set(others, attribute, group) if len(others) else None,
        mean=mean,
        std=std,
    )


def mirrored_codes(vocabulary: Vocabulary) -> Ints | None:
    """Return what each code becomes when a picture is mirrored: signed numbers change sign, words stay.

    (V,) int64, or None if a group has signed numbers without their opposites, so that mirrored pictures
    would show values the vocabulary does not know.
    """
    places = []
    for group in vocabulary.groups:
        numbers = group.numbers
        if numbers is None or min(numbers) >= 0:
            places.append(list(range(len(group.values))))
        elif any(-number not in numbers for number in numbers):
            return None
        else:
            places.append([numbers.index(-number) for number in numbers])
    sizes = [len(group.values) for group in vocabulary.groups]
    return np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), sizes).ravel().astype(np.int64)


def _moments(crops: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and deviation of all grey levels, from their histogram: exact, and without a float copy."""
    counts, levels = np.zeros(256), np.arange(256)
    for part in np.array_split(crops.reshape(-1), max(1, crops.size // 2**24)):
        counts += np.bincount(part, minlength=256)
    mean = float((counts * levels).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))


def _unseen(faces: FaceSet, seed: int, held_out: int | None) -> NDArray[np.bool_]:
    validating: NDArray[np.bool_] = faces.splits == "val"
    if validating.any() and held_out is None:
        return validating
    people = np.unique(faces.persons)
    usual = min(_HELD_OUT_MOST, max(1, round(_HELD_OUT_SHARE * len(people)))) if len(people) > 1 else 0
    count = usual if held_out is None else held_out
    if count < 0 or count >= len(people):
        raise TrainingError(
            f"{count} of {len(people)} people cannot be held out; leave somebody to train on."
        )
    chosen = np.random.default_rng([seed, Stream.HELD_OUT]).permutation(people)[:count]
    return np.isin(faces.persons, chosen)


def _pair_set(faces: FaceSet, attribute: Attribute, group: AttributeGroup) -> PairSet:
    words, place = np.unique(faces.attribute(attribute), return_inverse=True)
    known = {value: code for code, value in enumerate(group.values)}
    codes = np.array([known.get(str(word), -1) for word in words], np.int64)[place]
    others = np.stack([faces.attribute(name) for name in ATTRIBUTES if name != attribute])
    settings = np.unique(others, axis=1, return_inverse=True)[1]
    pairs = ordered_pairs(faces, attribute)
    pairs = pairs[codes[pairs[:, 1]] >= 0]
    if not len(pairs):
        raise TrainingError(
            "No person has two pictures that differ in the attribute alone, so nothing can be learnt."
        )
    owners = np.unique(faces.persons[pairs[:, 0]], return_inverse=True)[1]
    return PairSet(
        faces=faces,
        codes=codes,
        settings=settings.astype(np.int64).reshape(-1),
        pairs=pairs[np.argsort(owners, kind="stable")],
        starts=np.concatenate([[0], np.cumsum(np.bincount(owners))]).astype(np.int64),
    )
