"""How far rendered faces are from photographs: how well a linear classifier tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from facedata.labelled import Words
from faces.types import Floats, Pixels

_FOLDS = 5
_MIDDLE = slice(7, 26), slice(8, 24)  # rows and columns, of 32, that show little but the face


@dataclass(frozen=True)
class Distance:
    """How rendered faces are told from real ones; 50 and 0.5 if they are not told apart at all."""

    accuracy: float  # percent of both kinds, each weighted by half
    area: float  # under the ROC curve


def told_apart(real: Floats, rendered: Floats, people: Words, others: Words) -> Distance:
    """Learn to tell descriptions (n, F) of real from (m, F) of rendered faces, and try it on other people.

    ``people`` (n,) and ``others`` (m,) are the persons shown; at least five of each are needed.  A logistic
    regression on standardised numbers, cross-validated in five folds, none of which shares a person.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    numbers = np.concatenate([real, rendered])
    is_real = np.repeat([1, 0], [len(real), len(rendered)])
    persons = np.concatenate([np.char.add("real ", people), np.char.add("rendered ", others)])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
    )
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    score = cross_val_predict(model, numbers, is_real, groups=persons, cv=folds, method="decision_function")
    right = balanced_accuracy_score(is_real, score > 0)
    return Distance(100 * float(right), float(roc_auc_score(is_real, score)))


def middle(crops: Pixels) -> Pixels:
    """Cut out what shows little but the face: (N, S, S) to (N, h, w)."""
    rows, columns = (
        slice(part.start * crops.shape[1] // 32, part.stop * crops.shape[1] // 32) for part in _MIDDLE
    )
    return crops[:, rows, columns]


def side_by_side(real: Pixels, rendered: Pixels, *, columns: int = 5, zoom: int = 4) -> Image.Image:
    """Lay crops (n, S, S) out beside as many others, in ``columns`` each, enlarged ``zoom`` times."""
    halves = []
    for crops in (real, rendered):
        rows = -(-len(crops) // columns)
        page = np.full((rows * columns, *crops.shape[1:]), 255, np.uint8)
        page[: len(crops)] = crops
        tiles = np.pad(page, ((0, 0), (0, 1), (0, 1)), constant_values=255)
        _, height, width = tiles.shape
        tiles = tiles.reshape(rows, columns, height, width).swapaxes(1, 2)
        halves.append(tiles.reshape(rows * height, columns * width))
    gap = np.full((len(halves[0]), 6), 255, np.uint8)
    sheet = Image.fromarray(np.concatenate([halves[0], gap, halves[1]], 1))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)
