"""What methods are built from: the generator under test, fitted rivals, weight files of others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from baselines.cpi.model import CPIModel, load_cpi
from baselines.network_features import IdentityFeatures, open_features
from baselines.rivals import Rivals, load_rivals
from baselines.searcher import Features
from evaluation.ours import CanonicalFeatures
from evaluation.studio import Remembered, Studio
from facedata.labelled import Attribute, Words
from facedata.large_pictures import Pictures
from faces.errors import RowUnavailable, WeightsError
from faces.progress import NoProgress, Progress
from faces.types import Floats, Pixels
from generator.checkpoint import load_generator
from generator.projection import Projection, load_projection
from index.search import Vectors
from retrieval.calibration import Calibration, read_calibration
from retrieval.detail import flow_for
from retrieval.engine import Engine
from retrieval.estimating import as_drawn
from retrieval.identity import DlibIdentity
from retrieval.loading import DEFAULT_CLASSIFIER, load_telling
from retrieval.parts import Encoder, Encoding, Telling

if TYPE_CHECKING:
    from generator.appearance_flow import AppearanceFlow

SHIPPED_RIVALS: dict[Attribute, str] = {"pose": "rivals-rotation", "accessory": "rivals-accessories"}
"""The fitted rivals that come along, by what they change."""

SHIPPED_CPI = "cpi-32"

CALIBRATIONS = {"rendered": Path(__file__).with_name("rendered-calibration.json")}
"""Calibrations beside the shipped one: fitted on rendered people."""

Loaded = TypeVar("Loaded")


@dataclass(kw_only=True, eq=False)
class Context:
    """What the methods share that are measured on one set of faces, so that nothing costly is done twice.

    ``studio`` has the generator under test.  ``rivals`` names a folder of fitted rivals and ``cpi`` one of
    trained CPI, the shipped ones if None; ``vgg16`` and ``vgg_face`` are the published weight files; ``load``
    opens a generator by name or folder; ``calibration`` is the engine's, by default that of searches, and
    ``classifier`` names what tells what faces show, that which comes along if None and "none" for none.  A
    context belongs to one gallery, whose features it keeps.
    """

    studio: Studio
    attribute: Attribute
    rivals: str | Path | None = None
    cpi: str | Path | None = None
    vgg16: Path | None = None
    vgg_face: Path | None = None
    load: Callable[[str], Encoder] = load_generator
    calibration: Calibration = field(default_factory=read_calibration)
    classifier: str | Path | None = None
    progress: Progress = field(default_factory=NoProgress)

    def __post_init__(self) -> None:
        self._features: dict[tuple[str, str], Features] = {}
        self._identities: dict[str, str] = {}
        self._family: dict[str, Context] = {self.studio.generator.name: self}

    @cached_property
    def _identity_model(self) -> DlibIdentity:
        return DlibIdentity()

    @cached_property
    def _telling(self) -> Telling | None:
        return load_telling(DEFAULT_CLASSIFIER if self.classifier is None else self.classifier)

    @property
    def flow(self) -> AppearanceFlow | None:
        """The appearance flow that has learned from drawings of the weights under test, if one has."""
        return flow_for([self.studio.generator])

    @cached_property
    def fitted_rivals(self) -> Rivals:
        """What rivals learned about the attribute.

        Raises RowUnavailable if nothing was learned about it or about faces of this size, WeightsError if a
        folder that was named cannot be used.
        """
        shipped = SHIPPED_RIVALS.get(self.attribute, f"rivals-{self.attribute}")
        missing = f"no rivals fitted for the {self.attribute}: --rivals DIR"
        found = _named_or_shipped(load_rivals, self.rivals, shipped, missing)
        if found.attribute != self.attribute:
            raise RowUnavailable(f"the rivals were fitted for {found.attribute}, not {self.attribute}")
        image = found.means.get("image")
        if image is not None and image.means_.shape[1] != self.studio.generator.geometry.size**2:
            raise RowUnavailable("the rivals were fitted on faces of another size")
        return found

    @cached_property
    def cpi_model(self) -> CPIModel:
        """The network that the row CPI searches with.

        Raises RowUnavailable if none comes along and none was named, or if it takes other faces, WeightsError
        if a folder that was named cannot be used.
        """
        found = _named_or_shipped(load_cpi, self.cpi, SHIPPED_CPI, "no CPI trained: --cpi DIR")
        if found.config.geometry != self.studio.generator.geometry:
            raise RowUnavailable("CPI was trained on faces cropped in another way")
        return found

    def engine(self, calibration: str = "") -> Engine:
        """Return the product's engine with the weights under test.

        ``calibration`` names one of ``CALIBRATIONS``, the context's own if empty.  Raises RowUnavailable if
        the weights have no projection or there is no such calibration.
        """
        generator = self.studio.generator
        encoding = Encoding(generator, self.projection(), generator.name)
        telling = self._telling
        if self.classifier is None and telling is not None and telling.unfit([encoding]):
            telling = None  # the one that comes along is for other faces
        return Engine([encoding], self._identity_model, self._calibration_named(calibration), telling)

    def told(self, crops: Pixels) -> Floats:
        """Mix what the weights under test draw as the product's classifier tells crops (N, S, S) to show:
        attribute vectors (N, A) float32.

        Raises RowUnavailable if there is no classifier, or if it does not know these faces or attributes.
        """
        telling, generator = self._telling, self.studio.generator
        if telling is None or telling.classifier.size != generator.geometry.size:
            raise RowUnavailable("no classifier looks at faces of this size")
        known = telling.classifier.vocabulary
        if not {*generator.vocabulary.places} <= {*known.places}:
            raise RowUnavailable("the classifier does not tell what these weights draw")
        return as_drawn(telling.classifier(crops), known, generator.vocabulary)

    def projection(self, dimension: int | None = None) -> Projection:
        """Return the projection of the weights under test, by default to the numbers that a collection keeps.

        Raises RowUnavailable if they have none.
        """
        generator = self.studio.generator
        folder = getattr(generator, "folder", None)  # a stand-in of the tests has none
        if folder is not None:
            with suppress(WeightsError):
                return load_projection(folder).first(dimension)
        raise RowUnavailable(f"the weights {generator.name} have no projection")

    def features(self, name: str) -> Features:
        """Return the features ``image``, ``features``, ``identity``, ``dlib-128``, ``vgg16-fc7``
        or ``vgg-face-fc6``.

        Raises RowUnavailable if their weights were not given.
        """
        key = name, self.studio.weights if name == "features" else ""
        if key not in self._features:
            self._features[key] = CachedFeatures(self._open(name))
        return self._features[key]

    def classify(self, pictures: Pictures) -> Words:
        """Return (N,) words: what the fitted classifier takes N faces to show.

        Raises RowUnavailable if the classifier cannot be had or does not know all that is wished for.
        """
        classifier = self.fitted_rivals.classifier
        unknown = set(self.studio.values(self.attribute)) - set(classifier.values_)
        if unknown:
            raise RowUnavailable(f"the fitted rivals do not know {', '.join(sorted(unknown))}")
        return classifier.predict(self._classifier_features()(pictures, self.progress))

    def with_weights(self, weights: str) -> Context:
        """Return the same with other weights (a name or a folder) under test; raises WeightsError."""
        if weights not in self._family:
            other = copy(self)  # shares what does not depend on the weights
            other.studio = Studio(self.load(weights), progress=self.progress)
            other._identities = {}
            self._family[weights] = other
        return self._family[weights]

    def identity(self, what: str) -> str:
        """Say which ``weights``, ``projection``, ``descriptor``, ``classifier``, ``calibration``, ``flow``,
        ``cpi``, ``rivals``, ``vgg16`` or ``vgg_face`` there are; empty if none.

        ``calibration NAME`` means one of ``CALIBRATIONS``.
        """
        if what not in self._identities:
            try:
                self._identities[what] = self._identify(what)
            except RowUnavailable:
                self._identities[what] = ""
        return self._identities[what]

    def _calibration_named(self, name: str) -> Calibration:
        if not name:
            return self.calibration
        try:
            return read_calibration(CALIBRATIONS[name])
        except WeightsError:
            raise RowUnavailable(f"there is no calibration on {name} people") from None

    def _classifier_features(self) -> Features:
        rivals = self.fitted_rivals
        if rivals.feature != "features":
            return self.features(rivals.feature)
        name, identity = rivals.weights
        for context in self._family.values():
            if context.studio.generator.weights_id == identity:
                return context.features("features")
        try:
            other = self.with_weights(name)
        except WeightsError:
            raise RowUnavailable(f"the classifier needs the weights {name}, which are missing") from None
        if other.studio.generator.weights_id != identity:
            raise RowUnavailable(f"the weights {name} have changed since the rivals were fitted")
        return other.features("features")

    def _open(self, name: str) -> Features:
        if name == "features":
            return CanonicalFeatures(studio=self.studio)
        if name == "identity":
            return IdentityFeatures(self._identity_model)
        return open_features(name, vgg16=self.vgg16, vgg_face=self.vgg_face)

    def _identify(self, what: str) -> str:
        match what.split():
            case ["weights"]:
                return self.studio.weights
            case ["projection"]:
                return f"projection@{self.projection().digest}"
            case ["descriptor"]:
                return f"{self._identity_model.name}@{self._identity_model.digest}"
            case ["classifier"]:
                return "" if self._telling is None else f"classifier@{self._telling.classifier.digest}"
            case ["calibration", *name]:
                return f"calibration@{self._calibration_named(' '.join(name)).digest}"
            case ["flow"]:
                return "" if (flow := self.flow) is None else f"flow@{flow.digest}"
            case ["cpi"]:
                return f"{self.cpi_model.name}@{self.cpi_model.weights_id}"
            case ["rivals"]:
                return f"rivals@{self.fitted_rivals.rivals_id}"
        path = {"vgg16": self.vgg16, "vgg_face": self.vgg_face}[what]
        # Gigabytes are not read to tell whether they have changed.
        return "" if path is None or not path.is_file() else f"{path.name} {path.stat().st_size}"


class CachedFeatures:
    """``features`` that keep the vectors of the first pictures they saw, and of the last others."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.name = features.name
        self.needs_large = features.needs_large
        self._kept: Remembered[Vectors] = Remembered(lambda vectors, places: vectors[places])

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Vectors:
        """Return (N, D) float16 or float32, each row of length 1; raises what ``features`` raise."""
        return self._kept(pictures.crops, lambda: self.features(pictures, progress))


def _named_or_shipped(
    load: Callable[[str | Path], Loaded], named: str | Path | None, shipped: str, missing: str
) -> Loaded:
    """Load what was named, or what comes along; raises RowUnavailable if that is ``missing``."""
    try:
        return load(named or shipped)
    except WeightsError:
        if named is None:
            raise RowUnavailable(missing) from None
        raise
