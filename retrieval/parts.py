"""What an engine is made of, what it is asked and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from faces.crop import CropGeometry
from faces.types import Doubles, Floats, Pixels
from generator.attributes import Vocabulary, everyday
from generator.projection import Projection
from retrieval.estimates import Attribute

if TYPE_CHECKING:
    from generator.model import Canonical, Drawing


class Encoder(Protocol):
    """A network with its preprocessing: ``generator.Generator``, or a stand-in of the tests."""

    @property
    def name(self) -> str: ...
    @property
    def weights_id(self) -> str: ...
    @property
    def geometry(self) -> CropGeometry: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    def draw(self, crops: Pixels, wishes: Floats, /) -> Drawing: ...
    def canonicalise(self, crops: Pixels, /) -> Canonical: ...


@dataclass(frozen=True)
class Encoding:
    """A network and the projection of its features; ``source`` is the name or folder it is loaded from."""

    generator: Encoder
    projection: Projection
    source: str


class FaceClassifier(Protocol):
    """What tells how likely faces show each value: ``generator.classifier.Classifier``, or a stand-in.

    ``size`` is the side of the crops it looks at, ``digest`` stands for all of it.
    """

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def size(self) -> int: ...
    @property
    def digest(self) -> str: ...
    def __call__(self, crops: Pixels, /) -> Floats: ...


@dataclass(frozen=True)
class Telling:
    """A classifier; ``source`` is the name or folder it is loaded from."""

    classifier: FaceClassifier
    source: str

    def unfit(self, encodings: Iterable[Encoding]) -> str:
        """Say why it cannot stand before these encodings; "" if it can.

        It must look at the same crops, and know all they know of the attributes that it knows.
        """
        side = self.classifier.size
        known = {group.name: {*group.values} for group in self.classifier.vocabulary.groups}
        for encoding in encodings:
            size = encoding.generator.geometry.size
            if size != side:
                return (
                    f"the classifier {self.source} looks at crops of {side} × {side} pixels, the weights "
                    f"{encoding.source} at {size} × {size}"
                )
            for group in encoding.generator.vocabulary.groups:
                unknown = {*group.values} - known.get(group.name, {*group.values})
                if unknown:
                    return (
                        f"the classifier {self.source} does not know the {group.name} {min(unknown)!r}, "
                        f"which the weights {encoding.source} know"
                    )
        return ""


@dataclass(frozen=True)
class Wanted:
    """What is wished of an attribute, or, unless ``shown``, what shall not be shown.

    ``word`` names it; ``places`` are those of the values that it means, ``target`` is their number, if any.
    """

    attribute: Attribute
    word: str
    places: tuple[int, ...]
    target: float
    shown: bool = True

    @property
    def name(self) -> str:
        """The attribute's name, or ``not sunglasses``: by it answers tell how likely the wish is met."""
        return self.attribute.group.name if self.shown else f"not {everyday(self.word)}"


@dataclass(frozen=True)
class Query:
    """A face and a wish, ready to be searched with.

    ``vector`` (D,) float32 makes the shortlist; ``face`` (D,) is the face's own vector, ``drawn`` (P,) by
    encoding the appearance that is looked for; ``image`` (S, S) uint8 the drawing.
    """

    vector: Floats
    face: Floats
    drawn: Mapping[int, Floats]
    wanted: tuple[Wanted, ...]
    image: Pixels | None


@dataclass(frozen=True)
class Scores:
    """What n faces are worth as answers to a query, all (n,) float64.

    ``probability`` that a face is the right person and as wished; ``same_person`` of the first alone;
    ``met`` how likely it meets each wish, by ``Wanted.name``; ``similarity`` of the descriptors, -1 to 1, NaN
    without.
    """

    probability: Doubles
    same_person: Doubles
    met: Mapping[str, Doubles]
    similarity: Doubles


@dataclass(frozen=True)
class Comparison:
    """A query against n faces, nothing weighed, all (n,) float64: ``similarity`` of descriptors, NaN without,
    ``looks`` of drawing and face by encoding, ``met`` the probability that each wish is met."""

    similarity: Doubles
    looks: Mapping[int, Doubles]
    met: Mapping[str, Doubles]
