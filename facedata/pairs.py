"""Splits by person, and the pairs a network learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError
from faces.types import Ints

ATTRIBUTES: tuple[Attribute, ...] = ("pose", "light", "accessory")


def split_by_person(faces: FaceSet, *, val: float, test: float, seed: int) -> FaceSet:
    """Return the same faces with new ``splits``, drawn so that nobody is in two of them.

    ``val`` and ``test`` are shares of the people, rounded, but at least one person if the share is above
    0; the rest is for training.  The draw depends on the set of people and ``seed``, not on the order of the
    faces.  Raises DataError if the shares are not in 0..1 or leave nobody to train on.
    """
    if not (0 <= val < 1 and 0 <= test < 1):
        raise DataError(f"the shares of people must lie between 0 and 1, not val {val} and test {test}.")
    people, person_of = np.unique(faces.persons, return_inverse=True)
    counts = {
        name: max(1, round(share * len(people))) if share else 0
        for name, share in (("val", val), ("test", test))
    }
    if counts["val"] + counts["test"] >= len(people):
        raise DataError(f"{len(people)} people are too few to split into train, val {val} and test {test}.")
    order = np.random.default_rng(seed).permutation(len(people))
    split_of = np.full(len(people), "train", dtype="<U5")
    split_of[order[: counts["val"]]] = "val"
    split_of[order[counts["val"] : counts["val"] + counts["test"]]] = "test"
    return replace(faces, splits=split_of[person_of])


def ordered_pairs(faces: FaceSet, attribute: Attribute) -> Ints:
    """List all (source, target) pairs of one person that differ in one attribute and in nothing else.

    (P, 2) int64 indices into ``faces``, by source, then target.  The two faces show the same person with
    different, known values of ``attribute`` and equal values of the other attributes (for poses: under the
    same light; an unknown light equals an unknown light).  100 people × 7 poses × 20 lights give
    100 × 20 × 7 × 6 = 84,000 pairs.
    """
    value = np.unique(faces.attribute(attribute), return_inverse=True)[1]
    known = np.flatnonzero(faces.attribute(attribute) != "")
    group = groups(faces.select(known), *(name for name in ATTRIBUTES if name != attribute))
    order = np.argsort(group, kind="stable")  # faces of one group lie side by side
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    partners = sizes[group[order]]  # every face meets all of its group
    source = np.repeat(order, partners)
    place = np.arange(len(source)) - np.repeat(np.cumsum(partners) - partners, partners)
    target = order[np.repeat(starts[group[order]], partners) + place]
    source, target = known[source], known[target]
    different = value[source] != value[target]
    pairs = np.stack([source[different], target[different]], axis=1).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def groups(faces: FaceSet, *attributes: Attribute) -> Ints:
    """Number groups, (N,) int64 from 0: equal for faces of one person that agree in all these attributes."""
    number: NDArray[np.int64] = np.unique(faces.persons, return_inverse=True)[1].astype(np.int64)
    for name in attributes:
        words, code = np.unique(faces.attribute(name), return_inverse=True)
        number = np.unique(number * len(words) + code, return_inverse=True)[1].astype(np.int64)
    return number
