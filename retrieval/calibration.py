"""From similarities to probabilities: what a hit's numbers are worth, learned from real people.

An answer is ranked by the sum of three terms, in natural logarithms:

    -softplus(-3 steepness (similarity - enough)) / 3     who it shows
    + appearance * (similarity to the drawing)        how it looks
    + sum of log((1 - doubt) p(value) + doubt)        whether it shows each wished value

For a number t with expectation y, p is exp(-(y - t)^2 / (2 deviation^2)).  The first term grows with the
descriptors' similarity, but hardly beyond ``enough``: a person who is sure counts no more for being surer, so
that the wish decides among the person's own pictures.  An estimate may be wrong with probability ``doubt``,
so that no estimate excludes a person.  A logistic function of the sum is the probability of the right person,
as wished; one of the similarity alone that of the right person.

How much a drawing tells depends on the face it is made from: rendered faces, which the networks learned from,
are drawn to a few grey levels, photographs less well, and their drawings know less of the person.  So the
weight of the drawing falls with the error of the query's own drawing, from what rendered people teach to what
photographs do.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from platformdirs import user_data_dir

from faces.errors import WeightsError
from faces.files import write_durably
from faces.types import Doubles

CALIBRATION_FILE = "calibration.json"
FORMAT = 1
_SHARPNESS = 3.0  # of the bend where a similarity is enough


@dataclass(frozen=True)
class IdentityCalibration:
    """When two descriptors of one model mean one person.

    ``midpoint`` is the similarity at which the odds are even if half of all pairs are of one person,
    ``slope`` how fast the log-odds grow with it.  In the sum a similarity counts ``steepness`` times, but
    hardly more from ``enough`` on.  ``scaled`` is as for ``OnnxIdentity``; ``composed`` is the share of the
    drawing's descriptor in a query, 0 to 1 (``retrieval.composing``).
    """

    slope: float
    midpoint: float
    steepness: float
    enough: float
    scaled: bool = True
    composed: float = 0.0


@dataclass(frozen=True)
class InDomain:
    """The weight of the drawing of a face that is like those the network learned from.

    Drawn as it is, such a face is off by ``near`` grey levels (root mean square) or fewer; from ``far`` on a
    face counts as a photograph.  Drawings as similar as ``level`` leave the odds as they are.
    """

    weight: float
    near: float
    far: float
    level: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """The weights of the sum, and what it means; see the module.

    ``identities`` by the digest of the model; ``prior`` is the share of faces that are taken to show the
    person before one looks.  ``appearance`` weighs the drawing of a photograph, by attribute, ``in_domain``
    that of faces like the rendered ones, ``alone`` any if there is no descriptor.  ``temperatures`` (grey
    levels) turn canonicalisation's distances into probabilities, by attribute.  A classifier's
    log-probabilities are divided by ``told``, 1 unless it is named, and ``commoner`` says how many times
    commoner a value is among photographs than among what it learned from, by attribute; ``landmarks`` are the
    deviations of what landmarks tell of a number, ``deviations`` those of its estimate, in its unit.
    ``odds`` (a, b) take a sum S to the log-odds a S + b (Platt 1999, *Probabilistic outputs for support
    vector machines*), ``odds_alone`` without a descriptor.
    """

    identities: Mapping[str, IdentityCalibration] = field(default_factory=dict)
    prior: float = 0.05
    appearance: Mapping[str, float] = field(default_factory=dict)
    in_domain: Mapping[str, InDomain] = field(default_factory=dict)
    alone: float = 20.0
    temperatures: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, float] = field(default_factory=dict)
    commoner: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    landmarks: Mapping[str, float] = field(default_factory=dict)
    deviations: Mapping[str, float] = field(default_factory=dict)
    doubt: float = 0.003
    odds: tuple[float, float] = (1.0, 0.0)
    odds_alone: tuple[float, float] = (1.0, -15.0)
    fitted_on: str = ""

    def __post_init__(self) -> None:
        numbers = (self.prior, self.alone, self.doubt, *self.odds, *self.odds_alone)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("every number must be finite")
        if not (0 < self.prior < 1 and 0 < self.doubt < 1):
            raise ValueError("prior and doubt must lie between 0 and 1")
        shares = [times for attribute in self.commoner.values() for times in attribute.values()]
        if not all(0 < number < math.inf for number in (*self.told.values(), *shares)):
            raise ValueError("temperatures and how much commoner values are must be above 0")
        if not all(0 <= one.composed <= 1 for one in self.identities.values()):
            raise ValueError("the share of a drawing's descriptor must lie between 0 and 1")
        if not all(one.near < one.far for one in self.in_domain.values()):
            raise ValueError("near must be less than far")

    def identity(self, digest: str, name: str) -> IdentityCalibration:
        """Give what is known of a model; raises WeightsError if it was never calibrated."""
        if digest not in self.identities:
            raise WeightsError(
                f"nobody has calibrated the identity model {name}; run `anotheryou calibrate FACES "
                f"--identity {name}` with a labelled folder of real photographs."
            )
        return self.identities[digest]

    def same_person(self, known: IdentityCalibration, similarity: Doubles) -> Doubles:
        """(n,) the probability that descriptors of this similarity (n,) are of one person."""
        prior = math.log(self.prior / (1 - self.prior))
        return logistic(known.slope, prior - known.slope * known.midpoint, similarity)

    def total(
        self,
        known: IdentityCalibration | None,
        similarity: Doubles,
        looks: Doubles,
        met: Iterable[Doubles],
    ) -> Doubles:
        """(n,) the sum that ranks n faces; ``looks`` is weighed already, ``met`` are probabilities."""
        found = looks
        if known is not None:
            apart = -_SHARPNESS * known.steepness * (similarity - known.enough)
            found = found - np.logaddexp(0.0, apart) / _SHARPNESS
        for value in met:
            found = found + np.log((1 - self.doubt) * value + self.doubt)
        return np.asarray(found)

    def weight(self, attribute: str, error: float | Doubles) -> tuple[Doubles, Doubles]:
        """Weigh drawings of faces whose own drawings have this ``error`` (n,), in grey levels.

        Returns the weights (n,), and what to take from the weighed similarity for the odds' sake (n,).
        """
        usual, known = self.appearance.get(attribute, 5.0), self.in_domain.get(attribute)
        if known is None:
            return np.full(np.shape(error), usual), np.zeros(np.shape(error))
        weights = np.interp(error, (known.near, known.far), (known.weight, usual))
        return np.asarray(weights), np.asarray((weights - usual) * known.level)

    def temperature(self, attribute: str) -> float:
        """Give an attribute's temperature in grey levels, the usual one if it was not calibrated."""
        return self.temperatures.get(attribute, 300.0)

    def deviation(self, attribute: str, step: float) -> float:
        """Give the deviation of an estimated number; if not calibrated, ``step``: its values' distance."""
        return self.deviations.get(attribute, step)

    @property
    def digest(self) -> str:
        """12 hex digits that stand for its numbers."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, object]:
        """Give it as JSON values; ``read_calibration`` reads them back."""
        return {"format": FORMAT, **asdict(self)}

    def save(self, path: Path) -> None:
        """Write it; raises OSError if the folder cannot be written to."""
        write_durably(path, (json.dumps(self.to_json(), indent=2) + "\n").encode())


def user_calibration() -> Path:
    """The file that `anotheryou calibrate` writes: ``ANOTHERYOU_CALIBRATION``, or among the user's data."""
    named = os.environ.get("ANOTHERYOU_CALIBRATION")
    if named:
        return Path(named).expanduser()
    return Path(user_data_dir("anotheryou", appauthor=False)) / CALIBRATION_FILE


def logistic(slope: float, shift: float, values: Doubles) -> Doubles:
    """(n,) probabilities from values (n,), whose log-odds are slope · value + shift."""
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * values + shift, -60, 60))))


def read_calibration(path: Path | None = None) -> Calibration:
    """Read a calibration, by default the user's own, or else the one that comes along.

    Models of identity that the user's own does not know are as the one that comes along has them.  Raises
    WeightsError if it cannot be used.
    """
    if path is None:
        own, shipped = user_calibration(), Path(__file__).with_name(CALIBRATION_FILE)
        if not own.is_file():
            return read_calibration(shipped)
        found, known = read_calibration(own), read_calibration(shipped).identities
        return replace(found, identities={**known, **found.identities})
    try:
        content = json.loads(path.read_text("utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("it was made by another version")
        identities = content.pop("identities")
        in_domain = content.pop("in_domain", {})
        content |= {name: tuple(content[name]) for name in ("odds", "odds_alone")}
        return Calibration(
            identities={digest: IdentityCalibration(**known) for digest, known in identities.items()},
            in_domain={name: InDomain(**known) for name, known in in_domain.items()},
            **content,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"{path} is no calibration ({error}); make one with `anotheryou calibrate`, or install again."
        ) from None
