"""The first step of two-step retrieval: a classifier that tells the value of an attribute from features.

The paper trains a pose classifier on VGG-Face features and reaches 73.3 % (Ghodrati et al. 2015, 4.1.2).
Ours is linear on standardised principal components.  All of that is affine, so what is learned is kept as one
matrix and one offset, and telling needs NumPy only.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from facedata.labelled import Words
from faces.errors import DataError
from index.search import Vectors

Model = Literal["logistic", "lda", "svc"]
MODELS: tuple[Model, ...] = get_args(Model)

COMPONENTS = 512
_PCA_FACES = 4096  # that principal components are taken from, at most: 256 MB of 16,384 numbers each
_ROWS = 1024  # converted at a time

Doubles = NDArray[np.float64]


class Reduced(NamedTuple):
    """``vectors`` (N, P) float64: what scikit-learn's fitted ``pca`` and then ``scaler`` made of (N, D)."""

    pca: Any
    scaler: Any
    vectors: Doubles


class AttributeClassifier:
    """A linear classifier of (N, D) vectors; ``seed`` decides what the principal components are taken from.

    Learned by ``fit``: ``values_``, the V words in order of name, ``coefficients_`` (V, D) and
    ``intercepts_`` (V,) float64.  The value with the highest score, vector · coefficients + intercept, is
    told.
    """

    values_: tuple[str, ...]
    coefficients_: Doubles
    intercepts_: Doubles

    def __init__(self, *, model: Model = "logistic", components: int = COMPONENTS, seed: int = 0) -> None:
        self.model = model
        self.components = components
        self.seed = seed

    def learned(self, values: tuple[str, ...], coefficients: Doubles, intercepts: Doubles) -> Self:
        """Take what was kept of one that was fitted."""
        self.values_, self.coefficients_, self.intercepts_ = values, coefficients, intercepts
        return self

    def fit(self, vectors: Vectors, words: Words) -> Self:
        """Learn from (N, D) vectors and their (N,) words; raises DataError if these are all the same."""
        return self.fit_reduced(reduce(vectors, components=self.components, seed=self.seed), words)

    def fit_reduced(self, reduced: Reduced, words: Words) -> Self:
        """Do the same with what ``reduce`` made of the vectors, which several classifiers may share."""
        if words.shape != (len(reduced.vectors),):
            raise DataError(f"{len(reduced.vectors)} vectors need a word each, not {words.shape}.")
        if len(np.unique(words)) < 2:
            raise DataError("the faces to learn from show one value only; a classifier needs two.")
        linear = estimator(self.model, self.seed).fit(reduced.vectors, words)
        weights, offsets = linear.coef_, linear.intercept_
        if len(weights) == 1:  # of two values scikit-learn keeps a single row, whose sign tells them apart
            weights, offsets = np.concatenate([-weights, weights]), np.concatenate([-offsets, offsets])
        weights = weights / reduced.scaler.scale_  # (V, P)
        coefficients = weights @ reduced.pca.components_.astype(np.float64)
        centre = coefficients @ reduced.pca.mean_.astype(np.float64)
        values = tuple(str(word) for word in linear.classes_)
        return self.learned(values, coefficients, offsets - centre - weights @ reduced.scaler.mean_)

    def scores(self, vectors: Vectors) -> Doubles:
        """Return (N, V) float64 scores of vectors (N, D); raises DataError if it learned another D."""
        if vectors.ndim != 2 or vectors.shape[1] != self.coefficients_.shape[1]:
            raise DataError(
                f"the classifier takes vectors of {self.coefficients_.shape[1]} numbers, not {vectors.shape}."
            )
        found = np.empty((len(vectors), len(self.values_)))
        for start in range(0, len(vectors), _ROWS):
            part = slice(start, start + _ROWS)
            found[part] = vectors[part].astype(np.float64) @ self.coefficients_.T
        return found + self.intercepts_

    def predict(self, vectors: Vectors) -> Words:
        """Return (N,) words that (N, D) vectors are told to show."""
        told: Words = np.array(self.values_, dtype=np.str_)[self.scores(vectors).argmax(axis=1)]
        return told

    def accuracy(self, vectors: Vectors, words: Words) -> float:
        """Return the percentage of (N, D) vectors told rightly; NaN if there are none."""
        return 100 * float(np.mean(self.predict(vectors) == words)) if len(words) else float("nan")


def reduce(vectors: Vectors, *, components: int = COMPONENTS, seed: int = 0) -> Reduced:
    """Take the principal components of (N, D) vectors, as many as can be, and standardise them."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    if vectors.ndim != 2 or len(vectors) < 2:
        raise DataError(f"a classifier learns from two vectors or more, not from {vectors.shape}.")
    count = min(len(vectors), _PCA_FACES)
    some = np.sort(np.random.default_rng(seed).choice(len(vectors), count, replace=False))
    pca = PCA(n_components=min(components, count - 1, vectors.shape[1]), random_state=seed)
    pca.fit(vectors[some].astype(np.float32))
    parts = range(0, len(vectors), _ROWS)
    projected = np.concatenate([pca.transform(vectors[at : at + _ROWS].astype(np.float32)) for at in parts])
    scaler = StandardScaler().fit(projected.astype(np.float64))
    return Reduced(pca, scaler, scaler.transform(projected.astype(np.float64)))


def estimator(model: Model, seed: int) -> Any:
    """Make the unfitted classifier; each has a row of ``coef_`` for each class, and tells the highest."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if model == "logistic":
        return LogisticRegression(C=0.01, max_iter=2000)
    if model == "lda":
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    if model == "svc":
        return LinearSVC(C=0.01, dual=False, max_iter=5000, random_state=seed)
    raise DataError(f"{model!r} is no classifier; there are {', '.join(MODELS)}.")
