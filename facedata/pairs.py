"""The pairs a network learns from."""

from __future__ import annotations

import numpy as np

from facedata.labelled import ATTRIBUTES, Attribute, FaceSet
from faces.types import Ints


def ordered_pairs(faces: FaceSet, attribute: Attribute) -> Ints:
    """List all (source, target) pairs of one person and scene that differ in one attribute and nothing else.

    (P, 2) int64 indices into ``faces``, by source, then target.  Both values of ``attribute`` are known; an
    unknown value of another attribute equals an unknown one.  100 people × 7 poses × 20 lights give
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
    """Number groups, (N,) int64 from 0: equal for faces of one person, in one scene, that agree in these."""
    number = np.zeros(len(faces), np.int64)
    for words in (faces.persons, faces.scenes, *(faces.attribute(name) for name in attributes)):
        known, code = np.unique(words, return_inverse=True)
        number = np.unique(number * len(known) + code, return_inverse=True)[1].astype(np.int64)
    return number
