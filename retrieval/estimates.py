"""What faces seem to show: where a vector keeps it, and how many faces of a collection show what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from faces.types import Halves, Ints
from generator.attributes import AttributeGroup, everyday
from index import Layout

_USUAL = {"accessory": "none", "light": "even", "tilt": "level", "expression": "neutral"}


def worth_saying(estimates: Mapping[str, str]) -> str:
    """Write what a face seems to show, without what most faces show: ``+30, sunglasses, light left``.

    ``estimates`` are words by attribute.  Where nothing else is known, the usual is said too.
    """
    said = [
        f"{name} {value}" if name in ("light", "tilt") else everyday(value)
        for name, value in estimates.items()
        if value != _USUAL.get(name)
    ]
    return ", ".join(said or map(everyday, estimates.values()))


@dataclass(frozen=True)
class Attribute:
    """An attribute and where its posterior stands in a vector; ``moments`` for those that are numbers.

    Means are stored in units of ``unit``, the largest of the numbers.  ``encoding`` draws it, if any does;
    unless a classifier has ``told`` its posterior, it comes from there.
    """

    group: AttributeGroup
    encoding: int | None
    posterior: slice
    moments: slice | None
    unit: float
    told: bool

    @classmethod
    def at(cls, start: int, group: AttributeGroup, encoding: int | None = 0, *, told: bool = False) -> Self:
        """Place an attribute in a vector from ``start`` on."""
        posterior = slice(start, start + len(group.values))
        if group.numbers is None or len(group.values) == 1:
            return cls(group, encoding, posterior, None, 1.0, told)
        unit = max(abs(number) for number in group.numbers) or 1.0
        return cls(group, encoding, posterior, slice(posterior.stop, posterior.stop + 2), unit, told)

    @property
    def stop(self) -> int:
        """The place in a vector behind it."""
        return int((self.moments or self.posterior).stop)

    def shown(self, vectors: Halves) -> Ints:
        """Give the places (n,) of what faces (n, D) seem to show: of numbers, the one nearest to the mean."""
        if self.moments is None:
            return np.asarray(vectors[:, self.posterior].argmax(axis=1))
        means = vectors[:, self.moments.start].astype(np.float64) * self.unit
        return np.asarray(np.abs(means[:, None] - np.array(self.group.numbers)).argmin(axis=1))


def count_shown(layout: Layout, blocks: Iterable[tuple[Ints, Halves]]) -> dict[str, dict[str, int]]:
    """Count by attribute and value how many faces, ids (n,) and vectors (n, D), seem to show it.

    Attributes are the last that stands in a vector, so that no weights are needed.
    """
    listed = layout.description.get("attributes", {})
    groups = [AttributeGroup(name, tuple(values)) for name, values in listed.items()]
    start = layout.dimension - sum(Attribute.at(0, group).stop for group in groups)
    attributes: list[Attribute] = []
    for group in groups:
        attributes.append(Attribute.at(start, group))
        start = attributes[-1].stop
    counts = [np.zeros(len(group.values), np.int64) for group in groups]
    for _, vectors in blocks:
        for attribute, count in zip(attributes, counts, strict=True):
            count += np.bincount(attribute.shown(vectors), minlength=len(count))
    return {
        group.name: dict(zip(group.values, count.tolist(), strict=True))
        for group, count in zip(groups, counts, strict=True)
    }
