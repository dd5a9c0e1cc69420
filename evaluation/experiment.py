"""One set of test faces, the weights that are measured on it, and the questions that are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baselines.searcher import QueryBatch
from evaluation.protocol import (
    QUERIES,
    Criterion,
    Queries,
    criteria,
    draw_queries,
    faces_to_test,
    in_words_of,
)
from evaluation.results import SetRecord
from evaluation.studio import Studio
from facedata.completion import BAR
from facedata.labelled import Attribute, FaceSet
from faces.errors import DataError


@dataclass(frozen=True)
class Experiment:
    """A gallery of test faces and the queries drawn from it.

    ``studio`` holds the weights under test, ``others`` further weights by name.  ``criteria`` are those that
    some query can fulfil; ``batch`` is what a searcher gets to see of the queries.  Where
    weights know one value only there is nothing to search for: no queries, and no criteria.
    """

    gallery: FaceSet
    queries: Queries
    studio: Studio
    others: Mapping[str, Studio]
    criteria: tuple[Criterion, ...]
    batch: QueryBatch
    fingerprint: str

    @property
    def attribute(self) -> Attribute:
        return self.queries.attribute

    @property
    def values(self) -> tuple[str, ...]:
        """The values that the faces show and the weights under test can draw."""
        return shared_values(self.gallery, self.studio, self.attribute)

    @property
    def searched(self) -> bool:
        """Whether there are queries."""
        return len(self.queries) > 0

    def record(self) -> SetRecord:
        """What is told of the set in the results."""
        return SetRecord(
            dataset=self.gallery.name,
            fingerprint=self.fingerprint,
            attribute=self.attribute,
            values=self.values,
            people=len(np.unique(self.gallery.persons)),
            gallery=len(self.gallery),
            queries=len(self.queries),
            seed=self.queries.seed,
            weights=tuple(studio.weights for studio in (self.studio, *self.others.values())),
            criteria={kind.number: kind.meaning for kind in self.criteria},
        )


def prepare(
    faces: FaceSet,
    studio: Studio,
    *,
    others: Mapping[str, Studio] | None = None,
    attribute: Attribute | None = None,
    count: int = QUERIES,
    seed: int = 0,
) -> Experiment:
    """Choose the test people and draw the queries.

    ``attribute`` None means the one that the weights know best (see ``attribute_to_measure``).  Raises
    DataError where the faces show no value that the weights can draw, and where no query could be answered.
    """
    faces = faces_to_test(faces)
    others = others or {}
    attribute = attribute or attribute_to_measure(faces, studio)
    if attribute is None:
        known = ", ".join(group.name for group in studio.generator.vocabulary.groups)
        raise DataError(
            f"{faces.name} does not show people with different values of what the weights "
            f"{studio.generator.name} change ({known}); give other weights with --weights."
        )
    gallery = in_words_of(faces, attribute, studio.values(attribute))
    values = shared_values(gallery, studio, attribute)
    if not values:
        shown = ", ".join(gallery.values(attribute)) or "none"
        raise DataError(
            f"{faces.name} shows no {attribute} that the weights can draw "
            f"({', '.join(studio.values(attribute))}), but {shown}."
        )
    if len(studio.values(attribute)) == 1:
        # Canonicalised, a gallery shows this one value throughout: whoever asks finds the query's own face.
        nothing = np.zeros(0, np.int64)
        queries = Queries(attribute, nothing, np.zeros(0, np.str_), seed)
        return Experiment(gallery, queries, studio, others, (), queries.batch(gallery), fingerprint(gallery))
    queries = draw_queries(gallery, attribute, values, count=count, seed=seed)
    kinds = tuple(kind for kind in criteria(gallery, queries) if kind.asked.any())
    if not kinds:
        raise DataError(
            f"no query of {gallery.name} has a right answer: nobody is there with two values of {attribute}."
        )
    return Experiment(gallery, queries, studio, others, kinds, queries.batch(gallery), fingerprint(gallery))


def shared_values(faces: FaceSet, studio: Studio, attribute: Attribute) -> tuple[str, ...]:
    """The values that the weights can draw and the faces show, in the order of the weights."""
    drawable = studio.values(attribute)
    shown = in_words_of(faces, attribute, drawable).values(attribute)
    return tuple(value for value in drawable if value in shown)


def attribute_to_measure(faces: FaceSet, studio: Studio) -> Attribute | None:
    """What the weights change and the faces differ in; where there are several, that of most values.

    None where there is no such attribute.
    """
    best: Attribute | None = None
    most = 0
    for group in studio.generator.vocabulary.groups:
        for name in _ATTRIBUTES:
            if name != group.name or len(faces.values(name)) < 2:
                continue
            shared = len(shared_values(faces, studio, name))
            if shared > most:
                best, most = name, shared
    return best


def best_studios(
    faces: FaceSet, studios: Mapping[str, Studio], attribute: Attribute | None = None
) -> tuple[Attribute, list[str]]:
    """The attribute to measure, and the names of the weights to measure, those to be tested first.

    To be tested are the first of the weights that know most of the values which the faces show; the others
    are those that know the same values, as they are asked the same queries.  A set with bars over eyes is
    there to have them taken off, whatever else its faces differ in.  Raises DataError where no weights fit.
    """
    faces = faces_to_test(faces)
    if attribute is None and BAR in faces.values("accessory"):
        attribute = "accessory"
    best, measured, most = "", attribute, 0
    for name, studio in studios.items():
        known = {group.name for group in studio.generator.vocabulary.groups}
        choice = attribute_to_measure(faces, studio) if attribute is None else attribute
        if choice is None or choice not in known:
            continue
        shared = len(shared_values(faces, studio, choice))
        if shared > most:
            best, measured, most = name, choice, shared
    if measured is None or not best:
        wanted = f"the {attribute}" if attribute else "what the faces differ in"
        raise DataError(
            f"none of the weights {', '.join(studios)} can change {wanted} on {faces.name}; "
            "give others with --weights."
        )
    wished = set(shared_values(faces, studios[best], measured))
    others = [
        name
        for name, studio in studios.items()
        if name != best
        and studio.generator.geometry == studios[best].generator.geometry
        and any(group.name == measured for group in studio.generator.vocabulary.groups)
        and set(shared_values(faces, studio, measured)) == wished
    ]
    return measured, [best, *others]


def fingerprint(faces: FaceSet) -> str:
    """12 hexadecimal digits that stand for these crops and labels, in this order."""
    digest = hashlib.sha256(np.ascontiguousarray(faces.crops).tobytes())
    for words in (faces.persons, faces.poses, faces.lights, faces.accessories):
        digest.update("\0".join(words.tolist()).encode())
        digest.update(b"\1")
    digest.update(b"large" if faces.large is not None else b"")
    return digest.hexdigest()[:12]


_ATTRIBUTES: tuple[Attribute, ...] = ("pose", "light", "accessory")
