"""The pairs a network learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import ATTRIBUTES, Attribute, FaceSet
from faces.types import Ints


def ordered_pairs(faces: FaceSet, attribute: Attribute) -> Ints:
    """List all (source, target) pairs of one person and scene that differ in one attribute and nothing else.

    (P, 2) int64 indices into ``faces``, by source, then target.  Both values of ``attribute`` are known; an
    unknown value of another attribute equals an unknown one.  100 people × 7 poses × 20 lights give
    100 × 20 × 7 × 6 = 84,000 pairs.
    """
    words = faces.attribute(attribute)
    others = (faces.attribute(name) for name in ATTRIBUTES if name != attribute)
    pairs = pairs_within(numbered(faces.persons, faces.scenes, *others), numbered(words))
    return np.asarray(pairs[(words[pairs] != "").all(1)])


def pairs_within(group: Ints, value: Ints) -> Ints:
    """List all (source, target) pairs of one group, (N,) from 0, with different values, (N,).

    (P, 2) int64 indices, by source, then target.
    """
    order = np.argsort(group, kind="stable")  # those of one group lie side by side
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    partners = sizes[group]  # each meets all of its group
    source = np.repeat(np.arange(len(group)), partners)
    place = np.arange(len(source)) - np.repeat(np.cumsum(partners) - partners, partners)
    target = order[np.repeat(starts[group], partners) + place]
    different = value[source] != value[target]
    return np.stack([source[different], target[different]], axis=1).astype(np.int64)


def numbered(*columns: NDArray[Any]) -> Ints:
    """Number rows, (N,) int64 from 0: equal where all the columns (N,) are, smaller where the first is."""
    number = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        known, code = np.unique(column, return_inverse=True)
        number = np.unique(number * len(known) + code, return_inverse=True)[1].astype(np.int64)
    return number
