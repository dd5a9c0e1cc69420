"""Estimates: what faces show, as a classifier, drawings and landmarks tell together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faces.chips import yaw_of
from faces.types import Doubles, Floats, Halves, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from retrieval.calibration import Calibration
from retrieval.estimates import Attribute
from retrieval.parts import Encoding, Telling, Wanted

if TYPE_CHECKING:
    from generator.model import Canonical

_LEAST = -7.0  # log-probabilities below it count as little: about the logarithm of the calibrations' doubt
_UNTOLD = 1e-6  # probability of a value that is not told
_BESIDE = 1.5  # times the temperature of what drawings tell where a classifier tells as well


class Estimator:
    """Fills in and reads the last part of vectors, the posterior of each attribute, from ``start`` on.

    ``attributes`` by name in small letters; the first that knows one tells it, the classifier before all
    encodings.  ``stop`` is the place behind them.
    """

    def __init__(
        self, encodings: Sequence[Encoding], telling: Telling | None, calibration: Calibration, start: int
    ) -> None:
        self._encodings, self._telling, self._calibration = encodings, telling, calibration
        self.attributes: dict[str, Attribute] = {}
        first = () if telling is None else telling.classifier.vocabulary.groups
        others = [group for encoding in encodings for group in encoding.generator.vocabulary.groups]
        self.stop = start
        for group in (*first, *others):
            if group.name.casefold() not in self.attributes:
                placed = Attribute.at(self.stop, group, self._drawing(group.name), told=group in first)
                self.attributes[group.name.casefold()], self.stop = placed, placed.stop

    def _drawing(self, name: str) -> int | None:
        """Find the first encoding that draws an attribute, if any."""
        for number, encoding in enumerate(self._encodings):
            if name.casefold() in (known.casefold() for known in encoding.generator.vocabulary.places):
                return number
        return None

    def tell(self, crops: Pixels) -> Floats | None:
        """Tell by the classifier's log-probabilities (N, A) what crops (N, S, S) show; None without one."""
        return None if self._telling is None else self._telling.classifier(crops)

    def fill(
        self,
        vectors: Floats,
        canonical: Sequence[Canonical],
        points: NDArray[np.floating] | None,
        told: Floats | None,
    ) -> None:
        """Fill the posteriors of n faces into their ``vectors`` (n, D).

        ``canonical`` are the faces as each encoding canonicalises them, ``points`` (n, 5, 2) their landmarks
        if they are known, ``told`` what ``tell`` says of them.
        """
        for attribute in self.attributes.values():
            self._estimate(vectors, attribute, canonical, points, told)

    def _estimate(
        self,
        vectors: Floats,
        attribute: Attribute,
        canonical: Sequence[Canonical],
        points: NDArray[np.floating] | None,
        told: Floats | None,
    ) -> None:
        """Fill in an attribute's posterior: as the classifier tells it, or from how close drawings come; of
        numbers, whose neighbours look alike, from both."""
        name, group = attribute.group.name, attribute.group
        logs = np.zeros((len(vectors), len(group.values)))
        if attribute.told:
            assert told is not None and self._telling is not None, "the classifier must be asked"
            place = self._telling.classifier.vocabulary.places[name]
            logs += told[:, place].astype(np.float64) / self._calibration.told.get(name, 1.0)
            times = self._calibration.commoner.get(name, {})
            logs += np.log([times.get(value, 1.0) for value in group.values])
        if attribute.encoding is not None and (group.numbers is not None or not attribute.told):
            vocabulary = self._encodings[attribute.encoding].generator.vocabulary
            drawn = vocabulary.group(name)
            distances = canonical[attribute.encoding].distances[:, vocabulary.places[drawn.name]]
            temperature = self._calibration.temperature(name) * (_BESIDE if attribute.told else 1.0)
            apart = np.square(distances[:, _nearest(group, drawn)], dtype=np.float64)  # (n, values)
            logs -= apart / (2 * temperature**2)
        posterior = np.exp(logs - logs.max(axis=1, keepdims=True))
        deviation, numbers = self._calibration.landmarks.get(name), group.numbers
        if deviation is not None and numbers is not None and points is not None:
            apart = np.square(np.array(numbers) - yaw_of(points)[:, None]) / (2 * deviation**2)  # (n, values)
            apart -= apart.min(axis=1, keepdims=True)
            posterior *= np.nan_to_num(np.exp(-apart), nan=1.0)
        posterior /= posterior.sum(axis=1, keepdims=True)
        vectors[:, attribute.posterior] = np.maximum(np.log(np.maximum(posterior, 1e-30)), _LEAST)
        if attribute.moments is not None and numbers is not None:
            mean = posterior @ (np.array(numbers) / attribute.unit)
            vectors[:, attribute.moments] = np.stack([mean, mean**2], axis=1)

    def words(self, vector: Halves | Floats) -> dict[str, str]:
        """Tell what a face (D,) seems to show: of numbers the expected one, else the likeliest value."""
        found = {}
        for attribute in self.attributes.values():
            if attribute.moments is not None:
                expected = round(float(vector[attribute.moments][0]) * attribute.unit)
                found[attribute.group.name] = f"{expected:+d}" if expected else "0"
            else:
                found[attribute.group.name] = attribute.group.values[
                    int(vector[attribute.posterior].argmax())
                ]
        return found

    def met(self, wanted: Wanted, vectors: Halves | Floats | Doubles) -> Doubles:
        """Tell how likely (n,) faces with these vectors (n, D) meet a wish.

        The outermost number that can be drawn stands for all beyond it, as it did when the network learned.
        """
        attribute = wanted.attribute
        if attribute.moments is None:
            stored = vectors[:, attribute.posterior][:, list(wanted.places)].astype(np.float64)
            found = np.minimum(np.exp(stored).sum(axis=1), 1)
        else:
            numbers = vectors[:, attribute.moments.start].astype(np.float64) * attribute.unit
            least, most = self.drawn_numbers(attribute)
            if wanted.target <= least:
                numbers = np.maximum(numbers, wanted.target)
            if wanted.target >= most:
                numbers = np.minimum(numbers, wanted.target)
            found = np.exp(-np.square(numbers - wanted.target) / (2 * self.deviation(attribute) ** 2))
        return np.asarray(found if wanted.shown else 1 - found)

    def drawn_group(self, attribute: Attribute) -> AttributeGroup | None:
        """Give an attribute as the encoding that draws it knows it; None if none does."""
        if attribute.encoding is None:
            return None
        return self._encodings[attribute.encoding].generator.vocabulary.group(attribute.group.name)

    def drawn_numbers(self, attribute: Attribute) -> tuple[float, float]:
        """Give the least and the most of an attribute's numbers that can be drawn, or else told."""
        group = self.drawn_group(attribute) or attribute.group
        return min(group.numbers or (-math.inf,)), max(group.numbers or (math.inf,))

    def deviation(self, attribute: Attribute) -> float:
        """Give the deviation of an estimated number."""
        numbers = sorted(attribute.group.numbers or (0.0, 1.0))
        return self._calibration.deviation(attribute.group.name, float(np.diff(numbers).mean()))


def as_drawn(told: Floats, known: Vocabulary, drawn: Vocabulary) -> Floats:
    """Mix the values that a network draws as likely as a classifier tells them, (N, A') float32.

    ``told`` (N, A) are log-probabilities of the values ``known``.  Numbers that are not drawn count as the
    nearest, other values not at all.  Raises ValueError if an attribute that is drawn is not told.
    """
    parts = []
    for group in drawn.groups:
        if group.name not in known.places:
            raise ValueError(f"the classifier does not tell the {group.name}")
        other, likely = known.group(group.name), np.exp(told[:, known.places[group.name]])
        if group.numbers is not None and other.numbers is not None:
            same = np.eye(len(group.values))[_nearest(other, group)]  # (told, drawn)
        else:
            same = np.array([[one == value for value in group.values] for one in other.values], float)
        mixed = likely @ same + _UNTOLD
        parts.append(mixed / mixed.sum(axis=1, keepdims=True))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _nearest(told: AttributeGroup, drawn: AttributeGroup) -> list[int]:
    """Give for each value that is told the place of the same among those drawn, of numbers the nearest."""
    if told.numbers is None or drawn.numbers is None:
        return [drawn.values.index(value) for value in told.values]
    numbers = np.array(drawn.numbers)
    return [int(np.abs(numbers - number).argmin()) for number in told.numbers]
