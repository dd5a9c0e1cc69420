"""Which queries are asked, and when an answer is right (Ghodrati et al. 2015, 4.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from baselines.searcher import QueryBatch
from facedata.labelled import Attribute, FaceSet, Words, number_of
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

    ``query_key`` (Q,) and ``gallery_key`` (N,) int64: answer g to query q is right where the keys are equal.
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
    """The faces of split ``test``, or all where nobody is in it."""
    chosen = faces.split("test")
    return chosen if len(chosen) else faces


def in_words_of(faces: FaceSet, attribute: Attribute, values: tuple[str, ...]) -> FaceSet:
    """The same faces, with labels that are the number of one of ``values`` written as it is (30 as +30)."""
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
    Where there are fewer questions than ``count``, all are asked.  Raises DataError where there is none.
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
    """Criterion 1: right person and value.  Criterion 2: right light as well.

    Criterion 2 is there only where the gallery knows lights; a query or an answer of unknown light is then
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
