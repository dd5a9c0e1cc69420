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
from facedata.labels import ACCESSORIES, EXPRESSIONS, LIGHTS, TILTS
from facedata.pairs import numbered, pairs_within
from faces.errors import TrainingError
from faces.types import Floats, Ints
from generator.attributes import AttributeGroup, Vocabulary

_HELD_OUT_SHARE, _HELD_OUT_MOST = 0.05, 20
_KNOWN: dict[str, tuple[str, ...]] = {
    "light": LIGHTS,
    "accessory": ACCESSORIES,
    "tilt": TILTS,
    "expression": EXPRESSIONS,
}
"""Words with a meaning that people know, in the order of their places among several attributes."""
_SETTLED = "\n"  # stands for a known word; no label holds it


@unique
class Stream(IntEnum):
    """The streams of random numbers that a training draws from, each with the seed before it."""

    EPOCH = 1
    BATCH = 2
    HELD_OUT = 3
    AUGMENTATION = 4
    ANY_LIGHT = 5
    VALIDATION = 6
    DROPOUT = 7
    CLEAN = 8
    CPI_EXAMPLE = 11
    CPI_REDRAW = 12


@dataclass(frozen=True)
class PairSet:
    """Faces, what each shows of G attributes, and the pairs among them that one may train on.

    A pair shows one person in one scene.  It differs in one or several of the attributes and agrees in all
    else that labels tell.
    """

    faces: FaceSet
    values: Ints  # (N, G) the place of each face's value; -1 if unknown, or only changed from, never to
    vectors: Floats
    """(N, A) float32 attribute vectors, zeros for what is unknown.

    Both faces of a pair then have the same zeros, so that the network learns that zeros mean: as it is.
    Equal shares would be a wish as well, the one for something between all values.
    """
    settings: Ints
    """(N,) equal numbers for faces that agree in all that is not among ``values``, whoever it is."""
    pairs: Ints  # (P, 2) source and target, indices of faces, sorted by person
    starts: Ints  # (people + 1,): the pairs of person p are ``pairs[starts[p]:starts[p + 1]]``

    @property
    def people(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class TrainingData:
    """All that a training reads; ``mean`` and ``std`` are of the grey levels of the training faces."""

    vocabulary: Vocabulary  # its groups are named as the attributes
    train: PairSet
    validation: PairSet | None
    mean: float
    std: float

    @property
    def required_validation(self) -> PairSet:
        """Those who validate; raises TrainingError if there is nobody."""
        if self.validation is None:
            raise TrainingError("There is nobody to validate on; name more people, or a set to validate on.")
        return self.validation

    @cached_property
    def description(self) -> dict[str, object]:
        """Which data exactly it is, as JSON values."""
        train, held = self.train, self.validation
        digest = hashlib.sha256(np.ascontiguousarray(train.faces.crops).data)
        if train.faces.clean is not None:
            digest.update(np.ascontiguousarray(train.faces.clean).data)
        digest.update(train.values.tobytes())
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
    attribute: Attribute | Sequence[Attribute],
    seed: int,
    to: Sequence[str] | None = None,
    held_out: int | None = None,
    validation: FaceSet | None = None,
) -> TrainingData:
    """Decide what can be changed, and who trains and who validates, by the labels' splits.

    Faces are changed to all the values that they show, or to those of ``to``, in that order.  With several
    attributes a face need not show a known value of each; words beside the well-known ones, such as numbers
    of lamps beside "left" and "dim", are unknown then.
    People of split ``test`` are never looked at.  People of split ``val`` validate and everybody else trains;
    if nobody is of split ``val``, one in twenty validates, drawn by ``seed``, 20 at most.  ``held_out`` draws
    that many instead, whatever the splits.  ``validation`` gives other faces to validate on.
    Raises TrainingError if there are fewer than two values, no face shows one of ``to`` or nobody is left.
    """
    attributes = (attribute,) if isinstance(attribute, str) else tuple(dict.fromkeys(attribute))
    usable = faces.select(faces.splits != "test")
    known = {name: _known_words(usable, name, alone=len(attributes) == 1) for name in attributes}
    for name, words in known.items():
        if len(words) < 2:
            raise TrainingError(
                f"The faces to train on show {len(words)} known values of {name}; a change needs two."
            )
    usable = usable.select(_labelled(usable, known))
    chosen = known if to is None else {attributes[0]: _chosen(to, known)}
    vocabulary = Vocabulary(tuple(AttributeGroup(name=name, values=words) for name, words in chosen.items()))
    if validation is None:
        unseen = _unseen(usable, seed, held_out)
        learners, others = usable.select(~unseen), usable.select(unseen)
    else:
        learners = usable.select(usable.splits != "val")
        others = validation.select(_labelled(validation, known))
        if validation.size != faces.size or not len(others):
            raise TrainingError(
                f"The faces to validate on must have crops of {faces.size} pixels and the same values of "
                f"{', '.join(attributes)}."
            )
    if not len(learners):
        raise TrainingError("Nobody is left to train on; name a set with people of split train or of none.")
    mean, std = _moments(learners.crops)
    if std <= 0:
        raise TrainingError("All the faces to train on are of one grey level; the pictures must be wrong.")
    return TrainingData(
        vocabulary=vocabulary,
        train=_pair_set(learners, known, vocabulary),
        validation=_pair_set(others, known, vocabulary) if len(others) else None,
        mean=mean,
        std=std,
    )


def varying(faces: FaceSet) -> tuple[Attribute, ...]:
    """Return the attributes in which the faces to train on differ; raises TrainingError if there are none."""
    usable = faces.select(faces.splits != "test")
    found = tuple(name for name in ATTRIBUTES if len(_known_words(usable, name, alone=False)) > 1)
    if not found:
        raise TrainingError(f"The faces to train on differ in none of {', '.join(ATTRIBUTES)}.")
    return found


def mirrored_places(faces: PairSet, vocabulary: Vocabulary) -> Ints | None:
    """Return ``vocabulary.mirrored``, with what its words do not tell found in the mean pictures of values.

    A mirrored picture of camera "c05" may show what "c29" shows.  Words stay what they are if they have a
    well-known meaning.  None if a mirrored mean picture is not twice as near to one mean as to all others,
    so that mirrored pictures would show what the vocabulary does not know.
    """
    if vocabulary.mirrored is None:
        return None
    found = vocabulary.mirrored.copy()
    for group, shown in zip(vocabulary.groups, faces.values.T, strict=True):
        signed = (group.numbers is not None and min(group.numbers) < 0) or group.values == ("0",)
        if signed or {*group.values} <= {*_KNOWN.get(group.name, ())}:
            continue
        count = len(group.values)
        if count < 2 or min(np.bincount(shown[shown >= 0], minlength=count)) == 0:
            return None
        means = np.stack([faces.faces.crops[shown == place].mean(0) for place in range(count)])
        apart = np.abs(means[:, None, :, ::-1] - means).mean((2, 3))  # (V, V)
        nearest, (first, second) = apart.argmin(1), np.sort(apart, axis=1).T[:2]
        if (first > second / 2).any() or (nearest[nearest] != np.arange(count)).any():
            return None
        place = vocabulary.places[group.name]
        found[place] = place.start + nearest
    return found


def _known_words(faces: FaceSet, name: Attribute, *, alone: bool) -> tuple[str, ...]:
    """The values of an attribute: all words there are, or, beside other attributes, the well-known ones."""
    words = faces.values(name)
    common = tuple(word for word in _KNOWN.get(name, ()) if word in words)
    return words if alone or len(common) < 2 else common


def _labelled(faces: FaceSet, known: dict[Attribute, tuple[str, ...]]) -> NDArray[np.bool_]:
    """Which faces (N,) show a known value of at least one attribute."""
    found = np.stack([np.isin(faces.attribute(name), words) for name, words in known.items()])
    return np.asarray(found.any(0))


def _chosen(to: Sequence[str], known: dict[Attribute, tuple[str, ...]]) -> tuple[str, ...]:
    """Check the values to change to; raises TrainingError."""
    if len(known) > 1:
        raise TrainingError("Values to change to can be chosen for one attribute only; leave out --to.")
    (values,) = known.values()
    unknown = [word for word in to if word not in values]
    if unknown or not to or len(set(to)) < len(to):
        what = f"there is no {unknown[0]!r}" if unknown else "they must be named, each once"
        raise TrainingError(f"Of the values to change to, {what}; the faces show: {', '.join(values)}.")
    return tuple(to)


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


def _pair_set(faces: FaceSet, known: dict[Attribute, tuple[str, ...]], vocabulary: Vocabulary) -> PairSet:
    shown = np.stack([_places(faces, name, words) for name, words in known.items()], axis=1)  # (N, G)
    values = np.stack([_places(faces, name, vocabulary.group(name).values) for name in known], axis=1)
    vectors = np.zeros((len(faces), vocabulary.size), np.float32)
    for place, column in zip(vocabulary.places.values(), values.T, strict=True):
        told = np.flatnonzero(column >= 0)
        vectors[told, place.start + column[told]] = 1
    columns = {name: faces.attribute(name) for name in ATTRIBUTES}
    for name, place in zip(known, shown.T, strict=True):
        columns[name] = np.where(place >= 0, _SETTLED, columns[name])
    settings, person = numbered(*columns.values()), numbered(faces.persons)
    pairs = pairs_within(numbered(person, faces.scenes, settings), numbered(*shown.T))
    pairs = pairs[((values >= 0) == (shown >= 0)).all(1)[pairs[:, 1]]]  # never to what is changed only from
    if not len(pairs):
        raise TrainingError(
            "No person has two pictures that differ in what is to be changed alone, so nothing can be learnt."
        )
    owners = numbered(person[pairs[:, 0]])
    return PairSet(
        faces=faces,
        values=values,
        vectors=vectors,
        settings=settings,
        pairs=pairs[np.argsort(owners, kind="stable")],
        starts=np.concatenate([[0], np.cumsum(np.bincount(owners))]).astype(np.int64),
    )


def _places(faces: FaceSet, name: Attribute, words: Sequence[str]) -> Ints:
    """(N,) int64: the place of each face's word of an attribute among ``words``, -1 if it is none of them."""
    there, which = np.unique(faces.attribute(name), return_inverse=True)
    places = {word: place for place, word in enumerate(words)}
    return np.array([places.get(str(word), -1) for word in there], np.int64)[which]
