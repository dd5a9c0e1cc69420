"""Who is who in a collection: groups of faces, the names they were given, and questions worth asking.

Groups are suggestions (``retrieval.grouping``) until somebody says something.  What is said are decisions in
the catalogue, played back in order each time (``retrieval.decisions``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from faces.errors import CollectionError, PeopleError, WishError
from faces.types import Doubles, Floats, Ints
from index import Decision, FaceName, FacesByName, Place, PlacedFace, Snapshot, add_decision
from retrieval.decisions import checked_name, holding_decisions, replayed
from retrieval.engine import Engine
from retrieval.grouping import FaceLooks, Grouper, known_common

_SPOKEN_FOR = 6  # faces that stand for a group in a decision about two of them
_ASKED = 0.25  # by so much less similar groups may be asked about
_SURE = 2.0  # log-odds of the calibration's pairs from which groups are one person
_ROWS = 512  # groups compared with all others at a time
_UNSURE = 0.06  # by so much similarity the odds of "one person" grow by e


@dataclass(frozen=True)
class Group:
    """Faces that seem to show one person; ``name`` is "" until somebody gave one.

    ``faces`` are ids, the clearest first; ``confirmed`` those of which somebody said that they show ``name``.
    ``id`` is the smallest of the faces' ids: it stays the same while that face stays.
    """

    id: int
    name: str
    faces: tuple[int, ...]
    confirmed: frozenset[int]
    hidden: bool

    @property
    def label(self) -> str:
        """The name, or ``#17`` for want of one."""
        return self.name or f"#{self.id}"


@dataclass(frozen=True, slots=True)
class Question:
    """Whether two groups show one person; ``probability`` that they do."""

    one: Group
    other: Group
    probability: float


class People:
    """Who is who in one state of a collection; reading it anew shows what was said since.

    ``before`` is how it was last read: unless faces have come or gone since, that is quick.  Raises
    CollectionError if the collection has no model of identity.
    """

    def __init__(
        self, engine: Engine, snapshot: Snapshot, place: Place, before: People | None = None
    ) -> None:
        self.place, self.state, self.said = place, snapshot.generation, snapshot.said
        self.decisions = snapshot.decisions()
        if before is not None and before.state == self.state:
            self.faces: dict[int, PlacedFace] = before.faces
            self._find: FacesByName = before._find
            self._grouper: Grouper = before._grouper
        else:
            faces, looks = looks_of(engine, snapshot)
            self.faces, self._find = {face.id: face for face in faces}, FacesByName(faces)
            self._grouper = grouper_for(engine, looks)
        self._ids = np.array(list(self.faces), np.int64)
        self._looks, self._vectors = self._grouper.looks, self._grouper.vectors
        self._said = replayed(self.decisions, self._find)
        self.groups = self._grouped()
        self.of_face = {face: one for one in self.groups for face in one.faces}

    @property
    def no_faces(self) -> frozenset[int]:
        """The ids of what is no face."""
        return frozenset(self._said.no_faces)

    @cached_property
    def names(self) -> dict[str, Group]:
        """The groups that have a name, by it, in the order of the names."""
        named = sorted((one for one in self.groups if one.name), key=lambda one: one.name.casefold())
        return {one.name: one for one in named}

    def find(self, word: str) -> Group:
        """Find the group that is called so, or ``#17`` by the number of one of its faces; raises
        PeopleError."""
        word = word.strip()
        if word.startswith("#") and word[1:].isdecimal() and int(word[1:]) in self.of_face:
            return self.of_face[int(word[1:])]
        alike = [name for name in self.names if name.casefold() == word.casefold()]
        if alike:
            return self.names[word if word in alike else alike[0]]
        raise PeopleError(f"nobody here is called {word!r}")

    def questions(self, count: int = 20) -> list[Question]:
        """Give the questions of yes or no whose answers help most, the best first.

        An answer helps by the faces of the smaller group, as likely as it is yes; groups that somebody has
        said to be two people are not asked about.
        """
        shown = [one for one in self.groups if not one.hidden]
        if len(shown) < 2:
            return []
        means = np.stack([self._vectors[self._places(one.faces)].mean(0) for one in shown])
        sizes = np.array([len(one.faces) for one in shown])
        named = np.array([bool(one.name) for one in shown])
        apart = self._pairs_apart({one.id: place for place, one in enumerate(shown)})
        found: list[tuple[float, Question]] = []
        for start in range(0, len(shown), _ROWS):
            part = slice(start, min(start + _ROWS, len(shown)))
            similar = means[part] @ means.T
            likely = 1 / (1 + np.exp((self._grouper.alike - similar) / _UNSURE))
            worth = np.where(similar >= self._grouper.alike - _ASKED, likely, 0)
            worth *= np.minimum(sizes[part, None], sizes)
            worth[np.arange(part.start, part.stop)[:, None] >= np.arange(len(shown))] = 0
            worth[named[part, None] & named] = 0
            inside = apart[(apart[:, 0] >= part.start) & (apart[:, 0] < part.stop)]
            worth[inside[:, 0] - start, inside[:, 1]] = 0
            # Blocks begin with the largest groups, so that later ones rarely have better ones.
            least = found[count - 1][0] if len(found) >= count else 0.0
            better = np.flatnonzero(worth > least)
            best = better[np.argsort(-worth.ravel()[better], kind="stable")][:count]
            for row, other in zip(*np.unravel_index(best, worth.shape), strict=True):
                question = Question(shown[start + row], shown[other], float(likely[row, other]))
                found.append((float(worth[row, other]), question))
            found.sort(key=lambda each: -each[0])
        return [question for _, question in found[:count]]

    def faces_with(self, names: Iterable[str], without: Iterable[str] = ()) -> Ints:
        """Give the ids (n,), ascending, of the faces in photographs that show all of some people and none of
        others; raises PeopleError for a name that nobody has."""
        photos = {face.photo_id for face in self.faces.values()}
        for name in names:
            photos &= {self.faces[face].photo_id for face in self.find(name).faces}
        for name in without:
            photos -= {self.faces[face].photo_id for face in self.find(name).faces}
        return np.array([face.id for face in self.faces.values() if face.photo_id in photos], np.int64)

    def vector_of(self, group: Group) -> Floats:
        """Give the mean descriptor (I,) of length one of a person: of the confirmed faces, or of all."""
        places = self._places([one for one in group.faces if one in group.confirmed] or group.faces)
        mean = self._looks.descriptors[places].astype(np.float64).mean(0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    # What can be said; each returns the number of the decision, which can be taken back.

    def name(self, group: Group, name: str) -> int:
        """Say that all faces of a group show somebody; a person of that name gets them all.

        Raises PeopleError for no name.
        """
        name = checked_name(name)
        if group.name.casefold() != name.casefold():  # else it is to be written in another way
            name = self._called(name)
        if group.name == name:
            raise PeopleError(f"this is {name} already")
        if group.name:
            return self._add("rename", {"from": group.name, "to": name})
        return self._add("name", {"faces": self._written(group.faces), "name": name})

    def merge(self, one: Group, other: Group) -> int:
        """Say that two groups show one person, who keeps the first name there is."""
        if one.name and other.name:
            return self._add("rename", {"from": other.name, "to": one.name})
        if one.name or other.name:
            named, unnamed = (one, other) if one.name else (other, one)
            return self._add("name", {"faces": self._written(unnamed.faces), "name": named.name})
        return self._add("same", {"faces": self._written((*one.faces, *other.faces))})

    def keep_apart(self, one: Group, other: Group) -> int:
        """Say that two groups show two people."""
        faces, others = (self._written(each.faces[:_SPOKEN_FOR]) for each in (one, other))
        return self._add("apart", {"faces": faces, "others": others})

    def split(self, group: Group, faces: Sequence[int]) -> int:
        """Say that some faces of a group show another person than the rest; raises PeopleError if they are
        none or all of it."""
        out = set(self._checked(faces))
        rest = [one for one in group.faces if one not in out]
        if not out or not rest or len(rest) + len(out) != len(group.faces):
            raise PeopleError("some faces of the group must go and some must stay; name those that go")
        details = {"faces": self._written(out), "others": self._written(rest[:_SPOKEN_FOR])}
        return self._add("split", {**details, "name": group.name})

    def confirm(self, faces: Sequence[int], name: str) -> int:
        """Say that faces show somebody; raises PeopleError."""
        return self._add("name", {"faces": self._written(self._checked(faces)), "name": self._called(name)})

    def reject(self, faces: Sequence[int], name: str) -> int:
        """Say that faces do not show somebody; raises PeopleError."""
        name = self._called(name)
        if name not in self.names:
            raise PeopleError(f"nobody here is called {name!r}")
        return self._add("not", {"faces": self._written(self._checked(faces)), "name": name})

    def no_face(self, faces: Sequence[int]) -> int:
        """Say that what was found is no face: it is in no group and no answer any more."""
        return self._add("noface", {"faces": self._written(self._checked(faces))})

    def hide(self, group: Group, *, hidden: bool = True) -> int:
        """Say that a group is not to be listed, or that it is again."""
        details = {"name": group.name, "faces": self._written(group.faces[:_SPOKEN_FOR])}
        return self._add("hide" if hidden else "show", details)

    def undo(self, decision: int | None = None) -> Decision:
        """Take a decision back, by default the last that holds; raises PeopleError if there is none."""
        holding = {one.id: one for one in holding_decisions(self.decisions)}
        chosen = max(holding, default=0) if decision is None else decision
        if chosen not in holding:
            nothing = "nothing has been said that could be taken back"
            raise PeopleError(nothing if decision is None else f"there is no decision {decision} that holds")
        self._add("undo", {"of": chosen})
        return holding[chosen]

    def _add(self, kind: str, details: Mapping[str, Any]) -> int:
        return add_decision(self.place, kind, details)

    def _called(self, name: str) -> str:
        """Give a name as it is written here already, small and large letters alike; raises PeopleError."""
        name = checked_name(name)
        alike = [known for known in self.names if known.casefold() == name.casefold()]
        return name if name in self.names or not alike else alike[0]

    def _checked(self, faces: Iterable[int]) -> list[int]:
        chosen = list(dict.fromkeys(faces))
        unknown = [face for face in chosen if face not in self.faces]
        if unknown or not chosen:
            raise PeopleError(f"there is no face {unknown[0]}" if unknown else "no face was named")
        return chosen

    def _written(self, faces: Iterable[int]) -> list[FaceName]:
        return [self.faces[face].name for face in faces]

    def _places(self, faces: Iterable[int]) -> Ints:
        return np.searchsorted(self._ids, np.array(list(faces), np.int64))

    def _pairs_apart(self, places: Mapping[int, int]) -> Ints:
        """Give the places (n, 2) of pairs of groups that somebody has said to be two people, ascending; those
        of ``places``, by the groups' ids, but for two that have names."""
        found = set()
        for one, other in self._said_apart:
            first, second = (
                {places.get(self.of_face[face].id, -1) for face in faces if face in self.of_face}
                for faces in (one, other)
            )
            found |= {(min(pair), max(pair)) for pair in product(first - {-1}, second - {-1})}
        return np.array(sorted(found), np.int64).reshape(-1, 2)

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        """The faces of which somebody said whom they show."""
        found: dict[str, list[int]] = defaultdict(list)
        for face, name in self._said.names.items():
            found[name].append(face)
        return found

    @cached_property
    def _said_apart(self) -> list[tuple[list[int], list[int]]]:
        """Pairs of sets of faces of two people, as was said; two who have names are not among them."""
        rejected = [
            ([face], self._by_name[name])
            for face, names in self._said.rejected.items()
            for name in names
            if name in self._by_name
        ]
        return rejected + self._said.apart

    def _grouped(self) -> tuple[Group, ...]:
        place_of = {int(face): place for place, face in enumerate(self._ids)}

        def here(faces: Iterable[int]) -> list[int]:
            return [place_of[face] for face in faces if face in place_of]

        named = list(self._by_name.values())
        same = [part for faces in (*named, *self._said.same) if len(part := here(faces)) > 1]
        different = [[here(faces) for faces in people] for people in (named, *self._said_apart)]
        out = here(self._said.no_faces)
        labels = self._grouper.group(same, different, out)
        found = []
        for places in _together(labels):
            if len(places) == 1 and places[0] in out:
                continue
            faces = [int(self._ids[place]) for place in self._clearest_first(places)]
            confirmed = frozenset(face for face in faces if face in self._said.names)
            name = next((self._said.names[face] for face in faces if face in confirmed), "")
            hidden = name in self._said.hidden_names if name else bool(self._said.hidden_faces & {*faces})
            found.append(Group(min(faces), name, tuple(faces), confirmed, hidden))
        return tuple(sorted(found, key=lambda one: (-len(one.faces), one.id)))

    def _clearest_first(self, places: Ints) -> Ints:
        """Order faces by how typical and clear they are."""
        looks, mean = self._looks, self._vectors[places].mean(0)
        worth = self._vectors[places] @ mean - np.abs(looks.yaws[places]) / 120
        worth += 0.1 * np.log2(np.clip(looks.sizes[places], 16, 256) / 64) - 0.2 * looks.sunglasses[places]
        return places[np.argsort(-worth, kind="stable")]


def grouper_for(engine: Engine, looks: FaceLooks) -> Grouper:
    """Make a grouper for what an engine describes faces by."""
    identity = engine.identity
    if identity is None or known_common(identity.digest) is not None:
        return Grouper(looks, "" if identity is None else identity.digest)
    known = engine.calibration.identity(identity.digest, identity.name)
    return Grouper(looks, identity.digest, known.midpoint + _SURE / known.slope)


def looks_of(engine: Engine, snapshot: Snapshot) -> tuple[list[PlacedFace], FaceLooks]:
    """Give all faces of a collection, and what they look like, in the order of their ids."""
    if engine.identity is None:
        raise CollectionError(
            "this collection cannot tell people apart, since it was made with --identity none; index the "
            "folders into another one"
        )
    blocks = list(snapshot.blocks())
    ids = np.concatenate([np.empty(0, np.int64), *(block for block, _ in blocks)])
    vectors = np.concatenate(
        [np.empty((0, engine.dimension), np.float32), *(part.astype(np.float32) for _, part in blocks)]
    )
    order = np.argsort(ids)
    place_of = dict(zip(ids[order].tolist(), range(len(ids)), strict=True))
    faces = [face for face in snapshot.placed_faces() if face.id in place_of]
    vectors = vectors[order][[place_of[face.id] for face in faces]] if faces else vectors[:0]
    photos = np.array([face.photo_id for face in faces], np.int64)
    sizes = np.array([face.box.width for face in faces], np.float64)
    return faces, face_looks(engine, vectors, photos, sizes)


def face_looks(engine: Engine, vectors: Floats, photos: Ints, sizes: Doubles) -> FaceLooks:
    """Tell from vectors (N, D) what N faces look like."""
    count, size = len(vectors), 0 if engine.identity is None else engine.identity.dimension
    yaws, sunglasses = np.zeros(count), np.zeros(count)
    pose = engine.attributes.get("pose")
    if pose is not None and pose.moments is not None:
        yaws = vectors[:, pose.moments.start].astype(np.float64) * pose.unit
    if "accessory" in engine.attributes:
        with suppress(WishError):  # it may know others
            sunglasses = engine.met(engine.wanted({"accessory": "sunglasses"})[0], vectors)
    return FaceLooks(vectors[:, :size], photos, yaws, sunglasses, sizes)


def _together(labels: Ints) -> list[Ints]:
    """Give the places that have one label each."""
    if not len(labels):
        return []
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1])
