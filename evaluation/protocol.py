"""The experiment on a set of faces: who is tested, which queries are asked, and when an answer is right.

Ghodrati et al. 2015, section 4.1.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.searcher import QueryBatch
from evaluation.recall import first_right, right_answers
from evaluation.results import SetHeader
from evaluation.studio import Studio
from facedata.completion import BAR
from facedata.labelled import ATTRIBUTES, Attribute, FaceSet, Words, number_of
from faces.errors import DataError
from faces.types import Ints

QUERIES = 10_000


@dataclass(frozen=True)
class Queries:
    """Q questions drawn with ``seed``.

    ``faces`` (Q,) int64 are of the gallery, ``wishes`` the wished words (Q,) by attribute.
    """

    faces: Ints
    wishes: Mapping[Attribute, Words]
    seed: int

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def attribute(self) -> Attribute:
        """What is wished for, if that is one attribute; raises ValueError if it is several."""
        (attribute,) = self.wishes
        return attribute

    @property
    def targets(self) -> Words:
        """The wished words (Q,) of the one attribute; raises ValueError if there are several."""
        return self.wishes[self.attribute]

    def batch(self, gallery: FaceSet) -> QueryBatch:
        """What a searcher gets to see of them."""
        return QueryBatch(gallery.pictures.select(self.faces), self.wishes)


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
    def asked(self) -> NDArray[np.bool_]:
        """(Q,) bool: queries that have a right answer in the gallery."""
        return self.query_key >= 0

    def ranks(self, rankings: Ints) -> Ints:
        """Find the rank of the first right answer to each query, (A,) int64.

        Ranks count from 1; 0 if none of those ranked is right, -1 if no gallery face could be.  ``rankings``
        (A, K) int64 are those of ``Searcher.rank``, to the first A of the queries.
        """
        count = len(rankings)
        first = first_right(right_answers(rankings, self.query_key[:count], self.gallery_key))
        return np.where(self.asked[:count], first, -1)


def faces_to_test(faces: FaceSet) -> FaceSet:
    """Choose the faces of split ``test``, or all if nobody is in it."""
    chosen = faces.split("test")
    return chosen if len(chosen) else faces


def in_words_of(faces: FaceSet, attribute: Attribute, values: tuple[str, ...]) -> FaceSet:
    """Write labels that are the same number as one of ``values`` as it is written there (30 as +30)."""
    spelling = {number_of(value): value for value in values}
    spelling.pop(None, None)
    words = [
        word if word in values else spelling.get(number_of(word), word)
        for word in faces.attribute(attribute).tolist()
    ]
    column = "accessories" if attribute == "accessory" else f"{attribute}s"
    changed: dict[str, Any] = {column: np.array(words, dtype=np.str_)}
    return replace(faces, **changed)


def draw_queries(
    gallery: FaceSet, attribute: Attribute, values: tuple[str, ...], *, count: int = QUERIES, seed: int = 0
) -> Queries:
    """Draw ``count`` different (query face, target value) questions, each equally likely.

    Query faces are those of the gallery whose value is known; a target is one of ``values`` other than the
    face's own, so the query face, itself among the candidates, is never a right answer.  If there are fewer
    questions than ``count``, all are asked.  Raises DataError if there is none.
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
    return Queries(face.astype(np.int64), {attribute: np.array(values, dtype=np.str_)[value]}, seed)


def draw_wishes(
    gallery: FaceSet, values: Mapping[Attribute, Sequence[str]], *, count: int = QUERIES, seed: int = 0
) -> Queries:
    """Draw ``count`` different questions that wish for all attributes of ``values``, each equally likely.

    Asked is with a face for what another picture of the same person shows, which differs from it in every one
    of the attributes: so each question has a right answer, and the query face, itself among the candidates,
    is none.  What is not one of the ``values`` counts as unknown and is neither asked with nor for.  If there
    are fewer questions than ``count``, all are asked.  Raises DataError if there is none.
    """
    if count < 1:
        raise DataError(f"the number of queries must be 1 or more, not {count}.")
    shown = np.stack([gallery.attribute(name) for name in values], axis=1)  # (N, attributes)
    known = np.all([np.isin(gallery.attribute(name), words) for name, words in values.items()], axis=0)
    possible: list[tuple[int, Words]] = []
    for person in np.unique(gallery.persons):
        own = np.flatnonzero((gallery.persons == person) & known)
        for face in own:
            others = shown[own][(shown[own] != shown[face]).all(axis=1)]
            possible += [(int(face), words) for words in np.unique(others, axis=0)]
    if not possible:
        what = " and ".join(values)
        raise DataError(f"nobody in {gallery.name} has two pictures that differ in {what}.")
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(possible), size=min(count, len(possible)), replace=False)
    faces = np.array([possible[place][0] for place in drawn], np.int64)
    words = np.stack([possible[place][1] for place in drawn])
    return Queries(faces, {name: words[:, at] for at, name in enumerate(values)}, seed)


def criteria(gallery: FaceSet, queries: Queries) -> list[Criterion]:
    """Make criterion 1, right person and all wished values, and criterion 2, right light as well.

    Criterion 2 is there only if the gallery knows lights and none is wished for; a query or an answer of
    unknown light is then never right.
    """
    lights = gallery.lights
    agreeing = [[(gallery.attribute(name), words) for name, words in queries.wishes.items()]]
    meanings = [" and ".join(("right person", *queries.wishes))]
    if "light" not in queries.wishes and np.any(lights != ""):
        agreeing.append([(lights, lights[queries.faces])])
        meanings.append(f"{', '.join(('right person', *queries.wishes))} and light")
    found = []
    keys = np.unique(np.append(gallery.persons, gallery.persons[queries.faces]), return_inverse=True)[1]
    for number, (meaning, columns) in enumerate(zip(meanings, agreeing, strict=True), start=1):
        for shown, wished in columns:
            both = np.append(shown, wished)
            words, place = np.unique(both, return_inverse=True)
            keys = np.where((keys >= 0) & (both != ""), keys * len(words) + place, -1)
        gallery_key, query_key = np.split(keys, [len(gallery)])
        answerable = np.where(np.isin(query_key, gallery_key), query_key, -1)
        found.append(Criterion(number, meaning, answerable, gallery_key))
    return found


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

    def ranks(self, rankings: Ints) -> dict[int, Ints]:
        """Find the ranks of the first right answers under each criterion, by its number."""
        return {kind.number: kind.ranks(rankings) for kind in self.criteria}

    @cached_property
    def batch(self) -> QueryBatch:
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
        return shared_values(self.gallery, self.attribute, self.studio.values(self.attribute))

    @property
    def searched(self) -> bool:
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
    attribute: Attribute,
    *,
    others: Mapping[str, Studio] | None = None,
    count: int = QUERIES,
    seed: int = 0,
) -> Experiment:
    """Draw the queries of an experiment on these test faces; raises DataError if none could be answered."""
    drawable = studio.values(attribute)
    gallery = in_words_of(faces, attribute, drawable)
    # Canonicalised, a gallery shows a single value throughout: whoever asks finds the query's own face.
    queries = Queries(np.zeros(0, np.int64), {attribute: np.zeros(0, np.str_)}, seed)
    if len(drawable) > 1:
        values = shared_values(gallery, attribute, studio.values(attribute))
        queries = draw_queries(gallery, attribute, values, count=count, seed=seed)
    experiment = Experiment(gallery, queries, studio, others or {})
    if experiment.searched and not experiment.criteria:
        raise DataError(
            f"no query of {gallery.name} has a right answer: nobody is there with two values of {attribute}."
        )
    return experiment


def shared_values(faces: FaceSet, attribute: Attribute, known: tuple[str, ...]) -> tuple[str, ...]:
    """List those of the ``known`` values that the faces show, in their order."""
    shown = in_words_of(faces, attribute, known).values(attribute)
    return tuple(value for value in known if value in shown)


def best_studios(
    faces: FaceSet, studios: Mapping[str, Studio], attribute: Attribute | None = None
) -> tuple[Attribute, list[str]]:
    """Choose the attribute to measure, and the names of the weights to measure, those to be tested first.

    The attribute is what weights change and the test ``faces`` differ in, but bars over eyes are always there
    to be taken off.  To be tested are the first of the weights that know most of the values which the faces
    show; the others are those that know the same values, as they are asked the same queries.  Raises
    DataError if no weights fit.
    """
    if attribute is None and BAR in faces.values("accessory"):
        attribute = "accessory"
    wanted = (attribute,) if attribute else [name for name in ATTRIBUTES if len(faces.values(name)) > 1]
    shared: dict[tuple[str, Attribute], tuple[str, ...]] = {}
    for name, studio in studios.items():
        changed = [group.name for group in studio.generator.vocabulary.groups]
        for one in sorted(set(wanted) & set(changed), key=changed.index):
            shared[name, one] = shared_values(faces, one, studio.values(one))
    if not any(shared.values()):
        what = f"the {attribute}" if attribute else "what the faces differ in"
        raise DataError(
            f"none of the weights {', '.join(studios)} can change {what} on {faces.name}; "
            "give others with --weights."
        )
    best, measured = max(shared, key=lambda one: len(shared[one]))
    geometry, values = studios[best].generator.geometry, set(shared[best, measured])
    alike = [name for (name, one), known in shared.items() if one == measured and set(known) == values]
    others = [name for name in alike if name != best and studios[name].generator.geometry == geometry]
    return measured, [best, *others]
