"""The attribute classifier: as good as scikit-learn's, kept as plain numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines import rivals
from baselines.rivals import MODELS, AttributeClassifier, Model, estimator, reduce
from facedata.labelled import Words
from faces.errors import DataError


def clouds(
    values: int, each: int, width: int, *, seed: int, spread: float
) -> tuple[NDArray[np.float32], Words]:
    """Vectors around a random centre for each value, in the order of the values."""
    centres = np.random.default_rng(7).normal(size=(values, width))
    words = np.repeat(np.array([f"+{15 * value}" for value in range(values)]), each)
    noise = np.random.default_rng(seed).normal(size=(values * each, width)) * spread
    return (np.repeat(centres, each, axis=0) + noise).astype(np.float32), words


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("values", "width", "components", "spread"), [(2, 5, 5, 2.5), (3, 40, 20, 3), (7, 600, 30, 9)]
)
def test_what_is_told_from_the_kept_numbers_equals_scikit_learn(
    model: Model, values: int, width: int, components: int, spread: float
) -> None:
    vectors, words = clouds(values, 30, width, seed=1, spread=spread)
    fresh, true = clouds(values, 200, width, seed=2, spread=spread)
    classifier = AttributeClassifier(model=model, components=components, seed=4).fit(vectors, words)
    pca, scaler, reduced = reduce(vectors, components=components, seed=4)
    linear = estimator(model, 4).fit(reduced, words)
    seen = scaler.transform(pca.transform(fresh))
    theirs = linear.predict(seen)
    told = classifier.predict(fresh)
    assert 0.3 < np.mean(told == true) < 0.99  # no easy task
    assert np.array_equal(told, theirs)
    scores = linear.decision_function(seen)
    ours = classifier.scores(fresh)
    assert np.allclose(ours if values > 2 else ours[:, 1], scores, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_values_that_lie_apart_are_told_apart(model: Model) -> None:
    vectors, words = clouds(7, 12, 64, seed=1, spread=0.3)
    fresh, true = clouds(7, 50, 64, seed=2, spread=0.3)
    classifier = AttributeClassifier(model=model).fit(vectors.astype(np.float16), words)
    assert classifier.accuracy(fresh.astype(np.float16), true) == 100
    assert classifier.values_ == tuple(np.unique(words).tolist())


def test_long_galleries_are_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, words = clouds(3, 40, 10, seed=1, spread=2)
    whole = AttributeClassifier(components=6).fit(vectors, words)
    monkeypatch.setattr(rivals, "_ROWS", 7)
    parts = AttributeClassifier(components=6).fit(vectors, words)
    assert np.allclose(parts.scores(vectors), whole.scores(vectors))


def test_components_come_from_some_of_many_faces_and_the_seed_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rivals, "_PCA_FACES", 30)
    vectors, words = clouds(3, 60, 40, seed=1, spread=2)
    first, again = (AttributeClassifier(components=8, seed=1).fit(vectors, words) for _ in range(2))
    other = AttributeClassifier(components=8, seed=2).fit(vectors, words)
    assert np.array_equal(first.coefficients_, again.coefficients_)
    assert not np.allclose(first.coefficients_, other.coefficients_)


def test_no_faces_have_no_accuracy() -> None:
    vectors, words = clouds(2, 10, 4, seed=1, spread=0.1)
    assert np.isnan(AttributeClassifier().fit(vectors, words).accuracy(vectors[:0], words[:0]))


def test_what_does_not_fit_is_refused() -> None:
    vectors, words = clouds(2, 10, 4, seed=1, spread=0.1)
    with pytest.raises(DataError, match="one value only"):
        AttributeClassifier().fit(vectors, np.full(20, "0"))
    with pytest.raises(DataError, match="a word each"):
        AttributeClassifier().fit(vectors, words[1:])
    with pytest.raises(DataError, match="no classifier"):
        AttributeClassifier(model="oracle").fit(vectors, words)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="vectors of 4 numbers"):
        AttributeClassifier().fit(vectors, words).predict(vectors[:, :3])
