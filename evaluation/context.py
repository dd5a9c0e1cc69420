"""What methods are built from: the generator under test, fitted rivals, weight files of others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.rivals import Rivals, load_rivals
from baselines.searcher import Features, ImageFeatures
from evaluation.ours import CanonicalFeatures
from evaluation.studio import Remembered, Studio
from facedata.labelled import Attribute, Words
from facedata.large_pictures import Pictures
from faces.errors import RowUnavailable, WeightsError
from faces.progress import NoProgress, Progress
from generator.projection import Projection, load_projection
from index.search import Vectors
from retrieval.calibration import Calibration, read_calibration
from retrieval.engine import Encoder, Encoding, Engine
from retrieval.identity import DlibIdentity

if TYPE_CHECKING:
    from baselines.cpi.model import CPIModel

SHIPPED_RIVALS: dict[Attribute, str] = {"pose": "rivals-rotation", "accessory": "rivals-accessories"}
"""The fitted rivals that come along, by what they change."""

SHIPPED_CPI = "cpi-32"

CALIBRATIONS = {"rendered": Path(__file__).with_name("rendered-calibration.json")}
"""Calibrations beside the shipped one: fitted on rendered people."""

Load = Callable[[str], Encoder]


class Context:
    """What the methods share that are measured on one set of faces, so that nothing costly is done twice.

    ``studio`` has the generator under test.  ``rivals`` names a folder of fitted rivals and ``cpi`` one of
    trained CPI, the shipped ones if None; ``vgg16`` and ``vgg_face`` are the published weight files; ``load``
    opens a generator by name or folder; ``calibration`` is the engine's, that of searches if None.  A context
    belongs to one gallery, whose features it keeps.
    """

    def __init__(
        self,
        *,
        studio: Studio,
        attribute: Attribute,
        rivals: str | Path | None = None,
        cpi: str | Path | None = None,
        vgg16: Path | None = None,
        vgg_face: Path | None = None,
        load: Load | None = None,
        calibration: Calibration | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.studio = studio
        self.attribute = attribute
        self.vgg16 = vgg16
        self.vgg_face = vgg_face
        self.calibration = calibration or read_calibration()
        self.progress = progress or NoProgress()
        self._rivals_name = rivals
        self._cpi_name = cpi
        self._cpi: CPIModel | None = None
        self._load = load or _load_generator
        self._rivals: Rivals | None = None
        self._features: dict[str, Features] = {}
        self._identities: dict[str, str] = {}
        self._canonical: Features = CachedFeatures(CanonicalFeatures(studio=studio))
        self._family: dict[str, Context] = {studio.generator.name: self}

    @cached_property
    def _identity_model(self) -> DlibIdentity:
        return DlibIdentity()

    @property
    def rivals(self) -> Rivals:
        """What rivals learned about the attribute.

        Raises RowUnavailable if nothing was learned about it or about one of the values that the generator
        draws, WeightsError if a folder that was named cannot be used.
        """
        if self._rivals is None:
            shipped = SHIPPED_RIVALS.get(self.attribute, f"rivals-{self.attribute}")
            try:
                self._rivals = load_rivals(self._rivals_name or shipped)
            except WeightsError:
                if self._rivals_name is None:
                    raise RowUnavailable(f"no rivals fitted for the {self.attribute}: --rivals DIR") from None
                raise
        if self._rivals.attribute != self.attribute:
            raise RowUnavailable(f"the rivals were fitted for {self._rivals.attribute}, not {self.attribute}")
        image = self._rivals.means.get("image")
        if image is not None and image.means_.shape[1] != self.studio.generator.geometry.size**2:
            raise RowUnavailable("the rivals were fitted on faces of another size")
        return self._rivals

    @property
    def cpi(self) -> CPIModel:
        """The network that the row CPI searches with.

        Raises RowUnavailable if none comes along and none was named, WeightsError if a folder that was named
        cannot be used.
        """
        if self._cpi is None:
            from baselines.cpi.model import load_cpi

            try:
                self._cpi = load_cpi(self._cpi_name or SHIPPED_CPI)
            except WeightsError:
                if self._cpi_name is None:
                    raise RowUnavailable("no CPI trained: --cpi DIR") from None
                raise
        if self._cpi.config.geometry != self.studio.generator.geometry:
            raise RowUnavailable("CPI was trained on faces cropped in another way")
        return self._cpi

    def engine(self, calibration: str = "") -> Engine:
        """Return the product's engine with the weights under test.

        ``calibration`` names one of ``CALIBRATIONS``, the context's own if empty.  Raises RowUnavailable if
        the weights have no projection or there is no such calibration.
        """
        generator = self.studio.generator
        encoding = Encoding(generator, self.projection(), generator.name)
        return Engine([encoding], self._identity_model, self._calibration_named(calibration))

    def projection(self, dimension: int | None = None) -> Projection:
        """Return the projection of the weights under test, by default to the numbers that a collection keeps.

        Raises RowUnavailable if they have none.
        """
        generator = self.studio.generator
        folder = getattr(generator, "folder", None)  # a stand-in of the tests has none
        if folder is not None:
            with suppress(WeightsError):
                return load_projection(folder).first(dimension)
        raise RowUnavailable(f"the weights {self.studio.generator.name} have no projection")

    def features(self, name: str) -> Features:
        """Return the features ``image``, ``features``, ``identity``, ``dlib-128``, ``vgg16-fc7``
        or ``vgg-face-fc6``.

        Raises RowUnavailable if their weights were not given.
        """
        if name == "features":
            return self._canonical
        if name not in self._features:
            self._features[name] = CachedFeatures(self._open(name))
        return self._features[name]

    def classify(self, pictures: Pictures) -> Words:
        """Return (N,) words: what the fitted classifier takes N faces to show.

        Raises RowUnavailable if the classifier cannot be had or does not know all that is wished for.
        """
        classifier = self.rivals.classifier
        unknown = set(self.studio.values(self.attribute)) - set(classifier.values_)
        if unknown:
            raise RowUnavailable(f"the fitted rivals do not know {', '.join(sorted(unknown))}")
        return classifier.predict(self._classifier_features()(pictures, self.progress))

    def with_weights(self, weights: str) -> Context:
        """Return the same with other weights (a name or a folder) under test; raises WeightsError."""
        if weights not in self._family:
            other = copy(self)  # shares what does not depend on the weights
            other.studio = Studio(self._load(weights), progress=self.progress)
            other._canonical = CachedFeatures(CanonicalFeatures(studio=other.studio))
            other._identities = {}
            self._family[weights] = other
        return self._family[weights]

    def identity(self, what: str) -> str:
        """Say which ``weights``, ``projection``, ``descriptor``, ``calibration``, ``cpi``, ``rivals``,
        ``vgg16`` or ``vgg_face`` there are; empty if none.

        ``calibration NAME`` means one of ``CALIBRATIONS``.
        """
        if what not in self._identities:
            self._identities[what] = self._identify(what)
        return self._identities[what]

    def _calibration_named(self, name: str) -> Calibration:
        if not name:
            return self.calibration
        try:
            return read_calibration(CALIBRATIONS[name])
        except WeightsError:
            raise RowUnavailable(f"there is no calibration on {name} people") from None

    def _classifier_features(self) -> Features:
        if self.rivals.feature != "features":
            return self.features(self.rivals.feature)
        name, identity = self.rivals.weights
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
        if name == "image":
            return ImageFeatures()
        from baselines.network_features import IdentityFeatures, open_features

        if name == "identity":
            return IdentityFeatures(self._identity_model)
        return open_features(name, vgg16=self.vgg16, vgg_face=self.vgg_face)

    def _identify(self, what: str) -> str:
        try:
            if what == "weights":
                return self.studio.weights
            if what == "projection":
                return f"projection@{self.projection().digest}"
            if what == "descriptor":
                return f"{self._identity_model.name}@{self._identity_model.digest}"
            if what.startswith("calibration"):
                return (
                    f"calibration@{self._calibration_named(what.removeprefix('calibration').strip()).digest}"
                )
            if what == "cpi":
                return f"{self.cpi.name}@{self.cpi.weights_id}"
            if what == "rivals":
                return f"rivals@{self.rivals.rivals_id}"
        except RowUnavailable:
            return ""
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


def _load_generator(weights: str) -> Encoder:
    from generator.checkpoint import load_generator

    return load_generator(weights)
