"""Rectangles against each other: how much they overlap, and one of several for the same face."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from faces.types import Box

Found = TypeVar("Found")

SAME_FACE = 0.3
_WITHIN = 0.7  # of the smaller box: an eye and a mouth found as a face inside the face


def shared_area(one: Box, other: Box) -> float:
    """Return the area that two boxes share, square pixels."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return width * height if width > 0 and height > 0 else 0.0


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union, 0..1; 0 if both are empty."""
    shared = shared_area(one, other)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


def same_face(one: Box, other: Box) -> bool:
    """Tell whether two boxes mean one face: they overlap, or one lies mostly within the other."""
    smaller = min(one.width * one.height, other.width * other.height)
    return overlap(one, other) >= SAME_FACE or (smaller > 0 and shared_area(one, other) / smaller >= _WITHIN)


def best_of_each(
    found: Iterable[Found], box: Callable[[Found], Box], score: Callable[[Found], float]
) -> list[Found]:
    """Keep of all finds that mean one face the one with the highest score, surest first.

    Equal scores are decided by the box, so that the answer does not depend on the order of ``found``.
    """

    def rank(item: Found) -> tuple[float, ...]:
        place = box(item)
        return (-score(item), place.left, place.top, place.right, place.bottom)

    kept: list[Found] = []
    for item in sorted(found, key=rank):
        if not any(same_face(box(item), box(other)) for other in kept):
            kept.append(item)
    return kept
