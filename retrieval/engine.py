"""The engine: photograph or crop → face → vector; face and wish → query; query → ranked answer.

A face is one vector of numbers that are compared by inner product:

    [ identity | appearance and error of each encoding | log-posterior of each attribute, mean, mean square ]

*Identity* is the descriptor of a face at its own resolution.  An *encoding* is a network with its projection:
the face is drawn with every value, the drawing closest to it is kept (Ghodrati et al. 2015, 4.1.2), and its
middle-layer features, projected, are the *appearance*; what the drawing is off by is the *error*.  A
classifier gives the *posterior* of each value that it knows, how close each drawing comes that of the others;
for the pose the landmarks count as well.  What the classifier alone knows can be wished for, but not drawn.
A query has the same parts, each with its weight, so that one stored vector serves every question: (ŷ − t)² =
ŷ² − 2tŷ + t² is an inner product too.

Searching has two steps.  The inner product makes a shortlist; the shortlist is ranked by the calibrated
probability (``retrieval.calibration``), which the inner product cannot express: it knows no "sure enough".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faces.chips import five_points
from faces.crop import crop_face, landmarks_in_crop
from faces.errors import WeightsError, WishError
from faces.types import Doubles, Floats, Halves, Landmarks, Pixels
from generator.attributes import AttributeGroup, everyday
from index import Layout
from retrieval.calibration import Calibration, logistic
from retrieval.estimating import Estimator, as_drawn
from retrieval.identity import Identity
from retrieval.parts import Comparison, Encoding, Query, Scores, Telling, Wanted

if TYPE_CHECKING:
    from generator.model import Canonical

SHORTLIST = 512
"""Faces whose probability is computed; with k above a quarter of it, four times k."""
VERSION = 3
_ROWS = 256  # faces embedded at a time
# The shortlist's weight of log p of a value that shall not be shown, for log(1 - p): with more, faces that
# are surely without it would outdo those that are very probably.
_UNWISHED = -0.5
_ASKED = 3**-0.5  # if one query in three wishes for an attribute, in the root mean square of them all


class Engine:
    """Join networks, identity, calibration and, if wished, a classifier into vectors, queries and scores.

    Raises WeightsError if networks and classifier want different crops, or if there is nothing to compare by.
    """

    def __init__(
        self,
        encodings: Sequence[Encoding],
        identity: Identity | None,
        calibration: Calibration,
        telling: Telling | None = None,
    ) -> None:
        if not encodings:
            raise WeightsError("a collection needs weights; name some with --weights.")
        geometry = encodings[0].generator.geometry
        for encoding in encodings:
            if encoding.generator.geometry != geometry:
                raise WeightsError(
                    f"the weights {encoding.source} want faces cropped in another way than "
                    f"{encodings[0].source}; use them in a collection of their own."
                )
        reason = "" if telling is None else telling.unfit(encodings)
        if reason:
            raise WeightsError(f"{reason}; name another with --classifier, or none.")
        self.encodings = tuple(encodings)
        self.telling = telling
        self.identity = identity
        self.calibration = calibration
        self.geometry = geometry
        self._place()

    @cached_property
    def layout(self) -> Layout:
        """Describe what the numbers of the vectors mean, as a collection keeps it."""
        identity = self.identity
        description: dict[str, Any] = {
            "version": VERSION,
            "identity": None if identity is None else {"source": identity.name, "digest": identity.digest},
            "encodings": [
                {
                    "source": encoding.source,
                    "name": encoding.generator.name,
                    "weights_id": encoding.generator.weights_id,
                    "projection": encoding.projection.digest,
                }
                for encoding in self.encodings
            ],
            "temperatures": {
                one.group.name: self.calibration.temperature(one.group.name)
                for one in self.attributes.values()
            },
            "landmarks": dict(self.calibration.landmarks),
            "attributes": {name: list(one.group.values) for name, one in self.attributes.items()},
        }
        if self.telling is not None:
            description["classifier"] = {
                "source": self.telling.source,
                "digest": self.telling.classifier.digest,
                "told": dict(self.calibration.told),
                "commoner": {name: dict(times) for name, times in self.calibration.commoner.items()},
            }
        # Where the weights lie may change; what they are may not.
        essential = json.loads(json.dumps(description))
        for part in (essential["identity"] or {}, essential.get("classifier", {}), *essential["encodings"]):
            part.pop("source", None), part.pop("name", None)
        digest = hashlib.sha256(json.dumps(essential, sort_keys=True).encode()).hexdigest()[:12]
        return Layout(
            digest, {**description, "importance": self._importance()}, self.geometry, self.dimension
        )

    def cut(self, pixels: Pixels, landmarks: Landmarks) -> tuple[Pixels, Pixels | None]:
        """Cut a face of a photograph, (H, W) grey or (H, W, 3) RGB uint8.

        Returns the crop (S, S) uint8 grey and the chip (C, C, 3) that the identity model sees, None without
        one.  Raises ValueError as ``crop_face`` does.
        """
        chip = None if self.identity is None else self.identity.cut(pixels, landmarks)
        return crop_face(pixels, landmarks, self.geometry), chip

    def embed_face(self, pixels: Pixels, landmarks: Landmarks) -> tuple[Pixels, Floats]:
        """Cut a face of a photograph and make its vector: crop (S, S) and (D,); raises as ``cut`` does."""
        crop, chip = self.cut(pixels, landmarks)
        descriptors = self.describe([] if chip is None else [chip])
        return crop, self.embed(crop[None], descriptors, five_points(landmarks)[None])[0]

    def embed(
        self, crops: Pixels, descriptors: Floats | None, points: NDArray[np.floating] | None = None
    ) -> Floats:
        """Make the vectors (N, D) float32 of crops (N, S, S) uint8 and descriptors (N, I) of length one.

        ``points`` (N, 5, 2) are the landmarks in the order of ``faces.chips.five_points``, if they are known.
        """
        parts = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(crops), _ROWS):
            part = slice(start, start + _ROWS)
            told = self.tell(crops[part])
            made = [self._canonicalise(encoding, crops[part], told) for encoding in self.encodings]
            known = None if descriptors is None else descriptors[part]
            parts.append(self.assemble(known, made, None if points is None else points[part], told))
        return np.concatenate(parts)

    def assemble(
        self,
        descriptors: Floats | None,
        canonical: Sequence[Canonical],
        points: NDArray[np.floating] | None = None,
        told: Floats | None = None,
    ) -> Floats:
        """Put vectors (N, D) float32 together from descriptors (N, I) and the N faces as each encoding
        canonicalises them.

        ``points`` are as for ``embed``, ``told`` is what ``tell`` says of the faces.
        """
        vectors = np.zeros((len(canonical[0].features), self.dimension), np.float32)
        if self.identity is not None and descriptors is not None:
            vectors[:, self._identity] = descriptors
        for number, made in enumerate(canonical):
            appearance = self.appearance[number]
            vectors[:, appearance] = self.encodings[number].projection(made.features)
            vectors[:, appearance.stop] = made.distances.min(axis=1) / self.geometry.size
        self._estimator.fill(vectors, canonical, points, told)
        return vectors

    def tell(self, crops: Pixels) -> Floats | None:
        """Tell by the classifier's log-probabilities (N, A) what crops (N, S, S) show; None without one."""
        return self._estimator.tell(crops)

    def estimates(self, vector: Halves | Floats) -> dict[str, str]:
        """Tell what a face (D,) seems to show: of numbers the expected one, else the likeliest value."""
        return self._estimator.words(vector)

    def met(self, wanted: Wanted, vectors: Halves | Floats | Doubles) -> Doubles:
        """Tell how likely (n,) faces with these vectors (n, D) meet a wish."""
        return self._estimator.met(wanted, vectors)

    def _canonicalise(self, encoding: Encoding, crops: Pixels, told: Floats | None) -> Canonical:
        """Canonicalise as the encoding does.

        If there are too many combinations of values to draw all, and the classifier knows them, it is asked
        instead: each face is drawn once, with all values mixed as likely as they are, so that no value is
        chosen for good where two are about as likely.
        """
        generator = encoding.generator
        vocabulary = generator.vocabulary
        known = None if self.telling is None else self.telling.classifier.vocabulary
        if told is None or known is None or vocabulary.few or not {*vocabulary.groups} <= {*known.groups}:
            return generator.canonicalise(crops)
        from generator.model import Canonical

        shown = as_drawn(told, known, vocabulary)
        drawn = generator.draw(crops, shown)
        apart = np.linalg.norm(drawn.stage2.astype(np.float32) - crops, axis=(1, 2))
        likeliest = [shown[:, place].argmax(axis=1) for place in vocabulary.places.values()]
        distances = np.repeat(apart[:, None], vocabulary.size, axis=1)
        return Canonical(np.stack(likeliest, axis=1), drawn.stage2, drawn.features, distances)

    def describe(self, chips: Sequence[Pixels]) -> Floats | None:
        """Describe chips (C, C, 3) uint8 by (N, I) float32; None without an identity model."""
        if self.identity is None:
            return None
        side = (0, 0, 3) if not chips else chips[0].shape
        return self.identity.describe(np.stack(chips) if chips else np.empty((0, *side), np.uint8))

    def old_chip(self, crop: Pixels, landmarks: Landmarks) -> Pixels | None:
        """Cut the chip of a face whose photograph is gone from its crop (S, S); coarse, but it will do."""
        if self.identity is None:
            return None
        return self.identity.cut(crop, landmarks_in_crop(landmarks, self.geometry))

    def wanted(self, wish: Mapping[str, str], unwished: Sequence[tuple[str, str]] = ()) -> tuple[Wanted, ...]:
        """Check a wish such as ``{"pose": "+30"}``, and what shall not be shown, attributes and words.

        Raises WishError for unknown names and values, and if one excludes the other.
        """
        found = [self._meant(name, word) for name, word in wish.items()]
        refused = [self._meant(name, word, shown=False) for name, word in unwished]
        wished = {one.attribute.group.name: one for one in found}
        unwelcome = {one.name: one for one in refused}
        for one in unwelcome.values():
            group, asked = one.attribute.group, wished.get(one.attribute.group.name)
            alike = [other for other in unwelcome.values() if other.attribute is one.attribute]
            excluded = {place for other in alike for place in other.places}
            if asked is not None and (
                asked.target == one.target if group.numbers else excluded.issuperset(asked.places)
            ):
                both = f"{group.name} {everyday(asked.word)}"
                raise WishError(f"{both} is wished for and not wished for at once; leave one out.")
            if len(excluded) == len(group.values):
                raise WishError(f"No {group.name} is left that may be shown; leave one out.")
        return (*wished.values(), *unwelcome.values())

    def _meant(self, name: str, word: str, *, shown: bool = True) -> Wanted:
        """Find the attribute of that name, and what a word means of it; raises WishError."""
        attribute = self.attributes.get(name.strip().casefold())
        if attribute is None:
            known = ", ".join(one.group.name for one in self.attributes.values())
            raise WishError(f"Nothing here knows {name.strip()!r}; choose one of: {known}.")
        group, spread = attribute.group, attribute.group.spread(word)
        places = tuple(np.flatnonzero(spread).tolist())
        target = float("nan") if group.numbers is None else float(spread @ np.array(group.numbers))
        if len(places) == 1:
            label = group.values[places[0]]
        else:
            label = word.strip().casefold() if group.numbers is None else f"{target:+g}"
        return Wanted(attribute, label, places, target, shown)

    def queries(self, crops: Pixels, faces: Floats, wishes: Sequence[tuple[Wanted, ...]]) -> list[Query]:
        """Draw Q faces, (Q, S, S) uint8 with vectors (Q, D), as wished, one wish each (may be empty)."""
        drawn: list[dict[int, Floats]] = [{} for _ in wishes]
        images: list[Pixels | None] = [None] * len(wishes)
        for number, encoding in enumerate(self.encodings):
            asked = [
                place
                for place, wish in enumerate(wishes)
                if any(self.drawn_by(wanted) == number for wanted in wish)
            ]
            if asked:
                vectors = np.stack([self._vector(number, wishes[place], faces[place]) for place in asked])
                made = encoding.generator.draw(crops[asked], vectors)
                for place, features, image in zip(
                    asked, encoding.projection(made.features), made.stage2, strict=True
                ):
                    drawn[place][number], images[place] = features, image
        return [self.query(*each) for each in zip(faces, drawn, wishes, images, strict=True)]

    def query(
        self,
        face: Floats,
        drawn: Mapping[int, Floats],
        wish: tuple[Wanted, ...],
        image: Pixels | None = None,
    ) -> Query:
        """Make the query for a face (D,) from the appearances (P,) of its drawings, by encoding."""
        return Query(self._linear(face, drawn, wish), face, drawn, wish, image)

    def drawing(self, crop: Pixels, face: Floats, wish: Sequence[Wanted]) -> Pixels:
        """Draw a crop (S, S) uint8 as wished, by one network after the other, or as it is without a wish."""
        drawn: Pixels = self.drawings(crop, face, [wish])[0]
        return drawn

    def drawings(self, crop: Pixels, face: Floats, wishes: Sequence[Sequence[Wanted]]) -> Pixels:
        """Draw a crop (S, S) uint8 once for each of N wishes, (N, S, S), as ``drawing`` does."""
        drawn = np.repeat(crop[None], len(wishes), 0)
        drawers = [{self.drawn_by(wanted) for wanted in wish} - {None} or {0} for wish in wishes]
        for number, encoding in enumerate(self.encodings):
            asked = [place for place, numbers in enumerate(drawers) if number in numbers]
            if asked:
                vectors = np.stack([self._vector(number, wishes[place], face) for place in asked])
                drawn[asked] = encoding.generator.draw(drawn[asked], vectors).stage2
        return drawn

    def as_person(self, face: Floats, descriptor: Floats) -> Floats:
        """Give the vector (D,) of a face with another descriptor (I,) of length one of the same person."""
        found = face.copy()
        found[self._identity] = descriptor
        return found

    def drawing_for(self, query: Query, crop: Pixels) -> Pixels:
        """Give the drawing (S, S) uint8 of a query, made from a crop unless one network has drawn it all."""
        if query.image is None or len(query.drawn) > 1:
            return self.drawing(crop, query.face, query.wanted)
        return query.image

    def turned(self, query: Query) -> tuple[float, float] | None:
        """Give the yaw that a face seems to have and the one it was drawn with, in degrees; None if the
        drawing was not turned."""
        for wanted in query.wanted:
            if wanted.name == "pose" and not np.isnan(wanted.target) and (word := self._as_drawn(wanted)):
                return float(self.estimates(query.face)["pose"]), float(word)
        return None

    @property
    def composed(self) -> float:
        """The share of the drawing's descriptor in a query (``retrieval.composing``), 0 to 1."""
        known = None if self.identity is None else self.calibration.identities.get(self.identity.digest)
        return 0.0 if known is None else known.composed

    def compare(self, query: Query, vectors: NDArray[np.floating]) -> Comparison:
        """Compare a query with faces of these vectors (n, D)."""
        stored = vectors.astype(np.float64)
        similarity = np.full(len(stored), np.nan)
        if self.identity is not None:
            similarity = stored[:, self._identity] @ query.face[self._identity].astype(np.float64)
        looks = {}
        for number in query.drawn or range(len(self.encodings)):
            part = self.appearance[number]
            looks[number] = stored[:, part] @ query.drawn.get(number, query.face[part]).astype(np.float64)
        met = {wanted.name: self.met(wanted, stored) for wanted in query.wanted}
        return Comparison(similarity, looks, met)

    def score(self, query: Query, vectors: Halves | Floats, looks: Doubles | None = None) -> Scores:
        """Compute what faces with these vectors (n, D) are worth as answers.

        ``looks`` (n,) may give how alike drawing and faces look, if something else than the stored appearance
        tells.
        """
        found, calibration = self.compare(query, vectors), self.calibration
        weighed = np.zeros(len(vectors))
        for number, (weight, taken) in self._weights(query.face, query.drawn, query.wanted).items():
            weighed += weight * (found.looks[number] if looks is None else looks) - taken
        known, odds = None, calibration.odds_alone
        if self.identity is not None:
            known, odds = calibration.identity(self.identity.digest, self.identity.name), calibration.odds
        total = calibration.total(known, found.similarity, weighed, found.met.values())
        same = logistic(*odds, weighed) if known is None else calibration.same_person(known, found.similarity)
        if not found.met:
            return Scores(same, same, found.met, found.similarity)
        probability = logistic(*odds, total)
        # The drawing may know the person better than the descriptor does: both at once is never the likelier.
        return Scores(probability, np.maximum(same, probability), found.met, found.similarity)

    def error(self, number: int, face: Floats) -> float:
        """Tell by how many grey levels (root mean square) an encoding draws a face (D,) wrongly as it is."""
        return float(face[self.appearance[number].stop])

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        """Give the values of every attribute."""
        return {one.group.name: one.group.values for one in self.attributes.values()}

    def _place(self) -> None:
        """Give every part its place in a vector."""
        at = 0 if self.identity is None else self.identity.dimension
        self._identity = slice(0, at)
        self.appearance: list[slice] = []
        for encoding in self.encodings:
            self.appearance.append(slice(at, at + encoding.projection.dimension))
            at += encoding.projection.dimension + 1  # the error stands behind the appearance
        self._estimator = Estimator(self.encodings, self.telling, self.calibration, at)
        self.attributes, at = self._estimator.attributes, self._estimator.stop
        self.dimension = at

    def _importance(self) -> list[list[float]]:
        """Tell how large the numbers of queries (``_linear``) are, part after part, as ``Layout`` has it."""
        parts: list[list[float]] = []
        if self.identity is not None:
            known = self.calibration.identities.get(self.identity.digest)
            steepness = 1.0 if known is None else known.steepness
            parts.append([self.identity.dimension, steepness / self.identity.dimension**0.5])
        for number, place in enumerate(self.appearance):
            size = place.stop - place.start
            weights = [self.calibration.alone] if self.identity is None else []
            for attribute in self.attributes.values():
                if self.identity is not None and attribute.encoding == number:
                    # Of photographs, and of faces like the rendered ones: the middle of both.
                    both = [self.calibration.weight(attribute.group.name, error)[0] for error in (0, 255)]
                    weights.append(_ASKED * float(np.sqrt(np.prod(both))))
            parts += [[size, max(weights, default=0.0) / size**0.5], [1, 0.0]]
        for attribute in self.attributes.values():
            values = len(attribute.group.values)
            if attribute.moments is None:
                parts.append([values, _ASKED * values**-0.5])
            else:
                scale = attribute.unit**2 / (2 * self._estimator.deviation(attribute) ** 2)
                parts += [[values, 0.0], [2, _ASKED * scale]]
        return parts

    def drawn_by(self, wanted: Wanted) -> int | None:
        """Find the encoding that draws a wish; None if it does not know what is wished for."""
        if wanted.shown and self._as_drawn(wanted) is None:
            return None
        return wanted.attribute.encoding

    def _as_drawn(self, wanted: Wanted) -> str | None:
        """Give the word by which the encoding that draws the attribute knows what is wished, if it does.

        Of a number beyond all that it can draw, the outermost.
        """
        group, word = self._estimator.drawn_group(wanted.attribute), wanted.word
        if group is None:
            return None
        if group.numbers is not None and not np.isnan(wanted.target):
            word = f"{np.clip(wanted.target, *self._estimator.drawn_numbers(wanted.attribute)):+g}"
        try:
            group.spread(word)
        except WishError:
            return None
        return word

    def _vector(self, number: int, wish: Sequence[Wanted], face: Floats) -> Floats:
        """Give the attribute vector (A,) of a wish for one encoding; the rest stays as the face shows it."""
        vocabulary = self.encodings[number].generator.vocabulary
        own = {group.name: self._own_value(group, face, wish) for group in vocabulary.groups}
        named = {
            wanted.attribute.group.name: word
            for wanted in wish
            if wanted.shown and wanted.attribute.encoding == number and (word := self._as_drawn(wanted))
        }
        return vocabulary.vector({**own, **named})

    def _own_value(self, group: AttributeGroup, face: Floats, wish: Sequence[Wanted]) -> str:
        """Find the value of a network's group that a face seems to show, of those that may be shown.

        Others may answer for the attribute, with other values.
        """
        known = self.attributes[group.name.casefold()]
        posterior = face[known.posterior].copy()
        for wanted in wish:
            if wanted.attribute is known and not wanted.shown:
                posterior[list(wanted.places)] = -np.inf
        value = known.group.values[int(posterior.argmax())]
        if value in group.values:
            return value
        if group.numbers is not None and known.moments is not None:
            mean = float(face[known.moments][0]) * known.unit
            return group.values[int(np.abs(np.array(group.numbers) - mean).argmin())]
        return group.values[0]

    def _linear(self, face: Floats, drawn: Mapping[int, Floats], wish: Sequence[Wanted]) -> Floats:
        """Give the query (D,) that makes the shortlist: terms of the log-probability without their bends."""
        query, calibration = np.zeros(self.dimension, np.float32), self.calibration
        if self.identity is not None:
            steepness = calibration.identity(self.identity.digest, self.identity.name).steepness
            query[self._identity] = steepness * face[self._identity]
        for number, (weight, _) in self._weights(face, drawn, wish).items():
            query[self.appearance[number]] = weight * drawn.get(number, face[self.appearance[number]])
        for wanted in wish:
            attribute = wanted.attribute
            if attribute.moments is None:
                share = (1.0 if wanted.shown else _UNWISHED) / len(wanted.places)
                query[attribute.posterior][list(wanted.places)] += share
            elif wanted.shown:  # no sum of these numbers falls towards the target from both sides
                scale = attribute.unit**2 / (2 * self._estimator.deviation(attribute) ** 2)
                query[attribute.moments] = [2 * wanted.target / attribute.unit * scale, -scale]
        return query

    def _weights(
        self, face: Floats, drawn: Mapping[int, Floats], wish: Sequence[Wanted]
    ) -> dict[int, tuple[float, float]]:
        """Weigh the appearance of each encoding that is compared at all; see ``Calibration.weight``."""
        if self.identity is None:
            numbers = list(drawn) or list(range(len(self.encodings)))
            return dict.fromkeys(numbers, (self.calibration.alone / len(numbers), 0.0))
        weights: dict[int, tuple[float, float]] = {}
        for wanted in wish:
            number = self.drawn_by(wanted)
            if number is None or number not in drawn:
                continue  # nothing is drawn that could be compared
            error = self.error(number, face)
            weight, taken = self.calibration.weight(wanted.attribute.group.name, error)
            each = float(weight) / len(drawn), float(taken) / len(drawn)
            weights[number] = max(weights.get(number, each), each)
        return weights


def shortlist_size(k: int) -> int:
    """Count the faces that are ranked by probability to find the best k."""
    return max(SHORTLIST, 4 * k)
