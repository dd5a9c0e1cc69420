"""All rows of the tables, in their order.

Ours, then the rivals that are told no more than ours, then the rows that are told true values, which show
what their features could reach behind a perfect first step; their names say ``true``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baselines.arithmetic import Arithmetic
from baselines.searcher import Searcher
from baselines.two_step import Label, TwoStep, true_label
from evaluation.context import Context
from evaluation.ours import OursAllValues, OursFeatures, OursImage
from evaluation.paper import papers_row
from facedata.labelled import Attribute, FaceSet, Words
from faces.errors import DataError, RowUnavailable

Build = Callable[[Context, str], Searcher]
"""Makes the searcher of the row that has the second argument as its name; raises RowUnavailable."""


@dataclass(frozen=True)
class RowSpec:
    """A row: ``name`` as in the tables, ``told`` whether it is told true values of the gallery.

    ``weights`` are other weights than those under test, the part of the name behind "@".
    """

    name: str
    make: Build
    told: bool = False
    weights: str | None = None

    @property
    def paper(self) -> str | None:
        """The row of the paper's tables that stands beside it, or None."""
        return papers_row(self.name)

    def build(self, context: Context) -> Searcher:
        """The searcher, not yet fitted.

        Raises RowUnavailable with a short reason where something is missing, here or in fit and rank.
        """
        if self.weights is not None:
            context = context.with_weights(self.weights)
        return self.make(context, self.name)


def _told(context: Context) -> Label:
    """The first step: what the fitted classifier believes."""

    def label(gallery: FaceSet) -> Words:
        return context.tell(gallery.pictures)

    return label


def _two_step(feature: str) -> Build:
    def build(context: Context, name: str) -> Searcher:
        return TwoStep(
            name=name,
            label=_told(context),
            features=context.features(feature),
            progress=context.progress,
        )

    return build


def _two_step_true(feature: str) -> Build:
    def build(context: Context, name: str) -> Searcher:
        label = true_label(context.attribute)
        return TwoStep(name=name, label=label, features=context.features(feature), progress=context.progress)

    return build


def _arithmetic(feature: str, *, filtered: bool = False) -> Build:
    def build(context: Context, name: str) -> Searcher:
        means = context.rivals.means.get(feature)
        if means is None:
            raise RowUnavailable(f"the rivals were fitted without {feature}")
        if feature == "features" and not context.made_with_rivals():
            raise RowUnavailable(f"the rivals were fitted with weights {'@'.join(context.rivals.weights)}")
        return Arithmetic(
            name=name,
            features=context.features(feature),
            means=means,
            tell=context.tell,
            label=_told(context) if filtered else None,
            progress=context.progress,
        )

    return build


def _cpi(context: Context, name: str) -> Searcher:
    from baselines.cpi.searcher import CPI

    return CPI(model=context.cpi, name=name, progress=context.progress)


def _spec(name: str, make: Build, *, told: bool = False) -> tuple[str, RowSpec]:
    return name, RowSpec(name, make, told)


ROWS: dict[str, RowSpec] = dict(
    [
        _spec("ours-features", lambda context, name: OursFeatures(studio=context.studio, name=name)),
        _spec("ours-all-values", lambda context, name: OursAllValues(studio=context.studio, name=name)),
        _spec("ours-image", lambda context, name: OursImage(studio=context.studio, name=name)),
        _spec("cpi", _cpi),
        _spec("two-step-image", _two_step("image")),
        _spec("two-step-features", _two_step("features")),
        _spec("two-step-vgg16-fc7", _two_step("vgg16-fc7")),
        _spec("two-step-deep-fc6", _two_step("vgg-face-fc6")),
        _spec("two-step-dlib", _two_step("dlib-128")),
        _spec("arithmetic-image", _arithmetic("image")),
        _spec("arithmetic-dlib", _arithmetic("dlib-128")),
        _spec("arithmetic-features", _arithmetic("features")),
        _spec("two-step-arithmetic-image", _arithmetic("image", filtered=True)),
        _spec("two-step-arithmetic-dlib", _arithmetic("dlib-128", filtered=True)),
        _spec("two-step-arithmetic-features", _arithmetic("features", filtered=True)),
        _spec("two-step-image-true-{attribute}", _two_step_true("image"), told=True),
        _spec("two-step-features-true-{attribute}", _two_step_true("features"), told=True),
        _spec("two-step-dlib-true-{attribute}", _two_step_true("dlib-128"), told=True),
    ]
)
"""Every row by name, in the order of the tables; ``{attribute}`` stands for pose, light or accessory."""


def rows_for(attribute: Attribute) -> dict[str, RowSpec]:
    """The rows of an attribute by their full names, in the order of the tables; CPI only turns faces."""
    named = [(name.format(attribute=attribute), spec) for name, spec in ROWS.items()]
    named = [(name, spec) for name, spec in named if name != "cpi" or attribute == "pose"]
    return {name: RowSpec(name, spec.make, spec.told) for name, spec in named}


def find_row(name: str, attribute: Attribute) -> RowSpec:
    """The row of that name; ``NAME@WEIGHTS`` is the row with other weights, a name or a folder of them.

    Raises DataError that lists the rows where there is none.
    """
    rows = rows_for(attribute)
    plain, at, weights = name.partition("@")
    if plain not in rows or (at and not weights):
        raise DataError(f"there is no row {name!r}; the rows are {', '.join(rows)}.")
    return RowSpec(name, rows[plain].make, rows[plain].told, weights or None)
