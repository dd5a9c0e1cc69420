"""How far boxes in a photograph share their areas."""

from __future__ import annotations

from faces.types import Box

SAME_FACE = 0.4
"""Intersection / union from which boxes that two detectors, programs or people have made mean one face."""


def shared_area(one: Box, other: Box) -> float:
    """Return the area that two boxes share, square pixels."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return width * height if width > 0 and height > 0 else 0.0


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union, 0..1; 0 if both are empty."""
    shared = shared_area(one, other)
    union = one.area + other.area - shared
    return shared / union if union > 0 else 0.0
