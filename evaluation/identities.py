"""What a result depends on, as one short hash: where it is the same, nothing is measured again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.context import Context
from evaluation.experiment import Experiment
from evaluation.journal import identity_of
from evaluation.rows import RowSpec
from evaluation.studio import Studio
from faces.errors import RowUnavailable

PROTOCOL = 1
"""To be raised whenever the same faces, weights and queries would give other numbers than before."""


class Identities:
    """The identities of an experiment's steps; what rivals there are is looked up once."""

    def __init__(self, experiment: Experiment, context: Context) -> None:
        self._experiment = experiment
        self._context = context
        self._rivals = _rivals_identity(context)
        self._cpi = _cpi_identity(context)

    def of(self, what: str, **more: object) -> str:
        """The identity of a step that depends on the faces, the queries and ``more``."""
        queries = self._experiment.queries
        return identity_of(
            protocol=PROTOCOL,
            what=what,
            dataset=self._experiment.gallery.name,
            fingerprint=self._experiment.fingerprint,
            attribute=self._experiment.attribute,
            queries=len(queries),
            seed=queries.seed,
            **more,
        )

    def row(self, spec: RowSpec) -> str:
        """Rows of ours and CPI depend on their weights, the others on all that they can be made of."""
        if spec.name == "cpi":
            return self.of("row cpi", weights=self._cpi)
        if spec.name.startswith("ours-"):
            return self.of(f"row {spec.name}", weights=self._studio(spec).weights)
        return self.of(f"row {spec.name}", weights=self._studio(spec).weights, **self._others())

    def alone(self, what: str, studio: Studio) -> str:
        """The identity of what one set of weights does by itself."""
        return self.of(what, weights=studio.weights)

    def classifier(self) -> str:
        """The identity of the classifier's accuracy."""
        return self.of("classifier", **self._others())

    def following(self, what: str, specs: Sequence[RowSpec]) -> str:
        """The identity of what is told from the results of these rows."""
        return self.of(what, rows=[self.row(spec) for spec in specs])

    def made_with(self, spec: RowSpec) -> str:
        """What a row searches with, in words for its record."""
        if spec.name == "cpi":
            return self._cpi
        if spec.name.startswith("ours-"):
            return self._studio(spec).weights
        return f"rivals@{self._rivals}" if self._rivals and not spec.told else ""

    def _studio(self, spec: RowSpec) -> Studio:
        if spec.weights is None:
            return self._experiment.studio
        return self._context.with_weights(spec.weights).studio

    def _others(self) -> dict[str, object]:
        return {
            "rivals": self._rivals,
            "vgg16": _file_identity(self._context.vgg16),
            "vgg_face": _file_identity(self._context.vgg_face),
        }


def _rivals_identity(context: Context) -> str:
    """A hash over what the rivals learned, empty where there are none."""
    try:
        rivals = context.rivals
    except RowUnavailable:
        return ""
    digest = hashlib.sha256("\n".join((rivals.feature, *rivals.weights)).encode())
    digest.update(np.ascontiguousarray(rivals.classifier.coefficients_).tobytes())
    for name in sorted(rivals.means):
        digest.update(name.encode() + np.ascontiguousarray(rivals.means[name].means_).tobytes())
    return digest.hexdigest()[:12]


def _cpi_identity(context: Context) -> str:
    """The weights of CPI as ``name@id``, empty where there are none."""
    try:
        return f"{context.cpi.name}@{context.cpi.weights_id}"
    except RowUnavailable:
        return ""


def _file_identity(path: Path | None) -> str:
    """Name and size of a file of weights: gigabytes are not read to tell whether they have changed."""
    if path is None or not path.is_file():
        return ""
    return f"{path.name} {path.stat().st_size}"
