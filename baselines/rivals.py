"""What the rivals learn from the training people, kept in one folder per attribute: the classifier that
two-step retrieval filters by, and the mean vector of each value for feature arithmetic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from baselines.searcher import Features, normalised
from facedata.labelled import Attribute, FaceSet, Words
from faces.errors import DataError, RowUnavailable, WeightsError
from faces.files import write_durably
from faces.progress import Progress, underway
from faces.types import Doubles, Floats, Ints
from generator.available import find_weights
from index.search import Vectors

CONFIG_FILE, TENSORS_FILE = "config.json", "rivals.safetensors"
SHIPPED = Path(__file__).resolve().parent / "weights"
FORMAT = 1
_REMEDY = "copy the folder again, or run `anotheryou train-rivals` anew."

COMPONENTS = 512
_PCA_FACES = 4096  # that principal components are taken from, at most: 256 MB of 16,384 numbers each
_ROWS = 1024  # converted or moved at a time

Model = Literal["logistic", "lda", "svc"]
MODELS: tuple[Model, ...] = get_args(Model)
Reduced = tuple[Any, Any, Doubles]  # scikit-learn's fitted PCA and scaler, and what they made (N, P)
_Arrays = Mapping[str, NDArray[Any]]


@dataclass(kw_only=True, eq=False)
class AttributeClassifier:
    """The first step of two-step retrieval: a linear classifier of (N, D) vectors.

    The paper trains a pose classifier on VGG-Face features and reaches 73.3 % (Ghodrati et al. 2015, 4.1.2).
    Ours is linear on standardised principal components, taken from faces that ``seed`` decides.

    Learned by ``fit``: ``values_``, the V words in order of name, ``coefficients_`` (V, D) and
    ``intercepts_`` (V,) float64, which give the scores, of which the highest tells the value.
    """

    model: Model = "logistic"
    components: int = COMPONENTS
    seed: int = 0
    values_: tuple[str, ...] = field(init=False)
    coefficients_: Doubles = field(init=False)
    intercepts_: Doubles = field(init=False)

    def fit(self, vectors: Vectors, words: Words) -> Self:
        """Learn from (N, D) vectors and their (N,) words; raises DataError if these are all the same."""
        return self.fit_reduced(reduce(vectors, components=self.components, seed=self.seed), words)

    def fit_reduced(self, reduced: Reduced, words: Words) -> Self:
        """Do the same with what ``reduce`` made of the vectors, which several classifiers may share."""
        pca, scaler, vectors = reduced
        if words.shape != (len(vectors),):
            raise DataError(f"{len(vectors)} vectors need a word each, not {words.shape}.")
        if len(np.unique(words)) < 2:
            raise DataError("the faces to learn from show one value only; a classifier needs two.")
        linear = estimator(self.model, self.seed).fit(vectors, words)
        weights, offsets = linear.coef_, linear.intercept_
        if len(weights) == 1:  # of two values scikit-learn keeps a single row, whose sign tells them apart
            weights, offsets = np.concatenate([-weights, weights]), np.concatenate([-offsets, offsets])
        weights = weights / scaler.scale_  # (V, P)
        self.values_ = tuple(str(word) for word in linear.classes_)
        self.coefficients_ = weights @ pca.components_.astype(np.float64)
        centre = self.coefficients_ @ pca.mean_.astype(np.float64)
        self.intercepts_ = offsets - centre - weights @ scaler.mean_
        return self

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
    return pca, scaler, scaler.transform(projected.astype(np.float64))


def estimator(model: Model, seed: int) -> Any:
    """Make the unfitted classifier; each has a row of ``coef_`` for each class, and tells the highest."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    estimators: dict[str, Any] = {
        "logistic": LogisticRegression(C=0.01, max_iter=2000),
        "lda": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "svc": LinearSVC(C=0.01, dual=False, max_iter=5000, random_state=seed),
    }
    if model not in estimators:
        raise DataError(f"{model!r} is no classifier; there are {', '.join(MODELS)}.")
    return estimators[model]


class ValueMeans:
    """The mean vector of each value of an attribute, to change a face's value by arithmetic.

    Learned by ``fit``: ``values_``, the V words in order of name, and ``means_`` (V, D) float32.
    """

    values_: tuple[str, ...]
    means_: Floats

    def fit(self, vectors: Vectors, words: Words) -> Self:
        """Learn from (N, D) vectors and their (N,) words."""
        if vectors.ndim != 2 or words.shape != (len(vectors),):
            raise DataError(f"{vectors.shape} vectors need a word each, not {words.shape}.")
        self.values_ = tuple(str(word) for word in np.unique(words))
        means = [vectors[words == value].mean(axis=0, dtype=np.float64) for value in self.values_]
        self.means_ = np.array(means, dtype=np.float32)
        return self

    def moved(self, vectors: Vectors, own: Words, wished: Words) -> Vectors:
        """Return (N, D) vectors − mean of (N,) ``own`` + mean of (N,) ``wished`` words, brought to length 1.

        They keep their dtype.  Raises DataError for a word without a mean and for vectors that do not fit.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.means_.shape[1]:
            raise DataError(f"means of {self.means_.shape[1]} numbers do not fit vectors {vectors.shape}.")
        after, before = self._places(wished), self._places(own)
        found = np.empty_like(vectors)
        for start in range(0, len(vectors), _ROWS):
            part = slice(start, start + _ROWS)
            change = self.means_[after[part]] - self.means_[before[part]]
            found[part] = normalised(vectors[part].astype(np.float32) + change)
        return found

    def _places(self, words: Words) -> Ints:
        known = {value: place for place, value in enumerate(self.values_)}
        missing = sorted(set(words.tolist()) - set(known))
        if missing:
            raise DataError(
                f"no face to learn from shows {missing[0]!r}, so it has no mean; known are "
                f"{', '.join(self.values_)}."
            )
        return np.array([known[word] for word in words.tolist()], np.int64)


@dataclass(frozen=True)
class Candidate:
    """A classifier that was tried: ``accuracy`` is in percent of the validation people's faces."""

    feature: str
    model: Model
    accuracy: float


@dataclass(frozen=True)
class Rivals:
    """What was learned about one attribute."""

    attribute: Attribute
    feature: str  # name of what the classifier reads
    classifier: AttributeClassifier
    means: Mapping[str, ValueMeans]  # by name of feature
    weights: tuple[str, str]  # name and id of the generator behind ``features``, empty without them
    candidates: Sequence[Candidate]  # all classifiers that were tried, best first
    data: Mapping[str, object]  # what was learned from, JSON values
    rivals_id: str = ""  # a hash over all that was kept, empty before


def people_to_learn_from(faces: FaceSet) -> FaceSet:
    """Choose the faces of split ``train``; if nobody is in it, of all but split ``test``."""
    chosen = faces.split("train")
    return chosen if len(chosen) else faces.select(faces.splits != "test")


def split_people(faces: FaceSet, *, held_out: int, seed: int = 0) -> tuple[FaceSet, FaceSet]:
    """Split off the faces of ``held_out`` people, drawn by ``seed``; raises DataError if nobody were left."""
    people = np.unique(faces.persons)
    if not 0 < held_out < len(people):
        raise DataError(
            f"{len(people)} people are there to learn from; the number held out must be from 1 to "
            f"{max(1, len(people) - 1)}, not {held_out}."
        )
    drawn = np.random.default_rng(seed).choice(people, held_out, replace=False)
    kept_aside = np.isin(faces.persons, drawn)
    return faces.select(~kept_aside), faces.select(kept_aside)


def fit_rivals(
    learners: FaceSet,
    validation: FaceSet,
    *,
    attribute: Attribute,
    features: Sequence[Features],
    weights: tuple[str, str] = ("", ""),
    seed: int = 0,
    progress: Progress | None = None,
) -> Rivals:
    """Try every classifier on every feature, keep the best, and take the means.

    The classifier that tells most faces of ``validation`` rightly is kept, the first of equal ones; the
    people should be unknown to the features too.  Features that need larger pictures learn from faces with
    one.  ``weights`` are name and id of the generator behind the features called ``features``.
    Raises DataError if no feature is left, fewer than two values are shown or ``validation`` shows none.
    """
    learners = learners.select(learners.attribute(attribute) != "")
    validation = validation.select(np.isin(validation.attribute(attribute), learners.values(attribute)))
    if not len(validation):
        raise DataError(f"the faces to choose by show no {attribute} that can be learned; name other ones.")
    tried: list[tuple[Candidate, AttributeClassifier]] = []
    means: dict[str, ValueMeans] = {}
    left_out: dict[str, str] = {}
    learned_from: dict[str, int] = {}
    for feature in features:
        shown, judged = _shown_to(feature, learners), _shown_to(feature, validation)
        words = shown.attribute(attribute)
        try:
            seen = feature(shown.pictures, progress)
            means[feature.name] = ValueMeans().fit(seen, words)
            learned_from[feature.name] = len(shown)
            unseen = feature(judged.pictures, progress)
        except RowUnavailable as reason:
            left_out[feature.name] = reason.reason
            continue
        with underway(progress, "fitting classifiers", len(MODELS), "classifiers") as fitting:
            reduced = reduce(seen, seed=seed)
            for model in MODELS:
                classifier = AttributeClassifier(model=model, seed=seed).fit_reduced(reduced, words)
                accuracy = classifier.accuracy(unseen, judged.attribute(attribute))
                tried.append((Candidate(feature.name, model, accuracy), classifier))
                fitting.advance()
    if not tried:
        raise DataError("no feature is left to learn from: " + "; ".join(left_out.values()) + ".")
    tried.sort(key=lambda one: -one[0].accuracy)  # the first of equal ones stays the first
    return Rivals(
        attribute=attribute,
        feature=tried[0][0].feature,
        classifier=tried[0][1],
        means=means,
        weights=weights if "features" in means else ("", ""),
        candidates=[candidate for candidate, _ in tried],
        data={
            **_described(learners, attribute),
            "validation": _described(validation, attribute),
            "seed": seed,
            "learned_from": learned_from,
            "left_out": left_out,
        },
    )


def save_rivals(folder: Path, rivals: Rivals) -> str:
    """Write what was learned into a folder, made if need be, and return its id; may raise OSError."""
    arrays: dict[str, NDArray[Any]] = {
        "classifier.coefficients": rivals.classifier.coefficients_,
        "classifier.intercepts": rivals.classifier.intercepts_,
        **{f"means.{name}": means.means_ for name, means in rivals.means.items()},
    }
    content = {
        "format": FORMAT,
        "attribute": rivals.attribute,
        "feature": rivals.feature,
        "model": rivals.classifier.model,
        "components": rivals.classifier.components,
        "values": list(rivals.classifier.values_),
        "means": {name: list(means.values_) for name, means in rivals.means.items()},
        "weights": {"name": rivals.weights[0], "id": rivals.weights[1]},
        "candidates": [
            {"feature": one.feature, "model": one.model, "validation_accuracy": round(one.accuracy, 2)}
            for one in rivals.candidates
        ],
        "data": dict(rivals.data),
    }
    identity = _identity(content, arrays)
    text = json.dumps({**content, "rivals_id": identity}, indent=2, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / TENSORS_FILE, save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))
    write_durably(folder / CONFIG_FILE, text.encode())
    return identity


def load_rivals(name_or_folder: str | Path) -> Rivals:
    """Read what comes along under a name, such as ``rivals-rotation``, or a folder; raises WeightsError."""
    folder = find_weights(
        name_or_folder, SHIPPED, holding=TENSORS_FILE, what="fitted rivals", command="train-rivals"
    )
    config, tensors = folder / CONFIG_FILE, folder / TENSORS_FILE
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        arrays = load_file(tensors)
        found = _parse_rivals(content, arrays)
        identity = content.pop("rivals_id")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).split("\n")[0]
        raise WeightsError(f"{folder} cannot be used ({reason}); {_REMEDY}") from None
    if _identity(content, arrays) != identity:
        raise WeightsError(f"{config} and {tensors} do not belong together; {_REMEDY}")
    return replace(found, rivals_id=identity)


def _shown_to(feature: Features, faces: FaceSet) -> FaceSet:
    """Choose the faces that a feature can describe: those with larger pictures if it needs these."""
    if not feature.needs_large or faces.large is None or not faces.large.present.any():
        return faces
    return faces.select(faces.large.present)


def _described(faces: FaceSet, attribute: Attribute) -> dict[str, object]:
    """Tell which faces they were; ``sha256`` is over pictures and labels, in hexadecimal."""
    labels = [faces.persons.tolist(), faces.attribute(attribute).tolist()]
    digest = hashlib.sha256(json.dumps([list(faces.crops.shape), labels]).encode())
    digest.update(np.ascontiguousarray(faces.crops).data)
    people = len(np.unique(faces.persons))
    return {"name": faces.name, "faces": len(faces), "people": people, "sha256": digest.hexdigest()}


def _parse_rivals(content: Any, arrays: _Arrays) -> Rivals:
    """Raises ValueError, KeyError, TypeError or AttributeError for what ``save_rivals`` would not write."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r} is not known to this version, which reads {FORMAT}")
    if content["attribute"] not in get_args(Attribute) or content["model"] not in MODELS:
        raise ValueError(f"{content['attribute']!r} or {content['model']!r} is not known")
    values = tuple(str(value) for value in content["values"])
    coefficients = _array(arrays, "classifier.coefficients", np.float64, len(values), 2)
    intercepts = _array(arrays, "classifier.intercepts", np.float64, len(values), 1)
    classifier = AttributeClassifier(model=content["model"], components=int(content["components"]))
    classifier.values_, classifier.coefficients_, classifier.intercepts_ = values, coefficients, intercepts
    means = {}
    for name, words in content["means"].items():
        means[str(name)] = found = ValueMeans()
        found.values_ = tuple(str(word) for word in words)
        found.means_ = _array(arrays, f"means.{name}", np.float32, len(words), 2)
    feature = str(content["feature"])
    if feature in means and means[feature].means_.shape[1] != coefficients.shape[1]:
        raise ValueError(f"classifier and means of {feature} differ in length")
    return Rivals(
        attribute=content["attribute"],
        feature=feature,
        classifier=classifier,
        means=means,
        weights=(str(content["weights"]["name"]), str(content["weights"]["id"])),
        candidates=[
            Candidate(str(one["feature"]), one["model"], float(one["validation_accuracy"]))
            for one in content["candidates"]
        ],
        data=dict(content["data"]),
    )


def _array(arrays: _Arrays, name: str, dtype: type, rows: int, dimensions: int) -> NDArray[Any]:
    found = arrays[name]
    if found.dtype != dtype or found.ndim != dimensions or len(found) != rows or not np.isfinite(found).all():
        raise ValueError(f"{name} is {found.dtype} {found.shape}, or holds values that are no numbers")
    return found


def _identity(content: Mapping[str, Any], arrays: _Arrays) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()[:12]
