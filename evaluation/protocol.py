"""The experiment on a set of faces: who is tested, which queries are asked, and when an answer is right.

Ghodrati et al. 2015, section 4.1.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from baselines.searcher import QueryBatch
from evaluation.results import SetHeader
from evaluation.studio import Studio
from facedata.completion import BAR
from facedata.labelled import Attribute, FaceSet, Words, number_of
from facedata.pairs import ATTRIBUTES
from faces.errors import DataError
from faces.types import Ints

QUERIES = 10_000


@dataclass(frozen=True)
class Queries:
    """Q drawn questions: ``faces`` (Q,) int64 indices into the test set, ``targets`` (Q,) wished words.

    ``seed`` is what they were drawn with.
    """

    attribute: Attribute
    faces: Ints
    targets: Words
    seed: int

    def __len__(self) -> int:
        return len(self.faces)

    def batch(self, gallery: FaceSet) -> QueryBatch:
        """What a searcher gets to see of them."""
        return QueryBatch(self.attribute, gallery.pictures.select(self.faces), self.targets)


@dataclass(frozen=True)
class Criterion:
    """When an answer is right, as numbers that must be equal; ``meaning`` says it in words.

    ``query_key`` (Q,) and ``gallery_key`` (N,) int64: answer g to query q is right if the keys are equal.
    A query key of -1 says that no gallery face could be right; such queries are not asked.
    """

    number: int
    meaning: str
    query_key: Ints
    gallery_key: Ints

    @property
    def asked(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(Q,) bool: queries that have a right answer in the gallery."""
        return self.query_key >= 0


def faces_to_test(faces: FaceSet) -> FaceSet:
    """Choose the faces of split ``test``, or all if nobody is in it."""
    chosen = faces.split("test")
    return chosen if len(chosen) else faces


def in_words_of(faces: FaceSet, attribute: Attribute, values: tuple[str, ...]) -> FaceSet:
    """Write labels that are the same number as one of ``values`` as it is written there (30 as +30)."""
    spelling = {number: value for value in values if (number := number_of(value)) is not None}
    words = {word: word for word in faces.values(attribute)} | {"": ""}
    for word in words:
        number = number_of(word)
        if word not in values and number in spelling:
            words[word] = spelling[number]
    named = np.array([words[word] for word in faces.attribute(attribute).tolist()], dtype=np.str_)
    if attribute == "pose":
        return replace(faces, poses=named)
    return replace(faces, lights=named) if attribute == "light" else replace(faces, accessories=named)


def draw_queries(
    gallery: FaceSet, attribute: Attribute, values: tuple[str, ...], *, count: int = QUERIES, seed: int = 0
) -> Queries:
    """Draw ``count`` different (query face, target value) questions, each equally likely.

    Query faces are the faces of the gallery whose value is known; a target is one of ``values`` other than
    the face's own.  The gallery is the whole test set, so the query face is itself among the candidates,
    but it can never be a right answer: a right answer has the target value, and the query face does not.
    If there are fewer questions than ``count``, all are asked.  Raises DataError if there is none.
    """
    if count < 1:
        raise DataError(f"the number of queries must be 1 or more, not {count}.")
    own = gallery.attribute(attribute)
    possible = np.array(values, dtype=np.str_)[None, :] != own[:, None]
    possible &= (own != "")[:, None]
    flat = np.flatnonzero(possible)
    if not len(flat):
        raise DataError(f"no face of {gallery.name} has a known {attribute} that could be wished otherwise.")
    drawn = np.random.default_rng(seed).choice(flat, size=min(count, len(flat)), replace=False)
    face, value = np.divmod(drawn, len(values))
    return Queries(attribute, face.astype(np.int64), np.array(values, dtype=np.str_)[value], seed)


def criteria(gallery: FaceSet, queries: Queries) -> list[Criterion]:
    """Make criterion 1, right person and value, and criterion 2, right light as well.

    Criterion 2 is there only if the gallery knows lights; a query or an answer of unknown light is then
    never right.
    """
    people = np.unique(gallery.persons, return_inverse=True)[1].astype(np.int64)
    words, value = np.unique(
        np.append(gallery.attribute(queries.attribute), queries.targets), return_inverse=True
    )
    own, target = value[: len(gallery)], value[len(gallery) :]
    known = gallery.attribute(queries.attribute) != ""
    gallery_key = np.where(known, people * len(words) + own, -1)
    query_key = people[queries.faces] * len(words) + target
    found = [_answerable(1, f"right person and {queries.attribute}", query_key, gallery_key)]
    if queries.attribute != "light" and np.any(gallery.lights != ""):
        lights, light = np.unique(gallery.lights, return_inverse=True)
        lit = gallery.lights != ""
        gallery_key = np.where(lit & known, gallery_key * len(lights) + light, -1)
        query_key = np.where(lit[queries.faces], query_key * len(lights) + light[queries.faces], -1)
        meaning = f"right person, {queries.attribute} and light"
        found.append(_answerable(2, meaning, query_key, gallery_key))
    return found


def _answerable(number: int, meaning: str, query_key: Ints, gallery_key: Ints) -> Criterion:
    there = np.isin(query_key, gallery_key)
    asked = np.where(there, query_key, -1).astype(np.int64)
    return Criterion(number, meaning, asked, gallery_key.astype(np.int64))


@dataclass(frozen=True)
class Experiment:
    """A gallery of test faces and the queries drawn from it.

    ``studio`` holds the weights under test, ``others`` further weights by name.  If weights know one value
    only, there is nothing to search for: no queries, and no criteria.
    """

    gallery: FaceSet
    queries: Queries
    studio: Studio
    others: Mapping[str, Studio] = field(default_factory=dict)

    @cached_property
    def criteria(self) -> tuple[Criterion, ...]:
        """Those that some query can fulfil."""
        return tuple(kind for kind in criteria(self.gallery, self.queries) if kind.asked.any())

    @cached_property
    def batch(self) -> QueryBatch:
        """What a searcher gets to see of the queries."""
        return self.queries.batch(self.gallery)

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that stand for the gallery's crops and labels, in this order."""
        faces = self.gallery
        digest = hashlib.sha256(np.ascontiguousarray(faces.crops).tobytes())
        for words in (faces.persons, faces.poses, faces.lights, faces.accessories):
            digest.update("\0".join(words.tolist()).encode())
            digest.update(b"\1")
        digest.update(b"large" if faces.large is not None else b"")
        return digest.hexdigest()[:12]

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

    def some_queries(self, count: int, seed: int) -> Ints:
        """Draw up to ``count`` queries, each of another person: (A,) int64 of their numbers."""
        order = np.random.default_rng(seed).permutation(len(self.queries))
        _, first = np.unique(self.gallery.persons[self.queries.faces[order]], return_index=True)
        return np.asarray(order[np.sort(first)[:count]], np.int64)

    @property
    def header(self) -> SetHeader:
        """What the results say of the set."""
        return SetHeader(
            set=self.gallery.name,
            fingerprint=self.fingerprint,
            attribute=self.attribute,
            values=self.values,
            people=len(np.unique(self.gallery.persons)),
            gallery=len(self.gallery),
            queries=len(self.queries),
            seed=self.queries.seed,
            weights=tuple(studio.weights for studio in (self.studio, *self.others.values())),
            criteria=tuple(kind.meaning for kind in self.criteria),
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
    DataError if the faces show no value that the weights can draw, or if no query could be answered.
    """
    faces = faces_to_test(faces)
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
        queries = Queries(attribute, np.zeros(0, np.int64), np.zeros(0, np.str_), seed)
        return Experiment(gallery, queries, studio, others or {})
    queries = draw_queries(gallery, attribute, values, count=count, seed=seed)
    experiment = Experiment(gallery, queries, studio, others or {})
    if not experiment.criteria:
        raise DataError(
            f"no query of {gallery.name} has a right answer: nobody is there with two values of {attribute}."
        )
    return experiment


def shared_values(faces: FaceSet, studio: Studio, attribute: Attribute) -> tuple[str, ...]:
    """List the values that the weights can draw and the faces show, in the order of the weights."""
    drawable = studio.values(attribute)
    shown = in_words_of(faces, attribute, drawable).values(attribute)
    return tuple(value for value in drawable if value in shown)


def attribute_to_measure(faces: FaceSet, studio: Studio) -> Attribute | None:
    """Choose what the weights change and the faces differ in; of several, that of most values.

    None if there is no such attribute.
    """
    drawn = [group.name for group in studio.generator.vocabulary.groups]
    differing = [name for name in ATTRIBUTES if name in drawn and len(faces.values(name)) > 1]
    shared = {name: len(shared_values(faces, studio, name)) for name in differing}
    best = max(sorted(shared, key=drawn.index), key=lambda name: shared[name], default=None)
    return best if best is not None and shared[best] else None


def best_studios(
    faces: FaceSet, studios: Mapping[str, Studio], attribute: Attribute | None = None
) -> tuple[Attribute, list[str]]:
    """Choose the attribute to measure, and the names of the weights to measure, those to be tested first.

    To be tested are the first of the weights that know most of the values which the faces show; the others
    are those that know the same values, as they are asked the same queries.  A set with bars over eyes is
    there to have them taken off, whatever else its faces differ in.  Raises DataError if no weights fit.
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
