"""Every row of the tables: ours, the rivals that know no more than ours, and the oracles.

An oracle is told the true values of the gallery, and so shows what its features could reach behind a perfect
first step.  A new row is one more ``Method`` in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from baselines.searcher import QueryBatch, Searcher, joined, normalised
from baselines.two_step import Arithmetic, TwoStep
from evaluation.context import Context
from evaluation.ours import Fused, Nearest, OursAllValues, OursPosterior, OursTold
from facedata.labelled import ATTRIBUTES, Attribute, FaceSet, Words
from facedata.large_pictures import Pictures
from faces.errors import DataError, RowUnavailable
from index.search import Vectors

OURS = "ours-features"
"""The row that is meant by "ours" if only one is shown."""

ALL_VALUES = "ours-all-values"

Family = Literal["ours", "rival", "oracle"]
Make = Callable[[Context, str], Searcher]
"""Makes the searcher of the row that has the second argument as its name; raises RowUnavailable."""

FilterBy = Callable[[Context, FaceSet, Sequence[Attribute]], Words]
"""The first step of a row in two steps: what it believes that each gallery face shows, as ``joined``."""


@dataclass(frozen=True)
class Method:
    """A way to search.

    ``name`` is its row in the tables, with ``{attribute}`` for what is wished for; ``words`` say the same to
    a reader.  ``uses`` names what its results depend on beside faces and queries (see
    ``Context.identity``), first what it searches with.  ``paper`` is the row of the paper's tables to compare
    with.  ``weights`` are others than those under test, the part of the name behind "@".  ``attributes`` are
    those it can change.  ``cost`` is its share of the work, in seconds on some machine.  ``misaligned`` says
    that it is also asked with badly cropped queries, which only makes sense if it sees nothing but crops.
    """

    name: str
    words: str
    family: Family
    make: Make
    uses: tuple[str, ...] = ("weights",)
    paper: str = ""
    weights: str = ""
    attributes: tuple[Attribute, ...] = ATTRIBUTES
    cost: float = 4.0
    misaligned: bool = False

    @property
    def base(self) -> str:
        """The name without the weights."""
        return self.name.removesuffix(f"@{self.weights}")

    def build(self, context: Context) -> Searcher:
        """Make the searcher, not yet fitted.

        Raises RowUnavailable with a short reason if something is missing, here or in fit and rank.
        """
        return self.make(self._own(context), self.name)

    def cache_key(self, context: Context) -> dict[str, str]:
        """Tell what the results depend on beside faces and queries, in JSON values."""
        own = self._own(context)
        return {"method": self.name, **{what: own.identity(what) for what in self.uses}}

    def made_with(self, context: Context) -> str:
        """Tell what the row searches with, in words for its record."""
        return self._own(context).identity(self.uses[0])

    def _own(self, context: Context) -> Context:
        return context.with_weights(self.weights) if self.weights else context


def classified(context: Context, gallery: FaceSet, attributes: Sequence[Attribute]) -> Words:
    """Tell what the fitted classifier takes each face for.

    Raises RowUnavailable if it was not fitted for these attributes.
    """
    if tuple(attributes) != (context.fitted_rivals.attribute,):
        raise RowUnavailable(f"no rivals fitted for {' and '.join(attributes)}")
    return context.classify(gallery.pictures)


def known(context: Context, gallery: FaceSet, attributes: Sequence[Attribute]) -> Words:
    """Tell the true values: the ceiling of the method."""
    return joined([gallery.attribute(name) for name in attributes])


def canonicalised(context: Context, gallery: FaceSet, attributes: Sequence[Attribute]) -> Words:
    """Tell what canonicalisation takes each face for, which needs no labels."""
    studio = context.studio
    values = studio.canonical(gallery).values
    return joined([studio.words_of(values, name) for name in attributes])


def nearest(
    describe: Callable[[Context, Pictures], Vectors], ask: Callable[[Context, QueryBatch], Vectors]
) -> Make:
    """Answer with the faces whose vectors are nearest to the query's."""

    def make(context: Context, name: str) -> Searcher:
        return Nearest(
            name=name,
            describe=partial(describe, context),
            ask=partial(ask, context),
            progress=context.progress,
        )

    return make


def appearance(context: Context, name: str) -> Searcher:
    """Compare features projected to 256 numbers."""
    project = context.projection(256)
    return Nearest(
        name=name,
        describe=lambda faces: project(context.studio.canonical(faces).features),
        ask=lambda queries: project(context.studio.drawn(queries).features),
        progress=context.progress,
    )


def fused(calibration: str = "", *, all_values: bool = False) -> Make:
    """Search with the product's engine."""

    def make(context: Context, name: str) -> Searcher:
        engine, describe = context.engine(calibration), context.features("identity")
        return Fused(
            engine=engine,
            studio=context.studio,
            describe=describe,
            name=name,
            flow=context.flow,
            all_values=all_values,
        )

    return make


def two_step(feature: str, filter_by: FilterBy = classified) -> Make:
    """Search in two steps, by features of that name."""

    def make(context: Context, name: str) -> Searcher:
        label, features = partial(filter_by, context), context.features(feature)
        return TwoStep(name=name, label=label, features=features, progress=context.progress)

    return make


def arithmetic(feature: str, filter_by: FilterBy | None = None) -> Make:
    """Search by arithmetic on features of that name, in the whole gallery if nothing is filtered by."""

    def make(context: Context, name: str) -> Searcher:
        rivals = context.fitted_rivals
        if feature not in rivals.means:
            raise RowUnavailable(f"the rivals were fitted without {feature}")
        if feature == "features" and rivals.weights[1] != context.studio.generator.weights_id:
            raise RowUnavailable(f"the rivals were fitted with weights {'@'.join(rivals.weights)}")
        return Arithmetic(
            name=name,
            features=context.features(feature),
            means=rivals.means[feature],
            tell=context.classify,
            label=None if filter_by is None else partial(filter_by, context),
            progress=context.progress,
        )

    return make


def cpi(context: Context, name: str) -> Searcher:
    """Search with Yim et al.'s network."""
    from baselines.cpi.searcher import CPI

    return CPI(model=context.cpi_model, name=name, progress=context.progress)


_RIVAL = ("rivals", "weights")
_FUSED = ("weights", "projection", "descriptor", "classifier", "flow")
_2ND = "our 2nd network"
_ADDED_UP = (("image", "image", "image"), ("dlib", "dlib-128", "Deep (dlib)"), ("features", "features", _2ND))

METHODS: tuple[Method, ...] = (
    Method("fused", "fused (the product)", "ours", fused(), (*_FUSED, "calibration"), cost=150),
    Method(
        "fused-all-values", "fused, every value drawn", "ours", fused(all_values=True),
        (*_FUSED, "calibration"), cost=200,
    ),
    Method(
        "fused-rendered", "fused, calibrated on rendered people", "ours", fused("rendered"),
        (*_FUSED, "calibration rendered"), cost=60,
    ),
    Method(
        OURS, "ours, 2nd network", "ours",
        nearest(
            lambda context, faces: context.studio.canonical(faces).features,
            lambda context, queries: context.studio.drawn(queries).features,
        ),
        paper="ours-features", misaligned=True,
        cost=65,  # the first row of weights canonicalises for all
    ),
    Method(
        ALL_VALUES, "ours, 2nd network, every value drawn", "ours",
        lambda context, name: OursAllValues(studio=context.studio, name=name), cost=120,
    ),
    Method(
        "ours-posterior", "ours, the gallery drawn as likely as its values are", "ours",
        lambda context, name: OursPosterior(studio=context.studio, name=name), cost=40,
    ),
    Method(
        "ours-told", "ours, the gallery drawn as the classifier tells, mirrored too", "ours",
        lambda context, name: OursTold(studio=context.studio, told=context.told, name=name),
        ("weights", "classifier"), cost=40,
    ),
    Method(
        "appearance-256", "ours, projected to 256 numbers", "ours", appearance, ("weights", "projection")
    ),
    Method(
        "identity", "dlib's descriptor alone, mirrored too", "rival",
        nearest(
            lambda context, faces: context.features("identity")(faces, context.progress),
            lambda context, queries: context.features("identity")(queries.pictures, context.progress),
        ),
        ("descriptor",), cost=18,
    ),
    Method(
        "ours-image", "ours, image", "ours",
        nearest(
            lambda context, faces: normalised(context.studio.canonical(faces).images),
            lambda context, queries: normalised(context.studio.drawn(queries).stage2),
        ),
        paper="ours-image",
    ),
    Method(
        "cpi", "CPI (Yim et al.)", "rival", cpi, ("cpi",), "cpi",
        attributes=("pose",), cost=25, misaligned=True,
    ),
    Method(
        "two-step-image", "two-step, image", "rival", two_step("image"), _RIVAL, "two-step-image",
        cost=3, misaligned=True,
    ),
    Method(
        "two-step-features", f"two-step, {_2ND}", "rival", two_step("features"), _RIVAL, "two-step-features"
    ),
    Method(
        "two-step-vgg16-fc7", "two-step, VGG-16 fc7", "rival", two_step("vgg16-fc7"),
        ("vgg16", *_RIVAL), "two-step-vgg16-fc7", cost=500,
    ),
    Method(
        "two-step-deep-fc6", "two-step, Deep (VGG-Face fc6)", "rival", two_step("vgg-face-fc6"),
        ("vgg_face", *_RIVAL), "two-step-deep-fc6", cost=500,
    ),
    Method(
        "two-step-dlib", "two-step, Deep (dlib)", "rival", two_step("dlib-128"), _RIVAL, "two-step-deep-fc6",
        cost=18,
    ),
    *(
        Method(
            f"two-step-{short}-canonical", f"two-step by canonicalisation, {words}", "rival",
            two_step(feature, canonicalised),
        )
        for short, feature, words in _ADDED_UP
    ),
    *(
        Method(f"arithmetic-{short}", f"arithmetic, {words}", "rival", arithmetic(feature), _RIVAL)
        for short, feature, words in _ADDED_UP
    ),
    *(
        Method(
            f"two-step-arithmetic-{short}", f"two-step arithmetic, {words}", "rival",
            arithmetic(feature, classified), _RIVAL,
        )
        for short, feature, words in _ADDED_UP
    ),
    Method(
        "two-step-image-true-{attribute}", "two-step, image, true {attribute}", "oracle",
        two_step("image", known), paper="two-step-image",
    ),
    Method(
        "two-step-features-true-{attribute}", f"two-step, {_2ND}, true {{attribute}}", "oracle",
        two_step("features", known), paper="two-step-features",
    ),
    Method(
        "two-step-dlib-true-{attribute}", "two-step, Deep (dlib), true {attribute}", "oracle",
        two_step("dlib-128", known), paper="two-step-deep-fc6",
    ),
)  # fmt: skip
"""Every row, in the order of the tables."""


def methods_for(attribute: str) -> dict[str, Method]:
    """List the methods that can change an attribute, by name, in the order of the tables."""
    found = [
        replace(
            method,
            name=method.name.format(attribute=attribute),
            words=method.words.format(attribute=attribute),
        )
        for method in METHODS
        if attribute in method.attributes
    ]
    return {method.name: method for method in found}


def find_method(name: str, attribute: str) -> Method:
    """Find the method of that name; ``NAME@WEIGHTS`` is one with other weights, a name or a folder.

    Raises DataError that lists the rows if there is none.
    """
    methods = methods_for(attribute)
    plain, at, weights = name.partition("@")
    if plain not in methods or (at and not weights):
        raise DataError(f"there is no row {name!r}; the rows are {', '.join(methods)}.")
    method = methods[plain]
    if not weights:
        return method
    return replace(method, name=name, words=f"{method.words} ({weights})", weights=weights)


def described(name: str, attribute: str) -> Method:
    """Find the method of a row of results; one that this version does not know counts as a rival."""
    try:
        return find_method(name, attribute)
    except DataError:
        return Method(name, name, "rival", _unknown)


def in_order(names: Iterable[str], attribute: str) -> list[Method]:
    """Sort methods as the tables do, those of other weights behind their like, unknown ones last."""
    order = list(methods_for(attribute))

    def place(method: Method) -> tuple[int, str]:
        return order.index(method.base) if method.base in order else len(order), method.weights

    return sorted((described(name, attribute) for name in names), key=place)


def _unknown(context: Context, name: str) -> Searcher:
    raise RowUnavailable("this version does not know it")
