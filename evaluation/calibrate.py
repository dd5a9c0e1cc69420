"""Fitting a calibration: what similarities are worth, from people whose names and looks are known.

First the descriptors alone: a logistic regression (scikit-learn) over all pairs of faces.  Then the sum: of a
few values of each weight those under which the right answers are the likeliest among all faces,

    mean over queries of log(sum over right answers of exp(S) / sum over all faces of exp(S)),

one weight after the other, three rounds; every wish counts the same.  Then the odds: a
logistic regression of being right on the sum.  What rendered people teach of drawings is taken over last, for
faces that are drawn as well as theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.network_features import IdentityFeatures
from facedata.labelled import FaceSet
from faces.errors import DataError
from faces.progress import Progress
from faces.types import Bools, Doubles, Floats, Ints
from retrieval.calibration import Calibration, IdentityCalibration, InDomain
from retrieval.engine import Engine
from retrieval.identity import open_identity
from retrieval.parts import Query

STEEPNESS = (20.0, 40.0, 60.0, 80.0)
ENOUGH = (0.92, 0.94, 0.96)
APPEARANCE = (0.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 13.0, 20.0, 30.0, 40.0)
DOUBT = (0.001, 0.003, 0.01)
AS_WISHED = 0.4  # of a person's faces show what is wished; of those on the CMU photographs 0.26 to 0.51
_ROUNDS = 3
_MOST_PAIRS = 2_000_000


@dataclass(frozen=True)
class Compared:
    """Q queries for one attribute against N faces, before anything is weighed, all (Q, N).

    ``similarity`` of descriptors, ``looks`` of drawing and face, ``met`` the probability of the wished value,
    ``right`` which answers are right; ``errors`` (Q,) of the queries' own drawings, in grey levels.
    """

    attribute: str
    similarity: Floats
    looks: Floats
    met: Floats
    right: Bools
    errors: Floats

    def select(self, queries: Bools, faces: Bools) -> Compared:
        """Choose some queries (Q,) and faces (N,), without the queries that have no right answer there."""
        kept = queries & self.right[:, faces].any(axis=1)
        both = np.ix_(kept, faces)
        return Compared(
            self.attribute,
            self.similarity[both],
            self.looks[both],
            self.met[both],
            self.right[both],
            self.errors[kept],
        )


def compare(
    engine: Engine, attribute: str, queries: Sequence[Query], vectors: NDArray[np.floating], right: Bools
) -> Compared:
    """Compare Q queries with the faces of these vectors (N, D); ``looks`` are 0 where nothing is drawn.

    ``right`` (Q, N) says which answers are right.
    """
    similarity, looks, met = (np.zeros(right.shape, np.float32) for _ in range(3))
    errors, number = np.zeros(len(queries), np.float32), engine.attributes[attribute].encoding
    for place, query in enumerate(queries):
        one = engine.compare(query, vectors)
        similarity[place], met[place] = one.similarity, one.met[attribute]
        if number is not None and number in query.drawn:
            looks[place], errors[place] = one.looks[number], engine.error(number, query.face)
    return Compared(attribute, similarity, looks, met, right, errors)


def fit_identity(
    descriptors: Floats, persons: Ints, *, scaled: bool = True, seed: int = 0
) -> IdentityCalibration:
    """Learn when descriptors (N, I) of length one are of one of the persons (N,).

    Of more than two million pairs some are drawn with ``seed``.  Raises DataError unless there are two
    persons, two faces of one, and faces of one person are more alike than those of two.
    """
    from sklearn.linear_model import LogisticRegression

    one, other, same = _pairs(persons)
    if len(one) > _MOST_PAIRS:
        kept = np.random.default_rng(seed).choice(len(one), _MOST_PAIRS, replace=False)
        one, other, same = one[kept], other[kept], same[kept]
    similarity = _similarities(descriptors, one, other)
    fitted = LogisticRegression(C=1e6, class_weight="balanced").fit(similarity[:, None], same)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        raise DataError("the model does not tell these people apart; use another folder, or another model.")
    midpoint = -float(fitted.intercept_[0]) / slope
    # Without wishes to learn from: as steep as the odds, and no more of it once one person is nearly certain.
    return IdentityCalibration(slope, midpoint, slope, midpoint + 2 / slope, scaled)


def calibrate_identity(
    calibration: Calibration, faces: FaceSet, identity: str | Path, progress: Progress
) -> tuple[Calibration, str]:
    """Add a model of identity to a calibration, and say in words how well it tells people apart.

    The ``faces`` need larger pictures.  An .onnx model is tried with both kinds of input values, and the
    better is kept.  Raises DataError for faces that cannot be learned from, WeightsError for a model that
    cannot be used.
    """
    _pairs(faces.persons)  # before any work
    persons = np.unique(faces.persons, return_inverse=True)[1].astype(np.int64)
    tried = []
    for scaled in (True, False) if str(identity).lower().endswith(".onnx") else (True,):
        model = open_identity(identity, scaled=scaled)
        if model is None:
            raise DataError("there is nothing to calibrate without an identity model; name one.")
        descriptors = IdentityFeatures(model)(faces.pictures, progress)
        tried.append((kept_at_one_percent(descriptors, persons), scaled, descriptors, model.digest))
    kept, scaled, descriptors, digest = max(tried, key=lambda one: one[0])  # of equal ones the first
    known = fit_identity(descriptors, persons, scaled=scaled)
    report = (
        f"{len(faces):,} faces of {persons.max() + 1} people: at one false pair in a hundred "
        f"{100 * kept:.1f} % of the right pairs are kept"
    )
    old = calibration.identities.get(digest)
    if old is not None:
        known = replace(known, steepness=old.steepness, enough=old.enough, composed=old.composed)
    return replace(calibration, identities={**calibration.identities, digest: known}), report


def kept_at_one_percent(descriptors: Floats, persons: Ints) -> float:
    """Give the share of pairs of one person that are more alike than all but 1 % of the pairs of two.

    ``descriptors`` (N, I) are of the ``persons`` (N,).  Raises DataError as ``fit_identity`` does.
    """
    one, other, same = _pairs(persons)
    similarity = _similarities(descriptors, one, other)
    return float(np.mean(similarity[same] > np.quantile(similarity[~same], 0.99)))


def _pairs(persons: NDArray[np.generic]) -> tuple[Ints, Ints, Bools]:
    """Give all pairs of faces (n,) and (n,), and which of them (n,) are of one person; raises DataError."""
    one, other = np.triu_indices(len(persons), 1)
    same = persons[one] == persons[other]
    if same.all() or not same.any():
        raise DataError("a calibration needs several people, and several faces of some; use another folder.")
    return one, other, same


def _similarities(descriptors: Floats, one: Ints, other: Ints) -> Floats:
    """Give the inner products (n,) of pairs of descriptors, a part at a time."""
    found = np.empty(len(one), np.float32)
    for start in range(0, len(one), _MOST_PAIRS // 2):
        part = slice(start, start + _MOST_PAIRS // 2)
        found[part] = np.einsum("ij,ij->i", descriptors[one[part]], descriptors[other[part]])
    return found


def fit_fusion(
    calibration: Calibration,
    digest: str,
    wishes: Sequence[Compared],
    *,
    tried: Mapping[str, Sequence[float]] | None = None,
) -> Calibration:
    """Learn the weights of the sum and its odds from wishes whose right answers are known.

    ``tried`` narrows the values of some weights: "steepness", "enough", "doubt", or "appearance" and an
    attribute.  Nothing is learned for faces in the domain; see ``learn_domain``.
    """
    calibration = replace(calibration, in_domain={})
    values: dict[str, Sequence[float]] = {"steepness": STEEPNESS, "enough": ENOUGH, "doubt": DOUBT}
    values |= {f"appearance {attribute}": APPEARANCE for attribute in sorted({w.attribute for w in wishes})}
    values |= tried or {}
    best = {name: choices[len(choices) // 2] for name, choices in values.items()}
    for _ in range(_ROUNDS):
        for name, choices in values.items():
            likelihoods = []
            for value in choices:
                known = _with(calibration, digest, {**best, name: value})
                likelihoods.append(np.mean([_likelihood(known, digest, wish) for wish in wishes]))
            best[name] = choices[int(np.argmax(likelihoods))]
    known = _with(calibration, digest, best)
    return replace(known, odds=_odds(known, digest, wishes), odds_alone=_odds(known, None, wishes))


def domain_of(calibration: Calibration, attribute: str, errors: Floats) -> InDomain:
    """Describe what was fitted on rendered faces, whose own drawings have these ``errors`` (N,)."""
    near, far = np.quantile(errors, (0.5, 0.95)).tolist()
    return InDomain(calibration.appearance[attribute], near, far)


def learn_domain(photographs: Calibration, rendered: Calibration) -> Calibration:
    """Weigh the drawings of faces like the rendered ones as a calibration fitted on those does.

    Their level is such that even odds stay even.
    """
    (slope, shift), (own_slope, own_shift) = rendered.odds, photographs.odds
    higher = own_shift / own_slope - shift / slope
    in_domain = {
        name: replace(known, level=higher / (known.weight - photographs.appearance[name]))
        for name, known in rendered.in_domain.items()
    }
    return replace(photographs, in_domain=in_domain)


def totals(calibration: Calibration, digest: str | None, wish: Compared) -> Doubles:
    """Sum up a wish under a calibration, (Q, N); without descriptors if ``digest`` is None."""
    weights, taken = calibration.weight(wish.attribute, wish.errors.astype(np.float64))
    if not digest:
        weights, taken = np.full_like(weights, calibration.alone), np.zeros_like(taken)
    known = calibration.identities[digest] if digest else None
    looks = weights[:, None] * wish.looks.astype(np.float64) - taken[:, None]
    similarity = wish.similarity.astype(np.float64)
    return calibration.total(known, similarity, looks, [wish.met.astype(np.float64)])


def _with(calibration: Calibration, digest: str, values: dict[str, float]) -> Calibration:
    identity = replace(calibration.identities[digest], steepness=values["steepness"], enough=values["enough"])
    weights = {
        name.removeprefix("appearance "): value for name, value in values.items() if name.startswith("app")
    }
    return replace(
        calibration,
        identities={**calibration.identities, digest: identity},
        appearance={**calibration.appearance, **weights},
        doubt=values["doubt"],
    )


def _likelihood(calibration: Calibration, digest: str, wish: Compared) -> float:
    sums = totals(calibration, digest, wish)
    right = np.logaddexp.reduce(np.where(wish.right, sums, -np.inf), axis=1)
    return float(np.mean(right - np.logaddexp.reduce(sums, axis=1)))


def _odds(calibration: Calibration, digest: str | None, wishes: Sequence[Compared]) -> tuple[float, float]:
    """Fit slope and shift of the log-odds of being right.

    As if the share ``prior`` of faces showed the person, and ``AS_WISHED`` of those what is wished.
    """
    from sklearn.linear_model import LogisticRegression

    prior = calibration.prior * AS_WISHED
    sums = np.concatenate([totals(calibration, digest, wish).ravel() for wish in wishes])
    right = np.concatenate([wish.right.ravel() for wish in wishes])
    weights = []
    for wish in wishes:
        share = wish.right.mean()
        weight = np.where(wish.right, prior / share, (1 - prior) / (1 - share)) / wish.right.size
        weights.append(weight.ravel() * len(sums) / len(wishes))
    fitted = LogisticRegression(C=1e6).fit(sums[:, None], right, sample_weight=np.concatenate(weights))
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
