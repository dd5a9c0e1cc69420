"""The numbers of the paper, to stand beside ours.

Source: A. Ghodrati, X. Jia, M. Pedersoli, T. Tuytelaars, "Towards Automatic Image Editing: Learning to See
another You", 2015; Tables 1 (error), 2 (criterion 1) and 3 (criterion 2), on Multi-PIE session 1: 149 test
people, a gallery of 20,860 faces, 10,000 queries.  All of them are about the pose.
"""

from __future__ import annotations

from typing import Final

K = int
Criterion = int

RECALL: Final[dict[str, dict[Criterion, dict[K, float]]]] = {
    "two-step-image": {1: {1: 11.5, 5: 25.9, 20: 43.2}, 2: {1: 6.3, 5: 15.6, 20: 25.3}},
    "two-step-features": {1: {1: 16.4, 5: 33.0, 20: 50.7}, 2: {1: 9.5, 5: 21.5, 20: 32.7}},
    "two-step-vgg16-fc7": {1: {1: 21.7, 5: 38.1, 20: 53.5}},
    "two-step-deep-fc6": {1: {1: 56.9, 5: 78.0, 20: 90.2}},
    "cpi": {1: {1: 61.0, 5: 79.5, 20: 90.8}, 2: {1: 14.8, 5: 39.7, 20: 63.7}},
    "ours-image": {1: {1: 39.0, 5: 61.5, 20: 75.4}, 2: {1: 29.5, 5: 52.8, 20: 66.3}},
    "ours-features": {1: {1: 53.5, 5: 80.5, 20: 90.7}, 2: {1: 43.2, 5: 74.1, 20: 86.0}},
}
"""Recall@K in percent by row and criterion; the two-step rows filter by a pose classifier, not by true
poses."""

SQUARED_ERRORS: Final[tuple[float, float]] = (380.89, 369.16)
"""Table 1: mean squared error per pixel of stages 1 and 2 in squared grey levels, 10,000 test pairs."""

POSE_CLASSIFIER_ACCURACY: Final[float] = 73.3
"""Percent of test faces whose pose the classifier of the two-step rows tells rightly (section 4.1.2)."""
