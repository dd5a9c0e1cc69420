"""From labelled sets of faces to what a training reads: who learns, who validates, and in what units."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Attribute, FaceSet, number_of
from facedata.pairs import ATTRIBUTES, ordered_pairs
from faces.errors import TrainingError
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


@dataclass(frozen=True)
class Pairs:
    """All the pairs one may train on, sorted by person.

    ``rows`` is (P, 2) int64: source and target, indices of crops; the pairs of person p are
    ``rows[starts[p]:starts[p + 1]]``.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    @property
    def people(self) -> int:
        return len(self.starts) - 1

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class PairSet:
    """Faces, what each shows of the attribute, and the pairs among them."""

    faces: FaceSet
    codes: NDArray[np.int64]
    """(N,) the code of each face's value in the vocabulary; -1 if it is only changed from, never to."""
    settings: NDArray[np.int64]
    """(N,) equal numbers for faces that agree in all other attributes, whoever they are."""
    pairs: Pairs


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
    def _fingerprint(self) -> str:
        return _fingerprint(self.train)

    def describe(self) -> dict[str, object]:
        """Say exactly which data it is, as JSON values."""
        held = self.validation
        return {
            "name": self.train.faces.name,
            "crops": len(self.train.faces),
            "people": self.train.pairs.people,
            "pairs": len(self.train.pairs),
            "sha256": self._fingerprint,
            "validation_name": held.faces.name if held else None,
            "validation_crops": len(held.faces) if held else 0,
            "validation_people": held.pairs.people if held else 0,
        }


def join_sets(sets: Sequence[FaceSet]) -> FaceSet:
    """Join several sets; people of different sets are different people, even if their names agree.

    Raises TrainingError if the crops differ in size or there is no set.
    """
    if not sets:
        raise TrainingError("There are no faces to train on; name at least one labelled folder.")
    if len(sets) == 1:
        return sets[0]
    sizes = {faces.size for faces in sets}
    if len(sizes) > 1:
        raise TrainingError(f"All sets must have crops of one size, not {sorted(sizes)} pixels.")
    return FaceSet(
        name="+".join(faces.name for faces in sets),
        crops=np.concatenate([faces.crops for faces in sets]),
        persons=np.concatenate(
            [np.char.add(f"{number}/", faces.persons) for number, faces in enumerate(sets)]
        ),
        poses=np.concatenate([faces.poses for faces in sets]),
        lights=np.concatenate([faces.lights for faces in sets]),
        accessories=np.concatenate([faces.accessories for faces in sets]),
        splits=np.concatenate([faces.splits for faces in sets]),
        files=np.concatenate([faces.files for faces in sets]),
        left_out=sum(faces.left_out for faces in sets),
        clean=np.concatenate([drawn_as(faces) for faces in sets])
        if any(faces.clean is not None for faces in sets)
        else None,
    )


def drawn_as(faces: FaceSet) -> NDArray[np.uint8]:
    """Return (N, S, S) uint8: what shall be drawn of each face, its clean version if there is one."""
    return faces.crops if faces.clean is None else faces.clean


def restrict_people(faces: FaceSet, first: int, last: int) -> FaceSet:
    """Keep the faces of people ``first`` to ``last``, inclusive, counted from 0 in the order of their names.

    Raises TrainingError if that is nobody.
    """
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

    The vocabulary is all the values that the faces show, or ``to``, in that order: then faces of any value
    are changed, but to these values only, such as from a bar over the eyes to none.
    People of split ``test`` are never looked at.  People of split ``val`` validate and everybody else trains;
    if nobody is of split ``val``, one in twenty validates, drawn by ``seed``, 20 at most.  ``held_out``
    draws that many instead, whatever the splits.  ``validation`` gives other faces to validate on, so
    that everybody trains but the people of split ``val``.
    Raises TrainingError if the attribute has fewer than two values, ``to`` names what no face shows, or
    nobody is left.
    """
    usable = faces.select((faces.splits != "test") & (faces.attribute(attribute) != ""))
    values = usable.values(attribute)
    if len(values) < 2:
        raise TrainingError(
            f"The faces to train on show {len(values)} known values of {attribute}; a change needs two."
        )
    vocabulary = Vocabulary(groups=(AttributeGroup(name=attribute, values=_targets(values, to)),))
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
        vocabulary=vocabulary,
        train=_pair_set(learners, attribute, vocabulary),
        validation=_pair_set(others, attribute, vocabulary) if len(others) else None,
        mean=mean,
        std=std,
    )


def mirrored_codes(vocabulary: Vocabulary) -> NDArray[np.int64] | None:
    """Return what each code becomes when a picture is mirrored: signed numbers change sign, words stay.

    (V,) int64, or None if a group has signed numbers without their opposites, so that mirrored pictures
    would show values the vocabulary does not know.
    """
    opposites: list[dict[str, str]] = []
    for group in vocabulary.groups:
        numbers = {value: number_of(value) for value in group.values}
        if any(number is None for number in numbers.values()) or all((n or 0) >= 0 for n in numbers.values()):
            opposites.append({value: value for value in group.values})
            continue
        by_number = {number: value for value, number in numbers.items()}
        if any(-(number or 0.0) not in by_number for number in by_number):
            return None
        opposites.append({value: by_number[-(number or 0.0)] for value, number in numbers.items()})
    return np.array(
        [
            vocabulary.code(
                {
                    group.name: opposite[value]
                    for group, opposite, value in zip(vocabulary.groups, opposites, combination, strict=True)
                }
            )
            for combination in vocabulary.combinations
        ],
        np.int64,
    )


def _moments(crops: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and deviation of all grey levels, from their histogram: exact, and without a float copy."""
    counts = np.zeros(256)
    for part in np.array_split(crops.reshape(-1), max(1, crops.size // 2**24)):
        counts += np.bincount(part, minlength=256)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))


def _unseen(faces: FaceSet, seed: int, held_out: int | None) -> NDArray[np.bool_]:
    validating: NDArray[np.bool_] = faces.splits == "val"
    if validating.any() and held_out is None:
        return validating
    people = np.unique(faces.persons)
    count = held_out
    if count is None:
        count = min(_HELD_OUT_MOST, max(1, round(_HELD_OUT_SHARE * len(people)))) if len(people) > 1 else 0
    if count < 0 or count >= len(people):
        raise TrainingError(
            f"{count} of {len(people)} people cannot be held out; leave somebody to train on."
        )
    chosen = np.random.default_rng([seed, Stream.HELD_OUT]).permutation(people)[:count]
    unseen: NDArray[np.bool_] = np.isin(faces.persons, chosen)
    return unseen


def _targets(values: Sequence[str], to: Sequence[str] | None) -> tuple[str, ...]:
    """The values to change to, of those that the faces show."""
    if to is None:
        return tuple(values)
    unknown = [word for word in to if word not in values]
    if unknown or not to or len(set(to)) < len(to):
        what = f"there is no {unknown[0]!r}" if unknown else "they must be named, each once"
        raise TrainingError(f"Of the values to change to, {what}; the faces show: {', '.join(values)}.")
    return tuple(to)


def _pair_set(faces: FaceSet, attribute: Attribute, vocabulary: Vocabulary) -> PairSet:
    known = {value: vocabulary.code({attribute: value}) for value in vocabulary.groups[0].values}
    words, place = np.unique(faces.attribute(attribute), return_inverse=True)
    codes = np.array([known.get(str(word), -1) for word in words], np.int64)[place]
    rows = ordered_pairs(faces, attribute)
    others = [faces.attribute(name) for name in ATTRIBUTES if name != attribute]
    settings = np.unique(np.stack(others), axis=1, return_inverse=True)[1]
    return PairSet(
        faces=faces,
        codes=codes,
        settings=np.asarray(settings, np.int64).reshape(-1),
        pairs=_sort_pairs(rows[codes[rows[:, 1]] >= 0], faces.persons),
    )


def _sort_pairs(rows: NDArray[np.int64], persons: NDArray[np.str_]) -> Pairs:
    """Group ordered pairs (P, 2) by person; ``persons`` (N,) names the person of each crop."""
    if not len(rows):
        raise TrainingError(
            "No person has two pictures that differ in the attribute alone, so nothing can be learnt."
        )
    _, owners = np.unique(persons[rows[:, 0]], return_inverse=True)
    order = np.argsort(owners, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners))])
    return Pairs(rows=rows[order], starts=starts.astype(np.int64))


def _fingerprint(data: PairSet) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(data.faces.crops).data)
    if data.faces.clean is not None:
        digest.update(np.ascontiguousarray(data.faces.clean).data)
    digest.update(data.codes.tobytes())
    digest.update(data.pairs.rows.tobytes())
    return digest.hexdigest()
